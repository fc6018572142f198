//! What kinds of secrets there are, and what stands in their place.

/// What a secret is for. The text says so where the secret stood, since an answer such as "the token has expired" needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A token or key of an API: Proxmox VE, clouds, model providers, chats.
    ApiToken,
    /// A password or passphrase in plain text.
    Password,
    /// A hash of a password, as crypt, htpasswd and LDAP keep it: it can be guessed at leisure.
    PasswordHash,
    /// A private key, PEM or otherwise.
    PrivateKey,
    /// A key that several machines share: corosync, Ceph, WireGuard, TSIG.
    SharedKey,
    /// A key that opens backups or disks.
    EncryptionKey,
    /// A ticket of a login at Proxmox VE or Proxmox Backup Server, or of a console.
    Ticket,
    /// A JSON web token.
    WebToken,
    /// A cookie of a session.
    Session,
    /// User and password, encoded together.
    Login,
    /// An address that anybody who knows it may post to.
    Webhook,
    /// The seed of one-time codes.
    CodeSeed,
    /// A key that stands in for a second factor.
    RecoveryKey,
    /// A PIN, a door code, a one-time code.
    Code,
}

/// Begins every mark.
const OPEN: &str = "[secret: ";

/// What a mark is called where it is spoken.
const SPOKEN: &str = "a secret";

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 14] = [
        Kind::ApiToken,
        Kind::Password,
        Kind::PasswordHash,
        Kind::PrivateKey,
        Kind::SharedKey,
        Kind::EncryptionKey,
        Kind::Ticket,
        Kind::WebToken,
        Kind::Session,
        Kind::Login,
        Kind::Webhook,
        Kind::CodeSeed,
        Kind::RecoveryKey,
        Kind::Code,
    ];

    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ApiToken => "API token",
            Kind::Password => "password",
            Kind::PasswordHash => "password hash",
            Kind::PrivateKey => "private key",
            Kind::SharedKey => "shared key",
            Kind::EncryptionKey => "encryption key",
            Kind::Ticket => "login ticket",
            Kind::WebToken => "web token",
            Kind::Session => "session cookie",
            Kind::Login => "login",
            Kind::Webhook => "webhook",
            Kind::CodeSeed => "code seed",
            Kind::RecoveryKey => "recovery key",
            Kind::Code => "code",
        }
    }

    /// What stands where a secret of this kind stood: `[secret: API token]`.
    pub fn mark(self) -> String {
        format!("{OPEN}{}]", self.name())
    }
}

/// What a text begins with, as far as it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// With a mark of this many bytes.
    Mark(usize),
    /// With what may become one.
    MaybeMark,
    /// With something else.
    Other,
}

/// Whether the text begins with a mark. Only the names above make one: `[secret: hunter2]` is no mark.
pub(super) fn begins(text: &str) -> Begins {
    let head = &text.as_bytes()[..text.len().min(OPEN.len())];
    if !OPEN.as_bytes().starts_with(head) {
        return Begins::Other;
    }
    if head.len() < OPEN.len() {
        return Begins::MaybeMark;
    }
    let rest = &text[OPEN.len()..];
    for kind in Kind::ALL {
        match rest.strip_prefix(kind.name()) {
            Some(after) if after.starts_with(']') => return Begins::Mark(OPEN.len() + kind.name().len() + 1),
            Some("") => return Begins::MaybeMark,
            None if kind.name().starts_with(rest) => return Begins::MaybeMark,
            _ => {}
        }
    }
    Begins::Other
}

/// The redacted text for the ear: every mark as "a secret".
///
/// ```
/// use jarvis_core::redact::spoken;
/// assert_eq!(spoken("It is [secret: API token], sir."), "It is a secret, sir.");
/// ```
pub fn spoken(redacted: &str) -> String {
    let mut said = String::with_capacity(redacted.len());
    let mut rest = redacted;
    while let Some(at) = rest.find(OPEN) {
        said.push_str(&rest[..at]);
        rest = &rest[at..];
        match begins(rest) {
            Begins::Mark(length) => {
                said.push_str(SPOKEN);
                rest = &rest[length..];
            }
            Begins::MaybeMark | Begins::Other => {
                said.push_str(OPEN);
                rest = &rest[OPEN.len()..];
            }
        }
    }
    said.push_str(rest);
    said
}

//! What was read lately and makes secrets of what follows: a path, a command, the beginning of a key.
//!
//! Counted in what comes *out*, never in what went in: so a text whose secrets are gone is read like the text they stood in, and
//! redacting twice changes nothing.

use super::reader::{Pairs, Reader, is_word};

/// What is expected after a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// The UUID that is the secret of a token just made.
    TokenValue,
    /// `data`: a key of a Proxmox Backup Server client.
    BackupKey,
    /// `d`: the private part of a JWK.
    JwkPart,
    /// `value`: a secret that was given a name.
    NamedValue,
    /// Lines of a key that is printed as base64 or hexadecimal.
    KeyDump,
    /// Lines of a private key that has begun.
    PrivateKey,
    /// A password alone on the next line.
    PasswordLine,
    /// Lines `user:password`.
    UserLines,
    /// The options of this command (an index into [`super::command::COMMANDS`]).
    Command(usize),
}

/// A trigger, and how far it reaches.
struct Trigger {
    /// What is read, in either case.
    literal: &'static str,
    expect: Expect,
    reach: Reach,
}

/// How far an expectation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// So many bytes.
    Bytes(usize),
    /// To the end of the line and so many lines more.
    Lines(usize),
}

/// Every trigger: one line each. What a command expects stands with the commands.
const TRIGGERS: &[Trigger] = &[
    Trigger { literal: "full-tokenid", expect: Expect::TokenValue, reach: Reach::Bytes(900) },
    Trigger { literal: "kdf\"", expect: Expect::BackupKey, reach: Reach::Bytes(600) },
    Trigger { literal: "kdf\\\"", expect: Expect::BackupKey, reach: Reach::Bytes(600) },
    Trigger { literal: "kty\"", expect: Expect::JwkPart, reach: Reach::Bytes(600) },
    Trigger { literal: "crv\"", expect: Expect::JwkPart, reach: Reach::Bytes(600) },
    Trigger { literal: "secret name=", expect: Expect::NamedValue, reach: Reach::Bytes(200) },
    Trigger { literal: "corosync/authkey", expect: Expect::KeyDump, reach: Reach::Lines(20) },
    Trigger { literal: "Private-Lines:", expect: Expect::KeyDump, reach: Reach::Lines(60) },
    Trigger { literal: "wg genkey", expect: Expect::KeyDump, reach: Reach::Lines(1) },
    Trigger { literal: "wg genpsk", expect: Expect::KeyDump, reach: Reach::Lines(1) },
    Trigger { literal: "openssl rand", expect: Expect::KeyDump, reach: Reach::Lines(1) },
    Trigger { literal: "cat /etc/pve/priv/realm/", expect: Expect::PasswordLine, reach: Reach::Lines(1) },
    Trigger { literal: "cat /etc/pve/priv/ldap/", expect: Expect::PasswordLine, reach: Reach::Lines(1) },
    Trigger { literal: "cat /etc/pve/priv/storage/", expect: Expect::PasswordLine, reach: Reach::Lines(1) },
    Trigger { literal: "==> /etc/pve/priv/", expect: Expect::PasswordLine, reach: Reach::Lines(1) },
    Trigger { literal: "chpasswd:", expect: Expect::UserLines, reach: Reach::Lines(16) },
    Trigger { literal: "chpasswd <<", expect: Expect::UserLines, reach: Reach::Lines(16) },
    Trigger { literal: "-----END", expect: Expect::PrivateKey, reach: Reach::Bytes(0) },
    Trigger { literal: "-----BEGIN CERTIFICATE", expect: Expect::PrivateKey, reach: Reach::Bytes(0) },
];

/// How far the lines of a private key reach that has begun.
pub(super) const PRIVATE_KEY: (Expect, Reach) = (Expect::PrivateKey, Reach::Lines(80));

/// How many expectations are kept; of more, the oldest goes.
const MAX_EXPECTED: usize = 6;

/// What is expected at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Context {
    expected: Vec<(Expect, Reach)>,
}

impl Context {
    pub fn expects(&self, wanted: Expect) -> bool {
        self.expected.iter().any(|(e, _)| *e == wanted)
    }

    /// The command whose options are being read.
    pub fn command(&self) -> Option<usize> {
        self.expected.iter().rev().find_map(|(e, _)| match e {
            Expect::Command(index) => Some(*index),
            _ => None,
        })
    }

    /// Expects this from here on; with no reach at all, no longer.
    pub fn expect(&mut self, (expect, reach): (Expect, Reach)) {
        self.forget(expect);
        if reach == Reach::Bytes(0) {
            return;
        }
        if self.expected.len() == MAX_EXPECTED {
            self.expected.remove(0);
        }
        self.expected.push((expect, reach));
    }

    pub fn forget(&mut self, gone: Expect) {
        self.expected.retain(|(e, _)| *e != gone);
    }

    /// So much came out.
    pub fn pass(&mut self, out: &str) {
        if self.expected.is_empty() {
            return;
        }
        let lines = out.bytes().filter(|b| *b == b'\n').count();
        for (_, reach) in &mut self.expected {
            *reach = match *reach {
                // One line more than is left: the line of the trigger itself ends too.
                Reach::Lines(n) if lines > n => Reach::Bytes(0),
                Reach::Lines(n) => Reach::Lines(n - lines),
                Reach::Bytes(n) => Reach::Bytes(n.saturating_sub(out.len())),
            };
        }
        self.expected.retain(|(_, reach)| *reach != Reach::Bytes(0));
    }
}

/// Filters [`TRIGGERS`].
static OPENINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut n = 0;
    while n < TRIGGERS.len() {
        pairs = pairs.beginning(TRIGGERS[n].literal);
        n += 1;
    }
    pairs
};

/// What the text here makes expected.
pub(super) fn triggered(reader: Reader<'_>, before: Option<char>) -> Option<(Expect, Reach)> {
    if before.is_some_and(is_word) || !OPENINGS.may_begin(reader) {
        return None;
    }
    TRIGGERS.iter().find(|t| reader.clone().eat_str(t.literal)).map(|t| (t.expect, t.reach))
}

//! Names that promise a secret: `db_password`, `ClientSecret`, `--cipassword`, `X-Api-Key`.

use super::Kind;
use super::reader::Pairs;

/// Longest name that is looked at, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 80;

/// What must be said of a value for it to be a secret under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// It is one, whatever it is.
    Any,
    /// A machine made it: at least so many characters.
    Random(usize),
    /// User and password in base64.
    Login,
}

/// How a name is recognised by its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As a word of its own: `_pw`, `-pw`, `Pw`.
    Word,
    /// Glued to what is before it, too: `cipassword`.
    Glued,
    /// As the whole name.
    Whole,
}

struct Name {
    end: &'static str,
    how: End,
    demand: Demand,
    kind: Kind,
}

const fn name(end: &'static str, how: End, demand: Demand, kind: Kind) -> Name {
    Name { end, how, demand, kind }
}

use Demand::{Any, Login, Random};
use End::{Glued, Whole, Word};
use Kind::{ApiToken, CodeSeed, EncryptionKey, Password, PrivateKey, RecoveryKey, Session, SharedKey};

/// Every name: one line each, the more telling first. Words are separated by `_`, in lower case.
const NAMES: &[Name] = &[
    name("encryption_password", Word, Any, EncryptionKey),
    name("password", Glued, Any, Password),
    name("passwort", Glued, Any, Password),
    name("kennwort", Glued, Any, Password),
    name("wachtwoord", Glued, Any, Password),
    name("passwd", Glued, Any, Password),
    name("passphrase", Glued, Any, Password),
    name("passcode", Glued, Any, Password),
    name("pwd", Word, Any, Password),
    name("pw", Word, Any, Password),
    name("bindpw", Word, Any, Password),
    name("rootpw", Word, Any, Password),
    name("adminpw", Word, Any, Password),
    name("pass", Word, Any, Password),
    name("requirepass", Word, Any, Password),
    name("masterauth", Word, Any, Password),
    name("rootpass", Word, Any, Password),
    name("dbpass", Word, Any, Password),
    name("userpass", Word, Any, Password),
    name("smtppass", Word, Any, Password),
    name("rocommunity", Whole, Any, Password),
    name("rwcommunity", Whole, Any, Password),
    name("network_key", Word, Random(16), SharedKey),
    name("psk", Word, Any, Password),
    name("wpa_key", Word, Any, Password),
    name("totp_secret", Word, Any, CodeSeed),
    name("otp_secret", Word, Any, CodeSeed),
    name("jwt_secret", Word, Any, SharedKey),
    name("secret", Word, Any, ApiToken),
    name("clientsecret", Glued, Any, ApiToken),
    name("tokensecret", Glued, Any, ApiToken),
    name("secret_key_base", Word, Random(16), SharedKey),
    name("secret_key", Word, Any, ApiToken),
    name("secretkey", Glued, Any, ApiToken),
    name("secret_access_key", Word, Random(16), ApiToken),
    name("csrf_prevention_token", Word, Random(16), Session),
    name("token", Glued, Random(8), ApiToken),
    name("token_value", Word, Random(8), ApiToken),
    name("secret_value", Word, Random(8), ApiToken),
    name("authorization", Whole, Random(16), ApiToken),
    name("api_key", Word, Random(8), ApiToken),
    name("apikey", Glued, Random(8), ApiToken),
    name("access_key", Word, Random(12), ApiToken),
    name("accesskey", Glued, Random(12), ApiToken),
    name("account_key", Word, Random(16), ApiToken),
    name("credentials", Word, Random(12), ApiToken),
    name("preshared_key", Word, Random(16), SharedKey),
    name("presharedkey", Glued, Random(16), SharedKey),
    name("authkey", Glued, Random(16), SharedKey),
    name("auth_key", Word, Random(12), ApiToken),
    name("master_key", Word, Random(16), EncryptionKey),
    name("encryption_key", Word, Random(16), EncryptionKey),
    name("private_key", Word, Random(16), PrivateKey),
    name("privatekey", Glued, Random(16), PrivateKey),
    name("private_key_id", Word, Random(16), ApiToken),
    name("key_data", Word, Random(16), PrivateKey),
    name("private_mac", Whole, Random(16), PrivateKey),
    name("recovery_key", Word, Random(12), RecoveryKey),
    name("ovh_ak", Word, Random(12), ApiToken),
    name("ovh_as", Word, Random(12), ApiToken),
    name("ovh_ck", Word, Random(12), ApiToken),
    name("sig", Whole, Random(20), ApiToken),
    name("auth", Whole, Login, Kind::Login),
    name("_auth", Whole, Login, Kind::Login),
    name("sessionid", Glued, Random(12), Session),
    name("sessid", Glued, Random(12), Session),
    name("session", Word, Random(12), Session),
    name("connect_sid", Word, Random(12), Session),
    name("sid", Word, Random(20), Session),
    name("gotify_key", Word, Random(12), ApiToken),
    name("key", Word, Random(16), ApiToken),
    name("schlüssel", Glued, Random(16), SharedKey),
];

/// Words that make a name say something about a key that anybody may read.
const PUBLIC: &[&str] = &[
    "public",
    "pub",
    "publickey",
    "fingerprint",
    "hash",
    "digest",
    "host",
    "primary",
    "foreign",
    "sort",
    "cache",
    "kernel",
    "gpg",
    "product",
];

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    pub demand: Demand,
    pub kind: Kind,
    /// The name is `key` and nothing more: a digest may stand under it.
    pub bare: bool,
    /// The name says password, and does not mean the verb to pass.
    pub names_password: bool,
}

/// Filters [`NAMES`].
static ENDINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut n = 0;
    while n < NAMES.len() {
        pairs = pairs.ending(NAMES[n].end);
        n += 1;
    }
    pairs
};

/// What the name promises, if anything.
pub(super) fn promise(written: &str) -> Option<Promise> {
    if !ENDINGS.may_end(written.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_')) {
        return None;
    }
    let words = words(written);
    let words = words.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    if words.split('_').any(|w| PUBLIC.contains(&w)) {
        return None;
    }
    let found = NAMES.iter().find(|n| {
        let before = words.strip_suffix(n.end);
        match n.how {
            Whole => before == Some(""),
            Word => before.is_some_and(|b| b.is_empty() || b.ends_with('_')),
            Glued => before.is_some(),
        }
    })?;
    Some(Promise {
        demand: found.demand,
        kind: found.kind,
        bare: words == "key",
        names_password: found.kind == Kind::Password && words != "pass",
    })
}

/// The words of a name in lower case, with `_` between them: `SharedAccessKey`, `X-Api-Key`, `spring.datasource.password`.
fn words(written: &str) -> String {
    let mut words = String::with_capacity(written.len() + 8);
    let mut before: Option<char> = None;
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        if matches!(c, '-' | '.' | '_') {
            if !words.is_empty() && !words.ends_with('_') {
                words.push('_');
            }
        } else {
            let humped = before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit()) && c.is_uppercase();
            let acronym = before.is_some_and(char::is_uppercase)
                && c.is_uppercase()
                && chars.peek().is_some_and(|n| n.is_lowercase());
            if (humped || acronym) && !words.ends_with('_') {
                words.push('_');
            }
            words.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let cases = [
            ("SharedAccessKey", "shared_access_key"),
            ("X-Api-Key", "x_api_key"),
            ("spring.datasource.password", "spring_datasource_password"),
            ("CSRFPreventionToken", "csrf_prevention_token"),
            ("DB_PASSWORD", "db_password"),
            ("--cipassword", "cipassword"),
            ("apiKey", "api_key"),
        ];
        for (written, wanted) in cases {
            assert_eq!(words(written), wanted);
        }
    }

    #[test]
    fn names_promise_what_they_end_in() {
        let promising = [
            "DB_PASSWORD1",
            "cipassword",
            "--password",
            "ClientSecret",
            "bindpw",
            "requirepass",
            "userKey",
            "_authToken",
        ];
        for name in promising {
            assert!(promise(name).is_some(), "{name}");
        }
        let empty = [
            "password_file",
            "PublicKey",
            "bypass",
            "compass",
            "token_id",
            "max_tokens",
            "keyboard",
            "secretName",
            "monkey",
            "tokenizer",
        ];
        for name in empty {
            assert_eq!(promise(name), None, "{name}");
        }
    }

    #[test]
    fn no_name_is_hidden_behind_another() {
        for (n, name) in NAMES.iter().enumerate() {
            let promised = promise(name.end).expect(name.end);
            let first = NAMES
                .iter()
                .position(|m| m.demand == promised.demand && m.kind == promised.kind && name.end.ends_with(m.end));
            assert!(first.is_some_and(|f| f <= n), "{}", name.end);
        }
    }
}

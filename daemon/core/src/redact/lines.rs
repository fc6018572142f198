//! Lines whose form alone tells where their secret stands: `.pgpass`, SASL maps, `chpasswd`, a password file just printed.

use super::Kind;
use super::context::Expect;
use super::reader::{Reader, is_word};
use super::scan::{Lead, Look, Match};
use super::{shape, value};

/// Every detector: one line each.
const DETECTORS: &[fn(&Look<'_>) -> Option<Match>] = &[user_line, password_line, pgpass, sasl, echoed, net_use];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    DETECTORS.iter().find_map(|detect| detect(look))
}

/// `root:secret`, where such lines are expected.
fn user_line(look: &Look<'_>) -> Option<Match> {
    if !look.context.expects(Expect::UserLines) || look.lead == Lead::Words || look.before.is_some_and(is_word) {
        return None;
    }
    user_and_value(look.reader)
}

/// A user's name, a colon, and what follows it at once.
fn user_and_value(mut reader: Reader<'_>) -> Option<Match> {
    if reader.take(40, |c| is_word(c) || c == '-' || c == '.').is_empty() || !reader.eat(':') {
        return None;
    }
    let secret = value::read(&mut reader)?;
    (!value::is_no_value(&secret) && secret.text.len() >= 3).then(|| secret.secret(Kind::Password))
}

/// The line after a password file was printed: one word, and no prompt.
fn password_line(look: &Look<'_>) -> Option<Match> {
    if !look.context.expects(Expect::PasswordLine) || look.lead != Lead::Nothing || look.before != Some('\n') {
        return None;
    }
    let mut reader = look.reader;
    let line = value::read_line(&mut reader)?;
    let prompt =
        line.text.contains(' ') || line.text.ends_with('#') || line.text.ends_with('$') || line.text.contains('=');
    (!prompt && !value::is_no_value(&line)).then(|| line.secret(Kind::Password))
}

/// `host:port:database:user:secret`.
fn pgpass(look: &Look<'_>) -> Option<Match> {
    if look.lead != Lead::Nothing || look.before.is_some_and(|c| c != '\n') {
        return None;
    }
    let mut reader = look.reader;
    let host = field(&mut reader)?;
    let port = field(&mut reader)?;
    field(&mut reader)?;
    let user = field(&mut reader)?;
    if !user.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let named = host == "*" || host.contains(|c: char| c.is_ascii_alphabetic());
    if !named || !(port == "*" || ((4..=5).contains(&port.len()) && shape::is_number(port))) {
        return None;
    }
    let secret = value::read(&mut reader)?;
    (!value::is_no_value(&secret)).then(|| secret.secret(Kind::Password))
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    let field = reader.take(64, |c| is_word(c) || matches!(c, '.' | '-' | '*'));
    (reader.eat(':') && !field.is_empty()).then_some(field)
}

/// `[mail.example.net]:587 user@example.net:secret`.
fn sasl(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.lead != Lead::Nothing || !reader.eat('[') {
        return None;
    }
    reader.take(80, |c| is_word(c) || c == '.' || c == '-');
    if !reader.eat(']') {
        return None;
    }
    let port = reader.eat(':') && !reader.take(5, |c| c.is_ascii_digit()).is_empty();
    if !port || reader.spaces(8) == 0 {
        return None;
    }
    reader.take(80, |c| is_word(c) || matches!(c, '.' | '-' | '@' | '+'));
    if !reader.eat(':') {
        return None;
    }
    let secret = value::read(&mut reader)?;
    (!value::is_no_value(&secret)).then(|| secret.secret(Kind::Password))
}

/// Commands that read a password from what is echoed, and whether a user's name stands before it.
const READERS: &[(&str, bool)] =
    &[("chpasswd", true), ("sudo -S", false), ("passwd --stdin", false), ("cryptsetup", false)];

/// `echo 'root:secret' | chpasswd`, `echo secret | sudo -S`.
fn echoed(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_word) || !reader.eat_exact("echo ") {
        return None;
    }
    reader.take(4, |c| "-ne ".contains(c));
    let whole = reader;
    let (_, named) = READERS.iter().find(|(command, _)| is_piped_to(reader, command))?;
    let quote = reader.eat_if(|c| c == '"' || c == '\'');
    let user = reader.take(40, |c| is_word(c) || c == '-' || c == '.');
    let secret = match (named, quote) {
        (true, _) if user.is_empty() || !reader.eat(':') => return None,
        (true, Some(quote)) => value::read_to(&mut reader, quote)?,
        (true, None) => value::read(&mut reader)?,
        (false, _) => {
            reader = whole;
            value::read(&mut reader)?
        }
    };
    (!value::is_no_value(&secret)).then(|| secret.secret(Kind::Password))
}

/// Whether the rest of the line pipes into this command.
fn is_piped_to(mut reader: Reader<'_>, command: &str) -> bool {
    for _ in 0..120 {
        if reader.eat_exact("| ") && reader.eat_exact(command) {
            return true;
        }
        if reader.bump().is_none_or(|c| c == '\n') {
            return false;
        }
    }
    false
}

/// `net use Z: \\host\share secret /user:name`.
fn net_use(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_word) || !reader.eat_str("net use ") {
        return None;
    }
    for _ in 0..3 {
        let start = reader.at();
        let word = reader.take(120, |c| !c.is_whitespace());
        let end = reader.at();
        if reader.spaces(4) == 0 {
            return None;
        }
        let mut after = reader;
        if !word.starts_with('\\') && !word.ends_with(':') && after.eat_str("/user:") && word != "*" {
            return Some(Match::exact(Kind::Password, start, end));
        }
    }
    None
}

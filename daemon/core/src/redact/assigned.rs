//! Values under a name that promises a secret: `password = x`, `"token": "x"`, `--secret x`, `<password>x</password>`.

use super::key::{self, Demand, Promise};
use super::reader::{Reader, is_word};
use super::scan::{Lead, Look, Match};
use super::value::{self, Value};
use super::{Kind, encoded, shape};

/// How a value hangs on its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `=` without spaces: a shell, an address, an option.
    Tight,
    /// `=`, `:`, `=>`, `:=`.
    Assigned,
    /// `--name value`.
    Option,
    /// `name value`, alone in its line.
    Section,
    /// `name value`, among other words.
    Beside,
    /// `<name>value<`.
    Element,
    /// `| name | value |`.
    Cell,
    /// `"name", "value"`.
    Argument,
}

/// Finds the value of the name that begins here.
pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(|c| is_word(c) || matches!(c, '-' | '.' | '$')) {
        return None;
    }
    let written = reader.take(key::MAX_NAME_BYTES, |c| is_word(c) || matches!(c, '-' | '.' | 'ü'));
    if written.len() < 3 && written != "d" {
        return None;
    }
    let name = written.trim_end_matches(['-', '.']);
    reader.back_to(name.len());
    if !name.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    if let Some(found) = expected(look, name, reader) {
        return Some(found);
    }
    let promise = key::promise(name)?;
    let form = form(look, name, &mut reader)?;
    if let Some(end) = numbers(reader) {
        return Some(Match::exact(promise.kind, reader.at(), end));
    }
    let value = value::read(&mut reader)?;
    let ends = ends_line(reader);
    judge(look, promise, form, &value, ends).then(|| value.secret(promise.kind))
}

/// Names that promise something only where something before made it expected.
fn expected(look: &Look<'_>, name: &str, mut reader: Reader<'_>) -> Option<Match> {
    use super::context::Expect;
    let long = |v: &Value<'_>| v.text.len() >= 20 && shape::entropy_bits(v.text) > 3.0;
    let (kind, holds): (Kind, fn(&Value<'_>) -> bool) = match name {
        "data" if look.context.expects(Expect::BackupKey) => (Kind::EncryptionKey, long),
        "d" if look.context.expects(Expect::JwkPart) => (Kind::PrivateKey, long),
        "value" if look.context.expects(Expect::NamedValue) => (Kind::ApiToken, |v| !value::is_no_value(v)),
        "value" if look.context.expects(Expect::TokenValue) || token_is_named(reader) => {
            (Kind::ApiToken, |v| shape::is_uuid(v.text))
        }
        _ => return None,
    };
    form(look, name, &mut reader)?;
    let value = value::read(&mut reader)?;
    holds(&value).then(|| value.secret(kind))
}

/// Whether the rest of this object names a token: `"value":"...","info":{..},"full-tokenid":"..."`.
fn token_is_named(mut reader: Reader<'_>) -> bool {
    for _ in 0..160 {
        if reader.eat_str("full-tokenid") {
            return true;
        }
        if reader.bump().is_none_or(|c| c == '\n') {
            return false;
        }
    }
    false
}

/// What stands between the name and its value; leaves the reader at the value.
fn form(look: &Look<'_>, name: &str, reader: &mut Reader<'_>) -> Option<Form> {
    let quote = look.before.filter(|c| matches!(c, '"' | '\'' | '`'));
    if look.before == Some('<') {
        reader.take(1, |c| c == '>');
        return (reader.at() > name.len() && reader.peek() != Some('<')).then_some(Form::Element);
    }
    let escaped = reader.eat_exact("\\\"") || reader.eat_exact("\\'");
    let closed = escaped || reader.eat_if(|c| quote == Some(c)).is_some() || closes_longer_name(reader);
    let spaces = reader.spaces(40);
    if reader.eat_str("%3D") {
        return Some(Form::Tight);
    }
    match reader.peek()? {
        '=' | ':' => {
            let sign = reader.bump()?;
            if reader.peek().is_some_and(|c| c == '=' || c == ':' || c == '~')
                && !(sign == ':' && reader.peek() == Some('='))
            {
                return None;
            }
            reader.take(1, |c| c == '>' || c == '=');
            let after = reader.spaces(40);
            // The user in an address: what follows it is found there.
            if sign == ':' && after == 0 && look.before == Some('/') {
                return None;
            }
            block_scalar(reader);
            // `'Password: '`: the quote that follows closes the one before the name.
            if !closed && quote.is_some() && reader.peek() == quote {
                return None;
            }
            Some(if sign == '=' && spaces == 0 && after == 0 { Form::Tight } else { Form::Assigned })
        }
        ',' if closed => {
            reader.bump();
            reader.spaces(8);
            reader.peek().is_some_and(|c| c == '"' || c == '\'').then_some(Form::Argument)
        }
        '|' | '│' if spaces > 0 => {
            reader.bump();
            (reader.spaces(40) > 0).then_some(Form::Cell)
        }
        _ if spaces == 0 || closed => None,
        _ if name.starts_with('-') => Some(Form::Option),
        _ if look.lead != Lead::Words => Some(Form::Section),
        _ => (look.before != Some('/')).then_some(Form::Beside),
    }
}

/// The quote in `"facebook access_token": ..`, which opened before an earlier word.
fn closes_longer_name(reader: &mut Reader<'_>) -> bool {
    let mut ahead = *reader;
    let closes = ahead.eat('"') && {
        ahead.spaces(4);
        matches!(ahead.peek(), Some(':' | '='))
    };
    if closes {
        reader.eat('"');
    }
    closes
}

/// `password: |` with the value on the next line.
fn block_scalar(reader: &mut Reader<'_>) {
    let mut ahead = *reader;
    if ahead.eat_if(|c| c == '|' || c == '>').is_none() {
        return;
    }
    ahead.take(1, |c| c == '-' || c == '+');
    if ahead.eat('\n') && ahead.spaces(40) > 0 {
        *reader = ahead;
    }
}

/// A key as a list of its bytes, `[1, 3, 0x05, ...]`: where it ends.
fn numbers(mut reader: Reader<'_>) -> Option<usize> {
    if !reader.eat('[') {
        return None;
    }
    let bytes = reader.take(400, |c| c.is_ascii_hexdigit() || matches!(c, 'x' | ',' | ' '));
    let count = bytes.split(',').filter(|b| b.contains(|c: char| c.is_ascii_digit())).count();
    (count >= 8 && reader.eat(']')).then(|| reader.at())
}

/// Whether nothing but a comment follows the value in its line.
fn ends_line(mut reader: Reader<'_>) -> bool {
    reader.take(2, |c| matches!(c, '"' | '\'' | '`' | ';'));
    reader.line_ends() || (reader.spaces(8) > 0 && reader.peek() == Some('#'))
}

/// Whether the value is a secret under this promise, in this form.
fn judge(look: &Look<'_>, promise: Promise, form: Form, value: &Value<'_>, ends: bool) -> bool {
    let text = value.text;
    // What carries its own sign is found by it, and its bounds are known better there.
    if value::is_no_value(value) || (!value.quoted && value::is_code(text)) || super::hash::begins(text) {
        return false;
    }
    match promise.demand {
        Demand::Login => encoded::is_login(text),
        Demand::Random(min) => {
            let digest = promise.bare && text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let min = if form == Form::Beside { min.max(20) } else { min };
            let made = shape::looks_random(text, min) || (!promise.bare && shape::is_grouped(text));
            // Names in a program have humps and no digits.
            let literal = value.quoted || form == Form::Tight || text.contains(|c: char| c.is_ascii_digit());
            made && literal && !digest && !super::proxmox::names_token(text)
        }
        Demand::Any if names_itself(text) || (form == Form::Option && text.starts_with('-')) => false,
        Demand::Any if value.quoted => {
            let fits = !matches!(form, Form::Beside | Form::Argument | Form::Section) || promise.names_password;
            fits && text.len() >= 3 && !shape::describes(text)
        }
        Demand::Any => any(look, promise, form, text, ends),
    }
}

/// Whether an unquoted value is a secret under a name that takes any.
fn any(look: &Look<'_>, promise: Promise, form: Form, text: &str, ends: bool) -> bool {
    if shape::is_number(text) {
        return text.len() >= 4 && promise.kind == Kind::Password && form != Form::Beside;
    }
    if shape::is_uuid(text) {
        return true;
    }
    match form {
        Form::Beside => beside(text),
        Form::Cell => shape::looks_chosen(text),
        Form::Section => shape::looks_chosen(text) && (ends || beside(text)),
        Form::Tight | Form::Option | Form::Element | Form::Argument => {
            text.len() >= 3 && !super::proxmox::names_token(text)
        }
        Form::Assigned if shape::is_wordy(text) => {
            look.lead != Lead::Words && ends && text.len() >= 3 && promise.kind == Kind::Password
        }
        Form::Assigned => text.len() >= 3,
    }
}

/// A password among words, without a sign that it is one.
fn beside(text: &str) -> bool {
    shape::looks_chosen(text)
        && !text.contains('/')
        && !text.starts_with('-')
        && text.contains(|c: char| c.is_ascii_digit())
}

/// `password=password`, `pw = user_password`: a name again.
fn names_itself(text: &str) -> bool {
    shape::is_wordy(text) && key::promise(text).is_some()
}

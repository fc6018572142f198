//! Secrets in sentences, written or spoken: "the password is swordfish", "my pin is four seven one one".

use super::reader::{Pairs, Reader, is_word};
use super::scan::{Look, Match};
use super::value::{self, Value};
use super::words::{ADVERBS, COPULAS, FUNCTIONS, STATE_ENDS, STATES, UNITS};
use super::{Kind, shape};

/// A word that promises a secret further on in its sentence.
struct Promise {
    words: &'static str,
    kind: Kind,
    takes: Takes,
}

/// What may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Anything that looks chosen, and behind "is" even a plain word.
    Word,
    /// What looks chosen.
    Chosen,
    /// The same, but with nothing between: the word means other things, too.
    Beside,
    /// What a machine made.
    Random,
    /// A number of four to ten digits, written or spoken.
    Digits,
    /// Words to the end of the clause.
    Phrase,
}

const fn promise(words: &'static str, kind: Kind, takes: Takes) -> Promise {
    Promise { words, kind, takes }
}

use Kind::{ApiToken, Code, CodeSeed, Password, RecoveryKey, SharedKey};
use Takes::{Beside, Chosen, Digits, Phrase, Random, Word};

/// Every promise: one line each, the longer before the shorter.
const PROMISES: &[Promise] = &[
    promise("passwords", Password, Chosen),
    promise("password", Password, Word),
    promise("passphrase", Password, Word),
    promise("passcode", Password, Word),
    promise("passwd", Password, Word),
    promise("pass", Password, Beside),
    promise("pwd", Password, Chosen),
    promise("pw", Password, Chosen),
    promise("passwort", Password, Chosen),
    promise("kennwort", Password, Chosen),
    promise("wachtwoord", Password, Chosen),
    promise("mot de passe", Password, Chosen),
    promise("contraseña", Password, Chosen),
    promise("clave", Password, Chosen),
    promise("senha", Password, Chosen),
    promise("lösenord", Password, Chosen),
    promise("hasło", Password, Chosen),
    promise("пароль", Password, Chosen),
    promise("密码", Password, Chosen),
    promise("パスワード", Password, Chosen),
    promise("credentials", Password, Beside),
    promise("credential", Password, Beside),
    promise("login", Password, Beside),
    promise("recovery phrase", RecoveryKey, Phrase),
    promise("seed phrase", RecoveryKey, Phrase),
    promise("shared secret", SharedKey, Chosen),
    promise("totp secret", CodeSeed, Random),
    promise("secret key", ApiToken, Random),
    promise("secret", ApiToken, Random),
    promise("recovery key", RecoveryKey, Random),
    promise("api key", ApiToken, Random),
    promise("access key", ApiToken, Random),
    promise("token", ApiToken, Random),
    promise("bearer", ApiToken, Random),
    promise("network key", SharedKey, Random),
    promise("wifi key", Password, Chosen),
    promise("pin", Code, Digits),
    promise("otp", Code, Digits),
    promise("one-time code", Code, Digits),
    promise("door code", Code, Digits),
    promise("alarm code", Code, Digits),
    promise("gate code", Code, Digits),
    promise("safe code", Code, Digits),
    promise("security code", Code, Digits),
    promise("verification code", Code, Digits),
    promise("access code", Code, Digits),
    promise("unlock code", Code, Digits),
    promise("login code", Code, Digits),
];

/// Filters [`PROMISES`].
static OPENINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut n = 0;
    while n < PROMISES.len() {
        pairs = pairs.beginning(PROMISES[n].words);
        n += 1;
    }
    pairs
};

/// Words between a promise and its secret at most.
const MAX_BETWEEN: usize = 9;

/// Copulas of scripts that put no spaces between words.
const GLUED_COPULAS: &[&str] = &["は", "是", "："];

/// Every detector: one line each.
const DETECTORS: &[fn(&Look<'_>) -> Option<Match>] = &[promised, named_after];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    if look.before.is_some_and(|c| is_word(c) || c == '$') {
        return None;
    }
    DETECTORS.iter().find_map(|detect| detect(look))
}

/// "the password of the NAS is ...".
fn promised(look: &Look<'_>) -> Option<Match> {
    if !OPENINGS.may_begin(look.reader) {
        return None;
    }
    let promise = PROMISES.iter().find(|p| {
        let mut reader = look.reader;
        reader.eat_str(p.words) && reader.peek().is_none_or(|c| !is_word(c) && c != '-')
    })?;
    let mut reader = look.reader;
    reader.eat_str(promise.words);
    reader.eat_exact("'s");
    for between in 0..=MAX_BETWEEN {
        let spaces = reader.spaces(4);
        if between == 0 && GLUED_COPULAS.iter().any(|c| reader.eat_exact(c)) {
            reader.spaces(4);
            return candidate(promise, reader, true);
        }
        if reader.eat(':') || reader.eat('：') || (between == 0 && reader.eat('=') && reader.peek() != Some('=')) {
            // A name with its value close behind is an assignment, and judged as one.
            let apart = reader.spaces(4) > 0
                || promise.takes == Takes::Digits
                || !look.reader.peek().is_some_and(|c| c.is_ascii());
            return apart.then(|| candidate(promise, reader, between > 0)).flatten();
        }
        if spaces == 0 {
            return None;
        }
        if between == 0
            && let Some(found) = beside(promise, reader)
        {
            return Some(found);
        }
        let start = reader.at();
        let word = reader.take(80, |c| !c.is_whitespace() && !"\"'`;:=<>".contains(c) && c != '：');
        if COPULAS.has(word) {
            let weak = ["to", "be"].contains(&word.to_lowercase().as_str());
            if weak && promise.takes == Takes::Beside {
                return None;
            }
            skip_adverbs(&mut reader);
            let colon = reader.eat(':');
            reader.spaces(4);
            if let Some(found) = candidate(promise, reader, weak && !colon) {
                return Some(found);
            }
            continue;
        }
        let apart = promise.takes == Takes::Beside;
        if apart || word.is_empty() || word.ends_with(['.', '!', '?']) || reader.at() - start >= 80 {
            return None;
        }
    }
    None
}

fn skip_adverbs(reader: &mut Reader<'_>) {
    for _ in 0..3 {
        let mut ahead = *reader;
        ahead.spaces(4);
        let word = ahead.take(20, char::is_alphabetic);
        if !ADVERBS.has(word) || ahead.peek() != Some(' ') {
            return;
        }
        *reader = ahead;
    }
}

/// "user backup and pass W1nd-chime", "login admin:Dandelion#9", "credentials admin / Pomegranate1", "bearer TOKEN".
fn beside(promise: &Promise, mut reader: Reader<'_>) -> Option<Match> {
    if promise.takes == Takes::Beside {
        return pair(reader);
    }
    if promise.takes == Takes::Digits {
        return digits(promise, reader);
    }
    if promise.takes != Takes::Random {
        return None;
    }
    let value = value::read(&mut reader)?;
    let holds =
        shape::looks_random(value.text, 20) && !value::is_no_value(&value) && !super::proxmox::names_token(value.text);
    holds.then(|| value.secret(promise.kind))
}

/// `user / secret`, `user:secret`.
fn pair(mut reader: Reader<'_>) -> Option<Match> {
    let user = reader.take(40, |c| is_word(c) || matches!(c, '@' | '.' | '-'));
    let spaces = reader.spaces(2);
    let sign = reader.eat_if(|c| c == '/' || c == ':')?;
    let after = reader.spaces(2);
    let joined = if sign == '/' { spaces > 0 && after > 0 } else { spaces == 0 && after == 0 };
    let value = value::read(&mut reader)?;
    let holds = joined && !user.is_empty() && shape::looks_chosen(value.text) && !value::is_no_value(&value);
    holds.then(|| value.secret(Kind::Password))
}

/// Whether what stands here is the secret that was promised. After a weak sign only what can't be a word is.
fn candidate(promise: &Promise, reader: Reader<'_>, weak: bool) -> Option<Match> {
    if promise.takes == Takes::Digits {
        return digits(promise, reader);
    }
    if let Some(found) = (promise.takes == Takes::Beside).then(|| pair(reader)).flatten() {
        return Some(found);
    }
    if let Some(found) = phrase(promise, reader, weak) {
        return Some(found);
    }
    let mut after = reader;
    let value = value::read(&mut after)?;
    if value::is_no_value(&value) || (!value.quoted && value::is_code(value.text)) {
        return None;
    }
    let text = value.text;
    let fits = match promise.takes {
        Takes::Random => shape::looks_random(text, 12) && !super::proxmox::names_token(text),
        _ if value.quoted && promise.takes != Takes::Beside => {
            value.closed
                && text.len() >= 3
                && !text.starts_with([' ', ',', ';'])
                && !shape::describes(text)
                && !is_state(text)
        }
        _ if shape::looks_chosen(text) => true,
        _ if shape::is_number(text) => (4..=12).contains(&text.len()) && !counts(after),
        Takes::Word => !weak && plain(text, after),
        Takes::Chosen | Takes::Beside | Takes::Digits | Takes::Phrase => false,
    };
    fits.then(|| value.secret(promise.kind))
}

/// Most words of a phrase.
const MAX_PHRASE: usize = 24;

/// A passphrase without quotes: two words or more to the end of the clause, none of which a sentence about a password would need.
fn phrase(promise: &Promise, mut reader: Reader<'_>, weak: bool) -> Option<Match> {
    if weak || !matches!(promise.takes, Takes::Word | Takes::Phrase) {
        return None;
    }
    let start = reader.at();
    let mut words = 0;
    while words < MAX_PHRASE {
        let word = reader.take(24, char::is_alphabetic);
        if word.is_empty() || word.contains(char::is_uppercase) || (words == 0 && is_state(word)) || FUNCTIONS.has(word)
        {
            return None;
        }
        words += 1;
        let end = reader.at();
        if words > 1 && ends_clause(reader) {
            // "... is somehow leaked": the last word says what became of it.
            let said = word.len() >= 4 && STATE_ENDS.end(word);
            return (!said).then(|| Match::exact(promise.kind, start, end));
        }
        if reader.spaces(2) == 0 {
            return None;
        }
    }
    None
}

/// A plain word that ends its clause and says nothing about a password.
fn plain(text: &str, after: Reader<'_>) -> bool {
    shape::is_wordy(text) && text.chars().count() >= 4 && !is_state(text) && ends_clause(after)
}

fn is_state(text: &str) -> bool {
    let lower = text.to_lowercase();
    STATES.has(&lower) || (lower.len() >= 4 && STATE_ENDS.end(&lower))
}

fn ends_clause(mut reader: Reader<'_>) -> bool {
    if reader.at_mark() {
        return false;
    }
    if reader.eat_if(|c| ".!?,;)".contains(c)).is_some() {
        return !reader.word_ends() || reader.peek().is_none_or(|c| c.is_whitespace() || "\"')".contains(c));
    }
    if reader.line_ends() {
        return true;
    }
    reader.spaces(4);
    let word = reader.take(12, char::is_alphabetic);
    ["and", "but", "please", "sir"].contains(&word)
}

/// Whether a unit follows, so that the number counts something.
fn counts(mut reader: Reader<'_>) -> bool {
    reader.spaces(2);
    UNITS.has(reader.take(12, char::is_alphabetic))
}

/// A number of four to ten digits; or digits one by one, written or spoken, or in groups.
fn digits(promise: &Promise, mut reader: Reader<'_>) -> Option<Match> {
    let start = reader.at();
    let spoken = ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double"];
    let (mut end, mut digits) = (start, 0);
    while digits <= 10 {
        let number = reader.take(11, |c| c.is_ascii_digit()).len();
        let word = if number == 0 { reader.take(8, |c| c.is_ascii_alphabetic()) } else { "" };
        let more = if spoken.contains(&word.to_ascii_lowercase().as_str()) { 1 } else { number };
        if more == 0 || !reader.word_ends() || (digits > 0 && more > 3) {
            break;
        }
        digits += more;
        end = reader.at();
        if reader.take(1, |c| c == ' ' || c == '-').is_empty() || more > 3 {
            break;
        }
    }
    reader.back_to(end);
    ((4..=10).contains(&digits) && !counts(reader)).then(|| Match::exact(promise.kind, start, end))
}

/// "... and Acorn-cup-71 as the password".
fn named_after(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    let word = reader.take(80, |c| !c.is_whitespace());
    // Most words are plain, and need not wait for what follows them.
    if !word.bytes().any(|b| b.is_ascii_digit() || b"!#$%^&*+=~@".contains(&b)) || !reader.eat_str(" as ") {
        return None;
    }
    for word in ["the ", "a ", "my ", "your ", "its ", "new "] {
        reader.eat_str(word);
    }
    let password = ["password", "passphrase", "passwort"].iter().any(|p| reader.eat_str(p)) && reader.word_ends();
    if !password {
        return None;
    }
    reader.back_to(0);
    let value: Value<'_> = value::read(&mut reader)?;
    let holds = !value.quoted && shape::looks_chosen(value.text) && !value::is_no_value(&value);
    holds.then(|| value.secret(Kind::Password))
}

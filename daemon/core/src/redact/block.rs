//! Keys in blocks: PEM, OpenSSH, PGP, OpenVPN, PuTTY; and keys that were dumped line by line.

use super::Kind;
use super::context::Expect;
use super::reader::{Reader, is_base64, is_word};
use super::run::{Class, Run, pem_end};
use super::scan::{Lead, Look, Match};
use super::shape;

/// Labels of blocks that are secret, or their ends.
const LABELS: &[&str] = &["PRIVATE KEY", "PRIVATE KEY BLOCK", "OpenVPN Static key V1"];

/// Shortest line of a key in a dump.
const DUMP_LINE: usize = 32;

/// Every detector: one line each.
const DETECTORS: &[fn(&Look<'_>) -> Option<Match>] = &[block, line_of_block, end_of_block, dumped_line, dumped_groups];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    DETECTORS.iter().find_map(|detect| detect(look))
}

/// `-----BEGIN ... PRIVATE KEY-----` and what follows.
fn block(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before == Some('-') || !reader.eat_exact("-----BEGIN ") {
        return None;
    }
    let label = reader.take(60, |c| c.is_ascii_alphanumeric() || c == ' ');
    let secret = LABELS.iter().any(|l| label.ends_with(l));
    let closed = reader.take(5, |c| c == '-').len() >= 4;
    (secret && closed).then(|| Match { kind: Kind::PrivateKey, start: 0, end: reader.at(), run: Run::Pem })
}

/// A line of a block whose lines stand behind something else, as in a log.
fn line_of_block(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if !look.context.expects(Expect::PrivateKey) || look.before.is_some_and(is_base64) {
        return None;
    }
    let word = reader.take(DUMP_LINE, |c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    let found = word.len() >= DUMP_LINE || (!word.is_empty() && reader.line_ends() && end_is_near(reader));
    found.then(|| Match { kind: Kind::PrivateKey, start: 0, end: reader.at(), run: Run::Chars(Class::Base64) })
}

/// Whether the next line holds the end of a block.
fn end_is_near(mut reader: Reader<'_>) -> bool {
    reader.spaces(64);
    reader.eat('\r');
    if !reader.eat('\n') {
        return false;
    }
    for _ in 0..160 {
        if pem_end(&mut reader) {
            return true;
        }
        if reader.bump().is_none_or(|c| c == '\n') {
            return false;
        }
    }
    false
}

fn end_of_block(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    let found = look.context.expects(Expect::PrivateKey) && look.before != Some('-') && pem_end(&mut reader);
    found.then(|| Match::exact(Kind::PrivateKey, 0, reader.at()))
}

/// A line of base64 or hexadecimal digits where a key is being dumped.
fn dumped_line(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if !look.context.expects(Expect::KeyDump) || look.before.is_some_and(|c| is_base64(c) || c == '.') {
        return None;
    }
    let word = reader.take(DUMP_LINE, is_base64);
    // The last line of a dump is short: it stands alone, and looks like nothing else.
    let last = look.lead != Lead::Words && word.len() >= 4 && reader.line_ends() && shape::looks_random(word, 4);
    let found = (word.len() >= DUMP_LINE && !word.contains("--")) || last;
    found.then(|| Match { kind: Kind::SharedKey, start: 0, end: reader.at(), run: Run::Dump })
}

/// `9cfc 50f3 36cc ...`: at least four groups of two to eight hexadecimal digits.
fn dumped_groups(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if !look.context.expects(Expect::KeyDump) || look.before.is_some_and(is_word) {
        return None;
    }
    let mut end = 0;
    let mut groups = 0;
    while groups < 64 {
        let group = reader.take(9, |c| c.is_ascii_hexdigit()).len();
        if !(2..=8).contains(&group) || !group.is_multiple_of(2) || !reader.word_ends() {
            break;
        }
        groups += 1;
        end = reader.at();
        if reader.spaces(1) == 0 {
            break;
        }
    }
    (groups >= 4).then(|| Match::exact(Kind::SharedKey, 0, end))
}

//! Statements: who or what, which attribute of it, and what that is.
//!
//! English has few forms for the facts of a house: "X is at Y", "X is called Y", "my X is Y", "X keeps its files on Y", "call X Y", "I
//! prefer Y". The words between subject and value name the attribute, so that two facts with the same words there are about the same thing.
//! Whether the newer one makes the older obsolete is a question of the attribute (a thing stands in one place, but has several uses),
//! unless it says so itself ("... now").
//!
//! Length: one function per shape of statement, all of one kind.

use super::{Word, join};

/// Words of a subject; what is longer is a story, no statement.
const SUBJECT_WORDS_MAX: usize = 7;
/// Words of a verb's object before a preposition ("keeps its own files on").
const OBJECT_WORDS_MAX: usize = 3;
/// Nothing of this kind is a subject: what "it" is, is not known later.
const NO_SUBJECT: [&str; 25] = [
    "it",
    "he",
    "she",
    "they",
    "this",
    "that",
    "these",
    "those",
    "there",
    "what",
    "which",
    "who",
    "where",
    "when",
    "why",
    "how",
    "nobody",
    "someone",
    "something",
    "everything",
    "nothing",
    "you",
    "i",
    "we",
    "if",
];
const MODAL: [&str; 13] = [
    "may",
    "must",
    "should",
    "can",
    "cannot",
    "can't",
    "will",
    "would",
    "could",
    "might",
    "won't",
    "shouldn't",
    "shall",
];
const BE: [&str; 4] = ["is", "are", "am", "isn't"];
/// Verbs whose meaning allows one value at a time.
const SINGLE: [&str; 31] = [
    "starts", "start", "begins", "begin", "ends", "end", "opens", "closes", "belongs", "belong", "relays", "forwards",
    "listens", "listen", "keeps", "keep", "holds", "hold", "lasts", "last", "boots", "renews", "expires", "costs",
    "weighs", "gives", "stays", "becomes", "defaults", "points", "renew",
];
/// Verbs that say where something is.
const STANDING: [&str; 8] = ["lives", "live", "sits", "stands", "hangs", "hides", "resides", "sit"];
/// Verbs that allow several values, and those of the past.
const OTHER: [&str; 39] = [
    "has",
    "have",
    "needs",
    "need",
    "runs",
    "run",
    "uses",
    "use",
    "serves",
    "talks",
    "sends",
    "reports",
    "takes",
    "comes",
    "hands",
    "transcodes",
    "drops",
    "fits",
    "wants",
    "likes",
    "works",
    "connects",
    "depends",
    "goes",
    "does",
    "was",
    "were",
    "had",
    "went",
    "moved",
    "changed",
    "contains",
    "records",
    "supports",
    "allows",
    "speaks",
    "writes",
    "reads",
    "knows",
];
const PLACES: [&str; 17] = [
    "in",
    "on",
    "under",
    "behind",
    "inside",
    "beside",
    "above",
    "below",
    "between",
    "near",
    "upstairs",
    "downstairs",
    "outside",
    "beneath",
    "beyond",
    "opposite",
    "next",
];
const PREPOSITIONS: [&str; 21] = [
    "before", "after", "during", "at", "in", "on", "to", "for", "from", "through", "with", "under", "behind", "by",
    "over", "between", "into", "of", "until", "via", "as",
];
/// Participles of which one preposition's value holds at a time ("registered at", "plugged into").
const PARTICIPLES: [&str; 13] = [
    "registered",
    "hosted",
    "stored",
    "kept",
    "plugged",
    "connected",
    "mounted",
    "located",
    "parked",
    "reached",
    "forwarded",
    "installed",
    "configured",
];
/// Attributes with a name of their own.
const NOUNS: [(&str, &str); 16] = [
    ("ip address", "address"),
    ("mac address", "mac address"),
    ("ip", "address"),
    ("address", "address"),
    ("name", "name"),
    ("port", "port"),
    ("place", "place"),
    ("location", "place"),
    ("version", "version"),
    ("owner", "owner"),
    ("size", "size"),
    ("capacity", "capacity"),
    ("number", "number"),
    ("colour", "colour"),
    ("model", "model"),
    ("budget", "budget"),
];
/// What says that things have changed.
const CHANGED: [&str; 5] = ["now", "nowadays", "instead", "meanwhile", "lately"];

/// How a statement was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// "call X Y": told back in another order.
    Call,
    /// Any other.
    Plain,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) form: Form,
    /// The words of its subject.
    pub(super) subject: String,
    /// What of it; empty where nothing can contradict it.
    pub(super) attribute: String,
    pub(super) value: String,
    /// Whether it makes an earlier value obsolete.
    pub(super) replaces: bool,
    /// Whether it is a statement beyond doubt, said for no other purpose.
    pub(super) clear: bool,
}

impl Statement {
    fn new(subject: String, attribute: &str, value: String) -> Self {
        Self { form: Form::Plain, subject, attribute: attribute.to_owned(), value, replaces: true, clear: true }
    }

    /// One that may be true beside others.
    fn open(self) -> Self {
        Self { replaces: false, clear: false, ..self }
    }
}

/// Reads a statement. `named` says whether words name something of the cluster.
pub(super) fn read(words: &[Word<'_>], named: &dyn Fn(&[Word<'_>]) -> bool) -> Option<Statement> {
    let changed = words.iter().skip(1).any(|w| CHANGED.contains(&w.bare.as_str()));
    let kept: Vec<Word<'_>> = words
        .iter()
        .enumerate()
        .filter(|(i, w)| *i == 0 || !CHANGED.contains(&w.bare.as_str()))
        .map(|(_, w)| w.clone())
        .collect();
    let mut statement = preference(&kept).or_else(|| call(&kept, named)).or_else(|| plain(&kept))?;
    if changed && !statement.attribute.is_empty() {
        (statement.replaces, statement.clear) = (true, true);
    }
    Some(statement)
}

fn bare<'a>(words: &'a [Word<'_>], at: usize) -> &'a str {
    words.get(at).map_or("", |w| w.bare.as_str())
}

fn from<'a, 'b>(words: &'a [Word<'b>], at: usize) -> &'a [Word<'b>] {
    words.get(at..).unwrap_or_default()
}

/// "I prefer short answers", "I like updates on saturday mornings", "I prefer tea over coffee", "I prefer to be called captain".
fn preference(words: &[Word<'_>]) -> Option<Statement> {
    let rest = match (bare(words, 0), bare(words, 1), bare(words, 2)) {
        ("i" | "we", "prefer" | "like" | "want" | "love" | "hate" | "dislike", _) => from(words, 2),
        ("i" | "we", "would", "like" | "prefer") | ("i" | "we", "don't" | "really", "like" | "want") => from(words, 3),
        ("i'd" | "we'd", "like" | "prefer", _) => from(words, 2),
        _ => return None,
    };
    let value = join(rest);
    if value.is_empty() {
        return None;
    }
    if ["to be called", "to be addressed as"].iter().any(|form| value.to_lowercase().starts_with(form)) {
        let name = join(from(rest, if bare(rest, 2) == "called" { 3 } else { 4 }));
        return (!name.is_empty()).then(|| Statement::new("form of address".to_owned(), "name", name));
    }
    // "over" names the rival; the head of the phrase is what later preferences are compared by.
    let end =
        rest.iter().position(|w| PREPOSITIONS.contains(&w.bare.as_str()) || w.bare == "when").unwrap_or(rest.len());
    let over = rest.iter().position(|w| w.bare == "over");
    let head = match over {
        Some(over) => {
            let mut pair = [bare(rest, over.saturating_sub(1)), bare(rest, over + 1)];
            pair.sort_unstable();
            pair.join(" or ")
        }
        None => bare(rest, end.saturating_sub(1)).to_owned(),
    };
    let clear = ["prefer", "like"].contains(&bare(words, 1)) || bare(words, 1) == "would";
    Some(Statement { clear, ..Statement::new("preferences".to_owned(), &format!("prefers {head}"), value) })
}

/// "call VM 104 the cinema": the longest beginning that names something is what is called so.
fn call(words: &[Word<'_>], named: &dyn Fn(&[Word<'_>]) -> bool) -> Option<Statement> {
    let skip = match (bare(words, 0), bare(words, 1)) {
        ("call", _) => 1,
        ("we" | "i", "call") => 2,
        _ => return None,
    };
    let rest = from(words, skip);
    let end = (1..rest.len()).rev().find(|end| named(rest.get(..*end).unwrap_or_default()))?;
    let (subject, name) = rest.split_at(end);
    let statement = Statement::new(join(subject), "name", join(name));
    Some(Statement { form: Form::Call, ..statement })
}

/// Subject, verb, the rest.
fn plain(words: &[Word<'_>]) -> Option<Statement> {
    let mine = ["my", "our"].contains(&bare(words, 0));
    let verb = (1..words.len().min(SUBJECT_WORDS_MAX + 1)).find(|at| {
        let relative = ["that", "which", "who"].contains(&bare(words, at - 1));
        !relative && is_verb(bare(words, *at))
    })?;
    let (subject, rest) = (words.get(..verb)?, from(words, verb + 1));
    if NO_SUBJECT.contains(&bare(subject, 0)) || rest.is_empty() {
        return None;
    }
    let word = bare(words, verb);
    let phrase = join(subject);
    let note = Statement::new(phrase.clone(), "", String::new()).open();
    if MODAL.contains(&word) || ["not", "never", "no"].contains(&bare(rest, 0)) || word == "isn't" {
        return Some(note);
    }
    if let Some(statement) = moved(&phrase, word, rest).or_else(|| port(&phrase, rest)) {
        return Some(statement);
    }
    if BE.contains(&word) {
        return Some(being(subject, mine, rest));
    }
    if STANDING.contains(&word) {
        return Some(Statement::new(phrase, "place", join(rest)));
    }
    let single = SINGLE.contains(&word);
    let verb = word.trim_end_matches('s');
    let preposition = rest.iter().take(OBJECT_WORDS_MAX + 1).position(|w| PREPOSITIONS.contains(&w.bare.as_str()));
    let statement = match preposition {
        Some(at) if at + 1 < rest.len() => {
            let object: Vec<&str> = rest.iter().take(at + 1).map(|w| w.bare.as_str()).collect();
            Statement::new(phrase, &format!("{verb} {}", object.join(" ")), join(from(rest, at + 1)))
        }
        _ => Statement::new(phrase, verb, join(rest)),
    };
    let past = ["was", "were", "had", "went"].contains(&word);
    Some(match (past, single) {
        (true, _) => note,
        (false, true) => Statement { clear: mine, ..statement },
        (false, false) => statement.open(),
    })
}

fn is_verb(word: &str) -> bool {
    BE.contains(&word)
        || MODAL.contains(&word)
        || SINGLE.contains(&word)
        || STANDING.contains(&word)
        || OTHER.contains(&word)
}

/// "the printer [has] moved to 192.168.1.45", "the tariff changed to ...".
fn moved(subject: &str, verb: &str, rest: &[Word<'_>]) -> Option<Statement> {
    let rest = match (verb, bare(rest, 0)) {
        ("moved" | "changed", "to") => from(rest, 1),
        ("has" | "was" | "have" | "were", "moved" | "changed") if bare(rest, 1) == "to" => from(rest, 2),
        _ => return None,
    };
    let value = join(rest);
    let moves = if is_address(&value) { "address" } else { "place" };
    (!value.is_empty()).then(|| Statement::new(subject.to_owned(), moves, value))
}

/// "grafana listens on port 3000", "the console is on port 22".
fn port(subject: &str, rest: &[Word<'_>]) -> Option<Statement> {
    let on = rest.iter().take(3).position(|w| w.bare == "port")?;
    let value = bare(rest, on + 1);
    let last = rest.len() == on + 2;
    let number = !value.is_empty() && value.len() <= 5 && value.bytes().all(|b| b.is_ascii_digit());
    (last && number).then(|| Statement::new(subject.to_owned(), "port", value.to_owned()))
}

/// After "is".
fn being(subject: &[Word<'_>], mine: bool, rest: &[Word<'_>]) -> Statement {
    let phrase = join(subject);
    let value = join(rest);
    if let Some((owner, attribute)) = attribute_of(subject) {
        return Statement::new(owner, &attribute, value);
    }
    let after = |n: usize| join(from(rest, n));
    match (bare(rest, 0), bare(rest, 1)) {
        ("called" | "named", _) if rest.len() > 1 => return Statement::new(phrase, "name", after(1)),
        ("at", _) if is_address(&after(1)) => return Statement::new(phrase, "address", after(1)),
        ("reached", "at") if is_address(&after(2)) => return Statement::new(phrase, "address", after(2)),
        ("at", _) if is_time(bare(rest, 1)) => return Statement::new(phrase, "time", after(1)),
        ("at", _) if rest.len() > 1 => return Statement::new(phrase, "place", value),
        (place, _) if PLACES.contains(&place) && rest.len() > 1 => return Statement::new(phrase, "place", value),
        ("for", _) if rest.len() > 1 => {
            return Statement { clear: false, ..Statement::new(phrase, "is for", after(1)) };
        }
        (participle, with) if PARTICIPLES.contains(&participle) && PREPOSITIONS.contains(&with) && rest.len() > 2 => {
            return Statement { clear: mine, ..Statement::new(phrase, &format!("is {participle} {with}"), after(2)) };
        }
        (compared, than) if mine && compared.ends_with("er") && PREPOSITIONS.contains(&than) && rest.len() > 2 => {
            return Statement::new(phrase, &format!("is {compared}"), after(1));
        }
        _ => {}
    }
    if is_address(&value) {
        return Statement::new(phrase, "address", value);
    }
    // "the colour of the door is red", "my provider is alder": one at a time. "the nas is noisy" contradicts nothing, and "the
    // database is postgres seventeen" only what has the same first word.
    let kind = if ["a", "an", "the"].contains(&bare(rest, 0)) { "is the" } else { "is" };
    let of = subject.iter().skip(1).any(|w| w.bare == "of") && bare(subject, 0) == "the";
    if mine || of {
        let attribute = if mine { "is" } else { kind };
        return Statement { clear: mine, ..Statement::new(phrase, attribute, value) };
    }
    let counts = bare(rest, 0).starts_with(|c: char| c.is_ascii_digit());
    let head = match bare(rest, 0) {
        _ if counts => format!("is so many {}", bare(rest, 1)),
        first if rest.len() > 1 && kind == "is" => format!("is {first}"),
        _ => kind.to_owned(),
    };
    let statement = Statement::new(phrase, &head, value);
    Statement { clear: false, replaces: rest.len() > 1 && kind == "is", ..statement }
}

/// "the address of the router", "the router's address", "the printer port": whose, and which.
fn attribute_of(subject: &[Word<'_>]) -> Option<(String, String)> {
    let canonical = |words: &[Word<'_>]| {
        let said: Vec<&str> = words.iter().map(|w| w.bare.as_str()).filter(|w| *w != "the").collect();
        let said = said.join(" ");
        NOUNS.iter().find(|(noun, _)| *noun == said).map(|(_, name)| (*name).to_owned())
    };
    if let Some(of) = subject.iter().position(|w| w.bare == "of") {
        let attribute = canonical(subject.get(..of)?)?;
        let owner = join(from(subject, of + 1));
        return (!owner.is_empty()).then_some((owner, attribute));
    }
    for taken in [2, 1] {
        let at = subject.len().checked_sub(taken).filter(|at| *at > 0)?;
        if let Some(attribute) = canonical(from(subject, at)) {
            let owner = join(subject.get(..at)?);
            let owner = owner.strip_suffix("'s").unwrap_or(&owner).to_owned();
            // "my address" is nobody's we know.
            return (!["my", "our", "the"].contains(&owner.to_lowercase().as_str())).then_some((owner, attribute));
        }
    }
    None
}

/// Something that a packet could be sent to, as a person writes it.
fn is_address(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or("");
    let parts: Vec<&str> = host.split('.').collect();
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let v6 = text.matches(':').count() >= 2 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    v6 || (!text.contains(' ') && parts.len() >= 2 && parts.iter().all(|part| plain(part)))
}

fn is_time(word: &str) -> bool {
    const HOURS: [&str; 14] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "noon",
        "midnight",
    ];
    HOURS.contains(&word)
        || word.split(':').all(|p| !p.is_empty() && p.len() <= 2 && p.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests;

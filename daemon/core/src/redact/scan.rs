//! Goes through a text from left to right, once, and writes it out without its secrets.
//!
//! At every place where a word may begin, the detectors look ahead, at most [`LOOK_AHEAD_BYTES`]. What they find begins there or further
//! on; either way nothing is skipped, since a second secret may stand before the first one found. A secret's end need not be in sight:
//! once it has begun, a [`Run`] swallows what belongs to it.

use std::cell::Cell;

use super::context::{self, Context, Expect};
use super::kind::{self, Begins};
use super::reader::{Reader, is_word};
use super::run::{Run, Step};
use super::{FAMILIES, Finding, Kind, Redacted};

/// How far a detector looks ahead, in bytes; what a stream holds back is never more.
pub(super) const LOOK_AHEAD_BYTES: usize = 2048;

/// How many secrets may be seen coming at once; more are found when their own words are reached.
const MAX_COMING: usize = 8;

/// A secret that was found: where it lies from the place of its finding on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// What belongs to it beyond `end`.
    pub run: Run,
}

impl Match {
    /// A secret that ends where it was seen to end.
    pub fn exact(kind: Kind, start: usize, end: usize) -> Self {
        Self { kind, start, end, run: Run::None }
    }
}

/// What a detector sees.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub reader: Reader<'a>,
    /// The character before; `None` at the start of the text.
    pub before: Option<char>,
    pub lead: Lead,
    pub context: &'a Context,
    /// How many encodings deep this text was found.
    pub depth: u8,
}

/// What stands before this place in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nothing.
    Nothing,
    /// White space, list markers, `export`.
    Indent,
    /// Words.
    Words,
}

/// The state between two places.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    before: Option<char>,
    lead: Lead,
    context: Context,
    /// The secret that is being swallowed.
    inside: Option<Inside>,
    /// Secrets found further on, by their start.
    coming: Vec<Match>,
    /// Bytes that went in.
    at: usize,
    depth: u8,
}

#[derive(Debug, Clone)]
struct Inside {
    kind: Kind,
    start: usize,
    run: Run,
}

/// What the detectors say about a place.
enum Seen {
    /// They found these.
    Secrets(Vec<Match>),
    /// They came to the edge; more must be known.
    Edge,
}

impl Scanner {
    pub fn new(depth: u8) -> Self {
        Self {
            before: None,
            lead: Lead::Nothing,
            context: Context::default(),
            inside: None,
            coming: Vec::new(),
            at: 0,
            depth,
        }
    }

    /// Goes on as far as can be decided and adds to `out`; gives the bytes that were taken. With `whole`, nothing follows the text and
    /// all of it is taken.
    pub fn scan(&mut self, text: &str, whole: bool, out: &mut Redacted) -> usize {
        let origin = self.at;
        while self.at - origin < text.len() {
            let rest = &text[self.at - origin..];
            let cut = rest.floor_char_boundary(LOOK_AHEAD_BYTES);
            let window = Window { text: &rest[..cut], open: !whole && cut == rest.len() };
            if !self.step(window, out) {
                break;
            }
        }
        if whole {
            self.finish(out);
        }
        self.at - origin
    }

    /// Takes one step; `false` if more must be known first.
    fn step(&mut self, window: Window<'_>, out: &mut Redacted) -> bool {
        if self.inside.is_some() {
            return self.swallow(window, out);
        }
        if self.coming.first().is_some_and(|m| m.start <= self.at) {
            let found = self.coming.remove(0);
            self.enter(found, window, out);
            return true;
        }
        match kind::begins(window.text) {
            Begins::Mark(length) => {
                self.pass(&window.text[..length], out);
                return true;
            }
            Begins::MaybeMark if window.open => return false,
            Begins::MaybeMark | Begins::Other => {}
        }
        let unit = match unit(window) {
            Some(unit) => unit,
            None => return false,
        };
        if unit.may_begin(self.before) {
            match self.look(window, unit.first) {
                Seen::Edge => return false,
                Seen::Secrets(found) => found.into_iter().for_each(|m| self.announce(m)),
            }
            if self.coming.first().is_some_and(|m| m.start <= self.at) {
                return true;
            }
        }
        let next = self.coming.first().map_or(usize::MAX, |m| m.start - self.at);
        let length = if unit.length > next { window.text.floor_char_boundary(next) } else { unit.length };
        self.pass_unit(&window.text[..length], unit.reads_as, out);
        true
    }

    fn look(&mut self, window: Window<'_>, first: char) -> Seen {
        let edge = Cell::new(false);
        let reader = Reader::new(window.text, &edge);
        let look = Look { reader, before: self.before, lead: self.lead, context: &self.context, depth: self.depth };
        let expected = context::triggered(reader, self.before).into_iter().chain(super::command::named(&look));
        let expected: Vec<_> = expected.collect();
        if edge.get() && window.open {
            return Seen::Edge;
        }
        let mut seen = Vec::new();
        for family in FAMILIES.iter().filter(|f| (f.starts)(first)) {
            let found = (family.find)(&look);
            let at_mark = found.as_ref().is_some_and(|m| {
                let mut after = reader;
                after.back_to(m.end);
                after.peek();
                after.at_mark()
            });
            if edge.get() && window.open {
                return Seen::Edge;
            }
            // What touches a mark is what was left of something already judged.
            let found = found.filter(|m| m.end > m.start && !at_mark);
            let here = found.as_ref().is_some_and(|m| m.start == 0);
            seen.extend(found);
            // What begins further on hides nothing that begins here.
            if here {
                break;
            }
        }
        for more in expected {
            self.context.expect(more);
        }
        Seen::Secrets(seen)
    }

    /// Remembers a secret that begins here or further on, in bytes of the whole text from now on.
    fn announce(&mut self, found: Match) {
        let found = Match { start: found.start + self.at, end: found.end + self.at, ..found };
        if self.coming.iter().any(|m| m.start == found.start && m.end >= found.end) {
            return;
        }
        let place = self.coming.partition_point(|m| m.start <= found.start);
        self.coming.insert(place, found);
        self.coming.truncate(MAX_COMING);
    }

    /// A secret begins here.
    fn enter(&mut self, found: Match, window: Window<'_>, out: &mut Redacted) {
        if found.kind == Kind::PrivateKey && found.run == Run::Pem {
            self.context.expect(context::PRIVATE_KEY);
        }
        let mark = found.kind.mark();
        self.inside = Some(Inside { kind: found.kind, start: self.at, run: found.run });
        self.told(&mark);
        out.text.push_str(&mark);
        let length = (found.end.saturating_sub(self.at)).min(window.text.len());
        self.at += length;
    }

    /// Takes what belongs to the secret.
    fn swallow(&mut self, window: Window<'_>, out: &mut Redacted) -> bool {
        let Some(inside) = &mut self.inside else { return true };
        // A second secret that begins inside reaches as far as it reaches.
        if self.coming.first().is_some_and(|m| m.start <= self.at) {
            let other = self.coming.remove(0);
            let length = other.end.saturating_sub(self.at).min(window.text.len());
            if length > 0 {
                self.at += length;
                inside.run = other.run;
            }
            return true;
        }
        let edge = Cell::new(false);
        let step = inside.run.step(Reader::new(window.text, &edge));
        if edge.get() && window.open {
            return false;
        }
        match step {
            Step::Take(length, next) => {
                if inside.run == Run::Pem && next == Run::None {
                    self.context.forget(Expect::PrivateKey);
                }
                self.at += length;
                inside.run = next;
            }
            Step::End => self.leave(out),
        }
        true
    }

    fn leave(&mut self, out: &mut Redacted) {
        if let Some(inside) = self.inside.take() {
            out.findings.push(Finding { kind: inside.kind, span: inside.start..self.at });
        }
    }

    fn finish(&mut self, out: &mut Redacted) {
        self.leave(out);
        self.coming.clear();
    }

    fn pass(&mut self, text: &str, out: &mut Redacted) {
        self.pass_unit(text, text.chars().next_back(), out);
    }

    /// Lets text out, and takes it as read: an escaped line break reads as a line break.
    fn pass_unit(&mut self, text: &str, reads_as: Option<char>, out: &mut Redacted) {
        out.text.push_str(text);
        self.at += text.len();
        let lead = match (reads_as, self.lead) {
            (Some('\n'), _) => Lead::Nothing,
            (Some(c), Lead::Nothing | Lead::Indent) if leads(c, text) => Lead::Indent,
            _ => Lead::Words,
        };
        self.told(text);
        self.before = reads_as;
        self.lead = lead;
    }

    /// Takes note of what came out.
    fn told(&mut self, text: &str) {
        self.context.pass(text);
        self.before = text.chars().next_back();
        self.lead = Lead::Words;
    }
}

/// Whether a line may still be said to begin after this.
fn leads(c: char, unit: &str) -> bool {
    matches!(c, ' ' | '\t' | '>' | '*' | '-' | '+' | '#' | '│' | '|') || LEADING_WORDS.contains(&unit)
}

/// Words before an assignment.
const LEADING_WORDS: &[&str] = &["export", "set", "ENV", "const", "let", "var", "local", "setx", "declare"];

/// What lies ahead.
#[derive(Clone, Copy)]
struct Window<'a> {
    text: &'a str,
    /// More may come behind it.
    open: bool,
}

/// What is passed at once: a word, an escape, or one character.
struct Unit {
    length: usize,
    first: char,
    reads_as: Option<char>,
}

impl Unit {
    /// Whether a secret, or a word that tells of one, may begin here.
    fn may_begin(&self, before: Option<char>) -> bool {
        !(self.first.is_whitespace() || is_word(self.first) && before.is_some_and(is_word))
    }
}

/// The next unit; `None` if its end is not in sight yet.
fn unit(window: Window<'_>) -> Option<Unit> {
    let mut chars = window.text.chars();
    let first = chars.next()?;
    let second = chars.next();
    // Nothing that follows a space makes another thing of it.
    if second.is_none() && window.open && !first.is_whitespace() {
        return None;
    }
    let one = |reads_as| Some(Unit { length: first.len_utf8(), first, reads_as: Some(reads_as) });
    match (first, second) {
        ('\\', Some('n')) => Some(Unit { length: 2, first, reads_as: Some('\n') }),
        ('\\', Some('r' | 't')) => Some(Unit { length: 2, first, reads_as: Some(' ') }),
        ('%', Some(h)) if h.is_ascii_hexdigit() => match chars.next() {
            None if window.open => None,
            Some(l) if l.is_ascii_hexdigit() => Some(Unit { length: 3, first, reads_as: Some('%') }),
            _ => one(first),
        },
        (c, _) if is_word(c) => {
            let end = window.text.find(|c| !is_word(c));
            if end.is_none() && window.open {
                return None;
            }
            let length = end.unwrap_or(window.text.len());
            Some(Unit { length, first, reads_as: window.text[..length].chars().next_back() })
        }
        (c, _) => one(c),
    }
}

//! Intent files: TOML with phrases, word lists, and entries of kind, patterns and examples. Errors name file, line and remedy.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use crate::intent::GrammarError;
use crate::intent::pattern::{self, Part, SlotKind};
use crate::intent::words::Lexis;

/// Most bytes of one file.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// Words that ask or point, and decide only beside another.
const HALVES: [&str; 9] = ["what", "which", "how", "who", "where", "when", "why", "you", "me"];
/// What a pattern must say at least: see [`least`].
const LEAST: usize = 2;
/// Most patterns of all files.
const PATTERNS_MAX: usize = 5_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    words: WordLists,
    #[serde(default)]
    phrases: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    intent: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WordLists {
    fillers: Vec<String>,
    functions: Vec<String>,
    hanging: Vec<String>,
    before: Vec<Spanned<String>>,
    after: Vec<Spanned<String>>,
    rewrites: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Spanned<String>,
    patterns: Vec<Spanned<String>>,
    examples: Vec<Spanned<String>>,
}

/// What all files together say.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) lexis: Lexis,
    pub(super) before: Vec<Part>,
    pub(super) after: Vec<Part>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) examples: Vec<Example>,
}

/// One pattern of an entry.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) part: Part,
}

/// A sentence that an entry promises to understand: `how hot is node two -> node=pve2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What is said.
    pub text: String,
    /// What it must be understood as.
    pub kind: String,
    /// Slot and value, in the cluster of tests/frozen/README.md.
    pub slots: Vec<(String, String)>,
    /// File and line.
    pub place: String,
}

/// Where an error is.
struct Place<'a> {
    file: &'a str,
    content: &'a str,
}

impl Place<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.content.get(..offset).unwrap_or(self.content);
        before.bytes().filter(|b| *b == b'\n').count() + 1
    }

    fn error(&self, offset: usize, problem: impl Into<String>, remedy: impl Into<String>) -> GrammarError {
        GrammarError {
            file: self.file.to_owned(),
            line: self.line(offset),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// Reads the files in their order; phrases and word lists hold for all of them.
pub(super) fn read(files: &[(&str, &str)]) -> Result<Content, GrammarError> {
    let mut parsed = Vec::new();
    for (file, content) in files {
        let place = Place { file, content };
        if content.len() > FILE_BYTES_MAX {
            let remedy = format!("Split it: a file has at most {FILE_BYTES_MAX} bytes");
            return Err(place.error(0, "the file is too long", remedy));
        }
        parsed.push((toml_file(&place)?, place));
    }
    let mut content = Content::default();
    let phrases = phrases(&parsed)?;
    for (file, place) in &parsed {
        word_lists(&file.words, place, &phrases, &mut content)?;
    }
    for (file, place) in &parsed {
        for entry in &file.intent {
            read_entry(entry, place, &phrases, &mut content)?;
        }
    }
    Ok(content)
}

fn toml_file(place: &Place<'_>) -> Result<File, GrammarError> {
    toml::from_str(place.content).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().replace('\n', " ");
        place.error(offset, message.clone(), remedy(&message))
    })
}

/// The nearest key for a mistyped one, which serde names in back-ticks, the known ones after it.
fn remedy(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(wrong)) => pattern::nearest(wrong, quoted),
        _ => "An entry is [[intent]] with kind = \"..\", patterns = [\"..\"], examples = [\"..\"]".to_owned(),
    }
}

/// Phrases may use each other in any order; those that lead back to themselves are never resolved.
fn phrases(parsed: &[(File, Place<'_>)]) -> Result<BTreeMap<String, Part>, GrammarError> {
    let mut open: Vec<(&String, &Spanned<String>, &Place<'_>)> = Vec::new();
    for (file, place) in parsed {
        for (name, text) in &file.phrases {
            if open.iter().any(|(known, ..)| *known == name) {
                let problem = format!("the phrase <{name}> is there already");
                return Err(place.error(text.span().start, problem, "Give it another name"));
            }
            open.push((name, text, place));
        }
    }
    let mut known = BTreeMap::new();
    loop {
        let mut error = None;
        let mut left = Vec::new();
        let before = open.len();
        for (name, text, place) in open {
            match pattern::parse(text.get_ref(), &known) {
                Ok(part) => {
                    known.insert(name.clone(), part);
                }
                Err((problem, remedy)) => {
                    error.get_or_insert(place.error(text.span().start, problem, remedy));
                    left.push((name, text, place));
                }
            }
        }
        match error {
            None => return Ok(known),
            Some(error) if left.len() == before => return Err(error),
            Some(_) => open = left,
        }
    }
}

fn word_lists(
    lists: &WordLists,
    place: &Place<'_>,
    phrases: &BTreeMap<String, Part>,
    content: &mut Content,
) -> Result<(), GrammarError> {
    let words = |list: &[String]| -> BTreeSet<String> {
        list.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
    };
    content.lexis.fillers.extend(words(&lists.fillers));
    content.lexis.functions.extend(words(&lists.functions));
    content.lexis.hanging.extend(words(&lists.hanging));
    for (from, to) in &lists.rewrites {
        content.lexis.add_rewrite(from, to);
    }
    let lexis = content.lexis.clone();
    let decides = |word: &str| !lexis.fillers.contains(word) && !lexis.functions.contains(word);
    for (list, into) in [(&lists.before, &mut content.before), (&lists.after, &mut content.after)] {
        for text in list {
            let part = pattern::parse(text.get_ref(), phrases)
                .map_err(|(problem, remedy)| place.error(text.span().start, problem, remedy))?;
            if least(&part, &decides) == 0 {
                let problem = format!("the frame \"{}\" could be nothing at all", text.get_ref());
                return Err(place.error(text.span().start, problem, "Fillers need no frame: remove it"));
            }
            into.push(part);
        }
    }
    Ok(())
}

fn read_entry(
    entry: &Entry,
    place: &Place<'_>,
    phrases: &BTreeMap<String, Part>,
    content: &mut Content,
) -> Result<(), GrammarError> {
    let kind = entry.kind.get_ref();
    let at = entry.kind.span().start;
    let well_formed = kind.split_once('.').is_some_and(|(family, name)| {
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        plain(family) && plain(name)
    });
    if !well_formed {
        let problem = format!("\"{kind}\" is no kind");
        return Err(place.error(at, problem, "Write family.name, such as \"node.load\""));
    }
    if entry.patterns.is_empty() || entry.examples.is_empty() {
        let remedy = "Give at least one of each: examples are what the tests say to it";
        return Err(place.error(at, format!("{kind} lacks patterns or examples"), remedy));
    }
    let Content { lexis, patterns, examples, .. } = content;
    let decides = |word: &str| !lexis.fillers.contains(word) && !lexis.functions.contains(word);
    for text in &entry.patterns {
        let at = text.span().start;
        let part =
            pattern::parse(text.get_ref(), phrases).map_err(|(problem, remedy)| place.error(at, problem, remedy))?;
        if least(&part, &decides) < LEAST {
            let problem = format!("\"{}\" could match without a word that decides", text.get_ref());
            let remedy = "Add a word that is no article, auxiliary or preposition, or mark one as needed: on!";
            return Err(place.error(at, problem, remedy));
        }
        if patterns.len() == PATTERNS_MAX {
            let remedy = format!("Join patterns with (..|..): there may be {PATTERNS_MAX}");
            return Err(place.error(at, "too many patterns", remedy));
        }
        patterns.push(Pattern { kind: kind.clone(), text: text.get_ref().clone(), part });
    }
    for text in &entry.examples {
        let place_text = format!("{}:{}", place.file, place.line(text.span().start));
        let example = example(text.get_ref(), kind, place_text)
            .map_err(|(problem, remedy)| place.error(text.span().start, problem, remedy))?;
        examples.push(example);
    }
    Ok(())
}

/// How much the least wording of a pattern says: a deciding word 2, a question word, a pronoun or a name 1, a small word nothing.
fn least(part: &Part, decides: &impl Fn(&str) -> bool) -> usize {
    match part {
        Part::Word(word) if !decides(word) => 0,
        Part::Word(word) if HALVES.contains(&word.as_str()) => 1,
        Part::Word(_) | Part::Must(_) => 2,
        Part::Slot(SlotKind::Text) => 0,
        Part::Slot(_) => 1,
        Part::Optional(_) => 0,
        Part::Sequence(parts) => parts.iter().map(|p| least(p, decides)).sum(),
        Part::Either(parts) => parts.iter().map(|p| least(p, decides)).min().unwrap_or(0),
    }
}

fn example(text: &str, kind: &str, place: String) -> Result<Example, (String, String)> {
    let (said, wanted) = text.split_once("->").unwrap_or((text, ""));
    let mut slots = Vec::new();
    // A text has spaces: it is all that follows.
    let (wanted, text) = wanted.split_once("text=").map_or((wanted, None), |(before, text)| (before, Some(text)));
    slots.extend(text.map(|text| ("text".to_owned(), text.trim().to_owned())));
    for pair in wanted.split_whitespace() {
        let known = pair.split_once('=').filter(|(name, _)| SlotKind::ALL.iter().any(|k| k.name() == *name));
        let Some((name, value)) = known else {
            return Err((
                format!("\"{pair}\" is no slot with a value"),
                "Write the example as \"how hot is node two -> node=pve2\"".to_owned(),
            ));
        };
        slots.push((name.to_owned(), value.to_owned()));
    }
    Ok(Example { text: said.trim().to_owned(), kind: kind.to_owned(), slots, place })
}

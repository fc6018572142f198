//! The pattern language: `how (hot|warm) is {node} [right now]`, with `<phrase>` for a phrase defined elsewhere
//! and `on!` for a small word that must not be missing here.

use std::collections::BTreeMap;

/// Most nested brackets and phrases.
const DEPTH_MAX: usize = 8;
/// Most parts of one pattern, phrases included.
const PARTS_MAX: usize = 400;

/// What a slot takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum SlotKind {
    Node,
    Guest,
    Storage,
    Percent,
    /// The rest of the words, as they were written: one at least, and nothing after it.
    Text,
}

impl SlotKind {
    pub(super) const ALL: [Self; 5] = [Self::Node, Self::Guest, Self::Storage, Self::Percent, Self::Text];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Guest => "guest",
            Self::Storage => "storage",
            Self::Percent => "percent",
            Self::Text => "text",
        }
    }
}

/// A pattern as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Word(String),
    /// A small word that decides here: `is {guest} on!`.
    Must(String),
    Slot(SlotKind),
    Sequence(Vec<Part>),
    Either(Vec<Part>),
    Optional(Box<Part>),
}

/// Reads a pattern; the error says what is wrong and what to do.
pub(super) fn parse(text: &str, phrases: &BTreeMap<String, Part>) -> Result<Part, (String, String)> {
    let mut reader = Reader { rest: text, phrases, parts: 0 };
    let part = reader.alternatives(0)?;
    let rest = reader.rest.trim_start();
    if let Some(c) = rest.chars().next() {
        return Err((format!("`{c}` closes nothing in \"{text}\""), "Remove it, or open it before".to_owned()));
    }
    if part.slots().contains(&SlotKind::Text) && !part.ends_in_text() {
        let remedy = "It takes all the rest: put it at the very end, alone, after words that are always said";
        return Err((format!("{{text}} is not the one slot at the end of \"{text}\""), remedy.to_owned()));
    }
    Ok(part)
}

struct Reader<'a> {
    rest: &'a str,
    phrases: &'a BTreeMap<String, Part>,
    parts: usize,
}

impl Reader<'_> {
    fn alternatives(&mut self, depth: usize) -> Result<Part, (String, String)> {
        if depth > DEPTH_MAX {
            return Err((
                "brackets are nested too deeply".to_owned(),
                format!("Nest at most {DEPTH_MAX}: write two patterns instead"),
            ));
        }
        let mut all = vec![self.sequence(depth)?];
        while let Some(rest) = self.rest.strip_prefix('|') {
            self.rest = rest;
            all.push(self.sequence(depth)?);
        }
        if all.len() == 1 { Ok(all.remove(0)) } else { Ok(Part::Either(all)) }
    }

    fn sequence(&mut self, depth: usize) -> Result<Part, (String, String)> {
        let mut parts = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            let Some(c) = self.rest.chars().next() else {
                break;
            };
            self.parts += 1;
            if self.parts > PARTS_MAX {
                return Err((
                    "the pattern is too long".to_owned(),
                    format!("Split it: a pattern has at most {PARTS_MAX} parts"),
                ));
            }
            match c {
                '|' | ')' | ']' => break,
                '(' => parts.push(self.enclosed(')', depth)?),
                '[' => parts.push(Part::Optional(Box::new(self.enclosed(']', depth)?))),
                '{' => parts.push(self.slot()?),
                '<' => parts.push(self.phrase()?),
                _ => parts.push(self.word()?),
            }
        }
        match parts.len() {
            0 => Err((
                "an empty pattern, or an empty alternative".to_owned(),
                "Write words, or use [..] for what may be left out".to_owned(),
            )),
            1 => Ok(parts.remove(0)),
            _ => Ok(Part::Sequence(parts)),
        }
    }

    fn enclosed(&mut self, close: char, depth: usize) -> Result<Part, (String, String)> {
        self.rest = self.rest.get(1..).unwrap_or("");
        let part = self.alternatives(depth + 1)?;
        match self.rest.strip_prefix(close) {
            Some(rest) => {
                self.rest = rest;
                Ok(part)
            }
            None => Err((format!("a bracket is not closed: `{close}` is missing"), format!("Add `{close}`"))),
        }
    }

    fn until(&mut self, close: char) -> Result<String, (String, String)> {
        let inner = self.rest.get(1..).unwrap_or("");
        let Some((name, rest)) = inner.split_once(close) else {
            return Err((format!("`{close}` is missing after \"{inner}\""), format!("Add `{close}`")));
        };
        self.rest = rest;
        Ok(name.trim().to_owned())
    }

    fn slot(&mut self) -> Result<Part, (String, String)> {
        let name = self.until('}')?;
        SlotKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .map(Part::Slot)
            .ok_or_else(|| (format!("there is no slot {{{name}}}"), nearest(&name, SlotKind::ALL.map(SlotKind::name))))
    }

    fn phrase(&mut self) -> Result<Part, (String, String)> {
        let name = self.until('>')?;
        self.phrases.get(&name).cloned().ok_or_else(|| {
            (format!("there is no phrase <{name}>"), nearest(&name, self.phrases.keys().map(String::as_str)))
        })
    }

    fn word(&mut self) -> Result<Part, (String, String)> {
        let end = self.rest.find(|c: char| c.is_whitespace() || "()[]{}<>|".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let (word, must) = match word.strip_suffix('!') {
            Some(word) => (word, true),
            None => (word, false),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c == '\'';
        if word.is_empty() || !word.chars().all(plain) {
            let what = if word.is_empty() { self.rest } else { word };
            return Err((
                format!("\"{what}\" is no word a recogniser writes"),
                "Use lower-case letters and apostrophes; write numbers in words".to_owned(),
            ));
        }
        self.rest = rest;
        Ok(if must { Part::Must(word.to_owned()) } else { Part::Word(word.to_owned()) })
    }
}

/// "Did you mean `x`?", or the list of what there is.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let best =
        known.iter().map(|k| (strsim::normalized_damerau_levenshtein(name, k), *k)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, near)) if likeness >= 0.5 => format!("Did you mean `{near}`?"),
        _ => format!("There are: {}", known.join(", ")),
    }
}

impl Part {
    /// Every word of the pattern.
    pub(super) fn words<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::Word(word) | Self::Must(word) => into.push(word),
            Self::Slot(_) => {}
            Self::Sequence(parts) | Self::Either(parts) => {
                parts.iter().for_each(|part| part.words(into));
            }
            Self::Optional(part) => part.words(into),
        }
    }

    /// The slot it holds, where it holds one.
    pub(super) fn slot(&self) -> Option<SlotKind> {
        self.slots().first().copied()
    }

    /// Every slot, in order.
    fn slots(&self) -> Vec<SlotKind> {
        match self {
            Self::Word(_) | Self::Must(_) => Vec::new(),
            Self::Slot(kind) => vec![*kind],
            Self::Sequence(parts) | Self::Either(parts) => parts.iter().flat_map(Self::slots).collect(),
            Self::Optional(part) => part.slots(),
        }
    }

    /// Whether its one slot is `{text}`, as the last of a sequence.
    fn ends_in_text(&self) -> bool {
        let last = match self {
            Self::Sequence(parts) => parts.last(),
            _ => None,
        };
        self.slots().len() == 1 && last == Some(&Self::Slot(SlotKind::Text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_build_a_tree() {
        let phrases = BTreeMap::from([("hot".to_owned(), Part::Word("hot".to_owned()))]);
        let part = parse("how (<hot>|warm) is {node} [now]", &phrases).expect("a pattern");
        let mut words = Vec::new();
        part.words(&mut words);
        assert_eq!(words, ["how", "hot", "warm", "is", "now"]);
        assert_eq!(part.slot(), Some(SlotKind::Node));
        let part = parse("(remember|note) [that] {text}", &phrases).expect("a pattern");
        assert_eq!(part.slot(), Some(SlotKind::Text));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_remedy() {
        for (text, problem, remedy) in [
            ("how (hot", "not closed", "Add `)`"),
            ("how hot)", "closes nothing", "Remove it"),
            ("{nod}", "no slot {nod}", "`node`"),
            ("<hott>", "no phrase <hott>", "There are"),
            ("a | ", "empty", "Write words"),
            ("How hot", "no word", "lower-case"),
            ("é", "no word", "lower-case"),
            ("{node", "missing", "Add `}`"),
            ("((((((((((a))))))))))", "nested", "two patterns"),
            ("remember {text} please", "not the one slot", "very end"),
            ("remember [{text}]", "not the one slot", "very end"),
            ("(remember {text}|recall)", "not the one slot", "very end"),
            ("tell {node} of {text}", "not the one slot", "very end"),
            ("{text}", "not the one slot", "very end"),
        ] {
            let (what, how) = parse(text, &BTreeMap::new()).expect_err(text);
            assert!(what.contains(problem), "{text}: {what}");
            assert!(how.contains(remedy), "{text}: {how}");
        }
    }
}

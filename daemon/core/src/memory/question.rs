//! What is looked for in a question: words, things of the cluster under any of their names, and attributes.

use super::subject::Naming;
use super::{Fact, Subject, synonyms};

/// Most terms that are looked for; a question has fewer, and the rest only costs time.
pub const TERMS_MAX: usize = 12;
/// Longest word that is looked for, in characters.
const WORD_CHARS_MAX: usize = 40;

/// Words that say nothing of what is looked for.
const SMALL: &str = "a about again all also always am an and any anything are as at be because been being between but by can can't could \
    did do does doing don't done for from get gets give given go goes got had happen happened happening happens has have he her here him his \
    how i i'd i'm if in into is isn't it it's its just keep keeps kind know let long made make makes many matter may me might more most much \
    must my need needs never no not now of off often old on one ones only or our out over please put really remember said say says shall \
    she should so some something sort still tell than that that's the their them then there these they thing things this those to told too \
    up us use used uses using very was way we were what what's when where which who whom whose why will with would you your jarvis sir \
    today ever yet does forget everything look looks looked looking before after since until";

/// With these a question begins that wants yes or no.
const WHETHER: &str = "is are am was were isn't aren't do does did don't didn't doesn't has have had can could may might must shall should \
    will would";
/// What asks for a thing, a place, a time or a reason, wherever it stands ("can you tell me where ...").
const OPEN: &str = "what which who whose whom where when why how";
/// After these stands the sort of thing that is asked for.
const OF_A_SORT: &str = "what which whose";
/// After these stands what is spoken of.
const NAMING: &str = "the a an my our your his her their this that";
/// What a question may begin with before it comes to its point.
const LEAD_IN: &str = "and but so then well also jarvis please now";

/// Attributes that a question may ask for by a word of its own, as [`Fact::attribute`] names them.
const ASKED: [(&str, &str); 10] = [
    ("address", "address"),
    ("ip", "address"),
    ("port", "port"),
    ("name", "name"),
    ("called", "name"),
    ("call", "name"),
    ("where", "place"),
    ("place", "place"),
    ("location", "place"),
    ("owner", "owner"),
];

/// One thing that is looked for: whatever holds any of these words, or any of these keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Words or phrases of the text.
    pub text: Vec<String>,
    /// Keys of the index ([`Fact::keys`]).
    pub keys: Vec<String>,
    /// The thing of the cluster that is meant, where one is.
    pub thing: Option<Subject>,
    /// What it is in the question.
    pub part: Part,
}

/// What a term is in a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A word like any other, or a thing of the cluster.
    Word,
    /// What is spoken of, as far as its place tells ("my *green shelf*"): if nobody ever told of it, nothing else answers.
    Named,
    /// The sort of thing that is asked for ("which *port*"), which an answer need not name.
    Sort,
    /// It only tells what of the thing is asked ("where"): nothing is found by it alone.
    Hint,
}

impl Term {
    /// As FTS5 takes it. Every word is quoted, so that none is taken for an operator.
    pub fn expression(&self) -> String {
        let quoted = |list: &[String]| {
            let list: Vec<String> = list.iter().map(|w| format!("\"{}\"", w.replace('"', "\"\""))).collect();
            list.join(" OR ")
        };
        let columns = [("text", &self.text), ("keys", &self.keys)];
        let parts: Vec<String> = columns
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(column, list)| format!("({column} : ({}))", quoted(list)))
            .collect();
        parts.join(" OR ")
    }
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is looked for; empty where nothing is ("what do you know").
    pub terms: Vec<Term>,
    /// Whether it wants yes or no: all of it is said already, and whoever knows but one word of it knows nothing of the whole.
    pub whether: bool,
}

impl Question {
    /// The things of the cluster it names.
    pub fn things(&self) -> impl Iterator<Item = &Subject> {
        self.terms.iter().filter_map(|term| term.thing.as_ref())
    }
}

impl Fact {
    /// Words for the index beside the text: one for each thing, which all its names share, and one for the attribute.
    pub fn keys(&self) -> String {
        let things = std::iter::once(&self.subject).chain(&self.mentions).filter_map(Subject::key);
        let attribute = self.attribute.iter().map(|name| attribute_key(name));
        things.chain(attribute).collect::<Vec<_>>().join(" ")
    }
}

fn attribute_key(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("attribute{plain}")
}

pub(super) fn is_small(word: &str) -> bool {
    is_in(SMALL, word)
}

fn is_in(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

/// Whether yes or no is wanted. "Can you tell me ..." wants what follows, so who is spoken to is not spoken of.
fn whether(words: &[String]) -> bool {
    let begun = words.iter().position(|word| !is_in(LEAD_IN, word)).unwrap_or(words.len());
    let mut rest = words[begun..].iter();
    rest.next().is_some_and(|first| is_in(WHETHER, first))
        && rest.next().is_some_and(|second| second != "you")
        && !words.iter().any(|word| is_in(OPEN, word))
}

/// Reads a question.
pub(super) fn read(text: &str, naming: &Naming<'_>) -> Question {
    let words = naming.words(text);
    let mentions = naming.mentions(&words);
    let mut terms: Vec<Term> = Vec::new();
    for mention in &mentions {
        let said = words.get(mention.start..mention.end).unwrap_or_default().join(" ");
        let mut names = vec![said];
        if !names.contains(&mention.label) {
            names.push(mention.label.clone());
        }
        let keys = mention.subject.key().into_iter().collect();
        terms.push(Term { text: names, keys, thing: Some(mention.subject.clone()), part: Part::Word });
    }
    let free = words.iter().enumerate().filter(|(at, _)| !mentions.iter().any(|m| (m.start..m.end).contains(at)));
    // The word before, where that is still what is spoken of.
    let mut spoken_of = None;
    for (at, word) in free {
        let asked = ASKED.iter().find(|(asked, _)| asked == word).map(|(_, attribute)| attribute_key(attribute));
        let small = is_small(word) || word == "'s";
        if (small && asked.is_none()) || word.chars().count() > WORD_CHARS_MAX {
            continue;
        }
        let text = if small { Vec::new() } else { synonyms::of(word) };
        let before = at.checked_sub(1).map_or("", |before| words[before].as_str());
        let part = match small {
            true => Part::Hint,
            false if is_in(OF_A_SORT, before) => Part::Sort,
            false if is_in(NAMING, before) || (at > 0 && spoken_of == Some(at - 1)) => Part::Named,
            false => Part::Word,
        };
        spoken_of = (part == Part::Named).then_some(at);
        let term = Term { text, part, keys: asked.into_iter().collect(), thing: None };
        if !terms.iter().any(|known| (&known.text, &known.keys) == (&term.text, &term.keys)) {
            terms.push(term);
        }
    }
    terms.truncate(TERMS_MAX);
    Question { terms, whether: whether(&words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Vmid;
    use crate::memory::testing::{NOW, memory, reader};

    fn question(text: &str) -> Question {
        reader(NOW).question(text)
    }

    #[test]
    fn a_thing_is_looked_for_under_its_key_and_the_rest_by_words() {
        let asked = question("what's the ip of vm 104, please?");
        let [thing, address] = &asked.terms[..] else { panic!("{asked:?}") };
        assert_eq!(thing.thing, Some(Subject::Guest(Vmid(104))));
        assert_eq!(thing.expression(), r#"(text : ("vm 104" OR "media-server")) OR (keys : ("guest104"))"#);
        assert_eq!(address.expression(), r#"(text : ("ip" OR "address")) OR (keys : ("attributeaddress"))"#);
        assert_eq!(asked.things().count(), 1);
    }

    #[test]
    fn where_hints_at_a_place_and_small_words_are_not_looked_for() {
        let asked = question("where is it that you have the ups");
        assert_eq!(asked.terms.len(), 2, "{asked:?}");
        assert!(asked.terms[0].part == Part::Hint && asked.terms[0].keys == ["attributeplace"]);
        assert_eq!(question("what do you know about everything").terms, []);
        assert_eq!(question("").terms, []);
    }

    #[test]
    fn what_wants_yes_or_no_is_told_from_what_asks_for_something() {
        for yes_or_no in ["is the heat pump loud", "And will the boiler be cleaned?", "may guests use the sauna"] {
            assert!(question(yes_or_no).whether, "{yes_or_no}");
        }
        for open in [
            "where is the heat pump",
            "can you tell me the address of the boiler",
            "do i know when the boiler was cleaned",
            "the boiler is loud",
            "is",
            "",
        ] {
            assert!(!question(open).whether, "{open}");
        }
    }

    #[test]
    fn what_is_spoken_of_is_told_from_the_sort_of_thing_that_is_asked_for() {
        let parts = |text: &str| -> Vec<(String, Part)> {
            question(text).terms.into_iter().map(|term| (term.text[0].clone(), term.part)).collect()
        };
        let told = |words: &[(&str, Part)]| words.iter().map(|(w, part)| ((*w).to_owned(), *part)).collect::<Vec<_>>();
        assert_eq!(parts("which shelf has solder"), told(&[("shelf", Part::Sort), ("solder", Part::Word)]));
        let named = ["colour", "green", "shelf"].map(|word| (word, Part::Named));
        assert_eq!(parts("what is the colour of my green shelf"), told(&named));
        assert_eq!(parts("the shelf of solder"), told(&[("shelf", Part::Named), ("solder", Part::Word)]));
    }

    #[test]
    fn nothing_in_a_question_is_an_operator() {
        let asked = question("router\" OR keys : NEAR(a*) ^b -c");
        let all: Vec<String> = asked.terms.iter().map(Term::expression).collect();
        assert!(all.iter().all(|e| e.starts_with("(text : (\"") && e.ends_with("\"))")), "{all:?}");
        let odd = Term { text: vec!["a\"b".into()], keys: Vec::new(), thing: None, part: Part::Word };
        assert_eq!(odd.expression(), "(text : (\"a\"\"b\"))");
    }

    #[test]
    fn a_question_is_bounded() {
        let many: String = (0..400).map(|n| format!("w{} ", char::from(b'a' + (n % 26) as u8))).collect();
        assert!(question(&many).terms.len() <= TERMS_MAX);
        assert_eq!(question(&"x".repeat(100_000)).terms.len(), 1);
    }

    #[test]
    fn a_fact_is_indexed_under_what_it_names_and_gives() {
        let keys = |text: &str| memory(1, text, NOW).fact.keys();
        assert_eq!(keys("that the media server is at 10.0.0.7"), "guest104 attributeaddress");
        assert_eq!(keys("the wiki must not be moved to pve2"), "guest115 nodepve2");
        assert_eq!(keys("the bins are green"), "attributeis");
    }
}

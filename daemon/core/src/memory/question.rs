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
    today ever yet does forget everything";

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
    /// Whether it only tells what of the thing is asked ("where"): nothing is found by it alone.
    pub hint: bool,
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
    SMALL.split_whitespace().any(|small| small == word)
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
        terms.push(Term { text: names, keys, thing: Some(mention.subject.clone()), hint: false });
    }
    let free = words.iter().enumerate().filter(|(at, _)| !mentions.iter().any(|m| (m.start..m.end).contains(at)));
    for (_, word) in free {
        let asked = ASKED.iter().find(|(asked, _)| asked == word).map(|(_, attribute)| attribute_key(attribute));
        let small = is_small(word) || word == "'s";
        if (small && asked.is_none()) || word.chars().count() > WORD_CHARS_MAX {
            continue;
        }
        let text = if small { Vec::new() } else { synonyms::of(word) };
        let term = Term { text, hint: small, keys: asked.into_iter().collect(), thing: None };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms.truncate(TERMS_MAX);
    Question { terms }
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
        assert!(asked.terms[0].hint && asked.terms[0].keys == ["attributeplace"]);
        assert_eq!(question("what do you know about everything").terms, []);
        assert_eq!(question("").terms, []);
    }

    #[test]
    fn nothing_in_a_question_is_an_operator() {
        let asked = question("router\" OR keys : NEAR(a*) ^b -c");
        let all: Vec<String> = asked.terms.iter().map(Term::expression).collect();
        assert!(all.iter().all(|e| e.starts_with("(text : (\"") && e.ends_with("\"))")), "{all:?}");
        let odd = Term { text: vec!["a\"b".into()], keys: Vec::new(), thing: None, hint: false };
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

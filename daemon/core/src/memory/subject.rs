//! Which thing is spoken of: something of the cluster by any of its names, a name the owner gave it, or a topic.

use super::{KEY_CHARS_MAX, MENTIONS_MAX, Subject};
use crate::intent::Grammar;
use crate::names::{Entity, Names, Sort};
use crate::numbers;

/// A name costs at most so much to count as said: "the media box" does, "the mail" (of "the mail password") does not.
const COST_MAX: u16 = 15;
/// Words in front of a name that are no part of it.
const ARTICLES: [&str; 10] = ["the", "a", "an", "my", "our", "your", "this", "that", "these", "those"];
const SORTS: [Sort; 3] = [Sort::Node, Sort::Guest, Sort::Storage];

/// A name that the owner gave to something ("call VM 104 the cinema").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// As [`topic_key`] writes it.
    pub name: String,
    /// What it names.
    pub subject: Subject,
}

/// Everything that can be spoken of.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) grammar: &'a Grammar,
    pub(super) names: &'a Names,
    pub(super) aliases: &'a [Alias],
}

/// A thing that words name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) subject: Subject,
    /// As the cluster writes it, or as the owner calls it.
    pub(super) label: String,
    /// The words it takes: from, and the first after it.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A topic's one spelling: lower case, without article, punctuation and layout; bounded.
pub fn topic_key(phrase: &str) -> String {
    let mut key = String::new();
    let words = phrase.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    while words.peek().is_some_and(|word| ARTICLES.contains(&word.as_str())) {
        words.next();
    }
    for word in words {
        let left = KEY_CHARS_MAX.saturating_sub(key.chars().count() + 1);
        if left == 0 || (!key.is_empty() && word.chars().count() > left) {
            break;
        }
        if !key.is_empty() {
            key.push(' ');
        }
        key.extend(word.chars().take(left));
    }
    let bare = key.strip_suffix("'s").unwrap_or(&key);
    bare.to_owned()
}

impl Naming<'_> {
    /// What a whole phrase names, and what it is called: a thing of the cluster, or else a topic. `None` where nothing is left of it.
    pub(super) fn subject(&self, phrase: &str) -> Option<(Subject, String)> {
        let words = self.words(phrase);
        let start = words.iter().take_while(|w| ARTICLES.contains(&w.as_str())).count();
        let rest = words.get(start..).unwrap_or_default();
        if let Some(mention) = self.at(rest, 0).filter(|m| m.end == rest.len()) {
            return Some((mention.subject, mention.label));
        }
        let key = topic_key(phrase);
        (!key.is_empty()).then(|| (Subject::Topic(key.clone()), key))
    }

    /// Things that the words name, in order, each once; those of an earlier and longer name first.
    pub(super) fn mentions(&self, words: &[String]) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        let mut at = 0;
        while at < words.len() && found.len() < MENTIONS_MAX {
            match self.at(words, at) {
                Some(mention) => {
                    at = mention.end;
                    if found.iter().all(|known| known.subject != mention.subject) {
                        found.push(mention);
                    }
                }
                None => at += 1,
            }
        }
        found
    }

    /// A text as names are looked up in it.
    pub(super) fn words(&self, text: &str) -> Vec<String> {
        self.grammar.words(text)
    }

    /// The longest name that begins at this word; none where several things bear it.
    fn at(&self, words: &[String], at: usize) -> Option<Mention> {
        let mut found: Vec<(usize, u16, Mention)> = Vec::new();
        for sort in SORTS {
            for name in self.names.exact(words, at, sort) {
                let said = words.get(at..name.end).unwrap_or_default();
                // "takes 110 minutes" names no guest.
                let number = said.iter().all(|w| numbers::is_number_word(w) || w == "and" || w == "a");
                if name.cost > COST_MAX || number {
                    continue;
                }
                if let Some(subject) = self.names.entity(name.thing).map(subject_of) {
                    let label = self.names.label(name.thing);
                    found.push((name.end, name.cost, Mention { subject, label, start: at, end: name.end }));
                }
            }
        }
        for alias in self.aliases {
            let name = self.words(&alias.name);
            if !name.is_empty() && words.get(at..).is_some_and(|rest| rest.starts_with(&name)) {
                let (subject, label) = (alias.subject.clone(), alias.name.clone());
                let end = at + name.len();
                found.push((end, 0, Mention { subject, label, start: at, end }));
            }
        }
        found.sort_by_key(|(end, cost, _)| (std::cmp::Reverse(*end), *cost));
        let (end, cost, best) = found.first()?;
        let twins = found.iter().any(|(e, c, m)| (e, c) == (end, cost) && m.subject != best.subject);
        (!twins).then(|| best.clone())
    }
}

impl super::Reader<'_> {
    /// Things that a text names exactly, each with the words that name it; nothing that several things are called.
    pub fn things(&self, text: &str) -> Vec<(String, Subject)> {
        let naming = self.naming();
        let words = naming.words(text);
        let said = |mention: &Mention| words.get(mention.start..mention.end).unwrap_or_default().join(" ");
        naming.mentions(&words).into_iter().map(|mention| (said(&mention), mention.subject)).collect()
    }
}

fn subject_of(entity: &Entity) -> Subject {
    match entity {
        Entity::Node(name) => Subject::Node(name.clone()),
        Entity::Guest(vmid) => Subject::Guest(*vmid),
        Entity::Storage(name) => Subject::Storage(name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Vmid;
    use crate::memory::Reader;
    use crate::memory::testing::{NOW, reader};

    fn cinema() -> [Alias; 1] {
        [Alias { name: "cinema".to_owned(), subject: Subject::Guest(Vmid(104)) }]
    }

    #[test]
    fn a_phrase_is_a_thing_of_the_cluster_by_any_of_its_names_or_a_topic() {
        let aliases = cinema();
        let reader = Reader { aliases: &aliases, ..reader(NOW) };
        let naming = reader.naming();
        let topic = |name: &str| Subject::Topic(name.to_owned());
        for (phrase, subject) in [
            ("vm 104", Subject::Guest(Vmid(104))),
            ("the Media Server", Subject::Guest(Vmid(104))),
            ("media-server", Subject::Guest(Vmid(104))),
            ("the media box", Subject::Guest(Vmid(104))),
            ("virtual machine one zero four", Subject::Guest(Vmid(104))),
            ("the cinema", Subject::Guest(Vmid(104))),
            ("PVE3", Subject::Node("pve3".into())),
            ("node three", Subject::Node("pve3".into())),
            ("our nas", Subject::Storage("nas".into())),
            ("the router", topic("router")),
            ("My daughter's laptop", topic("daughter's laptop")),
            ("the mail", topic("mail")),
            ("vlan 20", topic("vlan 20")),
            ("104", topic("104")),
            ("the router's", topic("router")),
            ("the  rack   key,", topic("rack key")),
        ] {
            assert_eq!(naming.subject(phrase).map(|s| s.0), Some(subject), "{phrase}");
        }
        for nothing in ["", "the", "  ", "?!"] {
            assert_eq!(naming.subject(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_text_names_things_and_numbers_alone_name_none() {
        let aliases = cinema();
        let reader = Reader { aliases: &aliases, ..reader(NOW) };
        let naming = reader.naming();
        let keys = |text: &str| -> Vec<String> {
            naming.mentions(&naming.words(text)).iter().filter_map(|m| m.subject.key()).collect()
        };
        assert_eq!(keys("i moved the wiki from pve2 to pve4"), ["guest115", "nodepve2", "nodepve4"]);
        assert_eq!(keys("the third disk of tank on node two"), ["storagetank", "nodepve2"]);
        assert_eq!(keys("is the cinema the same as vm 104"), ["guest104"]);
        assert_eq!(keys("the backup takes 110 minutes and one hundred watts"), [""; 0]);
    }

    #[test]
    fn a_name_that_two_things_bear_names_neither() {
        let aliases = [104, 105].map(|vmid| Alias { name: "cinema".to_owned(), subject: Subject::Guest(Vmid(vmid)) });
        let reader = Reader { aliases: &aliases, ..reader(NOW) };
        let naming = reader.naming();
        assert_eq!(naming.subject("the cinema").map(|s| s.0), Some(Subject::Topic("cinema".to_owned())));
    }

    #[test]
    fn keys_are_bounded() {
        assert!(topic_key(&"word ".repeat(1000)).chars().count() <= KEY_CHARS_MAX);
        let long = topic_key(&"ü".repeat(1000)).chars().count();
        assert!((1..=KEY_CHARS_MAX).contains(&long), "{long}");
    }
}

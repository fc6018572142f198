//! The rules: a table in a file, and an owner's own before it.

use serde::{Deserialize, Serialize};

use super::features::Features;
use super::forecast::Costing;
use super::phrases::Phrases;
use super::{PHRASES_MAX, RULES_MAX};
use crate::tools;

/// The table that comes with Jarvis.
const BUILT_IN: &str = include_str!("../../route.toml");

/// Who should answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A model in the house, or nobody.
    House,
    /// A model in the house; a cloud if that fails.
    Local,
    /// A cloud; a model in the house if that fails.
    Cloud,
}

/// What the owner likes best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// A model in the house wherever it will do.
    #[default]
    Local,
    /// The best model there is, wherever the rules do not forbid it.
    Best,
    /// Nothing leaves the house.
    LocalOnly,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, in records.
    pub name: String,
    /// Who answers where it fits.
    pub who: Who,
    /// Why, to go on "I asked so-and-so, because".
    pub because: String,
    /// Something private stands in it.
    #[serde(default)]
    pub private: Option<bool>,
    /// There is code in it.
    #[serde(default)]
    pub code: Option<bool>,
    /// It asks for thought.
    #[serde(default)]
    pub hard: Option<bool>,
    /// It is about the cluster as it is.
    #[serde(default)]
    pub live: Option<bool>,
    /// It is in English.
    #[serde(default)]
    pub english: Option<bool>,
    /// It has at least so many words.
    #[serde(default)]
    pub words_min: Option<u32>,
    /// It asks for at least so many changes.
    #[serde(default)]
    pub changes_min: Option<u32>,
    /// At least so many words part it into steps.
    #[serde(default)]
    pub steps_min: Option<u32>,
    /// It is about a program, and nothing of the cluster.
    #[serde(default)]
    pub program: Option<bool>,
    /// The only tools of Jarvis's own that go with it; all that there are where nothing is said. Each goes with every question to the
    /// model, and is paid for each time.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
}

impl Rule {
    fn fits(&self, of: &Features) -> bool {
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        let has = |least: Option<u32>, found: u32| least.is_none_or(|least| found >= least);
        is(self.private, of.private.is_some())
            && is(self.code, of.code)
            && is(self.hard, of.hard.is_some())
            && is(self.live, of.live)
            && is(self.english, of.english)
            && is(self.program, of.program)
            && has(self.words_min, of.words)
            && has(self.changes_min, of.changes)
            && has(self.steps_min, of.steps)
    }

    fn is_always(&self) -> bool {
        let told = [self.private, self.code, self.hard, self.live, self.english, self.program];
        let counted = [self.words_min, self.changes_min, self.steps_min];
        told.iter().all(Option::is_none) && counted.iter().all(Option::is_none)
    }
}

/// What an owner adds: the section `[minds.route]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnRules {
    /// What the owner likes best: `local`, `best` or `local_only`.
    pub prefer: Preference,
    /// Words that make a request private, beside the built-in ones.
    pub private: Vec<String>,
    /// Rules that are tried before the built-in ones.
    pub rules: Vec<Rule>,
}

/// What can be wrong with rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// It is not in the form that is expected.
    #[error("{0}")]
    Form(String),
    /// The last rule must fit every request.
    #[error("the last rule has conditions: end with one that always fits")]
    NoEnd,
    /// Too much of something.
    #[error("more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// A rule without a name or a reason could not be explained.
    #[error("rule {0} lacks a name or a because")]
    Nameless(usize),
    /// A tool that nobody knows.
    #[error("rule {rule:?} names the tool {tool:?}, and there is none of that name")]
    NoTool {
        /// Which rule.
        rule: String,
        /// Which tool.
        tool: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
    words: WordLists,
    forecast: Costing,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WordLists {
    private: Vec<String>,
    hard: Vec<String>,
    change: Vec<String>,
    live: Vec<String>,
    steps: Vec<String>,
    write: Vec<String>,
    program: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) private: Phrases,
    pub(super) hard: Phrases,
    pub(super) change: Phrases,
    pub(super) live: Phrases,
    pub(super) steps: Phrases,
    pub(super) write: Phrases,
    pub(super) program: Phrases,
}

impl Lists {
    fn all(&self) -> [&Phrases; 7] {
        [&self.private, &self.hard, &self.change, &self.live, &self.steps, &self.write, &self.program]
    }
}

/// All of them, in the order in which they are tried. The last always fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    lists: Lists,
    costing: Costing,
    prefer: Preference,
}

impl Rules {
    /// Those that come with Jarvis, with an owner's own before them.
    pub fn new(own: &OwnRules) -> Result<Self, RulesError> {
        Self::parse(BUILT_IN, own)
    }

    /// The same from another table.
    pub fn parse(text: &str, own: &OwnRules) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text).map_err(|e| RulesError::Form(e.to_string()))?;
        let rules: Vec<Rule> = own.rules.iter().cloned().chain(file.rule).collect();
        if rules.len() > RULES_MAX {
            return Err(RulesError::TooMany { what: "rules", most: RULES_MAX });
        }
        if let Some(at) = rules.iter().position(|r| r.name.trim().is_empty() || r.because.trim().is_empty()) {
            return Err(RulesError::Nameless(at + 1));
        }
        for rule in &rules {
            let unknown = |name: &&String| tools::find(name).is_none();
            if let Some(tool) = rule.tools.iter().flatten().find(unknown) {
                return Err(RulesError::NoTool { rule: rule.name.clone(), tool: tool.clone() });
            }
        }
        if !rules.last().is_some_and(Rule::is_always) {
            return Err(RulesError::NoEnd);
        }
        let words = file.words;
        let mut lists = Lists {
            private: Phrases::new(words.private),
            hard: Phrases::new(words.hard),
            change: Phrases::new(words.change),
            live: Phrases::new(words.live),
            steps: Phrases::new(words.steps),
            write: Phrases::new(words.write),
            program: Phrases::new(words.program),
        };
        lists.private.extend(Phrases::new(&own.private));
        if lists.all().iter().any(|list| list.len() > PHRASES_MAX) {
            return Err(RulesError::TooMany { what: "phrases of a sort", most: PHRASES_MAX });
        }
        Ok(Self { rules, lists, costing: file.forecast, prefer: own.prefer })
    }

    /// What the owner likes best.
    pub fn prefer(&self) -> Preference {
        self.prefer
    }

    /// Whether a request with these features stays in the house.
    pub fn keep_in_house(&self, of: &Features) -> bool {
        self.judge(of).1 == Who::House
    }

    /// The only tools that go with a request with these features; `None` where all do.
    pub fn tools(&self, of: &Features) -> Option<&[String]> {
        self.judge(of).0.tools.as_deref()
    }

    pub(super) fn phrases(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn costing(&self) -> &Costing {
        &self.costing
    }

    /// The first that fits, and who answers by it once the owner's preference was heard. What is private stays so, whatever rule fits.
    pub(super) fn judge(&self, of: &Features) -> (&Rule, Who) {
        // The last rule fits always, so the fallback is that very rule.
        let rule = self.rules.iter().find(|rule| rule.fits(of)).unwrap_or(&self.rules[self.rules.len() - 1]);
        let who = match (self.prefer, rule.who) {
            _ if of.private.is_some() => Who::House,
            (Preference::LocalOnly, _) | (_, Who::House) => Who::House,
            (Preference::Best, _) | (_, Who::Cloud) => Who::Cloud,
            (Preference::Local, Who::Local) => Who::Local,
        };
        (rule, who)
    }
}

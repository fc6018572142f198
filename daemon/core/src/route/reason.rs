//! Why somebody was asked, in a form that is kept and can be put into words.

use serde::{Deserialize, Serialize};

use super::plan::Place;
use super::rules::Who;

/// Why a provider was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// What is private stays in the house.
    Private,
    /// A rule keeps it in the house.
    Rule,
    /// The owner wants nothing to leave the house.
    Preference,
    /// It failed too often, and is left alone for a while.
    Broken,
    /// It can't be reached.
    Offline,
    /// The day's or the month's allowance is spent.
    Budget,
    /// Nobody said what it costs.
    NoPrice,
    /// It may not call tools, and this takes some.
    NoTools,
    /// It was asked, and failed.
    Failed,
}

impl Why {
    /// In words, to go on "so-and-so is passed over:".
    pub fn words(self) -> &'static str {
        match self {
            Self::Private => "it is private",
            Self::Rule => "a rule keeps it in the house",
            Self::Preference => "nothing is to leave the house",
            Self::Broken => "it has failed of late",
            Self::Offline => "it can't be reached",
            Self::Budget => "its allowance is spent",
            Self::NoPrice => "its price is not known",
            Self::NoTools => "it may not use tools",
            Self::Failed => "it failed",
        }
    }
}

/// Somebody who was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Who.
    pub provider: String,
    /// Where he is.
    pub place: Place,
    /// Why.
    pub why: Why,
}

/// Why somebody was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that fitted.
    pub rule: String,
    /// Why, by the rule.
    pub because: String,
    /// Who should answer, by rule and preference.
    pub who: Who,
    /// Who was asked; `None` where nobody could be.
    pub asked: Option<(String, Place)>,
    /// Who would have come before, in that order.
    pub passed: Vec<Passed>,
}

impl Reason {
    /// After `provider` failed and the request went to `next` instead.
    pub fn handed_over(&mut self, provider: &str, next: (String, Place)) {
        let place = self.asked.as_ref().map_or(next.1, |asked| asked.1);
        self.passed.push(Passed { provider: provider.to_owned(), place, why: Why::Failed });
        self.asked = Some(next);
    }

    /// Whether a cloud was wanted and money was what it lacked: to be said with the answer.
    pub fn is_out_of_money(&self) -> bool {
        let elsewhere = self.asked.as_ref().is_none_or(|asked| asked.1 != Place::Cloud);
        self.who == Who::Cloud && elsewhere && self.passed.iter().any(|passed| passed.why == Why::Budget)
    }

    /// In one line, for records and for "why": begins with who was asked.
    pub fn text(&self) -> String {
        let mut text = match &self.asked {
            Some((name, _)) => format!("asked {name}, because {}", self.because),
            None => format!("asked nobody, though {}", self.because),
        };
        let told: Vec<String> = self
            .passed
            .iter()
            .map(|passed| format!("{} is passed over, {}", passed.provider, passed.why.words()))
            .collect();
        if !told.is_empty() {
            text.push_str("; ");
            text.push_str(&told.join("; "));
        }
        text
    }
}

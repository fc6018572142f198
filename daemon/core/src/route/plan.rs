//! Who is asked, and who in his place.

use serde::{Deserialize, Serialize};

use super::features::Features;
use super::reason::{Passed, Reason, Why};
use super::rules::{Preference, Rules, Who};

/// Where a model runs: what leaves the house, and what costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the house.
    Local,
    /// At somebody else's.
    Cloud,
}

/// A provider, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its configured name.
    pub name: String,
    /// Where it runs.
    pub place: Place,
    /// Whether it may call tools.
    pub tools: bool,
    /// Why it can't be asked at all, where that is known before: broken, not to be reached, no money, no price.
    pub barred: Option<Why>,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Names of providers: who is asked first, and to whom the request is handed over, once, if he fails. At most two; none where
    /// nobody can be asked.
    pub asks: Vec<String>,
    /// The only tools of Jarvis's own that go with it; `None` where all do.
    pub tools: Option<Vec<String>>,
    /// Why.
    pub reason: Reason,
}

/// Decides. `candidates` stand in the owner's order.
pub fn decide(of: &Features, rules: &Rules, candidates: &[Candidate]) -> Plan {
    let (rule, who) = rules.judge(of);
    let barred = |candidate: &Candidate| {
        let outside = candidate.place == Place::Cloud;
        match who {
            Who::House if outside && of.private.is_some() => Some(Why::Private),
            Who::House if outside && rules.prefer() == Preference::LocalOnly => Some(Why::Preference),
            Who::House if outside => Some(Why::Rule),
            _ if of.needs_tools() && !candidate.tools => Some(Why::NoTools),
            _ => candidate.barred,
        }
    };
    let first = if who == Who::Cloud { Place::Cloud } else { Place::Local };
    let (liked, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|candidate| candidate.place == first);
    let mut able: Vec<&Candidate> = Vec::new();
    let mut broken: Vec<&Candidate> = Vec::new();
    let mut passed = Vec::new();
    for candidate in liked.into_iter().chain(others) {
        let why = barred(candidate);
        broken.extend((why == Some(Why::Broken)).then_some(candidate));
        match why {
            None => able.push(candidate),
            // Who would have come later is of no interest.
            Some(_) if !able.is_empty() => {}
            Some(why) => passed.push(Passed { provider: candidate.name.clone(), place: candidate.place, why }),
        }
    }
    if able.is_empty() {
        // Who failed of late is better than nobody: if he fails again, he says why.
        able = broken;
        passed.retain(|passed| !able.iter().any(|candidate| candidate.name == passed.provider));
    }
    let asks: Vec<&Candidate> = match able.split_first() {
        None => Vec::new(),
        Some((first, rest)) => {
            // Where one place fails, the other is likelier to answer than a neighbour of the first.
            let second = rest.iter().find(|other| other.place != first.place).or(rest.first());
            std::iter::once(*first).chain(second.copied()).collect()
        }
    };
    let reason = Reason {
        rule: rule.name.clone(),
        because: rule.because.clone(),
        who,
        asked: asks.first().map(|candidate| (candidate.name.clone(), candidate.place)),
        passed,
    };
    Plan { asks: asks.into_iter().map(|candidate| candidate.name.clone()).collect(), tools: rule.tools.clone(), reason }
}

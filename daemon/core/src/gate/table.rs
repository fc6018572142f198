//! The table verb x situation -> tier, written by the gate itself for docs/safety.md and for the reviewed matrix.

use super::situations::{self, Owned, SNAPSHOT};
use super::{Decision, Gate, Refusal};
use crate::ids::Vmid;
use crate::tool::Tier;
use crate::tools::{Call, Kind, TOOLS, parse};

/// One case of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub args: String,
    /// The situation's name.
    pub situation: &'static str,
    /// The tier it was judged to be.
    pub tier: Tier,
    /// `runs`, `asks by voice`, `asks at the second channel`, `asks with a challenge`, `refused: ...`.
    pub outcome: String,
}

/// Every tool that changes something in every situation, on a plain guest, on Jarvis's own, and on one that votes in the quorum; reads
/// in every situation as well.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for tool in TOOLS {
        let targets: &[Vmid] = match tool.kind() {
            Kind::Change => &[situations::PLAIN, situations::OWN, situations::VOTER],
            Kind::Read | Kind::Memory | Kind::Note | Kind::Foreign => &[situations::PLAIN],
        };
        for vmid in targets {
            for named in situations::ALL {
                let owned = named.of(*vmid);
                if let Some((args, call)) = call(tool.name(), *vmid) {
                    let (tier, outcome) = judged(call, &owned);
                    cases.push(Case { tool: tool.name(), args, situation: named.name, tier, outcome });
                }
            }
        }
    }
    cases
}

/// The call of a tool on a guest, with what else its example says.
fn call(tool: &str, vmid: Vmid) -> Option<(String, Call)> {
    let found = TOOLS.iter().find(|found| found.name() == tool)?;
    let mut args: serde_json::Value = serde_json::from_str(found.examples().first()?.args).ok()?;
    if let Some(number) = args.get_mut("vmid") {
        *number = vmid.0.into();
    }
    // A snapshot is made under a name that is free, and looked for under one that is there.
    if let Some(name) = args.get_mut("name") {
        *name = if tool == "snapshot_create" { "fresh".into() } else { SNAPSHOT.into() };
    }
    let args = args.to_string();
    parse(tool, &args).ok().map(|call| (args, call))
}

fn judged(call: Call, owned: &Owned) -> (Tier, String) {
    let (gate, situation) = (Gate::new(), owned.situation());
    let tier = gate.rule(&call, &owned.origin, &situation).tier;
    let outcome = match gate.decide(call, &owned.origin, &owned.asker, &situation, owned.power) {
        Decision::Run(_) => "runs".to_owned(),
        Decision::Ask(ask) if ask.challenge => "asks with a challenge".to_owned(),
        Decision::Ask(ask) if ask.by_voice => "asks by voice".to_owned(),
        Decision::Ask(_) => "asks at the second channel".to_owned(),
        Decision::Refuse(Refusal::Stopped) => "refused: the kill switch is set".to_owned(),
        Decision::Refuse(Refusal::Never { .. }) => "refused: never".to_owned(),
        Decision::Refuse(Refusal::NotFromHere { .. }) => "refused: not from this room".to_owned(),
        Decision::Refuse(Refusal::Cannot(why)) => format!("refused: {why}"),
    };
    (tier, outcome)
}

/// The matrix as it is reviewed: `tool <TAB> arguments <TAB> situation <TAB> tier <TAB> outcome`, a line each.
pub fn matrix() -> String {
    let line =
        |case: Case| format!("{}\t{}\t{}\t{:?}\t{}\n", case.tool, case.args, case.situation, case.tier, case.outcome);
    cases().into_iter().map(line).collect()
}

/// The published table, in Markdown: what becomes of each change of a plain guest in each situation.
pub fn table() -> String {
    let tools: Vec<&str> = TOOLS.iter().filter(|tool| tool.kind() != Kind::Read).map(|tool| tool.name()).collect();
    let mut text = format!("| situation | {} |\n|---|{}\n", tools.join(" | "), "---|".repeat(tools.len()));
    let cases = cases();
    for named in situations::ALL {
        text.push_str(&format!("| {} |", named.about));
        for tool in &tools {
            let found = cases.iter().find(|case| case.tool == *tool && case.situation == named.name);
            let cell = found.map_or(String::new(), |case| {
                format!("{}: {}", format!("{:?}", case.tier).to_uppercase(), case.outcome)
            });
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

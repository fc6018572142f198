//! `jarvisctl costs` and `jarvisctl route`: what was spent, and where requests of a file would go.

use std::path::Path;
use std::process::ExitCode;

use jarvis_core::cluster::Cluster;
use jarvis_core::costs::Spent;
use jarvis_core::mind::prices::MicroUsd;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Control, Trouble, out, shaped, show};
use crate::ctl::protocol::{ModelQuestion, Request};
use crate::mind::{CapsLine, Replay, Routed, today};
use crate::store::CostLine;

/// Longest file of requests.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Longest request, in characters: as long as one may be asked.
const LINE_CHARS_MAX: usize = 2000;

/// What the daemon's books say.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::ctl) struct Costs {
    /// What was spent today and this month.
    pub(in crate::ctl) spent: Spent,
    /// The most that may be.
    pub(in crate::ctl) caps: CapsLine,
    /// The figures that were asked for.
    pub(in crate::ctl) lines: Vec<CostLine>,
}

/// Of a replay.
#[derive(Debug, Serialize)]
struct Totals {
    requests: usize,
    intent: usize,
    local: usize,
    cloud: usize,
    nobody: usize,
    /// Requests whose cost nobody knows; they are in no sum.
    unpriced: usize,
    expected: MicroUsd,
    dearest: MicroUsd,
    /// Expected of dearest; `None` where no cloud with a price is configured.
    ratio: Option<f64>,
}

impl Control<'_> {
    /// Routes every line of a file.
    pub(super) fn route(&self, file: &Path) -> Result<ExitCode, Trouble> {
        let config = self.config().map_err(|e| {
            Trouble::new(e, format!("jarvisd --config {} --check says more", self.arguments.config.display()))
        })?;
        // Names of the live cluster, where a daemon can tell them.
        let cluster = self
            .ask(&Request::Model { what: ModelQuestion::Names })
            .ok()
            .and_then(|told| shaped::<Cluster>(&told).ok());
        let replay = Replay::new(&config.minds, cluster.as_ref(), today())
            .map_err(|what| Trouble::new(what, "correct the section [minds]"))?;
        let routed: Vec<Routed> = requests(file)?.iter().map(|line| replay.route(line)).collect();
        let totals = totals(&routed);
        if self.arguments.json {
            out(&format!("{}\n", json!({"requests": routed, "totals": totals, "live_names": cluster.is_some()})))?;
        } else {
            out(&shown(&routed, &totals, cluster.is_some()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn requests(file: &Path) -> Result<Vec<String>, Trouble> {
    let wrong =
        |what: String| Trouble::new(format!("{}: {what}", file.display()), "give a text file with one request a line");
    let size = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("{size} bytes; at most {FILE_BYTES_MAX} are read")));
    }
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| line.chars().take(LINE_CHARS_MAX).collect()).collect())
}

fn totals(routed: &[Routed]) -> Totals {
    use crate::mind::Class;
    let count = |class| routed.iter().filter(|one| one.class == class).count();
    // Only what is known on both sides is compared.
    let sum = |of: fn(&Routed) -> Option<MicroUsd>| {
        let known = routed.iter().filter(|one| one.expected.is_some());
        MicroUsd(known.filter_map(of).fold(0, |sum, cost| sum.saturating_add(cost.0)))
    };
    let (expected, dearest) = (sum(|one| one.expected), sum(|one| one.dearest));
    Totals {
        requests: routed.len(),
        intent: count(Class::Intent),
        local: count(Class::Local),
        cloud: count(Class::Cloud),
        nobody: count(Class::Nobody),
        unpriced: routed.iter().filter(|one| one.expected.is_none()).count(),
        expected,
        dearest,
        ratio: (dearest.0 > 0).then(|| expected.0 as f64 / dearest.0 as f64),
    }
}

fn shown(routed: &[Routed], totals: &Totals, live: bool) -> String {
    let row = |one: &Routed| {
        let cost = one.expected.map_or_else(|| "price unknown".to_owned(), |cost| cost.to_string());
        vec![one.class.as_str().to_owned(), cost, show::safe(&one.text), show::safe(&one.reason)]
    };
    let mut text = show::table(routed.iter().map(row).collect());
    let Totals { requests, intent, local, cloud, nobody, unpriced, expected, dearest, ratio } = totals;
    text.push_str(&format!(
        "\n{requests} requests: {intent} by the grammar, {local} local, {cloud} cloud, {nobody} to nobody\nexpected {expected}"
    ));
    match ratio {
        Some(ratio) => text.push_str(&format!("; all to the dearest cloud {dearest}: {ratio:.3} of it\n")),
        None => text.push_str("; no cloud with a known price is configured to compare with\n"),
    }
    if *unpriced > 0 {
        text.push_str(&format!("{unpriced} of them go where nobody said what it costs, and are in neither sum\n"));
    }
    if !live {
        text.push_str("jarvisd did not tell its cluster's names: requests that name a guest or a storage are not understood here\n");
    }
    text
}

/// The books, for people.
pub(super) fn books(costs: Costs) -> String {
    let Costs { spent, caps, lines } = costs;
    let of = |name: &str, used: MicroUsd, open: MicroUsd, cap: u64| {
        let open = if open.0 == 0 { String::new() } else { format!(", {open} more set aside for requests under way") };
        format!("{name:<11} {used} of {}{open}\n", MicroUsd(cap))
    };
    let mut text = of("Today", spent.day, spent.day_open, caps.day);
    text.push_str(&of("This month", spent.month, spent.month_open, caps.month));
    text.push('\n');
    if lines.is_empty() {
        text.push_str("No model was asked.\n");
        return text;
    }
    let row = |line: &CostLine| {
        let mut notes = Vec::new();
        if let Some(rate) = line.hit_rate_permille {
            notes.push(format!("{} % from the cache", rate / 10));
        }
        if line.unknown.0 > 0 {
            notes.push(format!("{} of it in full, as nobody can say", line.unknown));
        }
        if line.open.0 > 0 {
            notes.push(format!("{} set aside", line.open));
        }
        let tokens = format!("{} + {} tokens", line.prompt_tokens, line.answer_tokens);
        let asks = format!("{} request{}", line.asks, if line.asks == 1 { "" } else { "s" });
        vec![show::safe(&line.key), line.cost.to_string(), asks, tokens, notes.join(", ")]
    };
    text.push_str(&show::table(lines.iter().map(row).collect()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mind::Class;

    fn routed(class: Class, expected: Option<u64>, dearest: u64) -> Routed {
        Routed {
            text: "a \u{1b}[31mtext".to_owned(),
            class,
            provider: None,
            reason: "because".to_owned(),
            expected: expected.map(MicroUsd),
            dearest: Some(MicroUsd(dearest)),
        }
    }

    #[test]
    fn a_replay_sums_what_is_known_on_both_sides() {
        let all = [
            routed(Class::Intent, Some(0), 600),
            routed(Class::Cloud, Some(100), 400),
            routed(Class::Cloud, None, 5_000),
        ];
        let sums = totals(&all);
        assert_eq!(
            (sums.expected, sums.dearest, sums.ratio, sums.unpriced),
            (MicroUsd(100), MicroUsd(1_000), Some(0.1), 1)
        );
        let text = shown(&all, &sums, false);
        assert!(text.contains("3 requests: 1 by the grammar, 0 local, 2 cloud, 0 to nobody"), "{text}");
        assert!(text.contains("0.100 of it") && text.contains("price unknown") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("did not tell its cluster's names"));
        assert_eq!(totals(&[]).ratio, None);
    }

    #[test]
    fn a_file_is_read_line_by_line_within_limits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("requests");
        std::fs::write(&path, format!("one\n\n  two  \n{}\n", "x".repeat(5_000))).unwrap();
        let lines = requests(&path).unwrap();
        assert_eq!(
            (lines[0].as_str(), lines[1].as_str(), lines[2].len(), lines.len()),
            ("one", "two", LINE_CHARS_MAX, 3)
        );
        assert!(requests(&dir.path().join("none")).is_err());
        let long = std::fs::File::create(&path).unwrap();
        long.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(requests(&path).unwrap_err().what.contains("at most"));
    }

    #[test]
    fn the_books_say_what_is_not_known() {
        let line = CostLine {
            key: "2026-11-26".to_owned(),
            asks: 1,
            prompt_tokens: 200,
            cached_tokens: 100,
            hit_rate_permille: Some(500),
            answer_tokens: 10,
            cost: MicroUsd(1_500),
            unknown: MicroUsd(500),
            open: MicroUsd(0),
        };
        let spent = Spent { day: MicroUsd(1_500), day_open: MicroUsd(7), ..Spent::default() };
        let caps = CapsLine { day: 1_000_000, month: 10_000_000 };
        let cold = CostLine { cached_tokens: 0, hit_rate_permille: Some(0), ..line.clone() };
        let unasked = CostLine { prompt_tokens: 0, cached_tokens: 0, hit_rate_permille: None, ..line.clone() };
        let text = books(Costs { spent, caps, lines: vec![line] });
        assert!(text.starts_with("Today       $0.001500 of $1.000000, $0.000007 more set aside"), "{text}");
        assert!(text.contains("1 request ") && text.contains("50 % from the cache, $0.000500 of it in full"), "{text}");
        assert!(books(Costs { spent, caps, lines: vec![cold] }).contains(" 0 % from the cache"));
        assert!(!books(Costs { spent, caps, lines: vec![unasked] }).contains("cache"));
        assert!(books(Costs { spent, caps, lines: vec![] }).contains("No model was asked"));
    }
}

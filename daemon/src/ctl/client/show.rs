//! Answers for people.

use std::fmt::Write;

use jarvis_core::cluster::Cluster;
use jarvis_core::mind::prices::MicroUsd;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::doctor::printable;
use crate::ear::EarStatus;
use crate::event::{RouteKind, ToolRun, TurnRecord};
use crate::mind::{MindLine, MindsStatus, Place};
use crate::past::{PastMemory, PastTurn};
use crate::safety::SwitchState;
use crate::speech::{EngineStatus, SpeechStatus};
use crate::status::{NodeLine, SatelliteLine, Status};

/// Columns of a table stand so far apart.
const GAP: &str = "   ";

/// Without what would move a terminal's cursor: names come from the network.
pub(super) fn safe(text: &str) -> String {
    printable(text)
}

pub(super) fn status(status: Status) -> String {
    let mut out = format!("jarvisd {}, up {}\n\n", safe(&status.version), span(status.uptime_s));
    add(&mut out, format_args!("Ear         {}", ear(&status.ear)));
    add(&mut out, format_args!("Voice       {}", voice(status.speech.as_ref())));
    add(&mut out, format_args!("Page        http://{}/", status.page));
    add(&mut out, format_args!("Changes     {}", power(&status.power)));
    add(&mut out, format_args!("Models      {}", models(&status.minds)));
    out.push_str(&table(status.minds.minds.iter().map(window).collect()));
    out.push_str("\nSatellites\n");
    out.push_str(&indented(satellite_table(&status.satellites), "none; `jarvisctl enrol ROOM` makes a code for one"));
    out.push_str("\nNodes\n");
    out.push_str(&indented(table(status.nodes.iter().map(node).collect()), "none configured"));
    if !status.degraded.is_empty() {
        out.push_str("\nDegraded\n");
        let rows = status.degraded.iter().map(|d| {
            let instead = d.fallback.as_ref().map(|f| format!(" (instead: {f})")).unwrap_or_default();
            vec![safe(&d.part), format!("since {}", clock(d.since.0)), safe(&format!("{}{instead}", d.reason))]
        });
        out.push_str(&indented(table(rows.collect()), ""));
    }
    for path in &status.kept_aside {
        add(&mut out, format_args!("\nA damaged database was kept aside: {}", path.display()));
    }
    out
}

/// Who can be asked, and what was spent on it.
fn models(minds: &MindsStatus) -> String {
    if minds.minds.is_empty() {
        return "none configured; the grammar answers alone".to_owned();
    }
    let line = |mind: &MindLine| {
        let place = if mind.place == Place::Local { "local" } else { "cloud" };
        let trouble = if mind.asked { String::new() } else { format!(", {}", mind.circuit) };
        let price = if mind.price_known { "" } else { ", price unknown" };
        safe(&format!("{} ({place}, {}{trouble}{price})", mind.name, mind.model))
    };
    let all: Vec<String> = minds.minds.iter().map(line).collect();
    let money = match &minds.spent {
        Some(spent) => format!("{} of {} spent today", spent.day, MicroUsd(minds.caps.day)),
        None => "what was spent is not known".to_owned(),
    };
    format!("{}; {money}", all.join(", then "))
}

/// A model's window, and of when its provider's list of models is.
fn window(mind: &MindLine) -> Vec<String> {
    let list = match (&mind.listed.day, &mind.listed.trouble) {
        (Some(day), None) => format!("its list of {day}"),
        (Some(day), Some(why)) => format!("its list of {day}; since then {why}"),
        (None, Some(why)) => format!("no list: {why}"),
        (None, None) => "no list yet".to_owned(),
    };
    vec![format!("            {}", safe(&mind.name)), format!("{} tokens", mind.window_tokens), safe(&list)]
}

/// What the kill switch says.
pub(super) fn power(state: &SwitchState) -> String {
    match state {
        SwitchState::On => "may run".to_owned(),
        SwitchState::Stopped { by, at_ms } => {
            format!("STOPPED by {} at {}; `jarvisctl resume` lets them run again", safe(by), clock(*at_ms))
        }
        SwitchState::Damaged { why } => format!("STOPPED: {}; `jarvisctl resume` writes it anew", safe(why)),
    }
}

pub(super) fn ear(status: &EarStatus) -> String {
    match status {
        EarStatus::Ready { model, tried_on_people, loaded, workers } => {
            let rooms = match (loaded, workers) {
                (1, 1) => "one room at a time".to_owned(),
                (loaded, workers) if loaded < workers => format!("{loaded} of {workers} rooms at once"),
                (_, workers) => format!("{workers} rooms at once"),
            };
            let demo = if *tried_on_people { "" } else { " (demo ear: not tried on people's voices)" };
            format!("hears {rooms} with {}{demo}", safe(model))
        }
        EarStatus::Starting => "is being started".to_owned(),
        EarStatus::Broken { reason } => format!("BROKEN: {}", safe(reason)),
    }
}

fn voice(status: Option<&SpeechStatus>) -> String {
    let Some(status) = status else { return "BROKEN: it could not be started".to_owned() };
    let engine = |e: &EngineStatus| match &e.trouble {
        None => safe(&e.name),
        Some(trouble) => safe(&format!("{} (passed over: {trouble})", e.name)),
    };
    let engines: Vec<String> = status.engines.iter().map(engine).collect();
    format!("{}; {} sentences kept", engines.join(", then "), status.cache.sentences)
}

pub(super) fn rooms(all: Vec<SatelliteLine>) -> String {
    if all.is_empty() {
        return "No satellite is enrolled; `jarvisctl enrol ROOM` makes a code for one.\n".to_owned();
    }
    satellite_table(&all)
}

fn satellite_table(all: &[SatelliteLine]) -> String {
    let row = |s: &SatelliteLine| {
        let presence = match (s.connected, s.silent_s) {
            (true, _) => "connected".to_owned(),
            (false, Some(silent)) => format!("away for {}", span(silent)),
            (false, None) => "away".to_owned(),
        };
        let volume = if s.muted { "muted".to_owned() } else { format!("volume {} %", s.volume_percent) };
        let trip = s.rtt_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default();
        vec![safe(&s.room), presence, volume, trip, safe(&s.software), format!("key {}", safe(&s.key_fingerprint))]
    };
    table(all.iter().map(row).collect())
}

fn node(n: &NodeLine) -> Vec<String> {
    let percent =
        |share: Option<f64>, what: &str| share.map(|x| format!("{what} {:.0} %", x * 100.0)).unwrap_or_default();
    match n.answers {
        Some(true) => {
            let guests = match (n.running, n.guests) {
                (Some(running), Some(all)) => format!("{running} of {all} guests run"),
                _ => String::new(),
            };
            vec![safe(&n.node), "answers".into(), guests, percent(n.cpu, "cpu"), percent(n.memory, "memory")]
        }
        Some(false) => {
            vec![safe(&n.node), "UNKNOWN".into(), safe(n.trouble.as_deref().unwrap_or("it does not answer"))]
        }
        None => vec![safe(&n.node), "not asked yet".into()],
    }
}

pub(super) fn turns(all: Vec<PastTurn>) -> String {
    if all.is_empty() {
        return "Nobody has asked anything yet.\n".to_owned();
    }
    all.iter().map(turn).collect::<Vec<_>>().join("\n")
}

fn turn(t: &PastTurn) -> String {
    let asked = match (&t.transcript, t.forgotten, t.source.as_str()) {
        (Some(words), ..) => format!("\u{201c}{}\u{201d}", safe(words)),
        (None, true, _) => "(forgotten)".to_owned(),
        (None, false, "said") => "(words to say)".to_owned(),
        (None, false, _) => "(nothing was heard)".to_owned(),
    };
    let place = t.satellite.as_deref().unwrap_or(&t.source);
    let mut out = String::new();
    add(&mut out, format_args!("#{:<5} {}  {}  {asked}", t.turn_id, clock(t.started_ms), safe(place)));
    if let Some(reply) = &t.reply {
        add(&mut out, format_args!("       {}", safe(reply)));
    }
    for line in t.page.iter().flat_map(|page| page.lines()) {
        add(&mut out, format_args!("       | {}", safe(line)));
    }
    let mut facts: Vec<String> = Vec::new();
    facts.extend(t.route.as_ref().map(|r| safe(&format!("{}: {}", r.kind, r.reason))));
    facts.extend(t.tools.iter().map(tool));
    facts.extend(first_audio(t.marks_ms.get("speech_end"), t.marks_ms.get("first_audio")));
    if !facts.is_empty() {
        add(&mut out, format_args!("       {}", facts.join(" \u{b7} ")));
    }
    if let Some(error) = &t.error {
        add(&mut out, format_args!("       error: {}", safe(error)));
    }
    out
}

/// What `ask` and `say` print: the answer, and on a failure why.
pub(super) fn answer(turn: TurnRecord) -> String {
    let mut out = String::new();
    if let Some(reply) = &turn.reply {
        add(&mut out, format_args!("{}", safe(reply)));
    }
    if let Some(page) = &turn.page {
        add(&mut out, format_args!(""));
        page.lines().for_each(|line| add(&mut out, format_args!("{}", safe(line))));
    }
    if let Some(route) = turn.route.as_ref().filter(|r| matches!(r.kind, RouteKind::NotUnderstood)) {
        add(&mut out, format_args!("  ({})", safe(&route.reason)));
    }
    if let Some(error) = &turn.error {
        add(&mut out, format_args!("error: {}", safe(error)));
    }
    out
}

pub(super) fn memories(all: Vec<PastMemory>) -> String {
    if all.is_empty() {
        return "Nothing of that was told.\n".to_owned();
    }
    all.iter().map(memory).collect()
}

fn memory(m: &PastMemory) -> String {
    let mut facts = vec![m.lifetime.clone(), safe(&m.source)];
    facts.extend(m.tainted.then(|| "UNTRUSTED".to_owned()));
    facts.extend(m.expires_ms.map(|at| format!("until {}", clock(at))));
    facts.extend(m.to_ms.map(|at| format!("superseded {}", clock(at))));
    let mut out = String::new();
    add(&mut out, format_args!("#{:<5} {}  {}", m.id, clock(m.told_ms), safe(&m.text)));
    add(&mut out, format_args!("       {} \u{b7} {}", safe(&m.label), facts.join(" \u{b7} ")));
    out
}

pub(super) fn tool(t: &ToolRun) -> String {
    safe(&format!("{} {} in {} ms", t.name, t.outcome, t.ms))
}

fn first_audio(end: Option<&i64>, audio: Option<&i64>) -> Option<String> {
    Some(format!("first sound {} ms after the last word", audio? - end?))
}

pub(super) fn code(code: &str, room: &str, valid_s: u64) -> String {
    format!(
        "On the satellite for {}, within {}:\n\n    jarvis-satellite enrol {}\n\nThe code is good for one satellite and three tries.\n",
        safe(room),
        span(valid_s),
        safe(code)
    )
}

pub(super) fn lines(all: Vec<String>) -> String {
    all.iter().map(|line| format!("{}\n", safe(line))).collect()
}

pub(super) fn names(cluster: Cluster) -> String {
    let guests = cluster.guests.iter().map(|g| (g.vmid.to_string(), g.name.as_deref().unwrap_or("")));
    let nodes = cluster.nodes.iter().map(|n| ("node".to_owned(), n.name.as_str()));
    let storages = cluster.storages.iter().map(|s| ("storage".to_owned(), s.name.as_str()));
    nodes.chain(guests).chain(storages).map(|(sort, name)| format!("{sort:<9} {}\n", safe(name))).collect()
}

/// `3 d 4 h`, `12 min`, `40 s`.
pub(super) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

/// Local time; with the date where it is not today.
pub(super) fn clock(unix_ms: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(unix_ms) else { return "?".to_owned() };
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), Timestamp::now().to_zoned(zone));
    let form = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

pub(super) fn table(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        // The last cell of a row may be as long as it likes.
        rows.iter().filter(|r| r.len() > column + 1).map(|r| r[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        add(&mut out, format_args!("{}", cells.join(GAP).trim_end()));
    }
    out
}

fn indented(text: String, nothing: &str) -> String {
    let text = if text.is_empty() { nothing.to_owned() } else { text };
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn add(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    if writeln!(out, "{line}").is_err() {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let all: Vec<String> = [0, 59, 60, 3599, 3600, 90_061].map(span).into();
        assert_eq!(all, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "1 d 1 h"]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = vec![vec!["a".into(), "bb".into(), "c".into()], vec!["long".into(), "a very long last cell".into()]];
        assert_eq!(table(rows), "a      bb   c\nlong   a very long last cell\n");
    }

    #[test]
    fn a_memory_is_told_in_two_lines_and_moves_no_cursor() {
        let memory = PastMemory {
            id: 12,
            text: "the router \u{1b}[31m is red".into(),
            label: "router".into(),
            attribute: None,
            value: None,
            lifetime: "lasting".into(),
            source: "by_model".into(),
            tainted: true,
            room: String::new(),
            told_ms: 0,
            from_ms: 0,
            to_ms: Some(0),
            expires_ms: None,
            uses: 0,
        };
        let text = memories(vec![memory]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("#12 ") && lines[0].ends_with("the router \u{fffd}[31m is red"), "{text}");
        assert!(
            lines[1].contains("router \u{b7} lasting \u{b7} by_model \u{b7} UNTRUSTED \u{b7} superseded 1970"),
            "{text}"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_turn_is_told_in_three_lines_and_what_is_to_be_read_and_moves_no_cursor() {
        let turn = PastTurn {
            turn_id: 7,
            started_ms: 0,
            room: "study".into(),
            source: "voice".into(),
            satellite: Some("study".into()),
            wake: None,
            transcript: Some("how hot is \u{1b}[31m node two".into()),
            route: Some(crate::past::PastRoute { kind: "intent".into(), reason: "node.temperature".into() }),
            tools: Vec::new(),
            reply: Some("61 °C, sir.".into()),
            page: Some("one\n\u{1b}[31mtwo".into()),
            marks_ms: [("speech_end".to_owned(), 900), ("first_audio".to_owned(), 1250)].into(),
            error: None,
            finished: true,
            forgotten: false,
        };
        let text = turns(vec![turn]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("#7 ") && lines[0].contains("\u{201c}how hot is \u{fffd}[31m node two\u{201d}"));
        assert_eq!(lines[1].trim(), "61 °C, sir.");
        assert_eq!(lines[2..4].iter().map(|line| line.trim()).collect::<Vec<_>>(), ["| one", "| \u{fffd}[31mtwo"]);
        assert_eq!(lines[4].trim(), "intent: node.temperature \u{b7} first sound 350 ms after the last word");
    }
}

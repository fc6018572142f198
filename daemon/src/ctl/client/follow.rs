//! Events for people, a line each.

use jarvis_core::cluster::Presence;

use super::show::{clock, safe, tool};
use crate::event::{Event, EventKind};

pub(super) fn event(event: &Event) -> String {
    match told(&event.kind) {
        Some((who, what)) => format!("{}  {:<9} {}\n", clock(event.at.0), who, safe(&what)),
        None => String::new(),
    }
}

/// What it is, and what to say of it; nothing of what the lines before have said already.
fn told(kind: &EventKind) -> Option<(String, String)> {
    let of = |turn: &jarvis_core::ids::TurnId| format!("#{turn}");
    Some(match kind {
        EventKind::Wake { turn, satellite, wake } => {
            let place = satellite.as_ref().map_or("typed", |s| s.as_str());
            let by = wake.as_ref().map(|w| format!(": {} ({:.2})", w.phrase, w.score)).unwrap_or_default();
            (of(turn), format!("{place}{by}"))
        }
        EventKind::Partial { turn, text } => (of(turn), format!("… {text}")),
        EventKind::Transcript { turn, text } => (of(turn), format!("\u{201c}{text}\u{201d}")),
        EventKind::Route { turn, route } => {
            let kind = serde_json::to_value(route.kind).ok()?;
            (of(turn), format!("{}: {}", kind.as_str().unwrap_or("?"), route.reason))
        }
        EventKind::Tool { turn, tool: run } => (of(turn), tool(run)),
        EventKind::Sentence { turn, text, .. } => (of(turn), format!("-> {text}")),
        EventKind::TurnDone(record) => {
            let marks = &record.marks_ms;
            let sound = match (marks.speech_end, marks.first_audio) {
                (Some(end), Some(audio)) => format!(", first sound {} ms after the last word", audio - end),
                _ => String::new(),
            };
            let end = record.error.as_ref().map_or_else(|| "done".to_owned(), |e| format!("failed: {e}"));
            (of(&record.turn_id), format!("{end}{sound}"))
        }
        EventKind::Satellite { satellite, connected, detail } => {
            let news = if *connected { "connected" } else { "away" };
            ("satellite".to_owned(), format!("{satellite} {news} {detail}"))
        }
        EventKind::Node { node, presence } => {
            let news = match presence {
                Presence::Online => "answers",
                Presence::Offline => "is gone",
                Presence::Unknown => "is unknown",
            };
            ("node".to_owned(), format!("{node} {news}"))
        }
        EventKind::Degraded { part, reason, fallback } => {
            let instead = fallback.as_ref().map(|f| format!(" (instead: {f})")).unwrap_or_default();
            ("degraded".to_owned(), format!("{part}: {reason}{instead}"))
        }
        EventKind::Interrupted { turn, open, .. } => {
            let open = if *open { "; what it had begun is being looked for" } else { "" };
            ("interrupted".to_owned(), format!("turn {turn}: the model's run is not gone on with{open}"))
        }
        EventKind::Remembered { turn, texts } => ("memory".to_owned(), format!("turn {turn}: {}", texts.join("; "))),
        EventKind::Power { state } => ("power".to_owned(), super::show::power(state)),
        EventKind::Restored { part } => ("restored".to_owned(), part.clone()),
        // Sentences say it piece by piece; marks come with the turn's end; `jarvisctl approvals` lists questions.
        EventKind::Reply { .. } | EventKind::Marks { .. } | EventKind::Approval { .. } => return None,
    })
}

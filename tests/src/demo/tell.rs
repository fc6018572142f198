//! Prints a turn as it happens.

use std::time::Instant;

use jarvisd::event::{Event, EventKind};

use super::referee::Judged;

/// Prints the events of one turn, with seconds since the request began.
pub struct Teller {
    begun: Instant,
}

impl Teller {
    /// Starts its clock.
    pub fn new() -> Self {
        Self { begun: Instant::now() }
    }

    fn line(&self, what: &str, text: &str) {
        println!("  {:>6.2} s  {what:<11} {text}", self.begun.elapsed().as_secs_f64());
    }

    /// One event.
    pub fn tell(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Wake { wake, .. } => {
                let text = wake
                    .as_ref()
                    .map_or_else(|| "(button)".to_owned(), |w| format!("\"{}\", score {:.2}", w.phrase, w.score));
                self.line("wake", &text);
            }
            EventKind::Partial { text, .. } => self.line("partial", text),
            EventKind::Transcript { text, .. } => self.line("transcript", &format!("\"{text}\"")),
            EventKind::Route { route, .. } => {
                self.line("route", &format!("{} ({})", serde_name(&route.kind), route.reason));
            }
            EventKind::Tool { tool, .. } => {
                self.line(
                    "tool",
                    &format!("{} {} {} {} {} ms", tool.name, tool.args, serde_name(&tool.tier), tool.outcome, tool.ms),
                );
            }
            EventKind::Sentence { text, .. } => self.line("answer", text),
            EventKind::Degraded { part, reason, .. } => self.line("degraded", &format!("{part}: {reason}")),
            EventKind::TurnDone(turn) => {
                if let Some(wake) = &turn.wake {
                    self.line("wake check", &serde_name(&wake.check));
                }
                let marks = serde_json::to_value(turn.marks_ms).unwrap_or_default();
                let text = marks
                    .as_object()
                    .map(|m| m.iter().map(|(name, ms)| format!("{name} {ms}")).collect::<Vec<_>>().join("  "));
                self.line("marks (ms)", &text.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// What was measured from outside, and the verdict.
    pub fn close(&self, judged: &Judged) {
        let Judged { asked, text, wanted, heard, miss } = judged;
        if let Some(first) = asked.first_audio_ms {
            self.line(
                "measured",
                &format!("{:.0} ms from the last sample said to the first sample heard", first - asked.speech_end_ms),
            );
        }
        self.line("asked", &format!("\"{text}\""));
        for heard in heard {
            self.line("heard", &format!("\"{heard}\""));
        }
        let wanted = match wanted.as_slice() {
            [] => "no figure to check".to_owned(),
            all => format!("wanted {}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")),
        };
        self.line(if miss.is_none() { "right" } else { "WRONG" }, &miss.clone().unwrap_or(wanted));
    }
}

impl Default for Teller {
    fn default() -> Self {
        Self::new()
    }
}

fn serde_name<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

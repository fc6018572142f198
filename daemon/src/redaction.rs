//! Secrets are taken out where words leave the turn that heard or made them: before the store, the bus and the journal.
//!
//! Each has one place: [`crate::store::Store`]'s writes, [`crate::event::Bus::tell`] and [`Journal`]. What those are given may hold
//! whatever somebody said, a node answered or a provider wrote.

use std::io::{self, Write};

use jarvis_core::redact::redact;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::event::{EventKind, Route, ToolRun, TurnRecord};

/// A text without secrets.
pub fn text(text: &str) -> String {
    redact(text).text
}

/// A text without the secrets in it, where it holds any.
pub fn where_found(text: &str) -> Option<String> {
    let redacted = redact(text);
    (!redacted.findings.is_empty()).then_some(redacted.text)
}

/// What of an address may be shown: what stands before an @ may be a password.
pub(crate) fn address(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

/// A text is changed in its place, and only where it must be.
fn clean(words: &mut String) {
    let redacted = redact(words);
    if !redacted.findings.is_empty() || redacted.left_out > 0 {
        *words = redacted.text;
    }
}

fn clean_some(words: &mut Option<String>) {
    if let Some(words) = words {
        clean(words);
    }
}

/// A JSON value without secrets: in each text, and in texts that are secrets by the name of their field alone.
pub fn value(mut value: Value) -> Value {
    each(&mut value);
    let whole = redact(&value.to_string());
    if whole.findings.is_empty() {
        return value;
    }
    // A mark that breaks the JSON would lose everything: the value without its texts is better than a secret.
    serde_json::from_str(&whole.text).unwrap_or_else(|_| Value::String("[secret]".to_owned()))
}

fn each(value: &mut Value) {
    match value {
        Value::String(words) => clean(words),
        Value::Array(items) => items.iter_mut().for_each(each),
        Value::Object(fields) => fields.values_mut().for_each(each),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What happened, without secrets.
pub(crate) fn event(kind: EventKind) -> EventKind {
    let mut kind = kind;
    match &mut kind {
        EventKind::Partial { text, .. } | EventKind::Transcript { text, .. } | EventKind::Sentence { text, .. } => {
            clean(text);
        }
        EventKind::Reply { text, page, .. } => {
            clean(text);
            clean_some(page);
        }
        EventKind::Route { route, .. } => clean_route(route),
        EventKind::Tool { tool, .. } => clean_tool(tool),
        EventKind::Satellite { detail, .. } => clean(detail),
        EventKind::Degraded { reason, fallback, .. } => {
            clean(reason);
            clean_some(fallback);
        }
        EventKind::TurnDone(record) => self::record(record),
        EventKind::Remembered { texts, .. } => texts.iter_mut().for_each(clean),
        EventKind::Wake { .. }
        | EventKind::Marks { .. }
        | EventKind::Node { .. }
        | EventKind::Restored { .. }
        | EventKind::Approval { .. }
        | EventKind::Interrupted { .. }
        | EventKind::Power { .. } => {}
    }
    kind
}

/// A turn's record, for whoever gets it.
pub(crate) fn record(record: &mut TurnRecord) {
    clean_some(&mut record.transcript);
    clean_some(&mut record.reply);
    clean_some(&mut record.page);
    clean_some(&mut record.error);
    record.route.iter_mut().for_each(clean_route);
    record.tools.iter_mut().for_each(clean_tool);
}

fn clean_route(route: &mut Route) {
    clean(&mut route.reason);
}

fn clean_tool(tool: &mut ToolRun) {
    clean(&mut tool.outcome);
    tool.args = value(std::mem::take(&mut tool.args));
}

/// Lines of the journal without secrets: a subscriber writes each with one call.
#[derive(Debug, Clone, Copy)]
pub struct Journal<M>(pub M);

/// Takes secrets out of what is written, a line at a time.
#[derive(Debug)]
pub struct Lines<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Journal<M> {
    type Writer = Lines<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines(self.0.make_writer())
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        Lines(self.0.make_writer_for(meta))
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(text(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use jarvis_core::ids::TurnId;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "PVEAPIToken=root@pam!x=0f3c2a51-9d1b-4c7e-8a44-1b2c3d4e5f60";
    const PART: &str = "0f3c2a51";

    #[test]
    fn nothing_that_is_told_holds_a_secret() {
        let said = || format!("use {SECRET} for it");
        let turn = TurnId(1);
        let route = Route { kind: crate::event::RouteKind::Intent, reason: said() };
        let tool = ToolRun {
            name: "page_note".into(),
            args: json!({"text": said(), "more": [said()]}),
            tier: jarvis_core::tool::Tier::Green,
            outcome: said(),
            ms: 1,
        };
        let all = TurnRecord {
            turn_id: turn,
            satellite: None,
            wake: None,
            transcript: Some(said()),
            route: Some(route.clone()),
            tools: vec![tool.clone()],
            reply: Some(said()),
            page: Some(said()),
            marks_ms: crate::event::MarksMs::default(),
            error: Some(said()),
        };
        for kind in [
            EventKind::Partial { turn, text: said() },
            EventKind::Transcript { turn, text: said() },
            EventKind::Route { turn, route },
            EventKind::Tool { turn, tool },
            EventKind::Reply { turn, text: said(), page: Some(said()) },
            EventKind::Sentence { turn, index: 0, text: said() },
            EventKind::Satellite { satellite: "study".into(), connected: false, detail: said() },
            EventKind::Degraded { part: "mind".into(), reason: said(), fallback: Some(said()) },
            EventKind::TurnDone(Box::new(all)),
        ] {
            let told = format!("{:?}", event(kind));
            assert!(!told.contains(PART) && told.contains("[secret"), "{told}");
        }
    }

    #[test]
    fn a_field_that_names_a_secret_is_taken_out_of_a_value_and_the_rest_stays() {
        let told = value(json!({"vmid": 104, "note": "all is well", "password": "Wint3r!Garden-77x", "n": null}));
        assert_eq!((&told["vmid"], &told["note"], &told["n"]), (&json!(104), &json!("all is well"), &Value::Null));
        assert!(!told.to_string().contains("Wint3r"), "{told}");
        let plain = json!({"a": [1, "two", {"three": 3.5}], "b": true});
        assert_eq!(value(plain.clone()), plain);
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_a_password() {
        for (text, shown) in [
            ("http://me:secret@kokoro:8880/v1", "kokoro:8880/v1"),
            ("me:sec@ret@kokoro", "kokoro"),
            ("http://kokoro:8880/v1", "http://kokoro:8880/v1"),
            ("secret@", ""),
        ] {
            assert_eq!(address(text), shown, "{text}");
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // As little as a pipe may take.
            let taken = bytes.len().min(7);
            self.0.lock().unwrap().extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_of_the_journal_holds_a_secret() {
        let kept = Kept::default();
        let made = kept.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(Journal(move || made.clone())).finish();
        tracing::subscriber::with_default(lines, || {
            tracing::warn!(error = %format!("401 for {SECRET}"), "a provider said: {SECRET}");
            tracing::info!("nothing to hide");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains(PART) && text.contains("[secret") && text.ends_with("nothing to hide\n"), "{text}");
    }
}

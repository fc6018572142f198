//! A tool call's arguments, as a model wrote them: sound, mended once by simple means, or refused with a reason.
//!
//! Mending never guesses. It drops commas that nothing follows and closes brackets that were left open, and only where the last value
//! is surely whole: `{"vmid": 10` may have been the beginning of 104.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest arguments of one call, in bytes.
pub const MAX_ARGS_BYTES: usize = 256 * 1024;
/// Deepest nesting, as serde_json reads it.
const MAX_DEPTH: usize = 120;
/// Bytes of refused arguments that are kept, to be shown to the model.
const SHOWN_BYTES: usize = 200;

/// What a model wrote as arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "args", rename_all = "snake_case")]
pub enum ToolArgs {
    /// A JSON object, byte for byte as it was written.
    Sound {
        /// It.
        json: String,
    },
    /// A JSON object after mending. Good for reads; a change should rather be asked again.
    Mended {
        /// It.
        json: String,
    },
    /// No object could be made of it. The call is answered with the reason and never run.
    Refused {
        /// Why.
        fault: ArgsFault,
        /// How it began.
        begun: String,
    },
}

/// Why arguments are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ArgsFault {
    /// The answer ended before they did.
    #[error("the arguments were cut off; call again, shorter")]
    CutOff,
    /// Not JSON, and not by a slip that can be mended.
    #[error("the arguments are not valid JSON; call again with a JSON object")]
    NotJson,
    /// JSON, but no object.
    #[error("the arguments are not a JSON object; call again with one")]
    NotAnObject,
    /// Over [`MAX_ARGS_BYTES`].
    #[error("the arguments are over {MAX_ARGS_BYTES} bytes; call again, shorter")]
    TooLong,
}

impl ToolArgs {
    /// Judges `text`; `whole` says that the model ended it by itself, and was not cut off.
    pub fn read(text: &str, whole: bool) -> Self {
        let refused = |fault| Self::Refused { fault, begun: beginning(text).to_owned() };
        if text.len() > MAX_ARGS_BYTES {
            return refused(ArgsFault::TooLong);
        }
        // Without arguments some providers send nothing at all.
        if text.trim().is_empty() {
            return if whole { Self::Sound { json: "{}".to_owned() } } else { refused(ArgsFault::CutOff) };
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_)) => return Self::Sound { json: text.to_owned() },
            Ok(_) => return refused(ArgsFault::NotAnObject),
            Err(_) if !whole => return refused(ArgsFault::CutOff),
            Err(_) => {}
        }
        match mend(text) {
            Some(json) if serde_json::from_str::<Value>(&json).is_ok_and(|value| value.is_object()) => {
                Self::Mended { json }
            }
            _ => refused(ArgsFault::NotJson),
        }
    }

    /// The object's text, if there is one.
    pub fn json(&self) -> Option<&str> {
        match self {
            Self::Sound { json } | Self::Mended { json } => Some(json),
            Self::Refused { .. } => None,
        }
    }

    /// As a value that a provider takes back: what was refused goes as a text under a telling key.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Sound { json } | Self::Mended { json } => serde_json::from_str(json).unwrap_or(Value::Null),
            Self::Refused { begun, .. } => serde_json::json!({ "unreadable": begun }),
        }
    }

    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Sound { json } | Self::Mended { json } => json.len(),
            Self::Refused { begun, .. } => begun.len(),
        }
    }

    /// Whether there is no byte of it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES)]
}

/// `text` without trailing commas and with its brackets closed; `None` where that would take a guess.
fn mend(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut open = Vec::new();
    let mut chars = text.trim().char_indices();
    let trimmed = text.trim();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let end = string_end(&trimmed[at..])?;
                out.push_str(&trimmed[at..at + end]);
                while chars.as_str().len() > trimmed.len() - at - end {
                    chars.next();
                }
            }
            '{' | '[' => {
                open.push(if c == '{' { '}' } else { ']' });
                if open.len() > MAX_DEPTH {
                    return None;
                }
                out.push(c);
            }
            '}' | ']' => {
                drop_comma(&mut out);
                if open.pop() != Some(c) {
                    return None;
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    if !open.is_empty() {
        // A number at the very end may be half of one, a word half of `true`.
        let last = out.trim_end().chars().next_back()?;
        if !matches!(last, '"' | '}' | ']' | ',') {
            return None;
        }
        drop_comma(&mut out);
        out.extend(open.iter().rev());
    }
    Some(out)
}

/// Where the string at the beginning of `text` ends, its quotes included.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn drop_comma(out: &mut String) {
    let end = out.trim_end().len();
    if out[..end].ends_with(',') {
        out.truncate(end - 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_mended_and_guesses_are_not_made() {
        let cases: [(&str, Option<&str>); 16] = [
            (r#"{"a": 1,}"#, Some(r#"{"a": 1}"#)),
            (r#"{"a": [1, 2, ], }"#, Some(r#"{"a": [1, 2]}"#)),
            (r#"{"a": {"b": "x""#, Some(r#"{"a": {"b": "x"}}"#)),
            (r#"{"a": "x","#, Some(r#"{"a": "x"}"#)),
            (r#"{"a": "}],", "b": [{"#, Some(r#"{"a": "}],", "b": [{"#)),
            (r#"{"a": ",}"}}"#, None),
            (r#"{"vmid": 10"#, None),
            (r#"{"on": tru"#, None),
            (r#"{"name": "web-ser"#, None),
            (r#"{"a": "x\"#, None),
            (r#"{"a":"#, None),
            (r#"{"a""#, None),
            (r#"{a: 1}"#, None),
            ("{]", None),
            ("I will call the tool", None),
            ("{\"a\": \"é\", ", Some("{\"a\": \"é\"}")),
        ];
        for (text, mended) in cases {
            let read = ToolArgs::read(text, true);
            match mended {
                // `[{` ends in an open bracket: nothing surely whole stands there.
                Some(_) if text.ends_with('{') => assert!(read.json().is_none(), "{text}: {read:?}"),
                Some(json) => assert_eq!(read, ToolArgs::Mended { json: json.to_owned() }, "{text}"),
                None => {
                    assert!(matches!(read, ToolArgs::Refused { fault: ArgsFault::NotJson, .. }), "{text}: {read:?}")
                }
            }
        }
    }

    #[test]
    fn what_was_cut_off_is_never_mended() {
        for text in [r#"{"a": {"b": "x""#, r#"{"a": 1,"#, ""] {
            assert!(
                matches!(ToolArgs::read(text, false), ToolArgs::Refused { fault: ArgsFault::CutOff, .. }),
                "{text}"
            );
        }
        assert_eq!(ToolArgs::read("{}", false), ToolArgs::Sound { json: "{}".to_owned() });
    }

    #[test]
    fn only_objects_of_bounded_length_pass() {
        assert_eq!(ToolArgs::read(" ", true).json(), Some("{}"));
        for text in ["[1]", "3", "null", "\"{}\""] {
            assert!(
                matches!(ToolArgs::read(text, true), ToolArgs::Refused { fault: ArgsFault::NotAnObject, .. }),
                "{text}"
            );
        }
        let long = format!("{{\"a\": \"{}\"}}", "é".repeat(MAX_ARGS_BYTES / 2));
        let ToolArgs::Refused { fault: ArgsFault::TooLong, begun } = ToolArgs::read(&long, true) else {
            panic!("too long")
        };
        assert!(begun.len() <= SHOWN_BYTES);
        let deep = "[".repeat(100_000);
        assert!(ToolArgs::read(&format!("{{\"a\":{deep}"), true).json().is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in ".{0,200}", whole: bool) {
            let read = ToolArgs::read(&text, whole);
            if let Some(json) = read.json() {
                prop_assert!(serde_json::from_str::<Value>(json).unwrap().is_object());
            }
        }

        #[test]
        fn json_like_text_is_judged_without_a_panic(text in r#"[\{\}\[\],:"\\a1 tfé]{0,40}"#, whole: bool) {
            let read = ToolArgs::read(&text, whole);
            if let Some(json) = read.json() {
                prop_assert!(serde_json::from_str::<Value>(json).unwrap().is_object());
            }
        }

        /// Cutting sound arguments anywhere and mending them never changes a value: every one that is there was there, whole.
        #[test]
        fn a_mended_beginning_says_nothing_new(words in prop::collection::vec(("[a-z]{1,6}", any::<u32>(), "[a-z ,}\\]]{0,8}"), 1..6), cut in 0usize..400) {
            let whole: serde_json::Map<String, Value> = words.iter().enumerate().map(|(n, (key, number, text))| {
                (format!("{key}{n}"), if n % 2 == 0 { serde_json::json!([number, text]) } else { serde_json::json!({"n": number, "t": text}) })
            }).collect();
            let text = Value::Object(whole.clone()).to_string();
            let part = &text[..cut.min(text.len())];
            if let Some(json) = ToolArgs::read(part, true).json() {
                let part: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
                for (key, value) in &part {
                    let full = &whole[key];
                    match (value, full) {
                        (Value::Array(some), Value::Array(all)) => prop_assert!(all.starts_with(some)),
                        (Value::Object(some), Value::Object(all)) => prop_assert!(some.iter().all(|(k, v)| all.get(k) == Some(v))),
                        _ => prop_assert!(false, "{value} of {full}"),
                    }
                }
            }
        }
    }
}

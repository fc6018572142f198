//! What a model took out of a conversation: JSON that is hostile until it is parsed.
//!
//! A model may say what to remember, never where it came from or whether it may be trusted: source and taint are the caller's, and an
//! entry that brings such fields of its own is refused whole.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Draft, Fact, KEY_CHARS_MAX, Lifetime, MENTIONS_MAX, Reader, Source, Subject, TEXT_CHARS_MAX, VALUE_CHARS_MAX,
    expiry, topic_key,
};

/// Longest answer that is looked at, in bytes.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Most memories of one turn; what a turn has more of is a list, and no memory.
const ENTRIES_MAX: usize = 8;
/// The most important that a model can call something.
const IMPORTANCE_OF_MODEL_MAX: u8 = 4;

/// Why nothing of an answer is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelAnswerError {
    /// Too long.
    #[error("the model's answer has {0} bytes, at most {ANSWER_BYTES_MAX} are read: ask for fewer memories")]
    TooLong(usize),
    /// Not the JSON that was asked for.
    #[error("the model's answer is no {{\"memories\": [..]}}: {0}; ask again or leave it")]
    NotJson(String),
}

/// What an answer brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extraction {
    /// To be remembered.
    pub drafts: Vec<Draft>,
    /// Entries left out, and why, for the journal.
    pub refused: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    memories: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The fact, as one sentence.
    text: String,
    /// What it is about, in words.
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    attribute: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    lifetime: Option<Lifetime>,
    #[serde(default)]
    importance: Option<u8>,
}

/// Reads a model's answer. `tainted`: whether it had read anything untrusted.
pub fn from_model(answer: &str, reader: &Reader<'_>, tainted: bool) -> Result<Extraction, ModelAnswerError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(ModelAnswerError::TooLong(answer.len()));
    }
    let json = fenced(answer);
    let answer: Answer = serde_json::from_str(json).map_err(|error| ModelAnswerError::NotJson(error.to_string()))?;
    let mut extraction = Extraction::default();
    for (n, value) in answer.memories.into_iter().enumerate() {
        let taken = match n {
            0..ENTRIES_MAX => entry(value, reader, tainted),
            _ => Err(format!("more than {ENTRIES_MAX} memories of one turn")),
        };
        match taken {
            Ok(draft) => extraction.drafts.push(draft),
            Err(why) => extraction.refused.push(format!("memory {}: {why}", n + 1)),
        }
    }
    Ok(extraction)
}

/// Small models put their JSON between fences, however often they are told not to.
fn fenced(answer: &str) -> &str {
    let answer = answer.trim();
    let Some(inner) = answer.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return answer };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

fn entry(value: Value, reader: &Reader<'_>, tainted: bool) -> Result<Draft, String> {
    let entry: Entry = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let text = bounded("text", &entry.text, TEXT_CHARS_MAX)?;
    let attribute = entry.attribute.map(|a| bounded("attribute", &a, KEY_CHARS_MAX)).transpose()?;
    let value = entry.value.map(|v| bounded("value", &v, VALUE_CHARS_MAX)).transpose()?;
    let naming = reader.naming();
    let mentions = naming.mentions(&naming.words(&text));
    let subject = match &entry.subject {
        Some(phrase) => naming.subject(&bounded("subject", phrase, KEY_CHARS_MAX)?),
        None => mentions.first().map(|m| (m.subject.clone(), m.label.clone())),
    };
    let (subject, label) = subject.ok_or("it is about nothing")?;
    let mentions: Vec<Subject> =
        mentions.into_iter().map(|m| m.subject).filter(|m| *m != subject).take(MENTIONS_MAX).collect();
    let lifetime = entry.lifetime.unwrap_or(Lifetime::Episodic);
    let importance = entry.importance.unwrap_or(2).clamp(1, IMPORTANCE_OF_MODEL_MAX);
    // An attribute without a value, or the other way round, can neither supersede nor be superseded.
    let (attribute, value) = match (attribute, value) {
        (Some(attribute), Some(value)) => (Some(canonical(&attribute)), Some(value)),
        _ => (None, None),
    };
    let (single, source) = (attribute.is_some(), Source::ByModel);
    let fact = Fact { subject, label, attribute, text, value, single, mentions, source, tainted, lifetime, importance };
    Ok(Draft { expires: expiry(lifetime, reader.now), fact })
}

fn canonical(attribute: &str) -> String {
    let key = topic_key(attribute);
    match key.as_str() {
        "ip" | "ip address" => "address".to_owned(),
        "location" => "place".to_owned(),
        _ => key,
    }
}

fn bounded(field: &str, text: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > chars_max || text.chars().any(char::is_control) {
        return Err(format!("its {field} is empty, longer than {chars_max} characters, or holds control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Vmid;
    use crate::memory::testing::{NOW, reader};

    fn read(answer: &str, tainted: bool) -> Result<Extraction, ModelAnswerError> {
        from_model(answer, &reader(NOW), tainted)
    }

    #[test]
    fn a_models_answer_becomes_drafts() {
        let answer = r#"```json
            {"memories": [{"text": "The media server is at 10.0.0.7.", "subject": "vm 104", "attribute": "IP address",
                           "value": "10.0.0.7", "lifetime": "lasting", "importance": 5}]}
            ```"#;
        let got = read(answer, false).expect("JSON");
        let [draft] = &got.drafts[..] else { panic!("{got:?}") };
        assert_eq!(draft.fact.subject, Subject::Guest(Vmid(104)));
        assert_eq!(draft.fact.attribute.as_deref(), Some("address"));
        assert_eq!((draft.fact.source, draft.fact.tainted), (Source::ByModel, false));
        assert_eq!((draft.fact.importance, draft.expires, draft.fact.single), (IMPORTANCE_OF_MODEL_MAX, None, true));
        assert!(got.refused.is_empty());
    }

    #[test]
    fn taint_is_the_callers_and_no_field_of_the_answer_lowers_it() {
        let plain = r#"{"memories": [{"text": "the nas is noisy"}]}"#;
        assert!(read(plain, true).expect("JSON").drafts.iter().all(|d| d.fact.tainted));
        for field in
            [r#""tainted": false"#, r#""source": "said""#, r#""id": 1"#, r#""superseded_by": 3"#, r#""uses": 9"#]
        {
            let answer = format!(r#"{{"memories": [{{"text": "the nas is noisy", {field}}}]}}"#);
            let got = read(&answer, true).expect("JSON");
            assert_eq!((got.drafts.len(), got.refused.len()), (0, 1), "{answer}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_entry_costs_the_others_nothing() {
        let long = "x".repeat(TEXT_CHARS_MAX + 1);
        let answer = format!(
            r#"{{"memories": [{{"text": ""}}, {{"text": "{long}"}}, {{"text": "a\u0007b"}}, 7, {{"text": 7}}, {{"text": "a b"}},
                {{"text": "the ups hums", "lifetime": "for ever"}}, {{"text": "the ups hums", "subject": "the ups"}}]}}"#
        );
        let got = read(&answer, false).expect("JSON");
        assert_eq!((got.drafts.len(), got.refused.len()), (1, 7), "{got:?}");
        assert_eq!(got.drafts[0].fact.text, "the ups hums");
    }

    #[test]
    fn a_flood_is_cut_and_garbage_refused() {
        let entry = r#"{"text": "the nas is noisy", "subject": "the nas"}"#;
        let flood = format!(r#"{{"memories": [{}]}}"#, vec![entry; 50].join(","));
        let got = read(&flood, false).expect("JSON");
        assert_eq!((got.drafts.len(), got.refused.len()), (ENTRIES_MAX, 50 - ENTRIES_MAX));
        assert!(matches!(read(&"x".repeat(ANSWER_BYTES_MAX + 1), false), Err(ModelAnswerError::TooLong(_))));
        let deep = "[".repeat(ANSWER_BYTES_MAX);
        for garbage in
            ["", "yes", "{}", "[]", "null", r#"{"memories": {}}"#, r#"{"memories": [], "approve": true}"#, &deep]
        {
            assert!(matches!(read(garbage, false), Err(ModelAnswerError::NotJson(_))), "{garbage:.40}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

        #[test]
        fn no_answer_makes_it_panic(text in "\\PC{0,80}", subject in "\\PC{0,80}", value in "\\PC{0,130}") {
            let answer = serde_json::json!({"memories": [{"text": text, "subject": subject, "attribute": value, "value": value}]});
            for answer in [answer.to_string(), text] {
                if let Ok(extraction) = read(&answer, true) {
                    for draft in extraction.drafts {
                        assert!(draft.fact.tainted && draft.fact.text.chars().count() <= TEXT_CHARS_MAX);
                        assert!(draft.fact.label.chars().count() <= KEY_CHARS_MAX);
                    }
                }
            }
        }
    }
}

//! One utterance: libvosk's own segments joined, partials, times, the longest call.

use std::time::Instant;

use jarvis_worker::{EarEvent, Word};
use vosk::{CompleteResult, DecodingState, Model, Recognizer};

use crate::dither::Dither;

/// Hertz.
const RATE: u32 = 16_000;
/// Most samples handed over in one call (100 ms), so that no call is long because its sound was.
const CALL_SAMPLES: usize = 1_600;
/// A partial is repeated after so much sound (milliseconds) even where the text is the same, or empty: whoever waits for words learns
/// that none came, and whoever waits for a late ear that it comes on.
const REPEAT_MS: u32 = 40;
/// What a phrase of a grammar may hold: the crate puts it between quotation marks without escaping anything.
const GRAMMAR_MARKS: [char; 5] = [' ', '\'', '-', '[', ']'];

/// A recogniser at work.
pub struct Hearing {
    recognizer: Recognizer,
    session: u64,
    dither: Dither,
    samples: u64,
    /// Segments that libvosk has finished.
    text: String,
    words: Vec<Word>,
    said: Option<(String, u32)>,
    worst_call_ms: u32,
}

impl Hearing {
    /// Begins.
    pub fn new(model: &Model, session: u64, grammar: &[String]) -> Result<Self, String> {
        let grammar: Vec<&String> = grammar.iter().filter(|p| is_phrase(p)).collect();
        let recognizer = if grammar.is_empty() {
            Recognizer::new(model, RATE as f32)
        } else {
            Recognizer::new_with_grammar(model, RATE as f32, &grammar)
        };
        let mut recognizer = recognizer.ok_or("libvosk made no recogniser of this model")?;
        recognizer.set_words(true);
        Ok(Self {
            recognizer,
            session,
            dither: Dither::new(),
            samples: 0,
            text: String::new(),
            words: Vec::new(),
            said: None,
            worst_call_ms: 0,
        })
    }

    /// Takes in sound; says what is heard where that is news.
    pub fn hear(&mut self, samples: &[i16]) -> Option<EarEvent> {
        let samples = self.dither.apply(samples);
        for piece in samples.chunks(CALL_SAMPLES) {
            let started = Instant::now();
            // The only error is a buffer beyond 2^31 samples; a failed decoding leaves the segment as it is.
            let state = self.recognizer.accept_waveform(piece).unwrap_or(DecodingState::Failed);
            let segment = (state == DecodingState::Finalized).then(|| Segment::of(self.recognizer.result()));
            self.took(started);
            self.join(segment);
            self.samples += piece.len() as u64;
        }
        let started = Instant::now();
        let partial = self.recognizer.partial_result().partial.to_owned();
        self.took(started);
        let text = joined(&self.text, &partial);
        let heard_ms = (self.samples * 1_000 / u64::from(RATE)) as u32;
        let known = self.said.as_ref().is_some_and(|(said, at)| *said == text && heard_ms < at + REPEAT_MS);
        if known {
            return None;
        }
        self.said = Some((text.clone(), heard_ms));
        Some(EarEvent::Partial { session: self.session, text, heard_ms })
    }

    /// The end.
    pub fn finish(mut self) -> EarEvent {
        let started = Instant::now();
        let last = Segment::of(self.recognizer.final_result());
        self.took(started);
        self.join(Some(last));
        EarEvent::Final { session: self.session, text: self.text, words: self.words, worst_call_ms: self.worst_call_ms }
    }

    fn took(&mut self, started: Instant) {
        self.worst_call_ms = self.worst_call_ms.max(started.elapsed().as_millis() as u32);
    }

    fn join(&mut self, segment: Option<Segment>) {
        if let Some(segment) = segment {
            self.text = joined(&self.text, &segment.text);
            self.words.extend(segment.words);
        }
    }
}

/// What libvosk calls an utterance.
struct Segment {
    text: String,
    words: Vec<Word>,
}

impl Segment {
    fn of(result: CompleteResult<'_>) -> Self {
        let Some(single) = result.single() else {
            return Self { text: String::new(), words: Vec::new() };
        };
        let ms = |seconds: f32| (seconds.max(0.0) * 1_000.0).round() as u32;
        let word = |w: &vosk::Word<'_>| Word {
            text: w.word.to_owned(),
            start_ms: ms(w.start),
            end_ms: ms(w.end),
            confidence: w.conf,
        };
        Self { text: single.text.to_owned(), words: single.result.iter().map(word).collect() }
    }
}

fn joined(before: &str, after: &str) -> String {
    match (before.is_empty(), after.is_empty()) {
        (true, _) => after.to_owned(),
        (_, true) => before.to_owned(),
        _ => format!("{before} {after}"),
    }
}

fn is_phrase(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().all(|c| c.is_alphanumeric() || GRAMMAR_MARKS.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_one_utterance() {
        assert_eq!(joined("how is the cluster", "on node two"), "how is the cluster on node two");
        assert_eq!(joined("", "yes"), "yes");
        assert_eq!(joined("yes", ""), "yes");
    }

    #[test]
    fn a_phrase_that_would_break_the_grammar_is_left_out() {
        assert!(is_phrase("what's up") && is_phrase("[unk]"));
        assert!(!is_phrase("a\", \"b") && !is_phrase("a\\") && !is_phrase("  ") && !is_phrase("a\nb"));
    }
}

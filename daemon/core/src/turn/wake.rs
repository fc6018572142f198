//! The wake phrase in what was heard: taking it off, and the second check of the detector.

use serde::{Deserialize, Serialize};

use crate::endpoint::Meaning;
use crate::ids::Millis;
use crate::intent::{Completeness, Grammar};
use crate::names::Names;

/// What the second check of a wake word made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WakeCheck {
    /// The ear heard the phrase as well.
    Confirmed,
    /// It heard other words there.
    Contradicted,
    /// It heard nothing there, or can't judge the phrase.
    CannotTell,
}

impl WakeCheck {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::CannotTell => "cannot_tell",
        }
    }
}

/// Words of the pre-roll among which the phrase is looked for (1.5 s of fluent speech).
const PREROLL_WORDS: usize = 8;
/// What recognisers make of the "hey" before a name.
const LEADS: [&str; 10] = ["hey", "a", "hay", "hi", "he", "they", "the", "okay", "uh", "[unk]"];
/// What they make of "jarvis".
const MISHEARD_JARVIS: [&str; 4] = ["jarvis's", "jarvis'", "jervis", "jarves"];
/// One-word answers and commands that need no more.
const SHORT_WORDS: [&str; 6] = ["yes", "no", "stop", "cancel", "nope", "yeah"];
/// Words that count as heard in the pre-roll if they were shown by this long after the detector fired.
const SNAPSHOT_MS: u64 = 150;
/// From here on a phrase that the ear has not shown is not coming any more.
const SETTLED_MS: u64 = 800;

fn is_name(word: &str, name: &str) -> bool {
    word == name || (name == "jarvis" && MISHEARD_JARVIS.contains(&word))
}

/// What was asked after the wake phrase; `None` where the phrase is not at the front.
///
/// The phrase's last word is what identifies it ("jarvis" of "hey jarvis"). Before it only leads as recognisers mishear them are
/// allowed, or, since the pre-roll may hold other talk, the whole phrase word for word.
pub fn after_phrase<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let mut phrase_words = phrase.split_whitespace().rev();
    let name = phrase_words.next()?;
    let before = phrase_words.next();
    let mut led = true;
    let mut previous: Option<&str> = None;
    for word in text.split_whitespace().take(PREROLL_WORDS) {
        if is_name(word, name) && (led || (before.is_some() && previous == before)) {
            let end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
            return Some(text[end..].trim());
        }
        led = led && LEADS.contains(&word);
        previous = Some(word);
    }
    None
}

/// What was asked, wake phrase taken off wherever it leads; a lone beginning of it ("hey") is nothing.
pub fn request<'a>(text: &'a str, phrase: Option<&str>) -> &'a str {
    let text = text.trim();
    let Some(phrase) = phrase else { return text };
    match after_phrase(text, phrase) {
        Some(rest) => rest,
        None if phrase.starts_with(text) || LEADS.contains(&text) => "",
        None => text,
    }
}

/// What a request so far means for the end of speech.
pub(super) fn meaning(request: &str, grammar: &Grammar, names: &Names) -> Meaning {
    if request.is_empty() {
        return Meaning::Nothing;
    }
    if SHORT_WORDS.contains(&request) {
        return Meaning::ShortWord;
    }
    match grammar.complete(request, names) {
        Completeness::Complete => Meaning::Complete,
        Completeness::Extendable => Meaning::Extendable,
        Completeness::Open => Meaning::Open,
        Completeness::Unknown => Meaning::Unknown,
    }
}

/// A wake word as the satellite's detector saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wake {
    /// Which phrase.
    pub phrase: String,
    /// The detector's score, 0.0 to 1.0.
    pub score: f32,
    /// At or above the detector's sure band.
    pub sure: bool,
    /// Learnt from recordings of the people here.
    pub enrolled: bool,
    /// When it fired.
    pub at: Millis,
}

/// What the ear's word on a wake phrase is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarStanding {
    /// Its model was tried on people.
    pub tried_on_people: bool,
    /// Its lexicon holds the phrase.
    pub knows_phrase: bool,
}

/// The second check, as the words come in.
#[derive(Debug, Clone)]
pub(super) struct Checking {
    wake: Wake,
    ear: EarStanding,
    confirmed: bool,
    words_there: bool,
}

impl Checking {
    pub(super) fn new(wake: Wake, ear: EarStanding) -> Self {
        Self { wake, ear, confirmed: false, words_there: false }
    }

    pub(super) fn words(&mut self, text: &str, heard: Millis) {
        self.confirmed = self.confirmed || after_phrase(text, &self.wake.phrase).is_some();
        if heard <= self.wake.at.plus(SNAPSHOT_MS) {
            self.words_there = text.split_whitespace().any(|w| w != "[unk]" && !LEADS.contains(&w));
        }
    }

    pub(super) fn check(&self) -> WakeCheck {
        match (self.confirmed, self.ear.knows_phrase && self.words_there) {
            (true, _) => WakeCheck::Confirmed,
            (false, true) => WakeCheck::Contradicted,
            (false, false) => WakeCheck::CannotTell,
        }
    }

    /// Whether the wake is false beyond doubt. `heard` is how far the ear has come.
    pub(super) fn vetoed(&self, heard: Millis) -> bool {
        self.check() == WakeCheck::Contradicted
            && self.ear.tried_on_people
            && !self.wake.sure
            && !self.wake.enrolled
            && heard >= self.wake.at.plus(SETTLED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_is_taken_off_however_it_was_heard() {
        let cases = [
            ("hey jarvis how hot is node two", "how hot is node two"),
            ("jarvis how hot is node two", "how hot is node two"),
            ("a jarvis how hot is node two", "how hot is node two"),
            ("[unk] jarvis stop", "stop"),
            ("so i told him hey jarvis is jarvis running", "is jarvis running"),
            ("hey jarvis is jarvis running", "is jarvis running"),
            ("is jarvis running", "is jarvis running"),
            ("hey jarvis", ""),
            ("hey", ""),
            ("", ""),
            ("a", ""),
            ("how is the cluster", "how is the cluster"),
        ];
        for (heard, asked) in cases {
            assert_eq!(request(heard, Some("hey jarvis")), asked, "{heard:?}");
        }
        assert_eq!(request("hey jarvis stop", None), "hey jarvis stop");
        assert_eq!(request("computer lights", Some("computer")), "lights");
    }

    fn checking(sure: bool, enrolled: bool, ear: (bool, bool)) -> Checking {
        let wake = Wake { phrase: "hey jarvis".into(), score: 0.5, sure, enrolled, at: Millis(1500) };
        Checking::new(wake, EarStanding { tried_on_people: ear.0, knows_phrase: ear.1 })
    }

    #[test]
    fn a_wake_is_vetoed_only_by_an_ear_tried_on_people_that_knows_the_phrase_below_the_sure_band() {
        for bits in 0..16u8 {
            let [sure, enrolled, tried, knows] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let mut check = checking(sure, enrolled, (tried, knows));
            check.words("the charter is", Millis(1500));
            let expected = !sure && !enrolled && tried && knows;
            assert_eq!(check.vetoed(Millis(2400)), expected, "{bits:04b}");
            assert!(!check.vetoed(Millis(2000)), "the ear may not have come so far yet");
        }
    }

    #[test]
    fn words_after_the_wake_neither_confirm_nor_contradict_it() {
        let mut check = checking(false, false, (true, true));
        check.words("", Millis(1500));
        check.words("how hot is", Millis(2600));
        assert_eq!(check.check(), WakeCheck::CannotTell);
        check.words("hey jarvis how hot is", Millis(2700));
        assert_eq!(check.check(), WakeCheck::Confirmed);
    }
}

//! Jarvis's own voice, as the ear hears it while somebody may still go on speaking.
//!
//! What an echo canceller leaves of an answer is at times enough for a recogniser to make words of, and the first of them may follow the
//! request so well that the two make another one ("how much space is left ... there"). Words of the answer itself, heard over it, are
//! nobody's.

use std::collections::HashSet;

use super::Attempt;

/// The words of the answer that sounds.
#[derive(Debug, Default)]
pub(super) struct OwnVoice {
    attempt: Attempt,
    words: HashSet<String>,
    /// The ear hears what the microphone takes up while they sound.
    overheard: bool,
}

impl OwnVoice {
    /// This is said, as it is spoken ([`crate::speakable`]).
    pub(super) fn say(&mut self, attempt: Attempt, spoken: &str) {
        if attempt != self.attempt {
            *self = Self { attempt, ..Self::default() };
        }
        let mut spelled = String::new();
        for word in words(spoken) {
            // A recogniser writes letters that are said one by one as one word: "pve".
            if word.chars().count() == 1 {
                spelled.push_str(&word);
            } else {
                self.words.insert(std::mem::take(&mut spelled));
            }
            self.words.insert(word);
        }
        self.words.insert(spelled);
    }

    /// The ear listens over this attempt's answer from now on.
    pub(super) fn overhear(&mut self, attempt: Attempt) {
        if attempt != self.attempt {
            *self = Self { attempt, ..Self::default() };
        }
        self.overheard = true;
    }

    /// Whether the ear heard something over this attempt's answer.
    pub(super) fn overhears(&self, attempt: Attempt) -> bool {
        self.overheard && attempt == self.attempt
    }

    /// Whether what was heard over this attempt's answer is the request and then nothing but words of that answer.
    pub(super) fn echoes(&self, attempt: Attempt, asked: &str, heard: &str) -> bool {
        let Some(more) = heard.strip_prefix(asked) else { return false };
        let mut more = words(more).peekable();
        self.overhears(attempt) && more.peek().is_some() && more.all(|word| self.words.contains(&word))
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let apart = |c: char| !(c.is_alphanumeric() || c == '\'');
    text.split(apart).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_the_answer_that_is_overheard_are_its_echo() {
        let (attempt, asked) = (Attempt(2), "how much space is left on the nas");
        let mut own = OwnVoice::default();
        own.say(attempt, "There are four terabytes free on P V E two, sir.");
        let echoes = |own: &OwnVoice, more: &str| own.echoes(attempt, asked, &format!("{asked}{more}"));
        assert!(!echoes(&own, " there"), "the ear has heard nothing of it");
        own.overhear(attempt);
        own.say(attempt, "It's two thirds full.");
        for more in [" there", " there are four", " pve two", " p v e", " it's full"] {
            assert!(echoes(&own, more), "{more}");
        }
        for more in ["", " and there", " on node two", " there is"] {
            assert!(!echoes(&own, more), "{more}");
        }
        assert!(!own.echoes(attempt, asked, "stop"));
        assert!(!own.echoes(Attempt(3), asked, &format!("{asked} there")), "of an answer that was taken back");
        own.say(Attempt(3), "None, sir.");
        assert!(!own.echoes(Attempt(3), asked, &format!("{asked} none")), "the ear heard the one before");
    }
}

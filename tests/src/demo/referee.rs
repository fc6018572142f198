//! Who judges an answer: he knows what was said, what the simulator's state makes of a right answer to it, and what a recogniser that was
//! not told the reply heard of the answer. He is told nothing by the house but who answered. Where a model does, whoever asks says what must
//! be heard.

use std::path::Path;

use anyhow::{Result, ensure};
use jarvis_core::intent::{Grammar, Intent, Understood};
use jarvis_core::names::Names;
use jarvisd::event::{Event, RouteKind, TurnRecord};

use super::request::{Request, plain};
use crate::fleet;
use crate::frozen::{self, Frozen};
use crate::house::{Asked, House, library, model};
use crate::judge::{self, Judge};
use crate::pve::expected::{Figure, without_figure};
use crate::sound::RATE_HZ;

/// What he needs.
pub struct Referee {
    judge: Judge,
    frozen: Vec<Frozen>,
    grammar: Grammar,
    names: Names,
    words: Vec<String>,
}

/// A request, what became of it, and the verdict.
pub struct Judged {
    /// What became of it.
    pub asked: Asked,
    /// What was asked, as the person meant it: the text that was spoken or given; of a recording without one, what the judge heard.
    pub text: String,
    /// Figures that must be heard, each in one of its ways; empty where the request has none.
    pub wanted: Vec<Figure>,
    /// What the second recogniser heard of the answer.
    pub heard: [String; 2],
    /// Why this turn is no success; `None` if it is one.
    pub miss: Option<String>,
}

impl Referee {
    /// Starts the second recogniser.
    pub fn new(root: &Path, programs: &Path) -> Result<Self> {
        Ok(Self {
            judge: Judge::start(&programs.join("jarvis-ear"), &model(root), &library(root))?,
            frozen: frozen::requests(root)?,
            grammar: Grammar::embedded().map_err(|e| anyhow::anyhow!("{e}"))?,
            names: Names::from_cluster(&fleet::cluster()),
            words: judge::every_word(&model(root))?,
        })
    }

    /// Says a request in the room, and judges the answer; `tell` sees each event as it happens.
    pub fn ask(&mut self, house: &mut House, request: &Request, tell: impl FnMut(&Event)) -> Result<Judged> {
        let sound = request.sound()?;
        let asked = house.ask(&sound, tell)?;
        let text = match request.asked() {
            Some(text) => text,
            // From the file itself, not from what reached the microphone, and never from the transcript that is judged.
            None => plain(&self.judge.hear(&sound, &[])?),
        };
        let intent = self.intent(&text);
        let wanted = intent.as_ref().map(|intent| house.cluster.wanted(intent)).unwrap_or_default();
        let heard = self.hear(&asked)?;
        let miss = miss(&asked, intent.as_ref(), &wanted, &heard);
        Ok(Judged { asked, text, wanted, heard, miss })
    }

    /// Judges an answer by ear alone, whoever gave it: what it must hold is known to whoever asks this.
    pub fn listen(&mut self, request: &Request, asked: Asked, wanted: Vec<Figure>) -> Result<Judged> {
        let text = request.asked().unwrap_or_default();
        let heard = self.hear(&asked)?;
        let miss = unheard(&asked, &wanted, &heard);
        Ok(Judged { asked, text, wanted, heard, miss })
    }

    /// The one right kind of a request: from the frozen list, else as the grammar reads the very text that was said.
    fn intent(&self, asked: &str) -> Option<Intent> {
        if let Some(known) = self.frozen.iter().find(|f| f.text == asked) {
            return Some(known.intent.clone());
        }
        match self.grammar.understand(asked, &self.names) {
            Understood::Intent { intent, .. } => Some(intent),
            _ => None,
        }
    }

    /// What the second recogniser hears after the request's last sample.
    fn hear(&mut self, asked: &Asked) -> Result<[String; 2]> {
        let from = (asked.first_audio_ms.unwrap_or(asked.speech_end_ms) / 1000.0 * f64::from(RATE_HZ)) as usize;
        ensure!(from <= asked.recording.heard.len(), "the recording is shorter than its own marks");
        self.hear_sound(&asked.recording.heard[from..])
    }

    /// What the second recogniser hears: with every word equally likely, and as its language model has it.
    pub fn hear_sound(&mut self, sound: &[i16]) -> Result<[String; 2]> {
        self.judge.hear_both(sound, &self.words)
    }
}

/// Why a turn is no success.
fn miss(asked: &Asked, intent: Option<&Intent>, wanted: &[Figure], heard: &[String; 2]) -> Option<String> {
    let turn = match ended(asked) {
        Ok(turn) => turn,
        Err(why) => return Some(why),
    };
    let Some(route) = &turn.route else { return Some("nobody answered".into()) };
    if route.kind != RouteKind::Intent {
        return Some(format!("not understood: heard {:?}", turn.transcript.as_deref().unwrap_or_default()));
    }
    if let Some(why) = silent(asked) {
        return Some(why);
    }
    let Some(intent) = intent else { return Some("nobody knows what this request wants".into()) };
    if route.reason.split(',').next() != Some(intent.kind.as_str()) {
        return Some(format!("taken for {} instead of {}", route.reason, intent.kind));
    }
    if wanted.is_empty() && !without_figure(&intent.kind) {
        return Some(format!("nobody knows what an answer to {} must hold", intent.kind));
    }
    lacking(wanted, heard)
}

/// The same of an answer that anybody may give.
fn unheard(asked: &Asked, wanted: &[Figure], heard: &[String; 2]) -> Option<String> {
    ended(asked).err().or_else(|| silent(asked)).or_else(|| lacking(wanted, heard))
}

fn ended(asked: &Asked) -> Result<&TurnRecord, String> {
    let turn = asked.turn.as_ref().ok_or_else(|| "nobody woke".to_owned())?;
    match &turn.error {
        Some(error) => Err(format!("the turn failed: {error}")),
        None => Ok(turn),
    }
}

fn silent(asked: &Asked) -> Option<String> {
    asked.first_audio_ms.is_none().then(|| "nothing was heard from the loudspeaker".to_owned())
}

/// What of it was not heard.
pub(super) fn lacking(wanted: &[Figure], heard: &[String; 2]) -> Option<String> {
    let lacking: Vec<String> =
        wanted.iter().filter(|figure| !figure.is_in(heard)).map(|figure| format!("({figure})")).collect();
    (!lacking.is_empty()).then(|| format!("the answer should hold {}, heard {heard:?}", lacking.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::entry::tests::turn;
    use crate::room::Recording;

    fn asked() -> Asked {
        let recording = Recording { said: Vec::new(), heard: Vec::new() };
        Asked { turn: Some(turn()), recording, speech_end_ms: 1800.0, first_audio_ms: Some(2200.0) }
    }

    fn temperature() -> Intent {
        Intent { kind: "node.temperature".into(), slots: Default::default() }
    }

    fn judged(asked: &Asked, intent: Option<Intent>, heard: &str) -> Option<String> {
        let wanted = [Figure::any(["61".into(), "61.3".into()])];
        miss(asked, intent.as_ref(), &wanted, &[heard.to_owned(), String::new()])
    }

    #[track_caller]
    fn is_missed(verdict: Option<String>, why: &str) {
        let verdict = verdict.expect("a miss");
        assert!(verdict.contains(why), "{verdict}");
    }

    const RIGHT: &str = "node two stands at sixty one degrees";

    #[test]
    fn the_figure_heard_is_right_and_another_is_not() {
        assert_eq!(judged(&asked(), Some(temperature()), RIGHT), None);
        assert_eq!(judged(&asked(), Some(temperature()), "sixty one point three degrees"), None);
        for wrong in ["node two stands at sixty two degrees", "node two is unknown", ""] {
            is_missed(judged(&asked(), Some(temperature()), wrong), "should hold (61 or 61.3)");
        }
    }

    #[test]
    fn every_figure_must_be_heard() {
        let wanted = [Figure::any(["4".into()]), Figure::any(["14".into()])];
        let heard = |text: &str| {
            let intent = Intent { kind: "cluster.status".into(), slots: Default::default() };
            let mut asked = asked();
            asked.turn.as_mut().unwrap().route.as_mut().unwrap().reason =
                "cluster.status, score 1.00: how is it".into();
            miss(&asked, Some(&intent), &wanted, &[text.to_owned(), text.to_owned()])
        };
        assert_eq!(heard("four nodes are up and fourteen guests run"), None);
        is_missed(heard("four nodes are up"), "should hold (14)");
    }

    #[test]
    fn a_silent_answer_is_wrong_whatever_the_house_says_it_said() {
        let silent = Asked { first_audio_ms: None, ..asked() };
        is_missed(judged(&silent, Some(temperature()), RIGHT), "nothing was heard");
    }

    #[test]
    fn an_answer_of_a_models_is_judged_by_what_is_heard_of_it() {
        let wanted = [Figure::any(["start".into()]), Figure::any(["112".into()])];
        let judged = |change: fn(&mut Asked), heard: &str| {
            let mut asked = asked();
            asked.turn.as_mut().unwrap().route.as_mut().unwrap().kind = RouteKind::LocalModel;
            change(&mut asked);
            unheard(&asked, &wanted, &[String::new(), heard.to_owned()])
        };
        let right = "shall i start test vm one one two on p v e two";
        assert_eq!(judged(|_| (), right), None);
        is_missed(judged(|_| (), "shall i stop test vm one one two"), "should hold (start)");
        is_missed(judged(|_| (), "shall i start test vm one one three"), "should hold (112)");
        is_missed(judged(|asked| asked.first_audio_ms = None, right), "nothing was heard");
        is_missed(judged(|asked| asked.turn = None, right), "nobody woke");
        is_missed(judged(|asked| asked.turn.as_mut().unwrap().error = Some("cut".into()), right), "failed: cut");
    }

    #[test]
    fn nobody_woke_or_the_turn_failed_or_was_not_understood() {
        is_missed(judged(&Asked { turn: None, ..asked() }, Some(temperature()), RIGHT), "nobody woke");
        let of = |change: fn(&mut jarvisd::event::TurnRecord)| {
            let mut asked = asked();
            change(asked.turn.as_mut().unwrap());
            judged(&asked, Some(temperature()), RIGHT)
        };
        is_missed(of(|turn| turn.error = Some("the ear ended".into())), "failed: the ear ended");
        is_missed(of(|turn| turn.route = None), "nobody answered");
        for kind in [RouteKind::NotUnderstood, RouteKind::Sorry, RouteKind::Question, RouteKind::LocalModel] {
            let mut asked = asked();
            asked.turn.as_mut().unwrap().route.as_mut().unwrap().kind = kind;
            is_missed(judged(&asked, Some(temperature()), RIGHT), "not understood: heard \"how hot is node two\"");
        }
    }

    #[test]
    fn the_answer_to_another_request_is_wrong_even_with_the_right_figure() {
        let uptime = Intent { kind: "node.uptime".into(), slots: Default::default() };
        is_missed(judged(&asked(), Some(uptime), RIGHT), "instead of node.uptime");
        // One kind's name begins with another's.
        let short = Intent { kind: "node.temp".into(), slots: Default::default() };
        is_missed(judged(&asked(), Some(short), RIGHT), "instead of node.temp");
        is_missed(judged(&asked(), None, RIGHT), "nobody knows what this request wants");
    }

    #[test]
    fn no_figure_to_check_is_right_for_talk_alone() {
        let verdict = |kind: &str| {
            let intent = Intent { kind: kind.into(), slots: Default::default() };
            let mut asked = asked();
            asked.turn.as_mut().unwrap().route.as_mut().unwrap().reason = format!("{kind}, score 1.00: hello");
            miss(&asked, Some(&intent), &[], &[RIGHT.to_owned(), RIGHT.to_owned()])
        };
        assert_eq!(verdict("talk.hello"), None);
        assert_eq!(verdict("control.louder"), None);
        for kind in ["node.temperature", "costs.today", "change.start", "owners.own"] {
            is_missed(verdict(kind), "nobody knows what an answer");
        }
    }
}

use super::*;
use crate::sound::FRAME_US;
use crate::wake::Spotted;
use jarvis_link::message::MIC_FRAME_SAMPLES;

const SURE: f32 = 0.65;

/// A session whose effects are collected, on a clock of its own.
struct Room {
    session: Session,
    now: SatMicros,
    frames: u64,
    utterances: u64,
}

impl Room {
    fn new() -> Self {
        let settings = Settings { volume_percent: 80, muted: false };
        let now = SatMicros(10_000_000);
        let mut room = Self { session: Session::new(settings, now), now, frames: 0, utterances: 0 };
        room.effects();
        room
    }

    fn connected() -> Self {
        let mut room = Self::new();
        room.up(true);
        room
    }

    fn up(&mut self, new_daemon: bool) -> Vec<Effect> {
        let settings = Settings { volume_percent: 80, muted: false };
        self.session.hub(NetEvent::Up { room: "kitchen".to_owned(), settings, new_daemon }, self.now);
        self.effects()
    }

    fn down(&mut self) -> Vec<Effect> {
        self.session.hub(NetEvent::Down { reason: "gone".to_owned() }, self.now);
        self.effects()
    }

    fn control(&mut self, message: ToSatellite) -> Vec<Effect> {
        self.session.hub(NetEvent::Control(message), self.now);
        self.effects()
    }

    fn close(&mut self, silent: bool) -> Vec<Effect> {
        self.control(ToSatellite::CloseMic { utterance: Utterance(self.utterances), silent })
    }

    fn wake(&mut self) -> Vec<Effect> {
        let spotted = Spotted { phrase: "hey jarvis".to_owned(), score: 0.7, enrolled: false };
        self.session.wake(Woken { spotted, heard: self.now, at: self.now }, SURE, self.now);
        self.effects()
    }

    fn button(&mut self, button: Button) -> Vec<Effect> {
        self.session.button(button, self.now);
        self.effects()
    }

    fn listen(&mut self, frames: u64, voice: u8) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..frames {
            let frame = MicFrame { captured: self.now, voice, samples: [self.frames as i16; MIC_FRAME_SAMPLES] };
            self.frames += 1;
            self.now.0 += FRAME_US;
            self.session.frame(frame, self.now);
            if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
                self.session.timeout(self.now);
            }
            effects.extend(self.effects());
        }
        effects
    }

    fn effects(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = self.session.poll_effect() {
            if let Effect::Open { opened, .. } = &effect {
                self.utterances += 1;
                let button = *opened == Opened::Button;
                self.session.opened(Some(Utterance(self.utterances)), button, self.now);
            }
            effects.push(effect);
        }
        effects
    }
}

fn preroll(effects: &[Effect]) -> Vec<u16> {
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Open { preroll, .. } => Some(preroll.iter().map(|frame| frame.samples[0] as u16).collect()),
            _ => None,
        })
        .unwrap_or_default()
}

fn sent(effects: &[Effect]) -> Vec<u16> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Frame(_, frame) => Some(frame.samples[0] as u16),
            _ => None,
        })
        .collect()
}

fn ends(effects: &[Effect]) -> Vec<MicEnd> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::End(_, reason) => Some(*reason),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_leaves_the_room_before_somebody_calls() {
    let mut room = Room::connected();
    let effects = room.listen(10_000, 255);
    assert_eq!(effects, []);
}

#[test]
fn an_utterance_has_its_preroll_and_every_frame_once() {
    let mut room = Room::connected();
    room.listen(500, 0);
    let opened = room.wake();
    assert_eq!(preroll(&opened), (400..500).collect::<Vec<u16>>(), "two seconds before the wake word fired");
    assert!(opened.contains(&Effect::Earcon(Earcon::Listening)));
    assert!(opened.contains(&Effect::Show(Mood::Listening)));
    assert_eq!(sent(&room.listen(50, 200)), (500..550).collect::<Vec<u16>>());
    let closed = room.close(false);
    assert_eq!(ends(&closed), [MicEnd::Closed]);
    assert!(closed.contains(&Effect::Show(Mood::Thinking)));
    assert_eq!(sent(&room.listen(50, 200)), [0_u16; 0]);
    assert_eq!(preroll(&room.wake()), (550..600).collect::<Vec<u16>>(), "nothing is sent twice");
}

#[test]
fn a_second_wake_word_or_a_stale_close_changes_nothing() {
    let mut room = Room::connected();
    room.wake();
    assert_eq!(room.wake(), []);
    assert_eq!(room.control(ToSatellite::CloseMic { utterance: Utterance(99), silent: false }), []);
    assert_eq!(sent(&room.listen(3, 0)).len(), 3);
}

#[test]
fn a_false_wake_is_closed_in_silence() {
    let mut room = Room::connected();
    room.wake();
    let closed = room.close(true);
    assert_eq!(closed, [Effect::End(Utterance(1), MicEnd::Closed), Effect::Show(Mood::Idle)]);
}

#[test]
fn an_utterance_of_a_minute_ends_by_itself() {
    let mut room = Room::connected();
    room.wake();
    let effects = room.listen(3_000, 255);
    assert_eq!(ends(&effects), [MicEnd::TooLong]);
    assert_eq!(sent(&effects).len(), UTTERANCE_FRAMES_MAX as usize);
}

#[test]
fn a_hundred_wakes_in_a_minute_open_and_close_one_after_the_other() {
    let mut room = Room::connected();
    let mut frames = 0;
    for _ in 0..100 {
        frames += preroll(&room.wake()).len();
        room.wake();
        frames += sent(&room.listen(10, 200)).len();
        assert_eq!(ends(&room.close(true)), [MicEnd::Closed]);
        room.listen(20, 0);
    }
    assert_eq!(room.utterances, 100);
    assert_eq!(frames, 10 + 99 * 30, "each frame at most once");
}

fn trouble(text: &str) -> Effect {
    Effect::Control(ToDaemon::Trouble { text: text.to_owned() })
}

#[test]
fn the_microphone_lost_in_mid_utterance_ends_it_and_is_told() {
    let mut room = Room::connected();
    room.wake();
    room.listen(20, 200);
    room.session.microphone_lost("unplugged".to_owned());
    let effects = room.effects();
    assert_eq!(ends(&effects), [MicEnd::MicLost]);
    assert!(effects.contains(&trouble("microphone lost: unplugged")));
    assert!(effects.contains(&Effect::Show(Mood::Trouble)));
    assert_eq!(room.button(Button::Press), [], "there is nothing to listen with");
    room.session.loudspeaker_lost("stolen".to_owned());
    assert_eq!(room.effects(), [trouble("microphone lost: unplugged; loudspeaker lost: stolen")]);
    room.session.microphone_back();
    let news = [trouble("loudspeaker lost: stolen"), Effect::Show(Mood::Thinking)];
    assert_eq!(room.effects(), news, "the daemon still owes a word");
    room.session.loudspeaker_back();
    assert_eq!(room.effects(), [trouble("")], "all is well");
    room.session.microphone_back();
    assert_eq!(room.effects(), [], "and that is no news");
    assert_eq!(room.control(ToSatellite::Show(Mood::Idle)), [Effect::Show(Mood::Idle)]);
    assert!(!room.wake().is_empty());
}

#[test]
fn muting_closes_the_microphone_and_forgets_what_it_heard() {
    let mut room = Room::connected();
    room.listen(100, 200);
    let muted = room.button(Button::Mute(true));
    let settings = Settings { volume_percent: 80, muted: true };
    assert!(muted.contains(&Effect::Mute(true)));
    assert!(muted.contains(&Effect::Control(ToDaemon::Settings(settings))));
    assert_eq!(room.wake(), []);
    assert_eq!(room.button(Button::Press), []);
    assert!(room.button(Button::Mute(false)).contains(&Effect::Mute(false)));
    assert_eq!(preroll(&room.wake()), [0_u16; 0]);
    let muted = room.control(ToSatellite::Settings(settings));
    assert_eq!(ends(&muted), [MicEnd::Released], "muting in mid-utterance ends it");
}

#[test]
fn push_to_talk_streams_while_it_is_held() {
    let mut room = Room::connected();
    room.listen(200, 0);
    let opened = room.button(Button::Press);
    assert_eq!(preroll(&opened).len(), SHORT_PREROLL_FRAMES);
    assert_eq!(sent(&room.listen(30, 0)).len(), 30);
    assert_eq!(ends(&room.button(Button::Release)), [MicEnd::Released]);
    assert_eq!(room.button(Button::Release), []);
    room.control(ToSatellite::Show(Mood::Idle));
    room.wake();
    assert_eq!(room.button(Button::Release), [], "a wake word's utterance is not the button's");
}

#[test]
fn a_wake_word_without_daemon_is_answered_by_the_satellite_itself() {
    let mut room = Room::new();
    room.listen(100, 200);
    assert_eq!(room.wake(), [Effect::Earcon(Earcon::Away)]);
    assert_eq!(room.wake(), [], "not again at once");
    room.listen(300, 0);
    assert_eq!(room.button(Button::Press), [Effect::Earcon(Earcon::Away)]);
    assert_eq!(room.up(true), [Effect::Volume(80), Effect::Show(Mood::Idle)], "silent until somebody speaks");
}

#[test]
fn a_short_loss_of_the_link_is_bridged_and_a_long_one_told() {
    let mut room = Room::connected();
    room.wake();
    room.listen(10, 200);
    assert_eq!(room.down(), []);
    assert_eq!(sent(&room.listen(100, 200)).len(), 100, "frames are kept by the link");
    room.up(false);
    assert_eq!(ends(&room.listen(200, 200)), []);
    room.down();
    let effects = room.listen(200, 200);
    assert_eq!(ends(&effects), [MicEnd::Closed]);
    assert!(effects.contains(&Effect::Earcon(Earcon::Away)));
    assert!(effects.contains(&Effect::Show(Mood::Trouble)));
}

#[test]
fn an_answer_that_never_comes_because_the_link_went_is_told() {
    let mut room = Room::connected();
    room.wake();
    room.close(false);
    room.down();
    assert!(room.listen(200, 0).contains(&Effect::Earcon(Earcon::Away)));
}

#[test]
fn calling_while_it_speaks_silences_it() {
    let mut room = Room::connected();
    assert!(room.session.set_speaking(true, room.now));
    assert_eq!(room.effects(), [Effect::Show(Mood::Speaking)]);
    let effects = room.wake();
    assert_eq!(effects[0], Effect::Silence { generation: None, refuse: true });
    assert_eq!(room.utterances, 1);
}

#[test]
fn stop_silences_at_once_and_tells_the_daemon() {
    let mut room = Room::connected();
    room.session.set_speaking(true, room.now);
    room.effects();
    assert_eq!(
        room.button(Button::Stop),
        [Effect::Silence { generation: None, refuse: true }, Effect::Control(ToDaemon::StopPressed)]
    );
    let generation = Generation(4);
    assert_eq!(
        room.control(ToSatellite::StopPlayback { generation }),
        [Effect::Silence { generation: Some(generation), refuse: false }]
    );
}

#[test]
fn a_follow_up_waits_for_the_loudspeaker_and_for_a_voice() {
    let mut room = Room::connected();
    room.session.set_speaking(true, room.now);
    room.control(ToSatellite::Listen { window_ms: 2_000 });
    assert_eq!(sent(&room.listen(20, 255)), [0_u16; 0], "it would hear itself");
    assert_eq!(room.utterances, 0);
    room.session.set_speaking(false, room.now);
    assert_eq!(room.effects(), [Effect::Show(Mood::Listening)]);
    room.listen(20, 10);
    assert_eq!(room.utterances, 0);
    let effects = room.listen(5, 250);
    assert!(matches!(effects[0], Effect::Open { opened: Opened::FollowUp, .. }));
    room.close(true);
    room.control(ToSatellite::Listen { window_ms: 500 });
    assert_eq!(room.listen(30, 0), [Effect::Show(Mood::Idle)], "nobody spoke, nothing was sent");
}

#[test]
fn volume_is_kept_within_its_range_and_told_to_both_ends() {
    let mut room = Room::connected();
    assert_eq!(
        room.button(Button::Volume(30)),
        [Effect::Volume(30), Effect::Control(ToDaemon::Settings(Settings { volume_percent: 30, muted: false }))]
    );
    let loud = ToSatellite::Settings(Settings { volume_percent: 255, muted: false });
    assert_eq!(room.control(loud), [Effect::Volume(100)]);
}

//! Events on their way to the session. However slow that is, the control stream is read: pings are answered, acknowledgements and
//! greetings taken, so that a session in trouble, or a daemon that floods it, costs neither the link nor what is being said.

use std::collections::VecDeque;
use std::mem::discriminant;

use jarvis_link::answer::Piece;
use jarvis_link::message::ToSatellite;

use super::{AnswerEvent, NetEvent};

/// Events above which answers are left to flow control, and control messages take the place of older ones of their kind.
const EVENTS_MAX: usize = 64;

/// The queue. It holds no more than [`EVENTS_MAX`] events, what one read of an answer brings, and one of each kind of control message.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: VecDeque<NetEvent>,
}

impl Waiting {
    /// Whether more of an answer may be read.
    pub(super) fn has_room(&self) -> bool {
        self.events.len() < EVENTS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<NetEvent> {
        self.events.pop_front()
    }

    /// Drop policy of a full queue: of control messages of one kind the newest counts (what to show, the settings, which utterance is
    /// closed, up to where to be silent, how long to listen), and of comings and goings of the link the last.
    pub(super) fn push(&mut self, event: NetEvent) {
        let event = if self.has_room() { event } else { self.replace(event) };
        self.events.push_back(event);
    }

    /// A piece of an answer; no more than what one read brings come after [`Waiting::has_room`] has denied.
    pub(super) fn push_piece(&mut self, piece: Piece) {
        self.events.push_back(NetEvent::Answer(match piece {
            Piece::Start { generation, rate_hz } => AnswerEvent::Start { generation, rate_hz },
            Piece::Sentence { generation, index } => AnswerEvent::Sentence { generation, index },
            Piece::Pcm { generation, samples } => AnswerEvent::Pcm { generation, samples },
            Piece::End { generation, .. } => AnswerEvent::End { generation },
            Piece::Cut { generation } => AnswerEvent::Cut { generation },
        }));
    }

    /// Takes out what `event` makes void, and gives what is to be told in its place.
    fn replace(&mut self, event: NetEvent) -> NetEvent {
        match event {
            NetEvent::Control(message) => {
                self.events.retain(|older| !same_kind(older, &message));
                NetEvent::Control(message)
            }
            NetEvent::Up { room, settings, new_daemon } => {
                let before = self.events.iter().any(|older| matches!(older, NetEvent::Up { new_daemon: true, .. }));
                self.events.retain(|older| !matches!(older, NetEvent::Up { .. } | NetEvent::Down { .. }));
                NetEvent::Up { room, settings, new_daemon: new_daemon || before }
            }
            NetEvent::Down { reason } => {
                self.events.retain(|older| !matches!(older, NetEvent::Down { .. }));
                NetEvent::Down { reason }
            }
            piece @ NetEvent::Answer(_) => piece,
        }
    }
}

fn same_kind(older: &NetEvent, message: &ToSatellite) -> bool {
    matches!(older, NetEvent::Control(older) if discriminant(older) == discriminant(message))
}

#[cfg(test)]
mod tests {
    use jarvis_link::message::{Generation, Mood, Settings, Utterance};

    use super::*;

    fn show(mood: Mood) -> NetEvent {
        NetEvent::Control(ToSatellite::Show(mood))
    }

    fn up(new_daemon: bool) -> NetEvent {
        let settings = Settings { volume_percent: 1, muted: false };
        NetEvent::Up { room: String::from("kitchen"), settings, new_daemon }
    }

    fn down(reason: &str) -> NetEvent {
        NetEvent::Down { reason: reason.to_owned() }
    }

    fn drained(mut waiting: Waiting) -> Vec<NetEvent> {
        std::iter::from_fn(|| waiting.pop()).collect()
    }

    #[test]
    fn while_there_is_room_everything_is_told() {
        let mut waiting = Waiting::default();
        let told =
            [show(Mood::Idle), show(Mood::Thinking), show(Mood::Idle), down("a"), up(true), down("b"), up(false)];
        told.iter().for_each(|event| waiting.push(event.clone()));
        assert_eq!(drained(waiting), told);
    }

    #[test]
    fn a_flood_is_held_to_the_newest_of_each_kind_and_sound_is_never_dropped() {
        let mut waiting = Waiting::default();
        let generation = Generation(1);
        for _ in 0..EVENTS_MAX {
            waiting.push_piece(Piece::Pcm { generation, samples: Vec::new() });
        }
        assert!(!waiting.has_room());
        for number in 0..10_000 {
            waiting.push(NetEvent::Control(ToSatellite::CloseMic { utterance: Utterance(number), silent: false }));
            waiting.push(show(if number % 2 == 0 { Mood::Idle } else { Mood::Thinking }));
            waiting.push(down("lost"));
            waiting.push(up(number == 5));
            waiting.push(NetEvent::Control(ToSatellite::Listen { window_ms: 7 }));
        }
        let told = drained(waiting);
        let pieces = told.iter().take_while(|event| matches!(event, NetEvent::Answer(_))).count();
        assert_eq!(pieces, EVENTS_MAX);
        let wanted = [
            NetEvent::Control(ToSatellite::CloseMic { utterance: Utterance(9_999), silent: false }),
            show(Mood::Thinking),
            // That another daemon is there was not told yet, and still is true.
            up(true),
            NetEvent::Control(ToSatellite::Listen { window_ms: 7 }),
        ];
        assert_eq!(&told[pieces..], wanted);
    }
}

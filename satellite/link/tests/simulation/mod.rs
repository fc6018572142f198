//! A satellite, a daemon and a network between them, without any of the three.
//!
//! Length: both ends and the network between them are one world.

mod network;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jarvis_link::answer::{AnswerStream, Verdict};
use jarvis_link::daemon_end::{DaemonEnd, House, Output as FromDaemon};
use jarvis_link::inbox::{Cut, Heard, Inbox, MicStream};
use jarvis_link::message::{
    Answer, DaemonMicros, Generation, MIC_FRAME_BYTES, MicEnd, Opened, SatMicros, Settings, Utterance,
};
use jarvis_link::outbox::{FRAMES_KEPT_MAX, KEPT_MAX, MicOut};
use jarvis_link::satellite_end::{About, Input, Output as FromSatellite, SatelliteEnd};
use network::{MicPart, Network, Parcel};

/// The clock's grain.
const TICK_US: u64 = 5_000;
/// The daemon's clock was started this much earlier.
const AHEAD_US: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy)]
pub enum Step {
    Pass(u64),
    Begin,
    Frames(u16),
    End,
    Cut,
    Mend,
    RestartDaemon,
    Settle,
    Answer,
}

#[derive(Default)]
struct Utterances {
    /// Of this run of the daemon: frames heard so far, and the end.
    heard: BTreeMap<Utterance, (u32, Option<Option<MicEnd>>)>,
}

/// The daemon's utterance streams on its connection: read one after the other.
#[derive(Default)]
struct Reading {
    /// The stream that is read.
    current: u64,
    state: MicStream,
    waiting: BTreeMap<u64, VecDeque<MicPart>>,
}

pub struct World {
    now: u64,
    satellite: SatelliteEnd,
    daemon: Option<DaemonEnd>,
    inbox: Option<Inbox>,
    run: u64,
    reading: Reading,
    next_stream: u64,
    open_stream: Option<u64>,
    network: Network,
    dialling: bool,
    ups: usize,
    utterance: u64,
    open: Option<Utterance>,
    said: BTreeMap<Utterance, u32>,
    of_run: Utterances,
    last: Option<(u32, MicEnd)>,
    /// Utterances that any run of the daemon saw to an end.
    ended: BTreeSet<Utterance>,
    generation: u64,
    answers: BTreeMap<u64, AnswerStream>,
    /// Utterances whose complete answer the satellite has.
    answered: BTreeSet<Utterance>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let about = About { software: String::new(), phrases: vec![], echo_cancelled: false, run: 1 };
        let mut satellite = SatelliteEnd::new(about, SatMicros(0));
        satellite.handle_timeout(SatMicros(0));
        Self {
            now: 0,
            satellite,
            daemon: None,
            inbox: Some(Inbox::default()),
            run: 1,
            reading: Reading::default(),
            next_stream: 0,
            open_stream: None,
            network: Network::new(seed),
            dialling: false,
            ups: 0,
            utterance: 0,
            open: None,
            said: BTreeMap::new(),
            of_run: Utterances::default(),
            last: None,
            ended: BTreeSet::new(),
            generation: 0,
            answers: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }

    pub fn step(&mut self, step: Step) {
        let now = SatMicros(self.now);
        match step {
            Step::Pass(us) => return (0..us.div_ceil(TICK_US)).for_each(|_| self.tick()),
            Step::Begin => {
                self.close_open();
                self.utterance += 1;
                let utterance = Utterance(self.utterance);
                self.satellite.begin(utterance, Opened::Button, 0, now).unwrap();
                self.said.insert(utterance, 0);
                self.open = Some(utterance);
            }
            Step::Frames(frames) => {
                let Some(utterance) = self.open else { return };
                for _ in 0..frames {
                    let pcm = Box::new([0; MIC_FRAME_BYTES]);
                    if self.satellite.frame(utterance, now, 0, pcm, now).is_ok() {
                        *self.said.get_mut(&utterance).unwrap() += 1;
                    }
                }
            }
            Step::End => self.close_open(),
            Step::Cut => self.network.mended = false,
            Step::Mend => self.network.mended = true,
            Step::RestartDaemon => {
                self.network.daemon_dies();
                self.daemon = None;
                self.inbox = Some(Inbox::default());
                self.run += 1;
                self.of_run = Utterances::default();
            }
            Step::Settle => {
                let ended = self.of_run.ended();
                if let Some(daemon) = &mut self.daemon {
                    ended.into_iter().for_each(|utterance| daemon.settle(utterance));
                }
            }
            Step::Answer => self.answer(),
        }
        self.tick();
    }

    /// The machines sleep, and look at their clocks before they look at what came.
    pub fn sleep(&mut self, us: u64) {
        self.now += us;
        self.satellite.handle_timeout(SatMicros(self.now));
        self.satellite_outputs();
        self.daemon_timeouts();
        self.daemon_outputs();
    }

    /// The network is mended, the microphone closed, and time passes.
    pub fn settle_down(&mut self) {
        self.network.mended = true;
        self.close_open();
        self.step(Step::Pass(20_000_000));
    }

    pub fn check(&self) {
        assert!(self.satellite.is_up());
        for (utterance, (frames, end)) in &self.of_run.heard {
            let end = end.unwrap_or_else(|| panic!("{utterance:?} never came to an end"));
            if let Some(end) = end {
                assert_eq!((*frames, end), (self.said[utterance], MicEnd::Closed), "{utterance:?}");
            }
        }
        let outbox = self.satellite.outbox();
        assert!(outbox.len() <= KEPT_MAX && outbox.frames_kept() <= FRAMES_KEPT_MAX);
        // The bounds may drop an older one; the newest is always answered for.
        if let Some((newest, _)) = self.said.last_key_value() {
            assert!(self.ended.contains(newest), "{newest:?} was lost in silence");
        }
    }

    pub fn is_up(&self) -> bool {
        self.satellite.is_up()
    }

    pub fn ups(&self) -> usize {
        self.ups
    }

    pub fn last_heard(&self) -> Option<(u32, MicEnd)> {
        self.last
    }

    /// What this run of the daemon was told of, and how many frames of each.
    pub fn heard_of_run(&self) -> Vec<(u64, u32)> {
        self.of_run.heard.iter().map(|(utterance, (frames, _))| (utterance.0, *frames)).collect()
    }

    fn close_open(&mut self) {
        if let Some(utterance) = self.open.take() {
            // It is refused where the bound had ended the utterance already.
            let ended = self.satellite.end(utterance, MicEnd::Closed, SatMicros(self.now));
            assert!(ended.is_ok() || self.satellite.outbox().is_empty() || self.said[&utterance] > 0);
        }
    }

    /// The daemon answers at once, and whole, what it has heard.
    fn answer(&mut self) {
        let Some((daemon, newest)) = self.daemon.as_mut().and_then(|daemon| {
            let newest = daemon.is_up().then(|| daemon.newest_utterance()).flatten()?;
            Some((daemon, newest))
        }) else {
            return;
        };
        self.generation += 1;
        let stream = self.generation;
        let last = daemon.answered_until(newest).map_or(Answer::End, |newest| Answer::Answered { newest });
        daemon.settle_until(newest);
        let start = Answer::Start { generation: Generation(stream), rate_hz: 16_000 };
        for frame in [start, last] {
            let ended = self.of_run.ended();
            self.network.post(self.now, Parcel::Answer(stream, frame, ended));
        }
    }

    fn tick(&mut self) {
        self.now += TICK_US;
        while let Some(parcel) = self.network.arrival(self.now) {
            self.arrive(parcel);
        }
        let now = SatMicros(self.now);
        if self.satellite.poll_timeout().is_some_and(|at| now >= at) {
            self.satellite.handle_timeout(now);
        }
        self.satellite_outputs();
        self.daemon_timeouts();
        self.daemon_outputs();
    }

    fn daemon_now(&self) -> DaemonMicros {
        DaemonMicros(self.now + AHEAD_US)
    }

    fn post(&mut self, parcel: Parcel) {
        self.network.post(self.now, parcel);
    }

    fn arrive(&mut self, parcel: Parcel) {
        let (now, daemon_now) = (SatMicros(self.now), self.daemon_now());
        match parcel {
            Parcel::Dial(first) => {
                let inbox = self.daemon.take().map(DaemonEnd::into_inbox).or(self.inbox.take()).unwrap_or_default();
                let settings = Settings { volume_percent: 50, muted: false };
                let house = House { room: String::from("kitchen"), settings, run: self.run };
                self.daemon = Some(DaemonEnd::new(house, inbox, daemon_now));
                self.reading = Reading { current: first, ..Reading::default() };
                self.post(Parcel::Dialled);
            }
            Parcel::Dialled if self.dialling => {
                self.dialling = false;
                self.satellite.handle(Input::Connected, now);
            }
            Parcel::Dialled => {}
            Parcel::Closed => {
                self.network.connection += 1;
                self.open_stream = None;
                self.satellite.handle(Input::Lost { reason: String::new(), refused: false }, now);
            }
            Parcel::Down(message) => self.satellite.handle(Input::Control(message), now),
            Parcel::Answer(stream, frame, ended) => {
                let state = self.answers.entry(stream).or_default();
                let last = matches!(frame, Answer::Answered { .. });
                if matches!(self.satellite.answer(state, frame), Verdict::Hear(_)) && last {
                    self.answered.extend(ended);
                }
            }
            Parcel::Stop(stream) => {
                if self.open_stream == Some(stream) {
                    self.open_stream = None;
                    self.satellite.mic_stopped();
                }
            }
            // A new run of the daemon does not know the connection: it answers with a reset.
            _ if self.daemon.is_none() => self.post(Parcel::Closed),
            Parcel::Up(message) => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.control(message, daemon_now);
                }
            }
            Parcel::Mic(stream, part) => {
                self.reading.waiting.entry(stream).or_default().push_back(part);
                self.read();
            }
        }
    }

    /// Reads what has come of the streams whose turn it is.
    fn read(&mut self) {
        let daemon_now = self.daemon_now();
        let Some(daemon) = &mut self.daemon else { return };
        let reading = &mut self.reading;
        while let Some(part) = reading.waiting.get_mut(&reading.current).and_then(VecDeque::pop_front) {
            let over = match part {
                MicPart::Frame(frame) => daemon.mic(&mut reading.state, frame, daemon_now).then(|| {
                    self.network.post(self.now, Parcel::Stop(reading.current));
                }),
                MicPart::Fin | MicPart::Reset => {
                    daemon.mic_ended(&mut reading.state);
                    Some(())
                }
            };
            if over.is_some() {
                reading.waiting.remove(&reading.current);
                reading.current += 1;
                reading.state = MicStream::Fresh;
            }
        }
    }

    fn satellite_outputs(&mut self) {
        while let Some(output) = self.satellite.poll_output() {
            match output {
                FromSatellite::Dial => {
                    self.network.connection += 1;
                    self.dialling = true;
                    self.open_stream = None;
                    self.post(Parcel::Dial(self.next_stream + 1));
                }
                FromSatellite::Drop(_) => {
                    self.network.connection += 1;
                    self.dialling = false;
                    self.open_stream = None;
                }
                FromSatellite::Send(message) => self.post(Parcel::Up(message)),
                FromSatellite::Up { .. } => self.ups += 1,
                FromSatellite::Down { .. } | FromSatellite::Control(_) => {}
            }
        }
        while let Some(out) = self.satellite.poll_mic(SatMicros(self.now)) {
            match (out, self.open_stream) {
                (MicOut::Open(_), _) => {
                    self.next_stream += 1;
                    self.open_stream = Some(self.next_stream);
                }
                (MicOut::Write(frame), Some(stream)) => self.post(Parcel::Mic(stream, MicPart::Frame(frame))),
                (MicOut::Finish, Some(stream)) => {
                    self.open_stream = None;
                    self.post(Parcel::Mic(stream, MicPart::Fin));
                }
                (MicOut::Abandon, Some(stream)) => {
                    self.open_stream = None;
                    self.post(Parcel::Mic(stream, MicPart::Reset));
                }
                (out, None) => panic!("{out:?} without a stream"),
            }
        }
    }

    fn daemon_timeouts(&mut self) {
        let now = self.daemon_now();
        if let Some(daemon) = &mut self.daemon
            && daemon.poll_timeout().is_some_and(|at| now >= at)
        {
            daemon.handle_timeout(now);
        }
        if let Some(inbox) = &mut self.inbox {
            let heard = inbox.handle_timeout(now);
            heard.into_iter().for_each(|heard| self.hear(heard));
        }
    }

    fn daemon_outputs(&mut self) {
        while let Some(output) = self.daemon.as_mut().and_then(DaemonEnd::poll_output) {
            match output {
                FromDaemon::Send(message) => self.post(Parcel::Down(message)),
                FromDaemon::Close(_) => {
                    self.inbox = self.daemon.take().map(DaemonEnd::into_inbox);
                    self.post(Parcel::Closed);
                }
                FromDaemon::Heard(heard) => self.hear(heard),
                FromDaemon::Greeted(_) | FromDaemon::Control(_) => {}
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match &heard {
            Heard::Opened { utterance, .. } => {
                assert!(!self.answered.contains(utterance), "{utterance:?} was answered, and is asked again");
            }
            Heard::Cut { utterance, cut: Cut::Broken } => {
                let kept = self.satellite.outbox().holds(*utterance);
                assert!(!kept, "{utterance:?} was cut, and the satellite has it still");
            }
            _ => {}
        }
        if let Heard::Ended { utterance, .. } | Heard::Cut { utterance, .. } = &heard {
            self.ended.insert(*utterance);
        }
        if let Some(whole) = self.of_run.take(heard) {
            self.last = Some(whole);
        }
    }
}

impl Utterances {
    fn ended(&self) -> Vec<Utterance> {
        self.heard.iter().filter(|(_, (_, end))| end.is_some()).map(|(of, _)| *of).collect()
    }

    /// Takes what was told, each utterance after the other; says what has ended in order.
    fn take(&mut self, heard: Heard) -> Option<(u32, MicEnd)> {
        match heard {
            Heard::Opened { utterance, .. } => {
                let open = self.heard.iter().find(|(_, (_, end))| end.is_none());
                assert!(open.is_none(), "{utterance:?} begins within {open:?}");
                assert!(self.heard.keys().all(|before| *before < utterance), "{utterance:?} comes late, or twice");
                self.heard.insert(utterance, (0, None));
            }
            Heard::Frame { utterance, seq, .. } => {
                let (next, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!((seq, *end), (*next, None), "{utterance:?}");
                *next += 1;
            }
            Heard::Ended { utterance, reason } => {
                let (frames, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!(end.replace(Some(reason)), None, "{utterance:?} ended twice");
                return Some((*frames, reason));
            }
            Heard::Cut { utterance, .. } => {
                let (_, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!(end.replace(None), None, "{utterance:?} ended twice");
            }
        }
        None
    }
}

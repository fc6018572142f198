//! A satellite, a daemon and a network between them, without any of the three.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jarvis_link::daemon_end::{DaemonEnd, House, Output as FromDaemon};
use jarvis_link::inbox::{Heard, Inbox, MicStream};
use jarvis_link::message::{
    DaemonMicros, MIC_FRAME_BYTES, Mic, MicEnd, Opened, SatMicros, Settings, ToDaemon, ToSatellite, Utterance,
};
use jarvis_link::outbox::{FRAMES_KEPT_MAX, KEPT_MAX, MicOut};
use jarvis_link::satellite_end::{About, Input, Output as FromSatellite, SatelliteEnd};

/// One way through the network.
const WAY_US: u64 = 15_000;
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
}

/// What travels, and when it arrives.
enum Parcel {
    Dial,
    Dialled,
    Closed,
    Up(ToDaemon),
    Down(ToSatellite),
    Open(u64),
    Mic(u64, Mic),
    Fin(u64),
    Stop(u64),
}

#[derive(Default)]
struct Utterances {
    /// Of this run of the daemon: frames heard so far, and the end.
    heard: BTreeMap<Utterance, (u32, Option<Option<MicEnd>>)>,
}

pub struct World {
    now: u64,
    satellite: SatelliteEnd,
    daemon: Option<DaemonEnd>,
    inbox: Option<Inbox>,
    run: u64,
    streams: BTreeMap<u64, MicStream>,
    next_stream: u64,
    open_stream: Option<u64>,
    network: VecDeque<(u64, u64, Parcel)>,
    connection: u64,
    mended: bool,
    dialling: bool,
    ups: usize,
    utterance: u64,
    open: Option<Utterance>,
    said: BTreeMap<Utterance, (u32, bool)>,
    of_run: Utterances,
    last: Option<(u32, MicEnd)>,
    /// Utterances that any run of the daemon saw to an end.
    ended: BTreeSet<Utterance>,
}

impl World {
    pub fn new() -> Self {
        let about = About { software: String::new(), phrases: vec![], echo_cancelled: false, run: 1 };
        let mut satellite = SatelliteEnd::new(about, SatMicros(0));
        satellite.handle_timeout(SatMicros(0));
        Self {
            now: 0,
            satellite,
            daemon: None,
            inbox: Some(Inbox::default()),
            run: 1,
            streams: BTreeMap::new(),
            next_stream: 0,
            open_stream: None,
            network: VecDeque::new(),
            connection: 0,
            mended: true,
            dialling: false,
            ups: 0,
            utterance: 0,
            open: None,
            said: BTreeMap::new(),
            of_run: Utterances::default(),
            last: None,
            ended: BTreeSet::new(),
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
                self.said.insert(utterance, (0, false));
                self.open = Some(utterance);
            }
            Step::Frames(frames) => {
                let Some(utterance) = self.open else { return };
                for _ in 0..frames {
                    let pcm = Box::new([0; MIC_FRAME_BYTES]);
                    if self.satellite.frame(utterance, now, 0, pcm, now).is_ok() {
                        self.said.get_mut(&utterance).unwrap().0 += 1;
                    }
                }
            }
            Step::End => self.close_open(),
            Step::Cut => self.mended = false,
            Step::Mend => self.mended = true,
            Step::RestartDaemon => {
                self.daemon = None;
                self.inbox = Some(Inbox::default());
                self.streams.clear();
                self.run += 1;
                self.of_run = Utterances::default();
            }
            Step::Settle => {
                if let Some(daemon) = &mut self.daemon {
                    let ended: Vec<_> =
                        self.of_run.heard.iter().filter(|(_, (_, end))| end.is_some()).map(|(of, _)| *of).collect();
                    ended.into_iter().for_each(|utterance| daemon.settle(utterance));
                }
            }
        }
        self.tick();
    }

    /// The network is mended, the microphone closed, and time passes.
    pub fn settle_down(&mut self) {
        self.mended = true;
        self.close_open();
        self.step(Step::Pass(20_000_000));
    }

    pub fn check(&self) {
        assert!(self.satellite.is_up());
        for (utterance, (frames, end)) in &self.of_run.heard {
            let end = end.unwrap_or_else(|| panic!("{utterance:?} never came to an end"));
            if let Some(end) = end {
                let said = self.said[utterance];
                assert_eq!((*frames, end), (said.0, MicEnd::Closed), "{utterance:?}");
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

    fn close_open(&mut self) {
        if let Some(utterance) = self.open.take() {
            // It is refused where the bound had ended the utterance already.
            let ended = self.satellite.end(utterance, MicEnd::Closed, SatMicros(self.now));
            assert!(ended.is_ok() || self.satellite.outbox().is_empty() || self.said[&utterance].0 > 0);
            self.said.get_mut(&utterance).unwrap().1 = true;
        }
    }

    fn tick(&mut self) {
        self.now += TICK_US;
        self.deliver();
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

    /// Reliable while the network is mended: QUIC sends again what was lost. What is of an older connection is dropped.
    fn post(&mut self, parcel: Parcel) {
        self.network.push_back((self.now + WAY_US, self.connection, parcel));
    }

    fn deliver(&mut self) {
        if !self.mended {
            return;
        }
        while self.network.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, connection, parcel)) = self.network.pop_front() else { return };
            if connection == self.connection {
                self.arrive(parcel);
            }
        }
    }

    fn arrive(&mut self, parcel: Parcel) {
        let (now, daemon_now) = (SatMicros(self.now), self.daemon_now());
        match parcel {
            Parcel::Dial => {
                let inbox = self.daemon.take().map(DaemonEnd::into_inbox).or(self.inbox.take()).unwrap_or_default();
                let settings = Settings { volume_percent: 50, muted: false };
                let house = House { room: String::from("kitchen"), settings, run: self.run };
                self.daemon = Some(DaemonEnd::new(house, inbox, daemon_now));
                self.streams.clear();
                self.post(Parcel::Dialled);
            }
            Parcel::Dialled if self.dialling => {
                self.dialling = false;
                self.satellite.handle(Input::Connected, now);
            }
            Parcel::Dialled => {}
            Parcel::Closed => {
                self.open_stream = None;
                self.satellite.handle(Input::Lost { reason: String::new(), refused: false }, now);
            }
            Parcel::Down(message) => self.satellite.handle(Input::Control(message), now),
            Parcel::Stop(stream) => {
                if self.open_stream == Some(stream) {
                    self.open_stream = None;
                    self.satellite.mic_stopped();
                }
            }
            // A new run of the daemon does not know the connection: it answers with a reset.
            _ if self.daemon.is_none() => self.post(Parcel::Closed),
            Parcel::Up(message) => self.with_daemon(|daemon, _| daemon.control(message, daemon_now)),
            Parcel::Open(stream) => drop(self.streams.insert(stream, MicStream::Fresh)),
            Parcel::Mic(stream, frame) => {
                let mut state = self.streams.remove(&stream).unwrap_or(MicStream::Over);
                let mut stop = false;
                self.with_daemon(|daemon, _| stop = daemon.mic(&mut state, frame, daemon_now));
                self.streams.insert(stream, state);
                if stop {
                    self.post(Parcel::Stop(stream));
                }
            }
            Parcel::Fin(stream) => {
                if let Some(mut state) = self.streams.remove(&stream) {
                    self.with_daemon(|daemon, _| daemon.mic_ended(&mut state));
                }
            }
        }
    }

    fn with_daemon(&mut self, act: impl FnOnce(&mut DaemonEnd, u64)) {
        if let Some(daemon) = &mut self.daemon {
            act(daemon, self.now);
        }
    }

    fn satellite_outputs(&mut self) {
        while let Some(output) = self.satellite.poll_output() {
            match output {
                FromSatellite::Dial => {
                    self.connection += 1;
                    self.dialling = true;
                    self.open_stream = None;
                    self.post(Parcel::Dial);
                }
                FromSatellite::Drop(_) => {
                    self.connection += 1;
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
                    self.post(Parcel::Open(self.next_stream));
                }
                (MicOut::Write(frame), Some(stream)) => self.post(Parcel::Mic(stream, frame)),
                (MicOut::Finish | MicOut::Abandon, Some(stream)) => {
                    self.open_stream = None;
                    self.post(Parcel::Fin(stream));
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
            heard.into_iter().for_each(|heard| self.of_run.take(heard, &mut self.last, &mut self.ended));
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
                FromDaemon::Heard(heard) => self.of_run.take(heard, &mut self.last, &mut self.ended),
                FromDaemon::Greeted(_) | FromDaemon::Control(_) => {}
            }
        }
    }
}

impl Utterances {
    fn take(&mut self, heard: Heard, last: &mut Option<(u32, MicEnd)>, ended: &mut BTreeSet<Utterance>) {
        if let Heard::Ended { utterance, .. } | Heard::Cut { utterance, .. } = &heard {
            ended.insert(*utterance);
        }
        match heard {
            Heard::Opened { utterance, .. } => {
                assert!(self.heard.insert(utterance, (0, None)).is_none(), "{utterance:?} was opened twice");
            }
            Heard::Frame { utterance, seq, .. } => {
                let (next, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!((seq, *end), (*next, None), "{utterance:?}");
                *next += 1;
            }
            Heard::Ended { utterance, reason } => {
                let (frames, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!(end.replace(Some(reason)), None, "{utterance:?} ended twice");
                *last = Some((*frames, reason));
            }
            Heard::Cut { utterance, .. } => {
                let (_, end) = self.heard.get_mut(&utterance).unwrap();
                assert_eq!(end.replace(None), None, "{utterance:?} ended twice");
            }
        }
    }
}

//! One satellite's connection: moves bytes between QUIC and [`DaemonEnd`], which decides.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::daemon_end::{DaemonEnd, Greeting, HELLO_US, House, Output};
use jarvis_link::frame::{Decoder, encode};
use jarvis_link::inbox::{Inbox, MicStream};
use jarvis_link::message::{DaemonMicros, Mic, SatMicros, Settings, ToDaemon, ToSatellite, Utterance};
use jarvis_link::transport::{Code, UNI_STREAMS, priority};
use quinn::{Connection, ReadError, RecvStream, SendStream, VarInt};
use tokio::sync::{mpsc, oneshot, watch};

use super::Clock;
use super::event::{HubEvent, SatelliteStatus};
use super::owner::Command;
use super::translate;

/// What may wait for a connection's task; then whoever asks is told that the satellite is stalled.
pub(super) const COMMANDS: usize = 64;
/// Of these, what messages to the satellite leave free: that an utterance is settled, or the connection to be closed, always finds room.
pub(super) const COMMANDS_KEPT_FREE: usize = 16;
/// Events waiting for the turn driver above which utterance streams are left to flow control.
const EVENTS_WAITING_MAX: usize = 64;
/// Events waiting above which the connection is closed: the satellite sends control messages that nobody takes.
const EVENTS_WAITING_LIMIT: usize = 512;
/// Bytes waiting for the control stream above which no command is taken: a flood of messages is held back at its source, and costs neither
/// the link nor what the satellite says.
const OUTGOING_BYTES_FULL: usize = 8 * 1024;
/// Bytes waiting for a satellite that does not read its control stream, though it goes on asking; then the connection is closed.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;
/// Shortest sleep, as timers are that coarse: the next round meets the deadline.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Bytes taken off a stream at once.
const CHUNK_BYTES: usize = 4096;
/// How long last words may take to get out before a connection is closed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a connection's task is told.
#[derive(Debug)]
pub(super) enum ToConnection {
    Send(ToSatellite),
    Settle(Utterance),
    AnswerBegun(u64),
    /// It is about to be complete: what does it answer?
    AnswerEnding(u64, oneshot::Sender<Option<Utterance>>),
    AnswerFinished(u64),
    Close(Code),
}

/// What the status page may know of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Live {
    pub(super) greeting: Option<Greeting>,
    pub(super) rtt_us: Option<u32>,
    pub(super) clock_offset_us: Option<i64>,
}

/// What is left of a connection.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) inbox: Inbox,
    pub(super) events: VecDeque<HubEvent>,
    pub(super) greeted: bool,
    pub(super) reason: String,
}

/// What a connection's task begins with.
pub(super) struct Start {
    pub(super) satellite: SatelliteId,
    pub(super) connection: Connection,
    pub(super) house: House,
    pub(super) status: SatelliteStatus,
    pub(super) inbox: Inbox,
    pub(super) clock: Clock,
    pub(super) events: mpsc::Sender<HubEvent>,
    pub(super) owner: mpsc::WeakSender<Command>,
    pub(super) commands: mpsc::Receiver<ToConnection>,
    pub(super) live: watch::Sender<Live>,
}

/// A stream of an utterance.
struct MicReader {
    stream: RecvStream,
    decoder: Decoder<Mic>,
    state: MicStream,
}

enum MicRead {
    Bytes(quinn::Chunk),
    Over,
}

struct Task {
    satellite: SatelliteId,
    status: SatelliteStatus,
    connection: Connection,
    end: DaemonEnd,
    clock: Clock,
    live: watch::Sender<Live>,
    owner: mpsc::WeakSender<Command>,
    waiting: VecDeque<HubEvent>,
    outgoing: VecDeque<u8>,
    closing: Option<Code>,
    greeted: bool,
    /// What the newest answer answers: its generation, and the newest utterance when it began.
    answering: Option<(u64, Utterance)>,
}

/// Runs until the connection is gone.
pub(super) async fn run(start: Start) -> Remains {
    let Start { satellite, connection, house, status, inbox, clock, events, owner, mut commands, live } = start;
    let mut task = Task {
        end: DaemonEnd::new(house, inbox, clock.now()),
        satellite,
        status,
        connection: connection.clone(),
        clock,
        live,
        owner,
        waiting: VecDeque::new(),
        outgoing: VecDeque::new(),
        closing: None,
        greeted: false,
        answering: None,
    };
    let limit = Duration::from_micros(HELLO_US);
    let reason = match tokio::time::timeout(limit, connection.accept_bi()).await {
        Ok(Ok((send, receive))) => task.serve(send, receive, &events, &mut commands).await,
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            connection.close(number(Code::Dead), b"no greeting");
            String::from("it did not greet")
        }
    };
    Remains { inbox: task.end.into_inbox(), events: task.waiting, greeted: task.greeted, reason }
}

impl Task {
    async fn serve(
        &mut self,
        mut send: SendStream,
        mut receive: RecvStream,
        events: &mpsc::Sender<HubEvent>,
        commands: &mut mpsc::Receiver<ToConnection>,
    ) -> String {
        if send.set_priority(priority::CONTROL).is_err() {
            return String::from("the control stream is closed");
        }
        let connection = self.connection.clone();
        let mut decoder = Decoder::<ToDaemon>::default();
        // In the order in which the satellite opened them. Only the first is read: the utterances come one after the other.
        let mut streams = VecDeque::new();
        loop {
            // Here, not in a branch below: where there is always something else to do, no timer would ever be the first.
            self.meet_deadline();
            self.drain();
            if let Some(code) = self.closing {
                return self.last_words(send, code).await;
            }
            let deadline = self.end.poll_timeout();
            let until = deadline.map_or(0, |at| at.0.saturating_sub(self.clock.now().0));
            let pause = Duration::from_micros(until).max(PAUSE_MIN);
            tokio::select! {
                permit = events.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => self.end.close(Code::Bye),
                },
                written = send.write(self.outgoing.as_slices().0), if !self.outgoing.is_empty() => match written {
                    Ok(written) => drop(self.outgoing.drain(..written)),
                    Err(_) => self.end.close(Code::Protocol),
                },
                chunk = receive.read_chunk(CHUNK_BYTES, true) => match chunk {
                    Ok(Some(chunk)) => self.control(&mut decoder, &chunk.bytes),
                    Ok(None) | Err(ReadError::Reset(_)) => self.end.close(Code::Protocol),
                    Err(_) => return gone(&connection),
                },
                stream = connection.accept_uni(), if streams.len() < UNI_STREAMS as usize => match stream {
                    Ok(stream) => streams.push_back(MicReader {
                        stream,
                        decoder: Decoder::default(),
                        state: MicStream::Fresh,
                    }),
                    Err(_) => return gone(&connection),
                },
                part = read(streams.front_mut()), if self.waiting.len() < EVENTS_WAITING_MAX => {
                    if let Some(reader) = streams.front_mut()
                        && !self.mic(reader, part)
                    {
                        streams.pop_front();
                    }
                }
                command = commands.recv(), if self.outgoing.len() < OUTGOING_BYTES_FULL => match command {
                    Some(command) => self.command(command),
                    None => self.end.close(Code::Bye),
                },
                error = connection.closed() => return error.to_string(),
                () = tokio::time::sleep(pause), if deadline.is_some() => {}
            }
        }
    }

    fn meet_deadline(&mut self) {
        let now = self.clock.now();
        if self.end.poll_timeout().is_some_and(|at| now >= at) {
            self.end.handle_timeout(now);
        }
    }

    fn control(&mut self, decoder: &mut Decoder<ToDaemon>, mut bytes: &[u8]) {
        loop {
            match decoder.next(&mut bytes) {
                Ok(Some(message)) => self.end.control(message, self.clock.now()),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(satellite = %self.satellite, %error, "control stream");
                    return self.end.broken();
                }
            }
        }
    }

    /// True: there may be more to read.
    fn mic(&mut self, reader: &mut MicReader, part: MicRead) -> bool {
        let MicRead::Bytes(chunk) = part else {
            if self.connection.close_reason().is_none() {
                self.end.mic_ended(&mut reader.state);
            }
            return false;
        };
        let mut bytes = &chunk.bytes[..];
        loop {
            match reader.decoder.next(&mut bytes) {
                Ok(Some(frame)) => {
                    if self.end.mic(&mut reader.state, frame, self.clock.now()) {
                        unwanted(&mut reader.stream);
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::warn!(satellite = %self.satellite, %error, "utterance stream");
                    self.end.mic_ended(&mut reader.state);
                    unwanted(&mut reader.stream);
                    return false;
                }
            }
        }
    }

    fn command(&mut self, command: ToConnection) {
        match command {
            ToConnection::Send(message) => {
                if let ToSatellite::CloseMic { utterance, silent: true } = message {
                    self.end.settle(utterance);
                }
                self.end.send(message);
            }
            ToConnection::Settle(utterance) => self.end.settle(utterance),
            ToConnection::AnswerBegun(generation) => {
                self.answering = self.end.newest_utterance().map(|newest| (generation, newest));
            }
            ToConnection::AnswerEnding(generation, reply) => {
                let newest = self.answered_by(generation).and_then(|newest| self.end.answered_until(newest));
                if reply.send(newest).is_err() {
                    tracing::debug!(satellite = %self.satellite, "the answer was broken off before its end");
                }
            }
            ToConnection::AnswerFinished(generation) => {
                if let Some(newest) = self.answered_by(generation) {
                    self.end.settle_until(newest);
                }
            }
            ToConnection::Close(code) => self.end.close(code),
        }
    }

    /// The newest utterance when that answer began, if it is the newest answer.
    fn answered_by(&self, generation: u64) -> Option<Utterance> {
        self.answering.filter(|(begun, _)| *begun == generation).map(|(_, newest)| newest)
    }

    fn drain(&mut self) {
        while let Some(output) = self.end.poll_output() {
            match output {
                Output::Send(message) => match encode(&message) {
                    Ok(bytes) => self.outgoing.extend(bytes),
                    Err(error) => tracing::error!(satellite = %self.satellite, %error, "a message that cannot be sent"),
                },
                Output::Close(code) => self.closing = Some(code),
                Output::Greeted(greeting) => {
                    self.greeted = true;
                    self.waiting.push_back(HubEvent::Connected {
                        satellite: self.satellite.clone(),
                        status: SatelliteStatus {
                            connected: true,
                            software: greeting.software.clone(),
                            echo_cancelled: greeting.echo_cancelled,
                            last_seen: Some(self.clock.now()),
                            ..self.status.clone()
                        },
                    });
                    self.live.send_modify(|live| live.greeting = Some(greeting));
                }
                Output::Heard(heard) => {
                    let event = translate::heard(&self.satellite, heard, |time| self.map(time));
                    self.waiting.push_back(event);
                }
                Output::Control(message) => {
                    if let ToDaemon::Settings(settings) = message {
                        self.keep(settings);
                    }
                    let event = translate::news(&self.satellite, message, |time| self.map(time));
                    self.waiting.extend(event);
                }
            }
        }
        if self.outgoing.len() > OUTGOING_BYTES_MAX {
            self.closing.get_or_insert(Code::Dead);
        }
        if self.waiting.len() > EVENTS_WAITING_LIMIT {
            self.closing.get_or_insert(Code::Flood);
        }
        let clock = self.end.clock();
        let (rtt_us, clock_offset_us) = (clock.rtt_us(), clock.offset_us());
        self.live.send_if_modified(|live| {
            let changed = (live.rtt_us, live.clock_offset_us) != (rtt_us, clock_offset_us);
            (live.rtt_us, live.clock_offset_us) = (rtt_us, clock_offset_us);
            changed
        });
    }
}

impl Task {
    /// Sends what is waiting, then closes.
    async fn last_words(&mut self, mut send: SendStream, code: Code) -> String {
        let words: Vec<u8> = self.outgoing.drain(..).collect();
        if !words.is_empty() {
            let said = async {
                send.write_all(&words).await.ok()?;
                send.finish().ok()?;
                send.stopped().await.ok()
            };
            if tokio::time::timeout(LAST_WORDS, said).await.is_err() {
                tracing::debug!(satellite = %self.satellite, "last words did not get through");
            }
        }
        self.connection.close(number(code), code.reason().as_bytes());
        code.reason().to_owned()
    }

    fn map(&self, time: SatMicros) -> DaemonMicros {
        self.end.to_daemon(time, self.clock.now())
    }

    fn keep(&self, settings: Settings) {
        let kept = self.owner.upgrade().is_some_and(|owner| {
            let command = Command::SettingsCame(self.satellite.clone(), settings);
            owner.try_send(command).is_ok()
        });
        if !kept {
            tracing::warn!(satellite = %self.satellite, "a change of volume or mute is not kept: the hub is busy");
        }
    }
}

/// A code as QUIC's number.
pub(super) fn number(code: Code) -> VarInt {
    VarInt::from_u32(code as u32)
}

/// Cancel-safe: a chunk is taken off the stream only when it is given out.
async fn read(reader: Option<&mut MicReader>) -> MicRead {
    let Some(reader) = reader else {
        return pending().await;
    };
    match reader.stream.read_chunk(CHUNK_BYTES, true).await {
        Ok(Some(chunk)) => MicRead::Bytes(chunk),
        Ok(None) | Err(_) => MicRead::Over,
    }
}

fn unwanted(stream: &mut RecvStream) {
    if stream.stop(number(Code::Unwanted)).is_err() {
        tracing::trace!("the utterance's stream is closed already");
    }
}

fn gone(connection: &Connection) -> String {
    connection.close_reason().map_or_else(|| String::from("a stream broke"), |error| error.to_string())
}

//! The link's owner task: moves bytes between QUIC and [`SatelliteEnd`], which decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jarvis_link::answer::{AnswerStream, Verdict};
use jarvis_link::frame::{Decoder, encode};
use jarvis_link::message::{Generation, MIC_FRAME_BYTES, MicEnd, Opened, SatMicros, ToDaemon, Utterance};
use jarvis_link::outbox::MicOut;
use jarvis_link::satellite_end::{Input, Output, SatelliteEnd};
use jarvis_link::transport::{Code, SERVER_NAME, priority};
use quinn::{Chunk, ConnectionError, ReadError, WriteError};
use tokio::sync::{Notify, mpsc};

use super::NetEvent;
use super::files::Daemon;
use super::line::{AnswerReader, Happened, Line, Mic, Session, Which, is_refusal, number};
use super::waiting::Waiting;

/// Bytes of control messages that may wait to be sent; the link is dead if there are more.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;
/// Shortest sleep: a deadline that cannot be met yet must not spin.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// How long the goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_millis(300);

/// What the handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Control(ToDaemon),
    Begin(Utterance, Opened, u16),
    Frame(Utterance, SatMicros, u8, Box<[u8; MIC_FRAME_BYTES]>),
    End(Utterance, MicEnd),
    StopAnswer(Generation),
}

/// The satellite's clock: microseconds since the link's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) zero: Instant,
}

impl Clock {
    pub(super) fn now(self) -> SatMicros {
        SatMicros(u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

pub(super) struct Driver {
    pub(super) daemon: Daemon,
    pub(super) config: quinn::ClientConfig,
    pub(super) endpoint: quinn::Endpoint,
    pub(super) clock: Clock,
    pub(super) end: SatelliteEnd,
    pub(super) events: mpsc::Sender<NetEvent>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) stop: Arc<Notify>,
}

impl Driver {
    /// Runs until it is stopped, or nobody holds a handle or takes events any more.
    pub(super) async fn run(mut self) {
        let mut line = Line::Down;
        let mut waiting = Waiting::default();
        loop {
            // Here, not in a branch below: where there is always something else to do, no timer would ever be the first.
            self.meet_deadline();
            self.outputs(&mut line, &mut waiting);
            self.pump(&mut line);
            let deadline = self.end.poll_timeout();
            let until = deadline.map_or(0, |at| at.0.saturating_sub(self.clock.now().0));
            let pause = Duration::from_micros(until).max(PAUSE_MIN);
            let events = self.events.clone();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command, &mut line),
                    None => break,
                },
                happened = line.happened(waiting.has_room()) => self.happened(happened, &mut line, &mut waiting),
                permit = events.reserve(), if !waiting.is_empty() => match (permit, waiting.pop()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => break,
                },
                () = tokio::time::sleep(pause), if deadline.is_some() => {}
                () = self.stop.notified() => break,
            }
        }
        self.goodbye(line).await;
    }

    fn meet_deadline(&mut self) {
        let now = self.clock.now();
        if self.end.poll_timeout().is_some_and(|at| now >= at) {
            self.end.handle_timeout(now);
        }
    }

    fn command(&mut self, command: Command, line: &mut Line) {
        let now = self.clock.now();
        let added = match command {
            Command::Control(message) => {
                if !self.end.control(message, now) {
                    tracing::debug!("a message was dropped: the daemon is away");
                }
                Ok(())
            }
            Command::Begin(utterance, opened, preroll) => self.end.begin(utterance, opened, preroll, now),
            Command::Frame(utterance, captured, voice, pcm) => self.end.frame(utterance, captured, voice, pcm, now),
            Command::End(utterance, reason) => self.end.end(utterance, reason, now),
            Command::StopAnswer(generation) => {
                self.end.gate.stop(generation);
                if let Line::Up(session) = line
                    && let Some(current) = &mut session.current
                    && current.state.generation().is_none_or(|open| open <= generation)
                {
                    current.refuse();
                    session.current = None;
                }
                Ok(())
            }
        };
        if let Err(error) = added {
            tracing::trace!(%error, "microphone");
        }
    }

    fn outputs(&mut self, line: &mut Line, waiting: &mut Waiting) {
        while let Some(output) = self.end.poll_output() {
            match output {
                Output::Dial => *line = self.dial(),
                Output::Drop(code) => self.hang_up(line, code, waiting),
                Output::Send(message) => self.send(line, &message),
                Output::Up { room, settings, new_daemon } => {
                    tracing::info!(%room, daemon = %self.daemon.address, "link up");
                    waiting.push(NetEvent::Up { room, settings, new_daemon });
                }
                Output::Down { reason } => {
                    tracing::info!(%reason, "link down");
                    waiting.push(NetEvent::Down { reason });
                }
                Output::Control(message) => waiting.push(NetEvent::Control(message)),
            }
        }
    }

    fn dial(&mut self) -> Line {
        match self.endpoint.connect_with(self.config.clone(), self.daemon.address, SERVER_NAME) {
            Ok(connecting) => Line::Dialling(Box::pin(async move {
                let connection = connecting.await?;
                let (send, receive) = connection.open_bi().await?;
                Ok((connection, send, receive))
            })),
            Err(error) => {
                let reason = error.to_string();
                self.end.handle(Input::Lost { reason, refused: false }, self.clock.now());
                Line::Down
            }
        }
    }

    fn send(&mut self, line: &mut Line, message: &ToDaemon) {
        let Line::Up(session) = line else {
            return;
        };
        match encode(message) {
            Ok(bytes) => session.outgoing.extend(bytes),
            Err(error) => tracing::error!(%error, "a message that cannot be sent"),
        }
    }

    /// Drops the line; an answer in the middle is cut.
    fn hang_up(&self, line: &mut Line, code: Code, waiting: &mut Waiting) {
        if let Line::Up(mut session) = std::mem::replace(line, Line::Down) {
            if let Some(mut current) = session.current.take() {
                current.state.ended(&self.end.gate).into_iter().for_each(|cut| waiting.push_piece(cut));
            }
            session.connection.close(number(code), code.reason().as_bytes());
        }
    }

    /// Puts the next piece of an utterance on its stream.
    fn pump(&mut self, line: &mut Line) {
        let Line::Up(session) = line else {
            return;
        };
        loop {
            match &mut session.mic {
                Mic::Opening => return,
                Mic::Open { unsent, .. } if !unsent.is_empty() => return,
                Mic::Idle | Mic::Open { .. } => {}
            }
            let Some(out) = self.end.poll_mic(self.clock.now()) else {
                return;
            };
            match (out, std::mem::replace(&mut session.mic, Mic::Idle)) {
                (MicOut::Open(_), _) => session.mic = Mic::Opening,
                (MicOut::Write(frame), Mic::Open { stream, .. }) => match encode(&frame) {
                    Ok(unsent) => session.mic = Mic::Open { stream, unsent },
                    Err(error) => {
                        tracing::error!(%error, "a frame that cannot be sent");
                        self.end.mic_stopped();
                    }
                },
                (MicOut::Finish, Mic::Open { mut stream, .. }) => {
                    if stream.finish().is_err() {
                        tracing::trace!("the utterance's stream is closed already");
                    }
                }
                (MicOut::Abandon, Mic::Open { mut stream, .. }) => {
                    if stream.reset(number(Code::Unwanted)).is_err() {
                        tracing::trace!("the utterance's stream is closed already");
                    }
                }
                (MicOut::Write(_) | MicOut::Finish | MicOut::Abandon, _) => {}
            }
        }
    }

    fn happened(&mut self, happened: Happened, line: &mut Line, waiting: &mut Waiting) {
        let now = self.clock.now();
        match happened {
            Happened::Dialled(Ok((connection, send, receive))) => {
                if send.set_priority(priority::CONTROL).is_err() {
                    tracing::debug!("the control stream is closed already");
                }
                *line = Line::Up(Box::new(Session {
                    connection,
                    send,
                    receive,
                    decoder: Decoder::default(),
                    outgoing: std::collections::VecDeque::new(),
                    mic: Mic::Idle,
                    current: None,
                    fresh: None,
                }));
                self.end.handle(Input::Connected, now);
            }
            Happened::Dialled(Err(error)) | Happened::Closed(error) => self.lost(line, &error, waiting),
            Happened::ControlWritten(Ok(written)) => {
                if let Line::Up(session) = line {
                    session.outgoing.drain(..written);
                    if session.outgoing.len() > OUTGOING_BYTES_MAX {
                        self.give_up(line, "the network takes nothing", waiting);
                    }
                }
            }
            Happened::ControlRead(Ok(Some(chunk))) => self.control(line, &chunk.bytes, waiting),
            Happened::ControlWritten(Err(_)) | Happened::ControlRead(_) => match line.closed() {
                Some(error) => self.lost(line, &error, waiting),
                None => self.give_up(line, "the daemon closed the control stream", waiting),
            },
            Happened::MicOpened(Ok(stream)) => {
                if let Line::Up(session) = line {
                    if stream.set_priority(priority::MICROPHONE).is_err() {
                        tracing::debug!("the utterance's stream is closed already");
                    }
                    session.mic = Mic::Open { stream, unsent: Vec::new() };
                }
            }
            Happened::MicWritten(Ok(written)) => {
                if let Line::Up(session) = line
                    && let Mic::Open { unsent, .. } = &mut session.mic
                {
                    unsent.drain(..written);
                }
            }
            Happened::MicWritten(Err(WriteError::Stopped(code))) if code == number(Code::Unwanted) => {
                if let Line::Up(session) = line {
                    session.mic = Mic::Idle;
                }
                self.end.mic_stopped();
            }
            // Stopped without a word, as by a task of the daemon that broke: nobody has said that the utterance is not wanted.
            Happened::MicWritten(Err(WriteError::Stopped(_) | WriteError::ClosedStream)) => {
                self.give_up(line, "the daemon dropped the utterance", waiting);
            }
            Happened::MicOpened(Err(_)) | Happened::MicWritten(Err(_)) | Happened::AnswerOpened(Err(_)) => {
                if let Some(error) = line.closed() {
                    self.lost(line, &error, waiting);
                }
            }
            Happened::AnswerOpened(Ok(stream)) => {
                if let Line::Up(session) = line {
                    // The streams come in the order they were opened in: the newer one is the newer answer.
                    let older = session.fresh.replace(AnswerReader {
                        stream,
                        decoder: Decoder::default(),
                        state: AnswerStream::default(),
                    });
                    if let Some(mut older) = older {
                        older.refuse();
                    }
                }
            }
            Happened::AnswerRead(which, read) => self.answer(line, &which, read, waiting),
        }
    }

    fn control(&mut self, line: &mut Line, mut bytes: &[u8], waiting: &mut Waiting) {
        let Line::Up(session) = line else {
            return;
        };
        loop {
            match session.decoder.next(&mut bytes) {
                Ok(Some(message)) => self.end.handle(Input::Control(message), self.clock.now()),
                Ok(None) => return,
                Err(error) => return self.give_up(line, &error.to_string(), waiting),
            }
        }
    }

    fn answer(
        &mut self,
        line: &mut Line,
        which: &Which,
        read: Result<Option<Chunk>, ReadError>,
        waiting: &mut Waiting,
    ) {
        let Line::Up(session) = line else {
            return;
        };
        let taken = match which {
            Which::Current => session.current.take(),
            Which::Fresh => session.fresh.take(),
        };
        let Some(mut reader) = taken else {
            return;
        };
        let Ok(Some(chunk)) = read else {
            reader.state.ended(&self.end.gate).into_iter().for_each(|cut| waiting.push_piece(cut));
            return;
        };
        let mut bytes = &chunk.bytes[..];
        loop {
            let verdict = match reader.decoder.next(&mut bytes) {
                Ok(Some(frame)) => self.end.answer(&mut reader.state, frame),
                Ok(None) => break,
                Err(_) => reader.state.broken(&self.end.gate),
            };
            match verdict {
                Verdict::Hear(piece) => waiting.push_piece(piece),
                Verdict::Stop => return reader.refuse(),
                Verdict::Broken(cut) => {
                    tracing::warn!("an answer stream that is none");
                    cut.into_iter().for_each(|cut| waiting.push_piece(cut));
                    return reader.refuse();
                }
            }
        }
        match reader.state {
            AnswerStream::Fresh => session.fresh = Some(reader),
            AnswerStream::Open { .. } | AnswerStream::Over => {
                if let Some(mut older) = session.current.replace(reader) {
                    older.refuse();
                }
            }
        }
    }

    fn lost(&mut self, line: &mut Line, error: &ConnectionError, waiting: &mut Waiting) {
        self.hang_up(line, Code::Dead, waiting);
        let lost = Input::Lost { reason: error.to_string(), refused: is_refusal(error) };
        self.end.handle(lost, self.clock.now());
    }

    fn give_up(&mut self, line: &mut Line, reason: &str, waiting: &mut Waiting) {
        self.hang_up(line, Code::Protocol, waiting);
        let lost = Input::Lost { reason: reason.to_owned(), refused: false };
        self.end.handle(lost, self.clock.now());
    }

    async fn goodbye(mut self, line: Line) {
        self.end.close();
        if let Line::Up(mut session) = line {
            while let Some(output) = self.end.poll_output() {
                if let Output::Send(message) = output
                    && let Ok(bytes) = encode(&message)
                {
                    session.outgoing.extend(bytes);
                }
            }
            let words: Vec<u8> = session.outgoing.drain(..).collect();
            let said = async {
                session.send.write_all(&words).await.ok()?;
                session.send.finish().ok()?;
                session.send.stopped().await.ok()
            };
            if tokio::time::timeout(GOODBYE_LIMIT, said).await.is_err() {
                tracing::debug!("the goodbye did not get through");
            }
            session.connection.close(number(Code::Bye), Code::Bye.reason().as_bytes());
        }
        if tokio::time::timeout(GOODBYE_LIMIT, self.endpoint.wait_idle()).await.is_err() {
            tracing::debug!("the socket was closed early");
        }
    }
}

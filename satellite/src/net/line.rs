//! The line to the daemon: down, being dialled, or up with its streams; and what happens on it.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;

use jarvis_link::answer::AnswerStream;
use jarvis_link::frame::Decoder;
use jarvis_link::message::{Answer, ToSatellite};
use jarvis_link::transport::Code;
use quinn::{Chunk, Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};

/// Bytes taken off a stream at once.
const CHUNK_BYTES: usize = 4096;

pub(super) type Dial =
    Pin<Box<dyn Future<Output = Result<(Connection, SendStream, RecvStream), ConnectionError>> + Send>>;

pub(super) enum Line {
    Down,
    Dialling(Dial),
    Up(Box<Session>),
}

pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    pub(super) decoder: Decoder<ToSatellite>,
    pub(super) outgoing: VecDeque<u8>,
    pub(super) mic: Mic,
    /// The answer that is heard, and one whose first frame is yet to come.
    pub(super) current: Option<AnswerReader>,
    pub(super) fresh: Option<AnswerReader>,
}

pub(super) enum Mic {
    Idle,
    Opening,
    Open { stream: SendStream, unsent: Vec<u8> },
}

pub(super) struct AnswerReader {
    pub(super) stream: RecvStream,
    pub(super) decoder: Decoder<Answer>,
    pub(super) state: AnswerStream,
}

pub(super) enum Which {
    Current,
    Fresh,
}

/// What happened on the line.
pub(super) enum Happened {
    Dialled(Result<(Connection, SendStream, RecvStream), ConnectionError>),
    Closed(ConnectionError),
    ControlWritten(Result<usize, WriteError>),
    ControlRead(Result<Option<Chunk>, ReadError>),
    MicOpened(Result<SendStream, ConnectionError>),
    MicWritten(Result<usize, WriteError>),
    AnswerOpened(Result<RecvStream, ConnectionError>),
    AnswerRead(Which, Result<Option<Chunk>, ReadError>),
}

impl Line {
    pub(super) fn closed(&self) -> Option<ConnectionError> {
        match self {
            Self::Up(session) => session.connection.close_reason(),
            Self::Down | Self::Dialling(_) => None,
        }
    }

    /// The next thing that happens; answers are read on only where there is room for `answers`. Cancel-safe: nothing is lost where it is dropped before it is ready.
    pub(super) async fn happened(&mut self, answers: bool) -> Happened {
        match self {
            Self::Down => pending().await,
            Self::Dialling(dial) => Happened::Dialled(dial.await),
            Self::Up(session) => session.happened(answers).await,
        }
    }
}

impl Session {
    async fn happened(&mut self, answers: bool) -> Happened {
        let Self { connection, send, receive, outgoing, mic, current, fresh, .. } = self;
        let (opening, writing) = match mic {
            Mic::Idle => (false, None),
            Mic::Opening => (true, None),
            Mic::Open { stream, unsent } => (false, (!unsent.is_empty()).then_some((stream, unsent))),
        };
        tokio::select! {
            error = connection.closed() => Happened::Closed(error),
            written = send.write(outgoing.as_slices().0), if !outgoing.is_empty() => Happened::ControlWritten(written),
            stream = connection.open_uni(), if opening => Happened::MicOpened(stream),
            written = write(writing) => Happened::MicWritten(written),
            read = receive.read_chunk(CHUNK_BYTES, true) => Happened::ControlRead(read),
            stream = connection.accept_uni() => Happened::AnswerOpened(stream),
            read = read(fresh.as_mut()), if answers => Happened::AnswerRead(Which::Fresh, read),
            read = read(current.as_mut()), if answers => Happened::AnswerRead(Which::Current, read),
        }
    }
}

impl AnswerReader {
    pub(super) fn refuse(&mut self) {
        if self.stream.stop(number(Code::Unwanted)).is_err() {
            tracing::trace!("the answer's stream is closed already");
        }
    }
}

async fn write(writing: Option<(&mut SendStream, &mut Vec<u8>)>) -> Result<usize, WriteError> {
    match writing {
        Some((stream, unsent)) => stream.write(unsent).await,
        None => pending().await,
    }
}

async fn read(reader: Option<&mut AnswerReader>) -> Result<Option<Chunk>, ReadError> {
    match reader {
        Some(reader) => reader.stream.read_chunk(CHUNK_BYTES, true).await,
        None => pending().await,
    }
}

/// A code as QUIC's number.
pub(super) fn number(code: Code) -> VarInt {
    VarInt::from_u32(code as u32)
}

/// Whether the daemon (or we) will not have it, so that dialling again at once is of no use.
pub(super) fn is_refusal(error: &ConnectionError) -> bool {
    /// TLS alerts travel as these error codes (RFC 9001, 4.8).
    const CRYPTO_ERRORS: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;
    match error {
        ConnectionError::TransportError(error) => CRYPTO_ERRORS.contains(&u64::from(error.code)),
        ConnectionError::ConnectionClosed(close) => CRYPTO_ERRORS.contains(&u64::from(close.error_code)),
        ConnectionError::ApplicationClosed(close) => matches!(
            Code::from_number(close.error_code.into_inner()),
            Some(Code::Revoked | Code::Version | Code::Flood | Code::Replaced)
        ),
        _ => false,
    }
}

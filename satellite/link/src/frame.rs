//! Length-prefixed postcard: four bytes, little-endian, then as many bytes of one message.
//!
//! The decoder takes its input in any portions and never holds more than one message's [`Message::MAX_BYTES`].

use alloc::vec::Vec;
use core::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the length before each message.
pub const PREFIX_BYTES: usize = 4;

/// Something that travels as one frame.
pub trait Message: Serialize + DeserializeOwned {
    /// Longest encoding, without the prefix.
    const MAX_BYTES: usize;

    /// What the types cannot say: lengths of texts, ranges of numbers. Holds for what is sent and for what is received.
    fn check(&self) -> Result<(), &'static str>;
}

/// Why bytes are no frame. The stream cannot be read any further after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length announced is more than the message may have.
    #[error("a frame of {bytes} bytes, where {max} is the most")]
    TooLong {
        /// Announced.
        bytes: u64,
        /// Allowed.
        max: usize,
    },
    /// No message reads so.
    #[error("a frame that is no message of this version")]
    Malformed,
    /// There were bytes behind the message.
    #[error("a frame with bytes left behind its message")]
    Trailing,
    /// A message with a value out of its bounds.
    #[error("a message out of bounds: {0}")]
    OutOfBounds(&'static str),
    /// The stream ended in the middle of a frame.
    #[error("the stream ended in the middle of a frame")]
    Truncated,
}

/// One frame as bytes.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, FrameError> {
    message.check().map_err(FrameError::OutOfBounds)?;
    let mut frame = postcard::to_extend(message, Vec::from([0; PREFIX_BYTES])).map_err(|_| FrameError::Malformed)?;
    let bytes = frame.len() - PREFIX_BYTES;
    match u32::try_from(bytes) {
        Ok(prefix) if bytes <= M::MAX_BYTES => {
            frame[..PREFIX_BYTES].copy_from_slice(&prefix.to_le_bytes());
            Ok(frame)
        }
        _ => Err(FrameError::TooLong { bytes: bytes as u64, max: M::MAX_BYTES }),
    }
}

/// Cuts a stream of bytes into messages.
#[derive(Debug)]
pub struct Decoder<M> {
    state: State,
    messages: PhantomData<M>,
}

#[derive(Debug)]
enum State {
    Prefix { bytes: [u8; PREFIX_BYTES], have: usize },
    Body { bytes: Vec<u8>, want: usize },
    Broken(FrameError),
}

const AT_START: State = State::Prefix { bytes: [0; PREFIX_BYTES], have: 0 };

impl<M: Message> Default for Decoder<M> {
    fn default() -> Self {
        Self { state: AT_START, messages: PhantomData }
    }
}

impl<M: Message> Decoder<M> {
    /// Takes bytes off `input` until a message is whole or `input` is empty. An error is for good.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<M>, FrameError> {
        loop {
            match &mut self.state {
                State::Prefix { bytes, have } => {
                    let part = take(input, PREFIX_BYTES - *have);
                    bytes[*have..*have + part.len()].copy_from_slice(part);
                    *have += part.len();
                    if *have < PREFIX_BYTES {
                        return Ok(None);
                    }
                    let announced = u32::from_le_bytes(*bytes);
                    match usize::try_from(announced) {
                        Ok(want) if want <= M::MAX_BYTES => {
                            self.state = State::Body { bytes: Vec::with_capacity(want), want };
                        }
                        _ => {
                            return self.broken(FrameError::TooLong { bytes: u64::from(announced), max: M::MAX_BYTES });
                        }
                    }
                }
                State::Body { bytes, want } => {
                    bytes.extend_from_slice(take(input, *want - bytes.len()));
                    if bytes.len() < *want {
                        return Ok(None);
                    }
                    return match whole(bytes) {
                        Ok(message) => {
                            self.state = AT_START;
                            Ok(Some(message))
                        }
                        Err(error) => self.broken(error),
                    };
                }
                State::Broken(error) => return Err(*error),
            }
        }
    }

    /// To be asked when the stream has ended: whether it did so between two frames.
    pub fn finish(&self) -> Result<(), FrameError> {
        match &self.state {
            State::Prefix { have: 0, .. } => Ok(()),
            State::Prefix { .. } | State::Body { .. } => Err(FrameError::Truncated),
            State::Broken(error) => Err(*error),
        }
    }

    fn broken(&mut self, error: FrameError) -> Result<Option<M>, FrameError> {
        self.state = State::Broken(error);
        Err(error)
    }
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (part, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    part
}

fn whole<M: Message>(bytes: &[u8]) -> Result<M, FrameError> {
    let (message, rest) = postcard::take_from_bytes(bytes).map_err(|_| FrameError::Malformed)?;
    if !rest.is_empty() {
        return Err(FrameError::Trailing);
    }
    M::check(&message).map_err(FrameError::OutOfBounds)?;
    Ok(message)
}

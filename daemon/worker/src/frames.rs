//! Frames on a pipe: a 32-bit little-endian length, then that many bytes of postcard.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the length in front of every frame.
pub const HEADER_BYTES: usize = 4;

/// Longest body. A second of sound is 96 kB at worst as postcard writes samples; nothing else comes near.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is beyond [`BODY_BYTES_MAX`]: the peer writes something else than frames.
    #[error("a frame of {0} bytes: more than {BODY_BYTES_MAX}, so this is no worker that speaks our frames")]
    TooLong(usize),
    /// The body is not what it should be.
    #[error("a frame that can't be read: {0}")]
    Malformed(#[from] postcard::Error),
    /// Bytes are left over after the value.
    #[error("a frame with {0} bytes too many")]
    Surplus(usize),
    /// The pipe.
    #[error("pipe: {0}")]
    Io(#[from] io::Error),
}

/// The whole frame, length and body.
pub fn encode<T: Serialize>(frame: &T) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_extend(frame, vec![0; HEADER_BYTES])?;
    let body = bytes.len() - HEADER_BYTES;
    if body > BODY_BYTES_MAX {
        return Err(FrameError::TooLong(body));
    }
    let mut bytes = bytes;
    bytes[..HEADER_BYTES].copy_from_slice(&(body as u32).to_le_bytes());
    Ok(bytes)
}

/// How long the body is that follows this header.
pub fn body_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(header) as usize;
    if length > BODY_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    Ok(length)
}

/// The value in a body.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let (value, rest) = postcard::take_from_bytes(body)?;
    if !rest.is_empty() {
        return Err(FrameError::Surplus(rest.len()));
    }
    Ok(value)
}

/// Takes one frame off the front of `buffer`; `None` while it is not all there.
pub fn take<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<T>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let end = HEADER_BYTES + body_length(*header)?;
    if buffer.len() < end {
        return Ok(None);
    }
    let value = decode(&buffer[HEADER_BYTES..end])?;
    buffer.drain(..end);
    Ok(Some(value))
}

/// Reads one frame; `None` where the peer closed the pipe between frames.
pub fn read<T: DeserializeOwned>(pipe: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut header = [0; HEADER_BYTES];
    if pipe.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    pipe.read_exact(&mut header[1..])?;
    let mut body = vec![0; body_length(header)?];
    pipe.read_exact(&mut body)?;
    decode(&body).map(Some)
}

/// Writes one frame and flushes.
pub fn write<T: Serialize>(pipe: &mut impl Write, frame: &T) -> Result<(), FrameError> {
    pipe.write_all(&encode(frame)?)?;
    Ok(pipe.flush()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{EarEvent, EarRequest, VoiceEvent};

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(sounds in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..400), 1..8), cut in 1usize..50) {
            let frames: Vec<_> = sounds.into_iter().map(EarRequest::Audio).collect();
            let bytes: Vec<u8> = frames.iter().flat_map(|f| encode(f).unwrap()).collect();
            let mut buffer = Vec::new();
            let mut got = Vec::new();
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = take::<EarRequest>(&mut buffer).unwrap() {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = bytes.clone();
            while let Ok(Some(_)) = take::<EarEvent>(&mut buffer) {}
            let mut pipe = bytes.as_slice();
            while let Ok(Some(_)) = read::<VoiceEvent>(&mut pipe) {}
        }
    }

    #[test]
    fn a_length_of_four_gigabytes_reserves_nothing() {
        let mut pipe: &[u8] = &[0xff; 64];
        assert!(matches!(read::<EarEvent>(&mut pipe), Err(FrameError::TooLong(_))));
        let mut buffer = vec![0xff; 64];
        assert!(matches!(take::<EarEvent>(&mut buffer), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_closed_pipe_is_the_end_only_between_frames() {
        let frame = encode(&EarRequest::Finish).unwrap();
        let mut pipe = frame.as_slice();
        assert_eq!(read::<EarRequest>(&mut pipe).unwrap(), Some(EarRequest::Finish));
        assert_eq!(read::<EarRequest>(&mut pipe).unwrap(), None);
        let mut torn = &frame[..frame.len() - 1];
        assert!(matches!(read::<EarRequest>(&mut torn), Err(FrameError::Io(_))));
    }
}

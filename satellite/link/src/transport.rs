//! The numbers that both ends give to QUIC, and the codes they close with. QUIC's own defaults are wrong for thin audio:
//! a window that follows losses stays at its minimum when the application limits the rate.

/// ALPN of the link proper.
pub const ALPN_LINK: &[u8] = b"jarvis/1";
/// ALPN of enrolment; served only while a code is open.
pub const ALPN_ENROL: &[u8] = b"jarvis-enrol/1";
/// Name given to TLS; keys are pinned, no name is ever checked.
pub const SERVER_NAME: &str = "jarvis";

/// Congestion window in bytes, whatever is lost: our own pacing bounds what is in flight.
pub const WINDOW_BYTES: u64 = 256 * 1024;
/// Round trip assumed before one was measured, in milliseconds.
pub const INITIAL_RTT_MS: u64 = 100;
/// Silence after which QUIC itself gives up, in milliseconds: a backstop behind [`crate::liveness`].
pub const IDLE_MS: u32 = 10_000;
/// Bytes a stream may carry that its reader has not taken.
pub const STREAM_RECEIVE_BYTES: u32 = 96 * 1024;
/// Bytes a connection may carry that its reader has not taken.
pub const CONNECTION_RECEIVE_BYTES: u32 = 512 * 1024;
/// Bytes that may wait to be sent on a connection.
pub const SEND_BYTES: u64 = 256 * 1024;
/// Unidirectional streams a peer may have open at once.
pub const UNI_STREAMS: u32 = 4;
/// Bidirectional streams a satellite may have open at once: the control stream, or enrolment's.
pub const BIDI_STREAMS: u32 = 1;

// Sound that nobody takes must leave room for pings, or the link would be found dead for it.
const _: () = assert!((UNI_STREAMS + BIDI_STREAMS) * STREAM_RECEIVE_BYTES <= CONNECTION_RECEIVE_BYTES);

/// Stream priorities: higher goes first.
pub mod priority {
    /// Control stream.
    pub const CONTROL: i32 = 2;
    /// Microphone.
    pub const MICROPHONE: i32 = 1;
    /// Playback.
    pub const PLAYBACK: i32 = 0;
}

/// Why an end closes a connection or breaks off a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// In order.
    Bye = 0,
    /// The other end is silent for too long.
    Dead = 1,
    /// The other end broke the protocol.
    Protocol = 2,
    /// No version in common.
    Version = 3,
    /// The key was taken off the table.
    Revoked = 4,
    /// The same satellite has connected anew.
    Replaced = 5,
    /// Too much at once.
    Flood = 6,
    /// This stream is not wanted any more.
    Unwanted = 7,
}

impl Code {
    /// The code of a number received.
    pub fn from_number(number: u64) -> Option<Self> {
        use Code::{Bye, Dead, Flood, Protocol, Replaced, Revoked, Unwanted, Version};
        [Bye, Dead, Protocol, Version, Revoked, Replaced, Flood, Unwanted]
            .into_iter()
            .find(|code| *code as u64 == number)
    }

    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Bye => "goodbye",
            Self::Dead => "no sign of life for 2.5 s",
            Self::Protocol => "the protocol was broken",
            Self::Version => "no version in common",
            Self::Revoked => "the satellite's key was revoked",
            Self::Replaced => "the same satellite connected anew",
            Self::Flood => "too many messages",
            Self::Unwanted => "not wanted any more",
        }
    }
}

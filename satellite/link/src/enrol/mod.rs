//! Enrolment: how a new satellite and the daemon come to know each other's keys.
//!
//! The daemon prints a [`code::EnrolCode`]. The satellite connects with [`crate::transport::ALPN_ENROL`], compares the
//! daemon's key with the code's fingerprint, and only then says a word: its [`message::Request`] with the token. Both have proved by
//! TLS that they hold the keys they show. [`window::Window`] is the daemon's side of it.

pub mod code;
pub mod message;
pub mod window;

/// Bytes of the one-time token: 80 bits.
pub const TOKEN_BYTES: usize = 10;

/// The one-time token of a code.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Token(pub [u8; TOKEN_BYTES]);

impl Token {
    /// Compares without telling by the time it takes where the first difference is.
    fn is(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(other.0).fold(0, |bits, (a, b)| bits | (a ^ b));
        core::hint::black_box(differing) == 0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Token {}

impl core::fmt::Debug for Token {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(..)")
    }
}

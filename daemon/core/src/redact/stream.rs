//! A text that comes in pieces: a model's answer, a log that is followed.

use super::scan::Scanner;
use super::{MAX_HELD_BYTES, Redacted};

/// Redacts a text in pieces. What comes out, put together, is what [`super::redact`] makes of the whole, wherever the pieces were
/// cut; no beginning of a secret gets out, and never more than [`MAX_HELD_BYTES`] are held back.
#[derive(Debug, Clone)]
pub struct Stream {
    scanner: Scanner,
    held: String,
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self { scanner: Scanner::new(0), held: String::new() }
    }

    /// Takes the next piece and gives what can be said already. The findings' places count from the start of the stream; a secret is
    /// told when its end is known.
    pub fn push(&mut self, piece: &str) -> Redacted {
        let mut out = Redacted::default();
        self.held.push_str(piece);
        let taken = self.scanner.scan(&self.held, false, &mut out);
        self.held.drain(..taken);
        debug_assert!(self.held.len() <= MAX_HELD_BYTES, "{} bytes held back", self.held.len());
        out
    }

    /// The text is over: what was held back, without its secrets.
    pub fn finish(mut self) -> Redacted {
        let mut out = Redacted::default();
        self.scanner.scan(&self.held, true, &mut out);
        out
    }
}

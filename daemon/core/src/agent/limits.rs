//! What one run may take.

/// Calls of one message that are looked at; further ones are told so.
pub const CALLS_MAX: usize = 16;

/// What one run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often the model is asked.
    pub steps: u32,
    /// Milliseconds from its beginning to its end.
    pub wall_ms: u64,
    /// Tokens over all its requests, read and written, from the cache or not.
    pub tokens: u64,
    /// The same call with the same arguments: at this one the model is told so, at the next the run ends.
    pub same_call: u32,
    /// Milliseconds for one read.
    pub read_ms: u64,
    /// Bytes that one result keeps; what is beyond is left out in its middle.
    pub result_bytes: usize,
    /// Bytes of all results.
    pub results_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 12,
            wall_ms: 90_000,
            tokens: 200_000,
            same_call: 3,
            read_ms: 10_000,
            result_bytes: 24_000,
            results_bytes: 256_000,
        }
    }
}

/// Fewest bytes that a result keeps, however small a model's window is.
const RESULT_BYTES_MIN: usize = 1_500;

impl Limits {
    /// For a model whose prompt and answer have so many tokens together: one result takes about a quarter of it at most.
    #[must_use]
    pub fn for_window(self, tokens: u64) -> Self {
        let fits = usize::try_from(tokens).unwrap_or(usize::MAX);
        Self { result_bytes: self.result_bytes.min(fits.max(RESULT_BYTES_MIN)), ..self }
    }
}

//! The time in which a code is good.

use alloc::string::String;

use super::Token;
use super::message::{Refusal, Request};
use crate::key::PublicKey;
use crate::message::DaemonMicros;

/// How long a code is good, in microseconds.
pub const OPEN_US: u64 = 600_000_000;
/// Wrong tokens after which it is void.
pub const TRIES: u8 = 3;

/// Closed, or open for one satellite.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Window {
    /// No code is good.
    #[default]
    Closed,
    /// One is.
    Open {
        /// The room it is for.
        room: String,
        /// The token asked for.
        token: Token,
        /// When it expires.
        until: DaemonMicros,
        /// Wrong tokens it still stands.
        tries_left: u8,
    },
}

impl Window {
    /// A code was made: an older one is void.
    pub fn open(&mut self, room: String, token: Token, now: DaemonMicros) {
        *self = Self::Open { room, token, until: DaemonMicros(now.0.saturating_add(OPEN_US)), tries_left: TRIES };
    }

    /// Whether enrolment is to be served.
    pub fn is_open(&mut self, now: DaemonMicros) -> bool {
        if let Self::Open { until, .. } = self
            && now >= *until
        {
            *self = Self::Closed;
        }
        !matches!(self, Self::Closed)
    }

    /// A satellite that showed `shown` to TLS asks to be enrolled. The room it is for, and the window is closed; or why not.
    pub fn redeem(&mut self, request: &Request, shown: PublicKey, now: DaemonMicros) -> Result<String, Refusal> {
        if !self.is_open(now) {
            return Err(Refusal::NotOpen);
        }
        let Self::Open { room, token, tries_left, .. } = self else {
            return Err(Refusal::NotOpen);
        };
        if request.token != *token {
            *tries_left = tries_left.saturating_sub(1);
            if *tries_left == 0 {
                *self = Self::Closed;
            }
            return Err(Refusal::WrongToken);
        }
        if request.key != shown {
            return Err(Refusal::WrongKey);
        }
        let room = core::mem::take(room);
        *self = Self::Closed;
        Ok(room)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const KEY: PublicKey = PublicKey([1; 32]);

    fn opened() -> Window {
        let mut window = Window::default();
        window.open("kitchen".to_string(), Token([7; 10]), DaemonMicros(1));
        window
    }

    fn request(token: u8) -> Request {
        Request { token: Token([token; 10]), key: KEY, software: String::new() }
    }

    #[test]
    fn a_code_is_good_once() {
        let mut window = opened();
        let now = DaemonMicros(2);
        assert_eq!(window.redeem(&request(7), KEY, now), Ok("kitchen".to_string()));
        assert!(!window.is_open(now));
        assert_eq!(window.redeem(&request(7), KEY, now), Err(Refusal::NotOpen));
    }

    #[test]
    fn it_expires() {
        let mut window = opened();
        assert!(window.is_open(DaemonMicros(OPEN_US)));
        assert_eq!(window.redeem(&request(7), KEY, DaemonMicros(OPEN_US + 1)), Err(Refusal::NotOpen));
    }

    #[test]
    fn the_third_wrong_token_closes_it() {
        let mut window = opened();
        let now = DaemonMicros(2);
        for _ in 0..TRIES {
            assert_eq!(window.redeem(&request(8), KEY, now), Err(Refusal::WrongToken));
        }
        assert_eq!(window.redeem(&request(7), KEY, now), Err(Refusal::NotOpen));
    }

    #[test]
    fn a_key_other_than_the_one_shown_is_refused() {
        let mut window = opened();
        let refused = window.redeem(&request(7), PublicKey([2; 32]), DaemonMicros(2));
        assert_eq!(refused, Err(Refusal::WrongKey));
    }

    #[test]
    fn a_newer_code_voids_the_older() {
        let mut window = opened();
        window.open("hall".to_string(), Token([9; 10]), DaemonMicros(2));
        assert_eq!(window.redeem(&request(7), KEY, DaemonMicros(3)), Err(Refusal::WrongToken));
        assert_eq!(window.redeem(&request(9), KEY, DaemonMicros(3)), Ok("hall".to_string()));
    }
}

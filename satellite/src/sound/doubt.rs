//! Whether an open device that told a fault goes on all the same.
//!
//! Some faults are a moment's: ALSA on a sound server was seen to fail (`EIO`) just after it was opened, and to go on. A device opened anew
//! for such a thing is away just when something is to be said.

use std::time::{Duration, Instant};

/// An open device that gives or takes nothing for this long is lost, though it told no fault.
pub(super) const STALL: Duration = Duration::from_secs(2);
/// Likewise since a fault.
const PATIENCE: Duration = Duration::from_millis(500);

/// The oldest fault that no sound came after.
#[derive(Default)]
pub(super) struct Doubt(Option<(Instant, String)>);

impl Doubt {
    /// A fault was told at `now`.
    pub(super) fn fault(&mut self, reason: String, now: Instant) {
        if self.0.is_none() {
            self.0 = Some((now, reason));
        }
    }

    /// It last gave or took sound at `sound_at`.
    pub(super) fn flows(&mut self, sound_at: Instant) {
        if let Some((_, reason)) = self.0.take_if(|(since, _)| sound_at > *since) {
            tracing::debug!(%reason, "a sound device failed, and goes on");
        }
    }

    /// Why it is lost, where it is.
    pub(super) fn lost(&mut self, now: Instant) -> Option<String> {
        let (_, reason) = self.0.take_if(|(since, _)| now.saturating_duration_since(*since) >= PATIENCE)?;
        Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_goes_on_is_not_lost_and_one_that_does_not_is_lost_with_its_first_words() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut doubt = Doubt::default();
        assert_eq!(doubt.lost(at(10_000)), None);

        doubt.fault("I/O error".to_owned(), at(10_000));
        doubt.flows(at(9_990));
        doubt.flows(at(10_020));
        assert_eq!(doubt.lost(at(20_000)), None);

        doubt.fault("I/O error".to_owned(), at(20_000));
        doubt.fault("another".to_owned(), at(20_400));
        doubt.flows(at(19_990));
        assert_eq!(doubt.lost(at(20_499)), None);
        assert_eq!(doubt.lost(at(20_500)), Some("I/O error".to_owned()));
        assert_eq!(doubt.lost(at(30_000)), None);
    }
}

//! How long things are kept: the three lifetimes, and what people say about it ("for the next two hours", "until tonight").

use super::{Lifetime, UnixMillis};
use crate::numbers;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A working memory lives for half a day: an evening's work, not the next morning's.
pub const WORKING_MS: i64 = 12 * HOUR_MS;
/// An episode lives for six weeks: long enough to ask when the last one was, short enough not to mistake history for the present.
pub const EPISODIC_MS: i64 = 42 * DAY_MS;
/// Nothing that was told with an end is kept longer than a year; what is meant for longer is told without one.
const SPAN_MAX_MS: i64 = 366 * DAY_MS;
/// What was told with an end within two days is working matter, the rest an episode.
const WORKING_SPAN_MAX_MS: i64 = 2 * DAY_MS;
/// "this evening" begins at this hour, "tonight" two later; "tonight" lasts until this hour of the morning.
const EVENING_H: i64 = 18;
const TONIGHT_H: i64 = 20;
const MORNING_H: i64 = 6;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// When something of this lifetime that was told at `told` is over: gone *from* that millisecond on. `None`: never by itself.
pub fn expiry(lifetime: Lifetime, told: UnixMillis) -> Option<UnixMillis> {
    match lifetime {
        Lifetime::Working => Some(told.plus(WORKING_MS)),
        Lifetime::Episodic => Some(told.plus(EPISODIC_MS)),
        Lifetime::Lasting => None,
    }
}

/// An end that was said, and the words it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) expires: UnixMillis,
    pub(super) lifetime: Lifetime,
    pub(super) words: usize,
}

/// Local time of day.
#[derive(Debug, Clone, Copy)]
struct Local {
    now: UnixMillis,
    /// Local midnight that began this day, in UTC.
    midnight: UnixMillis,
    /// Monday is 0.
    weekday: i64,
}

impl Local {
    fn new(now: UnixMillis, offset_s: i32) -> Self {
        let offset = i64::from(offset_s) * 1000;
        let local = now.0.saturating_add(offset);
        let days = local.div_euclid(DAY_MS);
        // 1970-01-01 was a Thursday.
        Self { now, midnight: UnixMillis(days.saturating_mul(DAY_MS) - offset), weekday: (days + 3).rem_euclid(7) }
    }

    /// This hour of today; the coming midnight where it has passed.
    fn hour(&self, hour: i64) -> UnixMillis {
        let at = self.midnight.plus(hour * HOUR_MS);
        if at > self.now { at } else { self.midnight.plus(DAY_MS) }
    }

    /// The end of the next such day, today included.
    fn end_of(&self, weekday: i64) -> UnixMillis {
        let ahead = (weekday - self.weekday).rem_euclid(7);
        self.midnight.plus((ahead + 1) * DAY_MS)
    }
}

/// The end that these words begin with ("for the next two hours that ..."), said at `now`. Words are lower case.
pub(super) fn span(words: &[String], now: UnixMillis, offset_s: i32) -> Option<Span> {
    let local = Local::new(now, offset_s);
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let (expires, taken) = match (word(0), word(1), word(2)) {
        ("for", "today", _) => (local.midnight.plus(DAY_MS), 2),
        ("for", "now", _) | ("for", "the", "moment") => (now.plus(WORKING_MS), if word(1) == "now" { 2 } else { 3 }),
        ("for", "tonight", _) => (local.midnight.plus(DAY_MS + MORNING_H * HOUR_MS), 2),
        ("for" | "during", "this", "week") => (local.end_of(6), 3),
        ("until" | "till", "tonight", _) => (local.hour(TONIGHT_H), 2),
        ("until" | "till", "this", "evening") => (local.hour(EVENING_H), 3),
        ("until" | "till", "tomorrow", _) => (local.midnight.plus(2 * DAY_MS), 2),
        ("until" | "till", day, _) => {
            let day = WEEKDAYS.iter().position(|name| *name == day)?;
            (local.end_of(i64::try_from(day).unwrap_or(0)), 2)
        }
        ("for", "the", "next") => counted(words, 3, now)?,
        ("for", ..) => counted(words, 1, now)?,
        _ => return None,
    };
    let length = expires.since(now).min(SPAN_MAX_MS);
    let lifetime = if length <= WORKING_SPAN_MAX_MS { Lifetime::Working } else { Lifetime::Episodic };
    Some(Span { expires: now.plus(length), lifetime, words: taken })
}

/// "two hours", "hour", "ten minutes".
fn counted(words: &[String], at: usize, now: UnixMillis) -> Option<(UnixMillis, usize)> {
    let unit = |word: Option<&String>| match word.map(|w| w.trim_end_matches('s')) {
        Some("minute") => Some(MINUTE_MS),
        Some("hour") => Some(HOUR_MS),
        Some("day") => Some(DAY_MS),
        Some("week") => Some(7 * DAY_MS),
        Some("month") => Some(30 * DAY_MS),
        _ => None,
    };
    if let Some(ms) = unit(words.get(at)) {
        return Some((now.plus(ms), at + 1));
    }
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let few = match (word(at), word(at + 1)) {
        ("a", "few") => Some((3, at + 2)),
        ("an" | "a", _) => Some((1, at + 1)),
        ("few", _) => Some((3, at + 1)),
        _ => None,
    };
    let longest = numbers::readings(words, at).into_iter().max_by_key(|reading| reading.end);
    let (count, end) = few.or_else(|| longest.map(|r| (i64::from(r.value), r.end)))?;
    let ms = unit(words.get(end))?;
    Some((now.plus(count.checked_mul(ms)?), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Closed, Standing, Validity};

    /// 2026-11-23 14:07 UTC, a Monday.
    const NOW: UnixMillis = UnixMillis(1_795_442_820_000);
    /// 2026-11-23 00:00 UTC.
    const MIDNIGHT: UnixMillis = UnixMillis(1_795_392_000_000);

    fn end(text: &str, now: UnixMillis, offset_s: i32) -> Option<(i64, Lifetime, usize)> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        span(&words, now, offset_s).map(|s| (s.expires.since(now), s.lifetime, s.words))
    }

    #[test]
    fn each_lifetime_ends_to_the_millisecond() {
        for (lifetime, ms) in [(Lifetime::Working, WORKING_MS), (Lifetime::Episodic, EPISODIC_MS)] {
            let expires = expiry(lifetime, NOW);
            let validity = Validity { from: NOW, closed: None, expires };
            for (after, standing) in [
                (-1, Standing::Ahead),
                (0, Standing::Current),
                (ms - 1, Standing::Current),
                (ms, Standing::Expired),
                (ms + 1, Standing::Expired),
            ] {
                assert_eq!(validity.standing(NOW.plus(after)), standing, "{lifetime:?} {after}");
            }
        }
        assert_eq!(expiry(Lifetime::Lasting, NOW), None);
        let lasting = Validity { from: NOW, closed: None, expires: None };
        assert_eq!(lasting.standing(UnixMillis(i64::MAX)), Standing::Current);
    }

    #[test]
    fn a_closed_fact_ends_with_the_millisecond_in_which_the_next_begins() {
        let closed = Some(Closed { at: NOW.plus(10), by: None });
        let validity = Validity { from: NOW, closed, expires: Some(NOW.plus(20)) };
        let standings = [9, 10, 19, 20].map(|after| validity.standing(NOW.plus(after)));
        use Standing::{Current, Expired, Superseded};
        assert_eq!(standings, [Current, Superseded, Superseded, Expired]);
    }

    #[test]
    fn an_end_that_was_said_is_the_end() {
        use Lifetime::{Episodic, Working};
        let until = |at: UnixMillis| at.since(NOW);
        for (text, wanted) in [
            ("for the next two hours that", Some((2 * HOUR_MS, Working, 5))),
            ("for the next hour", Some((HOUR_MS, Working, 4))),
            ("for 90 minutes", Some((90 * MINUTE_MS, Working, 3))),
            ("for an hour", Some((HOUR_MS, Working, 3))),
            ("for a few days", Some((3 * DAY_MS, Episodic, 4))),
            ("for three weeks that", Some((21 * DAY_MS, Episodic, 3))),
            ("for 5000 days", Some((SPAN_MAX_MS, Episodic, 3))),
            ("for now that", Some((WORKING_MS, Working, 2))),
            ("for the moment", Some((WORKING_MS, Working, 3))),
            ("for today that", Some((until(MIDNIGHT.plus(DAY_MS)), Working, 2))),
            ("for tonight", Some((until(MIDNIGHT.plus(30 * HOUR_MS)), Working, 2))),
            ("until this evening", Some((until(MIDNIGHT.plus(18 * HOUR_MS)), Working, 3))),
            ("until tonight that", Some((until(MIDNIGHT.plus(20 * HOUR_MS)), Working, 2))),
            ("until tomorrow", Some((until(MIDNIGHT.plus(2 * DAY_MS)), Working, 2))),
            ("until friday", Some((until(MIDNIGHT.plus(5 * DAY_MS)), Episodic, 2))),
            ("until monday", Some((until(MIDNIGHT.plus(DAY_MS)), Working, 2))),
            ("for this week", Some((until(MIDNIGHT.plus(7 * DAY_MS)), Episodic, 3))),
            ("for the garage", None),
            ("for ever", None),
            ("that the router", None),
            ("until", None),
            ("", None),
        ] {
            assert_eq!(end(text, NOW, 0), wanted, "{text}");
        }
    }

    #[test]
    fn days_end_at_the_owners_midnight() {
        // 23:59:59.999 in UTC is one in the morning of the next day two zones further east.
        let late = MIDNIGHT.plus(DAY_MS - 1);
        assert_eq!(end("for today", late, 0).map(|e| e.0), Some(1));
        assert_eq!(end("for today", late, 3600).map(|e| e.0), Some(23 * HOUR_MS + 1));
        assert_eq!(end("for today", late.plus(1), 0).map(|e| e.0), Some(DAY_MS));
        // An evening that is over ends with the day.
        assert_eq!(end("until this evening", MIDNIGHT.plus(18 * HOUR_MS - 1), 0).map(|e| e.0), Some(1));
        assert_eq!(end("until this evening", MIDNIGHT.plus(18 * HOUR_MS), 0).map(|e| e.0), Some(6 * HOUR_MS));
    }
}

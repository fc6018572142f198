//! Days, as price lists date their entries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::UnixSeconds;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// A day in UTC, in the Gregorian calendar. Written `2026-10-07`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day {
    // The order of the fields is the order of days.
    year: i32,
    month: u8,
    day: u8,
}

/// Not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no day: write it as 2026-10-07")]
pub struct NoDay(String);

impl Day {
    /// The day on which `at` is, in UTC.
    pub fn of(at: UnixSeconds) -> Self {
        // Days since 0000-03-01, so that a leap day ends its year; the eras of 400 years are all alike.
        let days = at.0.div_euclid(DAY_S) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = (year_of_era + era * 400 + i64::from(month <= 2)).clamp(-9_999, 9_999);
        let small = |n: i64| u8::try_from(n).unwrap_or(1);
        Self { year: i32::try_from(year).unwrap_or(0), month: small(month), day: small(day) }
    }
}

impl Day {
    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        Self { day: 1, ..self }
    }
}

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let wrong = || NoDay(text.chars().take(40).collect());
        let mut parts = text.splitn(3, '-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|p| p.len() == digits && p.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|p| p.parse::<u16>().ok()).ok_or_else(wrong)
        };
        let (year, month, day) = (next(4)?, next(2)?, next(2)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u16::from(leap),
            _ => 0,
        };
        if day == 0 || day > days {
            return Err(wrong());
        }
        let small = |n| u8::try_from(n).map_err(|_| wrong());
        Ok(Self { year: i32::from(year), month: small(month)?, day: small(day)? })
    }
}

impl TryFrom<String> for Day {
    type Error = NoDay;

    fn try_from(text: String) -> Result<Self, NoDay> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_of_times_and_texts() {
        for (at, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_791_331_199, "2026-10-06"),
            (1_791_331_200, "2026-10-07"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(Day::of(UnixSeconds(at)).to_string(), text);
            assert_eq!(text.parse::<Day>(), Ok(Day::of(UnixSeconds(at))));
        }
        for text in ["", "2026-13-01", "2026-02-29", "2026-00-10", "2026-1-01", "+026-01-01", "2026-10-07T00"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other(at in -60_000_000_000i64..250_000_000_000) {
            let (today, tomorrow) = (Day::of(UnixSeconds(at)), Day::of(UnixSeconds(at + DAY_S)));
            prop_assert!(today < tomorrow);
            if at >= 0 {
                prop_assert_eq!(today.to_string().parse::<Day>(), Ok(today));
            }
        }

        #[test]
        fn any_time_has_a_day(at: i64) {
            prop_assert!(Day::of(UnixSeconds(at / 2)).to_string().len() >= 10);
        }
    }
}

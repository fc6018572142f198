//! Figures as an ear takes them: rounded, with their units in words.

use crate::cluster::Usage;
use crate::ids::UnixSeconds;

const DAY_S: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Whole percent of a ratio; something is never rounded to nothing.
pub(super) fn percent(ratio: f64) -> String {
    let percent = (ratio * 100.0).clamp(0.0, 100.0);
    if percent > 0.0 && percent < 0.5 { "less than 1".to_owned() } else { format!("{percent:.0}") }
}

/// Whole percent of what is in use.
pub(super) fn used_percent(usage: Usage) -> String {
    percent(usage.ratio())
}

/// "24 gigabytes"; one decimal below ten, where the ear wants it.
pub(super) fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let units = ["kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];
    let mut value = bytes as f64 / KIB;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= KIB;
        unit += 1;
    }
    let figure = figure(value);
    let plural = if figure == "1" { "" } else { "s" };
    format!("{figure} {}{plural}", units.get(unit).unwrap_or(&"byte"))
}

/// The figure alone of a text such as "24 gigabytes".
pub(super) fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

/// "1.5" below ten, whole above.
pub(super) fn figure(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded >= 10.0 || rounded.fract() == 0.0 { format!("{value:.0}") } else { format!("{rounded:.1}") }
}

/// "24 of 64 gigabytes", the unit once where it is the same.
pub(super) fn used_of(usage: Usage) -> String {
    let (used, total) = (size(usage.used), size(usage.total));
    let unit = |text: &str| text.split_whitespace().nth(1).unwrap_or("").to_owned();
    if unit(&used) == unit(&total) { format!("{} of {total}", first_word(&used)) } else { format!("{used} of {total}") }
}

/// "1 guest", "3 guests", "no guests".
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    match n {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{n} {many}"),
    }
}

/// "3 days and 2 hours", two units at most.
pub(super) fn duration(seconds: u64) -> String {
    let part = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => return "less than a minute".to_owned(),
        (0, 0, _) => vec![(minutes, "minute")],
        (0, ..) => vec![(hours, "hour"), (minutes, "minute")],
        (1..=13, ..) => vec![(days, "day"), (hours, "hour")],
        _ => vec![(days, "day")],
    };
    let said: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, unit)| part(n, unit)).collect();
    said.join(" and ")
}

/// "3 hours ago", in one unit.
pub(super) fn ago(now: UnixSeconds, then: UnixSeconds) -> String {
    let seconds = u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0);
    let (n, unit) = match seconds {
        0..60 => return "a moment ago".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

/// A moment in local time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    /// Days since 1970-01-01, local.
    days: i64,
    /// Seconds of the day.
    seconds: i64,
}

impl Local {
    pub(crate) fn new(at: UnixSeconds, offset_s: i32) -> Self {
        let local = at.0.saturating_add(i64::from(offset_s));
        Self { days: local.div_euclid(DAY_S), seconds: local.rem_euclid(DAY_S) }
    }

    /// "14:05".
    pub(crate) fn clock(self) -> String {
        format!("{:02}:{:02}", self.seconds / 3600, self.seconds / 60 % 60)
    }

    /// Midnight of this day, as UTC seconds.
    pub(super) fn midnight(self, offset_s: i32) -> UnixSeconds {
        UnixSeconds(self.days.saturating_mul(DAY_S) - i64::from(offset_s))
    }

    pub(super) fn hour(self) -> i64 {
        self.seconds / 3600
    }

    pub(crate) fn weekday(self) -> &'static str {
        // 1970-01-01 was a Thursday.
        let index = usize::try_from((self.days + 3).rem_euclid(7)).unwrap_or(0);
        WEEKDAYS.get(index).copied().unwrap_or("")
    }

    /// Year, month from 1, day from 1: the days of a 400-year era counted from March.
    fn civil(self) -> (i64, usize, i64) {
        let shifted = self.days.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, usize::try_from(month).unwrap_or(1), day)
    }

    /// "2026-11-23".
    pub(crate) fn date(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// When something was, as one remembers it: "today", "yesterday", "on Monday", "last week", "in May", "in May 2025".
    pub(crate) fn past(self, now: Self) -> String {
        let ((year, month, _), (this_year, this_month, _)) = (self.civil(), now.civil());
        let name = MONTHS.get(month - 1).unwrap_or(&"");
        match now.days - self.days {
            ..=0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            2..=6 => format!("on {}", self.weekday()),
            7..=13 => "last week".to_owned(),
            _ if (year, month) == (this_year, this_month) => format!("on {}", self.day_and_month()),
            // "in May" is the last May there was.
            _ if year == this_year || (year + 1 == this_year && month > this_month) => format!("in {name}"),
            _ => format!("in {name} {year}"),
        }
    }

    /// "23 November".
    pub(crate) fn day_and_month(self) -> String {
        let (_, month, day) = self.civil();
        format!("{day} {}", MONTHS.get(month - 1).unwrap_or(&""))
    }

    pub(crate) fn year(self) -> i64 {
        self.civil().0
    }

    /// "today at 02:30", "yesterday at 02:30", "on Saturday at 02:30", "on 3 November at 02:30", as seen from `now`.
    pub(super) fn beside(self, now: Self) -> String {
        let day = match self.days - now.days {
            0 => "today".to_owned(),
            -1 => "yesterday".to_owned(),
            1 => "tomorrow".to_owned(),
            -6..=6 => format!("on {}", self.weekday()),
            _ => format!("on {}", self.day_and_month()),
        };
        format!("{day} at {}", self.clock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_for_the_ear() {
        for (bytes, said) in [
            (0, "0 kilobytes"),
            (1024, "1 kilobyte"),
            (512 << 20, "512 megabytes"),
            (1 << 30, "1 gigabyte"),
            (3 << 29, "1.5 gigabytes"),
            (24 << 30, "24 gigabytes"),
            ((1 << 30) * 1000, "1 terabyte"),
            (u64::MAX, "16384 petabytes"),
        ] {
            assert_eq!(size(bytes), said);
        }
        let usage = |used, total| Usage { used, total };
        assert_eq!(used_of(usage(24 << 30, 64 << 30)), "24 of 64 gigabytes");
        assert_eq!(used_of(usage(512 << 20, 8 << 30)), "512 megabytes of 8 gigabytes");
        assert_eq!(percent(0.001), "less than 1");
        assert_eq!(percent(0.0), "0");
        assert_eq!(percent(7.0), "100");
    }

    #[test]
    fn times_are_said_in_two_units_at_most() {
        assert_eq!(duration(59), "less than a minute");
        assert_eq!(duration(3_600), "1 hour");
        assert_eq!(duration(93_784), "1 day and 2 hours");
        assert_eq!(duration(40 * 86_400), "40 days");
        assert_eq!(ago(UnixSeconds(10_000), UnixSeconds(0)), "2 hours ago");
        assert_eq!(ago(UnixSeconds(0), UnixSeconds(10)), "a moment ago");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        // 2026-11-23 01:07 UTC, a Monday.
        let now = Local::new(UnixSeconds(1_795_396_020), 0);
        assert_eq!(now.clock(), "01:07");
        assert_eq!(now.weekday(), "Monday");
        assert_eq!(now.day_and_month(), "23 November");
        assert_eq!(now.year(), 2026);
        let before = |s: i64| Local::new(UnixSeconds(1_795_396_020 - s), 0).beside(now);
        assert_eq!(before(3_600), "today at 00:07");
        assert_eq!(before(7_200), "yesterday at 23:07");
        assert_eq!(before(2 * 86_400), "on Saturday at 01:07");
        assert_eq!(before(20 * 86_400), "on 3 November at 01:07");
        assert_eq!(before(-86_400), "tomorrow at 01:07");
        let past = |days: i64| Local::new(UnixSeconds(1_795_396_020 - days * DAY_S), 0).past(now);
        for (days, said) in [
            (-1, "today"),
            (0, "today"),
            (1, "yesterday"),
            (2, "on Saturday"),
            (6, "on Tuesday"),
            (7, "last week"),
            (13, "last week"),
            (14, "on 9 November"),
            (30, "in October"),
            (200, "in May"),
            (350, "in December"),
            (365, "in November 2025"),
            (380, "in November 2025"),
        ] {
            assert_eq!(past(days), said, "{days}");
        }
        assert_eq!(now.date(), "2026-11-23");
        let leap = Local::new(UnixSeconds(951_782_400), 0);
        assert_eq!(leap.day_and_month(), "29 February");
        for extreme in [i64::MIN, i64::MAX] {
            Local::new(UnixSeconds(extreme), i32::MAX).day_and_month();
        }
    }
}

//! Dates and times of day.

use super::number;
use super::token::Token;

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

/// The words, and how many tokens they stand for.
pub(super) fn say(tokens: &[Token<'_>], before: &str) -> Option<(String, usize)> {
    let core = tokens[0].core;
    iso(core)
        .or_else(|| clock(core))
        .map(|words| (words, 1))
        .or_else(|| day_and_month(tokens, before))
        .or_else(|| month_and_day(tokens))
}

/// `2026-11-23`, `2026-11-23T14:05:00Z`.
fn iso(core: &str) -> Option<String> {
    let (date, time) = match core.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (core, None),
    };
    let mut parts = date.split('-');
    let year = figures(parts.next()?, 4, 4)?;
    let month = figures(parts.next()?, 2, 2)?;
    let day = figures(parts.next()?, 2, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let date = format!("{} {}", day_of(day, month)?, number::year(year));
    let Some(time) = time else { return Some(date) };
    let time = time.split(['Z', '+', '.']).next()?;
    Some(format!("{date} at {}", clock(time)?))
}

/// `14:05`, `14:05:30`.
fn clock(core: &str) -> Option<String> {
    let mut parts = core.split(':');
    let hour = figures(parts.next()?, 1, 2).filter(|h| *h < 24)?;
    let minute = figures(parts.next()?, 2, 2).filter(|m| *m < 60)?;
    let second = match parts.next() {
        Some(second) => Some(figures(second, 2, 2).filter(|s| *s < 60)?),
        None => None,
    };
    if parts.next().is_some() {
        return None;
    }
    let words = match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (hour @ 1..=12, 0) => format!("{} o'clock", number::count(hour)),
        (hour, 0) => format!("{} hundred", number::count(hour)),
        (hour, minute @ 1..=9) => {
            format!("{} oh {}", number::count(hour), number::count(minute))
        }
        (hour, minute) => format!("{} {}", number::count(hour), number::count(minute)),
    };
    Some(match second {
        None | Some(0) => words,
        Some(1) => format!("{words} and one second"),
        Some(second) => format!("{words} and {} seconds", number::count(second)),
    })
}

/// `23 November 2026`, `23rd of November`.
fn day_and_month(tokens: &[Token<'_>], before: &str) -> Option<(String, usize)> {
    let [day, rest @ ..] = tokens else {
        return None;
    };
    if !day.goes_on() {
        return None;
    }
    let plain = day.core.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &day.core[plain.len()..];
    if !matches!(suffix, "" | "st" | "nd" | "rd" | "th") {
        return None;
    }
    let (rest, of) = match rest {
        [of, rest @ ..] if of.core == "of" && of.goes_on() => (rest, 1),
        rest => (rest, 0),
    };
    let month = month(rest.first()?.core)?;
    let mut words = day_of(figures(plain, 1, 2)?, month)?;
    if before == "the" {
        words = words.trim_start_matches("the ").to_owned();
    }
    let mut taken = 2 + of;
    if let Some(year) = year_after(rest) {
        words = format!("{words} {year}");
        taken += 1;
    }
    Some((words, taken))
}

/// `November 23`, `Nov 23, 2026`.
fn month_and_day(tokens: &[Token<'_>]) -> Option<(String, usize)> {
    let [name, day, rest @ ..] = tokens else {
        return None;
    };
    if !name.goes_on() {
        return None;
    }
    let month = month(name.core)?;
    let spoken = MONTHS[month as usize - 1];
    if let Some(year) = figures(day.core, 4, 4) {
        return Some((format!("{spoken} {}", number::year(year)), 2));
    }
    let day_number = figures(day.core, 1, 2).filter(|day| (1..=31).contains(day))?;
    let words = format!("{spoken} the {}", number::ordinal(day_number));
    match rest.first().and_then(|year| figures(year.core, 4, 4)) {
        Some(year) if !day.ends_sentence() && (1900..2200).contains(&year) => {
            Some((format!("{words}, {}", number::year(year)), 3))
        }
        _ => Some((words, 2)),
    }
}

/// The year in the second of these tokens, where the first goes on.
fn year_after(tokens: &[Token<'_>]) -> Option<String> {
    let [month, year, ..] = tokens else {
        return None;
    };
    let year =
        month.goes_on().then(|| figures(year.core, 4, 4)).flatten().filter(|year| (1900..2200).contains(year))?;
    Some(number::year(year))
}

fn month(word: &str) -> Option<u64> {
    let full = MONTHS.iter().position(|name| *name == word);
    let short = || MONTHS.iter().position(|name| word.len() == 3 && name.starts_with(word));
    Some(full.or_else(short)? as u64 + 1)
}

fn day_of(day: u64, month: u64) -> Option<String> {
    let name = MONTHS.get(month.checked_sub(1)? as usize)?;
    (1..=31).contains(&day).then(|| format!("the {} of {name}", number::ordinal(day)))
}

/// A plain number of so many digits.
fn figures(text: &str, least: usize, most: usize) -> Option<u64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

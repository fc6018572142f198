//! The ways to say a figure.

use serde::Serialize;

use super::DAY;
use crate::judge::{self, forms};
use crate::pve::state::Guest;

/// One figure, name or word that an answer must hold, in each of the ways it may be said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Figure(Vec<String>);

impl Figure {
    /// Any of these.
    pub fn any(ways: impl IntoIterator<Item = String>) -> Self {
        let mut ways: Vec<String> = ways.into_iter().collect();
        ways.sort();
        ways.dedup();
        Self(ways)
    }

    /// This one, or that one in its place.
    pub fn or(self, other: Self) -> Self {
        Self::any(self.0.into_iter().chain(other.0))
    }

    /// Whether there is no way to say it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of several hearings of the same answer holds it.
    pub fn is_in(&self, heard: &[impl AsRef<str>]) -> bool {
        self.0.iter().any(|way| heard.iter().any(|heard| judge::holds(heard.as_ref(), way)))
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

pub(super) fn words(words: &[&str]) -> Figure {
    Figure::any(words.iter().map(|word| (*word).to_owned()))
}

pub(super) fn number(number: impl TryInto<u64>) -> Figure {
    Figure::any([number.try_into().unwrap_or_default().to_string()])
}

pub(super) fn name(guest: &Guest) -> Figure {
    Figure::any([guest.name.clone().unwrap_or_else(|| guest.vmid.to_string())])
}

/// `61.25` as `61` or `61.3`.
pub(super) fn rounded(value: f64) -> Figure {
    let tenths = format!("{value:.1}");
    let whole = format!("{value:.0}");
    match tenths.strip_suffix(".0") {
        Some(_) => Figure::any([whole]),
        None => Figure::any([whole, tenths]),
    }
}

/// An amount of bytes in whatever unit suits.
pub(super) fn amount(bytes: u64) -> Figure {
    let mut figures = Figure::default();
    for unit in [1 << 20, 1_000_000, 1 << 30, 1_000_000_000, 1_u64 << 40, 1_000_000_000_000] {
        let value = bytes as f64 / unit as f64;
        if !(0.5..2000.0).contains(&value) {
            continue;
        }
        let mut rounded = rounded(value);
        // A small amount rounded to the next whole one is not right any more.
        if value < 3.0 && rounded.0.iter().any(|way| way.contains('.')) {
            rounded.0.retain(|way| way.contains('.'));
        }
        figures = figures.or(rounded);
    }
    figures
}

/// Bytes used of bytes there, as a share or an amount.
pub(super) fn used((used, total): (u64, u64)) -> Figure {
    let share = used as f64 / total.max(1) as f64 * 100.0;
    Figure::any([format!("{share:.0}")]).or(amount(used))
}

/// Bytes left of bytes there, as a share or an amount.
pub(super) fn free((used, total): (u64, u64)) -> Figure {
    let share = used as f64 / total.max(1) as f64 * 100.0;
    Figure::any([format!("{:.0}", 100.0 - share)]).or(amount(total - used))
}

pub(super) fn since(now: i64, then: i64) -> Figure {
    match (now - then) / DAY {
        0 => number((now - then) / 3600),
        days => number(days),
    }
}

/// `9.2.11` as a person says it.
pub(super) fn version(version: &str) -> Figure {
    let spoken = |part: &str| forms(part).into_iter().next().unwrap_or_default();
    let parts: Vec<String> = version.split(['.', '-']).filter(|p| p.parse::<u64>().is_ok()).map(spoken).collect();
    let digits: Vec<String> = version.chars().filter(char::is_ascii_digit).map(|c| spoken(&c.to_string())).collect();
    Figure::any([parts.join(" point "), parts.join(" dot "), parts.join(" "), digits.join(" ")])
}

/// A time of day, `local` seconds since 1970, as it is said with hours first.
pub(super) fn time_of_day(local: i64) -> Figure {
    let minutes = local.rem_euclid(DAY) / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let spoken = |n: i64| forms(&n.to_string()).into_iter().next().unwrap_or_default();
    let mut figures = Vec::new();
    match (hour, minute) {
        (0, 0) => figures.push("midnight".to_owned()),
        (13.., 0) => figures.push(format!("{} hundred", spoken(hour))),
        _ => {}
    }
    for hour in [hour, (hour + 11) % 12 + 1] {
        let hour = spoken(hour);
        match minute {
            0 => figures.push(format!("{hour} o'clock")),
            1..10 => {
                figures.extend([format!("{hour} oh {}", spoken(minute)), format!("{hour} zero {}", spoken(minute))])
            }
            30 => figures.extend([format!("{hour} thirty"), format!("half past {hour}")]),
            _ => figures.push(format!("{hour} {}", spoken(minute))),
        }
    }
    Figure::any(figures)
}

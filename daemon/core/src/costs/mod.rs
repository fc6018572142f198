//! Money: how much of it may be spent, whether a request may be paid for, and when a word about it is due.
//!
//! Every request to a model is written down before it is sent, with the most that it can cost; what it really cost replaces that when it
//! is known. Both are counted against the caps, so that no number of requests at once passes them. What nobody knows counts in full.

mod words;

use std::str::FromStr;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::mind::error::Unpaid;
use crate::mind::prices::MicroUsd;

pub use words::{notice, out_of_money, spent_in};

/// Micro-dollars of a dollar.
const DOLLAR: u64 = 1_000_000;
/// Tokens that a prompt may have beyond what was counted: an eighth, and a little.
const MARGIN_SHARE: u64 = 8;
const MARGIN_LEAST: u64 = 64;

/// Tokens for which money is set aside, where `counted` were counted or estimated: providers count in their own way.
pub fn with_margin(counted: u64) -> u64 {
    counted.saturating_add(counted / MARGIN_SHARE).saturating_add(MARGIN_LEAST)
}

/// An amount as an owner writes it: `2`, `2.5`, `"0.000001"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dollars(pub MicroUsd);

/// Not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount: write dollars with at most six decimals, such as 2.50")]
pub struct NoAmount(String);

impl FromStr for Dollars {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let wrong = || NoAmount(text.chars().take(40).collect());
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
        let all = whole.checked_mul(DOLLAR).and_then(|micro| micro.checked_add(part)).ok_or_else(wrong)?;
        Ok(Self(MicroUsd(all)))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = Dollars;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount in dollars, such as 2.50")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Dollars, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<Dollars, E> {
                self.visit_str(&whole.to_string())
            }

            fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Dollars, E> {
                self.visit_str(&whole.to_string())
            }

            // The shortest digits that mean this number are the ones that were written.
            fn visit_f64<E: serde::de::Error>(self, amount: f64) -> Result<Dollars, E> {
                self.visit_str(&amount.to_string())
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

/// The most that may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// In one day of the owner's calendar.
    pub day: MicroUsd,
    /// In one month of it.
    pub month: MicroUsd,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A day.
    Day,
    /// A month.
    Month,
}

/// What is spent: really, and set aside on top of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Of the day, known.
    pub day: MicroUsd,
    /// Of the day, set aside for requests under way.
    pub day_open: MicroUsd,
    /// Of the month, known.
    pub month: MicroUsd,
    /// Of the month, set aside for requests under way.
    pub month_open: MicroUsd,
}

/// How far a cap is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Less than four fifths.
    Fine,
    /// At least four fifths.
    Warned,
    /// All of it.
    Spent,
}

/// A word that is due once in its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whose cap.
    pub span: Span,
    /// How far it is used.
    pub level: Level,
}

impl Caps {
    /// Whether a request that costs `at_most` may be paid for beside what is spent and set aside. What costs nothing always may.
    pub fn admit(&self, spent: &Spent, at_most: MicroUsd) -> Result<(), Unpaid> {
        let fits = |used: MicroUsd, open: MicroUsd, cap: MicroUsd| {
            let sum = used.0.checked_add(open.0).and_then(|sum| sum.checked_add(at_most.0));
            sum.is_some_and(|sum| sum <= cap.0)
        };
        if at_most.0 == 0 {
            return Ok(());
        }
        if !fits(spent.month, spent.month_open, self.month) {
            return Err(Unpaid::Month);
        }
        if !fits(spent.day, spent.day_open, self.day) {
            return Err(Unpaid::Day);
        }
        Ok(())
    }

    /// How far the caps are used by what is known to be spent.
    pub fn levels(&self, spent: &Spent) -> [(Span, Level); 2] {
        [(Span::Day, level(spent.day, self.day)), (Span::Month, level(spent.month, self.month))]
    }
}

fn level(spent: MicroUsd, cap: MicroUsd) -> Level {
    let (spent, cap) = (u128::from(spent.0), u128::from(cap.0));
    if spent >= cap {
        Level::Spent
    } else if spent * 5 >= cap * 4 {
        Level::Warned
    } else {
        Level::Fine
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, micro) in [("2", 2_000_000), ("2.5", 2_500_000), ("0.000001", 1), ("0.10", 100_000), ("0", 0)] {
            assert_eq!(text.parse(), Ok(Dollars(MicroUsd(micro))), "{text}");
        }
        for text in ["", ".5", "-1", "1e3", "0.0000001", "1,5", "$2", "18446744073710", "NaN"] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
        #[derive(Deserialize)]
        struct File {
            a: Dollars,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.a.0.0).map_err(|e| e.to_string());
        assert_eq!(read("a = 2"), Ok(2_000_000));
        assert_eq!(read("a = 0.1"), Ok(100_000));
        assert_eq!(read("a = '1.25'"), Ok(1_250_000));
        assert!(read("a = -1").unwrap_err().contains("such as 2.50"));
        assert!(read("a = true").unwrap_err().contains("amount in dollars"));
    }

    const CAPS: Caps = Caps { day: MicroUsd(100), month: MicroUsd(1_000) };

    #[test]
    fn the_caps_are_met_to_the_last_micro_dollar() {
        let spent = Spent { day: MicroUsd(50), day_open: MicroUsd(20), month: MicroUsd(50), month_open: MicroUsd(20) };
        assert_eq!(CAPS.admit(&spent, MicroUsd(30)), Ok(()));
        assert_eq!(CAPS.admit(&spent, MicroUsd(31)), Err(Unpaid::Day));
        let month = Spent { month: MicroUsd(971), ..spent };
        assert_eq!(CAPS.admit(&month, MicroUsd(10)), Err(Unpaid::Month));
        let over = Spent { day: MicroUsd(500), month: MicroUsd(u64::MAX), ..spent };
        assert_eq!(CAPS.admit(&over, MicroUsd(0)), Ok(()), "what costs nothing is always paid for");
        assert_eq!(CAPS.admit(&over, MicroUsd(1)), Err(Unpaid::Month), "no sum wraps");
    }

    #[test]
    fn a_word_is_due_at_four_fifths_and_at_the_whole() {
        let levels = |day: u64| CAPS.levels(&Spent { day: MicroUsd(day), ..Spent::default() })[0].1;
        assert_eq!(
            [79, 80, 99, 100, 101].map(levels),
            [Level::Fine, Level::Warned, Level::Warned, Level::Spent, Level::Spent]
        );
        assert_eq!(level(MicroUsd(0), MicroUsd(0)), Level::Spent, "a cap of nothing is used up");
        assert_eq!(level(MicroUsd(u64::MAX - 1), MicroUsd(u64::MAX)), Level::Warned);
    }

    proptest! {
        #[test]
        fn no_order_of_reservations_passes_a_cap(wishes in prop::collection::vec((0u64..60, 0u64..=100), 0..200)) {
            let mut spent = Spent::default();
            let mut open = Vec::new();
            for (at_most, share) in wishes {
                if CAPS.admit(&spent, MicroUsd(at_most)).is_ok() {
                    spent.day_open.0 += at_most;
                    spent.month_open.0 += at_most;
                    open.push((at_most, at_most * share / 100));
                }
                if share % 2 == 0 && let Some((set_aside, cost)) = open.pop() {
                    spent.day_open.0 -= set_aside;
                    spent.month_open.0 -= set_aside;
                    spent.day.0 += cost;
                    spent.month.0 += cost;
                }
                prop_assert!(spent.day.0 + spent.day_open.0 <= CAPS.day.0);
                prop_assert!(spent.month.0 + spent.month_open.0 <= CAPS.month.0);
            }
        }
    }
}

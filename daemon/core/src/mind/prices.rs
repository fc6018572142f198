//! What an answer costs, in whole micro-dollars: by model, day and length of the prompt. Never below what the provider bills.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::date::Day;
use super::message::Usage;

/// Tokens that a price is for.
const PER: u128 = 1_000_000;

/// Money: millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the prompt, read afresh.
    pub input: u64,
    /// Of the answer, thinking included.
    pub output: u64,
    /// Of the prompt, written into the cache for five minutes.
    pub cache_write_5m: u64,
    /// Of the prompt, written into the cache for an hour.
    pub cache_write_1h: u64,
    /// Of the prompt, read from the cache.
    pub cache_read: u64,
}

impl Price {
    /// What `usage` costs, rounded up once; an amount that no number holds is the largest there is.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        let parts = [
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cache_write_5m, self.cache_write_5m),
            (usage.cache_write_1h, self.cache_write_1h),
            (usage.cache_read, self.cache_read),
        ];
        let sum =
            parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).fold(0, u128::saturating_add);
        MicroUsd(u64::try_from(sum.div_ceil(PER)).unwrap_or(u64::MAX))
    }

    /// The most that a request can cost, however its prompt is read: what to set aside before it is sent.
    pub fn at_most(&self, prompt_tokens: u64, output_tokens: u64) -> MicroUsd {
        let dearest = self.input.max(self.cache_write_5m).max(self.cache_write_1h).max(self.cache_read);
        let usage = Usage { input: prompt_tokens, output: output_tokens, ..Usage::default() };
        Self { input: dearest, ..*self }.cost(&usage)
    }

    /// The dearer of the two in every part.
    #[must_use]
    pub(super) fn or_dearer(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_write_5m: self.cache_write_5m.max(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
            cache_read: self.cache_read.max(other.cache_read),
        }
    }
}

/// A model's prices over time and by length of the prompt. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList(Vec<Entry>);

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    from: Option<Day>,
    up_to_prompt_tokens: Option<u64>,
    input: u64,
    output: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    cache_read: u64,
}

impl Entry {
    fn price(&self) -> Price {
        Price {
            input: self.input,
            output: self.output,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            cache_read: self.cache_read,
        }
    }

    /// Earlier days first, shorter prompts first.
    fn place(&self) -> (Option<Day>, u64) {
        (self.from, self.up_to_prompt_tokens.unwrap_or(u64::MAX))
    }
}

/// A price list with a hole, or two prices for one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceListError {
    /// Some prompt has no price on some day.
    #[error("the prices{} have no entry without up_to_prompt_tokens", since(.0))]
    NoEnd(Option<Day>),
    /// Some prompt has two.
    #[error("the prices{} have two entries for the same prompts", since(.0))]
    Twice(Option<Day>),
    /// Some day has none.
    #[error("there is no price that holds before the first date: leave `from` out of the earliest")]
    NoBeginning,
}

fn since(day: &Option<Day>) -> String {
    day.map_or_else(String::new, |day| format!(" from {day}"))
}

impl PriceList {
    pub(super) fn new(mut entries: Vec<Entry>) -> Result<Self, PriceListError> {
        entries.sort_by_key(Entry::place);
        if entries.first().is_none_or(|first| first.from.is_some()) {
            return Err(PriceListError::NoBeginning);
        }
        for pair in entries.windows(2) {
            if pair[0].place() == pair[1].place() {
                return Err(PriceListError::Twice(pair[0].from));
            }
        }
        for same_day in entries.chunk_by(|a, b| a.from == b.from) {
            if same_day.last().is_some_and(|last| last.up_to_prompt_tokens.is_some()) {
                return Err(PriceListError::NoEnd(same_day[0].from));
            }
        }
        Ok(Self(entries))
    }

    /// What holds on `day` for a prompt of `prompt_tokens`.
    pub fn on(&self, day: Day, prompt_tokens: u64) -> Price {
        let since = self.0.iter().filter_map(|entry| entry.from).filter(|from| *from <= day).max();
        let mut entries = self.0.iter().filter(|entry| entry.from == since);
        let entry = entries.find(|entry| prompt_tokens <= entry.up_to_prompt_tokens.unwrap_or(u64::MAX));
        entry.map(Entry::price).unwrap_or_default()
    }

    /// The dearest that holds on `day`, whatever the prompt.
    pub(super) fn dearest(&self, day: Day) -> Price {
        self.on(day, u64::MAX).or_dearer(self.on(day, 0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICE: Price = Price {
        input: 4_000_000,
        output: 20_000_000,
        cache_write_5m: 5_000_000,
        cache_write_1h: 8_000_000,
        cache_read: 200_000,
    };

    #[test]
    fn costs_are_rounded_up_once() {
        let usage = Usage { input: 1_000, output: 500, cache_write_5m: 200, cache_write_1h: 100, cache_read: 10_003 };
        // 4,000 + 10,000 + 1,000 + 800 + 2,000.6
        assert_eq!(PRICE.cost(&usage), MicroUsd(17_801));
        assert_eq!(PRICE.cost(&Usage { cache_read: 1, ..Usage::default() }), MicroUsd(1));
        assert_eq!(PRICE.cost(&Usage::default()), MicroUsd(0));
        let cents = MicroUsd(1_017_801);
        assert_eq!(cents.to_string(), "$1.017801");
    }

    #[test]
    fn a_list_with_a_hole_is_refused() {
        let entry = |from: Option<&str>, up_to_prompt_tokens| Entry {
            from: from.map(|day| day.parse().unwrap()),
            up_to_prompt_tokens,
            input: 1,
            output: 1,
            cache_write_5m: 1,
            cache_write_1h: 1,
            cache_read: 1,
        };
        let day = Some("2026-10-07");
        let list = |entries: &[Entry]| PriceList::new(entries.to_vec()).map(|_| ()).map_err(|e| e.to_string());
        assert!(list(&[]).unwrap_err().contains("before the first date"));
        assert!(list(&[entry(day, None)]).unwrap_err().contains("before the first date"));
        assert!(list(&[entry(None, Some(5))]).unwrap_err().contains("no entry without"));
        assert!(list(&[entry(None, None), entry(day, Some(5))]).unwrap_err().contains("from 2026-10-07"));
        assert!(list(&[entry(None, None), entry(None, None)]).unwrap_err().contains("two entries"));
        assert_eq!(list(&[entry(day, None), entry(day, Some(5)), entry(None, None)]), Ok(()));
    }

    fn usage() -> impl Strategy<Value = Usage> {
        prop_oneof![any::<[u64; 5]>(), prop::array::uniform5(0u64..2_000_000)].prop_map(
            |[input, output, cache_write_5m, cache_write_1h, cache_read]| Usage {
                input,
                output,
                cache_write_5m,
                cache_write_1h,
                cache_read,
            },
        )
    }

    fn price() -> impl Strategy<Value = Price> {
        prop_oneof![any::<[u64; 5]>(), prop::array::uniform5(0u64..100_000_000)].prop_map(
            |[input, output, cache_write_5m, cache_write_1h, cache_read]| Price {
                input,
                output,
                cache_write_5m,
                cache_write_1h,
                cache_read,
            },
        )
    }

    proptest! {
        #[test]
        fn a_cost_is_exact_but_for_less_than_one_micro_dollar(usage in usage(), price in price()) {
            let cost = u128::from(price.cost(&usage).0);
            let exact = [(usage.input, price.input), (usage.output, price.output), (usage.cache_write_5m, price.cache_write_5m),
                (usage.cache_write_1h, price.cache_write_1h), (usage.cache_read, price.cache_read)]
                .iter().try_fold(0u128, |sum, (tokens, price)| sum.checked_add(u128::from(*tokens) * u128::from(*price)));
            match exact {
                Some(exact) if exact <= u128::from(u64::MAX) * PER => {
                    prop_assert!(cost * PER >= exact);
                    prop_assert!(cost * PER < exact + PER);
                }
                _ => prop_assert_eq!(cost, u128::from(u64::MAX)),
            }
        }

        #[test]
        fn apart_is_never_cheaper_than_together(a in usage(), b in usage(), price in price()) {
            let apart = price.cost(&a).0.saturating_add(price.cost(&b).0);
            prop_assert!(price.cost(&a.plus(b)).0 <= apart);
        }

        #[test]
        fn what_is_set_aside_is_enough(usage in usage(), price in price()) {
            prop_assume!(usage.prompt() < u64::MAX);
            prop_assert!(price.cost(&usage) <= price.at_most(usage.prompt(), usage.output));
        }
    }
}

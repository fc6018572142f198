//! What is said of money.

use super::{Caps, Level, Notice, Span, Spent};
use crate::answer::{Asker, Reply, phrase};
use crate::mind::prices::MicroUsd;

/// Micro-dollars of a cent.
const CENT: u64 = 10_000;

/// "one dollar and 20 cents", rounded up to the cent: what is said is never less than what was spent.
fn spoken(amount: MicroUsd) -> String {
    let cents = amount.0.div_ceil(CENT);
    let counted = |n: u64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    match (cents / 100, cents % 100) {
        (0, 0) => "nothing".to_owned(),
        (0, cents) => counted(cents, "cent", "cents"),
        (dollars, 0) => counted(dollars, "dollar", "dollars"),
        (dollars, cents) => {
            format!("{} and {}", counted(dollars, "dollar", "dollars"), counted(cents, "cent", "cents"))
        }
    }
}

/// The answer to "what have you cost today", and "this month".
pub fn spent_in(span: Span, spent: &Spent, caps: &Caps, asker: &Asker<'_>) -> Reply {
    let (amount, open, cap, key) = match span {
        Span::Day => (spent.day, spent.day_open, caps.day, "costs.day"),
        Span::Month => (spent.month, spent.month_open, caps.month, "costs.month"),
    };
    let (amount_in_words, cap_in_words) = (spoken(amount), spoken(cap));
    let key = if amount.0 == 0 && open.0 == 0 { format!("{key}_nothing") } else { key.to_owned() };
    let values = [("amount", amount_in_words.as_str()), ("cap", cap_in_words.as_str())];
    let mut speech = phrase(&key, asker.seed, &values);
    if open.0 > 0 {
        speech.push(' ');
        speech.push_str(&phrase("costs.open", asker.seed, &[("amount", &spoken(open))]));
    }
    let page = format!("{amount} of {cap}, {open} of it set aside for requests under way");
    Reply { speech, page: Some(page), key: Some(amount_in_words), ..Reply::default() }
}

/// The word that is due.
pub fn notice(what: Notice, caps: &Caps, seed: u64) -> String {
    let (span, cap) = match what.span {
        Span::Day => ("day", caps.day),
        Span::Month => ("month", caps.month),
    };
    let key = if what.level == Level::Spent { format!("costs.spent_{span}") } else { format!("costs.warned_{span}") };
    phrase(&key, seed, &[("cap", &spoken(cap))])
}

/// What goes with an answer for which a cloud was wanted and not paid for.
pub fn out_of_money(seed: u64) -> String {
    phrase("costs.instead", seed, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_cents_and_never_too_low() {
        for (micro, words) in [
            (0, "nothing"),
            (1, "1 cent"),
            (10_000, "1 cent"),
            (10_001, "2 cents"),
            (1_000_000, "1 dollar"),
            (2_005_000, "2 dollars and 1 cent"),
        ] {
            assert_eq!(spoken(MicroUsd(micro)), words);
        }
    }
}

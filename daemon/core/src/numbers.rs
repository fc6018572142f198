//! Numbers as people say them: "one zero four", "one hundred and four", "one oh four" and "one fourteen".

/// Most digits of a number that is read; a VMID has at most nine.
const DIGITS_MAX: usize = 9;

const UNITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] =
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 12] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
];

/// One way to read the words from a place on: a sequence may have several ("one hundred" and "one hundred and four").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// The number.
    pub value: u32,
    /// The first word after it.
    pub end: usize,
}

/// Every reading of the words that begins at `at`.
pub fn readings(words: &[impl AsRef<str>], at: usize) -> Vec<Reading> {
    let mut found = Vec::new();
    concatenated(words, at, 0, 0, &mut found);
    cardinal(words, at, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a word belongs to a spoken number.
pub fn is_number_word(word: &str) -> bool {
    digit(word).is_some()
        || two_digits(word).is_some()
        || matches!(word, "hundred" | "thousand")
        || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
}

/// "second" for 2, as far as people count.
pub fn ordinal(value: u32) -> Option<&'static str> {
    usize::try_from(value).ok().and_then(|v| v.checked_sub(1)).and_then(|i| ORDINALS.get(i)).copied()
}

/// The usual ways to say a number, the commonest first.
pub fn spoken(value: u32) -> Vec<String> {
    let mut ways = Vec::new();
    if value < 100 {
        ways.push(below_hundred(value));
        return ways;
    }
    let digits: Vec<&str> =
        value.to_string().bytes().filter_map(|b| UNITS.get(usize::from(b.wrapping_sub(b'0'))).copied()).collect();
    ways.push(digits.join(" "));
    if digits.get(1..).is_some_and(|rest| rest.contains(&"zero")) {
        let ohs: Vec<&str> = digits.iter().map(|d| if *d == "zero" { "oh" } else { d }).collect();
        ways.push(ohs.join(" "));
    }
    if value < 1000 {
        let (hundreds, rest) = (value / 100, value % 100);
        let head = below_hundred(hundreds);
        if rest == 0 {
            ways.push(format!("{head} hundred"));
            if hundreds == 1 {
                ways.push("a hundred".to_owned());
            }
        } else {
            let rest_words = below_hundred(rest);
            ways.push(format!("{head} hundred and {rest_words}"));
            ways.push(format!("{head} hundred {rest_words}"));
            if rest >= 10 {
                ways.push(format!("{head} {rest_words}"));
            }
        }
    }
    ways
}

fn below_hundred(value: u32) -> String {
    let pick = |list: &[&str], index: u32| {
        usize::try_from(index).ok().and_then(|i| list.get(i).copied()).unwrap_or("").to_owned()
    };
    match value {
        0..=9 => pick(&UNITS, value),
        10..=19 => pick(&TEENS, value - 10),
        _ => {
            let tens = pick(&TENS, value / 10 - 2);
            match value % 10 {
                0 => tens,
                unit => format!("{tens} {}", pick(&UNITS, unit)),
            }
        }
    }
}

fn place(list: &[&str], word: &str) -> Option<u32> {
    list.iter().position(|w| *w == word).and_then(|i| u32::try_from(i).ok())
}

fn digit(word: &str) -> Option<u32> {
    match word {
        "oh" | "o" | "nought" | "naught" => Some(0),
        "niner" => Some(9),
        _ => place(&UNITS, word),
    }
}

fn two_digits(word: &str) -> Option<u32> {
    place(&TEENS, word).map(|i| i + 10).or_else(|| place(&TENS, word).map(|i| (i + 2) * 10))
}

fn literal(word: &str) -> Option<u32> {
    (word.len() <= DIGITS_MAX && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.parse().ok()).flatten()
}

fn word(words: &[impl AsRef<str>], at: usize) -> &str {
    words.get(at).map_or("", AsRef::as_ref)
}

/// Digits and two-digit chunks one after the other: "one fourteen" is 114, "twelve oh three" 1203.
fn concatenated(words: &[impl AsRef<str>], at: usize, value: u32, digits: usize, found: &mut Vec<Reading>) {
    let mut go_on = |chunk: u32, width: usize, end: usize| {
        if digits + width > DIGITS_MAX {
            return;
        }
        let joined = value * 10_u32.pow(u32::try_from(width).unwrap_or(1)) + chunk;
        found.push(Reading { value: joined, end });
        concatenated(words, end, joined, digits + width, found);
    };
    let here = word(words, at);
    if let Some(d) = digit(here) {
        go_on(d, 1, at + 1);
    } else if let Some(two) = two_digits(here) {
        go_on(two, 2, at + 1);
        if two >= 20
            && let Some(unit @ 1..=9) = digit(word(words, at + 1))
        {
            go_on(two + unit, 2, at + 2);
        }
    } else if let Some(number) = literal(here) {
        go_on(number, here.len(), at + 1);
    }
}

/// 0 to 99 in words.
fn small(words: &[impl AsRef<str>], at: usize) -> Option<Reading> {
    let here = word(words, at);
    if let Some(value) = digit(here).or_else(|| literal(here).filter(|v| *v < 100)) {
        return Some(Reading { value, end: at + 1 });
    }
    let tens = two_digits(here)?;
    match digit(word(words, at + 1)) {
        Some(unit @ 1..=9) if tens >= 20 => Some(Reading { value: tens + unit, end: at + 2 }),
        _ => Some(Reading { value: tens, end: at + 1 }),
    }
}

/// "a hundred", "one hundred and four", "one thousand two hundred".
fn cardinal(words: &[impl AsRef<str>], at: usize, found: &mut Vec<Reading>) {
    let head = match word(words, at) {
        "a" => Reading { value: 1, end: at + 1 },
        "hundred" | "thousand" => Reading { value: 1, end: at },
        _ => match small(words, at) {
            Some(reading) => reading,
            None => return,
        },
    };
    match word(words, head.end) {
        "hundred" => hundreds(words, head.value * 100, head.end + 1, found),
        "thousand" => {
            let thousands = head.value * 1000;
            let from = head.end + 1;
            found.push(Reading { value: thousands, end: from });
            let rest = if word(words, from) == "and" { from + 1 } else { from };
            let Some(part) = small(words, rest) else {
                return;
            };
            if word(words, part.end) == "hundred" {
                hundreds(words, thousands + part.value * 100, part.end + 1, found);
            } else {
                found.push(Reading { value: thousands + part.value, end: part.end });
            }
        }
        _ => {}
    }
}

fn hundreds(words: &[impl AsRef<str>], value: u32, end: usize, found: &mut Vec<Reading>) {
    found.push(Reading { value, end });
    let mut from = end;
    if word(words, from) == "and" {
        from += 1;
    }
    if matches!(word(words, from), "oh" | "o" | "zero") && digit(word(words, from + 1)).is_some() {
        from += 1;
    }
    if let Some(rest) = small(words, from) {
        found.push(Reading { value: value + rest.value, end: rest.end });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Vec<u32> {
        let words: Vec<&str> = text.split_whitespace().collect();
        readings(&words, 0).into_iter().filter(|r| r.end == words.len()).map(|r| r.value).collect()
    }

    #[test]
    fn numbers_are_read_as_people_say_them() {
        for text in [
            "one zero four",
            "one hundred and four",
            "one oh four",
            "one hundred four",
            "a hundred and four",
            "hundred and four",
            "ten four",
            "104",
            "1 0 4",
            "one hundred and oh four",
        ] {
            assert!(whole(text).contains(&104), "{text}: {:?}", whole(text));
        }
        for (text, value) in [
            ("one fourteen", 114),
            ("one hundred and seventeen", 117),
            ("forty", 40),
            ("forty two", 42),
            ("one twenty three", 123),
            ("twelve oh three", 1203),
            ("one thousand two hundred and three", 1203),
            ("one two zero three", 1203),
            ("two thousand and one", 2001),
            ("zero", 0),
        ] {
            assert!(whole(text).contains(&value), "{text}: {:?}", whole(text));
        }
    }

    #[test]
    fn every_way_to_say_a_number_is_read_back() {
        for value in (0..1000).chain([1203, 20_001, 999_999_999]) {
            for way in spoken(value) {
                assert!(whole(&way).contains(&value), "{way}: {:?}", whole(&way));
            }
        }
    }

    #[test]
    fn long_digit_sequences_neither_overflow_nor_run_away() {
        let words = vec!["nine"; 10_000];
        assert_eq!(readings(&words, 0).len(), DIGITS_MAX);
        assert!(readings(&["99999999999999"], 0).is_empty());
        assert!(readings(&["server"], 0).is_empty());
    }
}

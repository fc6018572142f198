//! Numbers in words.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const SCALES: [(u64, &str); 4] =
    [(1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand")];

/// More digits than this are read one by one.
const COUNT_DIGITS_MAX: usize = 15;

/// As a Briton counts: "one hundred and four".
pub(super) fn count(n: u64) -> String {
    let mut words = Vec::new();
    let mut rest = n;
    for (scale, name) in SCALES {
        if rest >= scale {
            words.push(count(rest / scale));
            words.push(name.to_owned());
            rest %= scale;
        }
    }
    if rest >= 100 {
        words.push(ONES[(rest / 100) as usize].to_owned());
        words.push("hundred".to_owned());
        rest %= 100;
    }
    if rest > 0 && !words.is_empty() {
        words.push("and".to_owned());
    }
    if rest > 0 || words.is_empty() {
        words.push(below_hundred(rest));
    }
    words.join(" ")
}

fn below_hundred(n: u64) -> String {
    match (n / 10, n % 10) {
        (0 | 1, _) => ONES[n as usize].to_owned(),
        (tens, 0) => TENS[tens as usize].to_owned(),
        (tens, ones) => format!("{}-{}", TENS[tens as usize], ONES[ones as usize]),
    }
}

/// Digit by digit; anything but ASCII digits is left out.
pub(super) fn digits(text: &str) -> String {
    let words: Vec<_> = text.bytes().filter(u8::is_ascii_digit).map(|b| ONES[usize::from(b - b'0')]).collect();
    words.join(" ")
}

/// Digits as a count; digit by digit where they are too many or begin with a zero.
pub(super) fn integer(text: &str) -> String {
    if text.len() > COUNT_DIGITS_MAX || (text.len() > 1 && text.starts_with('0')) {
        return digits(text);
    }
    text.parse().map_or_else(|_| digits(text), count)
}

/// A number within a name: "pve12" is "twelve", "srv01" and "node104" are read digit by digit.
pub(super) fn in_name(text: &str) -> String {
    if text.len() <= 2 { integer(text) } else { digits(text) }
}

/// "first", "twenty-third", "one hundred and fourth".
pub(super) fn ordinal(n: u64) -> String {
    let count = count(n);
    let at = count.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = count.split_at(at);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        tens if tens.ends_with('y') => format!("{}ieth", &tens[..tens.len() - 1]),
        other => format!("{other}th"),
    };
    format!("{head}{last}")
}

/// "twenty twenty-six", "two thousand and six", "nineteen hundred".
pub(super) fn year(n: u64) -> String {
    match (n / 100, n % 100) {
        (10 | 20, 0..=9) => count(n),
        (high @ 10..=99, 0) => format!("{} hundred", count(high)),
        (high @ 10..=99, low @ 1..=9) => format!("{} oh {}", count(high), count(low)),
        (high @ 10..=99, low) => format!("{} {}", count(high), count(low)),
        _ => count(n),
    }
}

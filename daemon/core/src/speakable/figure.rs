//! Figures: counts, decimals, sizes, percentages, durations, temperatures, money, versions, ranges, VMIDs.

use super::token::Token;
use super::{Before, number};

/// A unit: as written, for one, for several.
struct Unit(&'static str, &'static str, &'static str);

/// Units that may stand apart from their number or at it.
const UNITS: &[Unit] = &[
    Unit("%", "percent", "percent"),
    Unit("B", "byte", "bytes"),
    Unit("kB", "kilobyte", "kilobytes"),
    Unit("KB", "kilobyte", "kilobytes"),
    Unit("KiB", "kilobyte", "kilobytes"),
    Unit("MB", "megabyte", "megabytes"),
    Unit("MiB", "megabyte", "megabytes"),
    Unit("GB", "gigabyte", "gigabytes"),
    Unit("GiB", "gigabyte", "gigabytes"),
    Unit("TB", "terabyte", "terabytes"),
    Unit("TiB", "terabyte", "terabytes"),
    Unit("PB", "petabyte", "petabytes"),
    Unit("PiB", "petabyte", "petabytes"),
    Unit("kB/s", "kilobyte per second", "kilobytes per second"),
    Unit("KiB/s", "kilobyte per second", "kilobytes per second"),
    Unit("MB/s", "megabyte per second", "megabytes per second"),
    Unit("MiB/s", "megabyte per second", "megabytes per second"),
    Unit("GB/s", "gigabyte per second", "gigabytes per second"),
    Unit("GiB/s", "gigabyte per second", "gigabytes per second"),
    Unit("kbit/s", "kilobit per second", "kilobits per second"),
    Unit("Mbit/s", "megabit per second", "megabits per second"),
    Unit("Gbit/s", "gigabit per second", "gigabits per second"),
    Unit("Mbps", "megabit per second", "megabits per second"),
    Unit("Gbps", "gigabit per second", "gigabits per second"),
    Unit("IOPS", "operation per second", "operations per second"),
    Unit("°C", "degree", "degrees"),
    Unit("°", "degree", "degrees"),
    Unit("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    Unit("Hz", "hertz", "hertz"),
    Unit("kHz", "kilohertz", "kilohertz"),
    Unit("MHz", "megahertz", "megahertz"),
    Unit("GHz", "gigahertz", "gigahertz"),
    Unit("W", "watt", "watts"),
    Unit("kW", "kilowatt", "kilowatts"),
    Unit("Wh", "watt hour", "watt hours"),
    Unit("kWh", "kilowatt hour", "kilowatt hours"),
    Unit("V", "volt", "volts"),
    Unit("mV", "millivolt", "millivolts"),
    Unit("mA", "milliamp", "milliamps"),
    Unit("RPM", "turn a minute", "turns a minute"),
    Unit("rpm", "turn a minute", "turns a minute"),
    Unit("dB", "decibel", "decibels"),
    Unit("ns", "nanosecond", "nanoseconds"),
    Unit("us", "microsecond", "microseconds"),
    Unit("µs", "microsecond", "microseconds"),
    Unit("ms", "millisecond", "milliseconds"),
    Unit("s", "second", "seconds"),
    Unit("sec", "second", "seconds"),
    Unit("min", "minute", "minutes"),
    Unit("h", "hour", "hours"),
    Unit("hr", "hour", "hours"),
    Unit("hrs", "hour", "hours"),
    Unit("d", "day", "days"),
    Unit("w", "week", "weeks"),
    Unit("vCPU", "virtual processor", "virtual processors"),
    Unit("vCPUs", "virtual processor", "virtual processors"),
];

/// Units only where they stand at their number: apart they are words or letters.
const ATTACHED: &[Unit] = &[
    Unit("K", "kilobyte", "kilobytes"),
    Unit("M", "megabyte", "megabytes"),
    Unit("G", "gigabyte", "gigabytes"),
    Unit("T", "terabyte", "terabytes"),
    Unit("C", "degree", "degrees"),
    Unit("F", "degree Fahrenheit", "degrees Fahrenheit"),
    Unit("A", "amp", "amps"),
    Unit("m", "minute", "minutes"),
    Unit("y", "year", "years"),
    Unit("x", "times", "times"),
    Unit("k", "thousand", "thousand"),
];

/// After these a number is a name and read digit by digit.
const NAMING: &[&str] = &[
    "vm",
    "vms",
    "vmid",
    "vmids",
    "ct",
    "cts",
    "container",
    "containers",
    "guest",
    "guests",
    "machine",
    "machines",
    "lxc",
    "qemu",
    "id",
    "ids",
    "port",
    "ports",
    "pid",
    "code",
    "error",
    "status",
    "http",
    "template",
    "templates",
];

/// After these a number with a point is a version and keeps its zeros.
const VERSIONED: &[&str] = &["version", "release", "ve", "proxmox", "kernel", "linux", "debian", "v"];

/// VMIDs begin here.
const VMID_MIN: u64 = 100;

/// Whether a number after this word is a name.
pub(super) fn names_things(word: &str) -> bool {
    NAMING.contains(&word.to_lowercase().as_str())
}

/// The words, and how many tokens they stand for.
pub(super) fn say(tokens: &[Token<'_>], before: &Before) -> Option<(String, usize)> {
    let first = &tokens[0];
    let core = first.core;
    if !core.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (prefix, core) = prefix(core);
    let words = |words: String| (format!("{prefix}{words}"), 1);
    if let Some(money) = money(core) {
        return Some(words(money));
    }
    if let Some(duration) = duration(core) {
        return Some(words(duration));
    }
    if let Some(ordinal) = ordinal(core) {
        return Some(words(ordinal));
    }
    if let Some(version) = version(core) {
        return Some(words(version));
    }
    if let Some(pair) = pair(core) {
        return Some(match apart(tokens) {
            Some(unit) => (format!("{prefix}{pair} {}", unit.2), 2),
            None => words(pair),
        });
    }
    let (sign, core) = sign(core);
    let (whole, fraction, rest) = decimal(core)?;
    let prefix = format!("{prefix}{sign}");
    if rest.is_empty() && fraction.is_none() && is_name(first, whole, tokens, before) {
        return Some((format!("{prefix}{}", number::digits(whole)), 1));
    }
    if let Some(unit) = attached(rest) {
        let one = is_one(whole, fraction);
        return Some((format!("{prefix}{} {}", value(whole, fraction, true), unit.name(one)), 1));
    }
    if !rest.is_empty() {
        // "64-bit", "4-core"
        let tail = rest.strip_prefix('-').filter(|_| fraction.is_none())?;
        let tail = super::name::say(tail);
        return Some((format!("{prefix}{} {tail}", number::integer(whole)), 1));
    }
    if let Some(unit) = apart(tokens) {
        let one = is_one(whole, fraction);
        return Some((format!("{prefix}{} {}", value(whole, fraction, true), unit.name(one)), 2));
    }
    let keep = VERSIONED.contains(&before.word.as_str());
    Some((format!("{prefix}{}", value(whole, fraction, !keep && fraction == Some(""))), 1))
}

impl Unit {
    fn name(&self, one: bool) -> &'static str {
        if one { self.1 } else { self.2 }
    }
}

/// The unit that is the rest of a token.
fn attached(rest: &str) -> Option<&'static Unit> {
    UNITS.iter().chain(ATTACHED).find(|unit| !rest.is_empty() && unit.0 == rest)
}

/// The unit that is the next token.
fn apart(tokens: &[Token<'_>]) -> Option<&'static Unit> {
    let [number, unit, ..] = tokens else {
        return None;
    };
    let written = number.goes_on().then_some(unit.core)?;
    UNITS.iter().find(|unit| unit.0 == written)
}

/// What may stand before a figure.
fn prefix(core: &str) -> (&'static str, &str) {
    for (mark, words) in [
        ("~", "about "),
        ("<=", "at most "),
        (">=", "at least "),
        ("<", "less than "),
        (">", "more than "),
        ("#", "number "),
        ("=", "equals "),
    ] {
        if let Some(rest) = core.strip_prefix(mark) {
            return (words, rest);
        }
    }
    ("", core)
}

fn sign(core: &str) -> (&'static str, &str) {
    match (core.strip_prefix('-'), core.strip_prefix('+')) {
        (Some(rest), _) => ("minus ", rest),
        (_, Some(rest)) => ("plus ", rest),
        _ => ("", core),
    }
}

/// Whole part (without separators of thousands), digits after the point, and what follows.
fn decimal(core: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = core.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(core.len());
    let (whole, rest) = core.split_at(end);
    if whole.contains(',') && !grouped(whole) {
        return None;
    }
    let Some(after) = rest.strip_prefix('.') else {
        return (!whole.is_empty()).then_some((whole, None, rest));
    };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (fraction, rest) = after.split_at(end);
    (!fraction.is_empty()).then_some((whole, Some(fraction), rest))
}

/// "1,234,567".
fn grouped(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().is_some_and(|g| (1..=3).contains(&g.len()));
    first && groups.all(|group| group.len() == 3)
}

/// The number in words; `round` leaves out a fraction of zeros.
fn value(whole: &str, fraction: Option<&str>, round: bool) -> String {
    let whole = whole.replace(',', "");
    let whole = if whole.is_empty() { "zero".to_owned() } else { number::integer(&whole) };
    match fraction {
        Some(zeros) if round && zeros.bytes().all(|b| b == b'0') => whole,
        Some(fraction) => format!("{whole} point {}", number::digits(fraction)),
        None => whole,
    }
}

fn is_one(whole: &str, fraction: Option<&str>) -> bool {
    whole == "1" && fraction.is_none_or(|zeros| zeros.bytes().all(|b| b == b'0'))
}

/// Whether an integer names something here.
fn is_name(token: &Token<'_>, whole: &str, tokens: &[Token<'_>], before: &Before) -> bool {
    if apart(tokens).is_some() || whole.contains(',') {
        return false;
    }
    let big = whole.parse().is_ok_and(|n: u64| n >= VMID_MIN);
    names_things(&before.word) || (big && (before.digits || token.is_bracketed()))
}

/// "3d4h12m", "2h30m", "1h".
fn duration(core: &str) -> Option<String> {
    let mut rest = core;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
        let (figures, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let name = match unit {
            "w" => "week",
            "d" => "day",
            "h" => "hour",
            "m" | "min" => "minute",
            "s" => "second",
            _ => return None,
        };
        let plural = if figures == "1" { "" } else { "s" };
        parts.push(format!("{} {name}{plural}", number::integer(figures)));
        rest = tail;
    }
    match parts.split_last() {
        Some((last, [])) => Some(last.clone()),
        Some((last, first)) => Some(format!("{} and {last}", first.join(" "))),
        None => None,
    }
}

/// "1st", "23rd".
fn ordinal(core: &str) -> Option<String> {
    let end = core.find(|c: char| !c.is_ascii_digit())?;
    let (figures, suffix) = core.split_at(end);
    if !matches!(suffix, "st" | "nd" | "rd" | "th") || figures.len() > 9 {
        return None;
    }
    Some(number::ordinal(figures.parse().ok()?))
}

/// "9.2.3", "v9.2", "6.8.12-4-pve": at least two points, or a `v` in front.
fn version(core: &str) -> Option<String> {
    let (spoken, rest) = match core.strip_prefix(['v', 'V']) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => ("version ", rest),
        _ => ("", core),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (figures, tail) = rest.split_at(end);
    let parts: Vec<_> = figures.split('.').collect();
    let whole = parts.iter().all(|part| !part.is_empty());
    let dotted = parts.len() >= 3 || !spoken.is_empty();
    let continued = parts.len() == 2 && tail.starts_with('-');
    if !whole || !(dotted || continued) || !(tail.is_empty() || tail.starts_with(['-', '+', '~'])) {
        return None;
    }
    let parts: Vec<_> = parts.into_iter().map(number::integer).collect();
    let mut words = format!("{spoken}{}", parts.join(" point "));
    for part in tail.split(['-', '+', '~']).filter(|part| !part.is_empty()) {
        words.push_str(" dash ");
        words.push_str(&super::name::say(part));
    }
    Some(words)
}

/// "3/4" (of), "10-20" and "10-20%" (to).
fn pair(core: &str) -> Option<String> {
    let at = core.find(['/', '-']).filter(|at| *at > 0)?;
    let (a, b) = (&core[..at], &core[at + 1..]);
    let joint = if core[at..].starts_with('/') { "of" } else { "to" };
    let (a_whole, a_fraction, a_rest) = decimal(a)?;
    let (b_whole, b_fraction, b_rest) = decimal(b)?;
    if !a_rest.is_empty() {
        return None;
    }
    let unit = match attached(b_rest) {
        Some(unit) => format!(" {}", unit.2),
        None if b_rest.is_empty() => String::new(),
        None => return None,
    };
    let a = value(a_whole, a_fraction, true);
    let b = value(b_whole, b_fraction, true);
    Some(format!("{a} {joint} {b}{unit}"))
}

/// "£3.50", "$0.02".
fn money(core: &str) -> Option<String> {
    let (one, many, small) = match core.chars().next()? {
        '£' => ("pound", "pounds", "pence"),
        '$' => ("dollar", "dollars", "cents"),
        '€' => ("euro", "euros", "cents"),
        _ => return None,
    };
    let figures = core.trim_start_matches(['£', '$', '€']);
    let (whole, fraction, _) = decimal(figures).filter(|(_, _, rest)| rest.is_empty())?;
    let name = if whole == "1" { one } else { many };
    Some(match fraction {
        Some(hundredths) if hundredths.len() == 2 => {
            let hundredths = hundredths.trim_start_matches('0');
            match (whole, hundredths) {
                (_, "") => format!("{} {name}", value(whole, None, true)),
                ("0" | "", few) => format!("{} {small}", number::integer(few)),
                (_, few) => format!("{} {name} {}", value(whole, None, true), number::integer(few)),
            }
        }
        Some(fraction) => format!("{} {many}", value(whole, Some(fraction), true)),
        None => format!("{} {name}", value(whole, None, true)),
    })
}

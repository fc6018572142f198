//! Words and names: `pve2`, `web-server`, `VMs`, `/etc/pve`.

use super::number;

/// Short forms that are said as something else.
const SAID_AS: &[(&str, &str)] = &[
    ("&", "and"),
    ("+", "plus"),
    ("=", "equals"),
    ("approx", "approximately"),
    ("dr", "doctor"),
    ("e.g", "for example"),
    ("etc", "et cetera"),
    ("i.e", "that is"),
    ("i/o", "i o"),
    ("incl", "including"),
    ("mr", "mister"),
    ("mrs", "missis"),
    ("n/a", "not available"),
    ("ok", "okay"),
    ("vs", "versus"),
    ("w/", "with"),
    ("w/o", "without"),
];

/// Acronyms that are said as a word.
const WORDS: &[(&str, &str)] = &[
    ("ceph", "seff"),
    ("iscsi", "i scuzzy"),
    ("iso", "iso"),
    ("json", "jason"),
    ("lan", "lan"),
    ("nas", "nas"),
    ("qemu", "q emu"),
    ("raid", "raid"),
    ("ram", "ram"),
    ("scsi", "scuzzy"),
    ("smart", "smart"),
    ("vlan", "v lan"),
    ("wan", "wan"),
];

/// Words that may stand in capitals without being an acronym.
const SHOUTED: &[&str] = &[
    "a", "all", "an", "and", "are", "as", "at", "be", "by", "can", "do", "few", "for", "go", "has", "he", "hot", "i",
    "if", "in", "is", "it", "its", "low", "may", "me", "my", "new", "no", "not", "now", "of", "off", "old", "on",
    "one", "or", "red", "six", "so", "ten", "the", "to", "too", "two", "up", "was", "we", "yes", "you",
];

/// Consonants with which an English word can begin, beside single ones.
const ONSETS: &[&str] = &[
    "bl", "br", "ch", "chr", "cl", "cr", "dr", "dw", "fl", "fr", "gh", "gl", "gn", "gr", "kn", "kr", "ph", "phr", "pl",
    "pr", "ps", "qu", "rh", "sc", "sch", "scr", "sh", "shr", "sk", "sl", "sm", "sn", "sp", "spl", "spr", "sq", "st",
    "str", "sw", "th", "thr", "tr", "tw", "wh", "wr", "kl", "vl", "zw",
];

/// A run of letters up to this long is spelled where it can't be pronounced; a longer one is left to the engine.
const SPELLED_MAX: usize = 5;

/// The words for a token that is no figure.
pub(super) fn say(core: &str) -> String {
    let lower = core.to_lowercase();
    if let Some(words) = said_as(&lower) {
        return words.to_owned();
    }
    if let Some(base) = core.strip_suffix("'s").filter(|base| !is_plain(base)) {
        return format!("{}'s", say(base));
    }
    if is_plain(core) || is_number_words(&lower) {
        return word(core);
    }
    let mut words = Vec::new();
    for (at, part) in core.split(['-', '_', ':', '\\', '=', ',']).enumerate() {
        for (at_slash, part) in part.split('/').enumerate() {
            if at_slash > 0 && !words.is_empty() {
                words.push("slash".to_owned());
            }
            for (at_dot, part) in part.split('.').filter(|p| !p.is_empty()).enumerate() {
                if at_dot > 0 {
                    words.push("dot".to_owned());
                }
                compound(part, at + at_slash + at_dot > 0, &mut words);
            }
        }
    }
    words.join(" ")
}

fn said_as(short: &str) -> Option<&'static str> {
    SAID_AS.iter().find(|(form, _)| *form == short).map(|(_, words)| *words)
}

/// Letter by letter and digit by digit.
pub(super) fn spell(text: &str) -> String {
    let letters: Vec<_> = text
        .chars()
        .filter_map(|c| match c {
            '0'..='9' => Some(number::digits(c.encode_utf8(&mut [0; 4]))),
            // Alone, engines read it as the article.
            'a' | 'A' => Some("ay".to_owned()),
            c if c.is_alphabetic() => Some(c.to_lowercase().to_string()),
            _ => None,
        })
        .collect();
    letters.join(" ")
}

fn is_plain(core: &str) -> bool {
    !core.is_empty() && core.chars().all(|c| c.is_alphabetic() || c == '\'')
}

/// "sixty-one": as this module writes it.
fn is_number_words(lower: &str) -> bool {
    lower.split_once('-').is_some_and(|(tens, ones)| tens.ends_with("ty") && is_plain(tens) && is_plain(ones))
}

/// Runs of letters and of digits in one part of a name.
fn compound(part: &str, inside: bool, words: &mut Vec<String>) {
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let kind = Run::of(first);
        let end = rest.find(|c| Run::of(c) != kind).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let lone_letter = run.len() == first.len_utf8() && (inside || end < part.len());
        match kind {
            Run::Digits => words.push(number::in_name(run)),
            Run::Letters if lone_letter => words.push(spell(run)),
            Run::Letters => {
                let said = word(run);
                // What would be taken for a short form if it were read once more is said as that here, too.
                words.push(said_as(&said.to_lowercase()).map_or(said, str::to_owned));
            }
            Run::Others => words.extend(run.chars().filter_map(symbol).map(str::to_owned)),
        }
        rest = after;
    }
}

#[derive(PartialEq, Eq)]
enum Run {
    Digits,
    Letters,
    Others,
}

impl Run {
    fn of(c: char) -> Self {
        match c {
            '0'..='9' => Self::Digits,
            '\'' => Self::Letters,
            c if c.is_alphabetic() => Self::Letters,
            _ => Self::Others,
        }
    }
}

fn symbol(c: char) -> Option<&'static str> {
    match c {
        '%' => Some("percent"),
        '&' => Some("and"),
        '+' => Some("plus"),
        '@' => Some("at"),
        '°' => Some("degrees"),
        '£' => Some("pounds"),
        '€' => Some("euros"),
        '$' => Some("dollars"),
        _ => None,
    }
}

/// A run of letters: a word, an acronym, or letters that make no word.
fn word(run: &str) -> String {
    let lower = run.to_lowercase();
    if let Some((_, words)) = WORDS.iter().find(|(name, _)| *name == lower) {
        return (*words).to_owned();
    }
    let letters = run.chars().filter(|c| c.is_alphabetic()).count();
    if letters <= 1 {
        return run.to_owned();
    }
    let plural = run.strip_suffix('s').filter(|head| head.len() >= 2 && head.chars().all(char::is_uppercase));
    if let Some(head) = plural {
        return if is_acronym(head) || !pronounceable(&head.to_lowercase()) {
            format!("{}'s", spell(head))
        } else {
            lower
        };
    }
    let capitals = run.chars().all(|c| c.is_uppercase());
    if capitals {
        return if is_acronym(run) || (letters <= SPELLED_MAX && !pronounceable(&lower)) { spell(run) } else { lower };
    }
    let capital_within = run.chars().skip(1).any(char::is_uppercase);
    if letters <= SPELLED_MAX && (capital_within || !pronounceable(&lower)) && !run.contains('\'') {
        return spell(run);
    }
    run.to_owned()
}

/// Two or three capitals that are no everyday word.
fn is_acronym(capitals: &str) -> bool {
    capitals.chars().count() <= 3 && !SHOUTED.contains(&capitals.to_lowercase().as_str())
}

/// Whether an English mouth can begin it, and it has a vowel. Letters beyond ASCII are left to the engine.
fn pronounceable(lower: &str) -> bool {
    // "ll" is what is left of "will" where its apostrophe was lost.
    if !lower.is_ascii() || matches!(lower, "hm" | "hmm" | "shh" | "psst" | "ll") {
        return true;
    }
    let Some(vowel) = lower.find(['a', 'e', 'i', 'o', 'u', 'y']) else {
        return false;
    };
    let onset = &lower[..vowel];
    onset.len() <= 1 || ONSETS.contains(&onset)
}

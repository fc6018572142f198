//! A recogniser that was not told the reply: it hears the loudspeaker's recording through the ear's own worker, once with every word
//! equally likely and once with the model's own language model, and says whether a figure was heard.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use jarvis_core::speakable::speakable;
use jarvis_worker::frames;
use jarvis_worker::{EarEvent, EarRequest};

use crate::{house, process};

/// Samples a frame to the worker holds.
const CHUNK: usize = 1600;

const UNITS: [&str; 20] = [
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
const TENS: [&str; 10] = ["", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// What answers count: "no" before one of these says that there is none of it. "No, ..." and "no quorum" say no number.
const COUNTED: [&str; 16] = [
    "backup",
    "backups",
    "containers",
    "cores",
    "failures",
    "guest",
    "guests",
    "job",
    "jobs",
    "nodes",
    "rooms",
    "snapshot",
    "snapshots",
    "storages",
    "task",
    "tasks",
];
/// What may stand between the two.
const QUALIFIED: [&str; 5] = ["backup", "failed", "replication", "running", "stopped"];

/// The second recogniser.
pub struct Judge {
    worker: Child,
    requests: ChildStdin,
    events: BufReader<ChildStdout>,
    session: u64,
}

impl Judge {
    /// Starts `worker` (jarvis-ear) with `model`; libvosk lies in `library_dir`.
    pub fn start(worker: &Path, model: &Path, library_dir: &Path) -> Result<Self> {
        let mut command = Command::new(worker);
        command.arg(model).env("LD_LIBRARY_PATH", library_dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = process::spawn(&mut command).with_context(|| format!("start {}", worker.display()))?;
        let requests = child.stdin.take().context("the judge's input")?;
        let mut events = BufReader::new(child.stdout.take().context("the judge's output")?);
        match frames::read(&mut events)? {
            Some(EarEvent::Ready { .. }) => Ok(Self { worker: child, requests, events, session: 0 }),
            Some(EarEvent::Unusable { reason }) => bail!("the judge can't hear: {reason}"),
            other => bail!("the judge said {other:?} instead of ready"),
        }
    }

    /// What it hears in 16 kHz mono sound, with `grammar` (empty for the model's own language model).
    pub fn hear(&mut self, samples: &[i16], grammar: &[String]) -> Result<String> {
        self.hear_timed(samples, grammar).map(|(text, _)| text)
    }

    /// What it hears with every word of `words` equally likely, and as its language model has it.
    pub fn hear_both(&mut self, samples: &[i16], words: &[String]) -> Result<[String; 2]> {
        Ok([self.hear(samples, words)?, self.hear(samples, &[])?])
    }

    /// Like [`Self::hear`], and the longest call into the library, in milliseconds.
    pub fn hear_timed(&mut self, samples: &[i16], grammar: &[String]) -> Result<(String, u32)> {
        self.begin(grammar)?;
        let tail = crate::sound::noise(8000, 8.0, self.session);
        for chunk in samples.chunks(CHUNK).chain(tail.chunks(CHUNK)) {
            frames::write(&mut self.requests, &EarRequest::Audio(chunk.to_vec()))?;
        }
        self.finish()
    }

    /// Begins to hear anew, with `grammar` as [`Self::hear`] takes it.
    pub fn begin(&mut self, grammar: &[String]) -> Result<()> {
        self.session += 1;
        let begin = EarRequest::Begin { session: self.session, grammar: grammar.to_vec() };
        Ok(frames::write(&mut self.requests, &begin)?)
    }

    /// Hears so much more, and what it shows of it: all it has heard so far, and the milliseconds of sound behind that.
    pub fn more(&mut self, samples: &[i16]) -> Result<Vec<(String, u32)>> {
        frames::write(&mut self.requests, &EarRequest::Audio(samples.to_vec()))?;
        // What was asked before a ping is done once its answer is there.
        frames::write(&mut self.requests, &EarRequest::Ping(self.session))?;
        let mut shown = Vec::new();
        loop {
            match frames::read(&mut self.events)? {
                Some(EarEvent::Partial { text, heard_ms, .. }) => shown.push((text, heard_ms)),
                Some(EarEvent::Pong(_)) => return Ok(shown),
                other => bail!("the judge said {other:?} while it heard"),
            }
        }
    }

    /// Its last word, and the longest call.
    pub fn finish(&mut self) -> Result<(String, u32)> {
        frames::write(&mut self.requests, &EarRequest::Finish)?;
        while let Some(event) = frames::read(&mut self.events)? {
            if let EarEvent::Final { text, worst_call_ms, .. } = event {
                return Ok((text, worst_call_ms));
            }
        }
        bail!("the judge ended")
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if let Err(error) = self.worker.kill().and_then(|()| self.worker.wait()) {
            eprintln!("could not end the judge: {error}");
        }
    }
}

/// A grammar of every word the model knows: it tells nothing of any one reply.
pub fn every_word(model: &Path) -> Result<Vec<String>> {
    let file = model.join("graph/words.txt");
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    Ok(words.filter(|word| !word.starts_with(['<', '#'])).map(str::to_owned).collect())
}

/// A written answer as a recogniser that misses nothing would hear it spoken: words, without capitals and punctuation.
pub fn as_heard(written: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '\'' { c.to_ascii_lowercase() } else { ' ' };
    speakable(written).chars().map(plain).collect()
}

/// Words of numbers in `heard`, but for those that belong to `name`: an answer that nobody can give holds none.
pub fn numbers_beside(heard: &str, name: &str) -> Vec<String> {
    let (heard, name) = (plain(heard), plain(&spoken_name(name)));
    let (words, name): (Vec<&str>, Vec<&str>) = (heard.split(' ').collect(), name.split(' ').collect());
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words[at..].starts_with(&name) {
            at += name.len();
            continue;
        }
        if is_number(words[at]) {
            found.push(words[at].to_owned());
        }
        at += 1;
    }
    found
}

/// How much of `said` a recogniser that was not told it hears in `sound`, and what it hears: see [`share_heard`].
pub fn heard_of(said: &str, sound: &[i16], programs: &Path, root: &Path) -> Result<(f64, [String; 2])> {
    let model = house::model(root);
    let mut judge = Judge::start(&programs.join("jarvis-ear"), &model, &house::library(root))?;
    let words = every_word(&model)?;
    let heard = judge.hear_both(sound, &words)?;
    Ok((share_heard(said, &heard, &words), heard))
}

/// How much of `said` was heard in its order, 0.0 to 1.0, of the words that the model knows: the best of several hearings.
pub fn share_heard(said: &str, heard: &[impl AsRef<str>], known: &[String]) -> f64 {
    let said = as_heard(said);
    let said: Vec<&str> = said.split_whitespace().filter(|word| known.iter().any(|known| known == word)).collect();
    let shares = heard.iter().map(|heard| {
        let heard: Vec<&str> = heard.as_ref().split_whitespace().collect();
        in_order(&said, &heard) as f64 / said.len().max(1) as f64
    });
    shares.fold(0.0, f64::max)
}

/// Length of the longest sequence of words that is in both.
fn in_order(one: &[&str], other: &[&str]) -> usize {
    let mut row = vec![0; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (n, b) in other.iter().enumerate() {
            let above = row[n + 1];
            row[n + 1] = if a == b { diagonal + 1 } else { above.max(row[n]) };
            diagonal = above;
        }
    }
    row[other.len()]
}

fn is_number(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit())
        || UNITS.contains(&word)
        || TENS[2..].contains(&word)
        || ["hundred", "thousand", "million"].contains(&word)
}

/// Whether `heard` holds `figure` in one of the ways a person would say it, and not as a part of a longer number.
pub fn holds(heard: &str, figure: &str) -> bool {
    let heard = plain(heard);
    let heard: Vec<&str> = heard.split_whitespace().collect();
    if figure.parse() == Ok(0_u64) && none_counted(&heard) {
        return true;
    }
    forms(figure).iter().any(|form| {
        let form: Vec<&str> = form.split_whitespace().collect();
        heard.windows(form.len()).enumerate().any(|(at, window)| {
            let before = at.checked_sub(1).map(|i| heard[i]);
            let after = heard.get(at + form.len()).copied();
            window == form && !goes_on(before, form[0]) && !goes_on(form.last().copied(), after.unwrap_or_default())
        })
    })
}

/// Whether there is said to be none of something that answers count.
fn none_counted(heard: &[&str]) -> bool {
    let counted = |word: Option<&&str>| word.is_some_and(|word| COUNTED.contains(word));
    heard.iter().enumerate().filter(|(_, word)| **word == "no").any(|(at, _)| {
        let next = heard.get(at + 1);
        counted(next) || (next.is_some_and(|word| QUALIFIED.contains(word)) && counted(heard.get(at + 2)))
    })
}

/// Whether `word` continues the number that `before` ends.
fn goes_on(before: Option<&str>, word: &str) -> bool {
    let Some(before) = before else { return false };
    let unit = |w: &str| UNITS[1..10].contains(&w);
    let tens = |w: &str| TENS[2..].contains(&w);
    let number = |w: &str| UNITS.contains(&w) || tens(w);
    match before {
        "hundred" | "thousand" => number(word) || word == "and",
        "point" => number(word),
        _ if tens(before) => unit(word) || word == "point" || word == "thousand",
        _ if number(before) => matches!(word, "hundred" | "thousand" | "point"),
        _ => false,
    }
}

/// Ways to say a figure: a number ("61", "61.4", "104"), a name ("pve2", "web-server"), or words. An article is no "one": answers say the
/// figure, and nearly all of them hold an article somewhere.
pub fn forms(figure: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if let Some((whole, part)) = figure.split_once('.')
        && let (Ok(whole), true) = (whole.parse::<u64>(), part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty())
    {
        forms.push(format!("{} point {}", number(whole), digits(part)));
    } else if let Ok(value) = figure.parse::<u64>() {
        forms.push(number(value));
        forms.push(number(value).replace(" and ", " "));
        forms.push(digits(figure));
        forms.push(digits(figure).replace("zero", "oh"));
        if value == 0 {
            forms.push("none".into());
        }
    } else {
        forms.push(spoken_name(figure));
    }
    forms.into_iter().map(|f| plain(&f)).collect()
}

/// A name as it is said: "pve2" -> "pve two", "web-server" -> "web server".
fn spoken_name(name: &str) -> String {
    let mut out = String::new();
    for c in name.to_lowercase().chars() {
        if let Some(digit) = c.to_digit(10) {
            out.push(' ');
            out.push_str(UNITS[digit as usize]);
            out.push(' ');
        } else if c.is_alphabetic() || c == '\'' || c == '[' || c == ']' {
            out.push(c);
        } else {
            out.push(' ');
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One spelling for what is said alike: letters of an abbreviation joined.
fn plain(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut letters = false;
    for word in text.split_whitespace() {
        let letter = word.len() == 1 && word != "a";
        match words.last_mut() {
            Some(last) if letter && letters => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
        letters = letter;
    }
    words.join(" ")
}

fn digits(text: &str) -> String {
    text.chars().filter_map(|c| c.to_digit(10)).map(|d| UNITS[d as usize]).collect::<Vec<_>>().join(" ")
}

/// A whole number in British English, up to 999,999.
fn number(value: u64) -> String {
    match value {
        0..20 => UNITS[value as usize].to_owned(),
        20..100 if value.is_multiple_of(10) => TENS[value as usize / 10].to_owned(),
        20..100 => format!("{} {}", TENS[value as usize / 10], UNITS[value as usize % 10]),
        100..1000 if value.is_multiple_of(100) => format!("{} hundred", UNITS[value as usize / 100]),
        100..1000 => format!("{} hundred and {}", UNITS[value as usize / 100], number(value % 100)),
        1000..1_000_000 if value.is_multiple_of(1000) => format!("{} thousand", number(value / 1000)),
        1000..1_000_000 => format!("{} thousand {}", number(value / 1000), number(value % 1000)),
        _ => digits(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_as_they_are_said() {
        let cases = [
            ("node two stands at sixty one degrees", "61", true),
            ("node two stands at sixty two degrees", "61", false),
            ("[unk] one hundred and four [unk]", "104", true),
            ("one zero four", "104", true),
            ("it runs on p v e two", "pve2", true),
            ("it runs on pve two", "pve2", true),
            ("it runs on pve three", "pve2", false),
            ("the web server", "web-server", true),
            ("three point five", "3.5", true),
            ("three point five", "3", false),
            ("three point five", "5", false),
            ("twenty one degrees", "20", false),
            ("twenty one degrees", "21", true),
            ("no guests", "0", true),
            ("there are no replication jobs", "0", true),
            ("no running guests on pve two", "0", true),
            ("none is running", "0", true),
            ("no with three of four nodes present there is no quorum", "0", false),
            ("i have no access to the sensors", "0", false),
            ("wiki has one snapshot taken a day ago", "1", true),
            ("wiki has two snapshots taken a day ago", "1", false),
            ("three tasks failed within a day", "1", false),
            ("an hour ago", "1", false),
        ];
        for (heard, figure, wanted) in cases {
            assert_eq!(holds(heard, figure), wanted, "{figure} in {heard:?}");
        }
    }

    #[test]
    fn numbers_are_found_beside_a_name() {
        let cases: [(&str, &[&str]); 5] = [
            ("p v e three does not answer so its temperature is unknown", &[]),
            ("pve three is at forty degrees", &["forty"]),
            ("pve three three", &["three"]),
            ("pve four does not answer", &["four"]),
            ("pve three hundred", &["hundred"]),
        ];
        for (heard, wanted) in cases {
            assert_eq!(numbers_beside(heard, "pve3"), wanted, "{heard:?}");
        }
        assert_eq!(
            numbers_beside(&as_heard("pve3 does not answer; it was 41.5 °C."), "pve3"),
            ["forty", "one", "five"]
        );
    }

    #[test]
    fn what_was_heard_of_a_sentence_is_told_in_its_order() {
        let known = ["i", "am", "sorry", "the", "house"].map(str::to_owned);
        let share = |heard: &str| share_heard("I am sorry; the house is away.", &[heard], &known);
        assert_eq!(share("i am sorry the house"), 1.0);
        assert_eq!(share("well i am so sorry about the house"), 1.0);
        assert_eq!(share("house the sorry am i"), 0.2);
        assert_eq!(share(""), 0.0);
        assert_eq!(share_heard("Quite.", &["quite"], &known), 0.0, "nothing that is known was said");
    }
}

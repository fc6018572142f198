//! `v4.*`: word errors of the embedded model on frozen sentences, spoken by voices it was not trained on; and its longest call.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Bench, Goal, Row};
use crate::judge::Judge;
use crate::sound::{self, Random};

/// Accents of espeak-ng.
const ACCENTS: [&str; 8] =
    ["en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc"];
/// Variants that the acoustic model never heard: daemon/models/train keeps them out.
const HELD_OUT: [&str; 8] = ["m7", "f4", "Andy", "linda", "Michael", "steph2", "klatt3", "Mario"];
/// Peak of the speech.
const PEAK: i16 = 10_000;
/// Silence before and after the speech, in samples.
const LEAD: usize = 4_800;
/// Words that no cluster's owner needs, for speech outside of the vocabulary.
const STRANGE: [&str; 40] = [
    "zucchini",
    "helicopter",
    "marmalade",
    "orchestra",
    "giraffe",
    "umbrella",
    "philosophy",
    "carburettor",
    "lighthouse",
    "mosquito",
    "parliament",
    "avalanche",
    "trombone",
    "blueberry",
    "chimney",
    "dinosaur",
    "elbow",
    "fjord",
    "gargoyle",
    "hammock",
    "iguana",
    "jewellery",
    "kangaroo",
    "lavender",
    "mayonnaise",
    "nectarine",
    "octopus",
    "pyjamas",
    "quicksand",
    "rhubarb",
    "sausage",
    "tambourine",
    "unicorn",
    "velvet",
    "walrus",
    "xylophone",
    "yoghurt",
    "zeppelin",
    "bulldozer",
    "cathedral",
];
/// Utterances of such words, and words in each: the last are half a minute long.
const STRANGE_UTTERANCES: [usize; 12] = [2, 3, 4, 5, 6, 7, 8, 10, 12, 20, 40, 60];
/// Two ways to write one sound, of which the recogniser writes the right one (daemon/models/words/text.py).
pub const ONE_SPELLING: [(&str, &str); 14] = [
    ("all right", "alright"),
    ("back up", "backup"),
    ("shut down", "shutdown"),
    ("ok", "okay"),
    ("oclock", "o'clock"),
    ("thankyou", "thank you"),
    ("nevermind", "never mind"),
    ("goodnight", "good night"),
    ("vm's", "vms"),
    ("cpu's", "cpus"),
    ("todays", "today's"),
    ("disc", "disk"),
    ("utilization", "utilisation"),
    ("centre", "center"),
];

/// Noise under the speech.
#[derive(Debug, Clone, Copy)]
enum Noise {
    /// A little, as every microphone has.
    Clean,
    /// 15 dB below the speech: white, pink and brown by turns.
    At15,
}

/// Runs it.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let model = bench.root.join("daemon/models/en-commands");
    let library = bench.root.join("target/native");
    let mut judge = Judge::start(&bench.programs.join("jarvis-ear"), &model, &library)?;
    let text = std::fs::read_to_string(bench.root.join("tests/frozen/wer.txt")).context("tests/frozen/wer.txt")?;
    let sentences: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    ensure!(sentences.len() >= 100, "tests/frozen/wer.txt holds only {} sentences", sentences.len());
    let mut worst = 0;
    let clean = word_errors(&mut judge, &sentences, Noise::Clean, &mut worst)?;
    let noise = word_errors(&mut judge, &sentences, Noise::At15, &mut worst)?;
    let strange = strange(bench, &mut judge, &mut worst)?;
    let n = sentences.len();
    Ok(vec![
        Row::new("v4.wer.clean", clean, "ratio", Goal::AtMost(0.015), n),
        Row::new("v4.wer.noise15", noise, "ratio", Goal::AtMost(0.025), n),
        Row::new("v4.call_ms.worst", f64::from(worst), "ms", Goal::AtMost(150.0), 2 * n + strange),
    ])
}

/// Word errors by words said; prints every miss.
fn word_errors(judge: &mut Judge, sentences: &[&str], noise: Noise, worst: &mut u32) -> Result<f64> {
    let (mut errors, mut words) = (0, 0);
    for (index, sentence) in sentences.iter().enumerate() {
        let (voice, speech) = spoken(sentence, index)?;
        let (heard, call_ms) = judge.hear_timed(&in_room(&speech, noise, index), &[])?;
        *worst = call_ms.max(*worst);
        let (said, heard) = (canonical(sentence), canonical(&heard));
        let wrong = edits(&said, &heard);
        if wrong > 0 {
            eprintln!("{noise:?}, {voice}: {:?} heard as {:?}", said.join(" "), heard.join(" "));
        }
        errors += wrong;
        words += said.len();
    }
    eprintln!("{noise:?}: {errors} errors in {words} words");
    Ok(errors as f64 / words as f64)
}

/// Speech that is no request: the longest call counts. Returns how many utterances.
fn strange(bench: &Bench, judge: &mut Judge, worst: &mut u32) -> Result<usize> {
    let text = std::fs::read_to_string(bench.root.join("tests/frozen/confusable.txt"))?;
    let mut utterances: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut random = Random::new(1);
    for count in STRANGE_UTTERANCES {
        let word = |_| STRANGE[random.between(0, STRANGE.len() as u64 - 1) as usize];
        utterances.push((0..count).map(word).collect::<Vec<_>>().join(" "));
    }
    for (index, utterance) in utterances.iter().enumerate() {
        let (_, speech) = spoken(utterance, index)?;
        let (heard, call_ms) = judge.hear_timed(&in_room(&speech, Noise::At15, index), &[])?;
        if call_ms > *worst {
            eprintln!("{call_ms} ms: {utterance:?} heard as {heard:?}");
        }
        *worst = call_ms.max(*worst);
    }
    Ok(utterances.len())
}

/// Said by one of the held-out voices, each sentence by the same one in every run.
fn spoken(text: &str, index: usize) -> Result<(String, Vec<i16>)> {
    let mut random = Random::new(1_000 + index as u64);
    let mut of = |list: &[&'static str]| list[random.between(0, list.len() as u64 - 1) as usize];
    let voice = format!("{}+{}", of(&ACCENTS), of(&HELD_OUT));
    let (rate, pitch) = (random.between(130, 200).to_string(), random.between(20, 80).to_string());
    let file = tempfile::Builder::new().suffix(".wav").tempfile()?;
    let status = Command::new("espeak-ng")
        .args(["-v", &voice, "-s", &rate, "-p", &pitch, "-w"])
        .arg(file.path())
        .args(["--", text])
        .status()
        .context("start espeak-ng (Debian package espeak-ng)")?;
    ensure!(status.success(), "espeak-ng -v {voice} ended with {status}");
    Ok((voice, sound::scaled(&sound::trim(&sound::read_wav(file.path())?), PEAK)))
}

fn in_room(speech: &[i16], noise: Noise, index: usize) -> Vec<i16> {
    let power = speech.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / speech.len().max(1) as f64;
    let quiet = vec![0; LEAD];
    let padded = [&quiet, speech, &quiet].concat();
    let (colour, level) = match noise {
        Noise::Clean => (0, 2.0),
        Noise::At15 => (index % 3, power.sqrt() * 10f64.powf(-15.0 / 20.0)),
    };
    let under = coloured(padded.len(), colour, level, index as u64 + 7);
    let add = |(&s, n): (&i16, f64)| (f64::from(s) + n).round().clamp(-32_768.0, 32_767.0) as i16;
    padded.iter().zip(under).map(add).collect()
}

/// White noise (0), pink (1: white through three leaks, within half a decibel of 3 dB an octave) or brown (2), of a given RMS level.
fn coloured(length: usize, colour: usize, level: f64, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut leaks = [0.0; 3];
    let draw = |random: &mut Random| {
        let white = random.normal();
        match colour {
            0 => white,
            1 => {
                leaks[0] = 0.99765 * leaks[0] + white * 0.099_046;
                leaks[1] = 0.963 * leaks[1] + white * 0.296_516_4;
                leaks[2] = 0.57 * leaks[2] + white * 1.052_691_3;
                leaks.iter().sum::<f64>() + white * 0.1848
            }
            _ => {
                leaks[0] = 0.998 * leaks[0] + white;
                leaks[0]
            }
        }
    };
    let noise: Vec<f64> = std::iter::repeat_with({
        let mut draw = draw;
        move || draw(&mut random)
    })
    .take(length)
    .collect();
    let rms = (noise.iter().map(|n| n * n).sum::<f64>() / length.max(1) as f64).sqrt().max(f64::MIN_POSITIVE);
    noise.into_iter().map(|n| n / rms * level).collect()
}

/// Words in the spelling the recogniser uses; letters that spell one word are that word ("p v e": "pve").
fn canonical(text: &str) -> Vec<String> {
    let mut line = format!(" {} ", text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "));
    for (from, to) in ONE_SPELLING {
        line = line.replace(&format!(" {from} "), &format!(" {to} "));
    }
    for (letters, word) in
        [(" i d ", " id "), (" i p ", " ip "), (" i o ", " io "), (" h a ", " ha "), (" o s ", " os ")]
    {
        line = line.replace(letters, word);
    }
    let mut words: Vec<String> = Vec::new();
    let mut spelling = false;
    for word in line.split_whitespace() {
        let letter = word.len() == 1 && word.chars().all(|c| c.is_ascii_lowercase() && !"ai".contains(c));
        match words.last_mut() {
            Some(last) if letter && spelling => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
        spelling = letter;
    }
    words
}

/// Words put in, left out or mistaken.
fn edits(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let changed = before + usize::from(word != other);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sound_is_scored_as_one_spelling() {
        assert_eq!(canonical("Is P V E two all right").join(" "), "is pve two alright");
        assert_eq!(canonical("is a v m up"), canonical("is a vm up"));
        assert_eq!(canonical("what is the i d").join(" "), "what is the id");
    }

    #[test]
    fn edits_are_counted_as_words() {
        let count = |a: &str, b: &str| edits(&canonical(a), &canonical(b));
        assert_eq!(count("how hot is node two", "how hot is node two"), 0);
        assert_eq!(count("how hot is node two", "how is the node to"), 3);
        assert_eq!(count("stop", ""), 1);
    }

    #[test]
    fn noise_has_the_level_it_should() {
        for colour in 0..3 {
            let noise = coloured(16_000, colour, 300.0, 5);
            let rms = (noise.iter().map(|n| n * n).sum::<f64>() / 16_000.0).sqrt();
            assert!((rms - 300.0).abs() < 1.0, "{rms}");
        }
    }
}

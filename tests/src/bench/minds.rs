//! `v18.llm_first_audio_ms.p50`, `v18.silence_s.max`, `m6.resume.mismatch`: a model that speaks while it writes, one that takes its time,
//! and one whose house is killed.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Bench, Goal, Row, percentile};
use crate::aimock::Aimock;
use crate::demo::minds::STRANGE;
use crate::demo::request::VOICE;
use crate::desk::{self, Kind};
use crate::house::{House, HouseConfig};
use crate::{resume, sound};

/// Requests to a model that answers at once.
const QUICK: usize = 12;
/// Requests to one that needs [`SLOW_MS`].
const SLOW: usize = 3;
/// Until its first word.
const SLOW_MS: u64 = 20_000;
/// As loud as a person at a metre or two.
const LOUD: i16 = 9000;

/// `v18.llm_first_audio_ms`: by the turn's own marks, from the first whole sentence to the first sample at the loudspeaker.
pub fn first_audio(bench: &Bench) -> Result<Vec<Row>> {
    let answer = "All four nodes are well, sir. The warmest of them is node two. Nothing of note happened in the night, I am glad to say.";
    let script =
        json!([{"match": {"systemMessage": "Jarvis"}, "response": {"content": answer}, "chunkSize": 8, "latency": 25}]);
    let mut minded = minded(bench, &script)?;
    let mut all = Vec::new();
    for _ in 0..QUICK {
        let asked = minded.house.ask(&said()?, |_| ())?;
        let marks = asked.turn.as_ref().map(|turn| turn.marks_ms);
        match marks.and_then(|marks| Some((marks.first_audio? - marks.first_sentence?) as f64)) {
            Some(ms) => {
                eprintln!("v18: {ms} ms");
                all.push(ms);
            }
            None => eprintln!("v18: no answer to measure: {:?}", asked.turn),
        }
    }
    ensure!(all.len() * 10 >= QUICK * 8, "only {} of {QUICK} requests were answered", all.len());
    let n = all.len();
    Ok(vec![Row::new("v18.llm_first_audio_ms.p50", percentile(&mut all, 0.5)?, "ms", Goal::AtMost(100.0), n)])
}

/// `v18.silence_s.max`: in the recording, from the last sample said to the first one heard, whatever it is.
pub fn silence(bench: &Bench) -> Result<Vec<Row>> {
    let profile = json!({"ttft": SLOW_MS, "tps": 40});
    let script = json!([{
        "match": {"systemMessage": "Jarvis"}, "response": {"content": "All is well, sir."}, "streamingProfile": profile
    }]);
    let mut minded = minded(bench, &script)?;
    let mut longest = 0.0f64;
    for _ in 0..SLOW {
        let asked = minded.house.ask(&said()?, |_| ())?;
        let reply = asked.turn.as_ref().and_then(|turn| turn.reply.clone()).unwrap_or_default();
        ensure!(reply.contains("All is well"), "the model did not answer: {:?}", asked.turn);
        let first = asked.first_audio_ms.context("nothing was heard")?;
        let silence = (first - asked.speech_end_ms) / 1000.0;
        eprintln!("v18: {silence:.2} s without a word");
        longest = longest.max(silence);
    }
    Ok(vec![Row::new("v18.silence_s.max", longest, "s", Goal::AtMost(4.0), SLOW)])
}

/// `m6.resume.mismatch`: killed before and after each commit of three ways to change something.
pub fn resume(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let found = runtime.block_on(resume::kills(&bench.root, &bench.programs, bench.seed, 1))?;
    eprintln!(
        "m6: {} kills, {} of them in the middle of a run, {} told aloud",
        found.kills, found.in_a_run, found.spoken
    );
    for mismatch in &found.mismatches {
        eprintln!("m6: {mismatch}");
    }
    ensure!(found.in_a_run > 0, "no kill fell into a run, so nothing was measured");
    ensure!(found.spoken > 0, "no room asked for a run that was cut off, so nothing was heard");
    let count = found.mismatches.len() as f64;
    Ok(vec![Row::new("m6.resume.mismatch", count, "kills", Goal::AtMost(0.0), found.kills)])
}

/// A house with a room and a scripted model. Parts end in the order in which they stand.
struct Minded {
    house: House,
    _mock: Aimock,
    _dir: tempfile::TempDir,
    // The simulated cluster lives in it.
    _runtime: tokio::runtime::Runtime,
}

fn minded(bench: &Bench, script: &Value) -> Result<Minded> {
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let (mock, section) = desk::mind(dir.path(), script, Kind::Local)?;
    let mut config = HouseConfig::new(bench.root.clone(), bench.programs.clone(), dir.path().to_owned(), bench.seed);
    config.minds = section;
    let runtime = tokio::runtime::Runtime::new()?;
    let house = runtime.block_on(House::start(config))?;
    Ok(Minded { house, _mock: mock, _dir: dir, _runtime: runtime })
}

fn said() -> Result<Vec<i16>> {
    Ok(sound::scaled(&sound::espeak(VOICE, STRANGE)?, LOUD))
}

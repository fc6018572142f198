//! `v18.*`: from the last sample said to the first sample of a fixed local answer, in the stereo recording of the room.

use anyhow::{Result, ensure};

use super::{Bench, Goal, Row, percentile};
use crate::demo::request;
use crate::house::{House, HouseConfig};

/// Speaks the frozen script, and measures every turn that was answered; turns that were not are printed and counted.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let config = HouseConfig::new(bench.root.clone(), bench.programs.clone(), dir.path().to_owned(), bench.seed);
    let mut house = runtime.block_on(House::start(config))?;
    let requests = request::script(&bench.root.join("tests/frozen/spoken.tsv"))?;
    let (mut total, mut own) = (Vec::new(), Vec::new());
    for request in &requests {
        let asked = house.ask(&request.sound()?, |_| ())?;
        let marks = asked.turn.as_ref().map(|t| t.marks_ms);
        let silence = marks.and_then(|m| Some(m.end_decided? - m.speech_end?));
        match (asked.first_audio_ms, silence) {
            (Some(first), Some(silence)) => {
                total.push(first - asked.speech_end_ms);
                own.push(first - asked.speech_end_ms - silence as f64);
            }
            _ => eprintln!("no answer to measure: {request}"),
        }
    }
    ensure!(
        total.len() * 10 >= requests.len() * 9,
        "only {} of {} requests were answered",
        total.len(),
        requests.len()
    );
    let n = total.len();
    Ok(vec![
        Row::new("v18.first_audio_ms.p50", percentile(&mut total, 0.5)?, "ms", Goal::AtMost(400.0), n),
        Row::new("v18.own_share_ms.p50", percentile(&mut own, 0.5)?, "ms", Goal::AtMost(60.0), n),
    ])
}

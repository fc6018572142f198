//! `v18.*`: from the last sample said to the first sample of a fixed local answer, in the stereo recording of the room.

use anyhow::{Result, ensure};

use super::{Bench, Goal, Row, percentile};
use crate::demo::request;
use crate::house::{House, HouseConfig};
use jarvis_core::marks::MarksMs;

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
        let silence = marks.and_then(|m| Some(m.end_due? - m.speech_end?));
        match (asked.first_audio_ms, silence, marks) {
            (Some(first), Some(silence), Some(marks)) => {
                let whole = first - asked.speech_end_ms;
                tell(&request.to_string(), whole, silence, &marks);
                total.push(whole);
                own.push(whole - silence as f64);
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

/// Where the time of one turn went, by its own marks: what was waited for beyond the silence asked for, and each step after it.
fn tell(request: &str, whole_ms: f64, silence_ms: i64, marks: &MarksMs) {
    let between = |from: Option<i64>, to: Option<i64>| match (from, to) {
        (Some(from), Some(to)) => format!("{:>4}", to - from),
        _ => "   -".to_owned(),
    };
    eprintln!(
        "{whole_ms:>6.0} ms = {silence_ms} silence, {} to the decision, {} transcript, {} first sentence, {} first audio; {request}",
        between(marks.end_due, marks.end_decided),
        between(marks.end_decided, marks.transcript),
        between(marks.transcript, marks.first_sentence),
        between(marks.first_sentence, marks.first_audio),
    );
}

//! `v18.*`: from the last sample said to the first sample of a fixed local answer, in the stereo recording of the room; and
//! `demo.answered.ratio`: how many of the frozen spoken requests were answered rightly in that same run, as `make demo SCRIPT=` judges.

use anyhow::{Result, ensure};

use super::{Bench, Goal, Row, percentile};
use crate::demo::referee::Referee;
use crate::demo::request;
use crate::house::{House, HouseConfig};
use jarvis_core::marks::MarksMs;

/// Speaks the frozen script, and measures every turn that was answered rightly; every other is printed, counted, and not measured.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let config = HouseConfig::new(bench.root.clone(), bench.programs.clone(), dir.path().to_owned(), bench.seed);
    let mut house = runtime.block_on(House::start(config))?;
    let mut referee = Referee::new(&bench.root, &bench.programs)?;
    let requests = request::script(&bench.root.join("tests/frozen/spoken.tsv"))?;
    let (mut total, mut own, mut right) = (Vec::new(), Vec::new(), 0);
    for request in &requests {
        let judged = referee.ask(&mut house, request, |_| ())?;
        if let Some(why) = &judged.miss {
            eprintln!("miss: {request} - {why}");
            continue;
        }
        right += 1;
        let asked = judged.asked;
        let marks = asked.turn.as_ref().map(|t| t.marks_ms);
        let silence = marks.and_then(|m| Some(m.end_due? - m.speech_end?));
        match (asked.first_audio_ms, silence, marks) {
            (Some(first), Some(silence), Some(marks)) => {
                let whole = first - asked.speech_end_ms;
                tell(&request.to_string(), whole, silence, &marks);
                total.push(whole);
                own.push(whole - silence as f64);
            }
            _ => eprintln!("no marks to measure by: {request}"),
        }
    }
    let all = requests.len();
    eprintln!("{right} of {all} were answered rightly");
    ensure!(total.len() * 2 >= all, "only {} of {all} requests were answered rightly and measured", total.len());
    let n = total.len();
    Ok(vec![
        Row::new("v18.first_audio_ms.p50", percentile(&mut total, 0.5)?, "ms", Goal::AtMost(400.0), n),
        Row::new("v18.own_share_ms.p50", percentile(&mut own, 0.5)?, "ms", Goal::AtMost(60.0), n),
        Row::new("demo.answered.ratio", f64::from(right) / all as f64, "ratio", Goal::AtLeast(0.95), all),
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

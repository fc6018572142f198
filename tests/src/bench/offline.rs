//! `v14.*`: from the end of a wake word to the satellite's own sound, while no daemon runs; measured in the stereo recording of the room.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Bench, Goal, Row, percentile};
use crate::house::{House, HouseConfig};
use crate::room::RoomConfig;
use crate::sound::{self, RATE_HZ};

/// Calls that are made.
const CALLS: usize = 24;
/// Voices that call, none of them among the wake word's references.
const VOICES: [&str; 3] = ["en-gb", "en-us", "en-gb-scotland"];
/// Until a satellite takes a lost daemon for gone, and some.
const GONE: Duration = Duration::from_secs(8);
/// The local sound comes within this, or the call was not heard.
const LATEST: Duration = Duration::from_secs(3);
/// Between two calls: the satellite does not repeat itself within four seconds.
const BETWEEN: Duration = Duration::from_secs(5);

/// Kills the daemon, then calls; calls that were not heard are printed and counted.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let config = HouseConfig {
        room: RoomConfig { echo_db: None, seed: bench.seed, late: Duration::ZERO },
        ..HouseConfig::new(bench.root.clone(), bench.programs.clone(), dir.path().to_owned(), bench.seed)
    };
    let mut house = runtime.block_on(House::start(config))?;
    house.daemon.kill()?;
    std::thread::sleep(GONE);
    let mut took = Vec::new();
    for call in 0..CALLS {
        let voice = VOICES[call % VOICES.len()];
        match answered(&mut house, &sound::espeak(voice, "hey jarvis")?)? {
            Some(ms) => took.push(ms),
            None => eprintln!("call {call} by {voice} was not heard"),
        }
    }
    ensure!(took.len() * 10 >= CALLS * 9, "only {} of {CALLS} calls were heard", took.len());
    let n = took.len();
    Ok(vec![Row::new("v14.offline_ms.p95", percentile(&mut took, 0.95)?, "ms", Goal::AtMost(500.0), n)])
}

/// Says it, and gives the milliseconds from its last sample to the first one at the loudspeaker.
fn answered(house: &mut House, call: &[i16]) -> Result<Option<f64>> {
    let from = house.room.now()?;
    let begun = Instant::now();
    house.room.say(call)?;
    let needed = from + call.len() + (RATE_HZ as usize) * LATEST.as_secs() as usize;
    while house.room.now()? < needed {
        house.satellite.check()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let recording = house.room.recording(from)?;
    let said = sound::last_audible(&recording.said).context("what was said is not in the recording")?;
    // It may sound before the last echo of the word has died away: then it took no time.
    let heard = sound::first_audible(&recording.heard);
    std::thread::sleep(BETWEEN.saturating_sub(begun.elapsed()));
    Ok(heard.map(|heard| heard.saturating_sub(said) as f64 * 1000.0 / f64::from(RATE_HZ)))
}

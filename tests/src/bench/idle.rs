//! `a7.*`: what a listening satellite costs, beside a peer at the same microphone in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::peer::Peer;
use super::{Bench, Goal, Row};
use crate::house::{House, HouseConfig};
use crate::room::RoomConfig;
use crate::sound::{self, RATE_HZ};

/// How long each part is measured.
const WINDOW: Duration = Duration::from_secs(60);
/// Time for both sides to settle after their start; a silent loudspeaker rests after ten seconds.
const SETTLE: Duration = Duration::from_secs(20);
/// Clock ticks a second of /proc/PID/stat; fixed at 100 on Linux (USER_HZ).
const TICKS: f64 = 100.0;

/// Somebody talks on, in languages that are not the wake word's, with pauses for breath.
const TALK: [(&str, &str); 4] = [
    (
        "de",
        "Gestern waren wir am Fluss, das Wasser stand hoch, und niemand wollte zuerst nach Hause gehen. Morgen soll es regnen.",
    ),
    (
        "fr",
        "Il faisait nuit quand nous sommes arrivés, et la maison au bord de la route était encore toute éclairée de l'intérieur.",
    ),
    (
        "es",
        "Mañana por la mañana vamos al mercado, compramos pan y fruta, y después volvemos a casa antes de la comida.",
    ),
    (
        "it",
        "La settimana scorsa abbiamo camminato per tre ore lungo la spiaggia senza incontrare nessuno, nemmeno un cane.",
    ),
];

/// Measures both sides in a quiet room, then under speech.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let config = HouseConfig {
        room: RoomConfig { echo_db: Some(-20.0), seed: bench.seed, late: Duration::ZERO },
        ..HouseConfig::new(bench.root.clone(), bench.programs.clone(), dir.path().to_owned(), bench.seed)
    };
    let mut house = runtime.block_on(House::start(config))?;
    let peer = Peer::start(&bench.root.join("target/peer"), &house.room.pulse_server())?;
    std::thread::sleep(SETTLE);
    let ours = vec![house.satellite.pid()];
    let theirs = peer.pids()?;
    let quiet = measure(&ours, &theirs)?;
    let talk = talk()?;
    let needed = RATE_HZ as usize * (WINDOW.as_secs() as usize + 5);
    house.room.say(&talk.iter().copied().cycle().take(needed).collect::<Vec<_>>())?;
    std::thread::sleep(Duration::from_secs(2));
    let speech = measure(&ours, &theirs)?;
    let (ours_mib, theirs_mib) = (resident_mib(&ours)?, resident_mib(&theirs)?);
    house.check()?;
    let n = WINDOW.as_secs() as usize;
    Ok(vec![
        Row::new("a7.idle_cpu_quiet.percent", quiet.0, "%", Goal::OfPeer(1.0), n).beside(quiet.1),
        Row::new("a7.idle_cpu_speech.percent", speech.0, "%", Goal::OfPeer(2.0), n).beside(speech.1),
        Row::new("a7.idle_rss.mib", ours_mib, "MiB", Goal::OfPeer(0.25), 1).beside(theirs_mib),
    ])
}

fn talk() -> Result<Vec<i16>> {
    let mut all = Vec::new();
    for (n, (voice, text)) in TALK.iter().enumerate() {
        all.extend(sound::scaled(&sound::espeak(voice, text)?, 8000));
        all.extend(sound::noise(RATE_HZ as usize / 4, 8.0, n as u64));
    }
    ensure!(!all.is_empty(), "espeak-ng said nothing");
    Ok(all)
}

/// Percent of one core that each side used over the window.
fn measure(ours: &[u32], theirs: &[u32]) -> Result<(f64, f64)> {
    let before = (cpu_s(ours)?, cpu_s(theirs)?);
    let started = Instant::now();
    std::thread::sleep(WINDOW);
    let elapsed = started.elapsed().as_secs_f64();
    let after = (cpu_s(ours)?, cpu_s(theirs)?);
    Ok((100.0 * (after.0 - before.0) / elapsed, 100.0 * (after.1 - before.1) / elapsed))
}

/// Processor time used so far, in seconds (proc(5), /proc/PID/stat, fields 14 and 15).
fn cpu_s(pids: &[u32]) -> Result<f64> {
    let mut ticks = 0.0;
    for pid in pids {
        let path = format!("/proc/{pid}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let after_name = text.rsplit_once(')').context("a name in parentheses")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        for field in [11, 12] {
            ticks += fields.get(field).context("too few fields")?.parse::<f64>()?;
        }
    }
    Ok(ticks / TICKS)
}

/// Resident memory in MiB (VmRSS).
fn resident_mib(pids: &[u32]) -> Result<f64> {
    let mut kib = 0.0;
    for pid in pids {
        let path = format!("/proc/{pid}/status");
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = text.lines().find(|l| l.starts_with("VmRSS:")).context("VmRSS")?;
        kib += line.split_whitespace().nth(1).context("VmRSS")?.parse::<f64>()?;
    }
    Ok(kib / 1024.0)
}

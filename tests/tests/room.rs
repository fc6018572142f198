//! The simulated room keeps its promises: what is said is recorded exactly, what is played comes back at the chosen level.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use jarvis_tests::process::{spawn, wait_for};
use jarvis_tests::room::{Room, RoomConfig};
use jarvis_tests::sound;

/// Everything that is waited for comes long before this.
const LONG: Duration = Duration::from_secs(60);

/// The samples that are no zeros.
fn without_pauses(samples: &[i16]) -> Vec<i16> {
    samples.iter().copied().filter(|sample| *sample != 0).collect()
}

#[test]
fn said_exactly_and_echoed_at_its_level() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path(), &RoomConfig { echo_db: Some(-6.0), seed: 3, late: Duration::ZERO }).unwrap();
    let said = sound::noise(16_000, 3000.0, 1);
    room.say(&said).unwrap();
    // A machine that is held up makes a pause, which is nothing of what is said.
    let wanted = without_pauses(&said);
    let recorded = wait_for("the room to hear it", LONG, || {
        let recorded = without_pauses(&room.recording(0)?.said);
        Ok((recorded.len() >= wanted.len()).then_some(recorded))
    });
    assert_eq!(recorded.unwrap(), wanted, "the recording is what was said, sample by sample");

    let microphone = std::fs::File::create(dir.path().join("mic.raw")).unwrap();
    let stream = |program: &str, device: &str| {
        let mut command = Command::new(program);
        command.args([device, "--rate=16000", "--channels=1", "--format=s16le", "--latency-msec=20", "--raw"]);
        command.env("PULSE_SERVER", room.pulse_server());
        command
    };
    let mut listener = spawn(stream("parec", "--device=mic").stdout(microphone)).unwrap();
    let length = || -> anyhow::Result<u64> { Ok(std::fs::metadata(dir.path().join("mic.raw"))?.len()) };
    wait_for("the microphone", LONG, || Ok((length()? > 8000).then_some(()))).unwrap();
    let mut player = spawn(stream("pacat", "--device=speaker").stdin(Stdio::piped())).unwrap();
    let bytes: Vec<u8> = said.iter().flat_map(|s| s.to_le_bytes()).collect();
    player.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(player.wait().unwrap().success());
    let before = length().unwrap();
    wait_for("the echo to fade", LONG, || Ok((length()? > before + 32_000).then_some(()))).unwrap();
    listener.kill().unwrap();
    listener.wait().unwrap();

    let heard: Vec<i16> = std::fs::read(dir.path().join("mic.raw"))
        .unwrap()
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    let energy = |samples: &[i16]| samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum::<f64>();
    let level = 10.0 * (energy(&heard) / energy(&said)).log10();
    assert!((level + 6.0).abs() < 1.0, "the echo came at {level:.1} dB instead of -6 dB");
}

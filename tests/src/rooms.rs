//! Several rooms at once, without sound hardware: a simulated cluster, `jarvisd`, and satellites that hear one file and speak into
//! another.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jarvisd::event::{Event, EventKind, TurnRecord};

use crate::house::{self, HouseConfig};
use crate::process::{Process, wait_for};
use crate::pve::Simulator;
use crate::sound::{self, RATE_HZ};

/// Quiet between the microphone's opening and what is said: longer than what a satellite keeps of the time before a wake word.
const LEAD_S: usize = 2;
/// RMS level of a room's own noise, as in [`crate::room`]: no microphone gives digital silence.
const FLOOR: f64 = 16.0;
/// Longest time for anything that real processes do.
const LIMIT: Duration = Duration::from_secs(60);

/// The daemon with its rooms.
pub struct Rooms {
    /// Satellites, by room.
    satellites: Vec<(String, Process)>,
    /// The daemon.
    pub daemon: Process,
    /// The cluster.
    pub cluster: Simulator,
    config: HouseConfig,
    model: PathBuf,
    events: Receiver<Event>,
    follower: Child,
}

impl Rooms {
    /// A cluster and a daemon, and no room yet.
    pub async fn start(config: HouseConfig, cluster: Simulator) -> Result<Self> {
        std::fs::create_dir_all(&config.dir)?;
        let model = house::model(&config.root);
        write_toml(&config, &cluster, &model)?;
        let daemon = house::start_daemon(&config, "jarvisd.log")?;
        let (follower, events) = house::follow(&config)?;
        Ok(Self { satellites: Vec::new(), daemon, cluster, config, model, events, follower })
    }

    /// Runs `jarvisctl`; its output, or an error with what it said.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let output = house::ctl(&self.config, arguments)?;
        ensure!(
            output.status.success(),
            "jarvisctl {arguments:?} ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts the daemon anew with another model, as an owner would: name it in the configuration, restart.
    pub fn restart_with(&mut self, model: PathBuf) -> Result<()> {
        self.model = model;
        self.daemon.stop()?;
        write_toml(&self.config, &self.cluster, &self.model)?;
        self.daemon = house::start_daemon(&self.config, "jarvisd.log")?;
        self.follower.kill()?;
        self.follower.wait()?;
        (self.follower, self.events) = house::follow(&self.config)?;
        Ok(())
    }

    /// Opens rooms, each with its satellite, in all of which somebody speaks at the same moment, once all of them are there.
    pub fn speak(&mut self, rooms: &[(&str, Vec<i16>)]) -> Result<()> {
        for (room, _) in rooms {
            let mut command = self.furnish(room)?;
            let log = self.config.dir.join(format!("{room}.log"));
            let satellite = Process::start("jarvis-satellite", &mut command, &log)?.sounds()?;
            self.satellites.push(((*room).to_owned(), satellite));
        }
        self.wait_rooms("connected", rooms.len())?;
        // A microphone that was closed hears its file from the beginning, and what is written is there before any of them is opened.
        for (room, _) in rooms {
            self.press(room, "mute on")?;
        }
        self.wait_rooms("muted", rooms.len())?;
        for (seed, (room, said)) in rooms.iter().enumerate() {
            let mut sound = sound::noise(LEAD_S * RATE_HZ as usize + said.len(), FLOOR, seed as u64);
            for (sample, said) in sound[LEAD_S * RATE_HZ as usize..].iter_mut().zip(said) {
                *sample = sample.saturating_add(*said);
            }
            let file = self.config.dir.join(room).join("said.wav");
            write_wav(&file.with_extension("new"), &sound)?;
            std::fs::rename(file.with_extension("new"), file)?;
        }
        rooms.iter().try_for_each(|(room, _)| self.press(room, "mute off"))
    }

    /// Waits until so many rooms are said to be so.
    fn wait_rooms(&mut self, so: &str, count: usize) -> Result<()> {
        wait_for(&format!("{count} satellites to be {so}"), LIMIT, || {
            self.check()?;
            let told = self.ctl(&["rooms", "--json"])?;
            Ok((told.matches(&format!("\"{so}\":true")).count() == count).then_some(()))
        })
    }

    /// Uses a button of the room's satellite.
    fn press(&self, room: &str, line: &str) -> Result<()> {
        let mut button =
            UnixStream::connect(self.config.dir.join(room).join("control")).context("the control socket")?;
        button.set_read_timeout(Some(LIMIT))?;
        writeln!(button, "{line}")?;
        let mut answer = String::new();
        BufReader::new(&button).read_line(&mut answer)?;
        ensure!(answer == "ok\n", "the satellite of the {room} says {answer:?} to {line:?}");
        Ok(())
    }

    /// A satellite in its room, in which nobody says anything yet.
    fn furnish(&self, room: &str) -> Result<Command> {
        let dir = self.config.dir.join(room);
        std::fs::create_dir_all(&dir)?;
        write_wav(&dir.join("said.wav"), &sound::noise(RATE_HZ as usize, FLOOR, 0))?;
        let file = dir.join("satellite.toml");
        let (said, heard, state) = (dir.join("said.wav"), self.loudspeaker(room), dir.join("state"));
        let text = format!(
            "state_dir = {state:?}\n\n[audio]\nbackend = \"wav\"\nmicrophone = {said:?}\nloudspeaker = {heard:?}\n\n\
             [control]\nsocket = {:?}\n",
            dir.join("control")
        );
        std::fs::write(&file, text)?;
        let told = self.ctl(&["enrol", room, "--json"])?;
        let enrolled: serde_json::Value = serde_json::from_str(&told)?;
        let code = enrolled["code"].as_str().context("a code")?;
        let satellite = || {
            let mut command = Command::new(self.config.programs.join("jarvis-satellite"));
            command.arg("--config").arg(&file);
            command
        };
        let output = satellite().args(["enrol", code]).output()?;
        ensure!(output.status.success(), "enrol {room}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(satellite())
    }

    /// Where the room's loudspeaker is written to.
    pub fn loudspeaker(&self, room: &str) -> PathBuf {
        self.config.dir.join(room).join("heard.wav")
    }

    /// The next event within `limit`.
    pub fn event(&mut self, limit: Duration) -> Result<Option<Event>> {
        match self.events.recv_timeout(limit) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => self.check().map(|()| None),
            Err(RecvTimeoutError::Disconnected) => bail!("jarvisctl turns --follow ended"),
        }
    }

    /// Follows turns until `count` are done; also says how many were under way at once, at most.
    pub fn turns(&mut self, count: usize) -> Result<(Vec<TurnRecord>, usize)> {
        let (mut done, mut running, mut at_once) = (Vec::new(), 0_usize, 0);
        let deadline = Instant::now() + LIMIT;
        while done.len() < count {
            ensure!(Instant::now() < deadline, "{} of {count} turns were done: {done:?}", done.len());
            let Some(event) = self.event(Duration::from_millis(500))? else { continue };
            match event.kind {
                EventKind::Wake { .. } => {
                    running += 1;
                    at_once = at_once.max(running);
                }
                EventKind::TurnDone(record) => {
                    running = running.saturating_sub(1);
                    done.push(*record);
                }
                _ => {}
            }
        }
        Ok((done, at_once))
    }

    /// An error if any part has ended.
    pub fn check(&mut self) -> Result<()> {
        self.daemon.check()?;
        self.satellites.iter_mut().try_for_each(|(_, satellite)| satellite.check())
    }

    /// Ends a room's satellite in order, so that its loudspeaker's file is whole; gives what was played.
    pub fn leave(&mut self, room: &str) -> Result<Vec<i16>> {
        let place = self.satellites.iter().position(|(name, _)| name == room).with_context(|| format!("no {room}"))?;
        self.satellites.remove(place).1.stop()?;
        sound::read_wav(&self.loudspeaker(room))
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        if let Err(error) = self.follower.kill().and_then(|()| self.follower.wait()) {
            eprintln!("could not end jarvisctl turns --follow: {error}");
        }
    }
}

fn write_toml(config: &HouseConfig, cluster: &Simulator, model: &Path) -> Result<()> {
    let page = format!("127.0.0.1:{}", crate::ports::free_port()?);
    Ok(std::fs::write(config.dir.join("jarvisd.toml"), house::daemon_toml(config, cluster, &page, model)?)?)
}

fn write_wav(path: &Path, samples: &[i16]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec)?;
    samples.iter().try_for_each(|sample| file.write_sample(*sample))?;
    Ok(file.finalize()?)
}

//! Where a satellite's sound comes from and goes to: the simulated room, or the devices of this machine.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jarvis_satellite::audio::{self, AudioError, Backend};
use jarvis_satellite::config::AudioConfig;

/// Audio backends of the satellite that reach hardware, in the order in which they are tried.
const BACKENDS: [&str; 2] = ["pulse", "alsa"];
/// How long the satellite may take to answer a press of its button.
const BUTTON_LIMIT: Duration = Duration::from_secs(30);

/// Surroundings of a satellite.
pub trait Place {
    /// The sections of satellite.toml that describe it.
    fn satellite_toml(&self) -> String;
    /// Variables of the satellite's environment.
    fn environment(&self) -> Vec<(&'static str, String)>;
    /// An error if it has broken down.
    fn check(&mut self) -> Result<()>;
    /// Whether the microphone is open, as far as can be seen from outside: what is said before that, nobody hears.
    fn is_listened_to(&self) -> Result<bool>;
}

/// A microphone and a loudspeaker of this machine, and the Enter key for a button.
#[derive(Debug)]
pub struct Devices {
    backend: &'static str,
    microphone: String,
    loudspeaker: String,
    /// Holds the button's socket: paths of sockets are short, those of checkouts may not be.
    run: tempfile::TempDir,
    held: Option<UnixStream>,
}

impl Devices {
    /// Finds out which backend has both devices; empty names are the system's defaults. Nothing is opened.
    ///
    /// # Errors
    /// None has both; the text lists what each of them has.
    pub fn find(microphone: &str, loudspeaker: &str) -> Result<Self> {
        let mut troubles = Vec::new();
        for name in BACKENDS {
            let backend = audio::backend(name)?;
            let config = AudioConfig {
                backend: name.to_owned(),
                microphone: microphone.to_owned(),
                loudspeaker: loudspeaker.to_owned(),
                ..AudioConfig::default()
            };
            let both = backend.microphone(&config).and_then(|_| backend.loudspeaker(&config));
            match both {
                Ok(_) => {
                    let run = tempfile::Builder::new().prefix("jarvis-").tempdir()?;
                    let (microphone, loudspeaker) = (config.microphone, config.loudspeaker);
                    return Ok(Self { backend: backend.name(), microphone, loudspeaker, run, held: None });
                }
                Err(error) => troubles.push(described(backend, &error)),
            }
        }
        bail!(
            "no microphone and loudspeaker to speak with:\n{}\nChoose by MICROPHONE=name LOUDSPEAKER=name; a sound server \
             belongs to the user of the desktop: run this as that user, or set PULSE_SERVER",
            troubles.concat()
        )
    }

    fn button(&self) -> PathBuf {
        self.run.path().join("button")
    }

    /// Presses the satellite's button and holds it: a turn opens without the wake word.
    ///
    /// # Errors
    /// The satellite does not take it.
    pub fn press(&mut self) -> Result<()> {
        self.release();
        let mut button = UnixStream::connect(self.button()).context("the satellite's button")?;
        button.set_read_timeout(Some(BUTTON_LIMIT))?;
        button.write_all(b"ptt down\n")?;
        let mut answer = String::new();
        BufReader::new(&button).read_line(&mut answer)?;
        ensure!(answer.trim() == "ok", "the satellite says {:?}", answer.trim());
        self.held = Some(button);
        Ok(())
    }

    /// Lets go of the button, after which nothing more is streamed for it.
    pub fn release(&mut self) {
        self.held = None;
    }
}

impl std::fmt::Display for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |name: &str| if name.is_empty() { "the default".to_owned() } else { name.to_owned() };
        let (microphone, loudspeaker) = (name(&self.microphone), name(&self.loudspeaker));
        write!(f, "microphone {microphone}, loudspeaker {loudspeaker} ({})", self.backend)
    }
}

impl Place for Devices {
    fn satellite_toml(&self) -> String {
        format!(
            "[audio]\nbackend = {:?}\nmicrophone = {:?}\nloudspeaker = {:?}\n\n[control]\nsocket = {:?}\n",
            self.backend,
            self.microphone,
            self.loudspeaker,
            self.button()
        )
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The satellite itself notices when a device goes, says so, and looks for it again.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    fn is_listened_to(&self) -> Result<bool> {
        Ok(true)
    }
}

fn described(backend: &dyn Backend, error: &AudioError) -> String {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let exist = match backend.devices() {
        Ok(devices) => format!(
            "    microphones: {}\n    loudspeakers: {}\n",
            list(&devices.microphones),
            list(&devices.loudspeakers)
        ),
        // That it can't be reached was said already.
        Err(_) => String::new(),
    };
    format!("  {}: {error}\n{exist}", backend.name())
}

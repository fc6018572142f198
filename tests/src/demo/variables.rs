//! What `make demo` was asked for by its variables: a pure function, so that every senseless pair is refused before anything is started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::Demo;
use super::live::Live;
use super::minds::Minded;
use super::request::{self, Request};

/// Every variable, and the ways to run the demo that heed it.
const VARIABLES: [(&str, &[Way]); 14] = [
    ("SAY", &[Way::Say]),
    ("VOICE", &[Way::Say]),
    ("WAV", &[Way::Wav]),
    ("TEXT", &[Way::Wav]),
    ("SCRIPT", &[Way::Script]),
    ("STAY", &[Way::Say, Way::Wav, Way::Script]),
    ("ECHO", &[Way::Say, Way::Wav, Way::Script]),
    ("MIND", &[Way::Mind]),
    ("MIC", &[Way::Mic]),
    ("MODEL", &[Way::Mic]),
    ("MICROPHONE", &[Way::Mic]),
    ("LOUDSPEAKER", &[Way::Mic]),
    ("SEED", &[Way::Say, Way::Wav, Way::Script, Way::Mind, Way::Mic]),
    ("OUT", &[Way::Say, Way::Wav, Way::Script, Way::Mind, Way::Mic]),
];
/// Level of the echo where none is given, in decibels.
const ECHO_DB: f64 = -10.0;
/// Levels beyond this are no room (decibels either way).
const ECHO_DB_MAX: f64 = 60.0;

/// The ways to run it, of which one is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Mic,
    Mind,
    Wav,
    Script,
    /// Also where nothing is said of it.
    Say,
}

impl Way {
    /// The variable that chooses it.
    fn variable(self) -> &'static str {
        match self {
            Self::Mic => "MIC",
            Self::Mind => "MIND",
            Self::Wav => "WAV",
            Self::Script => "SCRIPT",
            Self::Say => "SAY",
        }
    }
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Requests in the simulated room.
    Room(Demo),
    /// A person at this machine's own devices.
    Person(Live),
    /// A model that follows a script.
    Model(Minded),
}

/// Where it runs, and what is taken where nothing is given.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Seed of the cluster's state.
    pub seed: u64,
}

/// The variables that the demo knows, as `lookup` gives them; an empty one counts as not given, and so does a switch that is `0`.
pub fn given(lookup: impl Fn(&str) -> Option<String>) -> BTreeMap<&'static str, String> {
    let known = VARIABLES.iter().filter_map(|(name, _)| Some((*name, lookup(name)?)));
    let unset = |name: &&str, value: &str| value.is_empty() || (["MIC", "STAY"].contains(name) && value == "0");
    known.filter(|(name, value)| !unset(name, value)).collect()
}

/// Reads them; a script is read from its file.
///
/// # Errors
/// A value that is none, or two variables of which one would do nothing.
pub fn read(given: &BTreeMap<&'static str, String>, around: Surroundings) -> Result<Wanted> {
    let value = |name: &str| given.get(name).cloned();
    let way = way(given)?;
    let Surroundings { root, programs, seed } = around;
    let dir = value("OUT").map_or_else(|| root.join("target/demo"), PathBuf::from);
    let seed = match value("SEED") {
        Some(text) => text.parse().with_context(|| format!("SEED={text}: a whole number is wanted"))?,
        None => seed,
    };
    let requests = match way {
        Way::Mic => {
            let (microphone, loudspeaker) = (value("MICROPHONE"), value("LOUDSPEAKER"));
            return Ok(Wanted::Person(Live {
                dir,
                root,
                programs,
                seed,
                model: value("MODEL").map(PathBuf::from),
                microphone: microphone.unwrap_or_default(),
                loudspeaker: loudspeaker.unwrap_or_default(),
            }));
        }
        Way::Mind => {
            let mind = value("MIND").unwrap_or_default().parse()?;
            return Ok(Wanted::Model(Minded { mind, dir, root, programs, seed }));
        }
        Way::Wav => {
            vec![Request::Recorded { path: value("WAV").unwrap_or_default().into(), text: value("TEXT") }]
        }
        Way::Script => request::script(&PathBuf::from(value("SCRIPT").unwrap_or_default()))?,
        Way::Say => {
            let voice = value("VOICE").unwrap_or_else(|| request::VOICE.to_owned());
            vec![Request::Spoken { voice, text: value("SAY").unwrap_or_else(|| request::SAY.to_owned()) }]
        }
    };
    let echo_db = match value("ECHO") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|db: &f64| db.abs() <= ECHO_DB_MAX)
            .with_context(|| format!("ECHO={text}: a level in decibels is wanted, such as -10 or 0"))?,
        None => ECHO_DB,
    };
    Ok(Wanted::Room(Demo { root, programs, dir, seed, echo_db, requests, stay: given.contains_key("STAY") }))
}

/// The one way that was chosen, with nothing beside it that it would not heed.
fn way(given: &BTreeMap<&'static str, String>) -> Result<Way> {
    let all = [Way::Mic, Way::Mind, Way::Wav, Way::Script, Way::Say];
    let way = all.into_iter().find(|way| given.contains_key(way.variable())).unwrap_or(Way::Say);
    for (name, beside) in VARIABLES {
        if !given.contains_key(name) || beside.contains(&way) {
            continue;
        }
        let only = beside.iter().map(|way| way.variable()).collect::<Vec<_>>().join(", ");
        match all.iter().any(|other| other.variable() == name) {
            true => bail!("{} and {name} are two ways to run the demo: give one of them", way.variable()),
            false if given.contains_key(way.variable()) => {
                bail!("{name} does nothing beside {}; it goes with {only} alone", way.variable())
            }
            false => bail!("{name} does nothing by itself; it goes with {only} alone"),
        }
    }
    let asks = given.get("TEXT").is_none_or(|text| !request::plain(text).is_empty());
    ensure!(asks, "TEXT says what is asked in the recording; the wake word alone asks nothing");
    Ok(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::minds::Mind;

    fn asked(variables: &[(&str, &str)]) -> Result<Wanted> {
        let given = given(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()));
        let around = Surroundings { root: "/house".into(), programs: "/programs".into(), seed: 99 };
        read(&given, around)
    }

    fn room(variables: &[(&str, &str)]) -> Demo {
        match asked(variables).unwrap() {
            Wanted::Room(demo) => demo,
            other => panic!("{variables:?}: {other:?}"),
        }
    }

    #[track_caller]
    fn refused(variables: &[(&str, &str)]) -> String {
        match asked(variables) {
            Err(error) => format!("{error:#}"),
            Ok(wanted) => panic!("{variables:?} was taken: {wanted:?}"),
        }
    }

    #[test]
    fn nothing_given_says_the_usual() {
        let demo = room(&[]);
        assert_eq!(demo.requests, [Request::Spoken { voice: request::VOICE.into(), text: request::SAY.into() }]);
        assert_eq!((demo.seed, demo.echo_db, demo.stay, demo.dir), (99, ECHO_DB, false, "/house/target/demo".into()));
        assert_eq!(room(&[("SAY", ""), ("WAV", ""), ("STAY", "0"), ("MIC", "0")]).requests, demo.requests);
    }

    #[test]
    fn every_variable_is_heeded() {
        let demo = room(&[
            ("SAY", "hey jarvis, stop"),
            ("VOICE", "en-us"),
            ("SEED", "7"),
            ("ECHO", "-3.5"),
            ("STAY", "1"),
            ("OUT", "/out"),
        ]);
        assert_eq!(demo.requests, [Request::Spoken { voice: "en-us".into(), text: "hey jarvis, stop".into() }]);
        assert_eq!((demo.seed, demo.echo_db, demo.stay, demo.dir), (7, -3.5, true, "/out".into()));
        let recorded = room(&[("WAV", "a.wav"), ("TEXT", "hey jarvis, stop")]).requests;
        assert_eq!(recorded, [Request::Recorded { path: "a.wav".into(), text: Some("hey jarvis, stop".into()) }]);
        let model = asked(&[("MIND", "llama"), ("SEED", "1")]).unwrap();
        assert!(matches!(model, Wanted::Model(Minded { mind: Mind::Llama, seed: 1, .. })), "{model:?}");
        let Wanted::Person(live) = asked(&[("MIC", "1"), ("MODEL", "/m"), ("LOUDSPEAKER", "l")]).unwrap() else {
            panic!("no person");
        };
        assert_eq!((live.model, live.microphone, live.loudspeaker), (Some("/m".into()), String::new(), "l".into()));
    }

    #[test]
    fn two_ways_at_once_are_refused() {
        let ways = [("MIC", "1"), ("MIND", "aimock"), ("WAV", "a.wav"), ("SCRIPT", "s"), ("SAY", "hello")];
        for (n, one) in ways.iter().enumerate() {
            for other in &ways[n + 1..] {
                let told = refused(&[*one, *other]);
                assert!(told.contains(one.0) && told.contains(other.0) && told.contains("two ways"), "{told}");
            }
        }
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        for pair in [
            [("VOICE", "en-us"), ("WAV", "a.wav")],
            [("VOICE", "en-us"), ("SCRIPT", "s")],
            [("VOICE", "en-us"), ("MIC", "1")],
            [("VOICE", "en-us"), ("MIND", "aimock")],
            [("TEXT", "stop"), ("SAY", "stop")],
            [("TEXT", "stop"), ("SCRIPT", "s")],
            [("ECHO", "0"), ("MIC", "1")],
            [("ECHO", "0"), ("MIND", "aimock")],
            [("STAY", "1"), ("MIC", "1")],
            [("STAY", "1"), ("MIND", "aimock")],
            [("MODEL", "/m"), ("SAY", "stop")],
            [("MODEL", "/m"), ("MIND", "llama")],
            [("MICROPHONE", "m"), ("WAV", "a.wav")],
            [("LOUDSPEAKER", "l"), ("SCRIPT", "s")],
        ] {
            let told = refused(&pair);
            assert!(told.contains(pair[0].0) && told.contains(pair[1].0) && told.contains("does nothing"), "{told}");
        }
        let told = refused(&[("TEXT", "stop")]);
        assert!(told.contains("TEXT") && told.contains("WAV") && !told.contains("SAY"), "{told}");
        assert!(refused(&[("MICROPHONE", "m")]).contains("MIC"));
    }

    #[test]
    fn values_that_are_none_are_refused_by_name() {
        for (name, value) in
            [("SEED", "seven"), ("SEED", "-1"), ("ECHO", "loud"), ("ECHO", "inf"), ("ECHO", "NaN"), ("ECHO", "1e9")]
        {
            assert!(refused(&[(name, value)]).contains(&format!("{name}={value}")), "{name}={value}");
        }
        assert!(refused(&[("MIND", "gpt")]).contains("MIND is aimock"));
        assert!(refused(&[("SCRIPT", "/nowhere")]).contains("/nowhere"));
        assert!(refused(&[("WAV", "a.wav"), ("TEXT", "Hey Jarvis!")]).contains("TEXT"));
    }
}

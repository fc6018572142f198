//! The rules of the house, each with a failing test: file sizes, names, arrows between crates, forbidden calls, docs that match
//! the code. A rule that no test holds does not hold.
//!
//! Length: one short rule after another, read for the one that failed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a source file above which its first lines must justify it with the word `Length:`.
const QUESTIONED_LINES: usize = 400;
/// Lines no source file may have.
const FORBIDDEN_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of ours that git knows or would add, beneath the workspace: what others wrote keeps to rules of their own, and to
/// [`what_is_vendored_is_the_release_and_its_patch`].
fn files() -> Vec<String> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(out.status.success(), "git ls-files: {}", String::from_utf8_lossy(&out.stderr));
    let all = String::from_utf8(out.stdout).unwrap();
    let ours = |f: &&str| !f.starts_with("vendor/pulseaudio/") && root().join(f).is_file();
    all.lines().filter(ours).map(str::to_owned).collect()
}

fn rust() -> Vec<(String, String)> {
    let all: Vec<_> = files()
        .into_iter()
        .filter(|f| f.ends_with(".rs"))
        .map(|f| {
            let text = std::fs::read_to_string(root().join(&f)).unwrap();
            (f, text)
        })
        .collect();
    assert!(all.len() > 20, "only {} Rust files found: this test looks in the wrong place", all.len());
    all
}

/// Fails with every offence at once.
fn none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// Program text: without comments, and without the module of unit tests at a file's end. One that stands in a file of its own is named
/// anywhere, and ends nothing.
fn program(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_module = |at: usize| text[at..].lines().nth(1).is_some_and(|l| l.contains("mod ") && l.ends_with('{'));
    let tests = text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|at| is_module(*at));
    let end = tests.unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(n, line)| (n + 1, line))
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    for (file, text) in rust() {
        let lines = text.lines().count();
        let justified = text.lines().take(15).any(|l| l.contains("Length:"));
        if lines > FORBIDDEN_LINES || (lines > QUESTIONED_LINES && !justified) {
            offences.push(format!("{file}: {lines} lines"));
        }
    }
    none(
        &format!("over {QUESTIONED_LINES} lines without 'Length:' in the first lines, or over {FORBIDDEN_LINES}"),
        offences,
    );
}

#[test]
fn names_say_something() {
    let bad = ["utils", "util", "common", "helpers", "helper", "manager", "misc", "handler2"];
    let offences = files()
        .into_iter()
        .filter(|f| {
            Path::new(f).components().any(|c| {
                let part = c.as_os_str().to_string_lossy();
                bad.contains(&part.split('.').next().unwrap_or_default())
            })
        })
        .collect();
    none("names that say nothing", offences);
}

#[test]
fn mains_are_thin() {
    let offences = rust()
        .into_iter()
        .filter(|(f, _)| {
            (f.contains("/bin/") || f.ends_with("main.rs"))
                && !f.starts_with("daemon/ear")
                && !f.starts_with("daemon/voice")
                && !f.starts_with("tests/tests/")
        })
        .filter(|(_, text)| text.lines().count() > 120)
        .map(|(f, text)| format!("{f}: {} lines", text.lines().count()))
        .collect();
    none("a main parses, initialises logging and calls run", offences);
}

#[test]
fn no_forbidden_words() {
    let words = [
        ("todo!(", "unfinished work"),
        ("unimplemented!(", "unfinished work"),
        ("FIXME", "unfinished work"),
        ("allow(dead_code", "a silenced check"),
        ("allow(unused", "a silenced check"),
        ("#[ignore", "a test that does not run"),
        ("unbounded_channel", "a channel without a limit"),
        ("embassy_futures::block_on", "a busy loop"),
        ("dbg!(", "left behind"),
    ];
    let mut offences = Vec::new();
    for (file, text) in rust() {
        if file == "tests/tidy.rs" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            // What needs a program that no package of the stable release has is run by a target of its own, and says so.
            if line.trim_start().starts_with("#[ignore = \"needs a real llama-server: `make llama`") {
                continue;
            }
            for (word, why) in words {
                if line.contains(word) {
                    offences.push(format!("{file}:{}: {word} ({why})", number + 1));
                }
            }
        }
    }
    none("forbidden words", offences);
}

#[test]
fn environment_is_read_in_one_place() {
    let mut offences = Vec::new();
    for (file, text) in rust() {
        if file.ends_with("environment.rs")
            || file.starts_with("tests/")
            || file.ends_with("build.rs")
            || file.contains("/tests/")
            || file.contains("/examples/")
        {
            continue;
        }
        for (number, line) in program(&text) {
            if line.contains("env::var") {
                offences.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    none("the environment is read outside environment.rs", offences);
}

#[test]
fn core_and_link_have_no_clock() {
    let banned = [
        "Instant::now",
        "SystemTime::now",
        "thread::sleep",
        "std::fs",
        "UdpSocket",
        "TcpStream",
        "std::env",
        "tokio::",
    ];
    let mut offences = Vec::new();
    for (file, text) in rust() {
        if !(file.starts_with("daemon/core/src") || file.starts_with("satellite/link/src")) {
            continue;
        }
        for (number, line) in program(&text) {
            for word in banned {
                if line.contains(word) {
                    offences.push(format!("{file}:{number}: {word}"));
                }
            }
        }
    }
    none("core and link are pure", offences);
    for folder in ["daemon/core", "satellite/link"] {
        let path = root().join(folder).join("clippy.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for method in ["std::time::Instant::now", "std::time::SystemTime::now", "std::env::var"] {
            assert!(text.contains(method), "{} bans {method}", path.display());
        }
    }
}

/// What each crate may link of ours, as DESIGN and ARCHITECTURE.md draw it.
fn arrows() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("jarvis-core", vec![]),
        ("jarvis-link", vec![]),
        ("jarvis-worker", vec![]),
        ("jarvis-ear", vec!["jarvis-worker"]),
        ("jarvis-voice", vec!["jarvis-worker"]),
        ("jarvis-satellite", vec!["jarvis-link"]),
        ("jarvisd", vec!["jarvis-core", "jarvis-link", "jarvis-worker"]),
        ("jarvis-tests", vec!["jarvis-core", "jarvis-link", "jarvis-worker", "jarvis-satellite", "jarvisd"]),
    ])
}

/// Where a manifest names dependencies.
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// All that the pure crates use: none of it has a runtime, a clock, a socket or a file.
const PURE: [(&str, &[&str]); 2] = [
    ("jarvis-core", &["hmac", "schemars", "serde", "serde_json", "sha2", "strsim", "thiserror", "toml"]),
    ("jarvis-link", &["postcard", "serde", "thiserror"]),
];

fn manifests() -> BTreeMap<String, toml::Table> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = text.parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|m| {
            let text = std::fs::read_to_string(root().join(m.as_str().unwrap()).join("Cargo.toml")).unwrap();
            let manifest: toml::Table = text.parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
        })
        .collect()
}

#[test]
fn arrows_between_crates() {
    let manifests = manifests();
    let arrows = arrows();
    assert_eq!(
        manifests.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        arrows.keys().copied().collect(),
        "the crates"
    );
    let mut offences = Vec::new();
    for (name, manifest) in &manifests {
        // Tests of a crate keep to its arrows as well; those that need more stand in jarvis-tests.
        for section in SECTIONS {
            let Some(dependencies) = manifest.get(section).and_then(|d| d.as_table()) else { continue };
            for dependency in dependencies.keys() {
                if arrows.contains_key(dependency.as_str()) && !arrows[name.as_str()].contains(&dependency.as_str()) {
                    offences.push(format!("{name} -> {dependency} ({section})"));
                }
                let pure = PURE.iter().find(|(pure, _)| pure == name);
                if pure.is_some_and(|(_, may)| section == "dependencies" && !may.contains(&dependency.as_str())) {
                    offences.push(format!("{name} -> {dependency}: what a pure crate uses is listed in tests/tidy.rs"));
                }
            }
        }
        assert!(manifest.get("target").is_none(), "{name}: arrows are not looked for in [target]");
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name} takes the workspace's lints");
    }
    none("arrows", offences);
    assert_eq!(
        manifests["jarvis-voice"]["package"]["license"].as_str(),
        Some("GPL-3.0-or-later"),
        "voice links espeak-ng"
    );
}

#[test]
fn dependencies_are_named_once_and_used() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = text.parse().unwrap();
    let named: BTreeSet<String> = workspace["workspace"]["dependencies"].as_table().unwrap().keys().cloned().collect();
    let mut used = BTreeSet::new();
    let mut offences = Vec::new();
    for (name, manifest) in manifests() {
        for section in SECTIONS {
            let Some(table) = manifest.get(section).and_then(|d| d.as_table()) else { continue };
            for (dependency, value) in table {
                used.insert(dependency.clone());
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                if named.contains(dependency) && !inherited {
                    offences.push(format!("{name}: {dependency} has a version of its own"));
                }
            }
        }
    }
    offences.extend(named.difference(&used).map(|d| format!("{d} is named in the workspace and used nowhere")));
    none("dependencies", offences);
}

/// `make deny` needs a tool and a network; that nobody brings in a second crypto stack is seen in Cargo.lock alone.
#[test]
fn banned_crates_are_not_locked() {
    let read = |name: &str| -> toml::Table { std::fs::read_to_string(root().join(name)).unwrap().parse().unwrap() };
    let (deny, lock) = (read("deny.toml"), read("Cargo.lock"));
    let banned: Vec<&str> =
        deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    let locked: BTreeSet<&str> =
        lock["package"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(banned.contains(&"aws-lc-rs") && locked.contains("ring"), "one crypto stack: ring");
    none("banned by deny.toml", banned.into_iter().filter(|name| locked.contains(name)).map(str::to_owned).collect());
}

/// Nobody works on a library in here: what vendor/ holds is what its authors released, but for the patch that lies beside it.
#[test]
fn what_is_vendored_is_the_release_and_its_patch() {
    let dir = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let out = command.current_dir(dir.path()).output().unwrap();
        assert!(
            out.status.success(),
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    };
    let vendored = root().join("vendor/pulseaudio");
    run(Command::new("cp").arg("-r").arg(vendored.join("src")).arg(vendored.join("LICENSE.md")).arg("."));
    run(Command::new("git").args(["apply", "--reverse"]).arg(root().join("vendor/pulseaudio.patch")));
    let released = root().join("vendor/pulseaudio.sha256");
    run(Command::new("sha256sum").args(["--check", "--strict", "--quiet"]).arg(&released));
    let listed = std::fs::read_to_string(released).unwrap().lines().count();
    let found = files_beneath(&dir.path().join("src")) + 1;
    assert_eq!(found, listed, "nothing was added to it");
}

fn files_beneath(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_beneath(&path) } else { 1 }).sum()
}

/// How many may wait in a channel has a name that says why. A single place needs none.
#[test]
fn channels_have_named_bounds() {
    let mut offences = Vec::new();
    let ours = |file: &str| {
        (file.starts_with("daemon/") || file.starts_with("satellite/"))
            && file.contains("/src/")
            && !["/tests.rs", "/testing.rs", "/tests/"].iter().any(|part| file.contains(part))
    };
    for (file, text) in rust().into_iter().filter(|(file, _)| ours(file)) {
        for (number, line) in program(&text) {
            let calls = ["mpsc::channel(", "sync_channel(", "broadcast::channel("];
            for (_, bound) in calls.into_iter().filter_map(|call| line.split_once(call)) {
                let literal = bound.starts_with(|c: char| c.is_ascii_digit()) && !bound.starts_with("1)");
                if literal || bound.starts_with(')') {
                    offences.push(format!("{file}:{number}: {}", line.trim()));
                }
            }
        }
    }
    none("channels without a named bound", offences);
}

#[test]
fn docs_match_the_code() {
    let make = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = make
        .lines()
        .filter_map(|l| l.split_once(':').map(|(target, _)| target))
        .filter(|t| !t.is_empty() && t.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    let mut offences = Vec::new();
    for doc in files().into_iter().filter(|f| f.ends_with(".md")) {
        let text = std::fs::read_to_string(root().join(&doc)).unwrap();
        let in_blocks = text.lines().filter_map(|line| line.strip_prefix("make "));
        for word in text.split("`make ").skip(1).chain(in_blocks) {
            let target: String = word.chars().take_while(|c| c.is_ascii_lowercase()).collect();
            if !target.is_empty() && !targets.contains(target.as_str()) {
                offences.push(format!("{doc}: there is no `make {target}`"));
            }
        }
        for path in named_paths(&text) {
            if !root().join(path).exists() {
                offences.push(format!("{doc}: {path} does not exist"));
            }
        }
    }
    none("documents", offences);
}

/// "N kinds of request" is as many as the grammar has.
#[test]
fn kinds_are_counted() {
    let grammar = jarvis_core::intent::Grammar::embedded().unwrap();
    let kinds: BTreeSet<&str> = grammar.examples().iter().map(|example| example.kind.as_str()).collect();
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let (before, _) = text.split_once(" kinds of request").expect("CHANGELOG.md tells how many kinds there are");
    assert_eq!(before.rsplit(' ').next(), Some(kinds.len().to_string().as_str()), "kinds of request in CHANGELOG.md");
}

/// Every word of a document that begins with one of our folders, wherever it stands: in a sentence, a drawing, or a block of commands.
fn named_paths(text: &str) -> impl Iterator<Item = &str> {
    let ours = ["daemon/", "satellite/", "tests/", "fuzz/", "systemd/", "nix/", "docs/", "images/", "firmware-config/"];
    // A pattern names several files, and "name.rs::test" one.
    let words = text.split(|c: char| c.is_whitespace() || "`'\"()[]|,;=".contains(c));
    words
        .filter(|word| !word.contains(['*', '{', '<', '$']))
        .map(|word| word.split(':').next().unwrap_or_default().trim_end_matches(['/', '.']))
        .filter(move |path| ours.iter().any(|folder| path.starts_with(folder)))
}

#[test]
fn paths_are_seen_wherever_they_stand() {
    let text = "See docs/a.md. ```\n echo satellite/src/echo.rs (`tests/b.rs::c`)\n make X=fuzz/d\n``` daemon/*.rs, https://e/docs/f";
    let found: Vec<&str> = named_paths(text).collect();
    assert_eq!(found, ["docs/a.md", "satellite/src/echo.rs", "tests/b.rs", "fuzz/d"]);
}

/// `path.rs::name` in tests/README.md is a test there.
#[test]
fn named_tests_exist() {
    let text = std::fs::read_to_string(root().join("tests/README.md")).unwrap();
    let named: Vec<(&str, &str)> =
        text.split('`').skip(1).step_by(2).filter_map(|piece| piece.split_once(".rs::")).collect();
    assert!(named.len() > 40, "only {} tests are named: this test looks in the wrong place", named.len());
    let mut offences = Vec::new();
    for (file, name) in named {
        let text = std::fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_test = lines.iter().enumerate().any(|(n, line)| {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let attributes = lines[..n].iter().rev().take_while(|above| above.starts_with("#["));
            line.strip_prefix("fn ").is_some_and(|rest| rest.split('(').next() == Some(name))
                && attributes.into_iter().any(|above| above.contains("test"))
        });
        if !is_test {
            offences.push(format!("{file}.rs::{name}"));
        }
    }
    none("tests/README.md names tests that do not exist", offences);
}

/// The link's two ends tune QUIC alike. The crate that both share knows nothing of QUIC, and a crate for these lines alone would have no
/// reason of its own; so they stand twice, and must not grow apart.
#[test]
fn both_ends_of_the_link_are_tuned_alike() {
    let [daemon, satellite] = ["daemon/src/hub/tune.rs", "satellite/src/net/tune.rs"].map(|file| {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        // How many streams the peer may open that go both ways is the one difference: the satellite alone opens such.
        let same =
            |line: &&str| !line.trim_start().starts_with("//") && !line.contains(".max_concurrent_bidi_streams(");
        let begins = text.find("/// A congestion window").expect("the controller");
        text[begins..].lines().filter(same).map(str::to_owned).collect::<Vec<_>>()
    });
    assert!(daemon.len() > 40 && daemon.iter().any(|line| line.contains("fn transport()")), "{daemon:?}");
    assert_eq!(daemon, satellite, "daemon/src/hub/tune.rs and satellite/src/net/tune.rs");
}

/// A Pi starts in 1970, and what it does depends on no date.
#[test]
fn the_satellite_asks_for_no_date() {
    let mut offences = Vec::new();
    for (file, text) in rust().into_iter().filter(|(file, _)| file.starts_with("satellite/")) {
        let asks = program(&text).filter(|(_, line)| line.contains("SystemTime") || line.contains("UNIX_EPOCH"));
        offences.extend(asks.map(|(number, line)| format!("{file}:{number}: {}", line.trim())));
    }
    none("the satellite asks for the date", offences);
}

/// A child that the harness starts otherwise would outlive a harness that is killed.
#[test]
fn children_of_the_harness_die_with_it() {
    let mut offences = Vec::new();
    for (file, text) in rust() {
        if !file.starts_with("tests/") || ["tests/src/process.rs", "tests/tidy.rs"].contains(&file.as_str()) {
            continue;
        }
        offences.extend(
            text.lines().enumerate().filter(|(_, l)| l.contains(".spawn()")).map(|(n, _)| format!("{file}:{}", n + 1)),
        );
    }
    none("children are started by process::spawn alone", offences);
}

#[test]
fn frozen_sentences_stay_frozen() {
    use sha2::{Digest, Sha256};
    let pinned = [
        ("requests.tsv", "37499f16346c26c2194576b3a10c85938daddef5f361f5421063668ae2edb49c"),
        ("spoken.tsv", "c540624be6da82d8523751005f37ad543be282bbea2ad18442c3d86f19767993"),
        ("wer.txt", "ae5e2086905a633125ff80a09b6045d00a0c290649ad66451a69003290787579"),
        ("confusable.txt", "90b1af5670f8655fd37f1b263e21b2685d69db668b8eff8b63e9f26ca7e6e02f"),
        ("memory.tsv", "89d470f1d5c93a5b6bd9b232ae65d89f7f2896d109e1c8105d38b748b980acf0"),
        ("secrets.tsv", "a0e3740fd837091ade53b9228e8c09b4ed9af76129cb536066fbbc95bda8e998"),
        ("not_secrets.tsv", "8eaf0be2244bde1a3c780de6c32756953582aaf2520fa9661c72e12e0925bcfe"),
        ("injections.tsv", "a160ba9d831e996c0b88f8fb2fa8eb17fb772eecdb40aa3eb265461fcbc63067"),
        ("routes.tsv", "bdfda80348f8233fcc28ca88bb4ef8337cccdc77fe507f5f174f98633ef641a7"),
    ];
    for (name, digest) in pinned {
        let bytes = std::fs::read(root().join("tests/frozen").join(name)).unwrap();
        let now: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(now, digest, "tests/frozen/{name} was edited; its README says when that is allowed");
    }
}

/// The bytes of a version that was spoken once are spoken for ever: a satellite may still have it.
#[test]
fn golden_bytes_stay_golden() {
    use sha2::{Digest, Sha256};
    let pinned = [
        ("v1.txt", "d37531605fca60e9c73fdd70fb6e999c3cfa752e16d9dc4a962ec19c8d4357b5"),
        ("v2.txt", "0aaf2bcc143abf79529f43c1342cf9ad66d73c06eb1a6b989ce7017dd3e6b269"),
    ];
    let folder = root().join("satellite/link/tests/golden");
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, pinned.len(), "a new version's bytes are pinned here as well");
    for (name, digest) in pinned {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let now: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(now, digest, "{name} was edited: what changes the bytes needs a new version (jarvis_link::version)");
    }
}

#[test]
fn every_word_of_the_intent_files_can_be_heard() {
    use jarvis_core::intent::Grammar;
    use jarvis_core::names::Names;
    let model = std::fs::read_to_string(root().join("daemon/models/en-commands/graph/words.txt")).unwrap();
    let hearable: BTreeSet<&str> = model.lines().filter_map(|line| line.split(' ').next()).collect();
    let spelled_otherwise: BTreeSet<&str> =
        jarvis_tests::bench::ear::ONE_SPELLING.iter().map(|(word, _)| *word).collect();
    let vocabulary = Grammar::embedded().unwrap().vocabulary(&Names::examples().unwrap());
    let missing: Vec<String> = vocabulary
        .into_iter()
        .filter(|word| !hearable.contains(word.as_str()) && !spelled_otherwise.contains(word.as_str()))
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '\'' || c == '-'))
        .collect();
    none("words that the ear does not know: `make words`, and commit daemon/models/en-commands", missing);
}

#[test]
fn nothing_of_other_peoples_data_is_committed() {
    let offences = files()
        .into_iter()
        .filter(|f| {
            let name = f.rsplit('/').next().unwrap_or_default();
            name.starts_with("pve-apidata")
                || name.ends_with("get-all.json")
                || ["jfk.wav", "digits.wav"].contains(&name)
        })
        .collect();
    none("data that is for reading only", offences);
}

//! `jarvisctl model words --into FOLDER`: a model that hears the names of the owner's own nodes, guests and storages.
//!
//! The scripts in `words/` beside the embedded model do it; they change its words and graph, never its network.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jarvis_core::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage};
use jarvis_core::ids::{NodeName, StorageName, UnixSeconds, Vmid};
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use serde::Deserialize;

/// Sentences for the language model.
const SENTENCES: usize = 60_000;
/// Times an example of the grammar comes, each time with other names.
const EACH: usize = 40;
/// Names that the examples use.
const EXAMPLE_NAMES: &str = include_str!("../models/default_names.toml");
/// Any; the same one gives the same model for the same names.
const SEED: u64 = 20;
/// What only models of ours have: the pronunciations their network was trained on.
const LEXICON: &str = "lexicon.tsv";
/// The scripts' folder, beside the base model.
const SCRIPTS: &str = "words";
/// What the scripts need on Debian.
const PACKAGES: &str = "apt-get install python3 libespeak-ng1 espeak-ng-data libfst-tools libfst22-plugins-base";

/// Why there is no new model.
#[derive(Debug, thiserror::Error)]
pub enum ModelWordsError {
    /// A model of others: its words are what its makers chose.
    #[error("{0} has no {LEXICON}: only the model that comes with Jarvis can learn words")]
    NotOurs(PathBuf),
    /// No scripts.
    #[error("{0} is missing: it comes with Jarvis, beside the model")]
    NoScripts(PathBuf),
    /// The grammar said nothing.
    #[error("the intent grammar has no sentences for these names")]
    NoSentences,
    /// A file or a process.
    #[error("{what}: {source}; {PACKAGES}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The scripts said why.
    #[error("{0}")]
    Failed(String),
}

/// Makes the model `into` from `base`; it is put in place whole, or not at all. Returns the scripts' summary. Takes seconds, blocking.
///
/// # Errors
/// `base` is not ours, a tool is missing (the error names its package), or the folder can't be written.
pub fn rebuild(base: &Path, into: &Path, grammar: &Grammar, names: &Names) -> Result<String, ModelWordsError> {
    let io = |what: String| move |source| ModelWordsError::Io { what, source };
    let absolute = |path: &Path| std::path::absolute(path).map_err(io(path.display().to_string()));
    let (base, into) = (absolute(base)?, absolute(into)?);
    if !base.join(LEXICON).is_file() {
        return Err(ModelWordsError::NotOurs(base));
    }
    let home = base.parent().unwrap_or(&base);
    if !home.join(SCRIPTS).is_dir() {
        return Err(ModelWordsError::NoScripts(home.join(SCRIPTS)));
    }
    let sentences = grammar.sentences(names, SENTENCES, SEED);
    if sentences.is_empty() {
        return Err(ModelWordsError::NoSentences);
    }
    let natural = grammar.natural(&example_names()?, names, EACH, SEED);
    let words: Vec<String> = grammar.vocabulary(names).into_iter().collect();
    let folder = into.parent().unwrap_or(&into);
    std::fs::create_dir_all(folder).map_err(io(folder.display().to_string()))?;
    // Beside the target: the scripts' input is as private as the model it makes.
    let input = |name: &str| folder.join(format!(".{name}-{}.txt", std::process::id()));
    let files = [("--sentences", sentences), ("--natural", natural), ("--vocabulary", words)]
        .map(|(option, lines)| Input { option, file: input(option.trim_start_matches('-')), lines });
    let done = write_all(&files).and_then(|()| run(home, &base, &into, &files));
    for Input { file, .. } in &files {
        if let Err(error) = std::fs::remove_file(file) {
            tracing::warn!(%error, file = %file.display(), "left over");
        }
    }
    done
}

/// A file the scripts read.
struct Input {
    option: &'static str,
    file: PathBuf,
    lines: Vec<String>,
}

fn write_all(files: &[Input]) -> Result<(), ModelWordsError> {
    for Input { file, lines, .. } in files {
        std::fs::write(file, lines.join("\n"))
            .map_err(|source| ModelWordsError::Io { what: file.display().to_string(), source })?;
    }
    Ok(())
}

fn run(home: &Path, base: &Path, into: &Path, inputs: &[Input]) -> Result<String, ModelWordsError> {
    let output = Command::new("python3")
        .current_dir(home)
        .args(["-B", "-m", SCRIPTS, "--base"])
        .arg(base)
        .arg("--out")
        .arg(into)
        .args(inputs.iter().flat_map(|input| [OsStr::new(input.option), input.file.as_os_str()]))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ModelWordsError::Io { what: "python3".to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ModelWordsError::Failed(said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("words failed").to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleNames {
    nodes: Vec<String>,
    storages: Vec<String>,
    guests: std::collections::BTreeMap<String, String>,
}

fn example_names() -> Result<Names, ModelWordsError> {
    let broken = |e: &dyn std::fmt::Display| ModelWordsError::Failed(format!("default_names.toml: {e}"));
    let named: ExampleNames = toml::from_str(EXAMPLE_NAMES).map_err(|e| broken(&e))?;
    let home = NodeName::from(named.nodes.first().map_or("", String::as_str));
    let mut cluster = Cluster { at: UnixSeconds(0), ..Cluster::default() };
    for name in &named.nodes {
        let name = NodeName::from(name.as_str());
        let presence = Presence::Online;
        cluster.nodes.push(Node { name, presence, cpu: None, cores: None, memory: None, root: None, uptime_s: None });
    }
    for name in &named.storages {
        let (name, node) = (StorageName::from(name.as_str()), home.clone());
        let kind = "dir".to_owned();
        cluster.storages.push(Storage { name, node, kind, shared: true, available: None, usage: None });
    }
    for (vmid, name) in named.guests {
        cluster.guests.push(Guest {
            vmid: Vmid(vmid.parse().map_err(|e| broken(&e))?),
            name: Some(name),
            kind: GuestKind::Vm,
            node: home.clone(),
            state: GuestState::Unknown,
            cpu: None,
            cores: None,
            memory: None,
            disk: None,
            uptime_s: None,
            lock: None,
            ha: None,
        });
    }
    Ok(Names::from_cluster(&cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::from_cluster(&jarvis_core::cluster::Cluster::default());
        let error =
            rebuild(folder.path(), &folder.path().join("new"), &Grammar::embedded().unwrap(), &names).unwrap_err();
        assert!(matches!(error, ModelWordsError::NotOurs(_)), "{error}");
    }
}

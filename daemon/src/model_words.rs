//! `jarvisctl model words --into FOLDER`: a model that hears the names of the owner's own nodes, guests and storages.
//!
//! The scripts of `daemon/models/words` do it; they change a model's words and graph, never its network. They are part of this program,
//! so that a model learns words wherever it lies.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jarvis_core::intent::{Corpus, Grammar};
use jarvis_core::names::Names;

/// What only models of ours have: the pronunciations their network was trained on.
const LEXICON: &str = "lexicon.tsv";
/// The scripts, a Python package.
const PACKAGE: &str = "words";
/// Its files.
const SCRIPTS: [(&str, &str); 12] = [
    ("__init__.py", include_str!("../models/words/__init__.py")),
    ("__main__.py", include_str!("../models/words/__main__.py")),
    ("always.txt", include_str!("../models/words/always.txt")),
    ("decoding_graph.py", include_str!("../models/words/decoding_graph.py")),
    ("espeak.py", include_str!("../models/words/espeak.py")),
    ("everyday.py", include_str!("../models/words/everyday.py")),
    ("everyday.txt", include_str!("../models/words/everyday.txt")),
    ("frequent.txt", include_str!("../models/words/frequent.txt")),
    ("language_model.py", include_str!("../models/words/language_model.py")),
    ("lexicon.py", include_str!("../models/words/lexicon.py")),
    ("phones.py", include_str!("../models/words/phones.py")),
    ("text.py", include_str!("../models/words/text.py")),
];

/// Why there is no new model.
#[derive(Debug, thiserror::Error)]
pub enum ModelWordsError {
    /// A model of others: its words are what its makers chose.
    #[error("{0} has no {LEXICON}: only the model that comes with Jarvis, and those made of it, can learn words")]
    NotOurs(PathBuf),
    /// The grammar said nothing.
    #[error("the intent grammar has no sentences for these names")]
    NoSentences,
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// Which, with a remedy where the reason alone says none.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The scripts said why.
    #[error("{0}")]
    Failed(String),
}

fn broken(path: &Path) -> impl FnOnce(io::Error) -> ModelWordsError {
    let what = path.display().to_string();
    move |source| ModelWordsError::Io { what, source }
}

/// Makes the model `into` from `base`; it is put in place whole, or not at all. Returns the scripts' summary. Takes seconds, blocking.
///
/// # Errors
/// `base` is not ours, a tool is missing (the error names its package), or the folder can't be written.
pub fn rebuild(base: &Path, into: &Path, grammar: &Grammar, names: &Names) -> Result<String, ModelWordsError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(broken(path));
    let (base, into) = (absolute(base)?, absolute(into)?);
    if !base.join(LEXICON).is_file() {
        return Err(ModelWordsError::NotOurs(base));
    }
    let examples = Names::examples().map_err(ModelWordsError::Failed)?;
    let corpus = Corpus::new(grammar, &examples, names);
    if corpus.sentences.is_empty() {
        return Err(ModelWordsError::NoSentences);
    }
    let folder = into.parent().unwrap_or(&into);
    fs::create_dir_all(folder).map_err(broken(folder))?;
    let bench = Workbench::set_up(folder, &corpus)?;
    run(&bench.0, &base, &into)
}

/// A folder of the scripts and what they read, beside the target; it goes when the value does.
struct Workbench(PathBuf);

impl Workbench {
    fn set_up(beside: &Path, corpus: &Corpus) -> Result<Self, ModelWordsError> {
        let folder = beside.join(format!(".model-words-{}", std::process::id()));
        // Names of machines are nobody else's business.
        DirBuilder::new().mode(0o700).create(&folder).map_err(broken(&folder))?;
        let bench = Self(folder);
        let scripts = bench.0.join(PACKAGE);
        fs::create_dir(&scripts).map_err(broken(&scripts))?;
        let files = corpus.files().map(|(name, text)| (bench.0.join(name), text));
        let scripts = SCRIPTS.map(|(name, text)| (scripts.join(name), text.to_owned()));
        for (path, text) in files.into_iter().chain(scripts) {
            fs::write(&path, text).map_err(broken(&path))?;
        }
        Ok(bench)
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "left over");
        }
    }
}

fn run(bench: &Path, base: &Path, into: &Path) -> Result<String, ModelWordsError> {
    let paths = [("--base", base), ("--corpus", bench), ("--out", into)];
    let output = Command::new("python3")
        .current_dir(bench)
        .args(["-B", "-m", PACKAGE])
        .args(paths.iter().flat_map(|(option, path)| [OsStr::new(option), path.as_os_str()]))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ModelWordsError::Io { what: "python3 (apt-get install python3)".to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("the scripts failed");
    Err(ModelWordsError::Failed(last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            rebuild(folder.path(), &folder.path().join("new"), &Grammar::embedded().unwrap(), &Names::default())
                .unwrap_err();
        assert!(matches!(error, ModelWordsError::NotOurs(_)), "{error}");
    }

    #[test]
    fn every_script_that_the_package_needs_comes_along() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/words");
        let carried: Vec<&str> = SCRIPTS.iter().map(|(name, _)| *name).collect();
        // The challenge words are chosen once, on a developer's machine.
        let stays = ["challenge.py", "challenge_candidates.txt", "__pycache__"];
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(carried.contains(&name.as_str()) || stays.contains(&name.as_str()), "{name} is not carried along");
        }
    }
}

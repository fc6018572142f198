//! Writes what the recogniser's words and language model are made of: `requests FOLDER [NAMES.toml]`.
//!
//! `make words` runs it; without names it takes those that the model which comes with Jarvis hears.

use std::error::Error;
use std::path::PathBuf;

use jarvis_core::intent::{Corpus, Grammar};
use jarvis_core::names::Names;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: requests FOLDER [NAMES.toml]")?);
    let examples = Names::examples()?;
    let names = match arguments.next() {
        Some(file) => Names::parse(&std::fs::read_to_string(file)?)?,
        None => examples.clone(),
    };
    for (name, text) in Corpus::new(&Grammar::embedded()?, &examples, &names).files() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

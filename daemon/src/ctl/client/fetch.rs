//! `jarvisctl model fetch`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Control, Trouble, show};
use crate::config::DaemonConfig;
use crate::model_fetch::{self, VOSK_SMALL_EN_US};

/// Folder of models within the state's.
const MODELS: &str = "models";

impl Control<'_> {
    /// Offers the model that people are understood with, and installs it where somebody agrees.
    pub(super) fn fetch(&self, into: Option<&Path>) -> Result<ExitCode, Trouble> {
        let daemon = self.config().map_or_else(|_| DaemonConfig::default(), |config| config.daemon);
        let into = into.map_or_else(|| daemon.state_dir.join(MODELS), Path::to_owned);
        let model = VOSK_SMALL_EN_US;
        if !into.join(model.name).is_dir() {
            ask(&model.offer(&into))?;
            let cannot_ask = |e: io::Error| Trouble::new(format!("no answer: {e}"), "run this at a terminal");
            if !model_fetch::agreed(&mut io::stdin().lock()).map_err(cannot_ask)? {
                return Err(Trouble::new("nothing was fetched", "answer y, or unpack a Vosk model by hand"));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Trouble::new(format!("no runtime: {e}"), "try again"))?;
        let folder = runtime
            .block_on(model_fetch::fetch(&model, &into, |_| ()))
            .map_err(|e| Trouble::new(e, "or name the folder of any Vosk model as `model` in the section [ear]"))?;
        let told = json!({"model": folder});
        self.print(&told, |_: Value| {
            format!(
                "The model is in {0}. Put these lines into the section [ear], and restart jarvisd:\n  model = {0:?}\n  tried_on_people = true\n",
                show::safe(&folder.display().to_string())
            )
        })
    }
}

/// On the error output: with `--json` the other one is for the answer alone.
fn ask(offer: &str) -> Result<(), Trouble> {
    let mut out = io::stderr().lock();
    let asked = write!(out, "{offer}Fetch it? [y/N] ").and_then(|()| out.flush());
    asked.map_err(|e| Trouble::new(format!("cannot ask: {e}"), "run this at a terminal"))
}

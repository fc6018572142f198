//! What is known of the models that are asked: the table that is built in, completed by what their providers' lists said.
//!
//! A list is asked for at the start and once a day (see `refresh`). What it says of windows, answers and efforts is used by the next
//! request, and kept in the state folder with its day; after [`KEPT_FOR_S`] it is forgotten. Prices are never learnt: they stay dated data.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_core::ids::UnixSeconds;
use jarvis_core::mind::date::Day;
use jarvis_core::mind::error::ProviderError;
use jarvis_core::mind::message::{Effort, ModelId};
use jarvis_core::mind::models::{Discovered, Model, Models};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::config::MAX_PROVIDERS;
use crate::whole_file;

/// Name of the file in the state folder.
const FILE: &str = "models.json";
/// Most bytes of it that are read.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Its form.
const VERSION: u32 = 1;
/// How long something learnt is believed, in seconds: 30 days.
const KEPT_FOR_S: i64 = 30 * 86_400;
/// Characters of a failure that are kept.
const TROUBLE_CHARS_MAX: usize = 200;

/// What came of a provider's list of models.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listed {
    /// The day of the list from which something is known; `None` where nothing is.
    pub day: Option<Day>,
    /// Why the newest one did not come.
    pub trouble: Option<String>,
}

/// What one provider's list said of the model that it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    asked: ModelId,
    at: UnixSeconds,
    found: Discovered,
}

/// How it stands with one provider's list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Standing {
    said: Option<Said>,
    trouble: Option<String>,
}

type Standings = BTreeMap<String, Standing>;

/// Cheap to clone: all clones see what one of them learns.
#[derive(Debug, Clone)]
pub struct Catalogue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    models: Models,
    /// By name of the provider, of which there are at most [`MAX_PROVIDERS`].
    standings: watch::Sender<Standings>,
    file: Option<PathBuf>,
}

impl Catalogue {
    /// The table alone; what is learnt is kept in memory.
    pub fn new(models: Models) -> Self {
        Self(Arc::new(Inner { models, standings: watch::Sender::default(), file: None }))
    }

    /// The table, and what was learnt before `now` and kept in this folder. A file that can't be read is as good as none.
    pub fn kept(models: Models, state_dir: &Path, now: UnixSeconds) -> Self {
        let file = state_dir.join(FILE);
        let standings = match read(&file, now) {
            Ok(standings) => standings,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %file.display(), "what was learnt of models is learnt anew: {error}");
                }
                Standings::new()
            }
        };
        Self(Arc::new(Inner { models, standings: watch::Sender::new(standings), file: Some(file) }))
    }

    /// The table that is built in: the prices.
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    /// What is known of `id` as that provider offers it; `None` where nobody said anything of it.
    pub fn model(&self, provider: &str, id: &ModelId) -> Option<Model> {
        let standings = self.0.standings.borrow();
        self.0.models.completed(id, said(&standings, provider, id))
    }

    /// Tokens of the model's window, where the provider's own list names them.
    pub fn window(&self, provider: &str, id: &ModelId) -> Option<u64> {
        said(&self.0.standings.borrow(), provider, id)?.context_tokens
    }

    /// What came of the provider's list.
    pub fn listed(&self, provider: &str) -> Listed {
        let standings = self.0.standings.borrow();
        let Some(standing) = standings.get(provider) else { return Listed::default() };
        let day = standing.said.as_ref().map(|said| Day::of(said.at));
        Listed { day, trouble: standing.trouble.clone() }
    }

    /// Takes what came of asking `provider`, who is asked for `id`, for its list. Told once: a failure where it is another than before,
    /// and its end.
    pub(super) fn learn(
        &self,
        provider: &str,
        id: &ModelId,
        list: Result<Vec<Discovered>, ProviderError>,
        now: UnixSeconds,
    ) {
        self.0.standings.send_if_modified(|standings| {
            if !standings.contains_key(provider) && standings.len() >= MAX_PROVIDERS {
                return false;
            }
            let standing = standings.entry(provider.to_owned()).or_default();
            let before = standing.clone();
            let old = |said: &Said| said.asked != *id || said.at.0.saturating_add(KEPT_FOR_S) < now.0;
            standing.said.take_if(|said| old(said));
            match list {
                Ok(offered) => {
                    standing.trouble = None;
                    if let Some(found) = Discovered::of(id, offered) {
                        standing.said = Some(Said { asked: id.clone(), at: now, found });
                    }
                }
                Err(error) => {
                    let why = error.fault.to_string();
                    standing.trouble = Some(why.chars().take(TROUBLE_CHARS_MAX).collect());
                }
            }
            if before.trouble != standing.trouble {
                match &standing.trouble {
                    Some(why) => tracing::warn!(provider, why, "its list of models did not come; what is known stays"),
                    None => tracing::info!(provider, "its list of models comes again"),
                }
            }
            before != *standing
        });
    }

    /// Writes what was learnt into the state folder. Blocks for a disk's time.
    pub(super) fn keep(&self) -> io::Result<()> {
        let Some(file) = &self.0.file else { return Ok(()) };
        let bytes = serde_json::to_vec(&Stored::of(&self.0.standings.borrow()))?;
        whole_file::replace(file, &bytes)
    }
}

fn said<'a>(standings: &'a Standings, provider: &str, id: &ModelId) -> Option<&'a Discovered> {
    let said = standings.get(provider)?.said.as_ref()?;
    (said.asked == *id).then_some(&said.found)
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    providers: BTreeMap<String, Line>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    asked: String,
    at: i64,
    id: String,
    name: String,
    context_tokens: Option<u64>,
    output_tokens: Option<u64>,
    thinks: bool,
    efforts: Vec<Effort>,
}

impl Stored {
    fn of(standings: &Standings) -> Self {
        let line = |said: &Said| Line {
            asked: said.asked.as_str().to_owned(),
            at: said.at.0,
            id: said.found.id.as_str().to_owned(),
            name: said.found.name.clone(),
            context_tokens: said.found.context_tokens,
            output_tokens: said.found.output_tokens,
            thinks: said.found.thinks,
            efforts: said.found.efforts.clone(),
        };
        let known = standings.iter().filter_map(|(name, standing)| Some((name.clone(), line(standing.said.as_ref()?))));
        Self { version: VERSION, providers: known.collect() }
    }
}

impl Line {
    fn said(self) -> Said {
        let found = Discovered {
            id: ModelId::from(self.id.as_str()),
            name: self.name,
            context_tokens: self.context_tokens,
            output_tokens: self.output_tokens,
            thinks: self.thinks,
            efforts: self.efforts,
        };
        Said { asked: ModelId::from(self.asked.as_str()), at: UnixSeconds(self.at), found: found.bounded() }
    }
}

fn read(file: &Path, now: UnixSeconds) -> io::Result<Standings> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let stored: Stored = serde_json::from_slice(&bytes)?;
    if stored.version != VERSION {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is of version {}", stored.version)));
    }
    let fresh = stored.providers.into_iter().map(|(name, line)| (name, line.said())).filter(|(_, said)| {
        let age = now.0.saturating_sub(said.at.0);
        (0..=KEPT_FOR_S).contains(&age)
    });
    Ok(fresh.take(MAX_PROVIDERS).map(|(name, said)| (name, Standing { said: Some(said), trouble: None })).collect())
}

#[cfg(test)]
mod tests {
    use jarvis_core::mind::error::Fault;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_795_000_000);

    fn opus() -> ModelId {
        "claude-opus-5-5".into()
    }

    fn list(context_tokens: u64) -> Result<Vec<Discovered>, ProviderError> {
        Ok(vec![Discovered {
            id: opus(),
            name: "Opus".to_owned(),
            context_tokens: Some(context_tokens),
            output_tokens: None,
            thinks: true,
            efforts: vec![],
        }])
    }

    fn window(catalogue: &Catalogue) -> u64 {
        catalogue.model("claude", &opus()).unwrap().context_tokens
    }

    #[test]
    fn what_is_learnt_is_kept_with_its_day_and_forgotten_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let open = |now| Catalogue::kept(Models::built_in().unwrap(), dir.path(), now);
        let catalogue = open(NOW);
        assert_eq!((window(&catalogue), catalogue.listed("claude")), (1_000_000, Listed::default()));
        catalogue.learn("claude", &opus(), list(2_000_000), NOW);
        catalogue.keep().unwrap();
        assert_eq!(window(&catalogue.clone()), 2_000_000);
        assert_eq!(catalogue.model("another", &opus()).unwrap().context_tokens, 1_000_000, "each speaks for himself");
        let again = open(NOW);
        assert_eq!((window(&again), again.listed("claude").day), (2_000_000, Some(Day::of(NOW))));
        for at in [NOW.0 + KEPT_FOR_S + 1, NOW.0 - 1] {
            assert_eq!(window(&open(UnixSeconds(at))), 1_000_000, "too old, or from a clock that was wrong");
        }
    }

    #[test]
    fn a_failure_changes_nothing_that_is_known_until_it_is_too_old() {
        let catalogue = Catalogue::new(Models::built_in().unwrap());
        catalogue.learn("claude", &opus(), list(2_000_000), NOW);
        let failed = || Err(ProviderError::new("claude", Fault::Garbage, "no list"));
        catalogue.learn("claude", &opus(), failed(), UnixSeconds(NOW.0 + 5));
        assert_eq!(window(&catalogue), 2_000_000);
        assert_eq!(catalogue.listed("claude").trouble, Some(Fault::Garbage.to_string()));
        catalogue.learn("claude", &opus(), list(5), UnixSeconds(NOW.0 + 6));
        assert_eq!(
            (window(&catalogue), catalogue.listed("claude").trouble),
            (1_000_000, None),
            "no window has 5 tokens"
        );
        catalogue.learn("claude", &opus(), list(2_000_000), NOW);
        catalogue.learn("claude", &opus(), failed(), UnixSeconds(NOW.0 + KEPT_FOR_S + 1));
        assert_eq!(window(&catalogue), 1_000_000);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("{{\"version\":1,\"providers\":{{}}}}{}", " ".repeat(1 << 20));
        let wild = "{\"version\":1,\"providers\":{\"claude\":{\"asked\":\"claude-opus-5-5\",\"at\":1795000000,\"id\":\"x\",\
                    \"name\":\"x\",\"context_tokens\":18446744073709551615,\"output_tokens\":0,\"thinks\":false,\"efforts\":[]}}}";
        for text in ["", "{", "{\"version\":2,\"providers\":{}}", "\u{0}\u{1}", long.as_str(), wild] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let catalogue = Catalogue::kept(Models::built_in().unwrap(), dir.path(), NOW);
            assert_eq!(window(&catalogue), 1_000_000, "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn no_more_providers_are_held_than_can_be_configured() {
        let catalogue = Catalogue::new(Models::built_in().unwrap());
        for n in 0..100 {
            catalogue.learn(&format!("p{n}"), &opus(), list(2_000_000), NOW);
        }
        assert_eq!(catalogue.0.standings.borrow().len(), MAX_PROVIDERS);
    }
}

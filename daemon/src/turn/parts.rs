//! What a turn works with.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jarvis_core::ids::{Millis, UnixSeconds};
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use jarvis_core::turn::EarStanding;
use jarvis_link::message::DaemonMicros;
use tokio::sync::{Notify, watch};

use crate::agent::{Bounds, Gleanings};
use crate::cluster::ClusterClient;
use crate::ear::{Ear, EarStatus};
use crate::event::Bus;
use crate::hub::Hub;
use crate::mcp::Servers;
use crate::memory::Memories;
use crate::mind::{Context, Minds};
use crate::safety::Safety;
use crate::speech::Speech;
use crate::store::Store;

/// A request that comes before the cluster's names were ever heard waits so long for them.
const FIRST_NAMES_MAX: Duration = Duration::from_millis(2100);
/// Until the cluster answered once it is asked this often; after that only when somebody speaks.
const RETRY: Duration = Duration::from_secs(5);
/// Longest `words.txt` that is looked into for a wake phrase.
const WORDS_BYTES_MAX: u64 = 64 << 20;

/// Handles to the parts. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// Satellites.
    pub hub: Hub,
    /// Speech to text.
    pub ear: Ear,
    /// Words the ear may hear, where its model tells them.
    pub lexicon: Option<Arc<HashSet<String>>>,
    /// The database.
    pub store: Store,
    /// What was told and is kept.
    pub memory: Memories,
    /// The cluster.
    pub cluster: ClusterClient,
    /// How much work a model may put into a request.
    pub bounds: Bounds,
    /// Where turns leave what a model may find worth remembering.
    pub gleanings: Gleanings,
    /// What a model is told before it is asked.
    pub context: Context,
    /// Other servers of the owner's.
    pub servers: Servers,
    /// What may be changed, and what became of it.
    pub safety: Safety,
    /// Models that can be asked, and the books of what they cost.
    pub minds: Minds,
    /// Text to speech; `None` where no engine could be set up.
    pub speech: Option<Speech>,
    /// What is asked.
    pub grammar: Arc<Grammar>,
    /// What can be named.
    pub names: LiveNames,
    /// Events.
    pub bus: Bus,
    /// When the daemon started.
    pub started: UnixSeconds,
}

impl Parts {
    /// The daemon's clock, as satellites' times are mapped to it.
    pub fn now(&self) -> Millis {
        millis(self.hub.now())
    }

    /// What the ear's word on a wake phrase is worth.
    pub fn ear_standing(&self, phrase: &str) -> EarStanding {
        let knows = |words: &Arc<HashSet<String>>| phrase.split_whitespace().all(|word| words.contains(word));
        EarStanding { tried_on_people: self.tried_on_people(), knows_phrase: self.lexicon.as_ref().is_some_and(knows) }
    }

    /// Whether the ear's model was tried on people's voices.
    pub fn tried_on_people(&self) -> bool {
        matches!(self.ear.status(), EarStatus::Ready { tried_on_people: true, .. })
    }
}

/// The daemon's microseconds as core counts time.
pub(super) fn millis(at: DaemonMicros) -> Millis {
    Millis(at.0 / 1000)
}

/// Words of a model's graph; `None` where it does not tell them.
pub fn lexicon(model: &Path) -> Option<Arc<HashSet<String>>> {
    let path = model.join("graph").join("words.txt");
    let size = std::fs::metadata(&path).ok()?.len();
    if size > WORDS_BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    let words = text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    Some(Arc::new(words))
}

/// What was heard of the cluster's names.
#[derive(Clone)]
enum Heard {
    /// It was not asked to the end yet.
    NotYet,
    /// Nobody ever answered.
    Nothing,
    /// As they were last.
    Names(Arc<Names>),
}

/// The cluster's names as they were heard last. [`LiveNames::keep`] renews them when somebody is about to need them.
#[derive(Clone)]
pub struct LiveNames {
    heard: watch::Receiver<Heard>,
    wanted: Arc<Notify>,
}

impl LiveNames {
    /// The names, and the task that keeps them; whoever starts it awaits it.
    pub fn keep(cluster: ClusterClient) -> (Self, impl Future<Output = ()>) {
        let (tell, heard) = watch::channel(Heard::NotYet);
        let wanted = Arc::new(Notify::new());
        let names = Self { heard, wanted: wanted.clone() };
        (names, keep(cluster, tell, wanted))
    }

    /// Asks for new ones; returns at once.
    pub fn refresh(&self) {
        self.wanted.notify_one();
    }

    /// As they were heard last; none where nobody ever answered.
    pub fn now(&self) -> Arc<Names> {
        match &*self.heard.borrow() {
            Heard::Names(names) => names.clone(),
            Heard::NotYet | Heard::Nothing => Arc::default(),
        }
    }

    /// The same, waiting a little while the cluster was never asked to the end.
    pub async fn first(&self) -> Arc<Names> {
        let mut heard = self.heard.clone();
        let asked = heard.wait_for(|heard| !matches!(heard, Heard::NotYet));
        if tokio::time::timeout(FIRST_NAMES_MAX, asked).await.is_err() {
            tracing::debug!("the cluster's names are not known yet");
        }
        self.now()
    }
}

async fn keep(cluster: ClusterClient, tell: watch::Sender<Heard>, wanted: Arc<Notify>) {
    let mut known = None;
    while !tell.is_closed() {
        match cluster.names().await {
            Some(cluster) if known.as_ref() != Some(&cluster) => {
                tell.send_replace(Heard::Names(Arc::new(Names::from_cluster(&cluster))));
                known = Some(cluster);
            }
            Some(_) => {}
            None if known.is_none() => {
                tell.send_replace(Heard::Nothing);
            }
            None => {}
        }
        if known.is_some() {
            wanted.notified().await;
        } else if tokio::time::timeout(RETRY, wanted.notified()).await.is_err() {
            tracing::debug!("the cluster never answered yet; asking again");
        }
    }
}

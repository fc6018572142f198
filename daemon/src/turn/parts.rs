//! What a turn works with.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jarvis_core::ids::{Millis, UnixSeconds};
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use jarvis_core::turn::EarStanding;
use jarvis_link::message::DaemonMicros;
use tokio::sync::{Notify, watch};

use crate::cluster::ClusterClient;
use crate::ear::{Ear, EarStatus};
use crate::event::Bus;
use crate::hub::Hub;
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
    /// The cluster.
    pub cluster: ClusterClient,
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

/// The cluster's names as they were heard last. [`LiveNames::keep`] renews them when somebody is about to need them.
#[derive(Clone)]
pub struct LiveNames {
    heard: watch::Receiver<Option<Arc<Names>>>,
    wanted: Arc<Notify>,
}

impl LiveNames {
    /// The names, and the task that keeps them; whoever starts it awaits it.
    pub fn keep(cluster: ClusterClient) -> (Self, impl Future<Output = ()>) {
        let (tell, heard) = watch::channel(None);
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
        self.heard.borrow().clone().unwrap_or_default()
    }

    /// The same, waiting a little where nobody answered yet.
    pub async fn first(&self) -> Arc<Names> {
        let mut heard = self.heard.clone();
        let known = heard.wait_for(Option::is_some);
        match tokio::time::timeout(FIRST_NAMES_MAX, known).await {
            Ok(Ok(names)) => names.clone().unwrap_or_default(),
            Ok(Err(_)) | Err(_) => self.now(),
        }
    }
}

async fn keep(cluster: ClusterClient, tell: watch::Sender<Option<Arc<Names>>>, wanted: Arc<Notify>) {
    let mut known = None;
    while !tell.is_closed() {
        let began = Instant::now();
        if let Some(cluster) = cluster.names().await
            && known.as_ref() != Some(&cluster)
        {
            tell.send_replace(Some(Arc::new(Names::from_cluster(&cluster))));
            known = Some(cluster);
            tracing::debug!(ms = began.elapsed().as_millis() as u64, "names renewed");
        }
        if known.is_some() {
            wanted.notified().await;
        } else if tokio::time::timeout(RETRY, wanted.notified()).await.is_err() {
            tracing::debug!("the cluster never answered yet; asking again");
        }
    }
}

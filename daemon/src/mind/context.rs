//! What a model is told before it is asked: the cluster in short, kept for half a minute, and what was remembered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jarvis_core::context::{self, Facts, MEMORIES_MAX, Naming, Personality};
use jarvis_core::ids::UnixSeconds;
use jarvis_core::memory::{Memory, MemoryId, Question, UnixMillis};
use jarvis_core::mind::message::SystemPart;

use crate::cluster::ClusterClient;
use crate::memory::Memories;
use crate::store::StoreError;

/// Bytes of the cluster's summary that go with a request: about a tenth of a small window.
pub(super) const SUMMARY_BYTES: usize = 1500;
/// How long a summary is kept.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// How long it is kept that nobody could say anything.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// Share of the request that a memory must hold to be told unasked.
const RELEVANCE_MIN: f64 = 0.4;

type Kept = Option<(Instant, Option<Arc<str>>)>;

/// Makes instructions. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    cluster: ClusterClient,
    memory: Memories,
    personality: Personality,
    kept: Arc<Mutex<Kept>>,
}

/// Instructions, and the memories that are in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Them.
    pub system: Vec<SystemPart>,
    /// Which memories were told.
    pub memories: Vec<MemoryId>,
}

impl Context {
    /// Of this cluster and this memory.
    pub fn new(cluster: ClusterClient, memory: Memories, personality: Personality) -> Self {
        Self { cluster, memory, personality, kept: Arc::default() }
    }

    /// The instructions for a request that comes from `room` (empty where it was typed). Nothing in them was written by strangers: guests
    /// are told by number, and what was only read somewhere is not told unasked.
    pub async fn system(&self, question: Question, room: &str) -> Result<Told, StoreError> {
        let now = jiff::Zoned::now();
        let (cluster, recalled) =
            tokio::join!(self.summary(), self.memory.recall(question, UnixMillis(now.timestamp().as_millisecond())));
        let trusted =
            recalled?.into_iter().filter(|ranked| ranked.relevance >= RELEVANCE_MIN && !ranked.memory.fact.tainted);
        let memories: Vec<Memory> = trusted.take(MEMORIES_MAX).map(|ranked| ranked.memory).collect();
        let facts = Facts {
            personality: self.personality,
            cluster: cluster.as_deref(),
            memories: &memories,
            room,
            now: UnixSeconds(now.timestamp().as_second()),
            local_offset_s: now.offset().seconds(),
        };
        Ok(Told { system: context::system(&facts), memories: memories.iter().map(|memory| memory.id).collect() })
    }

    /// The cluster in short; `None` where nobody could say.
    async fn summary(&self) -> Option<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, summary)) = kept
            && at.elapsed() < if summary.is_some() { KEPT_FOR } else { SILENT_FOR }
        {
            return summary;
        }
        // Two requests at once share the client's own answer.
        let cluster = self.cluster.names().await;
        let summary = cluster.map(|cluster| Arc::from(context::summary(&cluster, Naming::Numbers, SUMMARY_BYTES)));
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), summary.clone()));
        summary
    }
}

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

/// The cluster in short; `None` where nobody could say.
type Short = Option<Arc<str>>;

/// Makes instructions. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    cluster: ClusterClient,
    memory: Memories,
    personality: Personality,
    kept: Kept,
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
        Self { cluster, memory, personality, kept: Kept::default() }
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

    async fn summary(&self) -> Short {
        let ask = async {
            // Two requests at once share the client's own answer.
            let cluster = self.cluster.names().await?;
            Some(Arc::<str>::from(context::summary(&cluster, Naming::Numbers, SUMMARY_BYTES)))
        };
        self.kept.get(Instant::now(), ask).await
    }
}

/// What was said last, and when it was asked for.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<(Instant, Short)>>>);

impl Kept {
    /// What is said `now`: the same as before, or, after its time, what `ask` brings.
    async fn get(&self, now: Instant, ask: impl Future<Output = Short>) -> Short {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, said)) = kept
            && now.saturating_duration_since(at) < if said.is_some() { KEPT_FOR } else { SILENT_FOR }
        {
            return said;
        }
        let said = ask.await;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, said.clone()));
        said
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn the_cluster_is_asked_about_once_in_half_a_minute_and_in_five_seconds_where_nobody_could_say() {
        let (kept, begun, asked) = (Kept::default(), Instant::now(), Cell::new(0));
        let at = async |second: u64, there: Option<&str>| {
            let ask = async {
                asked.set(asked.get() + 1);
                there.map(Arc::<str>::from)
            };
            kept.get(begun + Duration::from_secs(second), ask).await.map(|said| said.to_string())
        };
        for (second, there, said, times) in [
            (0, Some("one"), Some("one"), 1),
            (29, Some("two"), Some("one"), 1),
            (30, Some("two"), Some("two"), 2),
            (60, None, None, 3),
            (64, Some("three"), None, 3),
            (65, Some("three"), Some("three"), 4),
        ] {
            let told = at(second, there).await;
            assert_eq!((told.as_deref(), asked.get()), (said, times), "after {second} s");
        }
    }
}

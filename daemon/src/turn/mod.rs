//! Turns: from a satellite's microphone, or the owner's keyboard, to an answer.
//!
//! [`Turns`] is the one owner of what is known of each room. It hands what the hub tells to the task of the turn it belongs to, and
//! takes the record of each turn that ends. All decisions are [`jarvis_core::turn`]'s; a `driver` only carries them out.

mod announce;
mod answer;
mod asking;
mod change;
mod driver;
mod hearing;
mod money;
mod origin;
mod over;
mod parts;
mod record;
mod remember;
mod room;
mod speak;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{Generation, Utterance};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};

use crate::ctl::Typed;
use crate::event::{EventKind, TurnRecord};
use crate::hub::HubEvent;
use announce::Announcements;
pub(crate) use asking::Asking;
pub(crate) use change::{over as change_over, question as change_question, refused as change_refused};
use driver::{Driver, ToTurn};
use hearing::mic_end;
use origin::Origin;
use over::{Over, UnderWay};
pub use parts::{LiveNames, Parts, lexicon};
pub use record::Before;
pub(crate) use remember::{Recollection, memory_work};
use room::Room;

/// What one turn may have waiting: ten seconds of frames. When it is full the hub is made to wait, which holds back the satellites'
/// streams by flow control; nothing is dropped.
pub const TURN_QUEUE: usize = 512;
/// Turns under way at once, over all rooms; beyond it a request is turned away (a wake) or told to try again (a typed one).
pub const TURNS_MAX: usize = 64;
/// On the way down, turns get so long to be recorded.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// The owner of all turns. See the module.
pub struct Turns {
    parts: Parts,
    rooms: BTreeMap<Option<SatelliteId>, Room>,
    running: JoinSet<Over>,
    /// What is known of those tasks, should one break.
    under_way: HashMap<Id, UnderWay>,
    /// Turns under way that no room holds: typed ones.
    typed_turns: Vec<mpsc::Sender<ToTurn>>,
    first_generation: u64,
    /// Parts of which turns or satellites told trouble, and nobody since that they are well.
    troubled: BTreeSet<String>,
    /// Words for rooms whose satellites are not there yet.
    announcements: Announcements,
}

impl Turns {
    /// With these parts.
    pub fn new(parts: Parts) -> Self {
        // A satellite plays nothing older than what it played last, which may have come from the run before this one.
        let first_generation = crate::event::UnixMillis::now().0.unsigned_abs();
        Self {
            parts,
            rooms: BTreeMap::new(),
            running: JoinSet::new(),
            under_way: HashMap::new(),
            typed_turns: Vec::new(),
            first_generation,
            troubled: BTreeSet::new(),
            announcements: Announcements::default(),
        }
    }

    /// Runs until `hub` is closed, or `stop` comes; then ends what is under way.
    pub async fn run(
        mut self,
        mut hub: mpsc::Receiver<HubEvent>,
        mut typed: mpsc::Receiver<Typed>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let mut keyboard = true;
        loop {
            tokio::select! {
                _ = &mut stop => break,
                event = hub.recv() => match event {
                    Some(event) => self.hub_event(event).await,
                    None => break,
                },
                request = typed.recv(), if keyboard => match request {
                    Some(request) => self.typed(request).await,
                    None => keyboard = false,
                },
                Some(over) = self.running.join_next_with_id() => self.over(over).await,
            }
        }
        self.drain().await;
    }

    async fn drain(&mut self) {
        let heard = self.rooms.values().filter_map(|r| r.turn.as_ref()).map(|(_, inbox)| inbox.clone());
        let inboxes: Vec<_> = heard.chain(std::mem::take(&mut self.typed_turns)).collect();
        for inbox in inboxes {
            if inbox.try_send(ToTurn::Shutdown).is_err() {
                tracing::debug!("a turn ended before it was told to");
            }
        }
        let all = async {
            while let Some(over) = self.running.join_next_with_id().await {
                self.over(over).await;
            }
        };
        if tokio::time::timeout(DRAIN_MAX, all).await.is_err() {
            tracing::warn!("turns under way were cut off; their rows say so at the next start");
        }
    }

    fn restore(&mut self, part: &str) {
        if self.troubled.remove(part) {
            self.parts.bus.tell(EventKind::Restored { part: part.to_owned() });
        }
    }

    async fn hub_event(&mut self, event: HubEvent) {
        match event {
            HubEvent::Connected { satellite, status } => {
                // What is still wrong with it is told anew.
                self.restore(&part_of(&satellite));
                let detail = format!("{}, {}", status.room, status.software);
                self.room(&satellite).name = status.room;
                self.tell(&satellite, true, detail);
                self.pass_on(&satellite, ToTurn::LinkUp).await;
                self.announce_what_waits(&satellite);
            }
            HubEvent::Disconnected { satellite, reason } => {
                self.tell(&satellite, false, reason);
                self.pass_on(&satellite, ToTurn::LinkDown).await;
            }
            HubEvent::Opened { satellite, utterance, opened, .. } => {
                self.pass_on(&satellite, ToTurn::Superseded).await;
                self.begin(Some(satellite), Origin::Heard { utterance, opened }, None);
            }
            HubEvent::Frame { satellite, utterance, captured, voice, samples, .. } => {
                if self.listening(&satellite, utterance) {
                    self.pass_on(&satellite, ToTurn::Frame { captured, voice, samples }).await;
                }
            }
            HubEvent::Ended { satellite, utterance, reason } => {
                if self.listening(&satellite, utterance) {
                    self.pass_on(&satellite, ToTurn::MicEnded(mic_end(reason))).await;
                }
            }
            HubEvent::Playback { satellite, generation, news } => {
                self.pass_on(&satellite, ToTurn::Playback { generation, news }).await;
            }
            HubEvent::StopPressed { satellite } => self.pass_on(&satellite, ToTurn::StopPressed).await,
            HubEvent::Settings { satellite, settings } => {
                tracing::info!(%satellite, ?settings, "settings changed at the satellite");
            }
            HubEvent::Trouble { satellite, text } if text.is_empty() => self.restore(&part_of(&satellite)),
            HubEvent::Trouble { satellite, text } => {
                let part = part_of(&satellite);
                self.troubled.insert(part.clone());
                self.parts.bus.tell(EventKind::Degraded { part, reason: text, fallback: None });
            }
        }
    }

    async fn typed(&mut self, request: Typed) {
        match request {
            Typed::Ask { text, room, done } => match self.find(room.as_deref()) {
                Ok(mut places) if places.len() == 1 => {
                    let satellite = places.remove(0);
                    self.take_loudspeaker(satellite.as_ref()).await;
                    self.begin(satellite, Origin::Typed(text), Some(done));
                }
                Ok(_) => self.begin(None, Origin::Typed(text), Some(done)),
                Err(problem) => refuse(done, problem),
            },
            Typed::Announce { text, room } => match self.find(Some(&room)) {
                Ok(places) => {
                    for satellite in places.into_iter().flatten() {
                        self.announce(satellite, text.clone()).await;
                    }
                }
                Err(_) => self.announcements.keep(room, text),
            },
            Typed::Say { text, room, done } => {
                let places = match self.find(room.as_deref()) {
                    Ok(places) => places,
                    Err(problem) => return refuse(done, problem),
                };
                let places: Vec<_> = if room.is_some() {
                    places
                } else {
                    self.rooms.keys().filter(|place| place.is_some()).cloned().collect()
                };
                if places.is_empty() {
                    return refuse(
                        done,
                        "no satellite was here since the start; `jarvisctl rooms` lists them".to_owned(),
                    );
                }
                let mut done = Some(done);
                for satellite in places {
                    self.take_loudspeaker(satellite.as_ref()).await;
                    self.begin(satellite, Origin::Said(text.clone()), done.take());
                }
            }
        }
    }

    /// The places a room's name means; none for no name.
    fn find(&self, room: Option<&str>) -> Result<Vec<Option<SatelliteId>>, String> {
        let Some(wanted) = room else { return Ok(Vec::new()) };
        let found: Vec<_> = self
            .rooms
            .iter()
            .filter(|(id, room)| id.as_ref().is_some_and(|id| room.is_called(id, wanted)))
            .map(|(id, _)| id.clone())
            .collect();
        if found.is_empty() {
            return Err(format!("no satellite \"{wanted}\" was here since the start; `jarvisctl rooms` lists them"));
        }
        Ok(found)
    }

    async fn announce(&mut self, satellite: SatelliteId, text: String) {
        let room = self.room(&satellite);
        if room.announces && room.is_busy() {
            return self.announcements.keep(satellite.0, text);
        }
        self.take_loudspeaker(Some(&satellite)).await;
        self.begin(Some(satellite), Origin::Said(text), None);
    }

    /// Everything that waits for this room, at one go.
    fn announce_what_waits(&mut self, satellite: &SatelliteId) {
        let there = self.rooms.get(&Some(satellite.clone()));
        if there.is_some_and(Room::is_busy) {
            // Once its turn is over.
            return;
        }
        let waiting = self.announcements.take(|wanted| there.is_some_and(|room| room.is_called(satellite, wanted)));
        if !waiting.is_empty() {
            self.begin(Some(satellite.clone()), Origin::Said(waiting.join(" ")), None);
        }
    }

    async fn take_loudspeaker(&mut self, satellite: Option<&SatelliteId>) {
        if let Some(satellite) = satellite {
            self.pass_on(satellite, ToTurn::Superseded).await;
        }
    }

    fn begin(
        &mut self,
        satellite: Option<SatelliteId>,
        origin: Origin,
        done: Option<oneshot::Sender<Result<TurnRecord, String>>>,
    ) {
        if self.running.len() >= TURNS_MAX {
            tracing::warn!(?satellite, "too many turns at once; this one is turned away");
            if let Some(done) = done {
                refuse(done, "too many turns at once; try again in a moment".to_owned());
            }
            return;
        }
        self.parts.names.refresh();
        let (inbox, messages) = mpsc::channel(TURN_QUEUE);
        let utterance = origin.utterance();
        let announces = matches!(origin, Origin::Said(_));
        let first_generation = self.first_generation;
        let room = self.rooms.entry(satellite.clone()).or_default();
        // Each turn may open several answers: withdrawn ones count.
        room.generation = room.generation.max(first_generation) + driver::GENERATIONS_PER_TURN;
        let number = Arc::default();
        let under_way = UnderWay { satellite: satellite.clone(), utterance, number: Arc::clone(&number) };
        let driver = Driver::new(driver::Begin {
            number,
            parts: self.parts.clone(),
            room: room.name.clone(),
            satellite: satellite.clone(),
            origin,
            before: room.before.clone(),
            generation: Generation(room.generation),
            messages,
        });
        if satellite.is_some() {
            (room.turn, room.announces) = (Some((utterance, inbox)), announces);
        } else {
            self.typed_turns.retain(|turn| !turn.is_closed());
            self.typed_turns.push(inbox);
        }
        let task = self.running.spawn(async move {
            let (record, broken) = driver.run().await;
            Over { record, broken, satellite, utterance, done }
        });
        self.under_way.insert(task.id(), under_way);
        self.parts.gleanings.under_way(self.running.len());
    }

    fn room(&mut self, satellite: &SatelliteId) -> &mut Room {
        self.rooms.entry(Some(satellite.clone())).or_default()
    }

    fn listening(&mut self, satellite: &SatelliteId, utterance: Utterance) -> bool {
        self.room(satellite).turn.as_ref().is_some_and(|(at, _)| *at == Some(utterance))
    }

    async fn pass_on(&mut self, satellite: &SatelliteId, message: ToTurn) {
        let room = self.room(satellite);
        let Some((_, inbox)) = &room.turn else { return };
        if inbox.send(message).await.is_err() {
            room.turn = None;
        }
    }

    fn tell(&self, satellite: &SatelliteId, connected: bool, detail: String) {
        self.parts.bus.tell(EventKind::Satellite { satellite: satellite.clone(), connected, detail });
    }
}

/// What a satellite's trouble is told of.
fn part_of(satellite: &SatelliteId) -> String {
    format!("satellite {satellite}")
}

fn refuse(done: oneshot::Sender<Result<TurnRecord, String>>, problem: String) {
    if done.send(Err(problem)).is_err() {
        tracing::debug!("nobody waits for that turn any more");
    }
}

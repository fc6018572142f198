//! What the handle asks of the owner.

use std::sync::atomic::Ordering;

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{Generation, ToSatellite, Utterance};
use tokio::sync::{mpsc, oneshot};

use super::connection::{COMMANDS_KEPT_FREE, ToConnection};
use super::keys::fingerprint;
use super::owner::{Command, Owner};
use super::peers::Peer;
use super::{HubError, SatelliteStatus, answer};

impl Owner {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Send(id, message, reply) => {
                let sent = self.send(&id, message);
                answered(reply, sent);
            }
            Command::OpenAnswer(id, generation, reply) => {
                let opened = self.open_answer(&id, generation);
                answered(reply, opened);
            }
            Command::AnswerEnding(satellite, generation, reply) => {
                if let Err(error) = self.tell(&satellite, ToConnection::AnswerEnding(generation.0, reply)) {
                    tracing::debug!(%satellite, %error, "an answer that is complete settles nothing");
                }
            }
            Command::AnswerFinished { satellite, generation } => {
                if let Err(error) = self.tell(&satellite, ToConnection::AnswerFinished(generation.0)) {
                    tracing::debug!(%satellite, %error, "an answer is settled later");
                }
            }
            Command::Settle(id, utterance, reply) => answered(reply, self.settle(&id, utterance)),
            Command::SetSettings(id, settings, reply) => {
                let set = self.keep_settings(&id, settings).map(|()| {
                    if let Err(error) = self.tell(&id, ToConnection::Send(ToSatellite::Settings(settings))) {
                        tracing::debug!(satellite = %id, %error, "settings wait for the next connection");
                    }
                });
                answered(reply, set);
            }
            Command::SettingsCame(id, settings) => {
                if let Err(error) = self.keep_settings(&id, settings) {
                    tracing::warn!(satellite = %id, %error, "a change of volume or mute is not kept");
                }
            }
            Command::Satellites(reply) => {
                let table = self.table.borrow().clone();
                answered(reply, table.iter().map(|(id, peer)| self.status(id, peer)).collect());
            }
            Command::Enrol(name, reply) => {
                let code = self.enrol(&name);
                answered(reply, code);
            }
            Command::Redeem { request, shown, reply } => {
                let redeemed = self.redeem(&request, shown);
                answered(reply, redeemed);
            }
            Command::Revoke(id, reply) => {
                let revoked = self.revoke(&id);
                answered(reply, revoked);
            }
            Command::Shutdown(_) => {}
        }
    }

    fn tell(&self, id: &SatelliteId, message: ToConnection) -> Result<(), HubError> {
        if self.table.borrow().get(id).is_none() {
            return Err(HubError::Unknown(id.clone()));
        }
        let live = self.state.satellites.get(id).and_then(|known| known.live.as_ref());
        let live = live.filter(|live| live.live.borrow().greeting.is_some());
        let live = live.ok_or_else(|| HubError::NotConnected(id.clone()))?;
        if matches!(message, ToConnection::Send(_)) && live.commands.capacity() <= COMMANDS_KEPT_FREE {
            return Err(HubError::Stalled(id.clone()));
        }
        live.commands.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => HubError::Stalled(id.clone()),
            mpsc::error::TrySendError::Closed(_) => HubError::NotConnected(id.clone()),
        })
    }

    fn send(&mut self, id: &SatelliteId, message: ToSatellite) -> Result<(), HubError> {
        if let ToSatellite::CloseMic { utterance, silent: true } = message {
            self.settle_away(id, utterance);
        }
        self.tell(id, ToConnection::Send(message))
    }

    fn settle(&mut self, id: &SatelliteId, utterance: Utterance) -> Result<(), HubError> {
        if self.settle_away(id, utterance) {
            return Ok(());
        }
        self.tell(id, ToConnection::Settle(utterance))
    }

    /// Settles while the satellite is away; it hears of it when it asks where to go on.
    fn settle_away(&mut self, id: &SatelliteId, utterance: Utterance) -> bool {
        let Some(inbox) = self.state.satellites.get_mut(id).and_then(|known| known.inbox.as_mut()) else {
            return false;
        };
        let taken = inbox.settle(utterance);
        self.tell_ended(id, taken.heard);
        taken.ack.is_some()
    }

    fn open_answer(&mut self, id: &SatelliteId, generation: Generation) -> Result<answer::Opening, HubError> {
        self.tell(id, ToConnection::AnswerBegun(generation.0))?;
        let known = self.state.satellites.get(id);
        let (known, live) = known
            .and_then(|known| Some((known, known.live.as_ref()?)))
            .ok_or_else(|| HubError::NotConnected(id.clone()))?;
        if known.newest.fetch_max(generation.0, Ordering::Relaxed) >= generation.0 {
            return Err(HubError::StaleGeneration(generation));
        }
        Ok(answer::Opening { connection: live.connection.clone(), newest: known.newest.clone() })
    }

    pub(super) fn status(&self, id: &SatelliteId, peer: &Peer) -> SatelliteStatus {
        let known = self.state.satellites.get(id);
        let connected = known.and_then(|known| known.live.as_ref());
        let live = connected.map(|connected| connected.live.borrow().clone());
        let connected = live.as_ref().is_some_and(|live| live.greeting.is_some());
        let live = live.filter(|live| live.greeting.is_some());
        let live = live.or_else(|| known.map(|known| known.last.clone())).unwrap_or_default();
        let (software, echo_cancelled) =
            live.greeting.map(|greeting| (greeting.software, greeting.echo_cancelled)).unwrap_or_default();
        SatelliteStatus {
            id: id.clone(),
            room: id.0.clone(),
            connected,
            software,
            echo_cancelled,
            rtt_ms: live.rtt_us.filter(|_| connected).map(|us| us as f32 / 1000.0),
            clock_offset_us: live.clock_offset_us.filter(|_| connected),
            key_fingerprint: fingerprint(peer.key).to_string(),
            last_seen: if connected { Some(self.clock.now()) } else { known.and_then(|known| known.last_seen) },
            settings: peer.settings,
        }
    }
}

fn answered<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("whoever asked the hub has gone");
    }
}

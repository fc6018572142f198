//! Who is let in: the table of satellites, enrolment, revocation.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::enrol::code::EnrolCode as CodeParts;
use jarvis_link::enrol::message::{Refusal, Reply, Request};
use jarvis_link::enrol::window::OPEN_US;
use jarvis_link::enrol::{TOKEN_BYTES, Token};
use jarvis_link::inbox::Cut;
use jarvis_link::key::PublicKey;
use jarvis_link::message::Settings;
use jarvis_link::transport::Code;

use super::keys::{fingerprint, random};
use super::owner::Owner;
use super::peers::{Peer, Table, room};
use super::{EnrolCode, HubError};

impl Owner {
    pub(super) fn keep_settings(&mut self, id: &SatelliteId, settings: Settings) -> Result<(), HubError> {
        let mut table = Table::clone(&self.table.borrow());
        let peer = *table.get(id).ok_or_else(|| HubError::Unknown(id.clone()))?;
        if peer.settings != settings {
            table.put(id.clone(), Peer { settings, ..peer });
            self.publish(table)?;
        }
        Ok(())
    }

    pub(super) fn enrol(&mut self, name: &str) -> Result<EnrolCode, HubError> {
        let id = room(name)?;
        self.reread()?;
        if !self.table.borrow().has_room_for(&id) {
            return Err(HubError::TooMany);
        }
        let token = Token(random::<TOKEN_BYTES>()?);
        let code = CodeParts { address: self.advertised()?, fingerprint: fingerprint(self.secrets.public), token };
        self.state.window.open(id.0.clone(), token, self.clock.now());
        tracing::info!(room = %id, "enrolment is open");
        Ok(EnrolCode { code: code.to_text(), room: id.0, valid_for: Duration::from_micros(OPEN_US) })
    }

    pub(super) fn redeem(&mut self, request: &Request, shown: PublicKey) -> Reply {
        let room = match self.state.window.redeem(request, shown, self.clock.now()) {
            Ok(room) => room,
            Err(refusal) => {
                tracing::warn!(%refusal, "enrolment refused");
                return Reply::Refused(refusal);
            }
        };
        let id = SatelliteId(room.clone());
        let mut table = Table::clone(&self.table.borrow());
        if table.by_key(shown).is_some_and(|holder| *holder != id) {
            return Reply::Refused(Refusal::WrongKey);
        }
        let settings = Settings { volume_percent: self.config.volume_percent.min(100), muted: false };
        let replaced = table.get(&id).is_some_and(|peer| peer.key != shown);
        table.put(id.clone(), Peer { key: shown, settings });
        if let Err(error) = self.publish(table) {
            tracing::error!(%error, "enrolment");
            return Reply::Refused(Refusal::NotWritten);
        }
        if replaced {
            self.close(&id, Code::Revoked);
        }
        tracing::info!(satellite = %id, key = %fingerprint(shown), "enrolled");
        Reply::Enrolled { room }
    }

    pub(super) fn revoke(&mut self, id: &SatelliteId) -> Result<bool, HubError> {
        self.reread()?;
        let mut table = Table::clone(&self.table.borrow());
        let was = table.remove(id);
        if was {
            self.publish(table)?;
            tracing::info!(satellite = %id, "revoked");
        }
        self.close(id, Code::Revoked);
        self.forget(id);
        Ok(was)
    }

    /// Takes changes that somebody made to the file by hand, and closes those that are not on it any more.
    fn reread(&mut self) -> Result<(), HubError> {
        let table = Table::read(&self.path)?;
        let gone: Vec<SatelliteId> = {
            let before = self.table.borrow();
            let changed = before.iter().filter(|(id, peer)| table.get(id).is_none_or(|now| now.key != peer.key));
            changed.map(|(id, _)| id.clone()).collect()
        };
        self.table.send_replace(Arc::new(table));
        for id in gone {
            self.close(&id, Code::Revoked);
        }
        Ok(())
    }

    fn publish(&mut self, table: Table) -> Result<(), HubError> {
        table.write(&self.path)?;
        self.table.send_replace(Arc::new(table));
        Ok(())
    }

    /// Forgets a satellite that is not enrolled any more, unless its connection's task is yet to end.
    pub(super) fn forget(&mut self, id: &SatelliteId) {
        let enrolled = self.table.borrow().get(id).is_some();
        if enrolled || self.state.satellites.get(id).is_none_or(|known| known.inbox.is_none()) {
            return;
        }
        if let Some(mut inbox) = self.state.satellites.remove(id).and_then(|known| known.inbox) {
            let cut = inbox.cut_all(Cut::Revoked);
            self.tell_ended(id, cut);
        }
    }

    /// The address that goes into codes.
    fn advertised(&self) -> Result<SocketAddr, HubError> {
        let failed = |error: std::io::Error| HubError::Listen {
            listen: self.config.listen,
            reason: format!(
                "which of this machine's addresses satellites reach it at is not known ({error}): set `advertise` in [link]"
            ),
        };
        if let Some(advertise) = self.config.advertise {
            return Ok(advertise);
        }
        let bound = self.endpoint.local_addr().map_err(failed)?;
        if !bound.ip().is_unspecified() {
            return Ok(bound);
        }
        // Nothing is sent: connecting a UDP socket only chooses the source address of the default route.
        let outward = UdpSocket::bind(("0.0.0.0", 0)).map_err(failed)?;
        outward.connect(("192.0.2.1", 9)).map_err(failed)?;
        let ip: IpAddr = outward.local_addr().map_err(failed)?.ip();
        Ok(SocketAddr::new(ip, bound.port()))
    }
}

//! The table of enrolled satellites: `state_dir/link/satellites.toml`, for people to read too.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use jarvis_core::hex::from_hex;
use jarvis_core::ids::SatelliteId;
use jarvis_link::key::PublicKey;
use jarvis_link::message::Settings;
use serde::{Deserialize, Serialize};

use super::HubError;
use super::keys::{state, write_whole};

/// Satellites a house may have.
pub const SATELLITES_MAX: usize = 64;
/// Longest name of a room.
pub const ROOM_CHARS_MAX: usize = 32;

/// An enrolled satellite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) key: PublicKey,
    pub(super) settings: Settings,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    peers: BTreeMap<SatelliteId, Peer>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    satellite: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    room: String,
    key: String,
    volume_percent: u8,
    muted: bool,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, HubError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(state(path, format!("cannot be read: {error}"))),
        };
        let file: File = toml::from_str(&text).map_err(|error| {
            state(path, format!("is damaged: {error}; mend it, or remove it and enrol every satellite anew"))
        })?;
        let mut table = Self::default();
        for row in file.satellite {
            let room = room(&row.room)?;
            let key = from_hex(&row.key)
                .map(PublicKey)
                .ok_or_else(|| state(path, format!("the key of \"{room}\" is not 64 hexadecimal digits")))?;
            let settings = Settings { volume_percent: row.volume_percent.min(100), muted: row.muted };
            if table.by_key(key).is_some() {
                return Err(state(path, format!("the key of \"{room}\" is there twice")));
            }
            table.put(room, Peer { key, settings });
        }
        Ok(table)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), HubError> {
        let satellite = self.peers.iter().map(|(id, peer)| Row {
            room: id.0.clone(),
            key: peer.key.to_string(),
            volume_percent: peer.settings.volume_percent,
            muted: peer.settings.muted,
        });
        let file = File { satellite: satellite.collect() };
        let text = toml::to_string(&file).map_err(|error| state(path, error.to_string()))?;
        let head = "# Enrolled satellites: room, ed25519 public key, volume and mute. Written by jarvisd; `jarvisctl enrol` and `revoke` change it.\n\n";
        write_whole(path, format!("{head}{text}").as_bytes())
    }

    pub(super) fn by_key(&self, key: PublicKey) -> Option<&SatelliteId> {
        self.peers.iter().find(|(_, peer)| peer.key == key).map(|(id, _)| id)
    }

    pub(super) fn get(&self, id: &SatelliteId) -> Option<&Peer> {
        self.peers.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SatelliteId, &Peer)> {
        self.peers.iter()
    }

    pub(super) fn has_room_for(&self, id: &SatelliteId) -> bool {
        self.peers.contains_key(id) || self.peers.len() < SATELLITES_MAX
    }

    pub(super) fn put(&mut self, id: SatelliteId, peer: Peer) {
        self.peers.insert(id, peer);
    }

    pub(super) fn remove(&mut self, id: &SatelliteId) -> bool {
        self.peers.remove(id).is_some()
    }
}

/// A room's name as satellites have it: lower case, single spaces.
pub(crate) fn tidy_room(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A room's name as a satellite's, where it can be one.
pub(super) fn room(name: &str) -> Result<SatelliteId, HubError> {
    let tidy = tidy_room(name);
    let fits = (1..=ROOM_CHARS_MAX).contains(&tidy.chars().count())
        && tidy.len() <= jarvis_link::message::NAME_BYTES_MAX
        && tidy.chars().all(|sign| sign.is_alphanumeric() || sign == ' ' || sign == '-');
    if fits { Ok(SatelliteId(tidy)) } else { Err(HubError::BadRoom(name.chars().take(ROOM_CHARS_MAX).collect())) }
}

#[cfg(test)]
mod tests {
    use jarvis_link::key::KEY_BYTES;

    use super::*;

    fn peer(byte: u8) -> Peer {
        Peer { key: PublicKey([byte; KEY_BYTES]), settings: Settings { volume_percent: 40, muted: true } }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("satellites.toml");
        assert_eq!(Table::read(&path).unwrap(), Table::default());
        let mut table = Table::default();
        table.put(room("Living  room").unwrap(), peer(0xab));
        table.put(room("kitchen").unwrap(), peer(1));
        table.write(&path).unwrap();
        assert_eq!(Table::read(&path).unwrap(), table);
        assert_eq!(table.by_key(peer(0xab).key), Some(&SatelliteId::from("living room")));
    }

    #[test]
    fn a_damaged_table_says_where_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("satellites.toml");
        let row = "[[satellite]]\nroom = \"a\"\nvolume_percent = 1\nmuted = false\n";
        let twice = format!("{row}key = \"{0}\"\n{row}key = \"{0}\"\n", "ab".repeat(32)).replacen("\"a\"", "\"b\"", 1);
        for damaged in ["[[satellite", &format!("{row}key = \"zz\"\n"), &twice] {
            fs::write(&path, damaged).unwrap();
            let error = Table::read(&path).unwrap_err().to_string();
            assert!(error.contains("satellites.toml"), "{error}");
        }
    }

    #[test]
    fn a_room_has_a_sayable_name() {
        for bad in ["", "  ", "a/b", "../x", "a\"b", &"x".repeat(33)] {
            assert!(room(bad).is_err(), "{bad}");
        }
    }
}

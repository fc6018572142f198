//! What the satellite keeps in its state directory: its own key, and which daemon it belongs to.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_link::key::{KEY_BYTES, PublicKey};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::NetError;

/// Longest file read here.
const FILE_BYTES_MAX: u64 = 4096;

/// The satellite's key.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) public: PublicKey,
}

/// The daemon it was enrolled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Daemon {
    pub(super) address: SocketAddr,
    pub(super) key: PublicKey,
    pub(super) room: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DaemonFile {
    address: SocketAddr,
    key: String,
    room: String,
}

impl Identity {
    /// Reads the key, or makes one.
    pub(super) fn open(directory: &Path) -> Result<Self, NetError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| state(directory, format!("cannot be made: {error}")))?;
        let path = directory.join("satellite.key");
        let pkcs8 = match read(&path)? {
            Some(bytes) => bytes,
            None => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| state(&path, "no randomness to make a key of"))?;
                write_whole(&path, made.as_ref())?;
                made.as_ref().to_vec()
            }
        };
        let damaged = || state(&path, "is not an ed25519 key in PKCS#8; remove it and enrol anew");
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| damaged())?;
        let public = PublicKey(pair.public_key().as_ref().try_into().map_err(|_| damaged())?);
        let signing = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))
            .map_err(|_| damaged())?;
        let shown = CertificateDer::from(public.to_spki().to_vec());
        Ok(Self { certified: Arc::new(CertifiedKey::new(vec![shown], signing)), public })
    }
}

impl Daemon {
    pub(super) fn read(directory: &Path) -> Result<Self, NetError> {
        let path = directory.join("daemon.toml");
        let bytes = read(&path)?.ok_or_else(|| NetError::NotEnrolled { path: path.clone() })?;
        let damaged = |reason: String| state(&path, format!("is damaged: {reason}; enrol anew"));
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        let file: DaemonFile = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let key =
            key_from_hex(&file.key).ok_or_else(|| damaged(String::from("the key is not 64 hexadecimal digits")))?;
        Ok(Self { address: file.address, key, room: file.room })
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), NetError> {
        let path = directory.join("daemon.toml");
        let file = DaemonFile { address: self.address, key: self.key.to_string(), room: self.room.clone() };
        let text = toml::to_string(&file).map_err(|error| state(&path, error.to_string()))?;
        write_whole(
            &path,
            format!("# The daemon this satellite belongs to. Written by `jarvis-satellite enrol`.\n\n{text}")
                .as_bytes(),
        )
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, NetError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(state(
            path,
            "may be read by others than its owner: `chmod 600` it, and enrol anew if somebody may have read it",
        )),
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => Err(state(path, "is too long; enrol anew")),
        Ok(_) => fs::read(path).map(Some).map_err(|error| state(path, format!("cannot be read: {error}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(state(path, format!("cannot be read: {error}"))),
    }
}

/// Replaces a file as a whole: after a power cut it is the old one or the new one. Readable by its owner alone.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), NetError> {
    let failed = |error: std::io::Error| state(path, format!("cannot be written: {error}"));
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
}

fn state(path: &Path, reason: impl Into<String>) -> NetError {
    NetError::State { path: PathBuf::from(path), reason: reason.into() }
}

fn key_from_hex(text: &str) -> Option<PublicKey> {
    if text.len() != 2 * KEY_BYTES || !text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(PublicKey(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_kept_and_nobody_else_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let made = Identity::open(directory.path()).unwrap();
        assert_eq!(Identity::open(directory.path()).unwrap().public, made.public);
        let path = directory.path().join("satellite.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Identity::open(directory.path()).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_damaged_file_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Daemon::read(directory.path()), Err(NetError::NotEnrolled { .. })));
        let daemon = Daemon {
            address: SocketAddr::from(([127, 0, 0, 1], 7)),
            key: PublicKey([0xc3; 32]),
            room: String::from("kitchen"),
        };
        daemon.write(directory.path()).unwrap();
        assert_eq!(Daemon::read(directory.path()).unwrap(), daemon);
        write_whole(&directory.path().join("daemon.toml"), b"address = 3").unwrap();
        assert!(Daemon::read(directory.path()).unwrap_err().to_string().contains("enrol anew"));
        write_whole(&directory.path().join("satellite.key"), b"x").unwrap();
        assert!(Identity::open(directory.path()).unwrap_err().to_string().contains("enrol anew"));
    }
}

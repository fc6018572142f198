//! The daemon's secrets, kept under `state_dir/link/`: its ed25519 key, and the two keys by which a satellite notices that the
//! daemon behind its connection is a new one.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_link::key::{Fingerprint, PublicKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::HubError;
use crate::whole_file;

const RESET_KEY_BYTES: usize = 32;
const CONNECTION_ID_KEY_BYTES: usize = 8;
/// Longest secret file: a PKCS#8 key has 85 bytes or so.
const SECRET_BYTES_MAX: u64 = 1024;

/// What the daemon proves itself with.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) public: PublicKey,
    pub(super) reset: ring::hmac::Key,
    pub(super) connection_id: u64,
}

impl Secrets {
    /// Reads them, or makes those that are missing.
    pub(super) fn open(directory: &Path) -> Result<Self, HubError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| state(directory, format!("cannot be made: {error}")))?;
        let path = directory.join("daemon.key");
        let pkcs8 = read_or_make(&path, || {
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map(|document| document.as_ref().to_vec())
                .map_err(|_| state(&path, "no randomness to make a key of"))
        })?;
        let damaged =
            || state(&path, "is not an ed25519 key in PKCS#8; restore it, or remove it and enrol every satellite anew");
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| damaged())?;
        let public = PublicKey(pair.public_key().as_ref().try_into().map_err(|_| damaged())?);
        let signing = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))
            .map_err(|_| damaged())?;
        let certified = CertifiedKey::new(vec![CertificateDer::from(public.to_spki().to_vec())], signing);
        let reset: [u8; RESET_KEY_BYTES] = fixed(&directory.join("reset.key"))?;
        let connection_id: [u8; CONNECTION_ID_KEY_BYTES] = fixed(&directory.join("connection-id.key"))?;
        drop(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8)));
        Ok(Self {
            certified: Arc::new(certified),
            public,
            reset: ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &reset),
            connection_id: u64::from_le_bytes(connection_id),
        })
    }
}

/// The first 80 bits of the SHA-256 of a key.
pub(super) fn fingerprint(key: PublicKey) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.to_spki());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    Fingerprint::from_sha256(&bytes)
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], HubError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| state(Path::new("/dev/urandom"), "no randomness"))?;
    Ok(bytes)
}

/// Replaces a file as a whole.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    whole_file::replace(path, bytes).map_err(|error| state(path, format!("cannot be written: {error}")))
}

pub(super) fn state(path: &Path, reason: impl Into<String>) -> HubError {
    HubError::State { path: PathBuf::from(path), reason: reason.into() }
}

fn fixed<const N: usize>(path: &Path) -> Result<[u8; N], HubError> {
    read_or_make(path, || random::<N>().map(Vec::from))?
        .try_into()
        .map_err(|_| state(path, format!("has not {N} bytes; remove it, a new one is made")))
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<Vec<u8>, HubError>) -> Result<Vec<u8>, HubError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(state(
            path,
            "may be read by others than its owner: `chmod 600` it, and enrol anew if somebody may have read it",
        )),
        Ok(metadata) if metadata.len() > SECRET_BYTES_MAX => Err(state(path, "is too long for a key")),
        Ok(_) => fs::read(path).map_err(|error| state(path, format!("cannot be read: {error}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let bytes = make()?;
            write_whole(path, &bytes)?;
            Ok(bytes)
        }
        Err(error) => Err(state(path, format!("cannot be read: {error}"))),
    }
}

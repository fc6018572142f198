//! Devices are known by their ed25519 public keys, shown to each other as TLS 1.3 raw public keys (RFC 7250).

use core::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key's fingerprint: 80 bits, as much as a code to be typed can carry.
pub const FINGERPRINT_BYTES: usize = 10;

/// What stands before an ed25519 key in its SubjectPublicKeyInfo (RFC 8410); the encoding has no other form.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A device's ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; KEY_BYTES]);

impl PublicKey {
    /// Out of a SubjectPublicKeyInfo; `None` for any other kind of key.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let key = der.strip_prefix(&SPKI_PREFIX)?;
        key.try_into().ok().map(Self)
    }

    /// As a SubjectPublicKeyInfo.
    pub fn to_spki(self) -> [u8; SPKI_PREFIX.len() + KEY_BYTES] {
        let mut der = [0; SPKI_PREFIX.len() + KEY_BYTES];
        der[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        der[SPKI_PREFIX.len()..].copy_from_slice(&self.0);
        der
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// The first 80 bits of the SHA-256 of a key's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    /// Out of the whole digest.
    pub fn from_sha256(digest: &[u8; 32]) -> Self {
        let mut bytes = [0; FINGERPRINT_BYTES];
        bytes.copy_from_slice(&digest[..FINGERPRINT_BYTES]);
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ed25519_key_is_read() {
        let key = PublicKey([7; KEY_BYTES]);
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
        assert_eq!(PublicKey::from_spki(&key.to_spki()[..43]), None);
        let mut x25519 = key.to_spki();
        x25519[8] = 0x6e;
        assert_eq!(PublicKey::from_spki(&x25519), None);
        assert_eq!(PublicKey::from_spki(&[]), None);
    }
}

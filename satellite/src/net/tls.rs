//! TLS 1.3, mutual, by pinned ed25519 raw public keys (RFC 7250): no names, no dates (a Pi starts in 1970), no tickets, no early data.

use std::sync::Arc;
use std::time::Duration;

use jarvis_link::key::{Fingerprint, PublicKey};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};

use super::files::Identity;
use super::tune;

/// How the daemon is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pin {
    /// By its key, after enrolment.
    Key(PublicKey),
    /// By the code's 80 bits of it.
    Fingerprint(Fingerprint),
}

#[derive(Debug)]
struct Pinned {
    provider: Arc<CryptoProvider>,
    pin: Pin,
}

/// The clock that TLS is given: it stands at the start of 1970, where a Pi begins. Nothing here may depend on the date, so the machine's is not
/// asked: what would refuse a Pi without a network is found out on every machine.
#[derive(Debug)]
struct Always1970;

impl TimeProvider for Always1970 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::ZERO))
    }
}

/// The satellite's side of TLS and QUIC.
pub(super) fn client_config(identity: &Identity, pin: Pin, alpn: &[u8]) -> Result<quinn::ClientConfig, Error> {
    let quic = QuicClientConfig::try_from(tls_config(identity, pin, alpn)?)
        .map_err(|_| Error::General(String::from("the provider has no suite for QUIC's first packets")))?;
    let mut config = quinn::ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(tune::transport()));
    Ok(config)
}

fn tls_config(identity: &Identity, pin: Pin, alpn: &[u8]) -> Result<rustls::ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_details(provider.clone(), Arc::new(Always1970))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { provider, pin }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity.certified.clone())));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// The key the daemon showed.
pub(super) fn daemon_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    PublicKey::from_spki(shown.first()?)
}

/// The first 80 bits of the SHA-256 of a key.
pub(super) fn fingerprint(key: PublicKey) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.to_spki());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    Fingerprint::from_sha256(&bytes)
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = PublicKey::from_spki(end_entity).ok_or(CertificateError::BadEncoding)?;
        let known = match self.pin {
            Pin::Key(pinned) => key == pinned,
            Pin::Fingerprint(pinned) => fingerprint(key) == pinned,
        };
        if known {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use jarvis_link::key::KEY_BYTES;
    use jarvis_link::transport::ALPN_LINK;

    use super::*;

    #[test]
    fn tls_is_given_no_other_date_than_the_start_of_1970() {
        let state = tempfile::tempdir().unwrap();
        let identity = Identity::open(state.path()).unwrap();
        let config = tls_config(&identity, Pin::Key(identity.public), ALPN_LINK).unwrap();
        assert_eq!(config.time_provider.current_time().unwrap(), UnixTime::since_unix_epoch(Duration::ZERO));
    }

    #[test]
    fn a_pinned_key_is_good_at_any_date_and_no_other_ever_is() {
        let daemon = PublicKey([5; KEY_BYTES]);
        let name = ServerName::try_from("anything.example").unwrap();
        for pin in [Pin::Key(daemon), Pin::Fingerprint(fingerprint(daemon))] {
            let pinned = Pinned { provider: Arc::new(rustls::crypto::ring::default_provider()), pin };
            for seconds in [0, 1_800_000_000, u64::from(u32::MAX) * 60] {
                let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
                let judged = |key: &[u8]| pinned.verify_server_cert(&CertificateDer::from(key), &[], &name, &[], now);
                assert!(judged(&daemon.to_spki()).is_ok());
                assert!(judged(&PublicKey([6; KEY_BYTES]).to_spki()).is_err());
                assert!(judged(&[]).is_err());
            }
        }
    }
}

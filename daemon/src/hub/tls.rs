//! TLS 1.3, mutual, by pinned ed25519 raw public keys (RFC 7250): no names, no dates, no authorities, no tickets, no early data.

use std::sync::{Arc, OnceLock};

use jarvis_link::key::PublicKey;
use jarvis_link::transport::{ALPN_ENROL, ALPN_LINK};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};
use tokio::sync::watch;

use super::peers::Table;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The link proper: the key must be on the table.
    Link,
    /// Enrolment: any key, as long as its holder proves to hold it.
    Enrol,
}

/// How one connection is judged. One value per connection, as the purpose is known only once its greeting came.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    own: Arc<CertifiedKey>,
    table: watch::Receiver<Arc<Table>>,
    enrolment_open: bool,
    purpose: OnceLock<Purpose>,
}

/// The server's side of TLS for one incoming connection.
pub(super) fn server_config(
    provider: &Arc<CryptoProvider>,
    own: &Arc<CertifiedKey>,
    table: &watch::Receiver<Arc<Table>>,
    enrolment_open: bool,
) -> Result<QuicServerConfig, Error> {
    let judge = Arc::new(Judge {
        provider: provider.clone(),
        own: own.clone(),
        table: table.clone(),
        enrolment_open,
        purpose: OnceLock::new(),
    });
    let mut config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(judge.clone())
        .with_cert_resolver(judge);
    config.alpn_protocols = vec![ALPN_LINK.to_vec()];
    if enrolment_open {
        config.alpn_protocols.push(ALPN_ENROL.to_vec());
    }
    // A resumed session is not asked for its key: a revoked satellite would get in.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    QuicServerConfig::try_from(config)
        .map_err(|_| Error::General(String::from("the provider has no suite for QUIC's first packets")))
}

/// What an established connection is for, and whose it is.
pub(super) fn peer(connection: &quinn::Connection) -> Option<(Purpose, PublicKey)> {
    let handshake = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    let purpose = purpose([handshake.protocol?.as_slice()].into_iter())?;
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Some((purpose, PublicKey::from_spki(shown.first()?)?))
}

/// Exactly one protocol, and one we know.
fn purpose<'a>(mut offered: impl Iterator<Item = &'a [u8]>) -> Option<Purpose> {
    let purpose = match offered.next()? {
        alpn if alpn == ALPN_LINK => Purpose::Link,
        alpn if alpn == ALPN_ENROL => Purpose::Enrol,
        _ => return None,
    };
    offered.next().is_none().then_some(purpose)
}

impl ResolvesServerCert for Judge {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let purpose = purpose(hello.alpn()?)?;
        if purpose == Purpose::Enrol && !self.enrolment_open {
            return None;
        }
        (*self.purpose.get_or_init(|| purpose) == purpose).then(|| self.own.clone())
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let key = PublicKey::from_spki(end_entity).ok_or(CertificateError::BadEncoding)?;
        let welcome = match self.purpose.get() {
            Some(Purpose::Link) => self.table.borrow().by_key(key).is_some(),
            Some(Purpose::Enrol) => true,
            None => false,
        };
        if welcome {
            Ok(ClientCertVerified::assertion())
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

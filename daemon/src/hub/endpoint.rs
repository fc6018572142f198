//! The QUIC endpoint, with the keys that are kept across restarts: by the reset key and the connection-id key a satellite notices
//! at once that the daemon behind its connection is a new one.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use jarvis_link::key::PublicKey;
use jarvis_link::transport::Code;
use quinn::{Connection, Incoming};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use super::connection::number;
use super::keys::Secrets;
use super::peers::Table;
use super::{HubConfig, HubError, tls, tune};

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// Opens the endpoint with the keys that are kept across restarts.
pub(super) fn open(
    config: &HubConfig,
    provider: &Arc<CryptoProvider>,
    secrets: &Secrets,
    table: &watch::Receiver<Arc<Table>>,
) -> Result<(quinn::Endpoint, Arc<quinn::TransportConfig>), HubError> {
    let failed = |reason: String| HubError::Listen { listen: config.listen, reason };
    let transport = Arc::new(tune::transport());
    let crypto =
        tls::server_config(provider, &secrets.certified, table, false).map_err(|error| failed(error.to_string()))?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(transport.clone());
    let mut quic = quinn::EndpointConfig::new(Arc::new(secrets.reset.clone()));
    let key = secrets.connection_id;
    quic.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(key)));
    let socket = UdpSocket::bind(config.listen).map_err(|error| failed(error.to_string()))?;
    let endpoint = quinn::Endpoint::new(quic, Some(server), socket, Arc::new(quinn::TokioRuntime));
    Ok((endpoint.map_err(|error| failed(error.to_string()))?, transport))
}

/// A connection's handshake: what it is for, and whose it is; `None` where it came to nothing.
pub(super) async fn handshake(
    incoming: Incoming,
    config: quinn::ServerConfig,
) -> Option<(Connection, tls::Purpose, PublicKey)> {
    let address = incoming.remote_address();
    let connecting = match incoming.accept_with(Arc::new(config)) {
        Ok(connecting) => connecting,
        Err(error) => {
            tracing::debug!(%address, %error, "a connection was not taken");
            return None;
        }
    };
    let connection = match tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "a peer was turned away");
            return None;
        }
        Err(_) => return None,
    };
    let peer = tls::peer(&connection);
    if peer.is_none() {
        connection.close(number(Code::Protocol), b"");
    }
    peer.map(|(purpose, key)| (connection, purpose, key))
}

//! Enrolment, the satellite's side.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jarvis_link::enrol::code::EnrolCode;
use jarvis_link::enrol::message::{Reply, Request};
use jarvis_link::frame::{Decoder, encode};
use jarvis_link::message::{NAME_BYTES_MAX, clip};
use jarvis_link::transport::{ALPN_ENROL, Code, SERVER_NAME};
use quinn::VarInt;

use super::files::{Daemon, Identity};
use super::tls::{Pin, client_config, daemon_key};
use super::{Enrolled, NetError};

/// How long enrolment may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes read at once; a reply has fewer.
const CHUNK_BYTES: usize = 512;

/// Enrols with the daemon that made `code`: pins its key, gives it ours, and writes both under `state_dir`.
pub async fn enrol(code: &str, state_dir: &Path) -> Result<Enrolled, NetError> {
    let code = EnrolCode::from_text(code).map_err(|error| NetError::Enrol(error.to_string()))?;
    let identity = Identity::open(state_dir)?;
    let daemon = tokio::time::timeout(LIMIT, ask(&code, &identity)).await.map_err(|_| {
        NetError::Enrol(format!("no answer from {}: is jarvisd running there, and its UDP port open?", code.address))
    })??;
    daemon.write(state_dir)?;
    Ok(Enrolled { room: daemon.room, daemon: daemon.address })
}

/// A socket for dialling that address.
pub(super) fn endpoint(daemon: SocketAddr) -> Result<quinn::Endpoint, NetError> {
    let any: IpAddr = if daemon.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    quinn::Endpoint::client(SocketAddr::new(any, 0)).map_err(|error| NetError::Socket(error.to_string()))
}

async fn ask(code: &EnrolCode, identity: &Identity) -> Result<Daemon, NetError> {
    let failed = |reason: String| NetError::Enrol(reason);
    let config = client_config(identity, Pin::Fingerprint(code.fingerprint), ALPN_ENROL)
        .map_err(|error| failed(error.to_string()))?;
    let endpoint = endpoint(code.address)?;
    let connecting =
        endpoint.connect_with(config, code.address, SERVER_NAME).map_err(|error| failed(error.to_string()))?;
    let connection = connecting.await.map_err(|error| {
        failed(format!("{error}: the code is used or expired, or another machine answers at {}; make a new one with `jarvisctl enrol`", code.address))
    })?;
    let key = daemon_key(&connection).ok_or_else(|| failed(String::from("the daemon showed no key")))?;
    let request = Request {
        token: code.token,
        key: identity.public,
        software: clip(env!("CARGO_PKG_VERSION"), NAME_BYTES_MAX).to_owned(),
    };
    let reply = exchange(&connection, &request).await;
    connection.close(VarInt::from_u32(Code::Bye as u32), Code::Bye.reason().as_bytes());
    endpoint.wait_idle().await;
    match reply? {
        Reply::Enrolled { room } => Ok(Daemon { address: code.address, key, room }),
        Reply::Refused(refusal) => Err(failed(refusal.to_string())),
    }
}

async fn exchange(connection: &quinn::Connection, request: &Request) -> Result<Reply, NetError> {
    let failed = |error: &dyn std::fmt::Display| NetError::Enrol(error.to_string());
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| failed(&error))?;
    let bytes = encode(request).map_err(|error| failed(&error))?;
    send.write_all(&bytes).await.map_err(|error| failed(&error))?;
    send.finish().map_err(|error| failed(&error))?;
    let mut decoder = Decoder::<Reply>::default();
    loop {
        let chunk = receive.read_chunk(CHUNK_BYTES, true).await.map_err(|error| failed(&error))?;
        let chunk = chunk.ok_or_else(|| NetError::Enrol(String::from("the daemon gave no reply")))?;
        if let Some(reply) = decoder.next(&mut &chunk.bytes[..]).map_err(|error| failed(&error))? {
            return Ok(reply);
        }
    }
}

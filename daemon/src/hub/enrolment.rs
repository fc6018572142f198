//! One enrolment connection: a request, a reply.

use std::time::Duration;

use jarvis_link::enrol::message::{Refusal, Reply, Request};
use jarvis_link::frame::{Decoder, encode};
use jarvis_link::key::PublicKey;
use jarvis_link::transport::Code;
use quinn::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::number;
use super::owner::Command;

/// How long an enrolment connection may last.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes read at once; a request has fewer.
const CHUNK_BYTES: usize = 512;

/// Serves it to its end.
pub(super) async fn run(connection: Connection, shown: PublicKey, owner: mpsc::WeakSender<Command>) {
    if tokio::time::timeout(LIMIT, serve(&connection, shown, owner)).await.is_err() {
        tracing::debug!("an enrolment connection took too long");
    }
    connection.close(number(Code::Bye), Code::Bye.reason().as_bytes());
}

/// `None`: the other end broke the protocol or went away, and needs no reply.
async fn serve(connection: &Connection, shown: PublicKey, owner: mpsc::WeakSender<Command>) -> Option<()> {
    let (mut send, mut receive) = connection.accept_bi().await.ok()?;
    let mut decoder = Decoder::<Request>::default();
    let request = loop {
        let chunk = receive.read_chunk(CHUNK_BYTES, true).await.ok()??;
        if let Some(request) = decoder.next(&mut &chunk.bytes[..]).ok()? {
            break request;
        }
    };
    let (reply, redeemed) = oneshot::channel();
    owner.upgrade()?.send(Command::Redeem { request, shown, reply }).await.ok()?;
    let reply = redeemed.await.unwrap_or(Reply::Refused(Refusal::NotOpen));
    send.write_all(&encode(&reply).ok()?).await.ok()?;
    send.finish().ok()?;
    // The satellite closes once it has read the reply; closing before that could lose it.
    connection.closed().await;
    Some(())
}

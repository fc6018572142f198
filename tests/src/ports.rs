//! Ports of this machine that nobody else takes.

use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// Ports that are given out: below those that the kernel gives to whoever names none (from 32768 on).
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Longest wait for a port that is free but for programs which are being started.
const BOUND_AGAIN_MAX: Duration = Duration::from_secs(60);

/// A port of this machine for a program that can't be asked for any free one, or that ends and begins anew at the same place. Nobody takes
/// it meanwhile: the kernel gives it to nobody, and every other harness is kept from it by a name that is held until this process ends.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        // Each process begins somewhere else, so that few meet.
        let place = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(place)?;
        let name = std::os::unix::net::SocketAddr::from_abstract_name(format!("jarvis-tests-port-{port}"))?;
        let Ok(held) = UnixListener::bind_addr(&name) else { continue };
        if !in_use(port) {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(held);
            return Ok(port);
        }
    }
    bail!("none of the ports {PORTS:?} is free")
}

/// Whether a program listens there. It is read, not tried: what is bound for a moment stays bound longer where another thread starts a
/// program just then, which has it until it is that program.
fn in_use(port: u16) -> bool {
    /// TCP_LISTEN of the kernel's include/net/tcp_states.h; sockets of UDP have no such state.
    const LISTENS: &str = "0A";
    let port = format!(":{port:04X}");
    for (table, listening) in [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)] {
        // There is no table of a family that the kernel does without.
        let Ok(sockets) = std::fs::read_to_string(format!("/proc/net/{table}")) else { continue };
        let taken = sockets.lines().skip(1).any(|socket| {
            let mut fields = socket.split_whitespace();
            let (local, state) = (fields.nth(1).unwrap_or_default(), fields.nth(1).unwrap_or_default());
            local.ends_with(&port) && (!listening || state == LISTENS)
        });
        if taken {
            return true;
        }
    }
    false
}

/// Listens where somebody did until a moment ago. A program that was being started meanwhile has the old socket until it runs.
pub async fn bound_again(at: SocketAddr) -> Result<TcpListener> {
    let given_up = Instant::now() + BOUND_AGAIN_MAX;
    loop {
        match TcpListener::bind(at).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < given_up => {
                sleep(Duration::from_millis(10)).await;
            }
            bound => return bound.context("the old port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::{free_port, in_use};

    #[test]
    fn what_listens_is_in_use_and_what_is_handed_out_is_free() {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        assert!(in_use(tcp.local_addr().unwrap().port()));
        assert!(in_use(udp.local_addr().unwrap().port()));
        let ports: Vec<u16> = (0..20).map(|_| free_port().unwrap()).collect();
        for port in &ports {
            assert!(TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok());
            assert_eq!(ports.iter().filter(|other| *other == port).count(), 1);
        }
    }
}

//! A UDP relay between satellite and daemon that can be cut like a Wi-Fi link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::house::loopback;

pub struct Relay {
    pub address: SocketAddr,
    cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// One satellite's way to the daemon.
    pub async fn to(daemon: SocketAddr) -> Self {
        let inner = UdpSocket::bind(loopback()).await.unwrap();
        let address = inner.local_addr().unwrap();
        let outer = UdpSocket::bind(loopback()).await.unwrap();
        let cut = Arc::new(AtomicBool::new(false));
        let state = cut.clone();
        let task = tokio::spawn(async move {
            let mut satellite = None;
            let (mut up, mut down) = ([0; 2048], [0; 2048]);
            loop {
                let open = || !state.load(Ordering::Relaxed);
                // A datagram that cannot be handed on is lost, as on any network.
                tokio::select! {
                    Ok((bytes, from)) = inner.recv_from(&mut up) => {
                        satellite = Some(from);
                        if open() {
                            outer.send_to(&up[..bytes], daemon).await.ok();
                        }
                    }
                    Ok((bytes, _)) = outer.recv_from(&mut down) => if let (true, Some(satellite)) = (open(), satellite) {
                        inner.send_to(&down[..bytes], satellite).await.ok();
                    },
                    else => {}
                }
            }
        });
        Self { address, cut, task }
    }

    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! QUIC as thin audio wants it: see [`jarvis_link::transport`] for the numbers and why. The daemon has the same in its hub: the link crate
//! that both share knows nothing of QUIC.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jarvis_link::transport::{
    CONNECTION_RECEIVE_BYTES, IDLE_MS, INITIAL_RTT_MS, SEND_BYTES, STREAM_RECEIVE_BYTES, UNI_STREAMS, WINDOW_BYTES,
};
use quinn::congestion::{Controller, ControllerFactory};
use quinn::{IdleTimeout, TransportConfig, VarInt};

/// A congestion window that no loss narrows: what is in flight is bounded by the pacing of our own.
#[derive(Debug, Clone, Copy)]
struct FixedWindow;

impl ControllerFactory for FixedWindow {
    fn build(self: Arc<Self>, _now: Instant, _mtu: u16) -> Box<dyn Controller> {
        Box::new(*self)
    }
}

impl Controller for FixedWindow {
    fn on_congestion_event(&mut self, _now: Instant, _sent: Instant, _persistent: bool, _lost: u64) {}

    fn on_mtu_update(&mut self, _mtu: u16) {}

    fn window(&self) -> u64 {
        WINDOW_BYTES
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        WINDOW_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The satellite's transport parameters.
pub(super) fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .congestion_controller_factory(Arc::new(FixedWindow))
        .initial_rtt(Duration::from_millis(INITIAL_RTT_MS))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_RECEIVE_BYTES))
        .send_window(SEND_BYTES)
        .datagram_receive_buffer_size(None);
    transport
}

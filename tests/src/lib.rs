//! ONE harness: the simulated room, the simulated cluster, the demo, the benches and the end-to-end tests.

pub mod aimock;
pub mod bench;
pub mod crash;
pub mod demo;
pub mod desk;
pub mod fleet;
pub mod house;
pub mod injections;
pub mod judge;
pub mod likeness;
pub mod mcp_clients;
pub mod mcp_servers;
pub mod model_server;
pub mod office;
pub mod place;
pub mod process;
pub mod pve;
pub mod resume;
pub mod room;
pub mod rooms;
pub mod secrets;
pub mod sound;
pub mod speech_server;
pub mod sshd;

//! Sockets: what carries SIP messages, and which address we give others.
//!
//! * [`wire`]: the border to the stack task.
//! * [`net`]: the real wire. [`listen`] (what is opened), [`connections`]. [`udp`], [`stream`] (TCP and TLS), [`websocket`], [`tls`] (certificates).
//! * [`advertise`]: our addresses as peers must see them.
//!
//! > Each socket has a task of its own, so that one bad transport never takes another down; what
//! > they read goes into one bounded inbox.

pub mod advertise;
mod connections;
mod handshakes;
#[cfg(test)]
mod hard_tests;
mod limits;
pub mod listen;
pub mod net;
mod stream;
#[cfg(test)]
mod tests;
pub mod tls;
mod udp;
mod websocket;
#[cfg(test)]
mod websocket_tests;
pub mod wire;

pub use limits::Limits;
pub use listen::{ListenProblem, NetConfig};
pub use net::{Net, Renewal, Started};

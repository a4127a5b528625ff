//! What is outside of the office when a caller is taken back from Amazon Connect, on the simulated
//! network: the telephone network with its callers and Connect, a SIP media application, a Voice
//! Connector, the table of pairs.
//!
//! > Everything is a separate machine behind the wire that it has in reality: SIP between them, the
//! > functions' own events and answers, and nothing shared but the network and its clock.
//!
//! * [`pool`]: pairs in memory, whose keeper may be away, slow, or live at another time.
//! * [`edge`]: the Voice Connector's proxy, which writes SIP as captured traces show it.
//! * [`function`]: runs an application as AWS Lambda does, and notes what was said on both sides.
//! * [`contact`]: Connect's contact flow, with the real function behind it.
//! * [`stage`]: all of it beside an office.
//! * [`gate`]: real sockets for hosts of a simulated network, beside real daemons. [`lambda`]: the
//!   functions' real binaries. [`table`]: their table, in moto.
//!
//! The SIP media application is a second instance of the appliance, whose sessions obey the same
//! actions ([`stage::Anchor::Cloud`]); or the office itself has the call ([`stage::Anchor::Office`]).

pub mod contact;
pub mod edge;
pub mod function;
pub mod gate;
pub mod lambda;
pub mod pool;
pub mod stage;
pub mod table;

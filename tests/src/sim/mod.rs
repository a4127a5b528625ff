//! A network, phones and trunks that exist in memory only, under tokio's paused clock.
//!
//! > Nothing here waits for real time: a test that lives through hours of calls lasts seconds, and
//! > a seed decides what the network does to every datagram.
//!
//! * [`net`]: datagrams between addresses, late, lost, doubled or out of order.
//! * [`agent`]: a user agent of a few hundred lines on the sans-IO cores; [`mod@line`] is one call of
//!   it, to be played like a script. [`sdp`]: the little it knows of media.
//! * [`mod@cloud`]: the cloud, which says what it was asked. [`keep`]: what is kept, in maps.
//!   [`screens`]: what is shown beside phones.
//!   [`office`]: the whole signalling side of the appliance on that network, and what is left of it
//!   afterwards. [`scene`]: the usual office. [`conference`]: its conferences, as phones see them.
//!
//! Media engines run on real threads and sockets beside this: nothing in here waits for a packet,
//! since the paused clock would run ahead of it.

pub mod agent;
pub mod cloud;
pub mod conference;
pub mod keep;
pub mod line;
pub mod media;
pub mod net;
pub mod office;
pub mod scene;
pub mod screens;
pub mod scripted;
pub mod sdp;
pub mod wire;

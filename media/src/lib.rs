//! The media room: RTP in and out of sockets, and everything done to it on the way.
//!
//! > Between receiving an RTP packet and relaying it there is no heap, no lock and no await.
//!
//! * [`engine`] owns sockets and threads: open a [`engine::MediaPort`], tell it the peer with
//!   [`engine::MediaPort::set_stream`], then bridge, play, record or send digits.
//! * The packet logic ([`rtp`], [`rtcp`], [`srtp`], [`dtmf`], [`latch`], [`relay`], [`codec`]) has
//!   neither socket nor clock; it is given bytes and instants.
//! * [`sdp`] and [`negotiate`] are offer and answer: text in, [`engine::StreamConfig`] out.
//! * [`webrtc`] is what a browser's leg has below its RTP: ICE and DTLS over one UDP port.
//! * [`clip`], [`clip_cache`], [`prompts`] and [`tone`] make what is played, [`sound`] strings it together, [`speech`] speaks; [`recorder`] and [`wav`]
//!   keep what is recorded, right on the disk at every instant.

mod ahead;
pub mod clip;
pub mod clip_cache;
pub mod codec;
pub mod dtmf;
pub mod engine;
mod flood;
pub mod g711;
mod kernel;
pub mod latch;
mod lru;
pub mod negotiate;
mod ogg;
pub mod prompts;
pub mod quality;
pub mod recorder;
pub mod relay;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sound;
pub mod speech;
pub mod srtp;
pub mod stamp;
pub mod tone;
mod voice;
pub mod wav;
pub mod webrtc;

//! The RTP engine: threads that own sockets, and handles to talk to them.

mod api;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use api::*;

use crate::dtmf::Digit;

/// How to run the engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Media threads; 0 is taken as 1.
    pub threads: usize,
    /// UDP ports to open, even for RTP and odd for RTCP.
    pub ports: RangeInclusive<u16>,
    /// Most pairs open at a time.
    pub max_ports: usize,
    /// How long a closed pair is not opened again, so that late packets of one call never reach
    /// the next.
    pub drain: Duration,
    /// DSCP of everything sent; 46 is expedited forwarding (RFC 3246).
    pub dscp: u8,
    /// Silence of the network after which [`PortEventKind::NoMedia`] is told.
    pub no_media_after: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            ports: 16384..=32767,
            max_ports: 8192,
            drain: Duration::from_secs(2),
            dscp: 46,
            no_media_after: Duration::from_secs(30),
        }
    }
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No free pair in the range, or as many open as allowed.
    #[error("all RTP ports are in use")]
    Exhausted,
    /// The engine was shut down.
    #[error("the media engine has stopped")]
    Stopped,
    /// The socket layer refused, for another reason than a port in use.
    #[error("cannot bind an RTP port on {addr}")]
    Bind {
        /// The local address.
        addr: IpAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A handle on the media threads; clones share them.
#[derive(Clone)]
pub struct Engine {
    _shared: Arc<()>,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread, an epoll or a timer.
    pub fn start(config: EngineConfig) -> io::Result<Self> {
        let _ = config;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens an even port for RTP and the next for RTCP on `bind`. Events go to `events` and are
    /// dropped, and counted, while it is full.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        &self,
        bind: IpAddr,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<MediaPort, OpenError> {
        let _ = (bind, events);
        Err(OpenError::Stopped)
    }

    /// Pairs open now; exact at once after a [`MediaPort`] is dropped.
    pub fn open_ports(&self) -> usize {
        0
    }

    /// Relays between the two ports, both directions, until one is unbridged, bridged elsewhere or
    /// dropped.
    pub fn bridge(&self, a: &MediaPort, b: &MediaPort) {
        let _ = (a, b);
    }

    /// Ends the bridge `a` is part of.
    pub fn unbridge(&self, a: &MediaPort) {
        let _ = a;
    }

    /// Stops the threads and closes every socket. Handles stay valid and do nothing.
    pub fn shutdown(&self) {}
}

/// An open pair of sockets. Dropping it closes them; a recording is finished.
pub struct MediaPort {
    id: PortId,
    rtp: SocketAddr,
    rtcp: SocketAddr,
}

impl MediaPort {
    /// Its name in events.
    pub fn id(&self) -> PortId {
        self.id
    }

    /// The local RTP address.
    pub fn rtp_addr(&self) -> SocketAddr {
        self.rtp
    }

    /// The local RTCP address.
    pub fn rtcp_addr(&self) -> SocketAddr {
        self.rtcp
    }

    /// Sets what offer and answer agreed on. When the peer's address or key changed, the latch is
    /// opened again; nothing else opens it.
    pub fn set_stream(&self, stream: StreamConfig) {
        let _ = stream;
    }

    /// Plays from now on, in place of a running playback and of a bridge's audio.
    pub fn play(&self, playback: Playback) {
        let _ = playback;
    }

    /// Stops the running playback, if any.
    pub fn stop_play(&self) {}

    /// Records from now on, in place of a running recording.
    pub fn record(&self, recording: Recording) {
        let _ = recording;
    }

    /// Ends the running recording, if any.
    pub fn stop_record(&self) {}

    /// Sends digits as telephone events, each `tone` long and `gap` apart, after those still
    /// waiting. Does nothing on a leg without telephone-event.
    pub fn send_digits(&self, digits: &[Digit], tone: Duration, gap: Duration) {
        let _ = (digits, tone, gap);
    }

    /// What was counted so far.
    pub fn counters(&self) -> PortCounters {
        PortCounters::default()
    }
}

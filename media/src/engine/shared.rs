//! Legs on the one UDP port that WebRTC shares.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

use super::api::{PortEvent, PortId, WebRtcCounters};
use super::counters::Counters;
use super::leg::Leg;
use super::worker::{Command, Port, SharedSocket, WebRtc};
use super::{Engine, MediaPort, OpenError};
use crate::codec::Codec;
use crate::webrtc::{Credentials, Identity, Local, Peer};

/// The thread that has the port.
pub(super) const WEBRTC_HOME: usize = 0;
/// WebRTC legs at a time.
const MAX_LEGS: usize = 4_096;
/// Room in the kernel for bursts: a hundred calls send from one socket what a call does elsewhere.
const SOCKET_BUFFER: usize = 1 << 20;

/// Binds the port.
pub(super) fn open(
    addr: SocketAddr,
    dscp: u8,
    identity: &Identity,
) -> io::Result<Arc<SharedSocket>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("WebRTC port UDP {addr}: {error}"));
    let udp = bind(addr, dscp).map_err(named)?;
    SharedSocket::new(udp, identity.clone()).map(Arc::new)
}

fn bind(addr: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    let tos = u32::from(dscp & 0x3f) << 2;
    // A container may forbid marking and large buffers; calls work without.
    let _ = if addr.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) };
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

impl Engine {
    /// A leg on the port that WebRTC legs share. What our description must say of it is
    /// [`MediaPort::webrtc`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_webrtc(
        &self,
        peer: Peer,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<MediaPort, OpenError> {
        let shared = &self.shared;
        if shared.stopped.load(Ordering::Acquire) {
            return Err(OpenError::Stopped);
        }
        let socket = shared.webrtc.as_ref().ok_or(OpenError::NoWebRtc)?;
        if shared.webrtc_legs.fetch_add(1, Ordering::Relaxed) >= MAX_LEGS {
            shared.webrtc_legs.fetch_sub(1, Ordering::Relaxed);
            return Err(OpenError::TooManyWebRtc);
        }
        let id = PortId(shared.next_id.fetch_add(1, Ordering::Relaxed));
        let counters = Arc::new(Counters::default());
        let now = Instant::now();
        let leg = Leg::new(now, id, events, counters.clone(), shared.no_media_after);
        let credentials = Credentials::fresh();
        let fingerprint = socket.identity.fingerprint().clone();
        let webrtc = WebRtc::new(now, Arc::clone(socket), credentials.clone());
        if !shared.send(WEBRTC_HOME, Command::Adopt(Box::new(Port::shared(leg, webrtc)))) {
            shared.webrtc_legs.fetch_sub(1, Ordering::Relaxed);
            return Err(OpenError::Stopped);
        }
        shared.add_load(WEBRTC_HOME, 1);
        Ok(MediaPort {
            shared: shared.clone(),
            id,
            rtp: socket.bound,
            rtcp: socket.bound,
            webrtc: Some(Local { credentials, fingerprint, peer }),
            counters,
            home: Mutex::new(WEBRTC_HOME),
            codec: AtomicU8::new(Codec::Pcmu.payload_type()),
        })
    }

    /// What a description of ours could say of WebRTC, to try out an offer; `None`: switched off.
    pub fn webrtc_sample(&self) -> Option<Local> {
        let fingerprint = self.shared.webrtc.as_ref()?.identity.fingerprint().clone();
        Some(Local { credentials: Credentials::fresh(), fingerprint, peer: Peer::default() })
    }

    /// What came to the port that WebRTC legs share.
    pub fn webrtc_counters(&self) -> WebRtcCounters {
        self.shared.webrtc.as_ref().map(|socket| socket.counters()).unwrap_or_default()
    }
}

impl MediaPort {
    /// On the port that WebRTC legs share: what our description says of this one.
    pub fn webrtc(&self) -> Option<&Local> {
        self.webrtc.as_ref()
    }
}

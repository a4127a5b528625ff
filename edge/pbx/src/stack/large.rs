//! Requests too large for a datagram (RFC 3261 §18.1.1).
//!
//! > A large request tries a stream where nobody said `transport=udp`, and loses nothing by it: a
//! > place that takes no connection gets the datagram at once, one that swallows the attempt after
//! > a moment, and neither is asked again for a while.
//!
//! A phone that registered by datagrams is called by datagrams whatever their size: its
//! registration says that this way works, and behind NAT it is the only one.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_sip::flow::Transport;
use offhook_sip::message::Request;
use tokio::time::Instant;

use super::sends::Stage;
use super::task::Stack;
use crate::resolve::Hop;

/// Octets of a request that a datagram still carries (§18.1.1, path MTU unknown).
const LARGEST: usize = 1_300;
/// What the stack adds: Via, and what printing takes.
const ADDED: usize = 150;
/// Silence over a stream after which the datagram goes out.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long a place that took no stream is spared.
const SPARED: Duration = Duration::from_secs(600);
/// Places remembered.
const MAX_SPARED: usize = 1_024;

/// Whether a datagram should not carry it.
pub(super) fn is_large(request: &Request) -> bool {
    let line = |header: &offhook_sip::header::Header| {
        header.name.as_str().len() + header.value.as_bytes().len() + 4
    };
    let lines: usize = request.headers.iter().map(line).sum();
    lines + request.body.len() + ADDED > LARGEST
}

/// Streams before datagrams, otherwise as they were.
pub(super) fn prefer_streams(hops: &mut [Hop]) {
    hops.sort_by_key(|hop| hop.transport == Transport::Udp);
}

impl Stack {
    /// The stream to try in place of `hop`; the hop itself is tried next.
    pub(super) fn over_a_stream(&mut self, id: u64, hop: &Hop) -> Option<Hop> {
        if !hop.implied || hop.transport != Transport::Udp {
            return None;
        }
        let sending = self.sends.get_mut(&id)?;
        if !sending.request.as_ref().is_some_and(is_large) {
            return None;
        }
        let spared = self.udp_only.get(&hop.address);
        let family = |l: &&crate::transport::advertise::ListenAddress| {
            l.transport == Transport::Tcp && l.bound.is_ipv4() == hop.address.is_ipv4()
        };
        // §18.2: who sends over TCP must be reachable by it.
        let listening = self.addresses.listeners().iter().any(|l| family(&l));
        if spared.is_some_and(|until| *until > Instant::now()) || !listening {
            return None;
        }
        sending.stages.push_front(Stage::Hop(Hop { implied: false, ..hop.clone() }));
        sending.stream = Some(hop.address);
        Some(Hop { transport: Transport::Tcp, implied: false, ..hop.clone() })
    }

    /// The stream to a place came to nothing.
    pub(super) fn spare(&mut self, place: SocketAddr) {
        let now = Instant::now();
        if self.udp_only.len() >= MAX_SPARED {
            self.udp_only.retain(|_, until| *until > now);
            if self.udp_only.len() >= MAX_SPARED {
                self.udp_only.clear();
            }
        }
        self.udp_only.insert(place, now + SPARED);
    }
}

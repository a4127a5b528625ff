//! Calls in the hands of the kernel, and out of them again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use std::net::SocketAddr;

use super::port::Line;
use super::{Port, Worker};
use crate::kernel::{Flow, Handle, Path, PathState};

/// What the kernel could not take is offered again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// What the kernel has of a port's peer.
#[derive(Default)]
pub(super) struct Offload {
    flow: Option<Flow>,
    /// It could not take it.
    not_before: Option<Instant>,
}

impl Worker {
    /// What needs no look inside is relayed by the kernel from here on.
    pub(in crate::engine) fn use_kernel(&mut self, kernel: Handle) {
        self.kernel = Some(kernel);
    }

    /// Gives to the kernel what it can relay of this port's peer, and takes back what it cannot any more.
    pub(super) fn offload(&mut self, now: Instant, slot: usize) {
        if self.kernel.is_none() {
            return;
        }
        let wanted = self.path(slot);
        let partner = self.slots.partner(slot);
        let to = partner.and_then(|partner| self.port(partner));
        let to = to.map(|port| Arc::clone(&port.leg.counters));
        let (Some(kernel), Some(port)) = (&self.kernel, self.slots.get_mut(slot)) else {
            return;
        };
        port.leg.credit();
        match port.offload.flow.as_ref().map(|flow| (flow.path, flow.state())) {
            Some((path, PathState::Taken)) if wanted != Some(path) => kernel.leave(path),
            Some((_, PathState::Taken)) => {}
            Some((_, state)) => {
                port.leg.set_sampled(false);
                port.offload.flow = None;
                port.offload.not_before = (state == PathState::Refused).then(|| now + AGAIN);
            }
            None if port.offload.not_before.is_some_and(|at| now < at) => {}
            None => {
                if let (Some(path), Some(to)) = (wanted, to) {
                    let flow = Flow::new(path, Arc::clone(&port.leg.counters), to);
                    port.leg.set_sampled(true);
                    port.offload.flow = Some(flow.clone());
                    kernel.take(flow);
                }
            }
        }
    }

    /// The path of what this port's peer says, if there is nothing to be done to it.
    fn path(&self, slot: usize) -> Option<Path> {
        let port = self.slots.get(slot)?;
        let partner = self
            .slots
            .partner(slot)
            .filter(|partner| *partner != slot && port.mix.is_none() && port.pipe.is_none())?;
        let other = self.slots.get(partner)?;
        let heard = port.leg.heard_plainly()?;
        let (to, payload) = other.leg.says_plainly(&heard)?;
        let (SocketAddr::V4(at), SocketAddr::V4(via)) = (local(port)?, local(other)?) else {
            return None;
        };
        let (payload_type, ssrc) = (heard.payload_type, heard.ssrc);
        let path = Path { from: heard.from, at, via, to, payload_type, payload, ssrc };
        // A socket on all addresses does not say which one is meant.
        Some(path).filter(|path| !path.at.ip().is_unspecified() && !path.via.ip().is_unspecified())
    }

    /// Something is about to change for this port or the one it is bridged with: what comes next is
    /// relayed here.
    pub(super) fn take_back(&mut self, slot: usize) {
        let Some(kernel) = &self.kernel else { return };
        let pair = [Some(slot), self.slots.partner(slot)];
        for port in pair.into_iter().flatten().filter_map(|slot| self.slots.get(slot)) {
            if let Some(flow) = &port.offload.flow {
                kernel.leave(flow.path);
            }
        }
    }
}

fn local(port: &Port) -> Option<SocketAddr> {
    match &port.line {
        Line::Own { rtp, .. } => rtp.local_addr().ok(),
        Line::Shared(_) => None,
    }
}

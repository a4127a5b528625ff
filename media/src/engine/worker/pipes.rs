//! Streams that are passed on untouched.

use std::io;
use std::time::Instant;

use super::super::pipe::{Plane, Taken};
use super::Worker;
use super::port::Line;

impl Worker {
    /// Takes one datagram of a pipe's peer and passes it on. False when there was none.
    pub(super) fn pipe_readable(&mut self, now: Instant, slot: usize, control: bool) -> bool {
        let partner = self.slots.partner(slot);
        let Some(port) = self.slots.get_mut(slot) else { return false };
        let (Some(pipe), Line::Own { rtp, rtcp, .. }) = (&mut port.pipe, &port.line) else {
            return false;
        };
        let (socket, plane) = if control { (rtcp, Plane::Control) } else { (rtp, Plane::Media) };
        let (n, from) = match socket.recv_from(&mut self.buffer[..]) {
            Ok(received) => received,
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        };
        let counters = &port.leg.counters;
        let (length, plane) = match pipe.receive(now, (from, plane), &mut self.buffer, n) {
            Taken::Yes(length, plane) => (length, plane),
            refused => {
                match refused {
                    Taken::Stranger => counters.strangers.bump(),
                    Taken::Unauthentic => counters.srtp_failures.bump(),
                    Taken::Dropped | Taken::Yes(..) => counters.dropped.bump(),
                }
                return true;
            }
        };
        match plane {
            Plane::Media => counters.received.bump(),
            Plane::Control => counters.rtcp_received.bump(),
        }
        if let Some(other) = partner.filter(|&partner| partner != slot)
            && let Some(other) = self.slots.get_mut(other)
        {
            other.pass_on(&mut self.buffer, length, plane);
        }
        true
    }
}

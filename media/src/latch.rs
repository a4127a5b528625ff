//! Whose packets a port takes: the peer's announced address, or the first source that spoke.

use std::net::SocketAddr;

/// Closed to strangers from the first acceptable packet on; opened again only by signalling.
///
/// A peer behind a NAT announces an address it does not send from; the first source is taken then
/// ("symmetric RTP", RFC 4961). Somebody who guesses the port could be that first source, so as
/// long as the announced address has not spoken it may still take its place.
#[derive(Debug, Clone)]
pub struct Latch {
    announced: SocketAddr,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody spoke yet.
    Open,
    /// Somebody else than announced spoke first.
    Learned(SocketAddr),
    /// As learned, but its NAT may have taken another port: the next one there is learned anew.
    Reopened(SocketAddr),
    /// The announced address spoke.
    Announced,
}

impl Latch {
    /// Open, expecting `announced`.
    pub const fn new(announced: SocketAddr) -> Self {
        Self { announced, state: State::Open }
    }

    /// Whether a packet from there may be looked at.
    #[inline]
    pub fn admits(&self, from: SocketAddr) -> bool {
        match self.state {
            State::Announced => from == self.announced,
            State::Learned(peer) => from == peer || from == self.announced,
            // Another host needs a description that names it: a pause is no invitation to others.
            State::Reopened(peer) => from.ip() == peer.ip() || from == self.announced,
            State::Open => true,
        }
    }

    /// A packet from there was valid (and authentic, on a secured leg). True when that made it the
    /// peer's address.
    #[inline]
    pub fn confirm(&mut self, from: SocketAddr) -> bool {
        match self.state {
            State::Announced => false,
            State::Learned(peer) if from == peer => false,
            State::Reopened(peer) if from == peer => {
                self.state = State::Learned(peer);
                false
            }
            State::Learned(_) | State::Reopened(_) | State::Open => {
                self.state =
                    if from == self.announced { State::Announced } else { State::Learned(from) };
                true
            }
        }
    }

    /// Where to send: the latched source, before that the announced address.
    #[inline]
    pub fn target(&self) -> SocketAddr {
        match self.state {
            State::Learned(peer) | State::Reopened(peer) => peer,
            State::Open | State::Announced => self.announced,
        }
    }

    /// Signalling says that media goes on after a pause: a source that was learned may come from
    /// another port of its address now. A peer that speaks from where it said stays the only one.
    pub fn reopen(&mut self) {
        if let State::Learned(peer) = self.state {
            self.state = State::Reopened(peer);
        }
    }

    /// The peer's address, once it spoke from there; `None` while another may be learned.
    pub fn known(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learned(peer) => Some(peer),
            State::Announced => Some(self.announced),
            State::Open | State::Reopened(_) => None,
        }
    }

    /// Whether no other source will ever be admitted, so that the kernel may filter them.
    pub fn is_final(&self) -> bool {
        self.state == State::Announced
    }

    /// What signalling announced.
    pub fn announced(&self) -> SocketAddr {
        self.announced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_announced_address_closes_the_port_to_everyone_else() {
        let (peer, stranger) = (addr("192.0.2.1:4000"), addr("192.0.2.9:4000"));
        let mut latch = Latch::new(peer);
        assert!(latch.admits(peer) && latch.confirm(peer) && latch.is_final());
        assert!(!latch.confirm(peer), "told once");
        assert!(!latch.admits(stranger));
        assert!(!latch.admits(addr("192.0.2.1:4002")), "another port is another source");
        assert_eq!(latch.target(), peer);
    }

    #[test]
    fn a_peer_behind_a_nat_is_learned_and_others_stay_out() {
        let (announced, nat) = (addr("10.0.0.5:4000"), addr("203.0.113.7:61000"));
        let mut latch = Latch::new(announced);
        assert_eq!(latch.target(), announced);
        assert!(latch.admits(nat) && latch.confirm(nat));
        assert_eq!(latch.target(), nat);
        assert!(latch.admits(nat) && !latch.admits(addr("203.0.113.7:61001")));
        assert!(!latch.is_final());
    }

    #[test]
    fn an_intruder_who_came_first_loses_to_the_announced_address() {
        let (announced, intruder) = (addr("192.0.2.1:4000"), addr("198.51.100.1:9"));
        let mut latch = Latch::new(announced);
        assert!(latch.confirm(intruder));
        assert!(latch.admits(announced) && latch.confirm(announced));
        assert!(!latch.admits(intruder));
        assert_eq!(latch.target(), announced);
    }

    #[test]
    fn a_peer_behind_a_nat_may_come_from_another_port_after_a_pause() {
        let (announced, nat) = (addr("10.0.0.5:4000"), addr("203.0.113.7:61000"));
        let (moved, late) = (addr("203.0.113.7:61999"), addr("203.0.113.7:62000"));
        for next in [moved, nat] {
            let mut latch = Latch::new(announced);
            assert!(latch.confirm(nat) && !latch.admits(moved));
            latch.reopen();
            assert_eq!(latch.target(), nat, "until somebody speaks");
            assert!(!latch.admits(addr("198.51.100.7:61000")), "another host is another peer");
            assert!(latch.admits(announced), "where it said it is");
            assert!(latch.admits(next));
            assert_eq!(latch.confirm(next), next != nat);
            assert_eq!(latch.target(), next);
            assert!(!latch.admits(late), "closed again");
        }
        let mut latch = Latch::new(announced);
        latch.confirm(announced);
        latch.reopen();
        assert!(!latch.admits(moved), "who speaks from where it said needs no other place");
    }

    #[test]
    fn a_packet_that_was_not_valid_latches_nothing() {
        let mut latch = Latch::new(addr("192.0.2.1:4000"));
        assert!(latch.admits(addr("198.51.100.1:9")));
        assert!(latch.confirm(addr("192.0.2.1:4000")));
        assert!(!latch.admits(addr("198.51.100.1:9")));
    }
}

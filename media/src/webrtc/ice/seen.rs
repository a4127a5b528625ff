//! Which requests came, and from where. A request is signed and not where it comes from, so whoever has
//! heard one can send it from an address of his own.

use std::net::SocketAddr;

use super::super::stun::Transaction;

/// Requests remembered: a dozen pairs that are asked for some seconds, and a minute of consent.
const MOST: usize = 32;

/// The latest requests of the peer.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// In a ring.
    requests: Vec<(Transaction, SocketAddr)>,
    next: usize,
}

impl Seen {
    /// Whether this one came before, from elsewhere. It is remembered. The peer repeats one on the pair
    /// that it asks for (RFC 8489 §6.2.1); another pair is another transaction.
    pub(super) fn is_replayed(&mut self, transaction: Transaction, from: SocketAddr) -> bool {
        if let Some((_, first)) = self.requests.iter().find(|(known, _)| *known == transaction) {
            return *first != from;
        }
        match self.requests.get_mut(self.next) {
            Some(oldest) => *oldest = (transaction, from),
            None => self.requests.push((transaction, from)),
        }
        self.next = (self.next + 1) % MOST;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_from_elsewhere_than_first_is_replayed_and_what_is_remembered_is_bounded() {
        let [here, there] = [1, 2].map(|n| SocketAddr::from(([192, 0, 2, n], 4_000)));
        let mut seen = Seen::default();
        for n in 0..200 {
            assert!(!seen.is_replayed([n; 12], here) && !seen.is_replayed([n; 12], here));
            assert!(seen.is_replayed([n; 12], there));
        }
        assert_eq!(seen.requests.len(), MOST);
        assert!(seen.is_replayed([199 - 31; 12], there));
    }
}

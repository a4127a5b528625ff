//! How many TLS handshakes of others are under way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::Limits;

/// Counts them, in all and per source.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    per_source: HashMap<IpAddr, usize>,
}

impl Handshakes {
    /// A place for one more, held until it is dropped; `None`: there are enough.
    pub(super) fn begin(&self, source: IpAddr, limits: &Limits) -> Option<Handshake> {
        let mut counts = self.counts();
        let of_source = counts.per_source.get(&source).copied().unwrap_or(0);
        if counts.all >= limits.handshakes || of_source >= limits.handshakes_per_source {
            return None;
        }
        counts.all += 1;
        counts.per_source.insert(source, of_source + 1);
        drop(counts);
        Some(Handshake { of: self.clone(), source })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One under way.
#[derive(Debug)]
pub(super) struct Handshake {
    of: Handshakes,
    source: IpAddr,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut counts = self.of.counts();
        counts.all = counts.all.saturating_sub(1);
        match counts.per_source.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.per_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_takes_only_its_share_and_gives_it_back() {
        let limits = Limits { handshakes: 3, handshakes_per_source: 2, ..Limits::default() };
        let handshakes = Handshakes::default();
        let [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| a.parse().unwrap());
        let first = handshakes.begin(a, &limits).unwrap();
        let _second = handshakes.begin(a, &limits).unwrap();
        assert!(handshakes.begin(a, &limits).is_none());
        let _third = handshakes.begin(b, &limits).unwrap();
        assert!(handshakes.begin(c, &limits).is_none(), "enough in all");
        drop(first);
        assert!(handshakes.begin(c, &limits).is_some());
        assert_eq!(handshakes.counts().all, 2);
        assert_eq!(handshakes.counts().per_source.len(), 2);
    }
}

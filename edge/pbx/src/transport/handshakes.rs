//! How many TLS handshakes of others are under way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::Limits;
use crate::bans;

/// The part of all handshakes that is kept for phones' and trunks' sources.
const KNOWN_SHARE: usize = 4;

/// Counts them, in all and per source.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    per_source: HashMap<IpAddr, usize>,
}

impl Handshakes {
    /// A place for one more, held until it is dropped; `None`: there are enough. Some places are
    /// kept for `known` sources: strangers who take all the others must not cut them off.
    pub(super) fn begin(&self, source: IpAddr, known: bool, limits: &Limits) -> Option<Handshake> {
        // As bans do: an IPv6 host has a whole /64 to come from.
        let source = bans::group(source);
        let mut counts = self.counts();
        let of_source = counts.per_source.get(&source).copied().unwrap_or(0);
        let reserve = if known { 0 } else { limits.handshakes / KNOWN_SHARE };
        if counts.all + reserve >= limits.handshakes || of_source >= limits.handshakes_per_source {
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

    const LIMITS: Limits = Limits { handshakes: 4, handshakes_per_source: 2, ..Limits::DEFAULT };

    #[test]
    fn one_source_takes_only_its_share_and_gives_it_back() {
        let handshakes = Handshakes::default();
        let begin = |source: &str| handshakes.begin(source.parse().unwrap(), false, &LIMITS);
        let first = begin("2001:db8:1:2::1").unwrap();
        let _second = begin("2001:db8:1:2:ffff::2").unwrap();
        assert!(begin("2001:db8:1:2::3").is_none(), "one host has a whole network");
        drop(first);
        let _third = begin("2001:db8:1:2::3").unwrap();
        assert_eq!(handshakes.counts().all, 2);
        assert_eq!(handshakes.counts().per_source.len(), 1);
    }

    #[test]
    fn strangers_leave_places_for_those_who_are_known() {
        let handshakes = Handshakes::default();
        let begin = |last: u8, known| handshakes.begin([192, 0, 2, last].into(), known, &LIMITS);
        let strangers: Vec<_> = (1..=9).filter_map(|last| begin(last, false)).collect();
        assert_eq!(strangers.len(), 3);
        let _known = begin(20, true).unwrap();
        assert!(begin(21, true).is_none(), "enough in all");
    }
}

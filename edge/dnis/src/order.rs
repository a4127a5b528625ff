//! Which pair is tried first, where a backend cannot lock rows.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use jiff::Timestamp;

use crate::Pair;

/// A pair that may be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub pair: Pair,
    /// When a call last had it; the epoch when none did.
    pub idle_since: Timestamp,
}

/// The order in which an owner tries them. Those that have been idle the longest come first, so
/// that a contact that is late finds nobody at its pair; among them each owner has an order of its
/// own, so that a thousand callers do not run after one pair. An owner that tries again takes the
/// same way.
#[must_use]
pub fn candidates(owner: &str, mut free: Vec<Candidate>) -> Vec<Pair> {
    free.sort_by(|a, b| (a.idle_since, &a.pair).cmp(&(b.idle_since, &b.pair)));
    let late = free.split_off(free.len().div_ceil(2));
    let mut order = Vec::with_capacity(free.len() + late.len());
    for mut half in [free, late] {
        half.sort_by_cached_key(|candidate| rank(owner, &candidate.pair));
        order.extend(half.into_iter().map(|candidate| candidate.pair));
    }
    order
}

/// Rendezvous hashing: the same for the same two, spread evenly over all others.
fn rank(owner: &str, pair: &Pair) -> u64 {
    let mut hasher = DefaultHasher::new();
    (owner, pair).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: usize) -> Vec<Candidate> {
        (0..count)
            .map(|n| Candidate {
                pair: Pair::new(format!("+1800555{n:04}"), "+12065550100"),
                idle_since: Timestamp::UNIX_EPOCH,
            })
            .collect()
    }

    #[test]
    fn an_owner_takes_the_same_way_each_time_and_others_take_others() {
        let first = candidates("a", pool(64));
        assert_eq!(first, candidates("a", pool(64)));
        let mut heads: Vec<Pair> =
            (0..64).filter_map(|n| candidates(&n.to_string(), pool(64)).first().cloned()).collect();
        heads.sort();
        heads.dedup();
        assert!(heads.len() > 12, "{} different ones", heads.len());
    }

    #[test]
    fn what_was_used_last_is_tried_last() {
        let mut free = pool(9);
        for (n, candidate) in free.iter_mut().enumerate() {
            candidate.idle_since = Timestamp::from_second(100 - i64::try_from(n).unwrap()).unwrap();
        }
        let used_last: Vec<Pair> = free.iter().take(4).map(|c| c.pair.clone()).collect();
        for owner in ["a", "b", "c", "d"] {
            let order = candidates(owner, free.clone());
            assert_eq!(order.len(), 9);
            assert!(order.iter().skip(5).all(|pair| used_last.contains(pair)), "{owner}");
        }
        assert!(candidates("a", Vec::new()).is_empty());
    }
}

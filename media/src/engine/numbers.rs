//! Which port numbers are free.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Hands out even ports of a range, each with the odd one after it.
///
/// The start is random and the next free pair follows, so that a number comes back as late as
/// possible; a released one also drains first.
#[derive(Debug)]
pub(super) struct PortNumbers {
    first: u16,
    pairs: usize,
    max_open: usize,
    drain: Duration,
    open: usize,
    by_address: HashMap<IpAddr, Pool>,
}

#[derive(Debug)]
struct Pool {
    pairs: Vec<Pair>,
    cursor: usize,
    draining: VecDeque<(Instant, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pair {
    Free,
    Open,
    Draining,
}

impl PortNumbers {
    pub(super) fn new(range: &RangeInclusive<u16>, max_open: usize, drain: Duration) -> Self {
        let first = range.start().saturating_add(range.start() & 1);
        let pairs = usize::from(range.end().saturating_sub(first)).div_ceil(2);
        // Port 0 means "any" to the system.
        let (first, pairs) = if first == 0 { (2, pairs.saturating_sub(1)) } else { (first, pairs) };
        Self { first, pairs, max_open, drain, open: 0, by_address: HashMap::new() }
    }

    /// Pairs given out.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Pairs of the range.
    pub(super) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Takes the next free pair; returns the even port.
    pub(super) fn take(&mut self, now: Instant, ip: IpAddr, random: usize) -> Option<u16> {
        if self.open >= self.max_open || self.pairs == 0 {
            return None;
        }
        let pairs = self.pairs;
        let pool = self.by_address.entry(ip).or_insert_with(|| Pool {
            pairs: vec![Pair::Free; pairs],
            cursor: random % pairs,
            draining: VecDeque::new(),
        });
        while let Some(&(until, index)) = pool.draining.front() {
            if until > now {
                break;
            }
            pool.draining.pop_front();
            if let Some(pair) = pool.pairs.get_mut(index) {
                *pair = Pair::Free;
            }
        }
        let index = (0..pairs)
            .map(|i| (pool.cursor + i) % pairs)
            .find(|&i| pool.pairs.get(i) == Some(&Pair::Free))?;
        *pool.pairs.get_mut(index)? = Pair::Open;
        pool.cursor = (index + 1) % pairs;
        self.open += 1;
        // The index is below the number of pairs of a u16 range.
        Some(self.first + (index as u16) * 2)
    }

    /// Gives a pair back; it drains first.
    pub(super) fn release(&mut self, now: Instant, ip: IpAddr, port: u16) {
        let index = usize::from(port.saturating_sub(self.first) / 2);
        let Some(pool) = self.by_address.get_mut(&ip) else { return };
        if let Some(pair) = pool.pairs.get_mut(index).filter(|pair| **pair == Pair::Open) {
            *pair = Pair::Draining;
            pool.draining.push_back((now + self.drain, index));
            self.open = self.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn numbers(range: RangeInclusive<u16>) -> PortNumbers {
        PortNumbers::new(&range, 100, Duration::from_secs(2))
    }

    #[test]
    fn only_whole_pairs_of_the_range_are_given() {
        let now = Instant::now();
        for (range, count) in [
            (10..=15, 3),
            (11..=15, 2),
            (10..=14, 2),
            (10..=10, 0),
            (0..=5, 2),
            (65_534..=65_535, 1),
        ] {
            let mut n = numbers(range.clone());
            let mut got: Vec<_> = std::iter::from_fn(|| n.take(now, IP, 1)).collect();
            got.sort_unstable();
            got.dedup();
            assert_eq!(got.len(), count, "{range:?} {got:?}");
            assert!(
                got.iter().all(|p| p % 2 == 0 && range.contains(p) && range.contains(&(p + 1)))
            );
        }
    }

    #[test]
    fn a_released_pair_drains_before_it_is_given_again() {
        let now = Instant::now();
        let mut n = numbers(10..=13);
        let a = n.take(now, IP, 0).unwrap();
        n.take(now, IP, 0).unwrap();
        n.release(now, IP, a);
        n.release(now, IP, a);
        assert_eq!(n.open(), 1);
        assert_eq!(n.take(now + Duration::from_millis(1999), IP, 0), None);
        assert_eq!(n.take(now + Duration::from_secs(2), IP, 0), Some(a));
    }

    #[test]
    fn no_more_than_allowed_are_open() {
        let now = Instant::now();
        let mut n = PortNumbers::new(&(100..=200), 2, Duration::ZERO);
        let a = n.take(now, IP, 0).unwrap();
        n.take(now, IP, 0).unwrap();
        assert_eq!(n.take(now, IP, 0), None);
        n.release(now, IP, a);
        assert!(n.take(now, IP, 0).is_some());
    }
}

//! What happens when the tables are full.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::ServerTx;
use super::server::Server;

/// Counts the 503 of the running second, so that a flood is not answered by a flood.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    count: u32,
}

impl Refusals {
    pub(super) fn allow(&mut self, now: Instant, per_second: u32) -> bool {
        let fresh = self.since.is_none_or(|since| now >= since + Duration::from_secs(1));
        if fresh {
            self.since = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= per_second
    }
}

/// Answered non-INVITE transactions and refused INVITEs in the order in which they were answered.
/// When the table is full the oldest are forgotten before their Timer J or H.
#[derive(Debug, Default)]
pub(super) struct Lingering(VecDeque<(Instant, ServerTx)>);

impl Lingering {
    pub(super) fn push(&mut self, now: Instant, tx: ServerTx) {
        self.0.push_back((now, tx));
    }

    /// Takes the oldest one out, if it has lingered for `age`.
    pub(super) fn evict(
        &mut self,
        now: Instant,
        age: Duration,
        servers: &HashMap<ServerTx, Server>,
    ) -> Option<ServerTx> {
        self.trim(servers);
        let (since, _) = self.0.front()?;
        if *since + age > now {
            return None;
        }
        self.0.pop_front().map(|(_, tx)| tx)
    }

    /// Drops those at the head that have gone by themselves.
    pub(super) fn trim(&mut self, servers: &HashMap<ServerTx, Server>) {
        while self.0.front().is_some_and(|(_, tx)| !servers.contains_key(tx)) {
            self.0.pop_front();
        }
    }
}

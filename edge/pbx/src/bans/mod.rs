//! Counts failures per source and shuts offenders out for a while.
//!
//! > A banned source is dropped before a byte of it is parsed; a trunk's peer and an operator's
//! > range never are. Going without credentials once is how digest begins and counts for nothing.
//!
//! Anybody can write anybody's address into a datagram. So nobody who has a phone here is shut out
//! for datagrams that prove nothing about their sender, and what is no SIP counts on connections
//! only. A wrong password is proof: its nonce was given to that very address.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use offhook_config::IpNet;
use offhook_sip::flow::{Flow, Transport};
use tokio::time::Instant;

use crate::keep::{self, Ban, KeepError};
use crate::metrics::Metrics;

/// Sources whose failures are counted at a time. The oldest make room.
const MAX_SUSPECTS: usize = 16_384;
/// Sources banned at a time. When full, those that end first make room.
const MAX_BANNED: usize = 16_384;

/// What a source did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Wrong password, or no such user.
    Credentials,
    /// What it sends is no SIP, or broken SIP.
    Malformed,
    /// Gives itself away as a scanner.
    Scanner,
    /// Wants to call without being known.
    Stranger,
}

impl Offence {
    /// In words, for the list of bans.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Credentials => "wrong password or unknown user",
            Self::Malformed => "messages that are no SIP",
            Self::Scanner => "calls itself by a scanner's name",
            Self::Stranger => "calls without credentials",
        }
    }

    /// How many failures it counts for. A scanner needs no second look.
    fn weight(self) -> u32 {
        match self {
            Self::Credentials | Self::Malformed | Self::Stranger => 1,
            Self::Scanner => u32::MAX,
        }
    }
}

/// Limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// This many failures within `window` ban a source; 0: nobody is ever banned.
    pub failures: u32,
    /// Span over which failures are counted.
    pub window: Duration,
    /// For how long.
    pub ban: Duration,
    /// Operator ranges that are never banned.
    pub never: Vec<IpNet>,
}

impl From<&offhook_config::Bans> for Policy {
    fn from(config: &offhook_config::Bans) -> Self {
        Self {
            failures: config.failures,
            window: config.window,
            ban: config.ban,
            never: config.never.clone(),
        }
    }
}

/// Something happened to a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanEvent {
    /// A source is shut out.
    Began(Ban),
    /// Its time is over.
    Ended(IpAddr),
    /// The operator lifted it.
    Lifted(IpAddr),
}

type Listener = Box<dyn Fn(&BanEvent) + Send + Sync>;

/// The table. Cheap to clone; every call is short and waits for nothing.
#[derive(Clone)]
pub struct Bans(Arc<Shared>);

struct Shared {
    table: Mutex<Table>,
    /// Mirrors the number of bans, so that the usual case costs one load per packet.
    banned: AtomicUsize,
    keep: Option<Arc<dyn keep::Bans>>,
    metrics: Arc<Metrics>,
    listener: Option<Listener>,
}

struct Table {
    policy: Policy,
    trunks: Vec<IpNet>,
    suspects: HashMap<IpAddr, Suspect>,
    /// Sources that phones are registered from, and how many: at most as many as there are
    /// bindings.
    phones: HashMap<IpAddr, usize>,
    banned: HashMap<IpAddr, Banned>,
}

struct Suspect {
    failures: u32,
    since: Instant,
}

struct Banned {
    ban: Ban,
    until: Instant,
}

impl std::fmt::Debug for Bans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bans").field("banned", &self.0.banned).finish_non_exhaustive()
    }
}

impl Bans {
    /// An empty table. `keep`: where bans survive a restart.
    pub fn new(
        policy: Policy,
        keep: Option<Arc<dyn keep::Bans>>,
        metrics: Arc<Metrics>,
        listener: Option<Listener>,
    ) -> Self {
        let table = Table {
            policy,
            trunks: Vec::new(),
            suspects: HashMap::new(),
            phones: HashMap::new(),
            banned: HashMap::new(),
        };
        Self(Arc::new(Shared {
            table: Mutex::new(table),
            banned: AtomicUsize::new(0),
            keep,
            metrics,
            listener,
        }))
    }

    /// Takes up the bans of before a restart.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn load(&self) -> Result<(), KeepError> {
        let Some(keep) = &self.0.keep else {
            return Ok(());
        };
        let (wall, now) = (SystemTime::now(), Instant::now());
        for ban in keep.load_bans().await?.into_iter().take(MAX_BANNED) {
            let Ok(left) = ban.until.duration_since(wall) else { continue };
            let mut table = self.table();
            if !table.exempt(ban.source) {
                table.banned.insert(ban.source, Banned { ban, until: now + left });
            }
            self.count(&table);
        }
        Ok(())
    }

    /// A new policy, by a reload. Bans of ranges that are now exempt end.
    pub fn set_policy(&self, policy: Policy) {
        let mut table = self.table();
        table.policy = policy;
        self.drop_exempt(table);
    }

    /// Ranges and addresses of trunks' peers: never banned.
    pub fn set_trunk_networks(&self, networks: Vec<IpNet>) {
        let mut table = self.table();
        table.trunks = networks;
        self.drop_exempt(table);
    }

    fn drop_exempt(&self, mut table: MutexGuard<'_, Table>) {
        let freed: Vec<_> =
            table.banned.keys().copied().filter(|source| table.exempt(*source)).collect();
        for source in &freed {
            table.banned.remove(source);
        }
        self.count(&table);
        drop(table);
        for source in freed {
            self.forget(source);
            self.tell(&BanEvent::Lifted(source));
        }
    }

    /// Whether packets of this source are dropped.
    pub fn is_banned(&self, source: IpAddr) -> bool {
        if self.0.banned.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let (exact, source) = (source, group(source));
        let mut table = self.table();
        match table.banned.get(&source) {
            None => false,
            // One host of an IPv6 network may be exempt, and its neighbours are not.
            Some(_) if table.exempt(exact) => false,
            Some(banned) if banned.until > Instant::now() => true,
            Some(_) => {
                table.banned.remove(&source);
                self.count(&table);
                drop(table);
                self.forget(source);
                self.tell(&BanEvent::Ended(source));
                false
            }
        }
    }

    /// Counts a failure of whoever sent something over `flow`, as far as its address is believed.
    pub fn failure_over(&self, flow: &Flow, offence: Offence) {
        let source = flow.remote.ip();
        let claimed = flow.transport == Transport::Udp && offence != Offence::Credentials;
        if claimed && (offence == Offence::Malformed || self.has_phone(source)) {
            return;
        }
        self.failure(source, offence);
    }

    /// A phone registered from this source.
    pub(crate) fn phone_came(&self, source: IpAddr) {
        *self.table().phones.entry(group(source)).or_default() += 1;
    }

    /// One phone less is registered from this source.
    pub(crate) fn phone_left(&self, source: IpAddr) {
        let source = group(source);
        let mut table = self.table();
        match table.phones.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                table.phones.remove(&source);
            }
        }
    }

    fn has_phone(&self, source: IpAddr) -> bool {
        self.table().phones.contains_key(&group(source))
    }

    /// Counts a failure; bans the source when it was one too many.
    pub(crate) fn failure(&self, source: IpAddr, offence: Offence) {
        let (exact, source) = (source, group(source));
        let now = Instant::now();
        let mut table = self.table();
        if table.policy.failures == 0 || table.exempt(exact) {
            return;
        }
        let failures = table.suspect(source, offence, now);
        if failures < table.policy.failures {
            return;
        }
        let since = SystemTime::now();
        let length = table.policy.ban;
        let reason = offence.reason().to_owned();
        let ban = Ban { source, reason, failures, since, until: since + length };
        table.suspects.remove(&source);
        table.make_room(now);
        table.banned.insert(source, Banned { ban: ban.clone(), until: now + length });
        self.count(&table);
        drop(table);
        if let Some(keep) = &self.0.keep {
            let kept = keep.put_ban(ban.clone());
            spawn_logged(kept, "a ban could not be kept");
        }
        self.tell(&BanEvent::Began(ban));
    }

    /// Right credentials: earlier failures are forgiven.
    pub fn success(&self, source: IpAddr) {
        let mut table = self.table();
        if !table.suspects.is_empty() {
            table.suspects.remove(&group(source));
        }
    }

    /// All in force, the newest first.
    pub fn list(&self) -> Vec<Ban> {
        let now = Instant::now();
        let table = self.table();
        let in_force = table.banned.values().filter(|b| b.until > now);
        let mut bans: Vec<_> = in_force.map(|b| b.ban.clone()).collect();
        bans.sort_by_key(|ban| std::cmp::Reverse(ban.since));
        bans
    }

    /// Lifts a ban; `false` when there was none. What was counted is forgotten too.
    pub fn lift(&self, source: IpAddr) -> bool {
        let source = group(source);
        let mut table = self.table();
        table.suspects.remove(&source);
        let was = table.banned.remove(&source).is_some();
        self.count(&table);
        drop(table);
        if was {
            self.forget(source);
            self.tell(&BanEvent::Lifted(source));
        }
        was
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, table: &Table) {
        self.0.banned.store(table.banned.len(), Ordering::Relaxed);
        self.0.metrics.bans.set(table.banned.len() as u64);
    }

    fn forget(&self, source: IpAddr) {
        if let Some(keep) = &self.0.keep {
            spawn_logged(keep.remove_ban(source), "a ban that ended could not be removed");
        }
    }

    fn tell(&self, event: &BanEvent) {
        if let Some(listener) = &self.0.listener {
            listener(event);
        }
    }
}

impl Table {
    fn exempt(&self, source: IpAddr) -> bool {
        self.policy.never.iter().chain(&self.trunks).any(|net| net.contains(source))
    }

    fn suspect(&mut self, source: IpAddr, offence: Offence, now: Instant) -> u32 {
        let window = self.policy.window;
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&source) {
            self.suspects.retain(|_, s| now - s.since < window);
            if self.suspects.len() > MAX_SUSPECTS / 2 {
                // A flood from more sources than that: starting anew bounds memory and time, and
                // the sources that go on are counted again.
                self.suspects.clear();
            }
        }
        let suspect = self.suspects.entry(source).or_insert(Suspect { failures: 0, since: now });
        if now - suspect.since >= window {
            *suspect = Suspect { failures: 0, since: now };
        }
        suspect.failures = suspect.failures.saturating_add(offence.weight());
        suspect.failures
    }

    fn make_room(&mut self, now: Instant) {
        if self.banned.len() < MAX_BANNED {
            return;
        }
        self.banned.retain(|_, b| b.until > now);
        if self.banned.len() > MAX_BANNED / 2 {
            // Half at once, so that a flood does not pay for the search each time.
            let mut ends: Vec<_> = self.banned.values().map(|b| b.until).collect();
            let middle = ends.len() / 2;
            let (_, median, _) = ends.select_nth_unstable(middle);
            let median = *median;
            self.banned.retain(|_, b| b.until > median);
        }
    }
}

/// An IPv6 host has a whole /64 to call from: it is counted as one.
fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn spawn_logged(kept: keep::Kept<()>, what: &'static str) {
    // Without a runtime (a plain test) there is nothing to keep it with.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        if let Err(error) = kept.await {
            tracing::warn!(%error, "{what}");
        }
    });
}

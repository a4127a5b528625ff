//! Counts failures per source and shuts offenders out for a while.
//!
//! > A banned source is dropped before a byte of it is parsed; a trunk's peer and an operator's
//! > range never are. Going without credentials once is how digest begins and counts for nothing.
//!
//! Anybody can write anybody's address into a datagram. So nobody who has a phone here is shut out
//! for datagrams that prove nothing about their sender, and what is no SIP counts on connections
//! only. A wrong password is proof: its nonce was given to that very address.
//!
//! Many phones may share one address. As long as any of them is registered, wrong passwords shut
//! out the user they were for, from that address, and neither the address nor its other phones.

pub(crate) mod noise;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use offhook_config::IpNet;
use offhook_sip::flow::{Flow, Transport};
use tokio::time::Instant;

pub use self::table::group;
use self::table::{Banned, MAX_BANNED, Table};
use crate::keep::{self, Ban, KeepError};
use crate::mask::mask;
use crate::metrics::Metrics;

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
        Self(Arc::new(Shared {
            table: Mutex::new(Table::new(policy)),
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
        for mut ban in keep.load_bans().await?.into_iter().take(MAX_BANNED) {
            let Ok(left) = ban.until.duration_since(wall) else { continue };
            let mut table = self.table();
            // A clock that was ahead, or now stands in the past, shuts nobody out for years.
            let left = left.min(table.policy.ban);
            ban.until = wall + left;
            if !table.exempt(ban.source) {
                table.banned.insert(ban.source, Banned { ban, until: now + left, kept: true });
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
        if table.banned.is_empty() {
            return;
        }
        let freed: Vec<_> =
            table.banned.keys().copied().filter(|source| table.exempt(*source)).collect();
        let freed: Vec<_> = freed.iter().filter_map(|source| table.banned.remove(source)).collect();
        self.count(&table);
        drop(table);
        for banned in freed {
            self.ended(&banned, BanEvent::Lifted);
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
                let banned = table.banned.remove(&source);
                self.count(&table);
                drop(table);
                if let Some(banned) = banned {
                    self.ended(&banned, BanEvent::Ended);
                }
                false
            }
        }
    }

    /// Counts a failure of whoever sent something over `flow`, as far as its address is believed.
    pub fn failure_over(&self, flow: &Flow, offence: Offence) {
        let source = flow.remote.ip();
        let claimed = flow.transport == Transport::Udp;
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

    /// Whether phones or a trunk's peers are there, or the operator never bans it.
    pub(crate) fn is_known(&self, source: IpAddr) -> bool {
        let table = self.table();
        table.phones.contains_key(&group(source)) || table.exempt(source)
    }

    pub(crate) fn has_phone(&self, source: IpAddr) -> bool {
        self.table().phones.contains_key(&group(source))
    }

    /// Somebody wants to call without saying who he is. That is how digest begins, and the same
    /// `attempt` counts once however often it is sent (RFC 3261 §17.1.1.2, Timer A).
    pub(crate) fn stranger(&self, flow: &Flow, attempt: u64) {
        let exact = flow.remote.ip();
        if flow.transport == Transport::Udp && self.has_phone(exact) {
            return;
        }
        let (source, now) = (group(exact), Instant::now());
        let mut table = self.table();
        if table.is_trusted(exact) {
            return;
        }
        if let Some(failures) = table.stranger(source, attempt, now) {
            self.ban_if_too_many(table, source, Offence::Stranger, failures);
        }
    }

    /// A wrong password for this user, or (`None`) for nobody we know. It bans the source; where
    /// phones are registered, this user is refused from there and nobody else.
    pub(crate) fn wrong_password(&self, exact: IpAddr, user: Option<&str>) {
        let (source, now) = (group(exact), Instant::now());
        let user = user.unwrap_or_default();
        let mut table = self.table();
        if table.is_trusted(exact) || is_refused(&table, source, user, now) {
            return;
        }
        let (failures, of_user) = table.guess(source, user, now);
        if of_user >= table.policy.failures
            && table.phones.contains_key(&source)
            && table.refuse(source, user, now)
        {
            let length = table.policy.ban;
            drop(table);
            tracing::warn!(%source, user = %mask(user), ?length, "too many wrong passwords: this \
                user is refused from there for a while, the phones there are not");
            return;
        }
        self.ban_if_too_many(table, source, Offence::Credentials, failures);
    }

    /// Whether not even the right password lets this user in from there.
    pub(crate) fn is_refused(&self, exact: IpAddr, user: &str) -> bool {
        let table = self.table();
        !table.refused.is_empty()
            && !table.is_trusted(exact)
            && is_refused(&table, group(exact), user, Instant::now())
    }

    /// The right password: what this user and strangers did before is forgiven.
    pub(crate) fn right_password(&self, source: IpAddr, user: &str) {
        let mut table = self.table();
        if !table.suspects.is_empty() {
            table.forgive(group(source), user);
        }
    }

    /// Counts a failure; bans the source when it was one too many.
    pub(crate) fn failure(&self, exact: IpAddr, offence: Offence) {
        let source = group(exact);
        let mut table = self.table();
        if table.is_trusted(exact) {
            return;
        }
        let failures = table.fail(source, offence, Instant::now());
        self.ban_if_too_many(table, source, offence, failures);
    }

    fn ban_if_too_many(
        &self,
        mut table: MutexGuard<'_, Table>,
        source: IpAddr,
        offence: Offence,
        failures: u32,
    ) {
        if failures < table.policy.failures {
            return;
        }
        let (now, since) = (Instant::now(), SystemTime::now());
        let length = table.policy.ban;
        let reason = offence.reason().to_owned();
        let ban = Ban { source, reason, failures, since, until: since + length };
        table.suspects.remove(&source);
        table.make_room(now);
        let kept = table.budget.take();
        table.banned.insert(source, Banned { ban: ban.clone(), until: now + length, kept });
        self.count(&table);
        drop(table);
        if !kept {
            return;
        }
        if let Some(keep) = &self.0.keep {
            let kept = keep.put_ban(ban.clone());
            spawn_logged(kept, "a ban could not be kept");
        }
        self.tell(&BanEvent::Began(ban));
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

    /// Lifts a ban, and lets users in who were refused from there; `false` when there was neither.
    /// What was counted is forgotten too.
    pub fn lift(&self, source: IpAddr) -> bool {
        let source = group(source);
        let mut table = self.table();
        table.suspects.remove(&source);
        let users = table.refused.len();
        table.refused.retain(|(refused, _), _| *refused != source);
        let were_refused = table.refused.len() < users;
        let was = table.banned.remove(&source);
        self.count(&table);
        drop(table);
        if let Some(banned) = &was {
            self.ended(banned, BanEvent::Lifted);
        }
        was.is_some() || were_refused
    }

    /// Whether the journal can bear one more line about a source, and how many were left out
    /// since the last one: an attempt is a line, a scanner is not a full disk.
    pub(crate) fn worth_a_line(&self, source: IpAddr) -> Option<u64> {
        self.table().noise.worth_a_line(source)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, table: &Table) {
        self.0.banned.store(table.banned.len(), Ordering::Relaxed);
        self.0.metrics.bans.set(table.banned.len() as u64);
    }

    fn ended(&self, banned: &Banned, how: fn(IpAddr) -> BanEvent) {
        if !banned.kept {
            return;
        }
        let source = banned.ban.source;
        if let Some(keep) = &self.0.keep {
            spawn_logged(keep.remove_ban(source), "a ban that ended could not be removed");
        }
        self.tell(&how(source));
    }

    fn tell(&self, event: &BanEvent) {
        if let Some(listener) = &self.0.listener {
            listener(event);
        }
    }
}

fn is_refused(table: &Table, source: IpAddr, user: &str, now: Instant) -> bool {
    !table.refused.is_empty()
        && table.refused.get(&(source, user.into())).is_some_and(|until| *until > now)
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

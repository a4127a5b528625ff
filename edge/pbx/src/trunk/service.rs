//! Selection by order and health, and the state of each trunk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use offhook_config::{Trunk, TrunkKind};
use offhook_sip::digest::{self, Secret};
use offhook_sip::ids::Ids;
use offhook_sip::uri::Uri;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::line::{CallSlot, Line};
use super::{Peers, health, register};
use crate::bans::Bans;
use crate::metrics::Metrics;
use crate::resolve::Locator;
use crate::stack::{SipHandle, Target};

/// How often a name is looked at again; the cache keeps to the time to live.
const REFRESH: Duration = Duration::from_secs(30);

/// What all trunks share.
#[derive(Clone, Debug, Default)]
pub struct TrunkConfig {
    /// Text of User-Agent.
    pub user_agent: String,
}

/// One way to call out.
#[derive(Clone, Debug)]
pub struct TrunkTarget {
    /// The trunk.
    pub trunk: Arc<Trunk>,
    /// Request-URI for the number asked for.
    pub uri: Uri,
    /// Where to send it.
    pub target: Target,
    /// Whether it answers, as far as we know.
    pub up: bool,
    /// Takes one of the calls the trunk may carry; keep it as long as the call.
    pub slot: CallSlot,
}

impl TrunkTarget {
    /// What answers the trunk's challenges; `None`: it has no credentials.
    pub fn digest(&self, ids: Ids) -> Option<digest::Client> {
        client(&self.trunk, ids)
    }
}

pub(super) fn client(trunk: &Trunk, ids: Ids) -> Option<digest::Client> {
    let credentials = trunk.credentials.as_ref()?;
    let password = Secret::Password(credentials.password.expose().into());
    Some(digest::Client::new(&credentials.username, password, ids))
}

/// State of a trunk, for the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Name.
    pub name: String,
    /// Whether it answers; `None`: not asked.
    pub up: Option<bool>,
    /// Since when it is so.
    pub since: Option<SystemTime>,
    /// What the last answer or failure was: `200 OK`, `no answer`.
    pub last: Option<String>,
    /// Whether we are registered with it; `None`: not wanted.
    pub registered: Option<bool>,
    /// What the last registration gave.
    pub registration: Option<String>,
    /// Calls out that it carries.
    pub calls: usize,
}

/// All trunks. Cheap to clone.
#[derive(Clone)]
pub struct Trunks(Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: TrunkConfig,
    pub(super) sip: SipHandle,
    locator: Arc<Locator>,
    pub(super) peers: Peers,
    bans: Bans,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trunks: Vec<Kept>,
    lines: HashMap<Box<str>, Arc<Line>>,
    ids: Option<Ids>,
}

/// One trunk, what is known of it, and its tasks.
struct Kept {
    trunk: Arc<Trunk>,
    status: TrunkStatus,
    line: Arc<Line>,
    tasks: Vec<JoinHandle<()>>,
    registration: Option<Leaver>,
}

/// The task that keeps a registration, and how to tell it that we go.
struct Leaver {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Kept {
    /// Takes the registration back; what is given ends when that is done.
    fn leave(&mut self) -> Option<JoinHandle<()>> {
        let Leaver { stop, task } = self.registration.take()?;
        let _ = stop.send(());
        Some(task)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(registration) = &self.registration {
            registration.task.abort();
        }
    }
}

impl std::fmt::Debug for Trunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunks").finish_non_exhaustive()
    }
}

impl Trunks {
    /// No trunks yet: see [`Trunks::set`].
    pub fn new(
        config: TrunkConfig,
        sip: SipHandle,
        locator: Arc<Locator>,
        peers: Peers,
        bans: Bans,
        metrics: Arc<Metrics>,
        ids: Ids,
    ) -> Self {
        let state = Mutex::new(State { ids: Some(ids), ..State::default() });
        Self(Arc::new(Inner { config, sip, locator, peers, bans, metrics, state }))
    }

    /// Takes the trunks of a configuration; starts tasks for what is new or changed and ends those
    /// of what is gone. An unchanged trunk keeps its state.
    pub fn set(&self, trunks: &[Trunk]) {
        let inner = &self.0;
        let mut guard = inner.state();
        let state = &mut *guard;
        let mut old = std::mem::take(&mut state.trunks);
        for trunk in trunks {
            if let Some(at) = old.iter().position(|kept| *kept.trunk == *trunk) {
                let kept = old.swap_remove(at);
                state.trunks.push(kept);
                continue;
            }
            let trunk = Arc::new(trunk.clone());
            let kept = self.start(state, trunk);
            state.trunks.push(kept);
        }
        for mut gone in old {
            // One that was changed and registers as before must not take the new contact back.
            let ours = account(&gone.trunk).map(|(at, user)| (at.clone(), user.to_owned()));
            let ours = ours.as_ref().map(|(at, user)| (at, user.as_str()));
            if ours.is_some() && trunks.iter().all(|new| account(new) != ours) {
                gone.leave();
            }
        }
        let trunks = &state.trunks;
        state.lines.retain(|name, line| {
            Arc::strong_count(line) > 1 || trunks.iter().any(|kept| *kept.trunk.name == **name)
        });
        let all = state.trunks.iter().map(|kept| Arc::clone(&kept.trunk)).collect();
        drop(guard);
        inner.peers.set_trunks(all);
        inner.bans.set_trunk_networks(inner.peers.networks());
        inner.count();
    }

    fn start(&self, state: &mut State, trunk: Arc<Trunk>) -> Kept {
        let wants = matches!(&trunk.kind, TrunkKind::Generic { register: Some(_), .. });
        let status = TrunkStatus {
            name: trunk.name.clone(),
            up: None,
            since: None,
            last: None,
            registered: wants.then_some(false),
            registration: None,
            calls: 0,
        };
        let line = Arc::clone(state.lines.entry(trunk.name.as_str().into()).or_default());
        // What a health check found of the trunk as it was says nothing about this one.
        line.set_down(false);
        let mut tasks = Vec::new();
        let mut registration = None;
        let me = Arc::downgrade(&self.0);
        let mut ids = || {
            let seed = state.ids.as_mut().map_or([0; 8], Ids::bytes);
            Ids::from_seed(u64::from_le_bytes(seed))
        };
        if let Some(interval) = trunk.options {
            let line = Arc::clone(&line);
            let task = health::watch(me.clone(), Arc::clone(&trunk), line, interval, ids());
            tasks.push(tokio::spawn(task));
        }
        if wants {
            let (stop, stopped) = oneshot::channel();
            let task = register::keep(me.clone(), Arc::clone(&trunk), ids(), stopped);
            registration = Some(Leaver { stop, task: tokio::spawn(task) });
        }
        if trunk.host.ip().is_none() {
            tasks.push(tokio::spawn(resolve(me, Arc::clone(&trunk))));
        }
        Kept { trunk, status, line, tasks, registration }
    }

    /// At an orderly end: takes our registrations back, so that carriers send no calls to where
    /// nobody is any more (RFC 3261 §10.2.2). Ends after `patience` at the latest; there are no
    /// trunks from then on.
    pub async fn close(&self, patience: Duration) {
        let mut trunks = std::mem::take(&mut self.0.state().trunks);
        let leaving: Vec<_> = trunks.iter_mut().filter_map(Kept::leave).collect();
        drop(trunks);
        let _ = tokio::time::timeout(patience, join_all(leaving)).await;
    }

    /// Who is a peer.
    pub fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// A trunk by name.
    pub fn get(&self, name: &str) -> Option<Arc<Trunk>> {
        let state = self.0.state();
        state.trunks.iter().find(|k| k.trunk.name == name).map(|k| Arc::clone(&k.trunk))
    }

    /// Ways out for a number (E.164, or a service number as dialled), best first: those that
    /// answer or were not asked, by `order`; then those that are down, since they may be back; then
    /// those that carry all the calls they may, for who has to say why a call failed, or may go
    /// beyond ([`CallSlot::take`]).
    pub fn select(&self, number: &str) -> Vec<TrunkTarget> {
        let state = self.0.state();
        let usable = state.trunks.iter().filter(|k| k.trunk.outbound);
        let mut targets: Vec<_> = usable.filter_map(|k| target(k, number)).collect();
        targets.sort_by_key(|t| (t.slot.is_full(), !t.up, t.trunk.order));
        targets
    }

    /// The way out over one trunk, whatever its health.
    pub fn select_named(&self, name: &str, number: &str) -> Option<TrunkTarget> {
        let state = self.0.state();
        target(state.trunks.iter().find(|k| k.trunk.name == name)?, number)
    }

    /// A slot for a call that came in over a trunk, which proves that the trunk is there.
    pub fn slot(&self, trunk: &Trunk) -> CallSlot {
        let line = {
            let mut state = self.0.state();
            Arc::clone(state.lines.entry(trunk.name.as_str().into()).or_default())
        };
        line.heard();
        slot(trunk, line)
    }

    /// The state of all, in the order of the configuration.
    pub fn status(&self) -> Vec<TrunkStatus> {
        let state = self.0.state();
        let with_calls = |k: &Kept| TrunkStatus { calls: k.line.calls(), ..k.status.clone() };
        state.trunks.iter().map(with_calls).collect()
    }
}

fn slot(trunk: &Trunk, line: Arc<Line>) -> CallSlot {
    CallSlot::new(line, trunk.max_calls.unwrap_or(usize::MAX))
}

fn target(kept: &Kept, number: &str) -> Option<TrunkTarget> {
    let uri: Uri = kept.trunk.request_uri(number).parse().ok()?;
    let slot = slot(&kept.trunk, Arc::clone(&kept.line));
    let up = kept.status.up != Some(false) && kept.status.registered != Some(false);
    let target = Target::Uri(uri.clone());
    Some(TrunkTarget { trunk: Arc::clone(&kept.trunk), uri, target, up, slot })
}

/// Where a trunk registers, and as whom.
fn account(trunk: &Trunk) -> Option<(&offhook_config::HostPort, &str)> {
    let TrunkKind::Generic { register: Some(register), .. } = &trunk.kind else { return None };
    let user = trunk.credentials.as_ref().map_or(trunk.name.as_str(), |c| &c.username);
    Some((&register.registrar, user))
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_status(&self, trunk: &Arc<Trunk>, change: impl FnOnce(&mut TrunkStatus)) {
        let mut state = self.state();
        // A task that is about to be ended must not write into its successor's state.
        let same = |k: &&mut Kept| Arc::ptr_eq(&k.trunk, trunk);
        if let Some(kept) = state.trunks.iter_mut().find(same) {
            change(&mut kept.status);
        }
    }

    /// What a health check found.
    pub(super) fn health(&self, trunk: &Arc<Trunk>, up: bool, last: String) {
        self.with_status(trunk, |status| {
            if status.up != Some(up) {
                if status.up.is_some() || !up {
                    tracing::warn!(trunk = %trunk.name, up, last, "trunk");
                }
                status.up = Some(up);
                status.since = Some(SystemTime::now());
            }
            status.last = Some(last);
        });
        self.count();
    }

    /// What a registration gave.
    pub(super) fn registration(&self, trunk: &Arc<Trunk>, registered: bool, last: String) {
        self.with_status(trunk, |status| {
            if status.registered != Some(registered) {
                tracing::info!(trunk = %trunk.name, registered, last, "trunk registration");
            }
            status.registered = Some(registered);
            status.registration = Some(last);
        });
    }

    /// Where a registration was answered from, and for how long it holds.
    pub(super) fn registered_at(&self, trunk: &Trunk, address: IpAddr, holds: Duration) {
        self.peers.registered(&trunk.name, address, holds);
        self.bans.set_trunk_networks(self.peers.networks());
    }

    fn count(&self) {
        let up = self.state().trunks.iter().filter(|k| k.status.up == Some(true)).count();
        self.metrics.trunks_up.set(up as u64);
    }
}

/// Keeps the addresses behind a trunk's name up to date, for recognition. Only a generic trunk is
/// recognised by them; a Voice Connector calls from its published ranges.
async fn resolve(inner: std::sync::Weak<Inner>, trunk: Arc<Trunk>) {
    if matches!(trunk.kind, TrunkKind::VoiceConnector { .. }) {
        return;
    }
    let Ok(uri) = trunk.health_uri().parse::<Uri>() else { return };
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let (locator, peers, bans) =
            (Arc::clone(&strong.locator), strong.peers.clone(), strong.bans.clone());
        drop(strong);
        match locator.locate(&uri).await {
            Ok(hops) => {
                peers.resolved(&trunk.name, hops.iter().map(|hop| hop.address.ip()));
                bans.set_trunk_networks(peers.networks());
            }
            Err(error) => tracing::warn!(trunk = %trunk.name, %error, "trunk's name"),
        }
        tokio::time::sleep(REFRESH).await;
    }
}

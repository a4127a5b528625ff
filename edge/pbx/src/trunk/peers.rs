//! Which trunk an address belongs to.
//!
//! Addresses of a provider change: a name that was resolved once is no identity. A Voice Connector
//! is known by the published ranges of its region; others by what the operator wrote, by what the
//! name means now (and meant a short while ago), and by where a registration was answered from.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use offhook_config::{IpNet, Trunk, TrunkKind};
use offhook_sip::message::Request;
use tokio::time::Instant;

/// An address that a name no longer gives is believed for this long: calls may be on their way.
const AFTERGLOW: Duration = Duration::from_secs(900);
/// Addresses remembered for one trunk.
const MAX_ADDRESSES: usize = 256;

/// All peers. Shared; a question waits for nothing.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    trunks: Vec<Arc<Trunk>>,
    /// Addresses seen behind a trunk's name, and when last.
    resolved: HashMap<Box<str>, HashMap<IpAddr, Instant>>,
    /// Sources that a phone registered from.
    phones: std::collections::HashSet<SocketAddr>,
}

impl Peers {
    /// Of no trunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// All trunks anew, by a start or reload. What is known of their names stays.
    pub fn set_trunks(&self, trunks: Vec<Arc<Trunk>>) {
        let mut state = self.write();
        state.resolved.retain(|name, _| trunks.iter().any(|t| *t.name == **name));
        state.trunks = trunks;
    }

    /// Addresses that a trunk's name leads to now.
    pub fn resolved(&self, trunk: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let now = Instant::now();
        let mut state = self.write();
        let known = state.resolved.entry(trunk.into()).or_default();
        known.retain(|_, seen| now - *seen < AFTERGLOW);
        for address in addresses {
            if known.len() < MAX_ADDRESSES || known.contains_key(&address) {
                known.insert(address.to_canonical(), now);
            }
        }
    }

    /// Whom an address belongs to. When several trunks claim it (two connectors of one region),
    /// the one whose number is called, then the first.
    pub fn recognise(&self, source: IpAddr, request: &Request) -> Option<Arc<Trunk>> {
        let state = self.read();
        let mut claims = state.trunks.iter().filter(|trunk| state.claims(trunk, source));
        let first = claims.next()?;
        let called = request.uri.user_decoded().map(std::borrow::Cow::into_owned);
        let called = called.as_deref().unwrap_or_default();
        let owns = |trunk: &&Arc<Trunk>| trunk.numbers.iter().any(|n| same_number(n, called));
        if owns(&first) {
            return Some(Arc::clone(first));
        }
        Some(Arc::clone(claims.find(owns).unwrap_or(first)))
    }

    /// Every range and address that belongs to some trunk: never to be banned.
    pub fn networks(&self) -> Vec<IpNet> {
        let state = self.read();
        let mut networks = Vec::new();
        for trunk in &state.trunks {
            if let TrunkKind::VoiceConnector { region } = &trunk.kind {
                networks.extend_from_slice(region.ranges());
            }
            networks.extend_from_slice(&trunk.peers);
            networks.extend(trunk.host.ip().map(IpNet::host));
        }
        let addresses = state.resolved.values().flat_map(HashMap::keys);
        networks.extend(addresses.map(|ip| IpNet::host(*ip)));
        networks
    }

    /// Whether a phone is registered from exactly there.
    pub fn is_phone(&self, source: SocketAddr) -> bool {
        self.read().phones.contains(&source)
    }

    /// `false`: it was there.
    pub(crate) fn add_phone(&self, source: SocketAddr) -> bool {
        self.write().phones.insert(source)
    }

    /// `false`: it was not there.
    pub(crate) fn remove_phone(&self, source: SocketAddr) -> bool {
        self.write().phones.remove(&source)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn claims(&self, trunk: &Trunk, source: IpAddr) -> bool {
        let fresh = |seen: &Instant| seen.elapsed() < AFTERGLOW;
        trunk.is_peer(source)
            || self
                .resolved
                .get(trunk.name.as_str())
                .and_then(|known| known.get(&source.to_canonical()))
                .is_some_and(fresh)
    }
}

/// `+15551234` and `15551234` are one number.
fn same_number(a: &str, b: &str) -> bool {
    a.trim_start_matches('+') == b.trim_start_matches('+')
}

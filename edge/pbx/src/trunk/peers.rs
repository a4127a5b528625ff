//! Which trunk an address belongs to.
//!
//! Addresses of a provider change: a name that was resolved once is no identity. A Voice Connector
//! is known by the published ranges of its region; others by what the operator wrote, by what the
//! name means now (and meant a short while ago), and by where a registration was answered from.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use offhook_config::{IpNet, Trunk, TrunkKind, voice_connector};
use offhook_sip::header::HeaderName;
use offhook_sip::message::Request;
use tokio::time::Instant;

/// Names the connector a call comes from; Voice Connector writes it into its INVITEs.
const CONNECTOR_ID: &[u8] = b"X-VoiceConnector-ID";
/// An address that a name no longer gives is believed for this long: calls may be on their way.
const AFTERGLOW: Duration = Duration::from_secs(900);
/// No registration is believed for longer without another answer.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// What a refresh may take, and a call that is on its way (64 * T1, RFC 3261 §17.1.1.2).
const GRACE: Duration = Duration::from_secs(32);
/// Addresses remembered for one trunk, of either origin.
const MAX_ADDRESSES: usize = 256;

/// All peers. Shared; a question waits for nothing.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<RwLock<State>>);

/// Whom an address belongs to.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// To this trunk.
    Trunk(Arc<Trunk>),
    /// To a Voice Connector, but not to one of ours: all customers of a region share its ranges.
    OtherConnector {
        /// The connector's name of itself, fit for a journal.
        id: String,
    },
    /// To no trunk.
    Nobody,
}

#[derive(Debug, Default)]
struct State {
    trunks: Vec<Arc<Trunk>>,
    /// Addresses seen behind a trunk's name.
    resolved: HashMap<Box<str>, Resolved>,
    /// Sources that a phone registered from.
    phones: std::collections::HashSet<SocketAddr>,
}

/// What a name led to.
#[derive(Debug, Default)]
struct Resolved {
    /// Addresses, and when each was seen last.
    seen: HashMap<IpAddr, Instant>,
    /// When the name gave anything. While DNS is down, what it said last holds on.
    asked: Option<Instant>,
    /// Where registrations were answered from, and until when each holds.
    registrars: HashMap<IpAddr, Instant>,
}

impl Resolved {
    fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.registrars.get(&address).is_some_and(|until| *until > Instant::now()) {
            return true;
        }
        let seen = self.seen.get(&address);
        seen.zip(self.asked).is_some_and(|(seen, asked)| asked - *seen < AFTERGLOW)
    }
}

impl Peers {
    /// Of no trunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// All trunks anew, by a start or reload. What is known of their names stays, unless a trunk
    /// has another name or registrar now: the former carrier is none of ours any more.
    pub fn set_trunks(&self, trunks: Vec<Arc<Trunk>>) {
        let mut state = self.write();
        let old = std::mem::replace(&mut state.trunks, trunks);
        let State { trunks, resolved, .. } = &mut *state;
        resolved.retain(|name, known| {
            let Some(new) = trunks.iter().find(|t| *t.name == **name) else { return false };
            let old = old.iter().find(|t| *t.name == **name);
            if old.is_some_and(|old| old.host != new.host) {
                known.seen.clear();
                known.asked = None;
            }
            if old.is_some_and(|old| registrar(old) != registrar(new)) {
                known.registrars.clear();
            }
            true
        });
    }

    /// Addresses that a trunk's name leads to now.
    pub fn resolved(&self, trunk: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let now = Instant::now();
        let mut state = self.write();
        let known = state.resolved.entry(trunk.into()).or_default();
        known.asked = Some(now);
        known.seen.retain(|_, seen| now - *seen < AFTERGLOW);
        for address in addresses {
            let address = address.to_canonical();
            if known.seen.len() < MAX_ADDRESSES || known.seen.contains_key(&address) {
                known.seen.insert(address, now);
            }
        }
    }

    /// A trunk's registrar answered from this address; calls come from there as long as the
    /// registration holds.
    pub fn registered(&self, trunk: &str, address: IpAddr, holds: Duration) {
        let now = Instant::now();
        let mut state = self.write();
        let registrars = &mut state.resolved.entry(trunk.into()).or_default().registrars;
        registrars.retain(|_, until| *until > now);
        let address = address.to_canonical();
        if registrars.len() < MAX_ADDRESSES || registrars.contains_key(&address) {
            // A registration may be longer than the clock reaches.
            registrars.insert(address, now + holds.min(LONGEST) + GRACE);
        }
    }

    /// Whom a request from an address is from. When several trunks claim it (two connectors of one
    /// region), the one that the request names, then the one whose number is called, then the
    /// first.
    pub fn recognise(&self, source: IpAddr, request: &Request) -> Recognised {
        let state = self.read();
        let claims = state.trunks.iter().filter(|trunk| state.claims(trunk, source));
        let mut claims: Vec<&Arc<Trunk>> = claims.collect();
        if let Err(id) = named(request, &mut claims) {
            return Recognised::OtherConnector { id };
        }
        let Some(first) = claims.first() else { return Recognised::Nobody };
        let called = request.uri.user_decoded().map(std::borrow::Cow::into_owned);
        let called = called.as_deref().unwrap_or_default();
        let owns = |trunk: &&&Arc<Trunk>| trunk.numbers.iter().any(|n| same_number(n, called));
        let trunk = claims.iter().find(owns).unwrap_or(first);
        Recognised::Trunk(Arc::clone(trunk))
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
        let known = state.resolved.values();
        let addresses = known.flat_map(|known| known.seen.keys().chain(known.registrars.keys()));
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
        let resolved = self.resolved.get(trunk.name.as_str());
        trunk.is_peer(source) || resolved.is_some_and(|known| known.holds(source))
    }
}

/// Leaves those of `claims` that a request names, where it names one. An error: all of them are
/// connectors with other names.
fn named(request: &Request, claims: &mut Vec<&Arc<Trunk>>) -> Result<(), String> {
    if claims.iter().all(|trunk| connector_id(trunk).is_none()) {
        return Ok(());
    }
    let Some(name) = HeaderName::parse(CONNECTOR_ID) else { return Ok(()) };
    let ids: Vec<_> = request.headers.get_all(&name).map(|id| id.to_text()).collect();
    let Some(first) = ids.first() else { return Ok(()) };
    // Whoever could write a second one wrote it beside the connector's own.
    let is_named = |id: &str| ids.iter().all(|named| named.trim().eq_ignore_ascii_case(id));
    if claims.iter().any(|trunk| connector_id(trunk).is_some_and(is_named)) {
        claims.retain(|trunk| connector_id(trunk).is_some_and(is_named));
        return Ok(());
    }
    // A trunk that is known by an address of its own has no name to compare.
    claims.retain(|trunk| connector_id(trunk).is_none());
    if claims.is_empty() {
        return Err(first.chars().filter(char::is_ascii_graphic).take(64).collect());
    }
    Ok(())
}

/// The id in a connector's host name, `ID.voiceconnector.chime.aws`.
fn connector_id(trunk: &Trunk) -> Option<&str> {
    let TrunkKind::VoiceConnector { .. } = &trunk.kind else { return None };
    let (id, domain) = trunk.host.host.split_once('.')?;
    domain.eq_ignore_ascii_case(voice_connector::DOMAIN).then_some(id)
}

fn registrar(trunk: &Trunk) -> Option<&offhook_config::HostPort> {
    let TrunkKind::Generic { register, .. } = &trunk.kind else { return None };
    register.as_ref().map(|register| &register.registrar)
}

/// `+15551234` and `15551234` are one number.
fn same_number(a: &str, b: &str) -> bool {
    a.trim_start_matches('+') == b.trim_start_matches('+')
}

//! The table of contacts. Knows nothing of SIP requests, stores or sockets; takes `now`.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use offhook_sip::flow::{ConnectionId, Flow, Transport};
use offhook_sip::uri::{Host, Uri};
use tokio::time::Instant;

use crate::keep::{Binding, BindingChange};
use crate::stack::Target;

/// Where an extension can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Request-URI of requests to the phone.
    pub uri: Uri,
    /// The way there: the registration's own flow, so that NAT and TLS let it through.
    pub target: Target,
    /// Route header values, from Path (RFC 3327).
    pub route: Vec<String>,
    /// User-Agent of the registration.
    pub user_agent: Option<String>,
    /// It has ICE.
    pub ice: bool,
    /// The way the registration came, or to the edge proxy that its Path names by address.
    pub flow: Flow,
}

/// One contact as kept in memory.
#[derive(Debug)]
struct Entry {
    id: u64,
    binding: Binding,
    until: Instant,
    connection: Option<ConnectionId>,
}

impl Entry {
    fn flow(&self) -> Flow {
        let Binding { transport, local, received, .. } = self.binding;
        Flow { transport, local, remote: received, connection: self.connection }
    }
}

/// A registration to apply.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) uri: Uri,
    pub(super) instance: Option<String>,
    pub(super) ice: bool,
    pub(super) lasts: Duration,
}

/// Out of order: the same Call-ID with a CSeq that is not higher (RFC 3261 §10.3 step 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

/// All contacts of all extensions.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_aor: HashMap<Box<str>, Vec<Entry>>,
    expiry: BTreeSet<(Instant, u64)>,
    aor_of: HashMap<u64, Box<str>>,
    /// How many bindings came from a source.
    sources: HashMap<SocketAddr, usize>,
    /// Sources that no binding comes from any more, until somebody asks.
    left: Vec<SocketAddr>,
    last: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.expiry.len()
    }

    /// Sources that lost their last binding since this was asked last.
    pub(super) fn take_left(&mut self) -> Vec<SocketAddr> {
        let mut left = std::mem::take(&mut self.left);
        left.retain(|source| !self.sources.contains_key(source));
        left
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiry.first().map(|(at, _)| *at)
    }

    /// §10.3 step 7 for all contacts at once: all or none.
    pub(super) fn check_order(
        &self,
        aor: &str,
        call_id: &str,
        cseq: u32,
        wishes: &[Wish],
    ) -> Result<(), OutOfOrder> {
        let late = self.entries(aor).iter().any(|e| {
            e.binding.call_id == call_id
                && e.binding.cseq >= cseq
                && wishes.iter().any(|wish| e.is(wish))
        });
        if late { Err(OutOfOrder) } else { Ok(()) }
    }

    /// Whether some contact was registered under this Call-ID.
    pub(super) fn knows(&self, aor: &str, call_id: &str) -> bool {
        self.entries(aor).iter().any(|e| e.binding.call_id == call_id)
    }

    /// Contacts of one extension.
    pub(super) fn count(&self, aor: &str) -> usize {
        self.entries(aor).len()
    }

    fn entries(&self, aor: &str) -> &[Entry] {
        self.by_aor.get(aor).map_or(&[], Vec::as_slice)
    }

    /// Adds, refreshes or removes one contact; tells the store what to do. When the extension has
    /// `max` contacts, the one that would expire first makes room: a phone that lost its address
    /// must not be locked out by its own past.
    pub(super) fn apply(
        &mut self,
        template: &Binding,
        wish: Wish,
        flow: &Flow,
        max: usize,
    ) -> Vec<BindingChange> {
        let aor = template.aor.as_str();
        let mut changes = Vec::new();
        let contact = wish.uri.to_string();
        let same: Vec<_> = self.entries(aor).iter().filter(|e| e.is(&wish)).map(|e| e.id).collect();
        for id in same {
            if let Some(old) = self.take(id)
                && (wish.lasts.is_zero() || old.contact != contact)
            {
                changes.push(BindingChange::Remove { aor: old.aor, contact: old.contact });
            }
        }
        if wish.lasts.is_zero() {
            return changes;
        }
        while self.entries(aor).len() >= max.max(1) {
            let first = self.entries(aor).iter().min_by_key(|e| e.until).map(|e| e.id);
            let Some(old) = first.and_then(|id| self.take(id)) else { break };
            changes.push(BindingChange::Remove { aor: old.aor, contact: old.contact });
        }
        let binding = Binding {
            contact,
            instance: wish.instance,
            ice: wish.ice,
            expires: SystemTime::now() + wish.lasts,
            ..template.clone()
        };
        changes.push(BindingChange::Put(binding.clone()));
        self.put(binding, Instant::now() + wish.lasts, flow.connection);
        changes
    }

    /// Puts in what the store had.
    pub(super) fn restore(&mut self, binding: Binding, left: Duration) {
        self.put(binding, Instant::now() + left, None);
    }

    fn put(&mut self, binding: Binding, until: Instant, connection: Option<ConnectionId>) {
        self.last += 1;
        let id = self.last;
        let aor: Box<str> = binding.aor.as_str().into();
        self.expiry.insert((until, id));
        self.aor_of.insert(id, aor.clone());
        *self.sources.entry(binding.received).or_default() += 1;
        let entry = Entry { id, binding, until, connection };
        self.by_aor.entry(aor).or_default().push(entry);
    }

    fn take(&mut self, id: u64) -> Option<Binding> {
        let aor = self.aor_of.remove(&id)?;
        let entries = self.by_aor.get_mut(&aor)?;
        let at = entries.iter().position(|e| e.id == id)?;
        let entry = entries.remove(at);
        if entries.is_empty() {
            self.by_aor.remove(&aor);
        }
        self.expiry.remove(&(entry.until, id));
        match self.sources.get_mut(&entry.binding.received) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.sources.remove(&entry.binding.received);
                self.left.push(entry.binding.received);
            }
        }
        Some(entry.binding)
    }

    /// Removes all contacts of an extension, except those that a later request of the same Call-ID
    /// has touched.
    pub(super) fn remove_all(&mut self, aor: &str) -> Vec<BindingChange> {
        let ids: Vec<_> = self.entries(aor).iter().map(|e| e.id).collect();
        let gone = ids.into_iter().filter_map(|id| self.take(id));
        gone.map(|b| BindingChange::Remove { aor: b.aor, contact: b.contact }).collect()
    }

    /// Whether a request of this Call-ID and CSeq is late for any contact (for the star).
    pub(super) fn any_later(&self, aor: &str, call_id: &str, cseq: u32) -> bool {
        let later = |e: &Entry| e.binding.call_id == call_id && e.binding.cseq >= cseq;
        self.entries(aor).iter().any(later)
    }

    /// Takes out what has expired.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Binding> {
        let mut gone = Vec::new();
        while let Some((at, id)) = self.expiry.first().copied()
            && at <= now
        {
            self.expiry.pop_first();
            gone.extend(self.take(id));
        }
        gone
    }

    /// Contacts with the seconds they have left, for the 200.
    pub(super) fn listed(&self, aor: &str, now: Instant) -> Vec<(String, u64)> {
        let left = |e: &Entry| (e.until - now).as_secs_f64().round() as u64;
        self.entries(aor).iter().map(|e| (e.binding.contact.clone(), left(e))).collect()
    }

    /// All contacts, for the command line.
    pub(super) fn all(&self) -> Vec<Binding> {
        let mut all: Vec<_> = self.by_aor.values().flatten().map(|e| e.binding.clone()).collect();
        all.sort_by(|a, b| (&a.aor, &a.contact).cmp(&(&b.aor, &b.contact)));
        all
    }

    /// Where to ring an extension; newest first. `alive` tells whether a connection still is.
    pub(super) fn lookup(&self, aor: &str, alive: impl Fn(&Flow) -> bool) -> Vec<Contact> {
        let mut entries: Vec<_> = self.entries(aor).iter().collect();
        entries.sort_by_key(|e| std::cmp::Reverse(e.id));
        entries.into_iter().filter_map(|e| e.contact(&alive)).collect()
    }
}

impl Entry {
    /// Same contact by URI comparison (§19.1.4), or the same flow of the same instance.
    fn is(&self, wish: &Wish) -> bool {
        if let (Some(a), Some(b)) = (&self.binding.instance, &wish.instance)
            && a == b
        {
            return true;
        }
        self.binding.contact.parse::<Uri>().is_ok_and(|uri| uri.equivalent(&wish.uri))
    }

    fn contact(&self, alive: &impl Fn(&Flow) -> bool) -> Option<Contact> {
        let uri: Uri = self.binding.contact.parse().ok()?;
        let flow = self.flow();
        if flow.transport == Transport::Wss && !(flow.connection.is_some() && alive(&flow)) {
            // A page that was closed or loaded anew: it registered again, or is gone.
            return None;
        }
        let path = self.binding.path.first().and_then(|p| p.parse::<NameAddrText>().ok());
        let (target, flow) = match path {
            // RFC 5626 §5.3: an edge that registered over a connection has the phone behind it.
            Some(_) if flow.connection.is_some() && alive(&flow) => (Target::Flow(flow), flow),
            // RFC 3327 §5.1: what stands first in the Path is where it goes, and the source of the
            // registration only where nothing better is known.
            Some(NameAddrText(edge)) => {
                let flow = edge_of(&edge, flow);
                (Target::Uri(edge), flow)
            }
            None => (way(&uri, flow, alive), flow),
        };
        Some(Contact {
            uri,
            target,
            route: self.binding.path.clone(),
            user_agent: self.binding.user_agent.clone(),
            ice: self.binding.ice,
            flow,
        })
    }
}

/// The way to an edge proxy, as far as an address says so.
fn edge_of(edge: &Uri, came: Flow) -> Flow {
    let Some(sip) = edge.as_sip() else { return came };
    let transport = match sip.params.value("transport") {
        Some(name) => Transport::from_name(name),
        None if sip.secure => Some(Transport::Tls),
        None => Some(Transport::Udp),
    };
    let (Host::Ip(ip), Some(transport)) = (sip.host(), transport) else { return came };
    if transport != came.transport || ip.is_ipv4() != came.remote.is_ipv4() {
        return came;
    }
    let port = sip.port().unwrap_or(transport.default_port());
    Flow { remote: SocketAddr::new(*ip, port), connection: None, ..came }
}

/// Whether a host that somebody named over `flow` is this machine, as far as its text says so.
/// Who is on this machine may name it.
pub(super) fn is_inside(host: &Host, flow: &Flow) -> bool {
    let (from, own) = (flow.remote.ip().to_canonical(), flow.local.ip().to_canonical());
    if from.is_loopback() || from == own {
        return false;
    }
    match host {
        Host::Ip(ip) => {
            let ip = ip.to_canonical();
            // The system takes the unspecified address for its own.
            ip.is_loopback() || ip.is_unspecified() || ip == own
        }
        Host::Name(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            // RFC 6761 §6.3.
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// The way to a phone that registered over `flow`.
fn way(uri: &Uri, flow: Flow, alive: &impl Fn(&Flow) -> bool) -> Target {
    let named = uri.as_sip().and_then(|sip| match sip.host() {
        Host::Ip(ip) => {
            Some(SocketAddr::new(*ip, sip.port().unwrap_or(flow.transport.default_port())))
        }
        Host::Name(_) => None,
    });
    if flow.transport == Transport::Udp {
        // A contact on the very host that the request came from is right about its port. Any
        // other lies behind a NAT, where only the way back works.
        return match named {
            Some(named) if named.ip() == flow.remote.ip() => {
                Target::Flow(Flow { remote: named, ..flow })
            }
            _ => Target::Flow(flow),
        };
    }
    if flow.connection.is_some() && alive(&flow) {
        return Target::Flow(flow);
    }
    // The connection is gone: a contact on the very host that it came from may be called anew. One
    // that names another host lies behind a NAT, or means a service of ours or of the office's that
    // a phone has no business with.
    match named {
        Some(remote) if remote.ip().to_canonical() == flow.remote.ip().to_canonical() => {
            Target::Flow(Flow { remote, connection: None, ..flow })
        }
        _ => Target::Flow(flow),
    }
}

/// A Path value's URI.
struct NameAddrText(Uri);

impl std::str::FromStr for NameAddrText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        use offhook_sip::header::{Path, TypedHeader};
        Path::parse_value(text).map(|p| Self(p.0.uri)).map_err(|_| ())
    }
}

//! The address we tell a peer: our own on its side of the NAT, the operator's external one beyond.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use offhook_config::IpNet;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::uri::{Host, HostPort, Params, SipUri};

use crate::stack::MediaAddress;

/// Sources that were found for destinations; more are asked from the kernel again.
const MAX_CACHED_SOURCES: usize = 4_096;
/// After this long the kernel is asked again: interfaces come and go.
const SOURCES_HOLD: Duration = Duration::from_secs(30);

/// One listening socket, as far as addresses matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Protocol.
    pub transport: Transport,
    /// Where it is really bound (port 0 replaced).
    pub bound: SocketAddr,
    /// What peers beyond the local network shall use instead; the port only when it differs.
    pub external: Option<(IpAddr, Option<u16>)>,
}

/// All our addresses. Shared; answers without waiting.
#[derive(Debug)]
pub struct Addresses {
    listeners: RwLock<Arc<[ListenAddress]>>,
    external: Vec<IpAddr>,
    local_nets: Vec<IpNet>,
    sources: Mutex<Sources>,
}

/// Our address toward others, as the kernel said lately.
#[derive(Debug)]
struct Sources {
    known: HashMap<IpAddr, IpAddr>,
    since: Instant,
}

/// Loopback, link-local, RFC 1918, RFC 4193 and carrier-grade NAT (RFC 6598) addresses: such a
/// peer sits on our side of the NAT.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

impl Addresses {
    /// `external`: at most one per address family is used. `local_nets`: who reaches
    /// us without the NAT; nobody else does.
    pub fn new(
        listeners: Vec<ListenAddress>,
        external: Vec<IpAddr>,
        local_nets: Vec<IpNet>,
    ) -> Self {
        let sources = Sources { known: HashMap::new(), since: Instant::now() };
        let listeners = RwLock::new(listeners.into());
        Self { listeners, external, local_nets, sources: Mutex::new(sources) }
    }

    /// The listeners that are open now.
    pub fn listeners(&self) -> Arc<[ListenAddress]> {
        Arc::clone(&self.listeners.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more is open.
    pub(super) fn add(&self, listener: ListenAddress) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        *listeners = listeners.iter().copied().chain([listener]).collect();
    }

    /// The listener that serves a transport and family: the one to send from.
    pub fn listener_for(&self, transport: Transport, remote: IpAddr) -> Option<ListenAddress> {
        let fits = |l: &&ListenAddress| {
            l.transport == transport && l.bound.is_ipv4() == remote.to_canonical().is_ipv4()
        };
        let listeners = self.listeners();
        let candidates = || listeners.iter().filter(fits);
        // A loopback listener cannot reach other hosts, nor a wire listener be reached from ::1.
        let source = self.source_toward(remote);
        candidates()
            .find(|l| l.bound.ip() == source)
            .or_else(|| candidates().find(|l| l.bound.ip().is_unspecified()))
            .or_else(|| candidates().find(|l| l.bound.ip().is_loopback() == remote.is_loopback()))
            .or_else(|| candidates().next())
            .copied()
    }

    /// The flow of a request to an address that names no connection yet.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Flow {
        let any: SocketAddr = match remote {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let local = self.listener_for(transport, remote.ip()).map_or(any, |l| l.bound);
        Flow { transport, local, remote, connection: None }
    }

    /// Host and port for Via and Contact on a flow.
    pub fn sent_by(&self, flow: &Flow) -> HostPort {
        let listener = self.listener_of(flow);
        let port = listener.map_or(flow.local.port(), |l| l.bound.port());
        // A connection of ours without a listener of its kind has no port that others could use.
        let port = Some(port).filter(|port| *port != 0);
        let local = self.concrete(flow.local.ip(), flow.remote.ip());
        if self.is_local(flow.remote.ip()) {
            return HostPort { host: Host::Ip(local), port };
        }
        match listener.and_then(|l| l.external) {
            Some((ip, outer)) => HostPort { host: Host::Ip(ip), port: outer.or(port) },
            None => HostPort { host: Host::Ip(self.beyond(local)), port },
        }
    }

    /// A Contact URI for a flow, a SIPS URI when it is to be one and the flow is secure: elsewhere
    /// nobody would be reached at it.
    pub fn contact_uri(&self, flow: &Flow, user: Option<&str>, sips: bool) -> SipUri {
        let sips = sips && matches!(flow.transport, Transport::Tls | Transport::Wss);
        let mut params = Params::default();
        // RFC 3261 §26.2.2: "transport=tls" is deprecated, and a SIPS URI says it already.
        let said = sips && flow.transport == Transport::Tls;
        if flow.transport != Transport::Udp && !said {
            params.set("transport", Some(flow.transport.param_name()));
        }
        SipUri {
            secure: sips,
            user: user.map(Into::into),
            host_port: self.sent_by(flow),
            params,
            headers: None,
        }
    }

    /// Where media on a flow's interface is bound and what SDP says.
    pub fn media(&self, flow: &Flow) -> MediaAddress {
        let bind = self.concrete(flow.local.ip(), flow.remote.ip());
        let outer = || {
            let own = self.listener_of(flow).and_then(|l| l.external);
            own.map_or_else(|| self.beyond(bind), |(ip, _)| ip)
        };
        let advertised = if self.is_local(flow.remote.ip()) { bind } else { outer() };
        MediaAddress { bind, advertised }
    }

    /// Whether a request's host and port mean us.
    pub fn is_ours(&self, address: IpAddr, port: u16) -> bool {
        self.listeners().iter().any(|l| {
            let ports = l.bound.port() == port || l.external.is_some_and(|(_, p)| p == Some(port));
            let own = l.bound.ip() == address
                || l.external.is_some_and(|(ip, _)| ip == address)
                || self.external.contains(&address)
                || (l.bound.ip().is_unspecified() && self.source_toward(address) == address);
            ports && own
        })
    }

    /// Whether who sends over `flow` may mean us by `address`, whatever the port: an address we
    /// listen on or have told others, or one of the loopback, as behind a forwarded port.
    pub fn reached_at(&self, address: IpAddr, flow: &Flow) -> bool {
        let address = address.to_canonical();
        let told = self.listeners().iter().any(|l| {
            l.bound.ip().to_canonical() == address
                || l.external.is_some_and(|(ip, _)| ip == address)
        });
        if told || address.is_loopback() || self.external.contains(&address) {
            return true;
        }
        if flow.local.ip().to_canonical() == address {
            return true;
        }
        // A wildcard listener has every address of this machine: those that the kernel would send
        // from to themselves.
        let wildcard = |l: &ListenAddress| {
            l.bound.ip().is_unspecified() && (l.bound.is_ipv4() == address.is_ipv4())
        };
        self.listeners().iter().any(wildcard)
            && !address.is_unspecified()
            && self.source_toward(address) == address
    }

    fn listener_of(&self, flow: &Flow) -> Option<ListenAddress> {
        let all = self.listeners();
        let same = |l: &&ListenAddress| l.transport == flow.transport;
        let by = |want: SocketAddr| all.iter().filter(same).find(|l| l.bound == want);
        by(flow.local)
            // An accepted connection has our concrete address where the listener has a wildcard.
            .or_else(|| {
                all.iter().filter(same).find(|l| {
                    l.bound.port() == flow.local.port()
                        && l.bound.is_ipv4() == flow.local.is_ipv4()
                        && l.bound.ip().is_unspecified()
                })
            })
            // One that we opened has an ephemeral port: others reach us at the listener.
            .or_else(|| {
                let near = |l: &&ListenAddress| {
                    l.bound.ip() == flow.local.ip()
                        || (l.bound.ip().is_unspecified()
                            && l.bound.is_ipv4() == flow.local.is_ipv4())
                };
                all.iter().filter(same).find(near)
            })
            .copied()
    }

    fn is_local(&self, remote: IpAddr) -> bool {
        self.local_nets.iter().any(|net| net.contains(remote))
    }

    /// Our address as hosts beyond the NAT see it.
    fn beyond(&self, local: IpAddr) -> IpAddr {
        self.external.iter().find(|ip| ip.is_ipv4() == local.is_ipv4()).copied().unwrap_or(local)
    }

    fn concrete(&self, local: IpAddr, remote: IpAddr) -> IpAddr {
        if local.is_unspecified() { self.source_toward(remote) } else { local.to_canonical() }
    }

    /// The address the kernel would send from. Connecting a datagram socket sends nothing.
    fn source_toward(&self, remote: IpAddr) -> IpAddr {
        let remote = remote.to_canonical();
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.since.elapsed() > SOURCES_HOLD || sources.known.len() >= MAX_CACHED_SOURCES {
            *sources = Sources { known: HashMap::new(), since: Instant::now() };
        }
        if let Some(source) = sources.known.get(&remote) {
            return *source;
        }
        let any: IpAddr = match remote {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let asked = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect((remote, 9))?;
            socket.local_addr()
        });
        let Ok(source) = asked else {
            return if remote.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            };
        };
        sources.known.insert(remote, source.ip());
        source.ip()
    }
}

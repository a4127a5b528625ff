//! The real wire: all sockets and connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use offhook_config::IpNet;
use offhook_sip::flow::{ConnectionId, Flow, Transport};
use rustls::client::ClientConfig;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::advertise::{Addresses, ListenAddress};
use super::handshakes::{Handshake, Handshakes};
use super::limits::Limits;
use super::stream;
use super::tls::{self, Certificate, TlsError};
use super::udp::{self, Udp};
use super::wire::{Incoming, Wire, WireError};
use crate::bans::{Bans, Offence};
use crate::metrics::Metrics;

/// Messages read and not yet looked at.
const INBOX: usize = 4_096;
/// The part of all connections that is kept for those that we make.
const OWN_SHARE: usize = 16;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// What is to be opened.
#[derive(Clone, Debug, Default)]
pub struct NetConfig {
    /// Listening sockets.
    pub listen: Vec<ListenConfig>,
    /// Addresses that peers beyond the NAT are told, at most one per family.
    pub external: Vec<IpAddr>,
    /// Ranges on our side of the NAT, besides private addresses.
    pub local_nets: Vec<IpNet>,
    /// More certification authorities for outgoing TLS.
    pub ca_files: Vec<PathBuf>,
    /// Limits.
    pub limits: Limits,
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Protocol.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// Address that peers beyond the NAT are told, instead of the common one.
    pub external: Option<IpAddr>,
    /// Certificate chain and key, for TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl From<&offhook_config::Config> for NetConfig {
    fn from(config: &offhook_config::Config) -> Self {
        let listen = config.listen.iter().map(|l| ListenConfig {
            transport: match l.transport {
                offhook_config::Transport::Udp => Transport::Udp,
                offhook_config::Transport::Tcp => Transport::Tcp,
                offhook_config::Transport::Tls => Transport::Tls,
            },
            address: l.address,
            external: l.external_address,
            tls: l.tls.as_ref().map(|t| (t.certificate.clone(), t.key.clone())),
        });
        Self {
            listen: listen.collect(),
            external: config.server.external_address.into_iter().collect(),
            local_nets: config.server.local_networks.clone(),
            ca_files: config.sip.ca_files.clone(),
            limits: Limits {
                connections: config.sip.max_connections,
                per_source: (config.sip.max_connections / 4).max(16),
                message: config.sip.max_message_bytes,
                ..Limits::default()
            },
        }
    }
}

/// Why one socket could not be opened. The others serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address}: {problem}")]
pub struct ListenProblem {
    /// Protocol.
    pub transport: Transport,
    /// Address.
    pub address: SocketAddr,
    /// What went wrong.
    pub problem: ListenError,
}

/// Kinds of it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ListenError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("TLS needs a certificate and a key")]
    NoCertificate,
}

/// What [`Net::start`] gives.
#[derive(Debug)]
pub struct Started {
    /// The wire, for the stack.
    pub net: Arc<Net>,
    /// What comes in, for the stack.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Our addresses.
    pub addresses: Arc<Addresses>,
    /// What could not be opened.
    pub problems: Vec<ListenProblem>,
}

/// All sockets and connections.
pub struct Net {
    me: Weak<Self>,
    udp: Vec<Udp>,
    certificates: Vec<Arc<Certificate>>,
    trust: Mutex<Option<Arc<ClientConfig>>>,
    ca_files: Mutex<Vec<PathBuf>>,
    table: Mutex<Table>,
    inbox: mpsc::Sender<Incoming>,
    limits: Limits,
    handshakes: Handshakes,
    bans: Bans,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Table {
    last: u64,
    connections: HashMap<ConnectionId, Connection>,
    by_peer: HashMap<Peer, ConnectionId>,
    per_source: HashMap<IpAddr, usize>,
}

/// Whom a connection leads to. A TLS peer that proved to be one name is not another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer {
    transport: Transport,
    remote: SocketAddr,
    host: Option<Box<str>>,
}

struct Connection {
    queue: mpsc::Sender<Bytes>,
    peer: Peer,
    flow: Flow,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("udp", &self.udp).finish_non_exhaustive()
    }
}

/// A bound stream socket before its task starts.
struct Bound {
    transport: Transport,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
}

impl Net {
    /// Opens what can be opened and starts a task for each socket. On the current runtime.
    pub fn start(config: NetConfig, bans: Bans, metrics: Arc<Metrics>) -> Started {
        let (inbox, incoming) = mpsc::channel(INBOX);
        let mut addresses = Vec::new();
        let mut problems = Vec::new();
        let mut udp = Vec::new();
        let mut readers = Vec::new();
        let mut streams = Vec::new();
        let mut certificates = Vec::new();
        for listen in config.listen {
            let ListenConfig { transport, address, external, .. } = listen;
            let mut open = || -> Result<SocketAddr, ListenError> {
                if transport == Transport::Udp {
                    let (sender, reader) = udp::bind(address)?;
                    let bound = sender.bound;
                    udp.push(sender);
                    readers.push((reader, bound));
                    return Ok(bound);
                }
                let acceptor = if transport == Transport::Tls {
                    let (chain, key) = listen.tls.as_ref().ok_or(ListenError::NoCertificate)?;
                    let certificate = Certificate::load(chain, key)?;
                    certificates.push(Arc::clone(&certificate));
                    Some(TlsAcceptor::from(tls::server_config(certificate)?))
                } else {
                    None
                };
                let listener = bind_stream(address)?;
                let bound = listener.local_addr()?;
                streams.push(Bound { transport, listener, acceptor });
                Ok(bound)
            };
            match open() {
                Ok(bound) => {
                    let external = external.map(|ip| (ip, None));
                    addresses.push(ListenAddress { transport, bound, external });
                }
                Err(problem) => problems.push(ListenProblem { transport, address, problem }),
            }
        }
        let addresses = Arc::new(Addresses::new(addresses, config.external, config.local_nets));
        let net = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            udp,
            certificates,
            trust: Mutex::default(),
            ca_files: Mutex::new(config.ca_files),
            table: Mutex::default(),
            inbox: inbox.clone(),
            limits: config.limits,
            handshakes: Handshakes::default(),
            bans,
            metrics,
        });
        for (reader, bound) in readers {
            tokio::spawn(udp::read(reader, bound, inbox.clone()));
        }
        for Bound { transport, listener, acceptor } in streams {
            tokio::spawn(stream::accept(Arc::clone(&net), listener, acceptor, transport));
        }
        Started { net, incoming, addresses, problems }
    }

    /// Reads all certificates again; connections live on. CA files are read again too.
    ///
    /// # Errors
    /// The first problem; what could be read is in force, the rest is as before.
    pub fn reload_certificates(&self, ca_files: Vec<PathBuf>) -> Result<(), TlsError> {
        *lock(&self.ca_files) = ca_files;
        *lock(&self.trust) = None;
        let mut outcome = Ok(());
        for certificate in &self.certificates {
            if let Err(error) = certificate.reload() {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.table().connections.len()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn is_banned(&self, flow: Flow) -> bool {
        self.bans.is_banned(flow.remote.ip())
    }

    /// Somebody spoke something else than SIP, or than TLS.
    pub(super) fn malformed(&self, flow: Flow) {
        self.bans.failure_over(&flow, Offence::Malformed);
    }

    /// A place among the handshakes under way; `None`: there are enough.
    pub(super) fn begin_handshake(&self, flow: Flow) -> Option<Handshake> {
        self.handshakes.begin(flow.remote.ip(), &self.limits)
    }

    pub(super) async fn hand_in(&self, incoming: Incoming) -> Result<(), ()> {
        self.inbox.send(incoming).await.map_err(|_| ())
    }

    /// Settings of outgoing TLS, made at its first use and off the signalling thread.
    pub(super) async fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = &*lock(&self.trust) {
            return Ok(Arc::clone(config));
        }
        let ca_files = lock(&self.ca_files).clone();
        let made = tokio::task::spawn_blocking(move || tls::client_config(&ca_files)).await;
        let config = made.map_err(|e| {
            TlsError::Setup(rustls::Error::General(format!("reading certificates: {e}")))
        })??;
        *lock(&self.trust) = Some(Arc::clone(&config));
        Ok(config)
    }

    /// Lets an accepted connection in; `None`: banned or over a limit.
    pub(super) fn admit(&self, flow: Flow) -> Option<(Flow, mpsc::Receiver<Bytes>)> {
        if self.is_banned(flow) {
            self.metrics.sip_banned_dropped.inc();
            return None;
        }
        // Some places are ours: strangers who take all the others must not cut us off from trunks.
        let reserve = self.limits.connections / OWN_SHARE;
        let admitted = self.add(flow, None, reserve);
        if admitted.is_err() {
            self.metrics.connections_refused.inc();
        }
        admitted.ok()
    }

    fn add(
        &self,
        flow: Flow,
        host: Option<&str>,
        reserve: usize,
    ) -> Result<(Flow, mpsc::Receiver<Bytes>), WireError> {
        let mut table = self.table();
        let source = flow.remote.ip();
        let of_source = table.per_source.get(&source).copied().unwrap_or(0);
        if table.connections.len() + reserve >= self.limits.connections
            || of_source >= self.limits.per_source
        {
            return Err(WireError::TooMany);
        }
        table.last += 1;
        let id = ConnectionId(table.last);
        let flow = Flow { connection: Some(id), ..flow };
        let peer = Peer {
            transport: flow.transport,
            remote: flow.remote,
            host: host.map(|h| h.to_ascii_lowercase().into()),
        };
        let (queue, outbox) = mpsc::channel(self.limits.write_queue);
        table.by_peer.insert(peer.clone(), id);
        table.connections.insert(id, Connection { queue, peer, flow });
        table.per_source.insert(source, of_source + 1);
        self.metrics.connections.set(table.connections.len() as u64);
        Ok((flow, outbox))
    }

    /// Takes a connection out and says so to the stack.
    pub(super) async fn ended(&self, flow: Flow) {
        {
            let mut table = self.table();
            let Some(id) = flow.connection else { return };
            if let Some(connection) = table.connections.remove(&id) {
                if table.by_peer.get(&connection.peer) == Some(&id) {
                    table.by_peer.remove(&connection.peer);
                }
                let source = flow.remote.ip();
                match table.per_source.get_mut(&source) {
                    Some(count) if *count > 1 => *count -= 1,
                    _ => {
                        table.per_source.remove(&source);
                    }
                }
            }
            self.metrics.connections.set(table.connections.len() as u64);
        }
        let _ = self.hand_in(Incoming::Lost { flow }).await;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    fn udp_for(&self, flow: &Flow) -> Option<&Udp> {
        let family = |u: &&Udp| u.bound.is_ipv4() == flow.remote.is_ipv4();
        self.udp
            .iter()
            .find(|u| u.bound == flow.local)
            .or_else(|| self.udp.iter().filter(family).find(|u| u.bound.ip() == flow.local.ip()))
            // A binding of before a restart may name a socket that is no more.
            .or_else(|| self.udp.iter().find(family))
    }
}

impl Wire for Net {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), WireError> {
        if flow.transport == Transport::Udp {
            let socket = self.udp_for(flow).ok_or(WireError::NoListener)?;
            return socket.send(flow.remote, &bytes);
        }
        let id = flow.connection.ok_or(WireError::Gone)?;
        let table = self.table();
        let connection = table.connections.get(&id).ok_or(WireError::Gone)?;
        connection.queue.try_send(bytes).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => WireError::Full,
            mpsc::error::TrySendError::Closed(_) => WireError::Gone,
        })
    }

    fn open(&self, flow: Flow, host: Option<&str>) -> Result<Flow, WireError> {
        if flow.transport == Transport::Udp {
            return self.udp_for(&flow).map(|_| flow).ok_or(WireError::NoListener);
        }
        if flow.connection.is_some() {
            return if self.is_alive(&flow) { Ok(flow) } else { Err(WireError::Gone) };
        }
        let peer = Peer {
            transport: flow.transport,
            remote: flow.remote,
            host: host.map(|h| h.to_ascii_lowercase().into()),
        };
        {
            let table = self.table();
            // A plain connection is as good as another; a TLS one only for the name it proved.
            let found = table.by_peer.get(&peer).or_else(|| {
                let unnamed = Peer { host: None, ..peer.clone() };
                (flow.transport == Transport::Tcp).then(|| table.by_peer.get(&unnamed)).flatten()
            });
            if let Some(connection) = found.and_then(|id| table.connections.get(id)) {
                return Ok(connection.flow);
            }
        }
        let net = self.me.upgrade().ok_or(WireError::Gone)?;
        let (flow, outbox) = self.add(flow, host, 0)?;
        tokio::spawn(stream::connect(net, flow, host.map(Box::from), outbox));
        Ok(flow)
    }

    fn is_alive(&self, flow: &Flow) -> bool {
        match flow.connection {
            None => true,
            Some(id) => self.table().connections.contains_key(&id),
        }
    }
}

fn bind_stream(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of before to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

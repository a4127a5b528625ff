//! Listening sockets: what is to be opened, opening it, and trying again what did not open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use offhook_config::IpNet;
use offhook_sip::flow::Transport;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::advertise::ListenAddress;
use super::limits::Limits;
use super::net::{Net, lock};
use super::stream::{self, Gate};
use super::tls::{self, Certificate, TlsError};
use super::udp::{self, Udp};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Pause before a socket that did not open is tried again: an address of the LAN comes seconds
/// after a boot, a certificate minutes.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The pause doubles up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// Certificate chain and key, for TLS and WSS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Origins whose pages may connect, for WSS; empty: all.
    pub origins: Vec<String>,
}

impl From<&offhook_config::Config> for NetConfig {
    fn from(config: &offhook_config::Config) -> Self {
        let listen = config.listen.iter().map(|l| ListenConfig {
            transport: match l.transport {
                offhook_config::Transport::Udp => Transport::Udp,
                offhook_config::Transport::Tcp => Transport::Tcp,
                offhook_config::Transport::Tls => Transport::Tls,
                offhook_config::Transport::Wss => Transport::Wss,
            },
            address: l.address,
            external: l.external_address,
            tls: l.tls.as_ref().map(|t| (t.certificate.clone(), t.key.clone())),
            origins: l.origins.clone(),
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

/// One listening socket, and why it is not open.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listen: ListenConfig,
    pub(super) problem: Option<String>,
}

/// A socket before its task starts.
pub(super) enum Opened {
    Datagrams(Udp, UdpSocket),
    Stream(TcpListener, Option<Arc<Certificate>>, Option<TlsAcceptor>),
}

impl Opened {
    /// Reads certificates and binds.
    pub(super) fn new(listen: &ListenConfig) -> Result<Self, ListenError> {
        if listen.transport == Transport::Udp {
            let (sender, reader) = udp::bind(listen.address)?;
            return Ok(Self::Datagrams(sender, reader));
        }
        if listen.transport == Transport::Tcp {
            return Ok(Self::Stream(bind_stream(listen.address)?, None, None));
        }
        let (chain, key) = listen.tls.as_ref().ok_or(ListenError::NoCertificate)?;
        let certificate = Certificate::load(chain, key)?;
        let acceptor = TlsAcceptor::from(tls::server_config(Arc::clone(&certificate))?);
        Ok(Self::Stream(bind_stream(listen.address)?, Some(certificate), Some(acceptor)))
    }

    fn bound(&self, asked: SocketAddr) -> SocketAddr {
        match self {
            Self::Datagrams(udp, _) => udp.bound,
            Self::Stream(listener, ..) => listener.local_addr().unwrap_or(asked),
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

impl Net {
    /// Starts the task of a socket and tells others of its address.
    pub(super) fn serve(self: &Arc<Self>, listen: &ListenConfig, opened: Opened) {
        let bound = opened.bound(listen.address);
        let transport = listen.transport;
        match opened {
            Opened::Datagrams(udp, reader) => {
                self.udp.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(udp));
                tokio::spawn(udp::read(reader, bound, self.inbox.clone()));
            }
            Opened::Stream(listener, certificate, acceptor) => {
                lock(&self.certificates).extend(certificate);
                let origins = listen.origins.clone().into();
                let gate = Gate { transport, acceptor, origins };
                tokio::spawn(stream::accept(Arc::clone(self), listener, gate));
            }
        }
        let external = listen.external.map(|ip| (ip, None));
        self.addresses.add(ListenAddress { transport, bound, external });
    }

    /// The sockets that are open, in words.
    pub fn listeners(&self) -> Vec<String> {
        let doors = lock(&self.doors);
        let open = doors.iter().filter(|door| door.problem.is_none());
        let words = |l: &ListenConfig| format!("{} {}", l.transport.param_name(), l.address);
        open.map(|door| words(&door.listen)).collect()
    }

    /// The sockets that are not open and why, in words.
    pub fn listen_problems(&self) -> Vec<String> {
        let doors = lock(&self.doors);
        let closed = doors.iter().filter_map(|door| {
            let Door { listen: ListenConfig { transport, address, .. }, problem } = door;
            problem.as_ref().map(|p| format!("cannot listen on {transport} {address}: {p}"))
        });
        closed.collect()
    }

    /// Tries once what is not open; whether all is open now.
    async fn try_closed(self: &Arc<Self>) -> bool {
        let count = lock(&self.doors).len();
        let mut whole = true;
        for n in 0..count {
            let closed =
                lock(&self.doors).get(n).filter(|d| d.problem.is_some()).map(|d| d.listen.clone());
            let Some(listen) = closed else { continue };
            let config = listen.clone();
            // Certificates come from a disk.
            let tried = tokio::task::spawn_blocking(move || Opened::new(&config)).await;
            let Ok(tried) = tried else { return false };
            let (transport, address) = (listen.transport, listen.address);
            let outcome = tried.map(|opened| self.serve(&listen, opened));
            let problem = outcome.err().map(|error| error.to_string());
            let mut doors = lock(&self.doors);
            let Some(door) = doors.get_mut(n) else { continue };
            match &problem {
                None => tracing::info!("listening on {transport} {address} at last"),
                // The same trouble is told once.
                Some(problem) if door.problem.as_ref() != Some(problem) => {
                    tracing::error!("cannot listen on {transport} {address}: {problem}");
                }
                Some(_) => {}
            }
            whole &= problem.is_none();
            door.problem = problem;
        }
        whole
    }
}

/// Tries again what did not open, until all is open: after a pause, and at every reload.
pub(super) async fn keep_trying(net: Arc<Net>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let _ = tokio::time::timeout(pause, net.try_again.notified()).await;
        if net.try_closed().await {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

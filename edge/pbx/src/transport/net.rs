//! The real wire: all sockets and connections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use bytes::Bytes;
use offhook_sip::flow::{Flow, Transport};
use rustls::client::ClientConfig;
use rustls::sign::CertifiedKey;
use tokio::sync::{Notify, mpsc};

use super::advertise::Addresses;
use super::connections::{Opener, Peer, Table};
use super::handshakes::{Handshake, Handshakes};
use super::limits::Limits;
use super::listen::{self, Door, ListenConfig, ListenProblem, NetConfig, Opened};
use super::stream;
use super::tls::{self, Certificate, TlsError};
use super::udp::Udp;
use super::wire::{Incoming, Wire, WireError};
use crate::bans::{Bans, Offence};
use crate::metrics::Metrics;

/// Messages read and not yet looked at.
const INBOX: usize = 4_096;
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

/// Certificates and trust, read and not yet in force.
#[derive(Debug)]
pub struct Renewal {
    ours: Vec<(Arc<Certificate>, Arc<CertifiedKey>)>,
    trust: Arc<ClientConfig>,
}

/// All sockets and connections.
pub struct Net {
    me: Weak<Self>,
    pub(super) udp: RwLock<Vec<Arc<Udp>>>,
    pub(super) certificates: Mutex<Vec<Arc<Certificate>>>,
    trust: Mutex<Option<Arc<ClientConfig>>>,
    ca_files: Vec<PathBuf>,
    pub(super) doors: Mutex<Vec<Door>>,
    pub(super) try_again: Notify,
    pub(super) addresses: Arc<Addresses>,
    table: Mutex<Table>,
    pub(super) inbox: mpsc::Sender<Incoming>,
    limits: Limits,
    handshakes: Handshakes,
    bans: Bans,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("udp", &self.udp).finish_non_exhaustive()
    }
}

impl Net {
    /// Opens what can be opened and starts a task for each socket. On the current runtime.
    pub fn start(config: NetConfig, bans: Bans, metrics: Arc<Metrics>) -> Started {
        let (inbox, incoming) = mpsc::channel(INBOX);
        let addresses = Arc::new(Addresses::new(Vec::new(), config.external, config.local_nets));
        let has_ca_files = !config.ca_files.is_empty();
        let net = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            udp: RwLock::default(),
            certificates: Mutex::default(),
            trust: Mutex::default(),
            ca_files: config.ca_files,
            doors: Mutex::default(),
            try_again: Notify::new(),
            addresses: Arc::clone(&addresses),
            table: Mutex::default(),
            inbox,
            limits: config.limits,
            handshakes: Handshakes::default(),
            bans,
            metrics,
        });
        let mut problems = Vec::new();
        for listen in config.listen {
            let ListenConfig { transport, address, .. } = listen;
            let outcome = Opened::new(&listen).map(|opened| net.serve(&listen, opened));
            let problem = outcome.as_ref().err().map(ToString::to_string);
            lock(&net.doors).push(Door { listen, problem });
            if let Err(problem) = outcome {
                problems.push(ListenProblem { transport, address, problem });
            }
        }
        if !problems.is_empty() {
            tokio::spawn(listen::keep_trying(Arc::clone(&net)));
        }
        if has_ca_files {
            // What is wrong with them is told now, and not when somebody calls.
            let net = Arc::clone(&net);
            tokio::spawn(async move { net.client_config().await.map(drop) });
        }
        Started { net, incoming, addresses, problems }
    }

    /// Reads all certificates and CA files again, and changes nothing. Waits for the disk: not for
    /// the signalling thread.
    ///
    /// # Errors
    /// The first problem.
    pub fn read_certificates(&self, ca_files: &[PathBuf]) -> Result<Renewal, TlsError> {
        let ours = lock(&self.certificates).clone();
        let ours = ours.into_iter().map(|certificate| {
            let fresh = certificate.read_again()?;
            Ok((certificate, fresh))
        });
        let ours = ours.collect::<Result<_, TlsError>>()?;
        Ok(Renewal { ours, trust: tls::client_config(ca_files)? })
    }

    /// Takes up what was read; connections live on. What is not open is tried again soon.
    pub fn renew(&self, renewal: Renewal) {
        for (certificate, fresh) in renewal.ours {
            certificate.set(fresh);
        }
        *lock(&self.trust) = Some(renewal.trust);
        self.try_again.notify_one();
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.table().len()
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
        let source = flow.remote.ip();
        self.handshakes.begin(source, self.bans.is_known(source), &self.limits)
    }

    pub(super) async fn hand_in(&self, incoming: Incoming) -> Result<(), ()> {
        self.inbox.send(incoming).await.map_err(|_| ())
    }

    /// Settings of outgoing TLS, made off the signalling thread. A CA file that cannot be read is
    /// left out: trunks of other authorities must work after a start.
    pub(super) async fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = &*lock(&self.trust) {
            return Ok(Arc::clone(config));
        }
        let ca_files = self.ca_files.clone();
        let made = tokio::task::spawn_blocking(move || tls::lenient_client_config(&ca_files)).await;
        let config = made.map_err(|e| {
            TlsError::Setup(rustls::Error::General(format!("reading certificates: {e}")))
        })??;
        // A reload may have been faster, and knows better.
        Ok(Arc::clone(lock(&self.trust).get_or_insert(config)))
    }

    /// Lets an accepted connection in; `None`: banned or over a limit.
    pub(super) fn admit(&self, flow: Flow) -> Option<(Flow, mpsc::Receiver<Bytes>)> {
        if self.is_banned(flow) {
            self.metrics.sip_banned_dropped.inc();
            return None;
        }
        let admitted = self.add(flow, None, Opener::Stranger);
        if admitted.is_err() {
            self.metrics.connections_refused.inc();
        }
        admitted.ok()
    }

    fn add(
        &self,
        flow: Flow,
        host: Option<&str>,
        opener: Opener,
    ) -> Result<(Flow, mpsc::Receiver<Bytes>), WireError> {
        let mut table = self.table();
        let added = table.add(flow, host, opener, &self.limits);
        self.metrics.connections.set(table.len() as u64);
        added
    }

    /// Takes a connection out and says so to the stack.
    pub(super) async fn ended(&self, flow: Flow) {
        {
            let Some(id) = flow.connection else { return };
            let mut table = self.table();
            table.remove(id);
            self.metrics.connections.set(table.len() as u64);
        }
        let _ = self.hand_in(Incoming::Lost { flow }).await;
    }

    fn open_as(&self, flow: Flow, host: Option<&str>, opener: Opener) -> Result<Flow, WireError> {
        if flow.transport == Transport::Udp {
            return self.udp_for(&flow).map(|_| flow).ok_or(WireError::NoListener);
        }
        if flow.connection.is_some() {
            return if self.is_alive(&flow) { Ok(flow) } else { Err(WireError::Gone) };
        }
        if let Some(found) = self.table().leading_to(&Peer::of(flow, host)) {
            return Ok(found);
        }
        if flow.transport == Transport::Wss {
            // A browser whose connection is gone comes back by itself; there is no way to it.
            return Err(WireError::Gone);
        }
        let net = self.me.upgrade().ok_or(WireError::Gone)?;
        let (flow, outbox) = self.add(flow, host, opener)?;
        tokio::spawn(stream::connect(net, flow, host.map(Box::from), outbox));
        Ok(flow)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    fn udp_for(&self, flow: &Flow) -> Option<Arc<Udp>> {
        let all = self.udp.read().unwrap_or_else(PoisonError::into_inner);
        let family = |u: &&Arc<Udp>| u.bound.is_ipv4() == flow.remote.is_ipv4();
        all.iter()
            .find(|u| u.bound == flow.local)
            .or_else(|| all.iter().filter(family).find(|u| u.bound.ip() == flow.local.ip()))
            // A binding of before a restart may name a socket that is no more.
            .or_else(|| all.iter().find(family))
            .cloned()
    }
}

impl Wire for Net {
    fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), WireError> {
        if flow.transport == Transport::Udp {
            let socket = self.udp_for(flow).ok_or(WireError::NoListener)?;
            return socket.send(flow.remote, &bytes);
        }
        let id = flow.connection.ok_or(WireError::Gone)?;
        self.table().queue(id)?.try_send(bytes).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => WireError::Full,
            mpsc::error::TrySendError::Closed(_) => WireError::Gone,
        })
    }

    fn open(&self, flow: Flow, host: Option<&str>) -> Result<Flow, WireError> {
        self.open_as(flow, host, Opener::Us)
    }

    fn open_for_answer(&self, flow: Flow) -> Result<Flow, WireError> {
        self.open_as(flow, None, Opener::Answer)
    }

    fn is_alive(&self, flow: &Flow) -> bool {
        match flow.connection {
            None => true,
            Some(id) => self.table().queue(id).is_ok(),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The RTP engine: threads that own sockets, and handles to talk to them.

mod api;
mod conference;
mod counters;
mod key_span;
mod leg;
mod media_port;
mod mixer;
mod numbers;
mod pipe;
mod play;
mod record;
mod sender;
mod shared;
mod tape;
mod timer;
mod wakes;
mod worker;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::{mpsc, oneshot};

pub use api::*;
pub use conference::Conference;
pub use media_port::MediaPort;
pub use pipe::{Carried, PipeConfig};
pub use wakes::{Wakes, gather};

pub(crate) use self::counters::Counters;
pub use crate::kernel::KernelRelay;

use self::leg::Leg;
use self::numbers::PortNumbers;
use self::shared::WEBRTC_HOME;
use self::worker::{Command, Order, Port, Remote, SharedSocket, Worker};
use crate::codec::Codec;
use crate::kernel;
use crate::webrtc::{Fingerprint, Identity};

/// Niceness of media threads where they may not be real-time ones, as sound servers have it.
const NICENESS: i32 = -11;

/// How to run the engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Media threads; 0 is taken as 1.
    pub threads: usize,
    /// UDP ports to open, even for RTP and odd for RTCP.
    pub ports: RangeInclusive<u16>,
    /// Most pairs open at a time.
    pub max_ports: usize,
    /// How long a closed pair is not opened again, so that late packets of one call never reach
    /// the next.
    pub drain: Duration,
    /// DSCP of everything sent; 46 is expedited forwarding (RFC 3246).
    pub dscp: u8,
    /// Silence of the network after which [`PortEventKind::NoMedia`] is told.
    pub no_media_after: Duration,
    /// UDP address that all WebRTC legs share; `None`: there are none. Bound to `[::]` it serves
    /// IPv4 as well.
    pub webrtc: Option<SocketAddr>,
    /// Lets the kernel relay what needs no look inside; see [`Engine::kernel_relay`].
    pub kernel_relay: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            ports: 16384..=32767,
            max_ports: 8192,
            drain: Duration::from_secs(2),
            dscp: 46,
            no_media_after: Duration::from_secs(30),
            webrtc: None,
            kernel_relay: false,
        }
    }
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No free pair in the range, or as many open as allowed.
    #[error("all RTP ports are in use")]
    Exhausted,
    /// The engine was shut down, or a thread of it broke off.
    #[error("the media engine has stopped")]
    Stopped,
    /// [`EngineConfig::webrtc`] is not set.
    #[error("WebRTC is switched off")]
    NoWebRtc,
    /// As many WebRTC legs as allowed.
    #[error("there are too many WebRTC calls")]
    TooManyWebRtc,
    /// The socket layer refused, for another reason than a port in use.
    #[error("cannot bind an RTP port on {addr}")]
    Bind {
        /// The local address.
        addr: IpAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A handle on the media threads; clones share them. The threads end with the last handle and
/// [`MediaPort`], or by [`Engine::shutdown`].
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    workers: Vec<Remote>,
    /// Ports on each worker.
    load: Vec<AtomicUsize>,
    numbers: Mutex<PortNumbers>,
    next_id: AtomicU64,
    stopped: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    dscp: u8,
    no_media_after: Duration,
    identity: Arc<Identity>,
    webrtc: Option<Arc<SharedSocket>>,
    webrtc_legs: AtomicUsize,
    /// What is relayed in the kernel, or why nothing is; `None`: nobody asked.
    kernel: Option<Result<kernel::Handle, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A holder that panicked left numbers behind, not a broken structure.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread, an epoll, a timer or the WebRTC port.
    pub fn start(config: EngineConfig) -> io::Result<Self> {
        let EngineConfig { threads: count, ports, max_ports, drain, dscp, .. } = config;
        let EngineConfig { no_media_after, webrtc, kernel_relay, .. } = config;
        let count = count.max(1);
        let identity = Arc::new(Identity::fresh().map_err(io::Error::other)?);
        let webrtc = webrtc.map(|addr| shared::open(addr, dscp, &identity)).transpose()?;
        let kernel = kernel_relay.then(|| {
            kernel::Handle::start(dscp).map_err(|error| {
                tracing::warn!(%error, "calls are relayed in userspace: the kernel's relay is refused");
                kernel::refusal(&error)
            })
        });
        let mut workers = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for i in 0..count {
            let (mut worker, remote) = Worker::new()?;
            worker.identify(Arc::clone(&identity));
            if let (WEBRTC_HOME, Some(socket)) = (i, &webrtc) {
                worker.share(Arc::clone(socket))?;
            }
            if let Some(Ok(kernel)) = &kernel {
                worker.use_kernel(kernel.clone());
            }
            let name = format!("media-{i}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || {
                go_first();
                worker.run();
            })?);
            workers.push(remote);
        }
        Ok(Self {
            shared: Arc::new(Shared {
                load: workers.iter().map(|_| AtomicUsize::new(0)).collect(),
                workers,
                numbers: Mutex::new(PortNumbers::new(&ports, max_ports, drain)),
                next_id: AtomicU64::new(1),
                stopped: AtomicBool::new(false),
                threads: Mutex::new(threads),
                dscp,
                no_media_after,
                identity,
                webrtc,
                webrtc_legs: AtomicUsize::new(0),
                kernel,
            }),
        })
    }

    /// Opens an even port for RTP and the next for RTCP on `bind`. Events go to `events` and are
    /// dropped, and counted, while it is full.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        &self,
        bind: IpAddr,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<MediaPort, OpenError> {
        let shared = &self.shared;
        if shared.stopped.load(Ordering::Acquire) {
            return Err(OpenError::Stopped);
        }
        let (rtp, rtcp) = self.bind_pair(bind)?;
        let id = PortId(shared.next_id.fetch_add(1, Ordering::Relaxed));
        let counters = Arc::new(Counters::default());
        let (rtp_addr, rtcp_addr) = (rtp.1, rtcp.1);
        let mut leg = Leg::new(Instant::now(), id, events, counters.clone(), shared.no_media_after);
        if shared.kernel().is_some() {
            leg.pass_numbers();
        }
        let home = shared.least_loaded();
        if !shared.send(home, Command::Adopt(Box::new(Port::new(leg, rtp.0, rtcp.0)))) {
            lock(&shared.numbers).release(Instant::now(), bind, rtp_addr.port());
            return Err(OpenError::Stopped);
        }
        shared.add_load(home, 1);
        Ok(MediaPort {
            shared: shared.clone(),
            id,
            rtp: rtp_addr,
            rtcp: rtcp_addr,
            webrtc: None,
            counters,
            home: Mutex::new(home),
            codec: AtomicU8::new(Codec::Pcmu.payload_type()),
        })
    }

    /// Takes free numbers until a pair can be bound: others may use ports of our range.
    #[allow(clippy::type_complexity)]
    fn bind_pair(
        &self,
        ip: IpAddr,
    ) -> Result<((UdpSocket, SocketAddr), (UdpSocket, SocketAddr)), OpenError> {
        let tries = lock(&self.shared.numbers).pairs();
        for _ in 0..tries {
            let now = Instant::now();
            let number = lock(&self.shared.numbers).take(now, ip, rand::random_range(0..=0xffff));
            let port = number.ok_or(OpenError::Exhausted)?;
            let (rtp, rtcp) = (SocketAddr::new(ip, port), SocketAddr::new(ip, port + 1));
            match bind(rtp, self.shared.dscp).and_then(|a| Ok((a, bind(rtcp, self.shared.dscp)?))) {
                Ok((a, b)) => return Ok(((a, rtp), (b, rtcp))),
                Err(source) => {
                    // Drains, so that the next try takes another number.
                    lock(&self.shared.numbers).release(now, ip, port);
                    if source.kind() != io::ErrorKind::AddrInUse {
                        return Err(OpenError::Bind { addr: ip, source });
                    }
                }
            }
        }
        Err(OpenError::Exhausted)
    }

    /// Our certificate's, for DTLS with desk phones.
    pub fn fingerprint(&self) -> &Fingerprint {
        self.shared.identity.fingerprint()
    }

    /// Pairs open now; exact at once after a [`MediaPort`] is dropped.
    pub fn open_ports(&self) -> usize {
        lock(&self.shared.numbers).open() + self.shared.webrtc_legs.load(Ordering::Relaxed)
    }

    /// Lets the peers of the two ports hear each other, until one is unbridged, bridged elsewhere or
    /// dropped. Packets are passed on as they are where both sides have the same codec and packet
    /// length; otherwise what one says is decoded and made into what the other takes. A port on another thread moves to the first one's.
    pub fn bridge(&self, a: &MediaPort, b: &MediaPort) {
        if a.id == b.id {
            return;
        }
        // A leg on the shared port stays where that is.
        let (a, b) = if b.webrtc.is_some() { (b, a) } else { (a, b) };
        let home = *lock(&a.home);
        self.shared.bring(b, home);
        self.shared.send(home, Command::Port(a.id, Order::Bridge(b.id)));
    }

    /// Sends back to a port's peer what it says, until it is unbridged, bridged or dropped.
    pub fn echo(&self, port: &MediaPort) {
        port.order(Order::Echo);
    }

    /// Ends the bridge `a` is part of.
    pub fn unbridge(&self, a: &MediaPort) {
        a.order(Order::Unbridge);
    }

    /// What the kernel relays in place of the media threads.
    pub fn kernel_relay(&self) -> KernelRelay {
        match &self.shared.kernel {
            None => KernelRelay::Off,
            Some(Ok(kernel)) => kernel.status(),
            Some(Err(why)) => KernelRelay::Refused { why: why.clone() },
        }
    }

    /// Whether every media thread works. Waits for the busiest, and for ever for one that hangs: the
    /// caller has a limit of its own.
    pub async fn is_well(&self) -> bool {
        for worker in &self.shared.workers {
            let (answer, answered) = oneshot::channel();
            if !worker.send(Command::Ping(answer)) || answered.await.is_err() {
                return false;
            }
        }
        true
    }

    /// Stops the threads and closes every socket; running recordings are finished. Handles stay
    /// valid and do nothing.
    pub fn shutdown(&self) {
        self.shared.stop();
        for thread in lock(&self.shared.threads).drain(..) {
            // A media thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn kernel(&self) -> Option<&kernel::Handle> {
        self.kernel.as_ref()?.as_ref().ok()
    }

    /// `false`: there is no such thread any more.
    fn send(&self, worker: usize, command: Command) -> bool {
        self.workers.get(worker).is_some_and(|remote| remote.send(command))
    }

    /// Brings a port to a worker. Orders for it go there from here on, which keeps them until it
    /// comes. Gives where it is.
    fn bring(&self, port: &MediaPort, home: usize) -> usize {
        let mut at = lock(&port.home);
        if *at != home
            && port.webrtc.is_none()
            && let Some(to) = self.workers.get(home).cloned()
        {
            self.send(home, Command::Expect(port.id));
            self.send(*at, Command::Port(port.id, Order::Move(to)));
            self.add_load(home, 1);
            self.add_load(*at, -1);
            *at = home;
        }
        *at
    }

    fn least_loaded(&self) -> usize {
        let load = |i: &usize| self.load.get(*i).map_or(usize::MAX, |l| l.load(Ordering::Relaxed));
        (0..self.load.len()).min_by_key(load).unwrap_or(0)
    }

    fn add_load(&self, worker: usize, change: isize) {
        if let Some(load) = self.load.get(worker) {
            load.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        for remote in &self.workers {
            remote.send(Command::Stop);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Before other threads, of ours too, where a core is short: a packet is late sooner than an answer.
/// A nicer thread that has the core keeps it for some milliseconds, from a real-time one it is taken at
/// once. The kernel leaves the others a twentieth of the time, unless it was told not to
/// (`kernel.sched_rt_runtime_us`).
fn go_first() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    if set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_err() {
        // Nobody without the right to it (`LimitRTPRIO=`, `LimitNICE=` of the service) is worse off
        // than before.
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
}

fn unspecified(like: SocketAddr) -> IpAddr {
    match like {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn bind(addr: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(addr);
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    let tos = u32::from(dscp & 0x3f) << 2;
    // A container may forbid marking; calls work without.
    let _ = if addr.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) };
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

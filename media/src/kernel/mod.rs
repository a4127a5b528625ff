//! Relaying below userspace: packets of a plain call leave the kernel where they come in.
//!
//! > Whatever the kernel does not take comes to the sockets as if this were not there.
//!
//! A [`Path`] is one direction of a call that needs no look inside: both legs plain, one codec, packets
//! of one length, numbers that go through unchanged. It is an element of a map in an nftables table of
//! our own, on the ingress hook of the interface that the peer is behind; the table is owned by our netlink
//! socket and goes with it, however the process ends. One packet in [`table::SAMPLING`] still comes up: that keeps
//! the leg's view of loss, jitter and silence, and the numbers of its stream, so that userspace can go on
//! with the next packet at any time. Keys, comfort noise, RTCP and everything unexpected come up
//! too. `docs/decisions/0013` says why it is so.

mod netlink;
mod route;
mod table;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::table::{Path, usable};

use self::netlink::Socket;
use self::route::Route;
use self::table::{Key, Table};
use crate::engine::Counters;

/// How often packets are counted and the routes looked at.
const ROUND: Duration = Duration::from_secs(1);

/// How long somebody waits who wants the counts at once.
const PATIENCE: Duration = Duration::from_millis(50);

/// What has become of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathState {
    /// The kernel has it, or soon will.
    Taken,
    /// The kernel does not have it, and its packets are counted to the last.
    Ended,
    /// The kernel cannot take it.
    Refused,
}

/// One path in the hands of the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) path: Path,
    state: Arc<AtomicU8>,
    /// Of the leg that receives, and of the one that sends.
    counters: [Arc<Counters>; 2],
}

impl Flow {
    pub(crate) fn new(path: Path, from: Arc<Counters>, to: Arc<Counters>) -> Self {
        Self { path, state: Arc::new(AtomicU8::new(0)), counters: [from, to] }
    }

    pub(crate) fn state(&self) -> PathState {
        match self.state.load(Ordering::Acquire) {
            0 => PathState::Taken,
            1 => PathState::Ended,
            _ => PathState::Refused,
        }
    }

    fn end(&self, refused: bool) {
        self.state.store(if refused { 2 } else { 1 }, Ordering::Release);
    }
}

enum Ask {
    Take(Flow),
    Leave(Path),
    Count(SyncSender<()>),
}

/// What the kernel relays at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelRelay {
    /// It was not asked for.
    Off,
    /// So many directions of calls.
    On {
        /// How many.
        paths: usize,
    },
    /// It was asked for, and the system refuses: everything is relayed in userspace.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// How a media thread speaks to the thread that looks after the table. The table goes with the last one.
#[derive(Clone)]
pub(crate) struct Handle {
    asks: Sender<Ask>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    paths: AtomicUsize,
    /// Set once, when the table was lost.
    lost: Mutex<Option<String>>,
}

impl Handle {
    /// Makes the table, and a thread that looks after it.
    ///
    /// # Errors
    /// The system has no nftables, or we may not use it.
    pub(crate) fn start(dscp: u8) -> io::Result<Self> {
        let table = Table::open(dscp)?;
        let (routes, changes) = (Socket::open(None)?, Socket::listen(route::CHANGES)?);
        let (asks, inbox) = channel();
        let shared = Arc::new(Shared::default());
        let table = Some(table);
        let keeper = Keeper { table, routes, changes, flows: HashMap::new(), shared };
        let shared = Arc::clone(&keeper.shared);
        std::thread::Builder::new()
            .name("kernel-relay".into())
            .spawn(move || keeper.run(&inbox))?;
        Ok(Self { asks, shared })
    }

    pub(crate) fn take(&self, flow: Flow) {
        if let Err(unsent) = self.asks.send(Ask::Take(flow))
            && let Ask::Take(flow) = unsent.0
        {
            flow.end(true);
        }
    }

    pub(crate) fn leave(&self, path: Path) {
        // Without its thread there is no table.
        let _ = self.asks.send(Ask::Leave(path));
    }

    /// Brings all counters up to date, unless that takes long.
    pub(crate) fn count(&self) {
        let (done, wait) = sync_channel(1);
        if self.asks.send(Ask::Count(done)).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }

    pub(crate) fn status(&self) -> KernelRelay {
        match &*self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => KernelRelay::Refused { why: why.clone() },
            None => KernelRelay::On { paths: self.shared.paths.load(Ordering::Relaxed) },
        }
    }
}

/// Says in words why there is no table.
pub(crate) fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        // EPERM, EACCES
        Some(1 | 13) => {
            "not permitted: the service needs CAP_NET_ADMIN (see docs/performance.md)".to_owned()
        }
        // EPROTONOSUPPORT, EOPNOTSUPP, EINVAL: also of kernels before 5.12, which know no owner.
        Some(93 | 95 | 22) => {
            format!("this kernel has no nftables with owned tables (Linux 5.12): {error}")
        }
        _ => format!("nftables: {error}"),
    }
}

struct Taken {
    flow: Flow,
    ways: [Route; 2],
    /// Packets told to the counters.
    told: u64,
}

/// The thread that owns the table.
struct Keeper {
    /// `None` after it did not do what it was told: then nothing of ours is in the kernel any more.
    table: Option<Table>,
    routes: Socket,
    changes: Socket,
    flows: HashMap<Key, Taken>,
    shared: Arc<Shared>,
}

impl Keeper {
    fn run(mut self, inbox: &Receiver<Ask>) {
        let mut next = Instant::now() + ROUND;
        loop {
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Ask::Take(flow)) => self.take(flow),
                Ok(Ask::Leave(path)) => self.leave(&path.key()),
                Ok(Ask::Count(done)) => {
                    self.count();
                    // Who asked may have lost patience.
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + ROUND;
                    self.round();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.shared.paths.store(self.flows.len(), Ordering::Relaxed);
        }
    }

    fn round(&mut self) {
        if self.changes.heard() {
            if let Some(table) = &mut self.table {
                table.forget_interfaces(|index| self.routes.interface(index).is_some());
            }
            for key in self.flows.keys().copied().collect::<Vec<_>>() {
                self.follow_routes(&key);
            }
        }
        if !self.flows.is_empty() {
            self.count();
        }
    }

    /// A path whose routes are others now goes back to userspace, which may give it again.
    fn follow_routes(&mut self, key: &Key) {
        let Some(Taken { flow, ways, .. }) = self.flows.get(key) else { return };
        let (path, ways) = (flow.path, *ways);
        if !matches!(self.ways(&path), Ok(Some(now)) if now == ways) {
            self.leave(key);
        }
    }

    fn take(&mut self, flow: Flow) {
        match self.insert(&flow.path) {
            Ok(Some(ways)) => {
                flow.counters[0].in_kernel.set(1);
                self.flows.insert(flow.path.key(), Taken { flow, ways, told: 0 });
            }
            Ok(None) => flow.end(true),
            Err(error) => {
                tracing::warn!(%error, "the kernel does not take a call's packets");
                flow.end(true);
            }
        }
    }

    /// The routes to the peer that hears and back to the one that speaks, if there are any.
    fn ways(&mut self, path: &Path) -> io::Result<Option<[Route; 2]>> {
        let to = route::route(&mut self.routes, *path.to.ip(), *path.via.ip())?;
        let back = route::route(&mut self.routes, *path.from.ip(), *path.at.ip())?;
        Ok(to.zip(back).map(|(to, back)| [to, back]))
    }

    fn insert(&mut self, path: &Path) -> io::Result<Option<[Route; 2]>> {
        let Some(ways) = self.ways(path)? else { return Ok(None) };
        let [to, back] = ways;
        let Some(device) = self.routes.interface(back.interface) else { return Ok(None) };
        let Some(table) = &mut self.table else { return Ok(None) };
        table.attach(back.interface, &device)?;
        table.insert(path, to)?;
        Ok(Some(ways))
    }

    fn leave(&mut self, key: &Key) {
        let Some(mut taken) = self.flows.remove(key) else { return };
        if let Some(table) = &mut self.table {
            let path = taken.flow.path;
            let last = table.count_one(&path);
            let removed = table.remove(&path);
            // Packets between the two are few and go uncounted.
            if let Ok(packets) = last {
                taken.tell(packets);
            }
            if let Err(error) = removed {
                self.lose(&error);
            }
        }
        taken.end();
    }

    /// Gives the table up, and with it all that is in it.
    fn lose(&mut self, error: &io::Error) {
        tracing::error!(%error, "the kernel's relay is given up");
        self.table = None;
        for (_, taken) in self.flows.drain() {
            taken.end();
        }
        let mut lost = self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost = Some(refusal(error));
    }

    fn count(&mut self) {
        let (Some(table), flows) = (&mut self.table, &mut self.flows) else { return };
        let counted = table.count(|key, packets| {
            if let Some(taken) = flows.get_mut(&key) {
                taken.tell(packets);
            }
        });
        if let Err(error) = counted {
            // A map that changed while it was read (EINTR) is read again in a second.
            tracing::debug!(%error, "packets in the kernel could not be counted");
        }
    }
}

impl Taken {
    fn end(&self) {
        self.flow.counters[0].in_kernel.set(0);
        self.flow.end(false);
    }

    /// Tells the legs how many packets more there were.
    fn tell(&mut self, packets: u64) {
        let more = packets.saturating_sub(self.told);
        self.told = self.told.max(packets);
        let [from, to] = &self.flow.counters;
        from.kernel_received.add(more);
        to.kernel_sent.add(more);
    }
}

//! A network of datagrams that loses, delays, doubles and reorders them as a seed says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Datagrams kept for [`SimNet::ladder`] and its kin.
const REMEMBERED: usize = 100_000;

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Shortest way.
    pub nearest: Duration,
    /// Longest way; each datagram draws between the two, so that close ones overtake each other.
    pub farthest: Duration,
    /// Share that never arrives.
    pub loss: f64,
    /// Share that arrives twice.
    pub duplication: f64,
    /// Share that takes a detour of up to [`Weather::detour`] and is overtaken.
    pub reordering: f64,
    /// Longest detour.
    pub detour: Duration,
}

impl Weather {
    /// A good local network: everything arrives, in order.
    pub const CALM: Self = Self {
        nearest: Duration::from_millis(1),
        farthest: Duration::from_millis(1),
        loss: 0.0,
        duplication: 0.0,
        reordering: 0.0,
        detour: Duration::ZERO,
    };

    /// One datagram of ten is lost, one of twenty doubled, one of ten late by up to a second,
    /// which is twice T1: retransmissions and their answers cross.
    pub const ROUGH: Self = Self {
        nearest: Duration::from_millis(5),
        farthest: Duration::from_millis(60),
        loss: 0.10,
        duplication: 0.05,
        reordering: 0.10,
        detour: Duration::from_millis(1_000),
    };
}

/// One datagram.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the network.
    pub sent: u64,
    /// Never arrived.
    pub lost: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// Took a detour.
    pub late: u64,
    /// Arrived somewhere, doubles included.
    pub delivered: u64,
    /// Sent to an address where nobody is.
    pub strayed: u64,
}

type Sink = Box<dyn Fn(Packet) + Send>;

/// The network. Cheap to clone; all clones are one network.
#[derive(Clone)]
pub struct SimNet(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    earlier: Notify,
}

struct State {
    seed: u64,
    weather: Weather,
    hosts: HashMap<SocketAddr, Sink>,
    /// One generator for each direction between two hosts: what one pair sends does not change
    /// what happens to another.
    links: HashMap<(SocketAddr, SocketAddr), StdRng>,
    due: BTreeMap<(Instant, u64), Packet>,
    next: u64,
    counts: Counts,
    strays: Vec<SocketAddr>,
    /// From whom, how a datagram begins, how many more.
    doomed: Vec<(SocketAddr, Box<[u8]>, usize)>,
    seen: VecDeque<(Instant, &'static str, Packet)>,
    closed: bool,
}

impl std::fmt::Debug for SimNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimNet").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl SimNet {
    /// An empty network; its one task runs on the current runtime until [`SimNet::close`].
    pub fn start(seed: u64, weather: Weather) -> Self {
        let state = State {
            seed,
            weather,
            hosts: HashMap::new(),
            links: HashMap::new(),
            due: BTreeMap::new(),
            next: 0,
            counts: Counts::default(),
            strays: Vec::new(),
            doomed: Vec::new(),
            seen: VecDeque::new(),
            closed: false,
        };
        let net = Self(Arc::new(Inner { state: Mutex::new(state), earlier: Notify::new() }));
        tokio::spawn(net.clone().run());
        net
    }

    /// From now on datagrams to `address` go to `sink`, which must not wait.
    pub fn attach(&self, address: SocketAddr, sink: impl Fn(Packet) + Send + 'static) {
        self.state().hosts.insert(address, Box::new(sink));
    }

    /// As [`SimNet::attach`], into an inbox.
    pub fn inbox(&self, address: SocketAddr) -> mpsc::UnboundedReceiver<Packet> {
        let (sender, inbox) = mpsc::unbounded_channel();
        self.attach(address, move |packet| {
            let _ = sender.send(packet);
        });
        inbox
    }

    /// Nobody is at the address any more.
    pub fn detach(&self, address: SocketAddr) {
        self.state().hosts.remove(&address);
    }

    /// Other weather, from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Loses the next `count` datagrams from this address that begin so, whatever the weather.
    pub fn lose(&self, from: SocketAddr, start: &str, count: usize) {
        self.state().doomed.push((from, start.as_bytes().into(), count));
    }

    /// Sends a datagram.
    pub fn send(&self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let now = Instant::now();
        let packet = Packet { from, to, bytes };
        let mut state = self.state();
        state.counts.sent += 1;
        let (weather, seed) = (state.weather, state.seed);
        let doomed = state.is_doomed(&packet);
        let fate = state.links.entry((from, to)).or_insert_with(|| link(seed, from, to));
        let lost = fate.random_bool(weather.loss) || doomed;
        let copies = if fate.random_bool(weather.duplication) { 2 } else { 1 };
        let mut delays = Vec::with_capacity(copies);
        let mut late = 0;
        for _ in 0..copies {
            let mut delay = fate.random_range(weather.nearest..=weather.farthest);
            if fate.random_bool(weather.reordering) {
                delay += fate.random_range(Duration::ZERO..=weather.detour);
                late += 1;
            }
            delays.push(delay);
        }
        let fate = if lost { "lost" } else { ["", "", "twice"][copies] };
        state.remember(now, fate, packet.clone());
        if lost {
            state.counts.lost += 1;
            return;
        }
        state.counts.late += late;
        state.counts.doubled += copies as u64 - 1;
        for delay in delays {
            state.next += 1;
            let key = (now + delay, state.next);
            state.due.insert(key, packet.clone());
        }
        drop(state);
        self.0.earlier.notify_one();
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Addresses of nobody that somebody sent to, each once.
    pub fn strays(&self) -> Vec<SocketAddr> {
        self.state().strays.clone()
    }

    /// Datagrams on their way.
    pub fn in_flight(&self) -> usize {
        self.state().due.len()
    }

    /// The last datagrams that hold `text`, one line each, for the message of a failed test.
    pub fn ladder(&self, text: &str) -> String {
        let state = self.state();
        let first = state.seen.front().map(|(at, ..)| *at);
        let mut lines = String::new();
        for (at, fate, packet) in &state.seen {
            let message = String::from_utf8_lossy(&packet.bytes);
            if !message.contains(text) {
                continue;
            }
            let line = message.lines().next().unwrap_or_default();
            let cseq = message.lines().find(|l| l.starts_with("CSeq")).unwrap_or_default();
            let since = first.map_or(0, |first| (*at - first).as_millis());
            lines +=
                &format!("{since:>8} {} > {} {line} [{cseq}] {fate}\n", packet.from, packet.to);
        }
        lines
    }

    /// The last messages (lost ones too) whose first line begins so, as text, oldest first.
    pub fn messages(&self, start: &str) -> Vec<(SocketAddr, SocketAddr, String)> {
        let state = self.state();
        let all = state.seen.iter().map(|(_, _, packet)| packet);
        let fitting = all.filter(|packet| packet.bytes.starts_with(start.as_bytes()));
        fitting.map(|p| (p.from, p.to, String::from_utf8_lossy(&p.bytes).into_owned())).collect()
    }

    /// First lines and Call-IDs of requests that `host` got (at least once) and never answered
    /// finally, for the message of a failed test.
    pub fn unanswered(&self, host: SocketAddr) -> Vec<String> {
        let state = self.state();
        let mut open: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut answered = std::collections::HashSet::new();
        for (_, fate, packet) in &state.seen {
            let text = String::from_utf8_lossy(&packet.bytes);
            let field = |name: &str| text.lines().find_map(|l| l.strip_prefix(name));
            let branch = field("Via:").and_then(|via| via.split("branch=").nth(1));
            let branch = branch.and_then(|b| b.split(';').next()).unwrap_or_default().to_owned();
            let method = field("CSeq:").and_then(|c| c.split_whitespace().nth(1));
            let key = (branch, method.unwrap_or_default().to_owned());
            let first = text.lines().next().unwrap_or_default();
            if packet.to == host && *fate != "lost" && !first.starts_with("SIP/2.0") {
                let id = field("Call-ID:").unwrap_or_default();
                open.entry(key).or_insert_with(|| format!("{first} {id}"));
            } else if packet.from == host && !first.starts_with("SIP/2.0 1") {
                answered.insert(key);
            }
        }
        open.retain(|key, _| key.1 != "ACK" && !answered.contains(key));
        open.into_values().collect()
    }

    /// Ends the network's task. What is on its way is lost.
    pub fn close(&self) {
        self.state().closed = true;
        self.0.earlier.notify_one();
    }

    async fn run(self) {
        loop {
            let next = {
                let mut state = self.state();
                if state.closed {
                    return;
                }
                state.deliver(Instant::now());
                state.due.first_key_value().map(|((at, _), _)| *at)
            };
            let earlier = self.0.earlier.notified();
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(at) => {}
                        () = earlier => {}
                    }
                }
                None => earlier.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a test wants this one lost.
    fn is_doomed(&mut self, packet: &Packet) -> bool {
        let fits = |(from, start, left): &&mut (SocketAddr, Box<[u8]>, usize)| {
            *from == packet.from && *left > 0 && packet.bytes.starts_with(start)
        };
        let doom = self.doomed.iter_mut().find(fits);
        doom.map(|(.., left)| *left -= 1).is_some()
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(entry) = self.due.first_entry()
            && entry.key().0 <= now
        {
            let packet = entry.remove();
            match self.hosts.get(&packet.to) {
                Some(sink) => {
                    self.counts.delivered += 1;
                    sink(packet);
                }
                None => {
                    self.counts.strayed += 1;
                    if !self.strays.contains(&packet.to) {
                        self.strays.push(packet.to);
                    }
                }
            }
        }
    }

    fn remember(&mut self, now: Instant, fate: &'static str, packet: Packet) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((now, fate, packet));
    }
}

fn link(seed: u64, from: SocketAddr, to: SocketAddr) -> StdRng {
    let mut hasher = DefaultHasher::new();
    (seed, from, to).hash(&mut hasher);
    StdRng::seed_from_u64(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    async fn arrivals(seed: u64) -> (Vec<u8>, Counts) {
        let net = SimNet::start(seed, Weather::ROUGH);
        let mut inbox = net.inbox(address(2));
        for n in 0..200_u8 {
            net.send(address(1), address(2), Bytes::copy_from_slice(&[n]));
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let arrived = std::iter::from_fn(|| inbox.try_recv().ok());
        let got = arrived.map(|packet| packet.bytes[0]).collect();
        let counts = net.counts();
        net.close();
        (got, counts)
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_decides_what_is_lost_doubled_and_overtaken() {
        let (first, counts) = arrivals(7).await;
        let (again, _) = arrivals(7).await;
        let (other, _) = arrivals(8).await;
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert!(!first.is_sorted(), "nothing was overtaken");
        assert!(counts.lost > 5 && counts.doubled > 2 && counts.late > 5, "{counts:?}");
        assert_eq!(counts.delivered, first.len() as u64);
        assert_eq!(counts.sent - counts.lost + counts.doubled, counts.delivered);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_to_nobody_is_counted() {
        let net = SimNet::start(1, Weather::CALM);
        net.send(address(1), address(9), Bytes::from_static(b"x"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((net.counts().strayed, net.strays()), (1, vec![address(9)]));
        assert_eq!(net.in_flight(), 0);
        net.close();
    }
}

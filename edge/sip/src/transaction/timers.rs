//! Timers A to M: how long each runs, and the queue that wakes them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::{Config, Trying, TxId};

/// The timers of RFC 3261 Table 4 and RFC 6026, and four that the RFCs describe without a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE gives up.
    B,
    /// Callee rings too long.
    C,
    /// Wait for retransmitted final responses to an INVITE.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// The same after a provisional response.
    LateE,
    /// Non-INVITE gives up.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted non-INVITE responses.
    K,
    /// Wait for retransmitted INVITEs after a 2xx.
    L,
    /// Wait for retransmitted and forked 2xx.
    M,
    /// Silence of the owner after which an INVITE gets its 100.
    Trying,
    /// The same for other requests (RFC 4320).
    LateTrying,
    /// How long a non-INVITE request may stay without a final response.
    Unanswered,
    /// How long a cancelled INVITE may stay without one.
    Cancelled,
}

/// A transaction runs two timers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Sends something again.
    Tick,
    /// Ends the state.
    Expire,
}

impl Timer {
    pub(super) fn slot(self) -> Slot {
        match self {
            Self::A | Self::E | Self::LateE | Self::G | Self::Trying | Self::LateTrying => {
                Slot::Tick
            }
            _ => Slot::Expire,
        }
    }

    /// Nobody waits for it: when it fires, a table entry goes and nothing is sent. Such a timer may
    /// be late ([`Config::tidy_grain`]) without anybody noticing.
    pub(super) fn only_tidies(self) -> bool {
        matches!(self, Self::D | Self::I | Self::J | Self::K | Self::L | Self::M)
    }

    /// How long it runs; `None`: not at all on this transport; zero: it fires at once.
    #[rustfmt::skip]
    pub(super) fn duration(self, config: &Config, reliable: bool) -> Option<Duration> {
        let (t1, t2, t4) = (config.t1, config.t2, config.t4);
        let unless_reliable = |d| if reliable { Duration::ZERO } else { d };
        match self {
            // §17.1.1.2, §17.1.2.2, §17.2.1: no retransmission over a reliable transport.
            Self::A | Self::E | Self::G | Self::LateE if reliable => None,
            Self::A | Self::E | Self::G  => Some(t1),
            Self::LateE                  => Some(t2),
            Self::B | Self::F | Self::H  => Some(64 * t1),
            Self::C                      => Some(config.timer_c),
            // §17.1.1.2: at least 32 s, and 0 over a reliable transport.
            Self::D                      => Some(unless_reliable((64 * t1).max(Duration::from_secs(32)))),
            Self::I | Self::K            => Some(unless_reliable(t4)),
            Self::J                      => Some(unless_reliable(64 * t1)),
            // RFC 6026 §7.1, §7.2: the same on every transport.
            Self::L | Self::M            => Some(64 * t1),
            Self::Trying                 => match config.trying {
                Trying::AtOnce           => Some(Duration::ZERO),
                Trying::After(d)         => Some(d),
            },
            Self::LateTrying             => Some(until_t2(t1, t2)),
            Self::Unanswered | Self::Cancelled => Some(64 * t1),
        }
    }

    /// The longest interval between two retransmissions.
    pub(super) fn cap(self, config: &Config) -> Duration {
        match self {
            // §17.1.1.2: doubling, no cap.
            Self::A => 64 * config.t1,
            _ => config.t2,
        }
    }
}

/// When a client's Timer E, which starts at `t1` and doubles, is first set to `t2`: 3.5 s with
/// the usual values (RFC 4320 §4.1).
fn until_t2(t1: Duration, t2: Duration) -> Duration {
    let (mut elapsed, mut interval) = (Duration::ZERO, t1);
    while interval < t2 && !interval.is_zero() {
        elapsed += interval;
        interval *= 2;
    }
    elapsed
}

/// The running timers of one transaction.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    pub(super) tick: Option<Instant>,
    pub(super) expire: Option<Instant>,
    /// Interval of the last retransmission.
    pub(super) interval: Duration,
    /// What `expire` does is to tidy up.
    tidies: bool,
    /// The wake-up of this transaction that counts.
    queued: Option<Instant>,
}

impl Deadlines {
    /// Starts `timer`. `true`: it fires at once.
    pub(super) fn arm(&mut self, now: Instant, timer: Timer, c: &Config, reliable: bool) -> bool {
        let duration = timer.duration(c, reliable);
        let at = duration.map(|d| now + d);
        match timer.slot() {
            Slot::Tick => {
                self.interval = duration.unwrap_or_default();
                self.tick = at;
            }
            Slot::Expire => {
                self.expire = at;
                self.tidies = timer.only_tidies();
            }
        }
        duration == Some(Duration::ZERO)
    }

    pub(super) fn double(&mut self, now: Instant, timer: Timer, config: &Config) {
        self.interval = (self.interval * 2).min(timer.cap(config));
        self.tick = Some(now + self.interval);
    }

    /// Which slot is due at `now`; clears it. `Expire` goes first: what has ended sends no more.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Slot> {
        if self.expire.is_some_and(|at| at <= now) {
            self.expire = None;
            return Some(Slot::Expire);
        }
        if self.tick.is_some_and(|at| at <= now) {
            self.tick = None;
            return Some(Slot::Tick);
        }
        None
    }

    /// Only a timer that nobody waits for is running.
    fn only_tidies(&self) -> bool {
        self.tidies && self.tick.is_none()
    }

    fn next(&self) -> Option<Instant> {
        match (self.tick, self.expire) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// Wake-ups in order of time, those that only tidy up apart. A transaction has one that counts;
/// one that was overtaken, or whose transaction is gone, stays until its time or until
/// [`Queue::compact`].
#[derive(Debug, Default)]
pub(super) struct Queue {
    prompt: Heap,
    tidy: Heap,
}

type Heap = BinaryHeap<Reverse<(Instant, TxId)>>;

impl Queue {
    /// To be called after any change to `deadlines`.
    pub(super) fn schedule(&mut self, tx: TxId, deadlines: &mut Deadlines) {
        let Some(next) = deadlines.next() else { return };
        let tidies = deadlines.only_tidies();
        // A wake-up that comes too early does no harm, but costs one; a transaction that has done
        // its work gives up the one it does not need any more.
        if deadlines.queued.is_none_or(|queued| next < queued || (tidies && next != queued)) {
            deadlines.queued = Some(next);
            let heap = if tidies { &mut self.tidy } else { &mut self.prompt };
            heap.push(Reverse((next, tx)));
        }
    }

    /// Takes out the next wake-up that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, TxId)> {
        for heap in [&mut self.prompt, &mut self.tidy] {
            if heap.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                return heap.pop().map(|Reverse(wake)| wake);
            }
        }
        None
    }

    /// When something is due; what only tidies up waits `grain` longer, for others to join it.
    pub(super) fn next(&self, grain: Duration) -> Option<Instant> {
        let first = |heap: &Heap| heap.peek().map(|Reverse((at, _))| *at);
        [first(&self.prompt), first(&self.tidy).map(|at| at + grain)].into_iter().flatten().min()
    }

    pub(super) fn len(&self) -> usize {
        self.prompt.len() + self.tidy.len()
    }

    /// Keeps what `live` says to keep.
    pub(super) fn compact(&mut self, live: impl Fn(Instant, TxId) -> bool) {
        for heap in [&mut self.prompt, &mut self.tidy] {
            heap.retain(|Reverse((at, tx))| live(*at, *tx));
        }
    }

    /// Drops wake-ups at the heads that `live` disowns.
    pub(super) fn trim(&mut self, live: impl Fn(Instant, TxId) -> bool) {
        for heap in [&mut self.prompt, &mut self.tidy] {
            while let Some(Reverse((at, tx))) = heap.peek() {
                if live(*at, *tx) {
                    break;
                }
                heap.pop();
            }
        }
    }
}

impl Deadlines {
    /// Whether the queue's wake-up at `at` is the one that counts.
    pub(super) fn is_queued(&self, at: Instant) -> bool {
        self.queued == Some(at)
    }

    /// The wake-up that counts was taken out of the queue.
    pub(super) fn woken(&mut self) {
        self.queued = None;
    }
}

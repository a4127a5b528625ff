//! When packets come and in which order: how long to wait for them, and where they wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::codec::Codec;

/// The delays that are told apart: 5 ms each, up to 400 ms.
const STEP_US: i64 = 5000;
const STEPS: usize = 80;
/// What one more packet leaves of the memory of those before: half is gone after 170.
const MEMORY: f32 = 0.996;
/// Who comes later than this has another clock.
const ABSURD_US: i64 = 1_000_000;
/// The share of packets that may come too late.
const LATE: f32 = 0.02;
/// Waited for beyond the worst of the others: two ticks of the thread that asks.
const MARGIN_US: i64 = 10_000;
/// The wait before anything is known.
const FIRST_TARGET_US: i64 = 40_000;
/// How long the earliest arrival counts: twice this. A peer's clock that is 200 ppm off moves it
/// by less than two milliseconds meanwhile.
const PERIOD: Duration = Duration::from_secs(4);

/// Packets that wait at most: more than a second of the shortest.
const MOST_WAITING: usize = 128;

/// Learns from arrivals how late packets come.
#[derive(Debug)]
pub(super) struct Timing {
    clock: i64,
    began: Instant,
    /// The last timestamp, and the same without wrapping.
    last: Option<(u32, i64)>,
    /// The earliest arrivals against the timestamps, of this period and the one before, in µs.
    floors: [i64; 2],
    period: Instant,
    /// How many packets were how late, fading.
    seen: Seen,
    /// The same before packets that may belong to another time.
    trusted: Option<Box<Seen>>,
}

#[derive(Debug, Clone)]
struct Seen {
    steps: [f32; STEPS],
    total: f32,
}

impl Timing {
    pub(super) fn new(now: Instant, clock: u32) -> Self {
        Self {
            clock: i64::from(clock.max(1)),
            began: now,
            last: None,
            floors: [i64::MAX; 2],
            period: now,
            seen: Seen { steps: [0.0; STEPS], total: 0.0 },
            trusted: None,
        }
    }

    /// Another stream of the same peer follows: how late its packets came is remembered.
    pub(super) fn follow(&mut self, now: Instant, clock: u32) {
        *self = Self { seen: self.seen.clone(), ..Self::new(now, clock) };
    }

    pub(super) fn clock(&self) -> i64 {
        self.clock
    }

    /// The timestamp without wrapping.
    pub(super) fn unwrap(&mut self, timestamp: u32) -> i64 {
        let at = match self.last {
            // The difference of two timestamps is signed (RFC 3550 A.1 does so with numbers).
            Some((last, at)) => at + i64::from(timestamp.wrapping_sub(last) as i32),
            None => i64::from(timestamp),
        };
        self.last = Some((timestamp, at));
        at
    }

    fn since(&self, now: Instant) -> i64 {
        i64::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX)
    }

    fn micros(&self, ticks: i64) -> i64 {
        ticks.saturating_mul(1_000_000) / self.clock
    }

    /// Notes that the packet of this time came now.
    pub(super) fn arrived(&mut self, now: Instant, at: i64) {
        let transit = self.since(now) - self.micros(at);
        let passed = now.saturating_duration_since(self.period);
        if passed >= PERIOD {
            // After a long silence both are too old to count.
            let before = if passed < PERIOD * 3 { self.floors[0] } else { i64::MAX };
            self.floors = [i64::MAX, before];
            self.period = now;
        }
        self.floors[0] = self.floors[0].min(transit);
        let late = transit - self.floor();
        if late > ABSURD_US {
            return;
        }
        let late = late / STEP_US;
        let late = usize::try_from(late).unwrap_or(0).min(STEPS - 1);
        self.seen.total = self.seen.total * MEMORY + 1.0;
        for (step, count) in self.seen.steps.iter_mut().enumerate() {
            *count = *count * MEMORY + if step == late { 1.0 } else { 0.0 };
        }
    }

    /// A packet came that is late, or of another time: what is learned from here on holds when
    /// [`Self::trust`] is called, and not when the peer's clock turns out to have begun anew.
    pub(super) fn doubt(&mut self) {
        self.trusted.get_or_insert_with(|| Box::new(self.seen.clone()));
    }

    /// It was late.
    #[inline]
    pub(super) fn trust(&mut self) {
        if self.trusted.is_some() {
            self.trusted = None;
        }
    }

    /// Forgets when packets came, not how late they were: the peer's clock began anew.
    pub(super) fn restart(&mut self) {
        self.floors = [i64::MAX; 2];
        if let Some(seen) = self.trusted.take() {
            self.seen = *seen;
        }
    }

    fn floor(&self) -> i64 {
        self.floors[0].min(self.floors[1])
    }

    /// How long after the earliest possible moment a sample shall be heard, in µs.
    pub(super) fn target(&self) -> i64 {
        if self.seen.total < 10.0 {
            return FIRST_TARGET_US;
        }
        let mut rest = self.seen.total * LATE;
        for (step, count) in self.seen.steps.iter().enumerate().rev() {
            rest -= count;
            if rest < 0.0 {
                return step as i64 * STEP_US + MARGIN_US;
            }
        }
        MARGIN_US
    }

    /// How long after the earliest possible moment the sample of this time is heard if it is heard
    /// now, in µs.
    pub(super) fn delay(&self, now: Instant, at: i64) -> i64 {
        if self.floor() == i64::MAX {
            return 0;
        }
        self.since(now) - self.micros(at) - self.floor()
    }
}

/// A packet that waits.
#[derive(Debug, Default)]
pub(super) struct Packet {
    /// Its timestamp without wrapping.
    pub(super) at: i64,
    /// `None`: comfort noise.
    pub(super) codec: Option<Codec>,
    pub(super) payload: Vec<u8>,
}

/// Packets in the order of their time. Their memory is used again.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Packet>,
    spare: Vec<Packet>,
}

impl Queue {
    pub(super) fn first(&self) -> Option<&Packet> {
        self.waiting.front()
    }

    /// Puts a packet in its place. `false`: it is there already, or there is no room.
    pub(super) fn insert(&mut self, at: i64, codec: Option<Codec>, payload: &[u8]) -> bool {
        let place = self.waiting.partition_point(|packet| packet.at < at);
        let double = self.waiting.get(place).is_some_and(|packet| packet.at == at);
        if double || self.is_full() {
            return false;
        }
        let mut packet = self.spare.pop().unwrap_or_default();
        (packet.at, packet.codec) = (at, codec);
        packet.payload.clear();
        packet.payload.extend_from_slice(payload);
        self.waiting.insert(place, packet);
        true
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    /// Takes the first; give it back with [`Self::done`].
    pub(super) fn take(&mut self) -> Option<Packet> {
        self.waiting.pop_front()
    }

    pub(super) fn done(&mut self, packet: Packet) {
        self.spare.push(packet);
    }

    pub(super) fn clear(&mut self) {
        self.spare.extend(self.waiting.drain(..));
    }
}

//! One peer's packets to an even flow of samples.

mod missing;

use std::time::{Duration, Instant};

use super::coder::{self, Decoder};
use super::conceal::Concealer;
use super::halfband::{Doubler, Halver};
use super::jitter::{Packet, Queue, Timing};
use super::noise::Noise;
use super::{PIECES, Rate, splice};
use crate::codec::Codec;

const PIECE: Duration = Duration::from_millis(10);

/// Most pieces that are made in advance.
const MOST_READY: usize = 100;

/// A thread that was stalled for longer than this goes on from where it is.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Late packets in a row after which the peer's time is taken to have moved.
const LATE_IN_A_ROW: u32 = 4;

/// A jump ahead of more than this is a new time, not a pause; in seconds.
const MAX_JUMP_S: i64 = 2;

/// How far the delay may be off before it is corrected in a quiet moment and in any moment, in µs:
/// too long and too short.
const QUIET_LONG_US: i64 = 6000;
const LOUD_LONG_US: i64 = 20_000;
const QUIET_SHORT_US: i64 = 4000;
const LOUD_SHORT_US: i64 = 8000;
/// Mean amplitude below which a moment is quiet.
const QUIET: u64 = 250;
/// An Opus packet of no more bytes than this announces a pause (RFC 7587 §3.1.3).
const PAUSE_BYTES: usize = 2;

/// Waited for beyond a whole packet when the next one tells what was in one that is lost, in µs.
const REDUNDANCY_MARGIN_US: i64 = 10_000;
/// For how many pieces a peer counts as one whose packets tell so: five seconds.
const REDUNDANT: u32 = 500;

/// Pieces between two corrections.
const REST: u32 = 5;

/// A packet as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) ssrc: u32,
    pub(crate) timestamp: u32,
    /// `None`: comfort noise (RFC 3389).
    pub(crate) codec: Option<Codec>,
    pub(crate) payload: &'a [u8],
}

/// Listens to one peer.
pub(crate) struct Ear {
    rate: Rate,
    ssrc: Option<u32>,
    timing: Timing,
    queue: Queue,
    late_in_a_row: u32,
    decoder: Option<Decoder>,
    concealer: Concealer,
    noise: Option<Noise>,
    doubler: Doubler,
    halver: Halver,
    /// At the decoder's rate, before it is brought to ours.
    raw: Vec<i16>,
    /// Decoded and not given out.
    ready: Vec<i16>,
    /// The timestamp behind the last sample of `ready`.
    cursor: i64,
    /// Length of the last packet in ticks.
    packet: i64,
    /// The last packet announced a pause.
    pause: bool,
    /// Samples in a row made in place of packets.
    missing: usize,
    next: Instant,
    rest: u32,
    /// Pieces for which packets are waited for that tell of lost ones.
    redundant: u32,
}

impl Ear {
    pub(crate) fn new(now: Instant, rate: Rate) -> Self {
        Self {
            rate,
            ssrc: None,
            timing: Timing::new(now, 8000),
            queue: Queue::default(),
            late_in_a_row: 0,
            decoder: None,
            concealer: Concealer::new(rate),
            noise: None,
            doubler: Doubler::default(),
            halver: Halver::default(),
            raw: Vec::new(),
            ready: Vec::new(),
            cursor: 0,
            packet: 0,
            pause: false,
            missing: 0,
            next: now + PIECE,
            rest: 0,
            redundant: 0,
        }
    }

    /// The rate of what it gives.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Gives its samples at this rate from here on, those that wait too.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        if rate == self.rate {
            return;
        }
        let ready = std::mem::take(&mut self.ready);
        match rate {
            Rate::Wide => Doubler::default().run(&ready, &mut self.ready),
            Rate::Narrow => Halver::default().run(&ready, &mut self.ready),
        }
        self.rate = rate;
        self.concealer = Concealer::new(rate);
        (self.doubler, self.halver) = (Doubler::default(), Halver::default());
        // One that gives our rate itself is made for it.
        self.decoder = self.decoder.take().filter(|decoder| !decoder.conceals());
    }

    /// Takes a packet.
    pub(crate) fn push(&mut self, now: Instant, heard: Heard<'_>) {
        let clock = heard.codec.map_or(self.timing.clock(), |c| i64::from(c.clock_rate()));
        // What is empty holds nothing, and to an Opus decoder it is a loss.
        if heard.payload.is_empty() {
            return;
        }
        if self.ssrc != Some(heard.ssrc) || clock != self.timing.clock() {
            self.settle();
            self.ssrc = Some(heard.ssrc);
            // A clock fits into 32 bits.
            self.timing.follow(now, clock as u32);
            self.decoder = None;
            self.noise = None;
            self.packet = 0;
            let at = self.timing.unwrap(heard.timestamp);
            self.begin(now, at);
            self.queue.insert(at, heard.codec, heard.payload);
            return;
        }
        if heard.codec == Some(Codec::Opus) && coder::tells_of_the_last(heard.payload) {
            self.redundant = REDUNDANT;
        }
        let at = self.timing.unwrap(heard.timestamp);
        if at > self.cursor + MAX_JUMP_S * clock {
            self.settle();
            self.begin(now, at);
        }
        let late = at + self.packet.max(1) <= self.cursor;
        if late {
            self.timing.doubt();
        }
        self.timing.arrived(now, at);
        if late {
            self.late_in_a_row += 1;
            if self.late_in_a_row < LATE_IN_A_ROW {
                return;
            }
            self.settle();
            self.begin(now, at);
        }
        self.late_in_a_row = 0;
        self.timing.trust();
        if !self.queue.insert(at, heard.codec, heard.payload) && self.queue.is_full() {
            // Who sends faster than the clock is heard from here on.
            self.begin(now, at);
            self.queue.insert(at, heard.codec, heard.payload);
        }
    }

    /// Makes samples of what waits, which is said before something else begins.
    fn settle(&mut self) {
        while self.queue.first().is_some() && self.ready.len() < self.rate.piece() * MOST_READY {
            self.produce(None);
        }
    }

    /// The peer's time begins anew with this packet, which is heard after the usual wait, or behind
    /// what is ready.
    fn begin(&mut self, now: Instant, at: i64) {
        self.queue.clear();
        self.timing.restart();
        self.timing.arrived(now, at);
        self.late_in_a_row = 0;
        let wait = self.target() * self.timing.clock() / 1_000_000;
        self.cursor = at - (wait - self.ticks(self.ready.len())).max(0);
    }

    /// How long after the earliest possible moment a sample shall be heard, in µs. Redundancy is of
    /// use only to who still waits for the packet that has it.
    fn target(&self) -> i64 {
        let learned = self.timing.target();
        if self.redundant == 0 {
            return learned;
        }
        let packet = self.packet * 1_000_000 / self.timing.clock();
        learned.max(packet + REDUNDANCY_MARGIN_US)
    }

    /// Whether the next piece is due.
    pub(crate) fn due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Appends the next 10 ms; gives the instant at which they were due.
    pub(crate) fn pull(&mut self, now: Instant, out: &mut Vec<i16>) -> Instant {
        if now.saturating_duration_since(self.next) > MAX_LAG {
            self.next = now;
        }
        let at = self.next;
        self.next += PIECE;
        self.redundant = self.redundant.saturating_sub(1);
        self.correct(at);
        while self.ready.len() < self.rate.piece() {
            self.produce(Some(at));
        }
        out.extend(self.ready.drain(..self.rate.piece()));
        at
    }

    /// When all of a packet that comes now will have been given out.
    pub(crate) fn heard_at(&self, now: Instant) -> Instant {
        let packet = self.packet * 1_000_000 / self.timing.clock();
        now + Duration::from_micros(u64::try_from(self.delay(now) + packet).unwrap_or(0))
    }

    /// Appends the next 10 ms, or the last few, although they are not due; gives the instant at
    /// which they were to be. `None`: there is nothing left.
    pub(crate) fn rest(&mut self, out: &mut Vec<i16>) -> Option<Instant> {
        while self.ready.len() < self.rate.piece() && self.queue.first().is_some() {
            self.produce(None);
        }
        let count = self.ready.len().min(self.rate.piece());
        out.extend(self.ready.drain(..count));
        let at = self.next;
        self.next += PIECE;
        (count > 0).then_some(at)
    }

    /// The peer's timestamps of the first and of the last of the next 10 ms.
    pub(crate) fn next_timestamps(&self) -> (u32, u32) {
        let first = self.cursor - self.ticks(self.ready.len());
        // Timestamps are cut to 32 bits.
        (first as u32, (first + self.ticks(self.rate.piece()) - 1) as u32)
    }

    /// Ticks of those timestamps in a second.
    pub(crate) fn clock(&self) -> u32 {
        self.timing.clock() as u32
    }

    fn ticks(&self, samples: usize) -> i64 {
        samples as i64 * self.timing.clock() / i64::from(self.rate.hertz())
    }

    /// How long the next sample to be given out has waited, in µs.
    pub(super) fn delay(&self, now: Instant) -> i64 {
        self.timing.delay(now, self.cursor - self.ticks(self.ready.len()))
    }

    /// Adds samples to those that are ready: of the next packet, or in place of what is not there.
    fn produce(&mut self, now: Option<Instant>) {
        let piece = self.rate.piece();
        match self.queue.first().map(|packet| packet.at - self.cursor) {
            Some(gap) => {
                let samples = gap * i64::from(self.rate.hertz()) / self.timing.clock();
                match usize::try_from(samples) {
                    Err(_) | Ok(0) => self.play(),
                    // Opus tells in a packet what was in the one before.
                    Ok(lost) if gap == self.packet && self.recover(lost) => self.cursor += gap,
                    Ok(lost) => {
                        let count = lost.min(piece);
                        self.fill(count);
                        self.cursor += self.ticks(count);
                    }
                }
            }
            None => {
                self.fill(piece);
                // Who waits too short has found out: the wait grows by what was filled in.
                let short = now.is_some_and(|now| self.delay(now) < self.target());
                if !short || self.noise.is_some() {
                    self.cursor += self.ticks(piece);
                }
            }
        }
    }

    /// Decodes the first packet.
    fn play(&mut self) {
        let Some(packet) = self.queue.take() else { return };
        match packet.codec {
            Some(codec) => self.decode(codec, &packet),
            None => self.noise = Noise::read(&packet.payload).or(self.noise.take()),
        }
        self.queue.done(packet);
    }

    fn decode(&mut self, codec: Codec, packet: &Packet) {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
            self.decoder = Decoder::new(codec, self.rate);
        }
        let Some(decoder) = &mut self.decoder else { return };
        self.noise = None;
        self.raw.clear();
        decoder.decode(&packet.payload, &mut self.raw);
        let conceals = decoder.conceals();
        self.pause = conceals && packet.payload.len() <= PAUSE_BYTES;
        self.missing = 0;
        let from = self.ready.len();
        self.convert();
        let made = self.ready.len() - from;
        self.packet = self.ticks(made);
        let behind = (self.cursor - packet.at).max(0);
        let skipped = behind * i64::from(self.rate.hertz()) / self.timing.clock();
        let skipped = usize::try_from(skipped).unwrap_or(0).min(made);
        self.ready.drain(from..from + skipped);
        if !conceals && let Some(samples) = self.ready.get_mut(from..) {
            self.concealer.heard(samples);
        }
        self.cursor = self.cursor.max(packet.at + self.packet);
    }

    /// Brings what was decoded to our rate.
    fn convert(&mut self) {
        let from = self.decoder.as_ref().map_or(self.rate, Decoder::rate);
        match (from, self.rate) {
            (Rate::Narrow, Rate::Wide) => self.doubler.run(&self.raw, &mut self.ready),
            (Rate::Wide, Rate::Narrow) => self.halver.run(&self.raw, &mut self.ready),
            _ => self.ready.extend_from_slice(&self.raw),
        }
    }

    /// Keeps the delay where it shall be: one small cut at a time, in quiet moments when possible.
    fn correct(&mut self, now: Instant) {
        self.rest = self.rest.saturating_sub(1);
        if self.rest > 0 {
            return;
        }
        let error = self.delay(now) - self.target();
        if (-QUIET_SHORT_US..=QUIET_LONG_US).contains(&error) {
            return;
        }
        if self.noise.is_some() {
            // Nobody hears that noise is longer or shorter.
            self.cursor += error * self.timing.clock() / 1_000_000;
            self.rest = REST;
            return;
        }
        let needed = splice::needed(self.rate);
        while self.ready.len() < needed
            && self.queue.first().is_some_and(|packet| packet.at <= self.cursor)
        {
            self.produce(None);
        }
        if self.ready.len() < needed {
            return;
        }
        let sum: u64 = self.ready.iter().map(|s| u64::from(s.unsigned_abs())).sum();
        let quiet = sum < QUIET * self.ready.len() as u64;
        let cut = if error > if quiet { QUIET_LONG_US } else { LOUD_LONG_US } {
            splice::shorten(&mut self.ready, self.rate)
        } else if error < -if quiet { QUIET_SHORT_US } else { LOUD_SHORT_US } {
            splice::lengthen(&mut self.ready, self.rate)
        } else {
            None
        };
        if cut.is_some() {
            self.rest = REST;
        }
    }
}

const _: () = assert!(PIECES as u128 * PIECE.as_millis() == 1000);

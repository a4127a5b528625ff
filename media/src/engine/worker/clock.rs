//! What the clock has a thread do: packets that are due, conferences, reports and silence.

use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::port::Line;
use super::{BATCH, Worker};
use crate::engine::timer::TICK;

/// How often each port is looked at for reports and silence.
const ROUND: Duration = Duration::from_secs(1);
/// A round is in portions, that long apart or less, and of so many ports at most: packets of others
/// wait meanwhile.
const SWEEP: Duration = Duration::from_millis(100);
const PORTION: usize = 16;

/// How often a port is looked at that does more than play, a little less than five ticks: this is
/// counted from a tick, and the fifth after it may come a little sooner.
const GRID: Duration = Duration::from_micros(4_500);

/// The longest that a port is not looked at which plays.
const LONGEST: Duration = Duration::from_millis(20);

/// How many of so many ports are looked at together, and when the next are.
pub(super) fn portion(ports: usize) -> (usize, Duration) {
    let ports = ports.max(1);
    let portions = (ROUND.as_millis() / SWEEP.as_millis()) as usize;
    let most = (ROUND.as_millis() / TICK.as_millis()) as usize;
    // Beyond 16 ports for each tick of a round, more go together.
    let portion = ports.div_ceil(portions).min(PORTION).max(ports.div_ceil(most));
    (portion, ROUND.mul_f64(portion as f64 / ports as f64).clamp(TICK, SWEEP))
}

impl Worker {
    pub(super) fn tick(&mut self, now: Instant) {
        self.last_tick = self.beats.before(now);
        self.load = None;
        let mut active = std::mem::take(&mut self.active);
        active.retain_mut(|active| {
            if now < active.due {
                return true;
            }
            let slot = active.slot;
            let next = self.contained(slot, |worker| worker.tick_port(now, slot)).flatten();
            active.due = next.unwrap_or(now);
            next.is_some()
        });
        // Some came on meanwhile: whoever got a key of another.
        active.append(&mut self.active);
        self.active = active;
        if now >= self.next_mix {
            self.next_mix = now + GRID;
            self.mix(now);
        }
        if now >= self.next_sweep {
            let (portion, pause) = portion(self.slots.len());
            self.next_sweep = now + pause;
            self.sweep(now, portion);
        }
    }

    /// Tells when the port is to be looked at again, if it is.
    fn tick_port(&mut self, now: Instant, slot: usize) -> Option<Instant> {
        if self.port(slot).is_some_and(|port| port.by_clock) {
            self.take_all(now, slot);
        }
        if self.port(slot).is_some_and(|port| port.leg.recording_is_due(now)) {
            // What this thread has not read yet is no silence of the caller.
            self.hear_out(now, slot);
        }
        self.carry(now, slot);
        let port = self.slots.get_mut(slot)?;
        port.poll(now, &mut self.buffer);
        port.active = port.leg.wants_ticks();
        // What is due and was not done waits for something else.
        let packet = port.leg.next_packet().filter(|at| *at > now);
        let next = port.active.then(|| packet.map_or(now + GRID, |at| at.min(now + LONGEST)));
        self.choose_clock(slot);
        next
    }

    /// Takes what the socket has.
    fn take_all(&mut self, now: Instant, slot: usize) {
        for _ in 0..BATCH {
            if !self.readable(now, (slot as u64) << 1) {
                return;
            }
        }
    }

    /// A peer that is only recorded is heard by nobody now: each of its packets need not wake this
    /// thread, which looks at the clock for it anyway.
    fn choose_clock(&mut self, slot: usize) {
        let partner = self.slots.partner(slot);
        let Some(port) = self.slots.get_mut(slot) else { return };
        let alone = partner.is_none() && port.mix.is_none();
        let by_clock = port.active && alone && port.leg.is_recording();
        let Line::Own { rtp, .. } = &port.line else { return };
        if by_clock == port.by_clock {
            return;
        }
        let flags = if by_clock { epoll::EventFlags::empty() } else { epoll::EventFlags::IN };
        let data = epoll::EventData::new_u64((slot as u64) << 1);
        if epoll::modify(&self.epoll, rtp, data, flags).is_ok() {
            port.by_clock = by_clock;
        }
    }

    fn sweep(&mut self, now: Instant, portion: usize) {
        if now >= self.next_shared {
            self.next_shared = now + SWEEP;
            self.shared_tick(now);
        }
        for _ in 0..portion {
            self.sweep_from =
                if self.sweep_from + 1 < self.slots.len() { self.sweep_from + 1 } else { 0 };
            let slot = self.sweep_from;
            self.contained(slot, |worker| {
                worker.dtls_tick(now, slot);
                worker.ice_tick(now, slot);
                worker.offload(now, slot);
                if let Some(port) = worker.slots.get_mut(slot) {
                    port.leg.sweep(now);
                    port.report(now, &mut worker.buffer);
                }
            });
        }
    }
}

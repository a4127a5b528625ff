//! What came of a sender's packets (RFC 3550 appendix A).

use std::time::Instant;

use super::losses::{Losses, share};
use super::short_ntp;
use crate::relay::ticks_between;

/// RFC 3550 A.1: how far a sender may jump ahead, and how late a packet may come.
const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;

/// Reception statistics of one leg's peer, whatever senders it has one after another.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    source: Option<Sender>,
    /// Packets expected and lost of the senders before this one.
    before: (u64, u64),
    losses: Losses,
    deviation: Deviation,
    thin: Thin,
}

/// Whether packets go elsewhere, and only some of them come here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Thin {
    #[default]
    No,
    Yes,
    /// All come from now on, after a last gap.
    UntilNext,
}

/// The mean of what jitter is the running mean of: a number for a whole call.
#[derive(Debug, Clone, Copy, Default)]
struct Deviation {
    us: u64,
    packets: u64,
}

#[derive(Debug, Clone)]
struct Sender {
    ssrc: u32,
    base: u32,
    /// Highest sequence number with its cycles.
    highest: u32,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    /// The number that would show, after one from far behind, that the sender began anew.
    restart: Option<u16>,
    started: Instant,
    transit: Option<u32>,
    /// Ticks in a second of the timestamps that `transit` and `jitter` are of.
    clock: u32,
    /// Jitter in ticks, scaled by 16 (RFC 3550 A.8).
    jitter: u32,
    /// Middle 32 bits of the peer's last NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Counts an accepted packet. `timestamp` with its clock rate is `None` when it does not tell
    /// the sending time, as in telephone events.
    #[inline]
    pub fn receive(
        &mut self,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: Option<(u32, u32)>,
    ) {
        match &mut self.source {
            Some(sender) if sender.ssrc == ssrc => {
                if let Some(missing) = sender.receive(sequence)
                    && self.thin == Thin::No
                {
                    self.losses.arrived(missing);
                }
                if self.thin == Thin::UntilNext {
                    self.thin = Thin::No;
                }
                let Some((timestamp, clock)) = timestamp.filter(|(_, clock)| *clock != 0) else {
                    return;
                };
                if let Some(ticks) = sender.time(now, timestamp, clock) {
                    self.deviation.us += u64::from(ticks) * 1_000_000 / u64::from(clock);
                    self.deviation.packets += 1;
                }
            }
            _ => self.restart(now, ssrc, sequence, timestamp),
        }
    }

    fn restart(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: Option<(u32, u32)>) {
        self.before = (self.expected(), self.lost());
        self.source = Some(Sender {
            ssrc,
            base: u32::from(sequence),
            highest: u32::from(sequence),
            received: 1,
            expected_prior: 0,
            received_prior: 0,
            restart: None,
            started: now,
            transit: timestamp.map(|(t, _)| 0u32.wrapping_sub(t)),
            clock: timestamp.map_or(0, |(_, clock)| clock),
            jitter: 0,
            last_report: None,
        });
    }

    /// From here on only some packets come here (or, `false`, all again): what is missing between
    /// them is told by [`Self::credit`], and how losses lie is unknown meanwhile.
    pub fn set_thin(&mut self, thin: bool) {
        self.thin = match (thin, self.thin) {
            (true, _) => Thin::Yes,
            (false, Thin::Yes) => Thin::UntilNext,
            (false, as_before) => as_before,
        };
    }

    /// So many packets of the present sender were received elsewhere.
    pub fn credit(&mut self, packets: u32) {
        if let Some(sender) = &mut self.source {
            sender.received = sender.received.wrapping_add(packets);
        }
    }

    /// Packets that all senders so far have sent, as far as their numbers tell.
    pub fn expected(&self) -> u64 {
        let now = self.source.as_ref().map_or(0, Sender::expected);
        self.before.0 + u64::from(now)
    }

    /// Packets that never came, of all senders so far (A.3).
    #[inline]
    pub fn lost(&self) -> u64 {
        let now = self.source.as_ref().map_or(0, |s| s.expected().saturating_sub(s.received));
        self.before.1 + u64::from(now)
    }

    /// How losses lie.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Interarrival jitter in ticks (A.8).
    pub fn jitter(&self) -> u32 {
        self.source.as_ref().map_or(0, |s| s.jitter >> 4)
    }

    /// What packets came too soon or too late by, in microseconds in total, and how many packets.
    #[inline]
    pub fn deviation(&self) -> (u64, u64) {
        (self.deviation.us, self.deviation.packets)
    }

    /// The SSRC of the present sender.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|s| s.ssrc)
    }

    /// The report block of the present sender; starts a new interval.
    pub(super) fn block(&mut self, now: Instant) -> Option<[u8; 24]> {
        let s = self.source.as_mut()?;
        let expected = s.expected();
        let expected_interval = expected.wrapping_sub(s.expected_prior);
        let received_interval = s.received.wrapping_sub(s.received_prior);
        s.expected_prior = expected;
        s.received_prior = s.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = share(lost_interval, expected_interval);
        // A.3: 24 bits, signed.
        let lost =
            (i64::from(expected) - i64::from(s.received)).clamp(-0x80_0000, 0x7f_ffff) as i32;
        let (lsr, dlsr) = match s.last_report {
            Some((ntp, at)) => (ntp, short_ntp(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        let mut block = [0; 24];
        let fields = [
            s.ssrc,
            (u32::from(fraction) << 24) | (lost as u32 & 0xff_ffff),
            s.highest,
            s.jitter >> 4,
            lsr,
            dlsr,
        ];
        for (bytes, field) in block.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field.to_be_bytes());
        }
        Some(block)
    }

    pub(super) fn reported(&mut self, now: Instant, ssrc: u32, ntp: u32) {
        if let Some(s) = self.source.as_mut().filter(|s| s.ssrc == ssrc) {
            s.last_report = Some((ntp, now));
        }
    }
}

impl Sender {
    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    /// Takes a number; how many are missing between it and the newest before, unless it is an old
    /// one or the first of a new count.
    #[inline]
    fn receive(&mut self, sequence: u16) -> Option<u32> {
        self.received = self.received.wrapping_add(1);
        let ahead = sequence.wrapping_sub((self.highest & 0xffff) as u16);
        let behind = 0u16.wrapping_sub(ahead);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.restart = None;
            return ahead.checked_sub(1).map(u32::from);
        }
        if behind <= MAX_MISORDER {
            // Late.
        } else if behind < MAX_DROPOUT && self.restart != Some(sequence) {
            self.restart = Some(sequence.wrapping_add(1));
        } else {
            // The sender restarted its numbers (A.1): what was lost before stays lost.
            let began = if self.restart.take() == Some(sequence) { 2 } else { 1 };
            let lost = self.expected().saturating_sub(self.received.saturating_sub(began));
            self.highest = u32::from(sequence);
            self.base = self.highest.wrapping_add(1).wrapping_sub(self.received + lost);
            self.expected_prior = self.expected();
            self.received_prior = self.received;
        }
        None
    }

    /// Takes a timestamp (A.8); by how many ticks this packet came sooner or later than the one
    /// before it.
    #[inline]
    fn time(&mut self, now: Instant, timestamp: u32, clock: u32) -> Option<u32> {
        if clock != self.clock {
            // RFC 7160 §4.1: times of two clocks cannot be compared. The jitter there is stays, in
            // ticks of the new clock.
            let ticks = u64::from(self.jitter) * u64::from(clock);
            let jitter = ticks.checked_div(self.clock.into()).unwrap_or(0);
            self.jitter = u32::try_from(jitter).unwrap_or(u32::MAX);
            (self.clock, self.transit) = (clock, None);
        }
        let transit = ticks_between(self.started, now, clock).wrapping_sub(timestamp);
        let last = self.transit.replace(transit)?;
        let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
        // A jump of the sender's clock is no jitter.
        if difference >= clock {
            return None;
        }
        self.jitter += difference;
        self.jitter -= (self.jitter.saturating_sub(difference) + 8) >> 4;
        Some(difference)
    }
}

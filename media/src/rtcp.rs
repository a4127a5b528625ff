//! RTCP (RFC 3550 §6): our own reports to each leg, and what the peer's say of us.

use std::time::Instant;

use crate::relay::ticks_between;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const CNAME: u8 = 1;

/// RFC 3550 A.1: how far a sender may jump ahead, and how late a packet may come.
const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;

/// Room for the longest report we send: SR, one block, CNAME.
pub const MAX_REPORT: usize = 96;

/// Reception statistics of one sender (RFC 3550 appendix A).
#[derive(Debug, Clone, Default)]
pub struct Reception {
    source: Option<Sender>,
    /// Losses of the senders before this one.
    lost_before: u64,
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
            Some(sender) if sender.ssrc == ssrc => sender.receive(now, sequence, timestamp),
            _ => self.restart(now, ssrc, sequence, timestamp),
        }
    }

    fn restart(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: Option<(u32, u32)>) {
        self.lost_before = self.lost();
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
            jitter: 0,
            last_report: None,
        });
    }

    /// Packets that never came, of all senders so far (A.3).
    #[inline]
    pub fn lost(&self) -> u64 {
        let now = self.source.as_ref().map_or(0, |s| s.expected().saturating_sub(s.received));
        self.lost_before + u64::from(now)
    }

    /// Interarrival jitter in ticks (A.8).
    #[inline]
    pub fn jitter(&self) -> u32 {
        self.source.as_ref().map_or(0, |s| s.jitter >> 4)
    }

    /// The report block of the present sender; starts a new interval.
    fn block(&mut self, now: Instant) -> Option<[u8; 24]> {
        let s = self.source.as_mut()?;
        let expected = s.expected();
        let expected_interval = expected.wrapping_sub(s.expected_prior);
        let received_interval = s.received.wrapping_sub(s.received_prior);
        s.expected_prior = expected;
        s.received_prior = s.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = match lost_interval.saturating_mul(256).checked_div(expected_interval) {
            Some(f) => u8::try_from(f).unwrap_or(u8::MAX),
            None => 0,
        };
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

    fn reported(&mut self, now: Instant, ssrc: u32, ntp: u32) {
        if let Some(s) = self.source.as_mut().filter(|s| s.ssrc == ssrc) {
            s.last_report = Some((ntp, now));
        }
    }
}

impl Sender {
    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    #[inline]
    fn receive(&mut self, now: Instant, sequence: u16, timestamp: Option<(u32, u32)>) {
        self.received = self.received.wrapping_add(1);
        let ahead = sequence.wrapping_sub((self.highest & 0xffff) as u16);
        let behind = 0u16.wrapping_sub(ahead);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.restart = None;
        } else if behind <= MAX_MISORDER {
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
        let Some((timestamp, clock)) = timestamp else { return };
        let transit = ticks_between(self.started, now, clock).wrapping_sub(timestamp);
        if let Some(last) = self.transit {
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of the sender's clock is no jitter.
            if difference < clock {
                self.jitter += difference;
                self.jitter -= (self.jitter.saturating_sub(difference) + 8) >> 4;
            }
        }
        self.transit = Some(transit);
    }
}

/// A duration in units of 1/65536 s, as in LSR and DLSR.
fn short_ntp(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

/// What a sender report says of our own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock in NTP format, 32.32 bits.
    pub ntp: u64,
    /// Our RTP timestamp at the same moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u32,
}

/// Writes a compound report: SR when we sent, else RR, then SDES with CNAME (RFC 3550 §6.1).
/// Returns its length.
pub fn write_report(
    now: Instant,
    out: &mut [u8; MAX_REPORT],
    ssrc: u32,
    cname: &[u8; 16],
    sender: Option<SenderInfo>,
    reception: &mut Reception,
) -> usize {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(room) = out.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
            at += bytes.len();
        }
    };
    let block = reception.block(now);
    let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let words = 1 + if sender.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
    put(&[0x80 | u8::from(block.is_some()), kind, 0, words]);
    put(&ssrc.to_be_bytes());
    if let Some(info) = sender {
        put(&info.ntp.to_be_bytes());
        put(&info.timestamp.to_be_bytes());
        put(&info.packets.to_be_bytes());
        put(&info.octets.to_be_bytes());
    }
    if let Some(block) = block {
        put(&block);
    }
    // SDES: SSRC, item header, 16 bytes of name, and zeros up to the word: 4 + 2 + 16 + 2.
    put(&[0x81, SOURCE_DESCRIPTION, 0, 6]);
    put(&ssrc.to_be_bytes());
    put(&[CNAME, 16]);
    put(cname);
    put(&[0, 0]);
    at
}

/// What a compound packet told us of our own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    /// Packets lost in total, as the peer counts.
    pub lost: Option<u32>,
    /// Round trip in units of 1/65536 s.
    pub round_trip: Option<u32>,
}

/// Reads a compound packet; `None` when it is malformed (RFC 3550 A.2).
///
/// `ntp_now` is the middle 32 bits of the wall clock.
pub fn receive(
    now: Instant,
    ntp_now: u32,
    our_ssrc: u32,
    packet: &[u8],
    reception: &mut Reception,
) -> Option<Feedback> {
    let mut feedback = Feedback::default();
    let mut rest = packet;
    let mut first = true;
    while !rest.is_empty() {
        let &[head, kind, l0, l1, ..] = rest else { return None };
        if head >> 6 != 2 || (first && kind != SENDER_REPORT && kind != RECEIVER_REPORT) {
            return None;
        }
        let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let (this, next) = rest.split_at_checked(length)?;
        let blocks = match kind {
            SENDER_REPORT => {
                let (ssrc, ntp) =
                    (word(this, 4)?, (word(this, 8)? << 16) | (word(this, 12)? >> 16));
                reception.reported(now, ssrc, ntp);
                this.get(28..)?
            }
            RECEIVER_REPORT => this.get(8..)?,
            _ => &[],
        };
        for block in blocks.chunks_exact(24).take(usize::from(head & 0x1f)) {
            if word(block, 0)? == our_ssrc {
                feedback.take(block, ntp_now)?;
            }
        }
        rest = next;
        first = false;
    }
    (!first).then_some(feedback)
}

impl Feedback {
    fn take(&mut self, block: &[u8], ntp_now: u32) -> Option<()> {
        let lost = word(block, 4)? & 0xff_ffff;
        // 24 bits signed; duplicates can make it negative.
        self.lost = Some(if lost & 0x80_0000 == 0 { lost } else { 0 });
        let (lsr, dlsr) = (word(block, 16)?, word(block, 20)?);
        if lsr != 0 {
            let round_trip = ntp_now.wrapping_sub(lsr).wrapping_sub(dlsr);
            // A negative one is a clock step or a lie.
            self.round_trip = (round_trip < 0x8000_0000).then_some(round_trip);
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NAME: &[u8; 16] = b"0123456789abcdef";

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn feed(reception: &mut Reception, t0: Instant, sequences: impl IntoIterator<Item = u16>) {
        for s in sequences {
            let at = t0 + ms(u64::from(s) * 20);
            reception.receive(at, 1, s, Some((u32::from(s) * 160, 8000)));
        }
    }

    #[test]
    fn loss_is_expected_minus_received() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        feed(&mut r, t0, (0..100).filter(|s| s % 10 != 3));
        assert_eq!(r.lost(), 10);
        feed(&mut r, t0, [13]);
        assert_eq!(r.lost(), 9, "one was only late");
        r.receive(t0, 2, 7, Some((0, 8000)));
        assert_eq!(r.lost(), 9, "another sender, the loss stays");
    }

    #[test]
    fn a_restart_of_the_numbers_is_no_loss() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        feed(&mut r, t0, (0..50).filter(|s| *s != 5));
        feed(&mut r, t0, 30_000..30_050);
        assert_eq!(r.lost(), 1);
    }

    #[test]
    fn a_restart_a_little_behind_is_seen_at_its_second_packet() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        feed(&mut r, t0, (0..1000).filter(|s| *s != 5));
        feed(&mut r, t0, (0..1000).filter(|s| *s != 700));
        assert_eq!(r.lost(), 2, "one before and one after");
        feed(&mut r, t0, [1002, 1000, 1001]);
        assert_eq!(r.lost(), 2, "reordering is neither");
    }

    #[test]
    fn even_arrival_has_no_jitter_and_uneven_has() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        feed(&mut r, t0, 0..200);
        assert!(r.jitter() <= 1);
        for s in 200..400u16 {
            let at = t0 + ms(u64::from(s) * 20 + u64::from(s % 2) * 10);
            r.receive(at, 1, s, Some((u32::from(s) * 160, 8000)));
        }
        assert!((60..=82).contains(&r.jitter()), "10 ms to and fro is 80 ticks: {}", r.jitter());
    }

    #[test]
    fn numbers_wrap_without_loss() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        for i in 0..150_000u32 {
            r.receive(t0, 1, i as u16, None);
        }
        assert_eq!(r.lost(), 0);
    }

    #[test]
    fn two_ends_learn_loss_and_round_trip_of_each_other() {
        let t0 = Instant::now();
        let ntp = |at: Instant| short_ntp(at.duration_since(t0)).wrapping_add(77 << 16);
        let (mut a, mut b) = (Reception::default(), Reception::default());
        let mut buf = [0; MAX_REPORT];
        // a (SSRC 1) sends five packets, of which b gets four, then its SR.
        for s in [0u16, 1, 2, 4] {
            b.receive(t0, 1, s, Some((0, 8000)));
        }
        let full = u64::from(ntp(t0)) << 16;
        let info = SenderInfo { ntp: full, timestamp: 5, packets: 5, octets: 800 };
        let n = write_report(t0, &mut buf, 1, NAME, Some(info), &mut a);
        assert_eq!(n, 28 + 28);
        receive(t0 + ms(10), ntp(t0 + ms(10)), 2, &buf[..n], &mut b).unwrap();
        // b answers 100 ms later; 10 ms back.
        let at = t0 + ms(110);
        let n = write_report(at, &mut buf, 2, NAME, None, &mut b);
        let got = receive(at + ms(10), ntp(at + ms(10)), 1, &buf[..n], &mut a).unwrap();
        assert_eq!(got.lost, Some(1));
        let round_trip = u64::from(got.round_trip.unwrap()) * 1000 / 65_536;
        assert!((19..=21).contains(&round_trip), "{round_trip} ms");
    }

    #[test]
    fn malformed_compounds_are_refused() {
        let t0 = Instant::now();
        let mut r = Reception::default();
        let mut read = |p: &[u8]| receive(t0, 0, 1, p, &mut r);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x81, 202, 0, 0]), None, "must begin with SR or RR");
        assert_eq!(read(&[0x81, 201, 0, 7, 0, 0, 0, 1]), None, "shorter than it says");
        assert_eq!(read(&[0x80, 200, 0, 1, 0, 0, 0, 1]), None, "an SR without sender info");
        assert_eq!(read(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Some(Feedback::default()));
    }
}

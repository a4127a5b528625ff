//! The packets that come.

use std::time::Instant;

use super::reception::Reception;
use super::xr::Extended;
use super::{EXTENDED_REPORT, RECEIVER_REPORT, SENDER_REPORT, word};

/// What a compound packet told us of our own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    /// Packets lost in total, as the peer counts.
    pub lost: Option<u32>,
    /// Interarrival jitter at the peer, in ticks of our clock.
    pub jitter: Option<u32>,
    /// Round trip in units of 1/65536 s.
    pub round_trip: Option<u32>,
    /// Who sent it.
    pub ssrc: u32,
    /// The extended reports (RFC 3611).
    pub extended: Extended,
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
        if first {
            feedback.ssrc = word(this, 4)?;
        }
        let blocks = match kind {
            SENDER_REPORT => {
                let (ssrc, ntp) =
                    (word(this, 4)?, (word(this, 8)? << 16) | (word(this, 12)? >> 16));
                reception.reported(now, ssrc, ntp);
                this.get(28..)?
            }
            RECEIVER_REPORT => this.get(8..)?,
            EXTENDED_REPORT => {
                feedback.extended = Extended::read(this.get(8..)?, our_ssrc)?;
                &[]
            }
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
    if let Some((_, lrr, dlrr)) = feedback.extended.delay
        && feedback.round_trip.is_none()
    {
        feedback.round_trip = round_trip(ntp_now, lrr, dlrr);
    }
    (!first).then_some(feedback)
}

impl Feedback {
    fn take(&mut self, block: &[u8], ntp_now: u32) -> Option<()> {
        let lost = word(block, 4)? & 0xff_ffff;
        // 24 bits signed; duplicates can make it negative.
        self.lost = Some(if lost & 0x80_0000 == 0 { lost } else { 0 });
        self.jitter = Some(word(block, 12)?);
        self.round_trip = round_trip(ntp_now, word(block, 16)?, word(block, 20)?);
        Some(())
    }
}

/// Peers count their delay in milliseconds, some of them worse: on a short way it comes out longer
/// than the whole trip by so much, in 65,536ths of a second.
const ROUNDING: u32 = 65_536 / 50;

/// RFC 3550 §6.4.1; RFC 3611 §4.5 has the same. No time of ours was repeated: 0.
pub(super) fn round_trip(ntp_now: u32, last: u32, delay: u32) -> Option<u32> {
    let round_trip = ntp_now.wrapping_sub(last).wrapping_sub(delay);
    match round_trip {
        _ if last == 0 => None,
        ..0x8000_0000 => Some(round_trip),
        _ if round_trip.wrapping_neg() <= ROUNDING => Some(0),
        // A negative one is a clock step or a lie.
        _ => None,
    }
}

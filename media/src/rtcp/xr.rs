//! Extended reports (RFC 3611): the time of a receiver that does not send, and how a call sounds.

use super::losses::{Bursts, GMIN, share};
use super::word;

const REFERENCE_TIME: u8 = 4;
const DELAY_SINCE: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// "Unavailable" where a byte says a level or a score (RFC 3611 §4.7).
const UNKNOWN: u8 = 127;

/// Which extended reports a peer wants (`a=rtcp-xr`, RFC 3611 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// `voip-metrics`: how it sounds here.
    pub voip_metrics: bool,
    /// `rcvr-rtt=all` or `sender`: the round trip, measured by who only listens too.
    pub round_trip: bool,
}

impl Wishes {
    /// Reads the value of an `a=rtcp-xr` attribute. What we do not send is passed over.
    pub fn read(value: &str) -> Self {
        let has = |name: &str| {
            value.split_ascii_whitespace().any(|format| {
                format.split('=').next().is_some_and(|n| n.eq_ignore_ascii_case(name))
            })
        };
        Self { voip_metrics: has("voip-metrics"), round_trip: has("rcvr-rtt") }
    }

    /// Whether it wants any.
    pub const fn any(self) -> bool {
        self.voip_metrics || self.round_trip
    }

    /// The attribute's value.
    pub fn in_words(self) -> String {
        let words = [(self.round_trip, "rcvr-rtt=all"), (self.voip_metrics, "voip-metrics")];
        let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        words.join(" ")
    }
}

/// How a call sounds here (RFC 3611 §4.7), in its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// Whom it is about.
    pub ssrc: u32,
    /// Packets lost, and those thrown away for coming too late: 1/256 of all.
    pub loss: u8,
    /// See there.
    pub discard: u8,
    /// 1/256 of the packets within bursts of losses, and of those between bursts.
    pub burst_density: u8,
    /// See there.
    pub gap_density: u8,
    /// Mean length of a burst in ms.
    pub burst_ms: u16,
    /// Mean length of a gap between bursts in ms.
    pub gap_ms: u16,
    /// From one interface to the other and back, in ms; 0 unknown.
    pub round_trip_ms: u16,
    /// From the interface to the ear, in ms.
    pub end_system_ms: u16,
    /// The R factor of the E-model; 127 unknown.
    pub r_factor: u8,
    /// Ten times the MOS of listening, and of talking with each other; 127 unknown.
    pub mos_lq: u8,
    /// See there.
    pub mos_cq: u8,
    /// Nominal, present greatest and absolutely greatest delay of the jitter buffer in ms.
    pub buffer_ms: [u16; 3],
}

impl VoipMetrics {
    /// The part that only counting tells, of `expected` packets of `packet_ms`.
    pub fn of_losses(
        ssrc: u32,
        losses: &super::Losses,
        (lost, expected): (u64, u64),
        packet_ms: u16,
    ) -> Self {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let Bursts { burst_density, gap_density, burst_ms, gap_ms } =
            losses.bursts(expected, packet_ms);
        Self {
            ssrc,
            loss: share(small(lost), small(expected)),
            discard: 0,
            burst_density,
            gap_density,
            burst_ms,
            gap_ms,
            round_trip_ms: 0,
            end_system_ms: 0,
            r_factor: UNKNOWN,
            mos_lq: UNKNOWN,
            mos_cq: UNKNOWN,
            buffer_ms: [0; 3],
        }
    }

    fn write(&self) -> [u8; 36] {
        let mut out = [0; 36];
        let halves = |n: u16| n.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        let ([b0, b1], [g0, g1]) = (halves(self.burst_ms), halves(self.gap_ms));
        let ([r0, r1], [e0, e1]) = (halves(self.round_trip_ms), halves(self.end_system_ms));
        let [[n0, n1], [m0, m1], [a0, a1]] = self.buffer_ms.map(halves);
        // RX config: concealment unspecified, jitter buffer unknown (RFC 3611 §4.7.6).
        let (gmin, config) = (GMIN as u8, 0);
        let fields: [u8; 36] = [
            VOIP_METRICS,
            0,
            0,
            8,
            s0,
            s1,
            s2,
            s3,
            self.loss,
            self.discard,
            self.burst_density,
            self.gap_density,
            b0,
            b1,
            g0,
            g1,
            r0,
            r1,
            e0,
            e1,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            gmin,
            self.r_factor,
            UNKNOWN,
            self.mos_lq,
            self.mos_cq,
            config,
            0,
            n0,
            n1,
            m0,
            m1,
            a0,
            a1,
        ];
        out.copy_from_slice(&fields);
        out
    }

    fn read(block: &[u8]) -> Option<Self> {
        let short = |at: usize| block.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
        let byte = |at: usize| block.get(at).copied();
        Some(Self {
            ssrc: word(block, 4)?,
            loss: byte(8)?,
            discard: byte(9)?,
            burst_density: byte(10)?,
            gap_density: byte(11)?,
            burst_ms: short(12)?,
            gap_ms: short(14)?,
            round_trip_ms: short(16)?,
            end_system_ms: short(18)?,
            r_factor: byte(24)?,
            mos_lq: byte(26)?,
            mos_cq: byte(27)?,
            buffer_ms: [short(30)?, short(32)?, short(34)?],
        })
    }
}

/// The blocks of an extended report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extended {
    /// Our wall clock, for who cannot learn it from a sender report (RFC 3611 §4.4).
    pub reference: Option<u64>,
    /// The peer's SSRC, the middle of its last reference time, and how long ago that came, in
    /// 1/65536 s (RFC 3611 §4.5).
    pub delay: Option<(u32, u32, u32)>,
    /// How it sounds.
    pub voip: Option<VoipMetrics>,
}

/// A block of any of the three lengths.
pub(super) struct Block {
    bytes: [u8; 36],
    length: usize,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn block(head: [u8; 4], words: &[u32]) -> Block {
    let mut bytes = [0; 36];
    let all = std::iter::once(head).chain(words.iter().map(|word| word.to_be_bytes()));
    for (to, from) in bytes.chunks_exact_mut(4).zip(all) {
        to.copy_from_slice(&from);
    }
    Block { bytes, length: 4 + 4 * words.len() }
}

impl Extended {
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        let reference = self.reference.map(|ntp| {
            let words = [(ntp >> 32) as u32, (ntp & 0xffff_ffff) as u32];
            block([REFERENCE_TIME, 0, 0, 2], &words)
        });
        let delay =
            self.delay.map(|(ssrc, lrr, dlrr)| block([DELAY_SINCE, 0, 0, 3], &[ssrc, lrr, dlrr]));
        let voip = self.voip.map(|voip| Block { bytes: voip.write(), length: 36 });
        [reference, delay, voip].into_iter().flatten()
    }

    /// Reads the blocks behind the header of an extended report, those about `ssrc`; `None` when
    /// they are malformed. Blocks of other kinds are passed over (RFC 3611 §3).
    pub(super) fn read(mut rest: &[u8], ssrc: u32) -> Option<Self> {
        let mut report = Self::default();
        while !rest.is_empty() {
            let &[kind, _, l0, l1, ..] = rest else { return None };
            let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
            let (this, next) = rest.split_at_checked(length)?;
            match kind {
                REFERENCE_TIME => {
                    let (seconds, fraction) = (word(this, 4)?, word(this, 8)?);
                    report.reference = Some(u64::from(seconds) << 32 | u64::from(fraction));
                }
                DELAY_SINCE => {
                    for part in this.get(4..)?.chunks_exact(12) {
                        if word(part, 0)? == ssrc {
                            report.delay = Some((ssrc, word(part, 4)?, word(part, 8)?));
                        }
                    }
                }
                VOIP_METRICS => {
                    let metrics = VoipMetrics::read(this)?;
                    report.voip = Some(metrics).filter(|m| m.ssrc == ssrc).or(report.voip);
                }
                _ => {}
            }
            rest = next;
        }
        Some(report)
    }
}

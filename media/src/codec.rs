//! The audio codecs, as SDP names them and RTP counts them.

use std::fmt;

use crate::g711::Law;

/// The audio codecs that the engine can decode and encode, and those that it only passes on; all in
/// one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 mu-law, static payload type 0 (RFC 3551 §6).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 §6).
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9 (RFC 3551 §4.5.2): 16 kHz, eight bits for two samples.
    G722,
    /// Opus (RFC 7587).
    Opus,
    /// One that goes from leg to leg untouched, where both have it.
    Passed(&'static PassedCodec),
}

/// A codec that is neither decoded nor encoded here.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PassedCodec {
    name: &'static str,
    clock: u32,
    /// Its static payload type (RFC 3551 Table 4), if it has one.
    number: Option<u8>,
}

const fn passed(name: &'static str, clock: u32, number: Option<u8>) -> PassedCodec {
    PassedCodec { name, clock, number }
}

/// What desk phones, trunks and mobile networks have beside the codecs of ours, with the encoding
/// names that IANA registered.
static PASSED: [PassedCodec; 30] = [
    passed("G729", 8000, Some(18)),
    passed("G729D", 8000, None),
    passed("G729E", 8000, None),
    passed("G723", 8000, Some(4)),
    passed("G726-16", 8000, None),
    passed("G726-24", 8000, None),
    passed("G726-32", 8000, None),
    passed("G726-40", 8000, None),
    passed("AAL2-G726-16", 8000, None),
    passed("AAL2-G726-24", 8000, None),
    passed("AAL2-G726-32", 8000, None),
    passed("AAL2-G726-40", 8000, None),
    passed("G728", 8000, Some(15)),
    passed("GSM", 8000, Some(3)),
    passed("GSM-EFR", 8000, None),
    passed("iLBC", 8000, None),
    passed("AMR", 8000, None),
    passed("AMR-WB", 16_000, None),
    passed("EVS", 16_000, None),
    passed("G7221", 16_000, None),
    passed("G7221", 32_000, None),
    passed("speex", 8000, None),
    passed("speex", 16_000, None),
    passed("speex", 32_000, None),
    passed("BV16", 8000, None),
    passed("BV32", 16_000, None),
    passed("L16", 8000, None),
    passed("L16", 16_000, None),
    passed("L16", 44_100, Some(11)),
    passed("CLEARMODE", 8000, None),
];

impl Codec {
    /// Every codec that is decoded and encoded.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The static payload type (RFC 3551 Table 4), or the dynamic one that we propose.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            // What browsers use too.
            Codec::Opus => 111,
            Codec::Passed(PassedCodec { number: Some(number), .. }) => *number,
            Codec::Passed(_) => 112,
        }
    }

    /// Whether the payload type of [`Self::payload_type`] means this codec and no other.
    pub const fn is_static(self) -> bool {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => true,
            Codec::Opus => false,
            Codec::Passed(passed) => passed.number.is_some(),
        }
    }

    /// Whether it is decoded and encoded here.
    #[inline]
    pub const fn is_understood(self) -> bool {
        !matches!(self, Codec::Passed(_))
    }

    /// The codec of a static payload type, if it is one that we understand.
    pub const fn from_static_payload_type(pt: u8) -> Option<Self> {
        match pt {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        }
    }

    /// The encoding name in an `a=rtpmap` line.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
            Codec::Passed(passed) => passed.name,
        }
    }

    /// The codec of an encoding name, in any case, at this clock in Hz and with so many channels
    /// (where Opus may say 1 as well as 2).
    pub fn named(name: &str, clock: u32, channels: u8) -> Option<Self> {
        let passed = PASSED.iter().map(Codec::Passed);
        Self::ALL.into_iter().chain(passed).find(|codec| {
            codec.encoding_name().eq_ignore_ascii_case(name)
                && codec.clock_rate() == clock
                && [1, codec.named_channels()].contains(&channels)
        })
    }

    /// RTP clock rate in hertz. G.722's is 8000 by an old mistake that stays (RFC 3551 §4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus => 48_000,
            Codec::Passed(passed) => passed.clock,
        }
    }

    /// Channels in an `a=rtpmap` line: Opus says 2 whatever it carries (RFC 7587 §7).
    pub const fn named_channels(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Passed(_) => 1,
            Codec::Opus => 2,
        }
    }

    /// The law of a G.711 codec, whose packets can be read byte by byte.
    #[inline]
    pub const fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 | Codec::Opus | Codec::Passed(_) => None,
        }
    }

    /// Bytes in a millisecond where that is fixed.
    #[inline]
    pub const fn bytes_per_ms(self) -> Option<usize> {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Some(8),
            Codec::Opus | Codec::Passed(_) => None,
        }
    }
}

/// The length of an Opus packet in microseconds, by its first two bytes (RFC 6716 §3.1, §3.2.5).
/// `None`: it is malformed, of no frame or of more than 120 ms (§3.4).
#[inline]
pub(crate) fn opus_length(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let (configuration, code) = (toc >> 3, toc & 3);
    let frame = match (configuration, configuration & 3) {
        (0..=11, length) => [10_000, 20_000, 40_000, 60_000][usize::from(length)],
        (12..=15, length) => [10_000, 20_000][usize::from(length & 1)],
        (_, length) => [2_500, 5_000, 10_000, 20_000][usize::from(length)],
    };
    let frames = match code {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    Some(frame * frames).filter(|us| (1..=120_000).contains(us))
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding_name())
    }
}

/// What a peer that takes Opus asks of who sends to it (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// `useinbandfec=1`: it makes use of redundancy when packets are lost.
    pub fec: bool,
    /// `maxplaybackrate`: no use in more than this, in Hz.
    pub max_playback_hz: u32,
    /// `maxaveragebitrate` in bit/s.
    pub max_bitrate: u32,
    /// `cbr=1`: packets of one size, which tell nothing of what is said in them.
    pub constant_rate: bool,
}

impl Default for OpusWishes {
    fn default() -> Self {
        Self { fec: false, max_playback_hz: 48_000, max_bitrate: 510_000, constant_rate: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_first_two_bytes_of_opus_say_how_long_it_is() {
        // Each mode of RFC 6716 §3.1, and each way to pack frames.
        let packets: [(&[u8], Option<u32>); 11] = [
            (&[0b0000_0000], Some(10_000)),
            (&[0b0001_1000], Some(60_000)),
            (&[0b0110_1000], Some(20_000)),
            (&[0b1000_0001], Some(5_000)),
            (&[0b1001_1010], Some(40_000)),
            (&[0b1111_1011, 0b1000_0011], Some(60_000)),
            (&[0b1111_1011], None),
            (&[0b1111_1011, 0], None),
            (&[0b1111_1011, 6], Some(120_000)),
            (&[0b1111_1011, 7], None),
            (&[], None),
        ];
        for (packet, length) in packets {
            assert_eq!(opus_length(packet), length, "{packet:?}");
        }
    }
}

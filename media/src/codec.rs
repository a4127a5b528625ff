//! G.711: both laws as tables, and the codec names of SDP.

use std::fmt;

/// The audio codecs the engine can decode and encode. All run at 8 kHz, one byte a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 mu-law, static payload type 0 (RFC 3551 §6).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 §6).
    Pcma,
}

impl Codec {
    /// Every codec, in our order of preference.
    pub const ALL: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    /// The static payload type (RFC 3551 Table 4).
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The codec of a static payload type, if it is one of ours.
    pub const fn from_static_payload_type(pt: u8) -> Option<Self> {
        match pt {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            _ => None,
        }
    }

    /// The encoding name in an `a=rtpmap` line.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The codec of an encoding name, in any case.
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.encoding_name().eq_ignore_ascii_case(name))
    }

    /// RTP clock rate in hertz.
    pub const fn clock_rate(self) -> u32 {
        8000
    }

    /// The byte that stands for silence.
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => 0xff,
            Codec::Pcma => 0xd5,
        }
    }

    /// One sample to one byte.
    #[inline]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Codec::Pcmu => ulaw_from_linear(sample),
            Codec::Pcma => alaw_from_linear(sample),
        }
    }

    /// One byte to one sample, scaled to 16 bits.
    #[inline]
    pub fn decode(self, byte: u8) -> i16 {
        self.decode_table()[usize::from(byte)]
    }

    /// The 256 samples of this law.
    pub fn decode_table(self) -> &'static [i16; 256] {
        match self {
            Codec::Pcmu => &ULAW_TO_LINEAR,
            Codec::Pcma => &ALAW_TO_LINEAR,
        }
    }

    /// The table that turns bytes of `self` into bytes of `to`; `None` when they are the same.
    #[inline]
    pub fn conversion(self, to: Codec) -> Option<&'static [u8; 256]> {
        match (self, to) {
            (Codec::Pcmu, Codec::Pcma) => Some(&ULAW_TO_ALAW),
            (Codec::Pcma, Codec::Pcmu) => Some(&ALAW_TO_ULAW),
            (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding_name())
    }
}

static ULAW_TO_LINEAR: [i16; 256] = ulaw_table();
static ALAW_TO_LINEAR: [i16; 256] = alaw_table();
static ULAW_TO_ALAW: [u8; 256] = convert_table(true);
static ALAW_TO_ULAW: [u8; 256] = convert_table(false);

/// ITU-T G.711 §3.2: the 14-bit sample plus a bias of 33 is a floating-point number of three bits
/// of exponent and four of mantissa; all bits are inverted on the line.
const fn ulaw_from_linear(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { (!sample) >> 2 } else { sample >> 2 } as u16 + 33;
    let magnitude = if magnitude > 0x1fff { 0x1fff } else { magnitude };
    // The highest set bit is at least bit 5, because of the bias.
    let exponent = (15 - magnitude.leading_zeros()) - 5;
    let mantissa = (magnitude >> (exponent + 1)) & 0x0f;
    let code = ((exponent as u8) << 4) | mantissa as u8;
    let sign = if negative { 0x80 } else { 0 };
    !(code | sign)
}

const fn ulaw_to_linear(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 7;
    let mantissa = (byte & 0x0f) as i16;
    let magnitude = ((((mantissa << 1) | 0x21) << exponent) - 33) << 2;
    if byte & 0x80 != 0 { -magnitude } else { magnitude }
}

/// ITU-T G.711 §3.1: 13-bit sample; the two lowest segments share one step; even bits inverted.
const fn alaw_from_linear(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { (!sample) >> 4 } else { sample >> 4 } as u16;
    let code = if magnitude < 16 {
        magnitude as u8
    } else {
        let exponent = (15 - magnitude.leading_zeros()) - 3;
        let mantissa = (magnitude >> (exponent - 1)) & 0x0f;
        ((exponent as u8) << 4) | mantissa as u8
    };
    let sign = if negative { 0 } else { 0x80 };
    (code | sign) ^ 0x55
}

const fn alaw_to_linear(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 7;
    // The half step puts the value in the middle of its interval.
    let mantissa = ((byte & 0x0f) as i16) << 4;
    let magnitude = match exponent {
        0 => mantissa + 8,
        e => (mantissa + 0x108) << (e - 1),
    };
    if byte & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = ulaw_to_linear(i as u8);
        i += 1;
    }
    table
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = alaw_to_linear(i as u8);
        i += 1;
    }
    table
}

const fn convert_table(from_ulaw: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        table[i] = if from_ulaw {
            alaw_from_linear(ulaw_to_linear(byte))
        } else {
            ulaw_from_linear(alaw_to_linear(byte))
        };
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_of_both_laws() {
        // ITU-T G.191's reference values.
        assert_eq!(Codec::Pcmu.encode(0), 0xff);
        assert_eq!(Codec::Pcmu.encode(-1), 0x7f);
        assert_eq!(Codec::Pcmu.encode(i16::MAX), 0x80);
        assert_eq!(Codec::Pcmu.encode(i16::MIN), 0x00);
        assert_eq!(Codec::Pcmu.decode(0x00), -32124);
        assert_eq!(Codec::Pcmu.decode(0x80), 32124);
        assert_eq!(Codec::Pcma.encode(0), 0xd5);
        assert_eq!(Codec::Pcma.encode(-1), 0x55);
        assert_eq!(Codec::Pcma.encode(i16::MAX), 0xaa);
        assert_eq!(Codec::Pcma.encode(i16::MIN), 0x2a);
        assert_eq!(Codec::Pcma.decode(0xd5), 8);
        assert_eq!(Codec::Pcma.decode(0xaa), 32256);
    }

    #[test]
    fn every_byte_survives_decode_and_encode() {
        for byte in 0..=255u8 {
            // Mu-law has two zeros; negative zero decodes to 0 and comes back as positive zero.
            if byte != 0x7f {
                assert_eq!(Codec::Pcmu.encode(Codec::Pcmu.decode(byte)), byte, "ulaw {byte:#x}");
            }
            assert_eq!(Codec::Pcma.encode(Codec::Pcma.decode(byte)), byte, "alaw {byte:#x}");
        }
    }

    #[test]
    fn every_sample_is_coded_to_the_nearest_interval() {
        for codec in Codec::ALL {
            let mut last = i32::MIN;
            for sample in i16::MIN..=i16::MAX {
                let back = i32::from(codec.decode(codec.encode(sample)));
                assert!(back >= last, "{codec} is monotonic");
                last = back;
                let error = (back - i32::from(sample)).abs();
                let step = (i32::from(sample).abs() / 16).max(8);
                assert!(error <= step.max(645), "{codec} {sample} -> {back}");
            }
        }
    }

    #[test]
    fn silence_is_silent_and_conversion_keeps_it() {
        for codec in Codec::ALL {
            assert!(codec.decode(codec.silence()).abs() <= 8);
        }
        let table = Codec::Pcmu.conversion(Codec::Pcma).unwrap();
        assert_eq!(table[0xff], 0xd5);
        assert!(Codec::Pcma.conversion(Codec::Pcma).is_none());
    }
}

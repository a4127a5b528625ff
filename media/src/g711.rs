//! ITU-T G.711: both laws, as formulas that fill tables.

/// One of the two ways of G.711 to make eight bits of a sample. Both run at 8 kHz, a byte a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// Mu-law: North America, Japan.
    Mu,
    /// A-law: elsewhere.
    A,
}

impl Law {
    /// Both.
    pub const ALL: [Law; 2] = [Law::Mu, Law::A];

    /// The byte that stands for silence.
    pub const fn silence(self) -> u8 {
        match self {
            Law::Mu => 0xff,
            Law::A => 0xd5,
        }
    }

    /// One sample to one byte.
    #[inline]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => ulaw_from_linear(sample),
            Law::A => alaw_from_linear(sample),
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
            Law::Mu => &ULAW_TO_LINEAR,
            Law::A => &ALAW_TO_LINEAR,
        }
    }

    /// The table that turns bytes of `self` into bytes of `to`; `None` when they are the same.
    #[inline]
    pub fn conversion(self, to: Law) -> Option<&'static [u8; 256]> {
        match (self, to) {
            (Law::Mu, Law::A) => Some(&ULAW_TO_ALAW),
            (Law::A, Law::Mu) => Some(&ALAW_TO_ULAW),
            (Law::Mu, Law::Mu) | (Law::A, Law::A) => None,
        }
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
        assert_eq!(Law::Mu.encode(0), 0xff);
        assert_eq!(Law::Mu.encode(-1), 0x7f);
        assert_eq!(Law::Mu.encode(i16::MAX), 0x80);
        assert_eq!(Law::Mu.encode(i16::MIN), 0x00);
        assert_eq!(Law::Mu.decode(0x00), -32124);
        assert_eq!(Law::Mu.decode(0x80), 32124);
        assert_eq!(Law::A.encode(0), 0xd5);
        assert_eq!(Law::A.encode(-1), 0x55);
        assert_eq!(Law::A.encode(i16::MAX), 0xaa);
        assert_eq!(Law::A.encode(i16::MIN), 0x2a);
        assert_eq!(Law::A.decode(0xd5), 8);
        assert_eq!(Law::A.decode(0xaa), 32256);
    }

    /// ITU-T G.711 tables 1 and 2 as a search: the code whose interval holds the sample, from the
    /// decision values `x(n)` that the Recommendation lists, in units of the law's own step.
    fn by_decision_values(law: Law, sample: i16) -> u8 {
        // Segments as pairs of (number of intervals, length of each), from zero outwards.
        let (segments, scale) = match law {
            // Table 2a: one interval of 1, 15 of 2, then 16 each of 4, 8, ... 256, up to 8159.
            Law::Mu => (
                vec![
                    (1, 1),
                    (15, 2),
                    (16, 4),
                    (16, 8),
                    (16, 16),
                    (16, 32),
                    (16, 64),
                    (16, 128),
                    (16, 256),
                ],
                4,
            ),
            // Table 1a: 32 intervals of 2, then 16 each of 4, 8, ... 128, up to 4096.
            Law::A => (vec![(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)], 8),
        };
        let ends = segments.iter().flat_map(|&(count, length)| std::iter::repeat_n(length, count));
        let ends: Vec<i32> = ends
            .scan(0, |at, length| {
                *at += length;
                Some(*at * scale)
            })
            .collect();
        let negative = sample < 0;
        // The interval below zero is the mirror of the one above: -1 lies where 0 does.
        let magnitude = if negative { -(i32::from(sample) + 1) } else { i32::from(sample) };
        let code = ends.iter().take(127).filter(|&&end| end <= magnitude).count() as u8;
        match (law, negative) {
            // Table 2a, column 6: all bits but the sign are inverted, and the sign stands for plus.
            (Law::Mu, false) => 0xff - code,
            (Law::Mu, true) => 0x7f - code,
            // Table 1a, note 2: even bits are inverted.
            (Law::A, false) => (0x80 | code) ^ 0x55,
            (Law::A, true) => code ^ 0x55,
        }
    }

    #[test]
    fn all_samples_are_coded_as_the_tables_of_the_recommendation_say() {
        for law in Law::ALL {
            for sample in i16::MIN..=i16::MAX {
                assert_eq!(law.encode(sample), by_decision_values(law, sample), "{law:?} {sample}");
            }
        }
    }

    #[test]
    fn every_byte_survives_decode_and_encode() {
        for byte in 0..=255u8 {
            // Mu-law has two zeros; negative zero decodes to 0 and comes back as positive zero.
            if byte != 0x7f {
                assert_eq!(Law::Mu.encode(Law::Mu.decode(byte)), byte, "ulaw {byte:#x}");
            }
            assert_eq!(Law::A.encode(Law::A.decode(byte)), byte, "alaw {byte:#x}");
        }
    }

    #[test]
    fn every_sample_is_coded_to_the_nearest_interval() {
        for law in Law::ALL {
            let mut last = i32::MIN;
            for sample in i16::MIN..=i16::MAX {
                let back = i32::from(law.decode(law.encode(sample)));
                assert!(back >= last, "{law:?} is monotonic");
                last = back;
                let error = (back - i32::from(sample)).abs();
                let step = (i32::from(sample).abs() / 16).max(8);
                assert!(error <= step.max(645), "{law:?} {sample} -> {back}");
            }
        }
    }

    #[test]
    fn silence_is_silent_and_conversion_keeps_it() {
        for law in Law::ALL {
            assert!(law.decode(law.silence()).abs() <= 8);
        }
        let table = Law::Mu.conversion(Law::A).unwrap();
        assert_eq!(table[0xff], 0xd5);
        assert!(Law::A.conversion(Law::A).is_none());
    }
}

//! What a picture says of a whole number.

use super::super::coded;
use crate::jsonata::error::Result;

/// The noughts of the digit families that a picture may be written in: those of Unicode's category Nd
/// in the Basic Multilingual Plane.
const ZEROS: [u32; 37] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

pub(in super::super) const ASCII_ZERO: u32 = 0x30;

/// A picture, read.
#[derive(Debug, Clone)]
pub(in super::super) struct Picture {
    pub(in super::super) primary: Primary,
    pub(in super::super) case: Case,
    pub(in super::super) is_ordinal: bool,
}

#[derive(Debug, Clone)]
pub(in super::super) enum Primary {
    /// `A`, `a`
    Letters,
    /// `I`, `i`
    Roman,
    /// `W`, `w`, `Ww`
    Words,
    Decimal(Decimal),
    /// A numbering sequence that JSONata does not have, as it is written: D3130 when it is used.
    Sequence(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Case {
    Upper,
    Lower,
    Title,
}

/// A pattern of decimal digits.
#[derive(Debug, Clone)]
pub(in super::super) struct Decimal {
    /// The digit family's nought.
    pub(in super::super) zero: u32,
    /// Digits that are written at least. A date's widths may make it anything.
    pub(in super::super) mandatory: f64,
    /// `#`
    pub(in super::super) optional: f64,
    pub(in super::super) grouping: Grouping,
}

/// Where separators are, in digits from the right.
#[derive(Debug, Clone)]
pub(in super::super) enum Grouping {
    /// After every so many.
    Regular(usize, char),
    /// Each on its own, from right to left.
    Irregular(Vec<(usize, char)>),
}

impl Picture {
    /// # Errors
    ///
    /// D3131 for digits of two families.
    pub(in super::super) fn read(picture: &str) -> Result<Self> {
        let (primary, modifier) = picture.rsplit_once(';').unwrap_or((picture, ""));
        let is_ordinal = modifier.starts_with('o');
        let (case, primary) = match primary {
            "A" => (Case::Upper, Primary::Letters),
            "a" => (Case::Lower, Primary::Letters),
            "I" => (Case::Upper, Primary::Roman),
            "i" => (Case::Lower, Primary::Roman),
            "W" => (Case::Upper, Primary::Words),
            "w" => (Case::Lower, Primary::Words),
            "Ww" => (Case::Title, Primary::Words),
            digits => (Case::Lower, Primary::of(digits)?),
        };
        Ok(Self { primary, case, is_ordinal })
    }

    /// The digits written at least; `None` if it does not write digits.
    pub(in super::super) fn decimal(&mut self) -> Option<&mut Decimal> {
        match &mut self.primary {
            Primary::Decimal(decimal) => Some(decimal),
            _ => None,
        }
    }
}

impl Primary {
    fn of(picture: &str) -> Result<Self> {
        let (mut zero, mut mandatory, mut optional) = (None, 0, 0);
        let mut separators = Vec::new();
        for char in picture.chars().rev() {
            let code = u32::from(char);
            let family = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code));
            match family {
                Some(family) if zero.is_some_and(|zero| zero != *family) => {
                    let words = "In a decimal digit pattern, all digits must be from the same decimal group";
                    return Err(coded("D3131", words));
                }
                Some(family) => {
                    zero = Some(*family);
                    mandatory += 1;
                }
                None if char == '#' => optional += 1,
                None => separators.push((mandatory + optional, char)),
            }
        }
        let Some(zero) = zero else { return Ok(Self::Sequence(picture.to_owned())) };
        Ok(Self::Decimal(Decimal {
            zero,
            mandatory: mandatory as f64,
            optional: optional as f64,
            grouping: Grouping::of(separators),
        }))
    }
}

impl Grouping {
    /// They are regular if they are all the same sign, one after every so many digits.
    fn of(separators: Vec<(usize, char)>) -> Self {
        fn divisor(a: usize, b: usize) -> usize {
            if b == 0 { a } else { divisor(b, a % b) }
        }
        let every = separators.iter().map(|separator| separator.0).reduce(divisor).unwrap_or(0);
        let places: std::collections::BTreeSet<usize> =
            separators.iter().map(|separator| separator.0).collect();
        let is_regular = every > 0 && (1..=separators.len()).all(|n| places.contains(&(n * every)));
        match separators.first() {
            Some(first) if is_regular && separators.iter().all(|other| other.1 == first.1) => {
                Self::Regular(every, first.1)
            }
            _ => Self::Irregular(separators),
        }
    }
}

/// D3130.
pub(in super::super) fn no_sequence(token: &str) -> crate::jsonata::error::Error {
    let token = serde_json::Value::from(token);
    let words = format!(
        "Formatting or parsing an integer as a sequence starting with {token} is not supported by \
         this implementation"
    );
    coded("D3130", &words)
}

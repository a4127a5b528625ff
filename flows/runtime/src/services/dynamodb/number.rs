//! Numbers of DynamoDB: exact decimals of up to 38 significant digits.
//!
//! Amazon DynamoDB Developer Guide, "Data types", Number: positive magnitudes from 1E-130 to
//! 9.9999999999999999999999999999999999999E+125; leading and trailing zeroes are trimmed.

use std::cmp::Ordering;
use std::fmt;

/// Significant digits that a number may have.
const DIGITS: usize = 38;
/// The greatest exponent of the first digit.
const HIGHEST: i32 = 125;
/// The least.
const LOWEST: i32 = -130;

/// An exact decimal: `±0.d₁d₂… × 10^(exponent + 1)`, that is `d₁.d₂… × 10^exponent`, in one form
/// only: neither the first digit nor the last is a zero, and zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Number {
    negative: bool,
    /// 0 to 9 each.
    digits: Vec<u8>,
    /// Of the first digit.
    exponent: i32,
}

/// Why something is no number of DynamoDB's, in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NumberError {
    /// Not a decimal.
    #[error("The parameter cannot be converted to a numeric value")]
    Syntax,
    /// Too great.
    #[error(
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    )]
    Overflow,
    /// Too near to zero.
    #[error(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range"
    )]
    Underflow,
    /// Too long.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    Precision,
}

impl Number {
    /// Reads `-12.50e3` and its like.
    pub(super) fn parse(text: &str) -> Result<Self, NumberError> {
        let (negative, rest) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || all.clone().any(|b| !b.is_ascii_digit()) {
            return Err(NumberError::Syntax);
        }
        let whole_digits = i32::try_from(whole.len()).map_err(|_| NumberError::Overflow)?;
        let digits: Vec<u8> = all.map(|b| b - b'0').collect();
        Self::normal(negative, digits, exponent.saturating_add(whole_digits - 1))
    }

    /// The one form of `d₁.d₂… × 10^exponent`, if it is within the limits.
    fn normal(negative: bool, digits: Vec<u8>, exponent: i32) -> Result<Self, NumberError> {
        let leading = digits.iter().take_while(|d| **d == 0).count();
        let trailing = digits.iter().rev().take_while(|d| **d == 0).count();
        if leading == digits.len() {
            return Ok(Self { negative: false, digits: Vec::new(), exponent: 0 });
        }
        let digits = digits[leading..digits.len() - trailing].to_vec();
        let exponent = exponent.saturating_sub(i32::try_from(leading).unwrap_or(i32::MAX));
        if exponent > HIGHEST {
            return Err(NumberError::Overflow);
        }
        if exponent < LOWEST {
            return Err(NumberError::Underflow);
        }
        if digits.len() > DIGITS {
            return Err(NumberError::Precision);
        }
        Ok(Self { negative, digits, exponent })
    }

    /// A count.
    pub(super) fn from_count(count: usize) -> Self {
        let digits: Vec<u8> = count.to_string().bytes().map(|b| b - b'0').collect();
        let exponent = i32::try_from(digits.len()).unwrap_or(1) - 1;
        Self::normal(false, digits, exponent).unwrap_or(Self {
            negative: false,
            digits: Vec::new(),
            exponent: 0,
        })
    }

    /// How many bytes it counts for: one for each two significant digits, and one (Developer
    /// Guide, "DynamoDB item sizes and formats").
    pub(super) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1
    }

    /// The exact sum, or an error if it does not fit.
    pub(super) fn add(&self, other: &Self) -> Result<Self, NumberError> {
        if self.digits.is_empty() {
            return Ok(other.clone());
        }
        if other.digits.is_empty() {
            return Ok(self.clone());
        }
        // Both on one grid: from the highest place of either to the lowest, at most 256 + 38.
        let high = self.exponent.max(other.exponent) + 1;
        let low = self.lowest().min(other.lowest());
        let (a, b) = (self.on_grid(high, low), other.on_grid(high, low));
        if self.negative == other.negative {
            return Self::normal(self.negative, sum(&a, &b), high);
        }
        match a.cmp(&b) {
            Ordering::Less => Self::normal(other.negative, difference(&b, &a), high),
            Ordering::Equal | Ordering::Greater => {
                Self::normal(self.negative, difference(&a, &b), high)
            }
        }
    }

    /// The exact difference.
    pub(super) fn subtract(&self, other: &Self) -> Result<Self, NumberError> {
        let minus = Self { negative: !other.negative && !other.digits.is_empty(), ..other.clone() };
        self.add(&minus)
    }

    fn lowest(&self) -> i32 {
        self.exponent - i32::try_from(self.digits.len()).unwrap_or(0) + 1
    }

    fn on_grid(&self, high: i32, low: i32) -> Vec<u8> {
        let places = |n: i32| usize::try_from(n).unwrap_or(0);
        let mut grid = vec![0; places(high - self.exponent)];
        grid.extend_from_slice(&self.digits);
        grid.resize(places(high - low + 1), 0);
        grid
    }

    /// Bytes in the order of the numbers, none a prefix of another.
    pub(super) fn ordered_bytes(&self) -> Vec<u8> {
        if self.digits.is_empty() {
            return vec![0x80];
        }
        // Exponents are -130 to 125: 0 to 255. Digits 0 to 9 become 1 to 10, and 0 ends them.
        let exponent = u8::try_from(self.exponent - LOWEST).unwrap_or(u8::MAX);
        let mut bytes = vec![exponent];
        bytes.extend(self.digits.iter().map(|d| d + 1));
        bytes.push(0);
        if self.negative {
            bytes.iter_mut().for_each(|b| *b = !*b);
            bytes.insert(0, 0x40);
        } else {
            bytes.insert(0, 0xC0);
        }
        bytes
    }
}

fn parse_exponent(text: &str) -> Result<i32, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.bytes().any(|b| !b.is_ascii_digit()) {
        return Err(NumberError::Syntax);
    }
    // What does not fit is far beyond the range anyway; whichever way, `normal` says so.
    let sign = if text.starts_with('-') { -1 } else { 1 };
    Ok(sign * digits.parse::<i32>().unwrap_or(1_000_000).min(1_000_000))
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(x, y)| {
            let total = x + y + carry;
            carry = total / 10;
            total % 10
        })
        .collect();
    digits.reverse();
    digits
}

/// `a` is not the lesser one.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(x, y)| {
            let take = y + borrow;
            borrow = u8::from(*x < take);
            x + 10 * borrow - take
        })
        .collect();
    digits.reverse();
    digits
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        if self.exponent < 0 {
            f.write_str("0.")?;
            (0..-self.exponent - 1).try_for_each(|_| f.write_str("0"))?;
        }
        for (place, digit) in self.digits.iter().enumerate() {
            let place = i32::try_from(place).unwrap_or(i32::MAX);
            if self.exponent >= 0 && place == self.exponent + 1 {
                f.write_str(".")?;
            }
            write!(f, "{digit}")?;
        }
        (0..=self.lowest() - 1).try_for_each(|_| f.write_str("0"))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ordered_bytes().cmp(&other.ordered_bytes())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

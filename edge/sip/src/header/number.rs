//! Headers that are one number.

use std::fmt;

use super::{HeaderError, HeaderName, Problem, TypedHeader};
use crate::params::trim;

/// Digits only (leading zeros allowed) within 32 bits; what follows them as second.
pub(super) fn leading_u32(text: &str) -> Result<(u32, &str), Problem> {
    let text = trim(text);
    let len = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(len);
    Ok((digits.parse().map_err(|_| Problem::Number)?, rest))
}

/// Same, with nothing behind.
pub(super) fn whole_u32(text: &str) -> Result<u32, Problem> {
    match leading_u32(text)? {
        (number, "") => Ok(number),
        _ => Err(Problem::Number),
    }
}

macro_rules! number {
    ($($(#[$doc:meta])* $type:ident $max:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $type(pub u32);

        impl TypedHeader for $type {
            const NAME: HeaderName = HeaderName::$type;

            fn parse_value(text: &str) -> Result<Self, HeaderError> {
                whole_u32(text)
                    .and_then(|n| if n <= $max { Ok(Self(n)) } else { Err(Problem::Number) })
                    .map_err(|p| p.of(Self::NAME))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
pub(super) use number;

number! {
    /// Hops left, 0 to 255 (RFC 3261 §20.22).
    MaxForwards 255;
    /// Seconds (RFC 3261 §20.19).
    Expires u32::MAX;
    /// Seconds (RFC 3261 §20.23).
    MinExpires u32::MAX;
}

/// Seconds to wait; comment and parameters are dropped (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter(pub u32);

impl TypedHeader for RetryAfter {
    const NAME: HeaderName = HeaderName::RetryAfter;

    fn parse_value(text: &str) -> Result<Self, HeaderError> {
        match leading_u32(text) {
            Ok((n, rest)) if rest.is_empty() || rest.starts_with([' ', '\t', ';', '(']) => {
                Ok(Self(n))
            }
            _ => Err(Problem::Number.of(Self::NAME)),
        }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

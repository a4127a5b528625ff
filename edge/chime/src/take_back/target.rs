//! Whom a caller is bridged to.

use offhook_sma::action::{Endpoint, EndpointType};

/// `TransferTarget` and `TransferTargetArn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A number in E.164, or the user part that the Voice Connector's other end gets.
    pub number: String,
    /// The Voice Connector. `None`: the number is called over the telephone network.
    pub arn: Option<String>,
}

/// The number that means Connect: the desk hands the caller back.
const CONNECT: &str = "connect";

impl Target {
    /// As somebody has written it: blanks around it mean nothing, and of a number with its plus
    /// sign only the digits do (RFC 3966 §5.1.1).
    #[must_use]
    pub fn named(number: &str, arn: Option<String>) -> Self {
        let number = number.trim();
        let bare = bare_number(number);
        let number = match bare.strip_prefix('+') {
            Some(digits) => {
                format!("+{}", digits.chars().filter(|c| !is_separator(*c)).collect::<String>())
            }
            None => number.to_owned(),
        };
        Self { number, arn }
    }

    /// Connect, by a pair that is still to be claimed.
    pub(super) fn connect() -> Self {
        Self { number: CONNECT.to_owned(), arn: None }
    }

    pub(super) fn is_connect(&self) -> bool {
        self.number == CONNECT
    }

    /// The endpoint of `CallAndBridge`; `extensions`: [`super::Rules::extensions`].
    #[must_use]
    pub fn endpoint(&self, extensions: bool) -> Endpoint {
        let kind = match &self.arn {
            Some(_) => EndpointType::Aws,
            None if extensions && !self.number.starts_with('+') => EndpointType::Extension,
            None => EndpointType::Pstn,
        };
        Endpoint { bridge_endpoint_type: kind, uri: self.number.clone(), arn: self.arn.clone() }
    }
}

/// What stands in a number for the eye only.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')
}

/// The number in `tel:…`, `sip:…@host`, an address in angle brackets, or a number alone.
pub(super) fn bare_number(text: &str) -> &str {
    let text = text.trim();
    let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let text = inside.map_or(text, |(inside, _)| inside.trim());
    let uri = text.split_once(':').filter(|(scheme, _)| {
        ["tel", "sip", "sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let text = uri.map_or(text, |(_, rest)| rest);
    text.split(['@', ';']).next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_the_same_however_it_is_written() {
        for (text, wanted) in [
            ("+18555550111", "+18555550111"),
            (" +1 (855) 555-0111\n", "+18555550111"),
            ("tel:+1-855-555-0111;ext=1", "+18555550111"),
            ("<sip:+18555550111@192.0.2.1:5060>", "+18555550111"),
            (" 101 ", "101"),
            ("front-desk", "front-desk"),
            ("connect", "connect"),
            ("+", "+"),
            ("", ""),
        ] {
            assert_eq!(Target::named(text, None).number, wanted, "{text:?}");
        }
    }
}

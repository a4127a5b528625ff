//! What `User-to-User` carries (RFC 7433): the members of a JSON object, in hexadecimal, as Amazon
//! Connect's external transfer sends them.

use serde_json::{Map, Value};

/// Octets of a header that is read.
const MOST: usize = 2_048;

/// The members. `None`: it is no JSON object, is written otherwise, or has more than 2,048 octets.
///
/// A protocol discriminator may stand before the object (ITU-T Q.931 §4.5.30).
#[must_use]
pub fn members(value: &str) -> Option<Map<String, Value>> {
    if value.len() > MOST {
        return None;
    }
    let mut parts = value.split(';').map(str::trim);
    let data = parts.next()?.trim_matches('"');
    // RFC 7433 §4.1: without a parameter it is `hex`.
    let encoding = parts.find_map(|part| part.strip_prefix("encoding="));
    if !encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case("hex")) {
        return None;
    }
    let bytes = octets(data)?;
    let start = bytes.iter().take(2).position(|byte| *byte == b'{')?;
    serde_json::from_slice(bytes.get(start..)?).ok()
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let octet = |two: &[u8]| u8::try_from(digit(two.first()?)? * 16 + digit(two.get(1)?)?).ok();
    hex.as_bytes().chunks(2).map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_in_hexadecimal_is_read_and_nothing_else() {
        let object = "7b2261223a317d";
        for good in [
            object.to_owned(),
            format!("04{object};encoding=hex"),
            format!("\"{object}\" ; encoding=HEX"),
        ] {
            assert_eq!(members(&good).unwrap()["a"], 1, "{good}");
        }
        let long = format!("{object}{}", "20".repeat(MOST));
        for odd in ["", "7", "zz", "5b5d", "7b", "000000007b7d", "7b7d;encoding=ascii", "é", &long]
        {
            assert_eq!(members(odd), None, "{odd}");
        }
    }
}

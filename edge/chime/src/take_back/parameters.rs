//! Names and values that pass from Connect to the target.

use std::collections::BTreeMap;

use offhook_sma::action::may_set_header;

/// Most octets of a header's value.
const MOST_VALUE: usize = 2_048;
/// Most headers; three of ours go with them.
const MOST_HEADERS: usize = 17;
/// Most octets of all of them: they are kept in the attributes, which may have 20 KiB.
const MOST_OCTETS: usize = 12 << 10;
/// Arguments that are not for the target.
const OWN: [&str; 3] = ["Transfer", "TransferTarget", "TransferTargetArn"];

/// The headers that arguments become. `X-…`, `User-to-User` and `Diversion` keep their names,
/// another name gets an `X-` before it.
pub(super) fn headers(arguments: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut octets = 0;
    let mut headers = BTreeMap::new();
    for (name, value) in arguments {
        if OWN.contains(&name.as_str()) || value.is_empty() {
            continue;
        }
        let name = header_name(name);
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        octets += name.len() + value.len();
        if !may_set_header(&name) || value.len() > MOST_VALUE || octets > MOST_OCTETS {
            octets -= name.len() + value.len();
            continue;
        }
        if headers.len() < MOST_HEADERS {
            headers.insert(name, value);
        }
    }
    headers
}

fn header_name(name: &str) -> String {
    let begins = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
    if begins || may_set_header(name) {
        return name.to_owned();
    }
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("X-{}", word.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize>(arguments: [(&str, &str); N]) -> Vec<(String, String)> {
        let owned = arguments.map(|(name, value)| (name.to_owned(), value.to_owned()));
        headers(&BTreeMap::from(owned)).into_iter().collect()
    }

    #[test]
    fn what_connect_passes_on_becomes_headers() {
        let told = of([
            ("TransferTarget", "+15550001"),
            ("Transfer", "true"),
            ("X-Queue", "sales"),
            ("Customer Name", "Ana\r\nX-Evil: 1"),
            ("User-to-User", "4142;encoding=hex"),
            ("empty", ""),
        ]);
        let wanted = [
            ("User-to-User", "4142;encoding=hex"),
            ("X-Customer-Name", "AnaX-Evil: 1"),
            ("X-Queue", "sales"),
        ];
        assert_eq!(told, wanted.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_a_header_cannot_be_is_left_out() {
        assert_eq!(of([("X-Amzn-Trace", "1"), ("amzn", "2"), ("X-Vine", "3")]), []);
        assert_eq!(of([("X-Long", &"a".repeat(3_000))]), []);
        let many: BTreeMap<String, String> =
            (0..40).map(|n| (format!("X-{n}"), "1".to_owned())).collect();
        assert_eq!(headers(&many).len(), MOST_HEADERS);
        let large: BTreeMap<String, String> =
            (0..15).map(|n| (format!("X-{n}"), "a".repeat(2_000))).collect();
        assert_eq!(headers(&large).len(), 6);
    }
}

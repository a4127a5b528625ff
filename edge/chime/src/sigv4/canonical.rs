//! The one way in which a request is written for signing.

use std::fmt::Write as _;

/// Percent-encodes all but the unreserved characters of RFC 3986, and `/` where `slash` says so.
fn encode(text: &[u8], slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            // A String takes everything.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A name or value as it stands in a query, or one segment of a path.
pub fn encoded(text: &str) -> String {
    encode(text.as_bytes(), false)
}

/// A path as it stands in a request; its slashes stay.
pub(crate) fn encoded_path(path: &str) -> String {
    encode(path.as_bytes(), true)
}

/// What percent-encoding stands for; a per cent sign that begins none stands for itself.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// A path as it is signed. S3 signs it as it stands; all others without `.`, `..` and double
/// slashes, and encoded once more.
pub(super) fn path(path: &str, service: &str) -> String {
    if service == "s3" {
        return if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut plain = String::from("/");
    plain.push_str(&kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        plain.push('/');
    }
    encode(plain.as_bytes(), true)
}

/// A query as it is signed: decoded, encoded, sorted; without `leave_out`.
pub(super) fn query(query: &str, leave_out: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&decoded(name), false), encode(&decoded(value), false)))
        .filter(|(name, _)| name != leave_out)
        .collect();
    pairs.sort();
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    written.join("&")
}

/// A header's value as it is signed: nothing around it, one space where there are several.
pub(super) fn value(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The canonical request. `headers`: lower-case names, sorted, values as of [`value`].
pub(super) fn request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(String, String)],
    body_hash: &str,
) -> String {
    let mut text = format!("{method}\n{path}\n{query}\n");
    for (name, value) in headers {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{}\n{body_hash}", names(headers));
    text
}

/// The value of `SignedHeaders`.
pub(super) fn names(headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

//! Signatures of AWS, version 4 (AWS General Reference, "Signing AWS API requests"): made for the
//! services that we ask, and checked for those who ask us. No clock, no socket.

mod canonical;
mod seal;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::canonical::decoded;
pub use self::canonical::encoded;
pub(crate) use self::canonical::encoded_path;
pub use self::seal::Seal;
pub(crate) use self::sign::Draft;
pub use self::verify::{AuthError, Received, Verified, verify, verify_streamed};

/// The one algorithm that is spoken here.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What a scope ends in.
const TERMINATOR: &str = "aws4_request";
/// In the place of a body's hash, for requests that are only signed in their head.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// In the same place, for requests whose body is a stream of signed events ([`Seal`]).
const STREAMED: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";

/// An access key. Its secret cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…`.
    pub key_id: String,
    /// The secret access key.
    pub secret: String,
    /// Of keys that are good for a while.
    pub session_token: Option<String>,
}

impl Credentials {
    /// A key that is good until it is removed.
    pub fn new(key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key_id: key_id.into(), secret: secret.into(), session_token: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// For whom a signature is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `us-east-1`.
    pub region: &'a str,
    /// `polly`.
    pub service: &'a str,
}

/// The value of `X-Amz-Date`.
#[must_use]
pub fn date(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// What is signed: the hash of the canonical request with its time and place.
fn string_to_sign(date: &str, place: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{place}\n{}", sha256(canonical.as_bytes()))
}

/// The signature's HMAC, to be read or to be compared.
fn signature(secret: &str, day: &str, scope: Scope<'_>, to_sign: &str) -> Option<Hmac<Sha256>> {
    let start = format!("AWS4{secret}").into_bytes();
    let parts = [day, scope.region, scope.service, TERMINATOR];
    let key = parts.iter().try_fold(start, |key, part| {
        let mac = mac(&key, part.as_bytes())?;
        Some(mac.finalize().into_bytes().to_vec())
    })?;
    mac(&key, to_sign.as_bytes())
}

/// HMAC takes keys of any length: there always is one.
pub(crate) fn mac(key: &[u8], data: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(data);
    Some(mac)
}

/// SHA-256 in lower-case hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The octets of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

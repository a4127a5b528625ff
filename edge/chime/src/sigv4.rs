//! Signatures of AWS, version 4 (AWS General Reference, "Signing AWS API requests"). No clock, no
//! socket.

use std::fmt;
use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// An access key. Its secret cannot be printed.
#[derive(Clone)]
pub struct Credentials {
    /// `AKIA…`.
    pub key_id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// What is signed of a request. Its path is `/` and plain characters, so that it is written in one
/// way only.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// From the first slash on.
    pub path: &'a str,
    /// After the question mark, sorted; or empty.
    pub query: &'a str,
    /// Lower-case names, sorted, `host` and `x-amz-date` among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: &'a [u8],
}

/// For whom a signature is good.
#[derive(Debug, Clone, Copy)]
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

/// The value of `Authorization`. `date` is that of the header, made by [`date`].
#[must_use]
pub fn authorization(
    credentials: &Credentials,
    scope: Scope<'_>,
    date: &str,
    request: Request<'_>,
) -> String {
    let day = date.get(..8).unwrap_or(date);
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in request.headers {
        // A String takes everything.
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(request.body)));

    let Scope { region, service } = scope;
    let place = format!("{day}/{region}/{service}/aws4_request");
    let hashed = hex(&Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{place}\n{hashed}");
    let start = format!("AWS4{}", credentials.secret).into_bytes();
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(start, |key, part| mac(&key, part.as_bytes()));
    let signature = hex(&mac(&key, to_sign.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{place}, SignedHeaders={names}, Signature={signature}",
        credentials.key_id
    )
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_awss_own_reference_is_signed_as_there() {
        let credentials = Credentials {
            key_id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        };
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let date = date(now);
        assert_eq!(date, "20150830T123600Z");
        let request = Request {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", &date),
            ],
            body: b"",
        };
        let scope = Scope { region: "us-east-1", service: "iam" };
        assert_eq!(
            authorization(&credentials, scope, &date, request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert!(!format!("{credentials:?}").contains("wJalr"));
    }
}

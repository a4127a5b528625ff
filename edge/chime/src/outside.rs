//! How this machine looks from outside: its public address, and what time it is there.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;

use crate::https::{Client, Endpoint, Limits, Trust, is_loopback};

/// AWS's service that answers with the address that it was asked from.
pub const CHECK_IP: &str = "https://checkip.amazonaws.com";

const LIMITS: Limits = Limits { time: Duration::from_secs(5), body: 256 };

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside {
    /// The address that requests of this machine come from.
    pub address: IpAddr,
    /// The time there (`Date`, RFC 9110 §6.6.1), whole seconds.
    pub date: Option<Timestamp>,
}

/// Asks a service that answers with the address in plain text.
///
/// # Errors
/// In words: it cannot be asked, or its answer is no address.
pub async fn look(service: &str, trust: Trust) -> Result<Outside, String> {
    let endpoint = Endpoint::parse(service)
        .filter(|endpoint| endpoint.tls || is_loopback(&endpoint.host))
        .ok_or_else(|| format!("{service:?} is no address that begins with https://"))?;
    let request = Request::get("/")
        .header("host", &endpoint.authority)
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = Client::new(trust).ask(&endpoint, request, LIMITS).await;
    let answer = answer.map_err(|error| format!("{service} cannot be asked: {error}"))?;
    let text = String::from_utf8_lossy(&answer.body);
    let address = text
        .trim()
        .parse()
        .map_err(|_| format!("{service} answered {} and no address", answer.status.as_u16()))?;
    Ok(Outside { address, date: answer.header("date").and_then(http_date) })
}

/// `Date` of an answer (RFC 9110 §5.6.7).
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        let date = http_date("Sun, 29 Nov 2026 09:55:38 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-29T09:55:38Z");
        assert_eq!(http_date("yesterday"), None);
    }
}

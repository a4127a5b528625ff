//! `[api]`.

use std::net::SocketAddr;

use super::section::{Found, Section};
use crate::schema::Api;

/// Arguments of calls are nobody else's business: without TLS they stay on this machine.
pub(super) fn api(s: &Section<'_, '_>) -> Api {
    let default = Api::default();
    let listen: Option<Found<SocketAddr>> = s.parsed("listen");
    let (certificate, key) = (s.file("certificate"), s.file("key"));
    for (name, other) in [("certificate", "key"), ("key", "certificate")] {
        if s.has(name) && !s.has(other) {
            s.missing(other, "\"/etc/offhook/api.pem\"");
        }
    }
    if let Some(found) = &listen
        && !found.value.ip().to_canonical().is_loopback()
        && !s.has("certificate")
    {
        let message = format!("`listen`: {} is not protected", found.value);
        let remedy = "give `certificate` and `key`, or take an address of 127.0.0.1";
        s.reader.suggest(found.at, message, remedy);
    }
    let limit = s.number("requests_per_second", 1..=10_000).and_then(|n| u32::try_from(n).ok());
    s.finish();
    Api {
        listen: listen.map(|found| found.value),
        certificate,
        key,
        requests_per_second: limit.unwrap_or(default.requests_per_second),
    }
}

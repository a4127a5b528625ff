//! Addresses of web pages, as an operator or a workflow writes them.

use std::net::IpAddr;

use hyper::Uri;

use super::Endpoint;

/// An address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) endpoint: Endpoint,
    /// From the first slash on, percent-encoded.
    pub(crate) path: String,
    /// After the question mark, percent-encoded; or empty.
    pub(crate) query: String,
}

impl Url {
    /// Reads `https://host:port/path?query`. A user name, a fragment, other schemes are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("{text:?} {why}"));
        if text.contains('#') {
            return refused("has a fragment, which is not for servers");
        }
        if !text.contains("://") {
            return refused("is no whole address: it must begin with https://");
        }
        let Ok(uri) = text.parse::<Uri>() else { return refused("is no address") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return refused("is no address");
        };
        if authority.as_str().contains('@') {
            return refused("has a password in it; put it into a header");
        }
        let endpoint = match scheme {
            "https" | "http" => Endpoint::parse(&format!("{scheme}://{authority}")),
            _ => return refused("must begin with https://"),
        };
        let Some(endpoint) = endpoint else { return refused("names no host") };
        Ok(Self {
            endpoint,
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
        })
    }

    /// Refuses what goes out unprotected, but to this machine.
    pub(crate) fn protected(self, text: &str) -> Result<Self, String> {
        if self.endpoint.tls || is_loopback(&self.endpoint.host) {
            return Ok(self);
        }
        Err(format!("{text:?} is not protected: it must begin with https://"))
    }

    /// As it stands in the first line of a request.
    pub(crate) fn target(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

//! HTTP/1.1 as a client: plain or with TLS, answers of bounded size within a bounded time. HTTP/2
//! for what is a stream both ways.

mod dial;
mod pool;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
mod url;

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

pub(crate) use self::pool::Client;
pub(crate) use self::url::{Url, is_loopback};

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// `false`: plain, for a test or a service on this machine.
    pub(crate) tls: bool,
    /// As it stands in `Host`.
    pub(crate) authority: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    /// From `https://host` or `http://host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (tls, authority) = match text.strip_prefix("https://") {
            Some(authority) => (true, authority),
            None => (false, text.strip_prefix("http://")?),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let good = !host.is_empty()
            && authority.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@\\\"<>".contains(&b));
        good.then(|| Self { tls, authority: authority.to_owned(), host, port })
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The certification authorities of the system.
    ///
    /// # Errors
    /// In words, when TLS cannot be had.
    pub fn system() -> Result<Self, String> {
        Self::of(system_roots())
    }

    /// Those of the system and those of a PEM file.
    ///
    /// # Errors
    /// In words: the file cannot be read, or holds no certificate.
    pub fn with_file(file: &Path) -> Result<Self, String> {
        let mut roots = system_roots();
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let opened = std::fs::File::open(file).map_err(|error| named(&error))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_reader_iter(BufReader::new(opened)) {
            let certificate = certificate.map_err(|error| named(&error))?;
            roots.add(certificate).map_err(|error| named(&error))?;
            found += 1;
        }
        if found == 0 {
            return Err(format!("{} holds no certificate", file.display()));
        }
        Self::of(roots)
    }

    /// For what else speaks TLS with the same trust.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    fn of(roots: RootCertStore) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one fewer.
        let _ = roots.add(certificate);
    }
    roots
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No name, no connection, no TLS.
    #[error("{0}")]
    Connect(String),
    /// The connection broke, or what came over it is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// Nothing, or not all of it, came in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The answer is larger than what is taken.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The request cannot be written as HTTP.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
}

/// What an exchange may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the first packet to the last octet of the answer.
    pub(crate) time: Duration,
    /// Octets of the answer's body.
    pub(crate) body: usize,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header as text; `None` when it is not there, or no text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Reads a body that may not be longer than `most`.
pub(crate) async fn whole(body: Incoming, most: usize) -> Result<Bytes, HttpError> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(HttpError::TooLarge(most)),
        Err(error) => Err(HttpError::Broken(error.to_string())),
    }
}

/// Sends a request on a connection of its own and gives the answer, whose body is still to come.
pub(crate) async fn send(
    endpoint: &Endpoint,
    trust: &Trust,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, HttpError> {
    let (mut sender, connection): (SendRequest<Full<Bytes>>, _) =
        pool::connect(endpoint, trust).await?;
    // Ends with the body of the answer, or with the runtime of the request.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| HttpError::Broken(error.to_string()))
}

//! One HTTP request on a connection of its own.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `None`: plain, for a test or a proxy on this machine.
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
        (!host.is_empty()).then(|| Self { tls, authority: authority.to_owned(), host, port })
    }
}

/// The certification authorities of the system.
pub(crate) fn trust() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one fewer.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Sends a request and gives the answer, whose body is still to come.
pub(crate) async fn send(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|error| format!("{}: {error}", endpoint.authority))?;
    // Small requests that wait for nothing; without it they would wait for each other.
    let _ = stream.set_nodelay(true);
    if !endpoint.tls {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
        .map_err(|error| format!("{}: {error}", endpoint.authority))?;
    exchange(stream, request).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the body of the answer, or with the runtime of the request.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_host_and_a_port() {
        let at = |text| Endpoint::parse(text).map(|e| (e.tls, e.authority, e.host, e.port));
        let one = |tls, a: &str, h: &str, p| Some((tls, a.to_owned(), h.to_owned(), p));
        assert_eq!(
            at("https://polly.us-east-1.amazonaws.com/"),
            one(true, "polly.us-east-1.amazonaws.com", "polly.us-east-1.amazonaws.com", 443)
        );
        assert_eq!(at("http://127.0.0.1:8080"), one(false, "127.0.0.1:8080", "127.0.0.1", 8080));
        assert_eq!(at("http://[::1]"), one(false, "[::1]", "::1", 80));
        assert_eq!(at("https://"), None);
        assert_eq!(at("polly"), None);
    }
}

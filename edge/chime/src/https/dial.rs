//! Opens what requests go over: TCP, and TLS upon it.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Endpoint, HttpError};

/// Octets both ways.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection; when `config` names protocols (ALPN, RFC 7301), one that speaks the first of them.
pub(super) async fn dial(
    endpoint: &Endpoint,
    config: &Arc<ClientConfig>,
) -> Result<Box<dyn Io>, HttpError> {
    let failed = |error: &dyn std::fmt::Display| {
        HttpError::Connect(format!("{}: {error}", endpoint.authority))
    };
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|error| failed(&error))?;
    // Small requests that wait for nothing; without it they would wait for each other.
    let _ = stream.set_nodelay(true);
    if !endpoint.tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| failed(&error))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| failed(&error))?;
    let wanted = config.alpn_protocols.first().map(Vec::as_slice);
    if wanted.is_some() && stream.get_ref().1.alpn_protocol() != wanted {
        return Err(failed(&"it does not speak HTTP/2"));
    }
    Ok(Box::new(stream))
}

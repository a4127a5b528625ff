//! Connections of programs: so many at a time, and none for long without a request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::error::ApiError;
use super::tls::Tls;

/// Connections at a time; more wait.
const MOST: usize = 256;
/// For a handshake, the head of a request, its body: each.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of a body: two maps of twenty pairs are a fraction of it.
const MAX_BODY: usize = 64 << 10;
/// After an error of the socket itself (no more files): others close theirs meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until there is no socket any more.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    mut tls: Option<Tls>,
    service: Arc<Service>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a program could not connect");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let tls = tls.as_mut().map(|tls| TlsAcceptor::from(tls.current()));
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            converse(stream, tls, service).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, service: Arc<Service>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => requests(stream, service).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                requests(stream, service).await;
            }
        }
    }
}

async fn requests<S>(stream: S, service: Arc<Service>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request| one(request, Arc::clone(&service)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer);
    // What breaks is the program's connection, and it knows.
    let _ = served.await;
}

async fn one(
    request: Request<Incoming>,
    service: Arc<Service>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await;
    Ok(match read {
        Ok(Ok(body)) => service.answer(&head, &body.to_bytes()).await,
        Ok(Err(error)) if error.is::<LengthLimitError>() => ApiError::too_large().written(),
        Ok(Err(_)) | Err(_) => ApiError::too_slow().written(),
    })
}

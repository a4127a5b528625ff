//! HTTP/2 as a client, for requests whose body and answer are streams that go on beside each other.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, poll_fn};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::dial::dial;
use super::{Endpoint, HttpError, Trust};

/// A side that says nothing is asked after so long whether it is there (PING), ...
const PING: Duration = Duration::from_secs(15);
/// ... and has so long to say so.
const PONG: Duration = Duration::from_secs(15);
/// Pieces of the body that wait to be sent.
const WAITING: usize = 8;

type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync>>;

/// A body that is still being made.
pub(crate) type Body = StreamBody<Pieces>;

/// What makes it, and the body. Dropping the maker ends it.
pub(crate) fn body() -> (mpsc::Sender<Bytes>, Body) {
    let (maker, mut made) = mpsc::channel::<Bytes>(WAITING);
    let pieces = poll_fn(move |context| {
        made.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    });
    (maker, StreamBody::new(Box::pin(pieces)))
}

/// A connection for one request. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http2::SendRequest<Body>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub(crate) async fn open(endpoint: &Endpoint, trust: &Trust) -> Result<Self, HttpError> {
        let mut config = rustls::ClientConfig::clone(&trust.0);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = dial(endpoint, &Arc::new(config)).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| HttpError::Connect(error.to_string()))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for the answer is told of an error.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends the request; its answer, whose body is still to come.
    pub(crate) async fn ask(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, HttpError> {
        let broken = |error: hyper::Error| HttpError::Broken(error.to_string());
        self.sender.send_request(request).await.map_err(broken)
    }
}

//! HTTP/2 as a client, for requests whose body and answer are streams that go on beside each other.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, poll_fn};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dial::dial;
use super::{Endpoint, HttpError, Trust};

/// A side that says nothing is asked after so long whether it is there (PING), ...
const PING: Duration = Duration::from_secs(15);
/// ... and has so long to say so.
const PONG: Duration = Duration::from_secs(15);
/// Octets of an answer that may be under way: a bot's speech has 43 KB in a second.
const WINDOW: u32 = 64 << 10;
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

/// All that runs for a connection: hyper starts tasks of its own, and one that sends a body waits for
/// ever when the other side answers pings and takes nothing. `None`: the connection was dropped.
#[derive(Debug, Clone)]
struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    fn end(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Aborts them, where they cannot meet the lock.
        drop(all);
    }
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = all.as_mut() {
            while all.try_join_next().is_some() {}
            all.spawn(async move {
                task.await;
            });
        }
    }
}

/// A connection for one request. Dropped, it is closed at once: what was not sent yet is not sent.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http2::SendRequest<Body>,
    tasks: Tasks,
}

// Without it hyper's task would wait for ever with a request that its server lets not begin
// (SETTINGS_MAX_CONCURRENT_STREAMS of 0), though nobody asks any more.
impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

impl Connection {
    pub(crate) async fn open(endpoint: &Endpoint, trust: &Trust) -> Result<Self, HttpError> {
        let mut config = rustls::ClientConfig::clone(&trust.0);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = dial(endpoint, &Arc::new(config)).await?;
        let tasks = Tasks::new();
        let opened = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .initial_stream_window_size(WINDOW)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| HttpError::Connect(error.to_string()));
        let (sender, connection) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tasks.end();
                return Err(error);
            }
        };
        tasks.execute(async move {
            // Whoever waits for the answer is told of an error.
            let _ = connection.await;
        });
        Ok(Self { sender, tasks })
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

#[cfg(test)]
mod tests;

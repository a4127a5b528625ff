//! Connections that are kept for the next request: a call's events follow each other, and a
//! handshake of TLS for each would be heard as a pause.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::dial::dial;
use super::{Answer, Endpoint, HttpError, Limits, Trust, whole};

/// Connections that are kept for one endpoint.
const MOST_IDLE: usize = 8;
/// Endpoints for which some are kept.
const MOST_ENDPOINTS: usize = 64;
/// How long one is kept: load balancers close them after 60 s.
const IDLE: Duration = Duration::from_secs(30);

type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens a connection and gives what sends on it, and what must run meanwhile.
pub(super) async fn connect(
    endpoint: &Endpoint,
    trust: &Trust,
) -> Result<(SendRequest<Full<Bytes>>, Driver), HttpError> {
    handshake(dial(endpoint, &trust.0).await?).await
}

async fn handshake<S>(stream: S) -> Result<(SendRequest<Full<Bytes>>, Driver), HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| HttpError::Connect(error.to_string()))?;
    let driver = async move {
        // Whoever waits for the answer is told of an error.
        let _ = connection.await;
    };
    Ok((sender, Box::pin(driver)))
}

/// A connection; dropped, it is closed.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    since: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A client for services that are asked again and again.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) trust: Trust,
    idle: Arc<Mutex<HashMap<Endpoint, Vec<Connection>>>>,
}

impl Client {
    pub(crate) fn new(trust: Trust) -> Self {
        Self { trust, idle: Arc::default() }
    }

    /// Asks, and reads the whole answer. Whatever is not done when the future is dropped, or when
    /// its time is over, is given up with its connection.
    pub(crate) async fn ask(
        &self,
        endpoint: &Endpoint,
        request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let asking = self.exchange(endpoint, request, limits.body);
        match tokio::time::timeout(limits.time, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut(limits.time)),
        }
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Answer, HttpError> {
        let broken = |error: hyper::Error| HttpError::Broken(error.to_string());
        let mut request = request;
        // A kept connection may have been closed by the other side meanwhile. A request that was
        // not written at all goes out on another; one that may have been read does not.
        while let Some(mut connection) = self.kept(endpoint) {
            match connection.sender.try_send_request(request).await {
                Ok(response) => return self.finish(endpoint, connection, response, most).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.into_error())),
                },
            }
        }
        let (sender, driver) = connect(endpoint, &self.trust).await?;
        let driver = tokio::spawn(driver);
        let mut connection = Connection { sender, driver, since: Instant::now() };
        let response = connection.sender.send_request(request).await.map_err(broken)?;
        self.finish(endpoint, connection, response, most).await
    }

    async fn finish(
        &self,
        endpoint: &Endpoint,
        mut connection: Connection,
        response: hyper::Response<hyper::body::Incoming>,
        most: usize,
    ) -> Result<Answer, HttpError> {
        let (head, body) = response.into_parts();
        let body = whole(body, most).await?;
        connection.since = Instant::now();
        let mut idle = self.idle();
        let others = idle.len() >= MOST_ENDPOINTS && !idle.contains_key(endpoint);
        if !connection.sender.is_closed() && !others {
            let kept = idle.entry(endpoint.clone()).or_default();
            if kept.len() < MOST_IDLE {
                kept.push(connection);
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// One that can be used; those that cannot, of whatever endpoint, are closed.
    fn kept(&self, endpoint: &Endpoint) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|_, kept| {
            kept.retain(|one| !one.sender.is_closed() && one.since.elapsed() < IDLE);
            !kept.is_empty()
        });
        idle.get_mut(endpoint)?.pop()
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<Endpoint, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

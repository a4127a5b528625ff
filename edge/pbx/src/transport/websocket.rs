//! SIP over secure WebSocket (RFC 7118): one SIP message in each message of the WebSocket.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use offhook_sip::flow::Flow;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::limits::Limits;
use super::net::Net;
use super::wire::Incoming;

/// RFC 7118 §4.1: the name of SIP among the subprotocols.
const SUBPROTOCOL: &str = "sip";
/// Octets read at a time.
const CHUNK: usize = 4 * 1024;
/// How often a browser is asked whether it is still there, and how long it may owe the answer. Its
/// own keep-alives are the page's affair; NATs and proxies forget a silent connection in a minute.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENT_FOR: Duration = Duration::from_secs(90);

/// Speaks WebSocket on a connection until either side ends it. `origins`: pages that may connect;
/// empty: all.
pub(super) async fn serve<S>(
    net: &Net,
    flow: Flow,
    stream: S,
    queue: mpsc::Receiver<Bytes>,
    origins: &[String],
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = net.limits();
    let sizes = WebSocketConfig::default()
        .read_buffer_size(CHUNK)
        .write_buffer_size(0)
        .max_write_buffer_size(limits.message.saturating_mul(2))
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.message));
    #[allow(clippy::result_large_err)] // The library's signature.
    let greet = |request: &Request, response| greet(request, response, origins);
    let upgrade = accept_hdr_async_with_config(stream, greet, Some(sizes));
    match timeout(limits.handshake, upgrade).await {
        Ok(Ok(socket)) => Talk { net, flow, limits, socket }.run(queue).await,
        // A person who looks with a browser, or a page of another site: no attack.
        Ok(Err(error)) => {
            tracing::debug!(%error, remote = %flow.remote, "no WebSocket");
            net.metrics().websockets_refused.inc();
        }
        Err(_) => net.metrics().websockets_refused.inc(),
    }
}

/// Judges the request for a WebSocket.
#[allow(clippy::result_large_err)]
fn greet(
    request: &Request,
    mut response: Response,
    origins: &[String],
) -> Result<Response, ErrorResponse> {
    let refuse = |status, text: &str| {
        let mut refusal = ErrorResponse::new(Some(text.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut words = offered.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let spoken = words.find_map(|word| {
        // As the browser wrote it: it wants one of its own words back.
        let word = Some(word.trim()).filter(|word| word.eq_ignore_ascii_case(SUBPROTOCOL))?;
        HeaderValue::from_str(word).ok()
    });
    let Some(spoken) = spoken else {
        return refuse(StatusCode::BAD_REQUEST, "the subprotocol here is sip (RFC 7118)\n");
    };
    let origin = request.headers().get(header::ORIGIN).and_then(|v| v.to_str().ok());
    let welcome = |origin: &str| origins.iter().any(|o| o.eq_ignore_ascii_case(origin));
    if !origins.is_empty() && !origin.is_some_and(welcome) {
        return refuse(StatusCode::FORBIDDEN, "this page may not connect here\n");
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, spoken);
    Ok(response)
}

struct Talk<'a, S> {
    net: &'a Net,
    flow: Flow,
    limits: &'a Limits,
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    async fn run(&mut self, mut queue: mpsc::Receiver<Bytes>) {
        // Whoever only keeps alive what he never uses keeps a place from others.
        let used_by = Instant::now() + self.limits.patience;
        let mut used = false;
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            let gone = heard + SILENT_FOR;
            let deadline = if used { gone } else { gone.min(used_by) };
            let on = tokio::select! {
                next = self.socket.next() => {
                    heard = Instant::now();
                    match next {
                        Some(Ok(message)) => self.take(message, &mut used).await,
                        Some(Err(error)) => {
                            self.blame(&error);
                            ControlFlow::Break(())
                        }
                        None => ControlFlow::Break(()),
                    }
                }
                bytes = queue.recv() => match bytes {
                    Some(bytes) => self.send(wrap(bytes)).await,
                    None => ControlFlow::Break(()),
                },
                _ = ping.tick() => self.send(Message::Ping(Bytes::new())).await,
                () = tokio::time::sleep_until(deadline) => ControlFlow::Break(()),
            };
            if on.is_break() {
                // A page that is told does not wait for a timeout before it comes back.
                let _ = timeout(Duration::from_secs(1), self.socket.close(None)).await;
                return;
            }
        }
    }

    async fn take(&mut self, message: Message, used: &mut bool) -> ControlFlow<()> {
        let bytes = match message {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            // The library answers pings itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                return ControlFlow::Continue(());
            }
            Message::Close(_) => return ControlFlow::Break(()),
        };
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            // RFC 5626 §4.4.1: a double CRLF is answered with one.
            return match &bytes[..] {
                b"\r\n\r\n" => self.send(wrap(Bytes::from_static(b"\r\n"))).await,
                _ => ControlFlow::Continue(()),
            };
        }
        *used = true;
        // Its bounds are those of the message: Content-Length may be missing (RFC 7118 §5.3).
        let incoming = Incoming::Datagram { flow: self.flow, bytes };
        if self.net.is_banned(self.flow) || self.net.hand_in(incoming).await.is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    async fn send(&mut self, message: Message) -> ControlFlow<()> {
        match timeout(self.limits.write, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    /// Counts what no WebSocket of a browser does; one that just goes away is no offence.
    fn blame(&self, error: &Error) {
        if matches!(error, Error::Capacity(_) | Error::Utf8(_)) {
            tracing::debug!(%error, remote = %self.flow.remote, "no SIP over WebSocket");
            self.net.metrics().sip_malformed.inc();
            self.net.malformed(self.flow);
        }
    }
}

/// Text where it can be: what has foreign bytes goes as a binary message (RFC 7118 §5.1).
fn wrap(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

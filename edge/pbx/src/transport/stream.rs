//! TCP and TLS connections: one task each, for reading and writing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::framing::{self, StreamItem, StreamParser};
use rustls_pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::limits::Limits;
use super::net::Net;
use super::websocket;
use super::wire::Incoming;

/// Octets read at a time.
const CHUNK: usize = 8 * 1024;
/// RFC 5626 §4.4.1: the answer to a double CRLF.
const PONG: &[u8] = b"\r\n";

/// What is spoken behind a listening socket.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) transport: Transport,
    pub(super) acceptor: Option<TlsAcceptor>,
    /// Pages that may connect, for WSS; empty: all.
    pub(super) origins: Arc<[String]>,
}

/// Accepts for ever. A full file table makes it pause, never stop.
pub(super) async fn accept(net: Arc<Net>, listener: TcpListener, gate: Gate) {
    let mut pause = Duration::from_millis(50);
    loop {
        let (socket, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
        };
        pause = Duration::from_millis(50);
        let Ok(local) = socket.local_addr() else { continue };
        let flow = Flow { transport: gate.transport, local, remote, connection: None };
        let Some((flow, queue)) = net.admit(flow) else { continue };
        let (net, gate) = (Arc::clone(&net), gate.clone());
        tokio::spawn(async move {
            prepare(&socket);
            accepted(&net, flow, &gate, socket, queue).await;
            net.ended(flow).await;
        });
    }
}

/// An accepted connection, from its first octet to its last.
async fn accepted(
    net: &Arc<Net>,
    flow: Flow,
    gate: &Gate,
    socket: TcpStream,
    queue: mpsc::Receiver<Bytes>,
) {
    let limits = net.limits().clone();
    let Some(acceptor) = &gate.acceptor else {
        return serve(net, flow, socket, queue, &limits, true).await;
    };
    let Some(tls) = shake_hands(net, flow, acceptor, socket).await else { return };
    if gate.transport == Transport::Wss {
        websocket::serve(net, flow, tls, queue, &gate.origins).await;
    } else {
        serve(net, flow, tls, queue, &limits, true).await;
    }
}

/// Our side of a TLS handshake; `None`: it came to nothing.
async fn shake_hands(
    net: &Arc<Net>,
    flow: Flow,
    acceptor: &TlsAcceptor,
    socket: TcpStream,
) -> Option<TlsStream<TcpStream>> {
    let Some(_place) = net.begin_handshake(flow) else {
        net.metrics().connections_refused.inc();
        return None;
    };
    let outcome = timeout(net.limits().handshake, acceptor.accept(socket)).await;
    if let Ok(Ok(tls)) = outcome {
        return Some(tls);
    }
    net.metrics().tls_handshakes_failed.inc();
    if let Ok(Err(error)) = &outcome
        && is_no_tls(error)
    {
        net.malformed(flow);
    }
    None
}

/// Whether the other side spoke something that is no TLS at all. One that went silent or away may
/// be a bad line or a monitor, one that sends an alert is mostly an honest phone that does not
/// trust our certificate, and one with nothing in common an old phone: none of these may cost its
/// office the line.
fn is_no_tls(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    tls.is_some_and(|e| matches!(e, rustls::Error::InvalidMessage(_)))
}

/// Makes an outgoing connection and serves it.
pub(super) async fn connect(
    net: Arc<Net>,
    flow: Flow,
    host: Option<Box<str>>,
    queue: mpsc::Receiver<Bytes>,
) {
    let limits = net.limits().clone();
    let outcome = async {
        let socket = timeout(limits.connect, open(flow)).await.map_err(|_| timed_out())??;
        prepare(&socket);
        if flow.transport != Transport::Tls {
            return Ok::<_, io::Error>((Some(socket), None));
        }
        let config = net.client_config().await.map_err(io::Error::other)?;
        let name = match &host {
            Some(host) => ServerName::try_from(host.to_string()).map_err(io::Error::other)?,
            None => ServerName::IpAddress(flow.remote.ip().into()),
        };
        let handshake = TlsConnector::from(config).connect(name, socket);
        let tls = timeout(limits.handshake, handshake).await.map_err(|_| timed_out())?;
        if tls.is_err() {
            net.metrics().tls_handshakes_failed.inc();
        }
        Ok((None, Some(tls?)))
    };
    match outcome.await {
        Ok((Some(socket), _)) => serve(&net, flow, socket, queue, &limits, false).await,
        Ok((None, Some(tls))) => serve(&net, flow, tls, queue, &limits, false).await,
        Ok((None, None)) => {}
        Err(error) => {
            tracing::info!(%error, remote = %flow.remote, transport = %flow.transport,
                "no connection");
        }
    }
    net.ended(flow).await;
}

fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

async fn open(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !flow.local.ip().is_unspecified() {
        socket.bind((flow.local.ip(), 0).into())?;
    }
    socket.connect(flow.remote).await
}

fn prepare(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    // A dead peer behind a silent NAT is found out within minutes.
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(120))
        .with_interval(Duration::from_secs(30));
    let _ = SockRef::from(socket).set_tcp_keepalive(&probes);
}

/// Reads and writes until either ends.
async fn serve<S: AsyncRead + AsyncWrite>(
    net: &Net,
    flow: Flow,
    stream: S,
    queue: mpsc::Receiver<Bytes>,
    limits: &Limits,
    accepted: bool,
) {
    let (reader, writer) = tokio::io::split(stream);
    tokio::pin!(reader, writer);
    let (pongs, pong_inbox) = mpsc::channel(1);
    tokio::select! {
        () = read(net, flow, reader, &pongs, limits, accepted) => {}
        () = write(writer, queue, pong_inbox, limits) => {}
    }
}

async fn read<R: AsyncRead + Unpin>(
    net: &Net,
    flow: Flow,
    mut reader: R,
    pongs: &mpsc::Sender<()>,
    limits: &Limits,
    accepted: bool,
) {
    let mut parser =
        StreamParser::new(framing::Limits { head: limits.message, body: limits.message });
    let mut buffer = BytesMut::with_capacity(CHUNK);
    // Runs while a message is incomplete, or when none has come yet on an accepted connection:
    // whoever only keeps alive what he never uses keeps a place from others.
    let mut patience = accepted.then(|| Instant::now() + limits.patience);
    let mut used = !accepted;
    loop {
        let idle = Instant::now() + limits.idle;
        let deadline = patience.map_or(idle, |at| at.min(idle));
        buffer.clear();
        buffer.reserve(CHUNK);
        match timeout_at(deadline, reader.read_buf(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => {}
            // Closed, broken, or too slow.
            _ => return,
        }
        parser.push(&buffer);
        let mut whole = false;
        loop {
            let item = match parser.next() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => {
                    // RFC 3261 §18.3: where the next message begins can only be guessed.
                    tracing::debug!(%error, remote = %flow.remote, "framing lost");
                    net.metrics().sip_malformed.inc();
                    net.malformed(flow);
                    return;
                }
            };
            let incoming = match item {
                StreamItem::Message(message) => Incoming::Message { flow, message },
                StreamItem::Bad(rejected) => Incoming::Bad { flow, rejected },
                StreamItem::KeepAlivePing => {
                    let _ = pongs.try_send(());
                    continue;
                }
                StreamItem::KeepAlivePong => continue,
            };
            whole = true;
            used = true;
            if net.is_banned(flow) || net.hand_in(incoming).await.is_err() {
                return;
            }
        }
        patience = match patience {
            _ if parser.is_idle() && used => None,
            Some(at) if !whole => Some(at),
            _ => Some(Instant::now() + limits.patience),
        };
    }
}

async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut queue: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<()>,
    limits: &Limits,
) {
    loop {
        let bytes = tokio::select! {
            bytes = queue.recv() => match bytes {
                Some(bytes) => bytes,
                None => return,
            },
            Some(()) = pongs.recv() => Bytes::from_static(PONG),
        };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(limits.write, written).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

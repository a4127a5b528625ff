use std::path::Path;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use offhook_sip::flow::{Flow, Transport};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::Limits;
use super::listen::{ListenConfig, NetConfig};
use super::net::Started;
use super::tests::{OPTIONS, bound, certificate, dial, start, tls_listen};
use super::wire::{Incoming, Wire, WireError};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A listener, and a way to make connections to it.
struct Lab {
    started: Started,
    roots: rustls::RootCertStore,
    _folder: tempfile::TempDir,
}

fn lab(config: impl FnOnce(&Path) -> NetConfig) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let roots = certificate(folder.path());
    let started = start(config(folder.path()));
    assert!(started.problems.is_empty(), "{:?}", started.problems);
    Lab { started, roots, _folder: folder }
}

fn open_to(folder: &Path, origins: &[&str]) -> NetConfig {
    let origins = origins.iter().map(|&o| o.to_owned()).collect();
    let listen = ListenConfig { transport: Transport::Wss, origins, ..tls_listen(folder) };
    NetConfig { listen: vec![listen], ..Default::default() }
}

impl Lab {
    async fn ask(&self, change: impl FnOnce(&mut Request)) -> Result<Socket, u16> {
        let us = bound(&self.started, Transport::Wss);
        let tls = dial(self.roots.clone(), us).await.unwrap();
        let mut request = "wss://localhost/phone".into_client_request().unwrap();
        let name = HeaderValue::from_static("soap, sip");
        request.headers_mut().insert("Sec-WebSocket-Protocol", name);
        change(&mut request);
        match client_async(request, tls).await {
            Ok((socket, response)) => {
                assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
                Ok(socket)
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn next(&mut self) -> (Flow, Bytes) {
        match self.started.incoming.recv().await.unwrap() {
            Incoming::Datagram { flow, bytes } => (flow, bytes),
            other => panic!("{other:?}"),
        }
    }

    async fn lost(&mut self) -> Flow {
        match self.started.incoming.recv().await.unwrap() {
            Incoming::Lost { flow } => flow,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_of_sip_is_a_message_of_the_websocket_both_ways() {
    let mut lab = lab(|folder| open_to(folder, &[]));
    let mut socket = lab.ask(|_| {}).await.unwrap();
    let text = std::str::from_utf8(OPTIONS).unwrap();
    socket.send(Message::text(text)).await.unwrap();
    let (flow, bytes) = lab.next().await;
    assert_eq!((flow.transport, &bytes[..]), (Transport::Wss, OPTIONS));
    socket.send(Message::binary(OPTIONS)).await.unwrap();
    assert_eq!(lab.next().await, (flow, Bytes::from_static(OPTIONS)));
    lab.started.net.send(&flow, Bytes::from_static("grün".as_bytes())).unwrap();
    lab.started.net.send(&flow, Bytes::from_static(b"gr\xfcn")).unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("grün"));
    let latin = Message::binary(&b"gr\xfcn"[..]);
    assert_eq!(socket.next().await.unwrap().unwrap(), latin, "what is no UTF-8 is no text");
}

#[tokio::test]
async fn keep_alives_are_answered_and_no_sip() {
    let mut lab = lab(|folder| open_to(folder, &[]));
    let mut socket = lab.ask(|_| {}).await.unwrap();
    socket.send(Message::text("\r\n")).await.unwrap();
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("\r\n"));
    socket.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    let pong = Message::Pong(Bytes::from_static(b"there?"));
    assert_eq!(socket.next().await.unwrap().unwrap(), pong);
    socket.send(Message::binary(OPTIONS)).await.unwrap();
    lab.next().await;
}

#[tokio::test]
async fn only_sip_and_only_pages_of_the_list_are_let_in() {
    let lab = lab(|folder| open_to(folder, &["https://intranet.example"]));
    let from = |origin: &'static str| {
        move |request: &mut Request| {
            request.headers_mut().insert("Origin", HeaderValue::from_static(origin));
        }
    };
    lab.ask(from("https://Intranet.example")).await.unwrap();
    assert_eq!(lab.ask(from("https://evil.example")).await.err(), Some(403));
    assert_eq!(lab.ask(|_| {}).await.err(), Some(403));
    let chat = |request: &mut Request| {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat"));
    };
    assert_eq!(lab.ask(chat).await.err(), Some(400));
    assert_eq!(lab.started.net.metrics().websockets_refused.get(), 3);
}

#[tokio::test]
async fn a_connection_that_ends_is_told_and_there_is_no_other_way_to_a_browser() {
    let mut lab = lab(|folder| open_to(folder, &[]));
    let mut socket = lab.ask(|_| {}).await.unwrap();
    socket.send(Message::binary(OPTIONS)).await.unwrap();
    let (flow, _) = lab.next().await;
    assert!(lab.started.net.is_alive(&flow));
    socket.close(None).await.unwrap();
    assert_eq!(lab.lost().await, flow);
    assert_eq!(lab.started.net.connections(), 0);
    for flow in [flow, Flow { connection: None, ..flow }] {
        assert_eq!(lab.started.net.open(flow, None), Err(WireError::Gone));
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_connection() {
    let limits = Limits { message: 1_000, ..Limits::default() };
    let mut lab = lab(|folder| NetConfig { limits, ..open_to(folder, &[]) });
    let mut socket = lab.ask(|_| {}).await.unwrap();
    socket.send(Message::binary(OPTIONS)).await.unwrap();
    let (flow, _) = lab.next().await;
    socket.send(Message::text("x".repeat(1_001))).await.unwrap();
    assert_eq!(lab.lost().await, flow);
    assert_eq!(lab.started.net.metrics().sip_malformed.get(), 1);
}

#[tokio::test]
async fn a_connection_that_says_nothing_of_sip_is_closed() {
    let limits = Limits { patience: std::time::Duration::from_secs(2), ..Limits::default() };
    let mut lab = lab(|folder| NetConfig { limits, ..open_to(folder, &[]) });
    let mut socket = lab.ask(|_| {}).await.unwrap();
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    lab.lost().await;
}

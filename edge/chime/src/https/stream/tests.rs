//! A connection against a server that is written here frame by frame (RFC 9113 §4, §6).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The client's connection preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING_FRAME: u8 = 6;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` (RFC 7541 appendix A, entry 8).
const STATUS_200: u8 = 0x88;
/// Octets that a client may send before it was told of more (RFC 9113 §6.9.2).
const FIRST_WINDOW: usize = 65_535;
/// In real time: what is waited for happens at once, or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// SETTINGS_MAX_CONCURRENT_STREAMS of 0 (RFC 9113 §6.5.2): no request may begin.
const NO_STREAMS: [u8; 6] = [0, 3, 0, 0, 0, 0];

struct Deaf {
    socket: TcpStream,
    taken: usize,
    /// Acknowledgements of settings and of pings.
    acks: usize,
}

impl Deaf {
    async fn accept(listener: &TcpListener, settings: &[u8]) -> Self {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; PREFACE];
        socket.read_exact(&mut preface).await.unwrap();
        socket.write_all(&frame(SETTINGS, 0, settings)).await.unwrap();
        Self { socket, taken: 0, acks: 0 }
    }

    /// Answers pings, settings and the request, counts what comes of a body and says nothing of it. `false`: the
    /// client is gone.
    async fn step(&mut self) -> bool {
        let mut head = [0; 9];
        if self.socket.read_exact(&mut head).await.is_err() {
            return false;
        }
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        if self.socket.read_exact(&mut payload).await.is_err() {
            return false;
        }
        let answer = match (head[3], head[4] & ACK) {
            (DATA, _) => {
                self.taken += length;
                return true;
            }
            (HEADERS, _) => frame_of(head[8], HEADERS, END_HEADERS, &[STATUS_200]),
            (PING_FRAME, 0) => frame(PING_FRAME, ACK, &payload),
            (SETTINGS, 0) => frame(SETTINGS, ACK, &[]),
            (SETTINGS | PING_FRAME, _) => {
                self.acks += 1;
                return true;
            }
            _ => return true,
        };
        self.socket.write_all(&answer).await.is_ok()
    }
}

/// A frame of the connection itself.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame_of(0, kind, flags, payload)
}

fn frame_of(stream: u8, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed_though_its_server_takes_nothing_of_a_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let trust = Trust::system().unwrap();
    let opened = tokio::join!(Connection::open(&endpoint, &trust), Deaf::accept(&listener, &[]));
    let (mut connection, mut server) = (opened.0.unwrap(), opened.1);
    let (maker, body) = body();
    let request = Request::post(format!("http://{}/", endpoint.authority)).body(body).unwrap();
    let making = tokio::spawn(async move {
        // More than the window and all queues hold: its end is that nobody takes it.
        while maker.send(Bytes::from_static(&[7; 4096])).await.is_ok() {}
    });
    let full = async {
        while server.taken < FIRST_WINDOW {
            assert!(server.step().await, "the client went");
        }
    };
    let both = async { tokio::join!(connection.ask(request), full) };
    let (answer, ()) = tokio::time::timeout(PATIENCE, both).await.expect("the window is full");
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), server.taken), (200, FIRST_WINDOW));
    // The answer goes first, as where a conversation is broken off; the body still has its maker.
    drop(answer);
    drop(connection);
    let gone = async { while server.step().await {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the connection is closed");
    tokio::time::timeout(PATIENCE, making).await.expect("the body is given up").unwrap();
}

#[tokio::test]
async fn a_connection_is_closed_with_a_request_that_its_server_never_let_begin() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let trust = Trust::system().unwrap();
    let accepting = Deaf::accept(&listener, &NO_STREAMS);
    let opened = tokio::join!(Connection::open(&endpoint, &trust), accepting);
    let (mut connection, mut server) = (opened.0.unwrap(), opened.1);
    let settled = async {
        while server.acks < 1 {
            assert!(server.step().await, "the client went");
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("the settings are taken");
    let (_maker, body) = body();
    let request = Request::post(format!("http://{}/", endpoint.authority)).body(body).unwrap();
    let mut asking = Box::pin(connection.ask(request));
    let answered = async {
        server.socket.write_all(&frame(PING_FRAME, 0, &[7; 8])).await.unwrap();
        while server.acks < 2 {
            assert!(server.step().await, "the client went");
        }
    };
    // The request is handed on before the ping is answered.
    tokio::select! {
        biased;
        _ = &mut asking => panic!("nothing was answered"),
        within = tokio::time::timeout(PATIENCE, answered) => within.expect("the ping is answered"),
    }
    drop(asking);
    drop(connection);
    let gone = async { while server.step().await {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the connection is closed");
}

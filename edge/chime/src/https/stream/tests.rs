//! A connection against a server that is written here frame by frame (RFC 9113 §4, §6).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The client's connection preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
const PING_FRAME: u8 = 6;
const ACK: u8 = 1;
/// Octets that a client may send before it was told of more (RFC 9113 §6.9.2).
const FIRST_WINDOW: usize = 65_535;
/// In real time: what is waited for happens at once, or never.
const PATIENCE: Duration = Duration::from_secs(20);

struct Deaf {
    socket: TcpStream,
    taken: usize,
}

impl Deaf {
    async fn accept(listener: &TcpListener) -> Self {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; PREFACE];
        socket.read_exact(&mut preface).await.unwrap();
        socket.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
        Self { socket, taken: 0 }
    }

    /// Answers pings and settings, counts what comes of a body and says nothing of it. `false`: the
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
            (PING_FRAME, 0) => frame(PING_FRAME, ACK, &payload),
            (SETTINGS, 0) => frame(SETTINGS, ACK, &[]),
            _ => return true,
        };
        self.socket.write_all(&answer).await.is_ok()
    }
}

/// A frame of the connection itself.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 0];
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed_though_its_server_takes_nothing_of_a_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let trust = Trust::system().unwrap();
    let opened = tokio::join!(Connection::open(&endpoint, &trust), Deaf::accept(&listener));
    let (mut connection, mut server) = (opened.0.unwrap(), opened.1);
    let (maker, body) = body();
    let request = Request::post(format!("http://{}/", endpoint.authority)).body(body).unwrap();
    let asking = tokio::spawn(async move {
        let answer = connection.ask(request).await;
        (connection, answer.map(drop))
    });
    let making = tokio::spawn(async move {
        // More than the window and all queues hold: its end is that nobody takes it.
        while maker.send(Bytes::from_static(&[7; 4096])).await.is_ok() {}
    });
    let full = async {
        while server.taken < FIRST_WINDOW {
            assert!(server.step().await, "the client went");
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("the window is full");
    assert_eq!(server.taken, FIRST_WINDOW);
    // As a call that ends drops it, with its request still under way.
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    let gone = async { while server.step().await {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the connection is closed");
    tokio::time::timeout(PATIENCE, making).await.expect("the body is given up").unwrap();
}

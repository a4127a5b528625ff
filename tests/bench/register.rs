//! The load of registrations, with digest, from one socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::digest;
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Request, Response};
use offhook_sip::parse;

use super::sip::{Outcome, socket};

/// Registers users `u0000`… (password `pw` + user), `rate` a second, from one socket.
pub(crate) fn register(
    server: SocketAddr,
    from: SocketAddr,
    users: usize,
    rate: f64,
) -> io::Result<Outcome> {
    let socket = socket(from)?;
    let begin = Instant::now();
    let mut outcome = Outcome::default();
    let mut buffer = [0; 4096];
    let deadline = Duration::from_secs_f64(users as f64 / rate + 4.0);
    while outcome.ok < users && begin.elapsed() < deadline {
        while outcome.begun < users && begin.elapsed().as_secs_f64() * rate >= outcome.begun as f64
        {
            send_register(&socket, server, from, outcome.begun, None)?;
            outcome.begun += 1;
        }
        while let Ok((n, _)) = socket.recv_from(&mut buffer) {
            let Ok(Message::Response(response)) =
                parse::datagram(Bytes::copy_from_slice(&buffer[..n]))
            else {
                continue;
            };
            let call = response.call_id().unwrap_or_default().into_owned();
            let user = call.split('@').next().and_then(|n| n.parse().ok());
            match (response.status.code(), user) {
                (200, _) => outcome.ok += 1,
                (401, Some(user)) => send_register(&socket, server, from, user, Some(&response))?,
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Ok(outcome)
}

/// Sends the REGISTER of user `n`; with the response that challenged the first one, the second.
fn send_register(
    socket: &UdpSocket,
    server: SocketAddr,
    from: SocketAddr,
    n: usize,
    challenge: Option<&Response>,
) -> io::Result<()> {
    let first = register_request(server, from, n, 1)?;
    let Some(challenge) = challenge else {
        return socket.send_to(&first.to_bytes(), server).map(drop);
    };
    let user = format!("u{n:04}");
    let secret = digest::Secret::Password(format!("pw{user}").into());
    let mut client = digest::Client::new(&user, secret, Ids::from_seed(n as u64));
    client.challenged(&first, challenge).map_err(io::Error::other)?;
    let mut second = register_request(server, from, n, 2)?;
    client.authorize(&mut second);
    socket.send_to(&second.to_bytes(), server).map(drop)
}

fn register_request(
    server: SocketAddr,
    from: SocketAddr,
    n: usize,
    cseq: u32,
) -> io::Result<Request> {
    let text = format!(
        "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKr{n}c{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:u{n:04}@{server}>;tag=t{n}\r\n\
         To: <sip:u{n:04}@{server}>\r\nCall-ID: {n}@bench\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:u{n:04}@{from}>\r\nExpires: 3600\r\nUser-Agent: bench\r\n\
         Content-Length: 0\r\n\r\n"
    );
    match parse::datagram(text.into()) {
        Ok(Message::Request(request)) => Ok(request),
        _ => Err(io::Error::other("the bench wrote no request")),
    }
}

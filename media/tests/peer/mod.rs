//! A peer with a socket, for tests of the engine over loopback.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{
    Engine, EngineConfig, MediaPort, PortEvent, PortEventKind, StreamConfig, TelephoneEvent,
};
use offhook_media::rtp::{self, Header};
use offhook_media::srtp::{SrtpKeys, SrtpSession, Unprotected};
use tokio::sync::mpsc;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn engine(threads: usize) -> Engine {
    Engine::start(EngineConfig { threads, ..EngineConfig::default() }).unwrap()
}

/// A peer with a socket, and the port that serves it.
pub(crate) struct Leg {
    pub(crate) socket: UdpSocket,
    pub(crate) port: MediaPort,
    pub(crate) events: mpsc::Receiver<PortEvent>,
    pub(crate) sequence: u16,
    pub(crate) srtp: Option<SrtpSession>,
    engine: Engine,
}

impl Leg {
    pub(crate) fn at(engine: &Engine, ip: IpAddr, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let (sender, events) = mpsc::channel(64);
        let port = engine.open(ip, sender).unwrap();
        let mut stream = StreamConfig::new(socket.local_addr().unwrap(), Codec::Pcmu);
        stream.telephone_event = Some(TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 });
        change(&mut stream);
        let srtp = stream
            .srtp
            .clone()
            .map(|keys| SrtpSession::new(SrtpKeys { tx: keys.rx, rx: keys.tx }).unwrap());
        port.set_stream(stream);
        Self { socket, port, events, sequence: 0, srtp, engine: engine.clone() }
    }

    pub(crate) fn new(engine: &Engine, change: impl FnOnce(&mut StreamConfig)) -> Self {
        Self::at(engine, Ipv4Addr::LOCALHOST.into(), change)
    }

    pub(crate) fn say(&mut self, payload_type: u8, payload: &[u8]) {
        self.sequence += 1;
        let timestamp = u32::from(self.sequence) * 160;
        self.say_at(payload_type, timestamp, payload);
    }

    pub(crate) fn say_at(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        self.sequence += 1;
        let header =
            Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: 42 };
        let mut wire = [&header.to_bytes()[..], payload].concat();
        if let Some(srtp) = &mut self.srtp {
            let n = wire.len();
            wire.resize(n + 20, 0);
            let at = srtp.protect_rtp(&mut wire, 0..n).unwrap();
            wire.truncate(at.end);
        }
        self.socket.send_to(&wire, self.port.rtp_addr()).unwrap();
    }

    /// The next packet: payload type, payload, and where it came from.
    pub(crate) fn hear(&mut self) -> Option<(u8, Vec<u8>, SocketAddr)> {
        let mut wire = [0; 2000];
        let (n, from) = self.socket.recv_from(&mut wire).ok()?;
        let n = match &mut self.srtp {
            None => n,
            Some(srtp) => match srtp.unprotect_rtp(&mut wire[..n]) {
                Unprotected::Plain(n) => n,
                Unprotected::Replayed | Unprotected::Forged => {
                    panic!("the peer cannot read what it got")
                }
            },
        };
        let view = rtp::parse(&wire[..n]).unwrap();
        Some((view.payload_type, wire[view.payload].to_vec(), from))
    }

    pub(crate) fn event(&mut self) -> PortEventKind {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Ok(event) = self.events.try_recv() {
                assert_eq!(event.port, self.port.id());
                return event.kind;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("no event came");
    }
}

/// Says a packet until the other hears it: commands take a moment. Nothing of it is under way then,
/// however late the media thread was.
pub(crate) fn reaches(
    from: &mut Leg,
    to: &mut Leg,
    payload_type: u8,
    payload: &[u8],
) -> (u8, Vec<u8>) {
    let end = Instant::now() + PATIENCE;
    for said in 1.. {
        from.say(payload_type, payload);
        if let Some((payload_type, payload, source)) = to.hear() {
            assert_eq!(source, to.port.rtp_addr(), "symmetric RTP");
            if said > 1 {
                seen_to(&from.engine, said);
                to.socket.set_nonblocking(true).unwrap();
                quiet(to);
                to.socket.set_nonblocking(false).unwrap();
            }
            return (payload_type, payload);
        }
        assert!(Instant::now() < end, "nothing was relayed");
    }
    unreachable!()
}

/// Waits until the media threads have taken so many packets from each socket to which as many were
/// sent: they answer what they are asked after a packet of each.
fn seen_to(engine: &Engine, packets: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..packets {
        assert!(runtime.block_on(engine.is_well()));
    }
}

/// Until a bench is settled some packets of before may be under way.
pub(crate) fn quiet(leg: &mut Leg) {
    while leg.hear().is_some() {}
}

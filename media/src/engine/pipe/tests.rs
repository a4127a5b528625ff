//! A pipe without a socket.

use super::*;
use crate::rtp::Header;
use crate::srtp::{SrtpKey, SrtpSuite};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const PEER: &str = "192.0.2.7:4000";

fn config(carried: Carried) -> PipeConfig {
    PipeConfig { carried, remote: addr(PEER), remote_rtcp: None, srtp: None, send: true }
}

fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: true, payload_type: 99, sequence, timestamp: 9000, ssrc: 0xfeed };
    [&header.to_bytes()[..], payload].concat()
}

fn report() -> Vec<u8> {
    // An empty receiver report and a request for a whole picture (RFC 4585 §6.3.1).
    [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &[0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0xfe, 0xed]].concat()
}

fn filled(packet: &[u8]) -> Box<Buffer> {
    let mut buffer = Box::new([0; 2048]);
    buffer[..packet.len()].copy_from_slice(packet);
    buffer
}

fn media(from: &str) -> (SocketAddr, Plane) {
    (addr(from), Plane::Media)
}

#[test]
fn packets_and_reports_pass_byte_by_byte() {
    let now = Instant::now();
    let (mut a, mut b) =
        (Pipe::new(now, config(Carried::Rtp)), Pipe::new(now, config(Carried::Rtp)));
    let control = (addr("192.0.2.7:4001"), Plane::Control);
    for (packet, from, plane) in [
        (packet(1, &[7; 1200]), media(PEER), Plane::Media),
        (report(), control, Plane::Control),
        // On the port of the other kind: RFC 5761, though nobody asked.
        (report(), media(PEER), Plane::Control),
    ] {
        let mut buffer = filled(&packet);
        assert_eq!(
            a.receive(now, from, &mut buffer, packet.len()),
            Taken::Yes(packet.len(), plane)
        );
        let (target, length) = b.send(&mut buffer, packet.len(), plane).unwrap();
        let port = if plane == Plane::Media { 4000 } else { 4001 };
        assert_eq!((target.port(), &buffer[..length]), (port, &packet[..]));
    }
}

#[test]
fn each_side_has_its_own_encryption() {
    let now = Instant::now();
    let key = || SrtpKey::generate(SrtpSuite::Aes256CmHmacSha1_80);
    let ours = SrtpKeys { tx: key(), rx: key() };
    let mut phone =
        SrtpSession::new(SrtpKeys { tx: ours.rx.clone(), rx: ours.tx.clone() }).unwrap();
    let secured = PipeConfig { srtp: Some(ours), ..config(Carried::Rtp) };
    let (mut a, mut b) = (Pipe::new(now, secured), Pipe::new(now, config(Carried::Rtp)));
    for sequence in 65_530..65_540_u32 {
        let plain = packet(sequence as u16, &[3; 900]);
        // From the secured side.
        let mut buffer = filled(&plain);
        let sealed = phone.protect_rtp(&mut buffer[..], 0..plain.len()).unwrap().end;
        let copy = buffer.clone();
        assert_eq!(a.receive(now, media(PEER), &mut buffer, sealed), Taken::Yes(912, Plane::Media));
        assert_eq!(b.send(&mut buffer, 912, Plane::Media).map(|(_, n)| n), Some(912));
        assert_eq!(buffer[..912], plain[..]);
        let mut again = copy;
        assert_eq!(a.receive(now, media(PEER), &mut again, sealed), Taken::Unauthentic, "a replay");
        // To it.
        let mut buffer = filled(&plain);
        assert_eq!(b.receive(now, media(PEER), &mut buffer, 912), Taken::Yes(912, Plane::Media));
        let (_, sealed) = a.send(&mut buffer, 912, Plane::Media).unwrap();
        assert_eq!(phone.unprotect_rtp(&mut buffer[..sealed]), Unprotected::Plain(912));
        assert_eq!(buffer[..912], plain[..]);
    }
    // Reports too, and nothing plain comes in.
    let mut buffer = filled(&report());
    let (_, sealed) = a.send(&mut buffer, report().len(), Plane::Control).unwrap();
    assert_eq!(phone.unprotect_rtcp(&mut buffer[..sealed]), Unprotected::Plain(report().len()));
    let mut plain = filled(&packet(9, b"plain"));
    assert_eq!(a.receive(now, media(PEER), &mut plain, 17), Taken::Unauthentic);
}

#[test]
fn a_fax_has_no_header_and_passes_all_the_same() {
    let now = Instant::now();
    let (mut a, mut b) =
        (Pipe::new(now, config(Carried::Udptl)), Pipe::new(now, config(Carried::Udptl)));
    let datagram = [0, 1, 6, 0xc0, 1, 0x80, 0, 0, 0xff];
    let mut buffer = filled(&datagram);
    assert_eq!(a.receive(now, media(PEER), &mut buffer, 9), Taken::Yes(9, Plane::Media));
    assert_eq!(b.send(&mut buffer, 9, Plane::Media), Some((addr(PEER), 9)));
    assert_eq!(buffer[..9], datagram);
    let other = (addr("192.0.2.7:4001"), Plane::Control);
    assert_eq!(a.receive(now, other, &mut buffer, 9), Taken::Dropped);
}

#[test]
fn strangers_floods_and_what_is_no_rtp_are_refused() {
    let now = Instant::now();
    let mut a = Pipe::new(now, config(Carried::Rtp));
    let mut garbage = filled(&[0x40; 40]);
    assert_eq!(a.receive(now, media("198.51.100.9:1"), &mut garbage, 40), Taken::Dropped);
    assert_eq!(a.receive(now, media("198.51.100.9:1"), &mut garbage, 0), Taken::Dropped);
    assert_eq!(a.receive(now, media("198.51.100.9:1"), &mut garbage, 2000), Taken::Dropped);
    // None of that was taken for the peer's.
    let mut good = filled(&packet(1, b"x"));
    assert_eq!(a.receive(now, media(PEER), &mut good, 13), Taken::Yes(13, Plane::Media));
    assert_eq!(a.receive(now, media("198.51.100.9:1"), &mut good, 13), Taken::Stranger);
    let mut taken = 0;
    for _ in 0..50_000 {
        taken += usize::from(a.receive(now, media(PEER), &mut good, 13) != Taken::Dropped);
    }
    assert!((1_000..5_000).contains(&taken), "{taken}");
}

#[test]
fn who_wants_nothing_or_is_nowhere_gets_nothing_but_reports() {
    let now = Instant::now();
    let mut buffer = filled(&packet(1, b"x"));
    let mut held = Pipe::new(now, PipeConfig { send: false, ..config(Carried::Rtp) });
    assert_eq!(held.send(&mut buffer, 13, Plane::Media), None);
    assert!(held.send(&mut buffer, 13, Plane::Control).is_some());
    held.set(config(Carried::Rtp));
    assert!(held.send(&mut buffer, 13, Plane::Media).is_some());
    held.set(PipeConfig { remote: addr("0.0.0.0:4000"), ..config(Carried::Rtp) });
    assert_eq!(held.send(&mut buffer, 13, Plane::Media), None);
}

//! What a phone hears while others come and go, and keys change: real packets in the simulated office.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use offhook_media::rtp;
use offhook_media::srtp::{SrtpKey, SrtpKeys, SrtpSession, SrtpSuite, Unprotected};
use offhook_tests::sim::agent::Describe;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::media::{host, office_port, over, phones, port_of, sdp, socket};
use offhook_tests::sim::scene::Scene;

const PORT: u16 = 42_000;

fn plain(test: u8, phone: u8) -> Bytes {
    sdp(host(test, phone), &format!("m=audio {PORT} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"))
}

/// A packet of a sender of its own.
fn packet(ssrc: u32, n: u16, sound: u8) -> Vec<u8> {
    let header = rtp::Header {
        marker: n == 0,
        payload_type: 0,
        sequence: n.wrapping_add(ssrc as u16),
        timestamp: u32::from(n) * 160 + ssrc,
        ssrc,
    };
    [&header.to_bytes()[..], &[sound; 160]].concat()
}

/// Lets one speak so many packets; what another hears of it.
fn heard(from: &UdpSocket, to: u16, hearer: &UdpSocket, ssrc: u32, sound: u8) -> Vec<rtp::RtpView> {
    let end = Instant::now() + Duration::from_secs(10);
    let (mut views, mut bytes) = (Vec::new(), [0; 2000]);
    for n in 0.. {
        if views.len() >= 20 || Instant::now() > end {
            break;
        }
        from.send_to(&packet(ssrc, n, sound), office_port(to)).unwrap();
        if let Ok(length) = hearer.recv(&mut bytes)
            && let Some(view) = rtp::parse(&bytes[..length])
            && bytes[view.payload.start] == sound
        {
            views.push(view);
        }
    }
    assert!(views.len() >= 20, "nothing was passed on");
    views
}

#[tokio::test(start_paused = true)]
async fn who_is_put_through_hears_one_stream_without_a_seam() {
    let scene = Scene::open().await;
    let describe: [Describe; 3] =
        [|_| Some(plain(20, 1)), |_| Some(plain(20, 2)), |_| Some(plain(20, 3))];
    let agents = phones(&scene, describe).await;
    let [ann, bob, carol] = [1, 2, 3].map(|phone| socket(host(20, phone), PORT));
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let to_bob = port_of(&back.invite.as_ref().unwrap().body, "audio");
    back.answer();
    out.answered().await;
    back.confirmed().await;
    let first = heard(&bob, to_bob, &ann, 7_000, 0x31);
    back.refer("<sip:103@office.example>");
    let mut next = agents[2].call().await;
    let to_carol = port_of(&next.invite.as_ref().unwrap().body, "audio");
    next.answer();
    next.confirmed().await;
    back.hang_up();
    back.ended().await;
    let second = heard(&carol, to_carol, &ann, 900_000, 0x42);
    // Ann's phone sees one sender, whose numbers and time go on.
    let (last, new) = (first.last().unwrap(), &second[0]);
    assert_eq!((last.ssrc, last.payload_type), (new.ssrc, new.payload_type));
    let gap = new.sequence.wrapping_sub(last.sequence);
    assert!((1..2000).contains(&gap), "{last:?} {new:?}");
    let time = new.timestamp.wrapping_sub(last.timestamp);
    assert!((160..8000 * 60).contains(&time), "{last:?} {new:?}");
    for pair in first.windows(2).chain(second.windows(2)) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert!(pair[1].sequence.wrapping_sub(pair[0].sequence) < 100);
    }
    next.hang_up();
    out.ended().await;
    next.ended().await;
    for agent in &agents {
        agent.register(0).await;
    }
    scene.close().await;
}

const KEYS: [&str; 2] =
    ["WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"];

fn secure(key: &str) -> Bytes {
    let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n");
    sdp(host(21, 1), &format!("m=audio {PORT} RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n{line}"))
}

/// The phone's side: its own key, and the one that the office's answer names.
fn session(own: &str, answer: &[u8]) -> SrtpSession {
    let text = String::from_utf8_lossy(answer).into_owned();
    let theirs = text.split("inline:").nth(1).unwrap().split(['\r', '|']).next().unwrap();
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let key = |text: &str| SrtpKey::new(suite, &BASE64.decode(text.trim()).unwrap()).unwrap();
    SrtpSession::new(SrtpKeys { tx: key(own), rx: key(theirs) }).unwrap()
}

/// Both directions, a few packets each.
fn talk(srtp: &mut SrtpSession, secure: (&UdpSocket, u16), clear: (&UdpSocket, u16), n: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    let (mut there, mut back) = (0, 0);
    for n in n.. {
        if (there > 5 && back > 5) || Instant::now() > end {
            break;
        }
        let mut wire = packet(5, n, 0x55);
        let length = wire.len();
        wire.resize(length + 32, 0);
        let at = srtp.protect_rtp(&mut wire, 0..length).unwrap();
        secure.0.send_to(&wire[at], office_port(secure.1)).unwrap();
        let mut bytes = [0; 2000];
        if let Ok(length) = clear.0.recv(&mut bytes) {
            there += usize::from(bytes[length - 160..length] == [0x55; 160]);
        }
        clear.0.send_to(&packet(6, n, 0x66), office_port(clear.1)).unwrap();
        if let Ok(length) = secure.0.recv(&mut bytes)
            && srtp.unprotect_rtp(&mut bytes[..length]) == Unprotected::Plain(172)
        {
            back += usize::from(bytes[12..172] == [0x66; 160]);
        }
    }
    assert!(there > 5 && back > 5, "{there} {back}");
}

#[tokio::test(start_paused = true)]
async fn a_phone_changes_its_key_by_re_invite_and_both_go_on_hearing_each_other() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [|_| Some(secure(KEYS[0])), |_| Some(plain(21, 2))];
    let agents = phones(&scene, describe).await;
    let (a, b) = (socket(host(21, 1), PORT), socket(host(21, 2), PORT));
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let to_b = port_of(&back.invite.as_ref().unwrap().body, "audio");
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    let to_a = port_of(&answer, "audio");
    talk(&mut session(KEYS[0], &answer), (&a, to_a), (&b, to_b), 0);
    out.offer(secure(KEYS[1]));
    let answer = out.offer_accepted().await;
    assert_eq!(port_of(&answer, "audio"), to_a);
    talk(&mut session(KEYS[1], &answer), (&a, to_a), (&b, to_b), 1000);
    out.hang_up();
    back.ended().await;
    out.ended().await;
    for agent in &agents {
        agent.register(0).await;
    }
    scene.close().await;
}

/// Two streams, as RFC 3264 lets one offer what is understood by others too: one for pages first.
fn for_pages_or_plain() -> Bytes {
    let print = ["AB"; 32].join(":");
    let media = format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdabcdabcdabcdabcdab\r\n\
         a=fingerprint:sha-256 {print}\r\na=setup:actpass\r\na=rtcp-mux\r\n\
         m=audio {PORT} RTP/AVP 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdabcdabcdabcdabcdab\r\n"
    );
    sdp(host(24, 1), &media)
}

#[tokio::test(start_paused = true)]
async fn where_no_pages_are_let_in_the_plain_stream_beside_one_for_pages_is_taken_without_ice() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [|_| Some(for_pages_or_plain()), |_| Some(plain(24, 2))];
    let agents = phones(&scene, describe).await;
    let [ann, bob] = [1, 2].map(|phone| socket(host(24, phone), PORT));
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let to_bob = port_of(&back.invite.as_ref().unwrap().body, "audio");
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF"), "{answer}");
    assert!(answer.contains(" RTP/AVP 0") && !answer.contains("a=ice"), "{answer}");
    heard(&bob, to_bob, &ann, 7_000, 0x31);
    over(scene, agents, out, back).await;
}

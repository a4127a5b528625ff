//! What goes from leg to leg untouched: G.729, video and fax, on the simulated network and with real
//! packets of media.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use offhook_tests::sim::agent::{Describe, Dial};
use offhook_tests::sim::media::{
    eventually, host, over, passes, phones, port_of, says, sdp, socket,
};
use offhook_tests::sim::office::Leftovers;
use offhook_tests::sim::scene::{OFFICE, Scene, connect};

const PORT: u16 = 41_000;
const FAX_PORT: u16 = 41_004;
const VIDEO_PORT: u16 = 41_008;

fn audio(formats: &str) -> String {
    format!("m=audio {PORT} RTP/AVP {formats}\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n")
}

fn fax() -> String {
    format!(
        "m=image {FAX_PORT} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n\
         a=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )
}

fn video() -> String {
    format!(
        "m=video {VIDEO_PORT} RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n\
         a=fmtp:99 profile-level-id=42801f\r\na=rtcp-fb:99 nack pli\r\n"
    )
}

/// An RTP packet with this payload type and payload.
fn rtp(payload_type: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80, payload_type, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], payload].concat()
}

#[tokio::test(start_paused = true)]
async fn g729_goes_from_phone_to_phone_untouched() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [
        |_| Some(sdp(host(1, 1), &audio("18 101"))),
        // It has PCMU too, but nobody may use it for a caller who has not.
        |offer| {
            assert!(!says(offer, "PCMU"), "{offer:?}");
            assert!(says(offer, "a=fmtp:18 annexb=no\r\n"));
            Some(sdp(host(1, 2), &audio("18 0")))
        },
    ];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let offered = back.invite.as_ref().unwrap().body.clone();
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    assert!(String::from_utf8_lossy(&answer).contains("RTP/AVP 18\r\n"), "{answer:?}");
    let (a, b) = (socket(host(1, 1), PORT), socket(host(1, 2), PORT));
    let (to_a, to_b) = (port_of(&answer, "audio"), port_of(&offered, "audio"));
    for (from, port, to) in [(&a, to_a, &b), (&b, to_b, &a)] {
        let heard = passes(from, port, to, &rtp(18, b"ten bytes!"));
        assert_eq!((heard[1] & 0x7f, &heard[12..]), (18, &b"ten bytes!"[..]));
    }
    // Held and resumed it is the same codec.
    out.offer(sdp(host(1, 1), &(audio("18 0") + "a=sendonly\r\n")));
    let answer = out.offer_accepted().await;
    assert!(String::from_utf8_lossy(&answer).contains("RTP/AVP 18\r\n"), "{answer:?}");
    assert!(over(scene, agents, out, back).await.contains("G729"));
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_only_one_side_has_is_not_passed_and_ours_is_used_where_both_have_it() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [
        |_| Some(sdp(host(2, 1), &audio("18 0"))),
        |offer| {
            // Ours first, the other one to choose from.
            assert!(says(offer, "RTP/AVP 0 8 18 101\r\n"), "{offer:?}");
            Some(sdp(host(2, 2), &audio("0")))
        },
    ];
    let agents = phones(&scene, describe).await;
    let (out, back) = connect(&agents[0], "102", &agents[1]).await;
    assert!(!over(scene, agents, out, back).await.contains("codec: \"G729\""));
    // And nobody who has nothing in common with the caller is left in silence.
    let scene = Scene::open().await;
    let only: [Describe; 2] = [|_| Some(sdp(host(2, 1), &audio("18"))), |_| None];
    let agents = phones(&scene, only).await;
    let mut out = agents[0].dial(Dial::to("102"));
    // Plain, with SDES, with DTLS.
    for _ in 0..3 {
        agents[1].call().await.reject(488);
    }
    assert_eq!(out.rejected().await.status.code(), 488);
    for agent in &agents {
        agent.register(0).await;
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_recorded_call_uses_what_can_be_recorded() {
    let scene = Scene::with("[recording]\ncalls = \"always\"\n").await;
    let describe: [Describe; 2] = [
        |_| Some(sdp(host(3, 1), &audio("18 0"))),
        |offer| {
            assert!(!says(offer, "G729"), "{offer:?}");
            Some(sdp(host(3, 2), &audio("0")))
        },
    ];
    let agents = phones(&scene, describe).await;
    let (out, back) = connect(&agents[0], "102", &agents[1]).await;
    over(scene, agents, out, back).await;
}

#[tokio::test(start_paused = true)]
async fn video_goes_from_phone_to_phone_and_only_where_both_have_it() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [
        |_| Some(sdp(host(4, 1), &(audio("0") + &video()))),
        |offer| {
            let asked = says(offer, "a=fmtp:99 profile-level-id=42801f") && says(offer, "nack pli");
            Some(sdp(host(4, 2), &if asked { audio("0") + &video() } else { audio("0") }))
        },
    ];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let offered = back.invite.as_ref().unwrap().body.clone();
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    let (a, b) = (socket(host(4, 1), VIDEO_PORT), socket(host(4, 2), VIDEO_PORT));
    let picture = rtp(99, &[0x65; 1200]);
    let (to_a, to_b) = (port_of(&answer, "video"), port_of(&offered, "video"));
    for (from, port, to) in [(&a, to_a, &b), (&b, to_b, &a)] {
        assert_eq!(passes(from, port, to, &picture), picture);
    }
    // A hold of both streams is answered at once, on the same ports.
    let held = audio("0") + "a=sendonly\r\n" + &video() + "a=inactive\r\n";
    out.offer(sdp(host(4, 1), &held));
    assert_eq!(port_of(&out.offer_accepted().await, "video"), to_a);
    out.offer(sdp(host(4, 1), &(audio("0") + &video())));
    assert_eq!(port_of(&out.offer_accepted().await, "video"), to_a);
    assert_eq!(passes(&b, to_b, &a, &picture), picture);
    // The caller switches its camera off, and on again: the other side is told.
    let before = scene.net.messages("INVITE sip:").len();
    out.offer(sdp(host(4, 1), &(audio("0") + "m=video 0 RTP/AVP 99\r\n")));
    assert_eq!(port_of(&out.offer_accepted().await, "video"), 0);
    out.offer(sdp(host(4, 1), &(audio("0") + &video())));
    let answer = out.offer_accepted().await;
    assert_ne!(port_of(&answer, "video"), 0);
    let asked = scene.net.messages("INVITE sip:").split_off(before);
    let mut asked = asked.into_iter().filter(|(from, ..)| *from == OFFICE).map(|(.., m)| m);
    assert_eq!(port_of(asked.next().unwrap().as_bytes(), "video"), 0);
    let offered = asked.next().unwrap();
    let ports = [port_of(&answer, "video"), port_of(offered.as_bytes(), "video")];
    assert_eq!(passes(&a, ports[0], &b, &picture), picture);
    assert_eq!(passes(&b, ports[1], &a, &picture), picture);
    let timeline = over(scene, agents, out, back).await;
    assert!(timeline.contains("video passes through"), "{timeline}");
}

#[tokio::test(start_paused = true)]
async fn video_is_refused_when_the_callee_has_none_and_the_call_is_made_all_the_same() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [
        |_| Some(sdp(host(5, 1), &(audio("0") + &video()))),
        |_| Some(sdp(host(5, 2), &(audio("0") + "m=video 0 RTP/AVP 99\r\n"))),
    ];
    let agents = phones(&scene, describe).await;
    let (mut out, back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    back.answer();
    assert_eq!(port_of(&out.answered().await.body, "video"), 0);
    over(scene, agents, out, back).await;
}

fn machine(offer: Option<&Bytes>, ip: Ipv4Addr) -> Option<Bytes> {
    let media = if says(offer, "m=image") { fax() } else { audio("0") };
    Some(sdp(ip, &media))
}

#[tokio::test(start_paused = true)]
async fn a_fax_that_one_side_begins_goes_through_and_the_call_comes_back_to_speech() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] =
        [|offer| machine(offer, host(6, 1)), |offer| machine(offer, host(6, 2))];
    let agents = phones(&scene, describe).await;
    let (out, mut back) = connect(&agents[0], "102", &agents[1]).await;
    let (a, b) = (socket(host(6, 1), FAX_PORT), socket(host(6, 2), FAX_PORT));
    for round in 0..2_u8 {
        // The machine that is called has heard the tone of a fax.
        let before = scene.net.messages("INVITE sip:").len();
        back.offer(sdp(host(6, 2), &fax()));
        let to_b = port_of(&back.offer_accepted().await, "image");
        let asked = scene.net.messages("INVITE sip:").split_off(before);
        let asked = asked.into_iter().find(|(from, ..)| *from == OFFICE).unwrap().2;
        assert!(asked.contains("a=T38MaxBitRate:14400") && !asked.contains("m=audio"), "{asked}");
        let to_a = port_of(asked.as_bytes(), "image");
        let datagram = [0, round, 6, 0xc0, 1, 0x80, 0, 0, 0xff];
        assert_eq!(passes(&b, to_b, &a, &datagram), datagram);
        assert_eq!(passes(&a, to_a, &b, &datagram), datagram);
        back.offer(sdp(host(6, 2), &audio("0")));
        let answer = back.offer_accepted().await;
        assert!(!String::from_utf8_lossy(&answer).contains("m=image"), "{answer:?}");
    }
    let (audio_a, audio_b) = (socket(host(6, 1), PORT), socket(host(6, 2), PORT));
    let answer = scene.net.messages("SIP/2.0 200").pop().unwrap().2;
    let port = port_of(answer.as_bytes(), "audio");
    assert_eq!(passes(&audio_b, port, &audio_a, &rtp(0, &[0x55; 160]))[12..], [0x55; 160]);
    let timeline = over(scene, agents, out, back).await;
    assert!(timeline.contains("fax passes through"), "{timeline}");
}

#[tokio::test(start_paused = true)]
async fn a_fax_that_the_other_side_cannot_take_is_refused_and_the_call_goes_on() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [
        |offer| (!says(offer, "m=image")).then(|| sdp(host(7, 1), &audio("0"))),
        |offer| machine(offer, host(7, 2)),
    ];
    let agents = phones(&scene, describe).await;
    let (out, mut back) = connect(&agents[0], "102", &agents[1]).await;
    back.offer(sdp(host(7, 2), &fax()));
    let refused = back.until(|event| match event {
        offhook_sip::session::SessionEvent::OfferRejected { status, .. } => Some(status.code()),
        _ => None,
    });
    assert_eq!(refused.await, 488);
    assert!(back.still_up());
    over(scene, agents, out, back).await;
}

#[tokio::test(start_paused = true)]
async fn video_goes_on_between_two_calls_that_a_phone_joins_where_they_mean_the_same() {
    let scene = Scene::open().await;
    let describe: [Describe; 3] = [
        |_| Some(sdp(host(9, 1), &(audio("0") + &video()))),
        |_| Some(sdp(host(9, 2), &(audio("0") + &video()))),
        |_| Some(sdp(host(9, 3), &(audio("0") + &video()))),
    ];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    let (mut second, mut third) = (agents[1].dial(Dial::to("103")), agents[2].call().await);
    let offered = third.invite.as_ref().unwrap().body.clone();
    third.answer();
    second.answered().await;
    third.confirmed().await;
    back.refer_to_call("103", &second).await;
    second.ended().await;
    back.ended().await;
    let (a, c) = (socket(host(9, 1), VIDEO_PORT), socket(host(9, 3), VIDEO_PORT));
    let picture = rtp(99, &[0x65; 1200]);
    let (to_a, to_c) = (port_of(&answer, "video"), port_of(&offered, "video"));
    for (from, port, to) in [(&a, to_a, &c), (&c, to_c, &a)] {
        assert_eq!(passes(from, port, to, &picture), picture);
    }
    out.hang_up();
    third.ended().await;
    out.ended().await;
    for agent in &agents {
        agent.register(0).await;
    }
    assert_eq!(scene.office.settle().await, Leftovers::default());
    let records = scene.office.keep.records();
    let told = records.iter().map(|r| format!("{:?}", scene.office.keep.timeline(&r.id)));
    assert!(told.collect::<String>().contains("video goes on between them"));
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_of_a_codec_that_only_passes_hears_why_and_the_call_goes_on() {
    let right = "[[supervisor]]\nextension = \"103\"\nof = [\"*\"]\n";
    let scene = Scene::with(right).await;
    let describe: [Describe; 2] =
        [|_| Some(sdp(host(5, 1), &audio("18"))), |_| Some(sdp(host(5, 2), &audio("18")))];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = connect(&agents[0], "102", &agents[1]).await;
    let mut cid = scene.phone(103).dial(Dial::to("*55102"));
    cid.answered().await;
    // An engine of speech is a process of its own, which no paused clock waits for.
    eventually("it is hung up", async || !cid.still_up()).await;
    cid.ended().await;
    assert!(out.still_up() && back.still_up());
    let refused = scene.office.keep.records();
    let refused = refused.iter().find(|r| r.from == "103").unwrap().id.clone();
    let timeline = format!("{:?}", scene.office.keep.timeline(&refused));
    assert!(timeline.contains("Its sound is not decoded here"), "{timeline}");
    let keep = std::sync::Arc::clone(&scene.office.keep);
    let call = keep.records().into_iter().find(|r| r.from == "101").unwrap().id;
    over(scene, agents, out, back).await;
    let timeline = format!("{:?}", keep.timeline(&call));
    assert!(timeline.contains("G729") && !timeline.contains("Supervised"), "{timeline}");
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_only_passes_comes_into_no_conference_and_the_call_goes_on() {
    let rule = "[[number]]\nmatch = \"800\"\nto = \"conference:weekly\"\n";
    let scene = Scene::with(rule).await;
    let describe: [Describe; 2] =
        [|_| Some(sdp(host(21, 1), &audio("18 0"))), |_| Some(sdp(host(21, 2), &audio("18")))];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    let offered = back.invite.as_ref().unwrap().body.clone();
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    let (a, b) = (socket(host(21, 1), PORT), socket(host(21, 2), PORT));
    let (to_a, to_b) = (port_of(&answer, "audio"), port_of(&offered, "audio"));
    // Neither a room nor a voice would be heard: the phone is told, and has its party still.
    for number in ["conference", "800"] {
        out.refer(&format!("<sip:{number}@office.example>"));
        assert_eq!(out.reported().await, 100, "{number}");
        assert_eq!(out.reported().await, 488, "{number}");
        for (from, port, to) in [(&a, to_a, &b), (&b, to_b, &a)] {
            assert!(foreign_passes(from, port, to));
        }
    }
    // By keys it is neither brought nor brings another one.
    out.offer(sdp(host(21, 1), &(audio("18 0") + "a=sendonly\r\n")));
    out.offer_accepted().await;
    let (mut other, mut cid) = connect(&agents[0], "103", scene.phone(103)).await;
    other.press("*3#");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(out.still_up() && back.still_up() && other.still_up() && cid.still_up());
    other.offer(sdp(host(21, 1), &(audio("0") + "a=sendonly\r\n")));
    other.offer_accepted().await;
    out.offer(sdp(host(21, 1), &audio("18 0")));
    out.offer_accepted().await;
    out.press("*3#");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(out.still_up() && back.still_up() && other.still_up() && cid.still_up());
    for (from, port, to) in [(&a, to_a, &b), (&b, to_b, &a)] {
        assert!(foreign_passes(from, port, to));
    }
    assert!(
        scene.office.keep.records().iter().all(|r| r.destination.as_deref() != Some("conference"))
    );
    other.hang_up();
    cid.ended().await;
    out.hang_up();
    back.ended().await;
    for agent in &agents {
        agent.register(0).await;
    }
    scene.close().await;
}

/// Whether G.729 passes; the phone may hear words in another call meanwhile.
fn foreign_passes(from: &UdpSocket, port: u16, to: &UdpSocket) -> bool {
    let heard = |_| passes(from, port, to, &rtp(18, b"ten bytes!"));
    (0..500).map(heard).any(|heard| heard.get(12..) == Some(b"ten bytes!"))
}

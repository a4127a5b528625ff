//! Candidates that a peer finds after its description, by INFO (RFC 8840), on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;
use offhook_sip::header::Headers;
use offhook_sip::message::Method;
use offhook_sip::session::SessionEvent;
use offhook_tests::sim::agent::{Describe, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::{host, phones, says, sdp};
use offhook_tests::sim::scene::Scene;
use tokio::time::sleep;

const KIND: &str = "application/trickle-ice-sdpfrag";

/// A peer that only answers checks, so that we ask.
fn lite(_: Option<&Bytes>) -> Option<Bytes> {
    let print = ["1F"; 32].join(":");
    let media = format!(
        "a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:Yx1m\r\n\
         a=ice-pwd:T2SkLr5AAvBvhyaMeKVGUdBu\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {print}\r\na=setup:passive\r\na=mid:0\r\na=rtcp-mux\r\n"
    );
    Some(sdp(host(41, 1), &media))
}

/// The same as one that asks by itself.
fn full(offer: Option<&Bytes>) -> Option<Bytes> {
    let text = String::from_utf8(lite(offer)?.to_vec()).unwrap();
    Some(text.replace("a=ice-lite\r\n", "").replace("setup:passive", "setup:actpass").into())
}

/// INFO with these candidates; the status of the answer.
async fn trickle(line: &mut Line, candidates: &[&str]) -> u16 {
    let lines: String = candidates.iter().map(|c| format!("a=candidate:{c}\r\n")).collect();
    let body = format!(
        "a=ice-ufrag:Yx1m\r\na=ice-pwd:T2SkLr5AAvBvhyaMeKVGUdBu\r\nm=audio 9 RTP/AVP 0\r\n\
         a=mid:0\r\n{lines}"
    );
    line.send(Method::Info, Headers::new(), Some((KIND, body.into())));
    line.until(|event| match event {
        SessionEvent::Response { response, .. }
            if response.cseq().is_ok_and(|cseq| cseq.method == Method::Info) =>
        {
            Some(response.status.code())
        }
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn candidates_that_come_later_are_tried_where_we_ask_and_bad_ones_are_counted() {
    for (describe, asks, at) in [(lite as Describe, true, 8), (full, false, 9)] {
        let scene = Scene::with(&format!("[webrtc]\naddress = \"{}:38000\"\n", host(41, at))).await;
        let agents = phones(&scene, [describe]).await;
        let mut line = agents[0].dial(Dial::to("conference"));
        let answer = line.answered().await.body;
        assert_eq!(says(Some(&answer), "a=ice-lite"), !asks);
        let later = ["3 1 udp 99 127.0.0.9 4000 typ host", "4 1 udp 98 127.0.0.9 4001 typ host"];
        assert_eq!(trickle(&mut line, &later).await, 200);
        assert_eq!(scene.office.metrics.candidates_malformed.get(), 0);
        // One of them can be used all the same.
        let bad = [
            "nonsense",
            "5 1 udp many 127.0.0.9 4002 typ host",
            "6 1 udp 9 127.0.0.9 4003 typ host",
        ];
        assert_eq!(trickle(&mut line, &bad).await, 200);
        assert_eq!(scene.office.metrics.candidates_malformed.get(), 2);
        // Said before, it is nothing new.
        assert_eq!(trickle(&mut line, &later).await, 200);
        line.hang_up();
        line.ended().await;
        sleep(Duration::from_secs(5)).await;
        let timeline = format!("{:?}", scene.office.keep.timeline(&scene.record().id));
        for (text, times) in
            [("2 more addresses of the peer", 1), ("1 more addresses of the peer", 1)]
        {
            let times = if asks { times } else { 0 };
            assert_eq!(timeline.matches(text).count(), times, "{timeline}");
        }
        agents[0].register(0).await;
        scene.close().await;
    }
}

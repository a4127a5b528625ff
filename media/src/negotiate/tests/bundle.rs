//! Offers of pages whose audio is not the first stream: what Chromium 156 and Firefox 150 write of a
//! camera, a microphone and a data channel, shortened by codecs of the camera.

use super::webrtc::{PRINT, has, negotiator, ours};
use super::*;
use crate::webrtc::Fingerprint;

const CAMERA: &str = "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=103\r\na=rtpmap:103 H264/90000\r\n\
                      a=rtcp-fb:103 nack pli\r\n\
                      a=fmtp:103 packetization-mode=1;profile-level-id=42001f\r\n";
const MICROPHONE: &str = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
                          a=rtpmap:63 red/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
                          a=rtpmap:126 telephone-event/8000\r\n";

/// Chromium's and Safari's, whose policies differ in candidates only: `max-bundle` has those of the
/// first section alone.
fn chromium(max_bundle: bool, sections: &[&str]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut sdp = format!(
        "v=0\r\no=- 4614019964614827165 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE {}\r\na=msid-semantic: WMS\r\n",
        mids.join(" ")
    );
    for (at, section) in sections.iter().enumerate() {
        let (port, candidate) = match *section {
            _ if at > 0 && max_bundle => (9, String::new()),
            _ => (9, format!("a=candidate:3 1 udp 2113937151 2f39.local 4013{at} typ host\r\n")),
        };
        let (line, more) = match *section {
            "video" => (format!("m=video {port} UDP/TLS/RTP/SAVPF 97 103"), CAMERA),
            "audio" => (format!("m=audio {port} UDP/TLS/RTP/SAVPF 111 63 0 8 126"), MICROPHONE),
            _ => (
                format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel"),
                "a=sctp-port:5000\r\na=max-message-size:262144\r\n",
            ),
        };
        let rtp = match *section {
            "data" => "",
            _ => "a=sendrecv\r\na=msid:- d22727e4\r\na=rtcp-mux\r\na=rtcp-rsize\r\n",
        };
        sdp += &format!(
            "{line}\r\nc=IN IP4 0.0.0.0\r\n{candidate}a=ice-ufrag:6swH\r\n\
             a=ice-pwd:7q2LRXzSVhVG3gNAdp0Vb/zo\r\na=ice-options:trickle\r\n\
             a=fingerprint:{PRINT}\r\na=setup:actpass\r\na=mid:{at}\r\n{rtp}{more}"
        );
    }
    sdp
}

/// Firefox's: the certificate above all streams, and a stream without a port where it is bundled only.
fn firefox(max_bundle: bool) -> String {
    let (port, only, audio) = match max_bundle {
        true => (0, "a=bundle-only\r\n", ""),
        false => (9, "", "a=ice-pwd:073b56d923776f7889e9f31dd122eaf5\r\na=ice-ufrag:9ba3b1bf\r\n"),
    };
    format!(
        "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 4962303333179871722 0 IN IP4 0.0.0.0\r\ns=-\r\n\
         t=0 0\r\na=fingerprint:{PRINT}\r\na=group:BUNDLE 0 1\r\na=ice-options:trickle\r\n\
         a=msid-semantic:WMS *\r\nm=video 9 UDP/TLS/RTP/SAVPF 97 103\r\nc=IN IP4 0.0.0.0\r\n\
         a=sendrecv\r\na=ice-pwd:e9f31dd122eaf5073b56d923776f7889\r\na=ice-ufrag:Vid0\r\n\
         a=mid:0\r\na=rtcp-mux\r\na=rtcp-rsize\r\n{CAMERA}a=setup:actpass\r\n\
         m=audio {port} UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\nc=IN IP4 0.0.0.0\r\n{only}a=sendrecv\r\n\
         a=extmap-allow-mixed\r\na=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n\
         a=fmtp:101 0-15\r\n{audio}a=mid:1\r\na=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\n\
         a=rtpmap:9 G722/8000/1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=setup:actpass\r\na=ssrc:5437 cname:x\r\n"
    )
}

/// The lines of one stream of ours.
fn section(sdp: &str, kind: &str) -> String {
    parse(sdp).media.iter().find(|media| media.kind == kind).unwrap().to_string()
}

/// What is said of the transport.
const OF_TRANSPORT: [&str; 5] =
    ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=candidate"];

#[test]
fn a_camera_in_front_is_accepted_for_its_transport_and_shows_nothing() {
    let rtc = ours();
    let offers = [
        chromium(true, &["video", "audio"]),
        chromium(false, &["video", "audio"]),
        firefox(true),
        firefox(false),
    ];
    for offer in offers {
        assert!(wants_webrtc(offer.as_bytes()), "{offer}");
        assert_eq!(first_codec(offer.as_bytes()), Some(Codec::Opus));
        let (sdp, agreed) = negotiator(&rtc).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        assert!(has(&sdp, "a=group:BUNDLE 0 1"), "{sdp}");
        let (video, audio) = (section(&sdp, "video"), section(&sdp, "audio"));
        assert!(video.starts_with("m=video 30000 UDP/TLS/RTP/SAVPF 103\r\n"), "{video}");
        for line in [
            "a=mid:0",
            "a=inactive",
            "a=rtcp-mux",
            "a=rtpmap:103 H264/90000",
            "a=fmtp:103 packetization-mode=1;profile-level-id=42001f",
        ] {
            assert!(has(&video, line), "{line}\n{video}");
        }
        assert!(audio.starts_with("m=audio 30000 UDP/TLS/RTP/SAVPF 0 "), "{audio}");
        assert!(has(&audio, "a=sendrecv") && has(&audio, "a=mid:1") && has(&audio, "a=rtcp-mux"));
        // It stands in each section, as in what browsers write.
        for word in OF_TRANSPORT {
            let line =
                |section: &str| section.lines().find(|l| l.starts_with(word)).map(str::to_owned);
            assert!(line(&video).is_some(), "{word}\n{video}");
            assert_eq!(line(&audio), line(&video), "{sdp}");
        }
        // What the first section says of the transport holds.
        let terms = agreed.stream.webrtc.unwrap();
        let theirs = if offer.contains("Vid0") { "Vid0" } else { "6swH" };
        assert_eq!(&*terms.remote.credentials.ufrag, theirs);
        assert_eq!(Some(&terms.fingerprint), Fingerprint::strongest([PRINT]).as_ref());
        assert!(agreed.stream.send && agreed.stream.receive && agreed.beside.is_empty());
    }
}

#[test]
fn audio_in_front_speaks_for_itself_and_the_others_are_refused() {
    for max_bundle in [true, false] {
        let offer = chromium(max_bundle, &["audio", "video", "data"]);
        let (sdp, _) = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        assert!(has(&sdp, "a=group:BUNDLE 0"), "{sdp}");
        assert!(has(&sdp, "m=video 0 UDP/TLS/RTP/SAVPF 97 103"), "{sdp}");
        assert!(has(&sdp, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"), "{sdp}");
        for word in OF_TRANSPORT {
            assert!(section(&sdp, "audio").contains(word), "{sdp}");
            assert!(!section(&sdp, "video").contains(word), "{sdp}");
        }
    }
}

#[test]
fn a_data_channel_in_front_is_accepted_for_its_transport_too() {
    let offer = chromium(true, &["data", "audio", "video"]);
    let (sdp, _) = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert!(has(&sdp, "a=group:BUNDLE 0 1"), "{sdp}");
    let data = section(&sdp, "application");
    assert!(data.starts_with("m=application 30000 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "{data}");
    assert!(has(&data, "a=sctp-port:5000") && has(&data, "a=mid:0"), "{data}");
    assert!(data.contains("a=fingerprint") && !data.contains("inactive"), "{data}");
    assert!(section(&sdp, "audio").contains("a=fingerprint"), "{sdp}");
    assert!(has(&sdp, "m=video 0 UDP/TLS/RTP/SAVPF 97 103"), "{sdp}");
}

#[test]
fn of_several_microphones_the_first_talks() {
    let offer = chromium(true, &["audio", "audio"]);
    let (sdp, _) = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let media = parse(&sdp).media;
    let ports: Vec<u16> = media.iter().map(|media| media.port).collect();
    assert_eq!((ports, media[1].attribute("mid")), (vec![30000, 0], Some("1")));
    assert!(has(&sdp, "a=group:BUNDLE 0"), "{sdp}");
}

#[test]
fn streams_without_names_are_in_no_group() {
    let offer = chromium(false, &["video", "audio"]);
    let nameless = offer.lines().filter(|l| !l.starts_with("a=mid") && !l.contains("BUNDLE"));
    let nameless: String = nameless.map(|line| format!("{line}\r\n")).collect();
    let (sdp, _) = negotiator(&ours()).answer(nameless.as_bytes(), Direction::SendRecv).unwrap();
    assert!(!sdp.contains("BUNDLE") && !sdp.contains("a=mid"), "{sdp}");
    assert!(has(&sdp, "m=video 0 UDP/TLS/RTP/SAVPF 97 103"), "{sdp}");
    assert!(section(&sdp, "audio").contains("a=fingerprint"), "{sdp}");
}

#[test]
fn what_is_bundled_only_and_carried_by_nobody_is_not_there() {
    let carried = firefox(true);
    for (was, is) in [
        ("m=video 9", "m=video 0"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 1"),
        ("a=group:BUNDLE 0 1\r\n", ""),
        // Without the word it is a stream that was switched off (RFC 9143 §7.5.3).
        ("a=bundle-only\r\n", ""),
    ] {
        let offer = carried.replace(was, is);
        assert_ne!(offer, carried);
        assert!(!wants_webrtc(offer.as_bytes()), "{offer}");
        let error = negotiator(&ours()).answer(offer.as_bytes(), Direction::SendRecv).unwrap_err();
        assert_eq!((error.sip_status(), error.warn_code()), (488, 304), "{error}");
    }
    // Nor is there a group on a port of its own.
    let plain = carried.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
    assert!(matches!(refusal(local(), &plain), NegotiateError::NoAudio));
}

#[test]
fn a_call_with_a_camera_in_front_is_held_and_asked_again_in_the_same_places() {
    let rtc = ours();
    let mut us = negotiator(&rtc);
    let offer = chromium(true, &["video", "audio"]);
    let (first, agreed) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let held = offer.replace("a=sendrecv", "a=sendonly");
    let (sdp, on_hold) = us.answer(held.as_bytes(), Direction::SendRecv).unwrap();
    assert!(on_hold.remote_hold && has(&section(&sdp, "audio"), "a=recvonly"), "{sdp}");
    assert_eq!(on_hold.stream.webrtc, agreed.stream.webrtc, "no restart of anything");
    us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    // We ask: what was accepted is offered again as it is, and carries the transport.
    let ask = us.offer(Direction::SendOnly);
    assert!(has(&ask, "a=group:BUNDLE 0 1"), "{ask}");
    assert!(has(&section(&ask, "video"), "a=inactive"), "{ask}");
    assert!(section(&ask, "video").contains("a=setup:actpass"), "{ask}");
    assert!(section(&ask, "audio").contains("a=setup:actpass"), "{ask}");
    let answer = chromium(true, &["video", "audio"]).replace("actpass", "passive");
    let answered = us.accept_answer(answer.as_bytes()).unwrap();
    assert!(answered.stream.webrtc.unwrap().active);
    // The page lets go of its camera: from here on the audio speaks for itself.
    let gone = offer.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 1");
    let (sdp, _) = us.answer(gone.as_bytes(), Direction::SendRecv).unwrap();
    assert!(has(&sdp, "a=group:BUNDLE 1") && section(&sdp, "video").contains("m=video 0"), "{sdp}");
    assert!(section(&sdp, "audio").contains("a=ice-ufrag"), "{sdp}");
    assert_ne!(sdp, first);
}

#[test]
fn a_page_that_stops_only_its_microphone_is_held_and_its_camera_goes_on_carrying() {
    let rtc = ours();
    let mut us = negotiator(&rtc);
    let offer = chromium(true, &["video", "audio"]);
    let (_, before) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let stopped = offer.replace("m=audio 9", "m=audio 0").replace("BUNDLE 0 1", "BUNDLE 0");
    let (sdp, held) = us.answer(stopped.as_bytes(), Direction::SendRecv).unwrap();
    assert!(held.remote_hold && !held.stream.send && !held.stream.receive);
    assert_eq!(held.stream.webrtc, before.stream.webrtc, "the connection stays");
    assert!(has(&sdp, "a=group:BUNDLE 0"), "{sdp}");
    let (video, audio) = (section(&sdp, "video"), section(&sdp, "audio"));
    assert!(audio.starts_with("m=audio 0 ") && has(&audio, "a=mid:1"), "{sdp}");
    assert!(!video.starts_with("m=video 0 ") && has(&video, "a=inactive"), "{sdp}");
    assert!(OF_TRANSPORT.iter().all(|line| video.contains(line)), "{sdp}");
    let (sdp, again) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(again, before);
    assert!(has(&sdp, "a=group:BUNDLE 0 1"), "{sdp}");
    // With everything stopped nothing is left to carry, and no group.
    let none = stopped.replace("m=video 9", "m=video 0").replace("a=group:BUNDLE 0\r\n", "");
    let (sdp, _) = us.answer(none.as_bytes(), Direction::SendRecv).unwrap();
    assert!(sdp.contains("m=video 0 ") && !sdp.contains("BUNDLE"), "{sdp}");
}

#[test]
fn an_answer_that_drops_the_camera_leaves_the_audio() {
    let mut us = negotiator(&ours());
    let offer = chromium(true, &["video", "audio"]);
    us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    us.offer(Direction::SendRecv);
    let answer = offer.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 1");
    us.accept_answer(answer.replace("actpass", "active").as_bytes()).unwrap();
    let next = us.offer(Direction::SendRecv);
    assert!(has(&next, "a=group:BUNDLE 1"), "{next}");
    assert!(has(&next, "m=video 0 UDP/TLS/RTP/SAVPF 103"), "{next}");
    assert!(section(&next, "audio").contains("a=ice-ufrag"), "{next}");
}

#[test]
fn a_group_may_have_many_names_and_those_behind_the_last_possible_stream_do_not_count() {
    let names = "x ".repeat(20_000);
    let offer = chromium(true, &["video", "audio"]);
    let long = offer.replace("BUNDLE 0 1", &format!("BUNDLE 0 1 {names}"));
    let (sdp, _) = negotiator(&ours()).answer(long.as_bytes(), Direction::SendRecv).unwrap();
    assert!(has(&sdp, "a=group:BUNDLE 0 1"), "{sdp}");
    // Named behind more than there can be streams, it is in no group.
    let late = offer.replace("BUNDLE 0 1", &format!("BUNDLE {names} 0 1"));
    let (sdp, _) = negotiator(&ours()).answer(late.as_bytes(), Direction::SendRecv).unwrap();
    assert!(!sdp.contains("BUNDLE"), "{sdp}");
}

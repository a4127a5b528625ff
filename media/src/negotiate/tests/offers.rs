//! Codecs, payload types, streams, versions.

use super::*;

#[test]
fn a_voice_connector_offer_is_answered_with_pcmu_and_events_at_its_numbers() {
    let offer = theirs(
        "RTP/AVP 0 101",
        &format!("a=rtpmap:0 PCMU/8000\r\n{EVENTS}a=rtcp:4001\r\na=ptime:20\r\n"),
    );
    let (text, agreed) = answer(local(), &offer);
    assert_eq!(
        text,
        "v=0\r\no=- 4711 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 10000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    let stream = agreed.stream;
    assert_eq!(stream.remote_rtp, "198.51.100.2:4000".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(stream.remote_rtcp, Some("198.51.100.2:4001".parse().unwrap()));
    assert_eq!((stream.codec, stream.send_pt, stream.recv_pt), (Codec::Pcmu, 0, 0));
    assert_eq!(
        stream.telephone_event,
        Some(TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 })
    );
    assert!(stream.send && stream.receive && stream.srtp.is_none() && !agreed.remote_hold);
}

#[test]
fn the_operators_order_decides_the_codec_unless_told_otherwise() {
    let offer = theirs("RTP/AVP 8 0", "");
    assert_eq!(answer(local(), &offer).1.stream.codec, Codec::Pcmu);
    let theirs_first = Local { order: CodecOrder::Theirs, ..local() };
    assert_eq!(answer(theirs_first, &offer).1.stream.codec, Codec::Pcma);
    let alaw = Local { codecs: vec![Codec::Pcma], ..local() };
    let (text, agreed) = answer(alaw, &offer);
    assert_eq!((agreed.stream.codec, agreed.stream.send_pt), (Codec::Pcma, 8));
    assert!(
        text.contains("m=audio 10000 RTP/AVP 8\r\n"),
        "one codec, and no events as none were offered"
    );
    assert_eq!(agreed.stream.telephone_event, None);
}

#[test]
fn no_common_codec_is_488_and_names_both_lists() {
    let error = refusal(
        local(),
        &theirs("RTP/AVP 18 96 101 97", &format!("a=rtpmap:96 opus/48000/2\r\n{EVENTS}")),
    );
    assert_eq!(error.sip_status(), 488);
    assert_eq!(error.warn_code(), 305);
    assert_eq!(
        error.text(),
        "no common codec: the peer has G729/8000, opus/48000, payload type 97; this side allows PCMU, PCMA"
    );
}

#[test]
fn a_payload_type_that_means_something_else_is_not_mistaken_for_g711() {
    let offer = theirs("RTP/AVP 0", "a=rtpmap:0 opus/48000/2\r\n");
    assert!(matches!(refusal(local(), &offer), NegotiateError::NoCommonCodec { .. }));
    let dynamic = theirs(
        "RTP/AVP 96 100",
        "a=rtpmap:96 pcma/8000/1\r\na=rtpmap:100 Telephone-Event/8000\r\n",
    );
    let (text, agreed) = answer(local(), &dynamic);
    assert_eq!(
        (agreed.stream.codec, agreed.stream.send_pt, agreed.stream.recv_pt),
        (Codec::Pcma, 96, 96)
    );
    assert!(text.contains("m=audio 10000 RTP/AVP 96 100\r\na=rtpmap:96 PCMA/8000\r\n"));
}

#[test]
fn events_at_another_clock_are_passed_over() {
    let lines = "a=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/8000\r\n";
    let (_, agreed) = answer(local(), &theirs("RTP/AVP 0 101 99", lines));
    assert_eq!(agreed.stream.telephone_event.unwrap().send_pt, 99);
}

#[test]
fn payload_types_may_differ_by_direction() {
    let mut us = us(local());
    let offer = us.offer(Direction::SendRecv);
    assert!(offer.contains("m=audio 10000 RTP/AVP 0 8 101\r\n"));
    let agreed = us
        .accept_answer(
            theirs(
                "RTP/AVP 97 96",
                "a=rtpmap:97 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n",
            )
            .as_bytes(),
        )
        .unwrap();
    let stream = agreed.stream;
    assert_eq!((stream.codec, stream.send_pt, stream.recv_pt), (Codec::Pcma, 97, 8));
    assert_eq!(
        stream.telephone_event,
        Some(TelephoneEvent { send_pt: 96, recv_pt: 101, clock: 8000 })
    );
}

#[test]
fn an_answer_may_come_twice_for_one_offer() {
    let mut us = us(local());
    us.offer(Direction::SendRecv);
    let text = theirs("RTP/AVP 8 101", EVENTS);
    let early = us.accept_answer(text.as_bytes()).unwrap();
    assert_eq!(us.accept_answer(text.as_bytes()).unwrap(), early);
}

#[test]
fn an_answer_without_an_offer_or_with_a_refusal_is_an_error() {
    let text = theirs("RTP/AVP 0", "");
    assert_eq!(us(local()).accept_answer(text.as_bytes()), Err(NegotiateError::NoOffer));
    let mut us = us(local());
    us.offer(Direction::SendRecv);
    let refused = text.replace("audio 4000", "audio 0");
    assert_eq!(us.accept_answer(refused.as_bytes()), Err(NegotiateError::Refused));
    let foreign = us.accept_answer(theirs("RTP/AVP 18", "").as_bytes()).unwrap_err();
    assert!(matches!(foreign, NegotiateError::NoCommonCodec { .. }));
    assert!(us.agreed().is_none());
}

#[test]
fn other_streams_keep_their_places_and_are_refused() {
    let offer = "v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n\
                 m=video 5000 RTP/AVP 96 97\r\na=rtpmap:96 H264/90000\r\nm=audio 4000 RTP/AVP 0\r\n\
                 m=image 5002 udptl t38\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    let mut us = us(local());
    let (text, _) = us.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let sdp = parse(&text);
    let found: Vec<_> =
        sdp.media.iter().map(|m| (m.kind.as_str(), m.port, m.proto.as_str())).collect();
    let expected = [
        ("video", 0, "RTP/AVP"),
        ("audio", 10000, "RTP/AVP"),
        ("image", 0, "udptl"),
        ("application", 0, "UDP/DTLS/SCTP"),
    ];
    assert_eq!(found, expected);
    assert_eq!(sdp.media[0].formats, ["96", "97"]);
    // Our own offer later must not shrink the list (RFC 3264 §8).
    assert_eq!(parse(&us.offer(Direction::SendOnly)).media.len(), 4);
}

#[test]
fn a_fax_offer_or_a_stopped_stream_is_refused_and_the_call_stays_as_it_was() {
    let mut us = us(local());
    let (_, before) = us.answer(theirs("RTP/AVP 0", "").as_bytes(), Direction::SendRecv).unwrap();
    let fax = "v=0\r\no=- 1 2 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=image 5002 udptl t38\r\n";
    let error = us.answer(fax.as_bytes(), Direction::SendRecv).unwrap_err();
    assert_eq!((error.clone(), error.sip_status()), (NegotiateError::NoAudio, 488));
    assert_eq!(us.agreed(), Some(&before));
}

#[test]
fn the_version_rises_only_when_something_changed() {
    let mut us = us(local());
    let first = us.offer(Direction::SendRecv);
    assert_eq!(us.offer(Direction::SendRecv), first);
    us.accept_answer(theirs("RTP/AVP 8 101", EVENTS).as_bytes()).unwrap();
    let hold = us.offer(Direction::SendOnly);
    assert_eq!((version(&first), version(&hold)), (1, 2));
    us.offer_failed();
    assert_eq!(version(&us.offer(Direction::SendOnly)), 2);
    us.local_mut().rtp.set_port(10_002);
    us.local_mut().rtcp.set_port(10_003);
    assert_eq!(version(&us.offer(Direction::SendOnly)), 3);
}

#[test]
fn an_offer_inside_a_call_keeps_payload_types_and_leads_with_the_agreed_codec() {
    let mut us = us(local());
    let lines = "a=rtpmap:96 PCMA/8000\r\na=rtpmap:120 telephone-event/8000\r\n";
    us.answer(theirs("RTP/AVP 96 120", lines).as_bytes(), Direction::SendRecv).unwrap();
    let offer = us.offer(Direction::SendRecv);
    assert!(offer.contains("m=audio 10000 RTP/AVP 96 0 120\r\n"), "{offer}");
}

#[test]
fn a_failed_offer_leaves_the_agreed_state() {
    let mut us = us(local());
    let (_, agreed) = us.answer(theirs("RTP/AVP 0", "").as_bytes(), Direction::SendRecv).unwrap();
    us.offer(Direction::Inactive);
    us.offer_failed();
    assert_eq!(us.agreed(), Some(&agreed));
    assert_eq!(us.accept_answer(theirs("RTP/AVP 0", "").as_bytes()), Err(NegotiateError::NoOffer));
}

#[test]
fn packets_are_as_long_as_the_peer_asks_and_never_longer_than_it_takes() {
    for (lines, ms) in [
        ("", 20),
        ("a=ptime:30\r\n", 30),
        ("a=ptime:20\r\na=maxptime:10\r\n", 10),
        ("a=maxptime:15\r\n", 10),
        ("a=ptime:25\r\n", 20),
        ("a=ptime:500\r\n", 20),
        ("a=ptime:60\r\na=maxptime:30\r\n", 30),
    ] {
        let (text, agreed) = answer(local(), &theirs("RTP/AVP 0", lines));
        assert_eq!(agreed.stream.ptime_ms, ms, "{lines}");
        assert!(text.contains(&format!("a=ptime:{ms}\r\n")));
    }
}

#[test]
fn rtcp_goes_where_it_is_said_and_ours_is_said_only_when_unusual() {
    let (text, agreed) =
        answer(local(), &theirs("RTP/AVP 0", "a=rtcp:9000 IN IP4 198.51.100.9\r\na=rtcp-mux\r\n"));
    assert_eq!(agreed.stream.remote_rtcp, Some("198.51.100.9:9000".parse().unwrap()));
    assert!(!agreed.stream.rtcp_mux && !text.contains("rtcp"));
    let far = Local { rtcp: "192.0.2.1:20000".parse().unwrap(), ..local() };
    assert!(answer(far, &theirs("RTP/AVP 0", "")).0.contains("a=rtcp:20000\r\n"));
    assert_eq!(answer(local(), &theirs("RTP/AVP 0", "")).1.stream.remote_rtcp, None);
}

#[test]
fn comfort_noise_is_agreed_only_when_both_want_it() {
    let offer = theirs("RTP/AVP 0 13", "");
    let wanted = Local { comfort_noise: true, ..local() };
    assert!(!answer(local(), &offer).1.stream.comfort_noise);
    let (text, agreed) = answer(wanted.clone(), &offer);
    assert!(agreed.stream.comfort_noise && text.contains("RTP/AVP 0 13\r\n"));
    assert!(!answer(wanted, &theirs("RTP/AVP 0", "")).1.stream.comfort_noise);
}

#[test]
fn addresses_that_cannot_be_sent_to_are_refused_with_words() {
    let with = |c: &str| theirs("RTP/AVP 0", "").replace("c=IN IP4 198.51.100.2", c);
    for (c, words) in [
        ("c=IN IP4 media.example.com", "media.example.com is a name"),
        ("c=IN IP4 239.1.1.1/127", "239.1.1.1 is more than one host"),
        ("c=IN IP4 255.255.255.255", "255.255.255.255 is more than one host"),
        ("b=AS:64", "there is no c= line"),
        ("c=IN IP6 2001:db8::1", "different families"),
    ] {
        let error = refusal(local(), &with(c));
        assert_eq!(error.sip_status(), 488);
        assert!(error.text().contains(words), "{error}");
    }
}

#[test]
fn a_peer_that_names_its_host_is_taken_to_be_where_its_signalling_comes_from() {
    let offer = theirs("RTP/AVP 0", "").replace("198.51.100.2", "media.example.com");
    let named_host = Some("198.51.100.9".parse().unwrap());
    let (text, agreed) = answer(Local { named_host, ..local() }, &offer);
    assert_eq!(
        agreed.stream.remote_rtp,
        "198.51.100.9:4000".parse::<std::net::SocketAddr>().unwrap()
    );
    assert!(agreed.direction == Direction::SendRecv && !text.contains("media.example"));
    // The old hold of IPv6 is a name too (RFC 6157), and no host.
    let held = theirs("RTP/AVP 0", "").replace("198.51.100.2", "nobody.invalid");
    assert!(answer(Local { named_host, ..local() }, &held).1.remote_hold);
    // Where that is no address of ours' kind, nothing can be sent.
    let wide = Local { named_host: Some("2001:db8::9".parse().unwrap()), ..local() };
    assert!(refusal(wide, &offer).text().contains("different families"));
}

#[test]
fn ipv6_works_from_end_to_end() {
    let local = Local::new("[2001:db8::1]:10000".parse().unwrap(), vec![Codec::Pcmu]);
    let offer = theirs("RTP/AVP 0", "").replace("IP4 198.51.100.2", "IP6 2001:db8::2");
    let (text, agreed) = answer(local, &offer);
    assert!(text.contains("c=IN IP6 2001:db8::1\r\n"));
    assert_eq!(
        agreed.stream.remote_rtp,
        "[2001:db8::2]:4000".parse::<std::net::SocketAddr>().unwrap()
    );
}

#[test]
fn a_feedback_profile_is_answered_in_kind_and_dtls_is_refused() {
    assert!(answer(local(), &theirs("RTP/AVPF 0", "")).0.contains("m=audio 10000 RTP/AVPF 0\r\n"));
    let error = refusal(local(), &theirs("UDP/TLS/RTP/SAVPF 0", ""));
    assert_eq!((error.sip_status(), error.warn_code()), (488, 302));
    assert!(error.text().contains("UDP/TLS/RTP/SAVPF"));
}

#[test]
fn garbage_is_400_and_an_unknown_word_cannot_break_our_header() {
    assert_eq!(refusal(local(), "hello").sip_status(), 400);
    let nasty = theirs("RTP/\"\u{7}AVP 0", "");
    assert!(!refusal(local(), &nasty).text().contains(['"', '\u{7}']));
}

#[test]
fn nothing_of_the_peer_shows_in_our_description() {
    let offer =
        theirs("RTP/AVP 0 101", EVENTS).replace("o=- ", "o=alice ").replace("s=-", "s=Secret");
    let (text, _) = answer(local(), &offer);
    for secret in ["198.51.100", "alice", "Secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn extended_reports_that_are_asked_for_are_answered_with_those_we_have() {
    let xr = "a=rtcp-xr:pkt-loss-rle voip-metrics rcvr-rtt=all\r\n";
    let (text, agreed) = answer(local(), &theirs("RTP/AVP 0", xr));
    assert!(text.contains("a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"), "{text}");
    assert!(agreed.stream.rtcp_xr.voip_metrics && agreed.stream.rtcp_xr.round_trip);
    let of_all =
        theirs("RTP/AVP 0", "").replace("t=0 0\r\n", "t=0 0\r\na=rtcp-xr:voip-metrics\r\n");
    let (text, _) = answer(local(), &of_all);
    assert!(text.contains("a=rtcp-xr:voip-metrics\r\n"), "{text}");
    for none in ["", "a=rtcp-xr\r\n", "a=rtcp-xr:pkt-dup-rle\r\n"] {
        let (text, agreed) = answer(local(), &theirs("RTP/AVP 0", none));
        assert!(!text.contains("rtcp-xr") && !agreed.stream.rtcp_xr.any(), "{text}");
    }
}

use proptest::prelude::*;

use super::real_life::SAMPLES;
use super::*;

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

#[test]
fn unknown_lines_survive_in_their_places() {
    let text = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nq=unknown\r\ns=x\r\nm=audio 4000 RTP/AVP 0\r\ny=0100\r\na=x-own:thing\r\nm=video 0 RTP/AVP 96\r\na=y\r\n";
    assert_eq!(parse(text).to_string(), text);
}

#[test]
fn a_payload_type_without_map_has_its_static_meaning() {
    let sdp = parse(
        "v=0\r\nm=audio 4000 RTP/AVP 0 8 13 96 97\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:97 opus/48000/2\r\n",
    );
    let media = &sdp.media[0];
    assert!(media.rtpmap(0).unwrap().is("pcmu", 8000));
    assert!(media.rtpmap(96).unwrap().is("PCMA", 8000));
    assert_eq!(media.rtpmap(97).unwrap().channels, 2);
    assert!(media.rtpmap(98).is_none());
}

#[test]
fn a_format_that_could_not_be_named_in_an_answer_is_no_payload_type() {
    let sdp = parse("v=0\r\nm=audio 4000 RTP/AVP +8 08 0 18 128 -1 x 127\r\n");
    assert_eq!(sdp.media[0].payload_types().collect::<Vec<_>>(), [0, 18, 127]);
}

#[test]
fn rtcp_has_its_own_port_and_address_when_said() {
    let rtcp = |text: &str| parse(&format!("v=0\r\nm=audio 1 RTP/AVP 0\r\n{text}")).media[0].rtcp();
    assert_eq!(rtcp("a=rtcp:53020\r\n"), Some(RtcpAddress { port: 53020, ip: None }));
    let full = rtcp("a=rtcp:53020 IN IP6 2001:db8::1\r\n").unwrap();
    assert_eq!(full.ip, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(rtcp(""), None);
    assert_eq!(rtcp("a=rtcp:0\r\n"), None);
    assert_eq!(rtcp("a=rtcp:port\r\n"), None);
}

#[test]
fn packet_times_are_read_with_their_fraction_dropped() {
    let media = &parse("v=0\r\nm=audio 1 RTP/AVP 0\r\na=ptime:20.0\r\na=maxptime:x\r\n").media[0];
    assert_eq!((media.ptime(), media.maxptime()), (Some(20), None));
}

#[test]
fn the_origin_is_read_with_any_text_for_numbers() {
    let sdp = parse("v=0\r\no=me one two IN IP4 10.0.0.1\r\n");
    let origin = sdp.origin().unwrap();
    assert_eq!((origin.username, origin.session_id, origin.address), ("me", "one", "10.0.0.1"));
    assert!(parse("v=0\r\no=me 1\r\n").origin().is_none());
}

#[test]
fn what_is_no_description_is_refused_with_words() {
    let error = |bytes: &[u8]| SessionDescription::parse(bytes).unwrap_err();
    assert_eq!(error(b""), SdpError::Empty);
    assert_eq!(error(b"\r\n \r\n"), SdpError::Empty);
    assert_eq!(error(b"{\"json\": 1}"), SdpError::NotSdp);
    assert_eq!(error(b"v=0\r\nm=audio x RTP/AVP 0\r\n"), SdpError::MediaLine { line: 2 });
    assert_eq!(error(b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n"), SdpError::MediaLine { line: 2 });
    assert_eq!(error(b"v=0\r\nm=audio\r\n"), SdpError::MediaLine { line: 2 });
    assert_eq!(error(&vec![b'a'; MAX_BYTES + 1]), SdpError::TooLarge(MAX_BYTES + 1));
    assert_eq!(error("a=b\r\n".repeat(MAX_LINES + 1).as_bytes()), SdpError::TooManyLines);
    let many = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1));
    assert_eq!(error(many.as_bytes()), SdpError::TooManyMedia);
}

#[test]
fn a_value_cannot_smuggle_in_a_line() {
    assert_eq!(Line::new('a', "x\r\nm=audio 1 RTP/AVP 0").to_string(), "a=x\r\n");
}

#[test]
fn mutated_descriptions_never_panic_and_print_what_reads_back() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below.max(1)
    };
    for (_, text, _) in SAMPLES {
        for _ in 0..400 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b"=:/ \r\n0mac"[random(10)]),
                    _ => bytes.truncate(at.max(1)),
                }
                if bytes.is_empty() {
                    bytes.push(b'v');
                }
            }
            if let Ok(sdp) = SessionDescription::parse(&bytes) {
                read_everything(&sdp);
                assert_eq!(parse(&sdp.to_string()), sdp);
            }
        }
    }
}

fn read_everything(sdp: &SessionDescription) {
    let _ = (sdp.origin(), sdp.connection());
    for media in &sdp.media {
        let _ = (sdp.connection_of(media).and_then(|c| c.ip()), sdp.direction_of(media));
        let _ = (media.rtcp(), media.ptime(), media.maxptime());
        for pt in media.payload_types() {
            let _ = (media.rtpmap(pt), media.fmtp(pt));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        if let Ok(sdp) = SessionDescription::parse(&bytes) {
            read_everything(&sdp);
        }
    }

    #[test]
    fn any_lines_survive_parse_and_print(
        lines in proptest::collection::vec(("[a-ln-z]", "[!-~]([ -~]{0,60}[!-~])?"), 0..40)
    ) {
        let mut text = String::from("v=0\r\n");
        for (letter, value) in &lines {
            text.push_str(&format!("{letter}={value}\r\n"));
        }
        prop_assert_eq!(parse(&text).to_string(), text);
    }
}

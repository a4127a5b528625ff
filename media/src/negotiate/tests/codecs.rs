//! Codecs beyond G.711: names, numbers, parameters.

use super::*;
use crate::codec::OpusWishes;

fn local(codecs: &[Codec]) -> Negotiator {
    let rtp = "192.0.2.1:4000".parse().unwrap();
    Negotiator::new(Local::new(rtp, codecs.to_vec()), 1)
}

fn offer(lines: &str) -> Vec<u8> {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";
    format!("{head}{}\r\n", lines.replace('\n', "\r\n")).into_bytes()
}

#[test]
fn every_codec_is_offered_as_its_format_says() {
    let text = local(&[Codec::Opus, Codec::G722, Codec::Pcmu]).offer(Direction::SendRecv);
    for line in [
        "m=audio 4000 RTP/AVP 111 9 0 101 102\r\n",
        "a=rtpmap:111 opus/48000/2\r\n",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:101 telephone-event/8000\r\n",
        "a=rtpmap:102 telephone-event/48000\r\n",
        "a=fmtp:111 ",
        "useinbandfec=1",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let plain = local(&[Codec::Pcmu]).offer(Direction::SendRecv);
    assert!(!plain.contains("48000"), "{plain}");
}

#[test]
fn the_operators_first_is_answered_with_the_peers_number_and_wishes() {
    let phone = offer(
        "m=audio 5000 RTP/AVP 0 96 9 97 98\na=rtpmap:96 OPUS/48000/2\n\
         a=fmtp:96 maxplaybackrate=8000; useinbandfec=1;maxaveragebitrate=20000\n\
         a=rtpmap:97 telephone-event/8000\na=rtpmap:98 telephone-event/48000",
    );
    let mut us = local(&[Codec::Opus, Codec::Pcmu]);
    let (text, agreed) = us.answer(&phone, Direction::SendRecv).unwrap();
    let stream = &agreed.stream;
    assert_eq!((stream.codec, stream.send_pt, stream.recv_pt), (Codec::Opus, 96, 96));
    let wishes =
        OpusWishes { fec: true, max_playback_hz: 8000, max_bitrate: 20_000, constant_rate: false };
    assert_eq!(stream.opus, wishes);
    let event = TelephoneEvent { send_pt: 98, recv_pt: 98, clock: 48_000 };
    assert_eq!(stream.telephone_event, Some(event));
    assert!(text.contains("m=audio 4000 RTP/AVP 96 97 98\r\n"), "{text}");
    let (_, agreed) = local(&[Codec::G722]).answer(&phone, Direction::SendRecv).unwrap();
    assert_eq!((agreed.stream.codec, agreed.stream.send_pt), (Codec::G722, 9));
    let event = TelephoneEvent { send_pt: 97, recv_pt: 97, clock: 8000 };
    assert_eq!(agreed.stream.telephone_event, Some(event));
}

#[test]
fn numbers_differ_by_direction_and_events_of_8000_hz_serve_beside_opus() {
    let mut us = local(&[Codec::Opus, Codec::Pcmu]);
    us.offer(Direction::SendRecv);
    let answer = offer(
        "m=audio 5000 RTP/AVP 107 101\na=rtpmap:107 opus/48000/2\n\
         a=rtpmap:101 telephone-event/8000",
    );
    let agreed = us.accept_answer(&answer).unwrap();
    assert_eq!((agreed.stream.send_pt, agreed.stream.recv_pt), (107, 111));
    assert_eq!(agreed.stream.telephone_event.map(|e| e.clock), Some(8000));
    assert_eq!(agreed.stream.opus, OpusWishes::default());
}

#[test]
fn an_opus_of_another_clock_is_none() {
    let odd = offer("m=audio 5000 RTP/AVP 96\na=rtpmap:96 opus/16000/2");
    assert!(local(&[Codec::Opus]).answer(&odd, Direction::SendRecv).is_err());
}

#[test]
fn what_a_description_names_first_is_known_whatever_its_number() {
    let opus = offer("m=audio 5000 RTP/AVP 3 99 0\na=rtpmap:99 opus/48000/2");
    assert_eq!(first_codec(&opus), Some(Codec::Opus));
    assert_eq!(first_codec(&offer("m=audio 5000 RTP/AVP 9 0")), Some(Codec::G722));
    assert_eq!(first_codec(&offer("m=audio 5000 RTP/AVP 3 18")), None);
    assert_eq!(first_codec(b"nothing"), None);
}

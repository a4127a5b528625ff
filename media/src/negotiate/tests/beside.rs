//! What is passed on: codecs of others, video and fax.

use super::*;
use crate::engine::Carried;
use crate::srtp::SrtpSuite;

const VIDEO: &str = "m=video 4002 RTP/AVP 99 100\r\nb=TIAS:512000\r\na=rtpmap:99 H264/90000\r\n\
                     a=fmtp:99 profile-level-id=42801f;packetization-mode=1\r\n\
                     a=rtpmap:100 VP8/90000\r\na=rtcp-fb:* ccm fir\r\na=rtcp:4009\r\n\
                     a=candidate:1 1 UDP 1 10.0.0.7 4002 typ host\r\n";
const FAX: &str = "m=image 4004 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n\
                   a=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn head() -> String {
    theirs("RTP/AVP 0", "").split("m=audio").next().unwrap().to_owned()
}

fn through(sdp: &str, port: u16) -> Vec<(usize, Through)> {
    let streams = besides(sdp.as_bytes()).into_iter();
    streams.map(|(at, said)| (at, Through { said, port })).collect()
}

fn offered(sdp: &str, port: u16) -> Vec<Through> {
    through(sdp, port).into_iter().map(|(_, through)| through).collect()
}

#[test]
fn a_codec_that_is_only_passed_on_is_offered_and_answered_in_the_words_of_the_other_side() {
    let lines = "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:97 iLBC/8000\r\n\
                 a=fmtp:97 mode=30\r\n";
    let offer = theirs("RTP/AVP 18 97", lines);
    let passed = passed_codecs(offer.as_bytes());
    let names: Vec<_> = passed.iter().map(|(codec, _)| codec.to_string()).collect();
    assert_eq!(names, ["G729", "iLBC"]);
    assert!(!names_any(offer.as_bytes(), &Codec::ALL));
    assert_eq!(first_codec(offer.as_bytes()), None);
    let mut to_callee = local();
    to_callee.codecs = passed.iter().map(|(codec, _)| *codec).collect();
    to_callee.formats =
        passed.iter().filter_map(|(codec, format)| Some((*codec, format.clone()?))).collect();
    let mut callee = us(to_callee);
    let text = callee.offer(Direction::SendRecv);
    assert!(text.contains("m=audio 10000 RTP/AVP 18 112 101\r\n"), "{text}");
    assert!(text.contains("a=fmtp:18 annexb=no\r\n") && text.contains("a=fmtp:112 mode=30\r\n"));
    let answer = theirs("RTP/AVP 18", "a=fmtp:18 annexb=no\r\n");
    let agreed = callee.accept_answer(answer.as_bytes()).unwrap();
    assert_eq!((agreed.stream.codec.to_string().as_str(), agreed.stream.send_pt), ("G729", 18));
    // To the caller the same, once it is known; before, it has nothing in common with us.
    assert!(matches!(refusal(local(), &offer), NegotiateError::NoCommonCodec { .. }));
    let mut to_caller = local();
    to_caller.codecs.insert(0, agreed.stream.codec);
    let (text, agreed) = super::answer(to_caller, &offer);
    assert!(text.contains("m=audio 10000 RTP/AVP 18\r\n"), "{text}");
    assert_eq!(agreed.stream.codec.clock_rate(), 8000);
}

#[test]
fn keys_go_at_the_clock_of_a_codec_that_is_only_passed_on() {
    // A mobile network's: each clock has events of its own (3GPP TS 26.114 §6.2.2).
    let lines = "a=rtpmap:96 AMR-WB/16000\r\na=rtpmap:97 telephone-event/16000\r\n\
                 a=rtpmap:98 AMR/8000\r\na=rtpmap:99 telephone-event/8000\r\n";
    let offer = theirs("RTP/AVP 96 97 98 99", lines);
    let mut side = local();
    side.codecs = passed_codecs(offer.as_bytes()).iter().map(|(codec, _)| *codec).collect();
    let (text, agreed) = super::answer(side.clone(), &offer);
    assert!(text.contains("a=rtpmap:97 telephone-event/16000\r\n"), "{text}");
    let events = |pt, recv_pt, clock| Some(TelephoneEvent { send_pt: pt, recv_pt, clock });
    assert_eq!(agreed.stream.telephone_event, events(97, 97, 16_000));
    // Offered they are both, with numbers of their own; the answer says which codec it is.
    let mut callee = us(side);
    let text = callee.offer(Direction::SendRecv);
    for line in
        ["RTP/AVP 112 113 101 102", ":101 telephone-event/8000", ":102 telephone-event/16000"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let slow =
        theirs("RTP/AVP 113 101", "a=rtpmap:113 AMR/8000\r\na=rtpmap:101 telephone-event/8000\r\n");
    let agreed = callee.clone().accept_answer(slow.as_bytes()).unwrap();
    assert_eq!(agreed.stream.telephone_event, events(101, 101, 8000));
    let fast = theirs(
        "RTP/AVP 96 97",
        "a=rtpmap:96 AMR-WB/16000\r\na=rtpmap:97 telephone-event/16000\r\n",
    );
    let agreed = callee.accept_answer(fast.as_bytes()).unwrap();
    assert_eq!(agreed.stream.telephone_event, events(97, 102, 16_000));
}

#[test]
fn video_goes_through_in_the_words_of_the_other_side_and_with_our_address_only() {
    let offer = theirs("RTP/AVP 0", "") + VIDEO;
    let mut callee = us(local());
    let text = callee.offer_with(Direction::SendRecv, &offered(&offer, 12_000), true);
    assert!(text.contains("m=audio 10000 RTP/AVP 0 8 101\r\n"), "{text}");
    let video = text.split("m=video ").nth(1).unwrap();
    assert!(
        video.starts_with("12000 RTP/AVP 99 100\r\nb=TIAS:512000\r\na=rtpmap:99 H264/90000\r\n")
    );
    assert!(video.contains("a=rtcp-fb:* ccm fir\r\n") && video.contains("a=sendrecv\r\n"));
    assert!(!video.contains("4009") && !video.contains("10.0.0.7") && !video.contains("198.51"));
    // The callee takes one of the two formats, and only sends.
    let taken = "m=video 7000 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\na=sendonly\r\n";
    let agreed = callee.accept_answer((theirs("RTP/AVP 0", "") + taken).as_bytes()).unwrap();
    let [video] = &agreed.beside[..] else { panic!("{agreed:?}") };
    assert_eq!((video.port, video.pipe.remote.port(), video.pipe.send), (12_000, 7000, false));
    // So it is told the caller.
    let said = [(1, Through { said: video.said.clone(), port: 14_000 })];
    let mut caller = us(local());
    let (text, agreed) = caller.answer_with(offer.as_bytes(), Direction::SendRecv, &said).unwrap();
    assert!(text.contains("m=video 14000 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\na=sendonly\r\n"));
    let [video] = &agreed.beside[..] else { panic!("{agreed:?}") };
    assert_eq!(video.pipe.remote, "198.51.100.2:4002".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(video.pipe.remote_rtcp, Some("198.51.100.2:4009".parse().unwrap()));
    assert_eq!((video.pipe.carried, video.pipe.send), (Carried::Rtp, true));
    // Who refuses it has audio all the same.
    let refused = theirs("RTP/AVP 0", "") + "m=video 0 RTP/AVP 99\r\n";
    let mut callee = us(local());
    callee.offer_with(Direction::SendRecv, &offered(&offer, 12_000), true);
    assert!(callee.accept_answer(refused.as_bytes()).unwrap().beside.is_empty());
    let later = callee.offer(Direction::SendRecv);
    assert!(later.contains("m=video 0 RTP/AVP 99 100\r\n"), "it keeps its place: {later}");
}

#[test]
fn a_stream_is_encrypted_on_each_leg_as_the_audio_of_that_leg() {
    let offer = theirs("RTP/AVP 0", "") + VIDEO;
    let mut secure = us(Local { srtp: SrtpPolicy::Required, ..local() });
    let text = secure.offer_with(Direction::SendRecv, &offered(&offer, 12_000), true);
    let video = text.split("m=video ").nth(1).unwrap();
    assert!(video.starts_with("12000 RTP/SAVP 99 100\r\n"), "{video}");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("a=crypto:1 ")).collect();
    assert_eq!(lines.len(), 2);
    assert_ne!(lines[0], lines[1], "each stream has a key of its own");
    let suite = lines[1].split(' ').nth(1).unwrap();
    let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let tag = lines.iter().find(|line| line.contains("128_HMAC_SHA1_80"));
    assert!(tag.is_some() || suite.contains("AES"), "{suite}");
    let crypto = |pt| {
        let line = text.lines().find(|l| l.contains("AES_CM_128_HMAC_SHA1_80")).unwrap();
        let tag = line.split([':', ' ']).nth(1).unwrap();
        format!("RTP/SAVP {pt}\r\na=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
    };
    let answer = format!("{}m=audio 4000 {}m=video 7000 {}", head(), crypto(0), crypto(99));
    let agreed = secure.accept_answer(answer.as_bytes()).unwrap();
    let keys = agreed.beside[0].pipe.srtp.clone().unwrap();
    assert_eq!(
        (keys.rx.to_base64().as_str(), keys.rx.suite()),
        (KEY, SrtpSuite::AesCm128HmacSha1_80)
    );
    assert_ne!(Some(keys.tx), agreed.stream.srtp.map(|keys| keys.tx));
    // A stream in clear is refused where encryption is a must, and one with keys is answered so.
    let mut strict = us(Local { srtp: SrtpPolicy::Required, ..local() });
    let secure_audio = format!("{}m=audio 4000 {}", head(), crypto(0));
    let mixed = secure_audio.clone() + VIDEO;
    let (text, agreed) =
        strict.answer_with(mixed.as_bytes(), Direction::SendRecv, &through(&mixed, 9000)).unwrap();
    assert!(agreed.beside.is_empty() && text.contains("m=video 0 RTP/AVP 99 100\r\n"), "{text}");
    let both = secure_audio + &format!("m=video 4002 {}", crypto(99));
    let through = through(&both, 9000);
    let (text, agreed) =
        strict.answer_with(both.as_bytes(), Direction::SendRecv, &through).unwrap();
    assert!(agreed.beside[0].pipe.srtp.is_some() && text.contains("m=video 9000 RTP/SAVP 99\r\n"));
    // Held and resumed, our key stays.
    let (again, _) = strict.answer_with(both.as_bytes(), Direction::SendRecv, &through).unwrap();
    let key =
        |text: &str| text.lines().filter(|l| l.starts_with("a=crypto")).nth(1).map(String::from);
    assert_eq!(key(&text), key(&again));
}

#[test]
fn a_fax_takes_the_place_of_the_audio_and_gives_it_back() {
    // The gateway says that a fax has come; the other side is asked.
    let (audio, fax) = (theirs("RTP/AVP 0", ""), head() + FAX);
    let [mut gateway, mut machine] = [us(local()), us(local())];
    gateway.answer(audio.as_bytes(), Direction::SendRecv).unwrap();
    machine.offer(Direction::SendRecv);
    machine.accept_answer(audio.as_bytes()).unwrap();
    let asked = machine.offer_with(Direction::SendRecv, &offered(&fax, 12_000), false);
    assert_eq!(asked.matches("m=").count(), 1, "{asked}");
    assert!(asked.contains("m=image 12000 udptl t38\r\na=T38FaxVersion:0\r\n"), "{asked}");
    assert!(!asked.contains("rtpmap"), "{asked}");
    let agreed = machine.accept_answer(fax.as_bytes()).unwrap();
    assert!(!agreed.stream.send && !agreed.stream.receive && !agreed.remote_hold);
    assert_eq!(agreed.beside[0].pipe.carried, Carried::Udptl);
    let said = [(0, Through { said: agreed.beside[0].said.clone(), port: 14_000 })];
    let (text, agreed) = gateway.answer_with(fax.as_bytes(), Direction::SendRecv, &said).unwrap();
    assert!(text.contains("m=image 14000 udptl t38\r\n") && !text.contains("m=audio"), "{text}");
    assert_eq!(agreed.beside[0].pipe.remote.port(), 4004);
    // And back, both ways of asking.
    let (text, agreed) = gateway.answer(audio.as_bytes(), Direction::SendRecv).unwrap();
    assert!(text.contains("m=audio 10000 RTP/AVP 0\r\n") && !text.contains("m=image"), "{text}");
    assert!(agreed.stream.send && agreed.stream.receive && agreed.beside.is_empty());
    let back = machine.offer_with(Direction::SendRecv, &[], true);
    assert!(back.contains("m=audio 10000 RTP/AVP 0 ") && !back.contains("m=image"), "{back}");
    assert!(machine.accept_answer(audio.as_bytes()).unwrap().stream.send);
}

#[test]
fn a_fax_beside_a_stopped_audio_stream_keeps_both_places() {
    let mut gateway = us(local());
    gateway.answer(theirs("RTP/AVP 0", "").as_bytes(), Direction::SendRecv).unwrap();
    let fax = head() + "m=audio 0 RTP/AVP 0\r\n" + FAX;
    let said = through(&fax, 14_000);
    assert_eq!(said[0].0, 1);
    let (text, agreed) = gateway.answer_with(fax.as_bytes(), Direction::SendRecv, &said).unwrap();
    let (audio, image) = (text.find("m=audio 0 RTP/AVP"), text.find("m=image 14000 udptl t38"));
    assert!(audio.is_some() && audio < image, "{text}");
    assert_eq!(agreed.beside.len(), 1);
}

#[test]
fn a_call_may_begin_as_a_fax() {
    let fax = head() + FAX;
    let mut caller = us(local());
    let (text, agreed) =
        caller.answer_with(fax.as_bytes(), Direction::SendRecv, &through(&fax, 14_000)).unwrap();
    assert!(text.contains("m=image 14000 udptl t38\r\n"), "{text}");
    assert!(!agreed.stream.send && agreed.beside[0].pipe.send);
    let mut callee = us(local());
    let text = callee.offer_with(Direction::SendRecv, &offered(&fax, 12_000), false);
    assert!(text.contains("m=image 12000 udptl t38\r\n") && !text.contains("m=audio"), "{text}");
    assert_eq!(callee.accept_answer(fax.as_bytes()).unwrap().beside.len(), 1);
    let refused = head() + "m=image 0 udptl t38\r\n";
    let mut callee = us(local());
    callee.offer_with(Direction::SendRecv, &offered(&fax, 12_000), false);
    assert_eq!(callee.accept_answer(refused.as_bytes()), Err(NegotiateError::Refused));
}

#[test]
fn what_nobody_passes_on_is_no_stream_for_it() {
    let streams = [
        "m=image 0 udptl t38\r\n",
        "m=image 4004 TCP t38\r\n",
        "m=video 4002 UDP/TLS/RTP/SAVPF 99\r\n",
        "m=application 4002 UDP/BFCP *\r\n",
        "m=message 4002 TCP/MSRP *\r\n",
    ];
    for stream in streams {
        assert!(besides((theirs("RTP/AVP 0", "") + stream).as_bytes()).is_empty(), "{stream}");
    }
    assert_eq!(besides((theirs("RTP/AVP 0", "") + VIDEO + FAX).as_bytes()).len(), 2);
    assert_eq!(besides(b"nonsense"), []);
}

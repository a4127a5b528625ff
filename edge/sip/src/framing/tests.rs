use super::*;
use crate::header::HeaderName;
use crate::message::StatusCode;

fn options(call_id: &str, body: &str) -> String {
    format!(
        "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
         From: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn items(parser: &mut StreamParser) -> Vec<StreamItem> {
    std::iter::from_fn(|| parser.next().unwrap()).collect()
}

fn call_id(item: &StreamItem) -> String {
    let StreamItem::Message(message) = item else { panic!("{item:?}") };
    message.headers().text(&HeaderName::CallId).unwrap().into_owned()
}

#[test]
fn messages_come_out_whole_however_they_are_cut() {
    let stream = options("one", "abc") + &options("two", "") + &options("three", "\r\n\r\nx");
    for size in 1..stream.len() {
        let mut parser = StreamParser::default();
        let mut found = Vec::new();
        for chunk in stream.as_bytes().chunks(size) {
            parser.push(chunk);
            found.extend(items(&mut parser));
        }
        let ids: Vec<String> = found.iter().map(call_id).collect();
        assert_eq!(ids, ["one", "two", "three"], "chunks of {size}");
        assert!(parser.is_idle());
    }
}

#[test]
fn keep_alives_stand_between_messages() {
    let mut parser = StreamParser::default();
    parser.push(format!("\r\n\r\n{}\r\n{}", options("one", ""), options("two", "")).as_bytes());
    let found = items(&mut parser);
    assert_eq!(found[0], StreamItem::KeepAlivePing);
    assert_eq!(call_id(&found[1]), "one");
    assert_eq!(found[2], StreamItem::KeepAlivePong);
    assert_eq!(call_id(&found[3]), "two");
}

#[test]
fn a_pong_is_reported_at_once_and_a_ping_in_two_halves_is_still_answered() {
    let mut parser = StreamParser::default();
    parser.push(b"\r");
    assert_eq!(items(&mut parser), []);
    parser.push(b"\n");
    assert_eq!(items(&mut parser), [StreamItem::KeepAlivePong]);
    parser.push(b"\r\n");
    assert_eq!(items(&mut parser), [StreamItem::KeepAlivePing]);
    parser.push(b"\r\n\r");
    assert_eq!(items(&mut parser), []);
    parser.push(b"\n");
    assert_eq!(items(&mut parser), [StreamItem::KeepAlivePing]);
}

#[test]
fn what_leaves_the_end_of_a_message_unknown_ends_the_connection() {
    let length = |text: &str| options("x", "").replace("Content-Length: 0\r\n", text);
    for (stream, error) in [
        (length(""), FramingError::NoContentLength),
        (length("Content-Length: -1\r\n"), FramingError::BadContentLength),
        (length("Content-Length: five\r\n"), FramingError::BadContentLength),
        (length("Content-Length:\r\n"), FramingError::BadContentLength),
        (length("Content-Length: 99999999999999999999999\r\n"), FramingError::BadContentLength),
        (length("l: 0\r\nContent-Length: 1\r\n"), FramingError::BadContentLength),
        (length("bad line\r\nContent-Length: 0\r\nl: 2\r\n"), FramingError::BadContentLength),
        (length("Content-Length: 1048577\r\n"), FramingError::BodyTooLarge),
        (length(&"X: y\r\n".repeat(300)), FramingError::TooManyHeaders),
        (length(&format!("X: {}\r\n", "y".repeat(70_000))), FramingError::HeadTooLarge),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".into(), FramingError::NotSip),
        ("\u{16}\u{3}\u{1}".into(), FramingError::NotSip),
        ("\rX".into(), FramingError::NotSip),
        ("\n".into(), FramingError::NotSip),
    ] {
        let mut parser = StreamParser::default();
        parser.push(stream.as_bytes());
        assert_eq!(parser.next(), Err(error), "{stream:.60}");
        parser.push(options("late", "").as_bytes());
        assert_eq!(parser.next(), Err(error), "an error stays");
    }
}

#[test]
fn an_endless_head_is_cut_off_before_it_ends() {
    let mut parser = StreamParser::new(Limits { head: 1000, body: 1000 });
    parser.push(b"OPTIONS sip:a@b SIP/2.0\r\n");
    for _ in 0..100 {
        parser.push(b"X: yyyyyyyyyyyyyyyy\r\n");
        if parser.next() == Err(FramingError::HeadTooLarge) {
            return;
        }
    }
    panic!("never cut off");
}

#[test]
fn pushing_without_taking_out_is_bounded() {
    let mut parser = StreamParser::new(Limits { head: 1000, body: 1000 });
    for _ in 0..1000 {
        parser.push(&[b'x'; 1000]);
    }
    assert_eq!(parser.next(), Err(FramingError::Backlog));
}

#[test]
fn a_bad_message_in_a_good_frame_is_answered_and_the_stream_goes_on() {
    let bad = options("x", "abc").replace("CSeq: 1 OPTIONS", "CSeq: 1 BYE");
    let mut parser = StreamParser::default();
    parser.push((bad + &options("next", "")).as_bytes());
    let found = items(&mut parser);
    let StreamItem::Bad(rejected) = &found[0] else { panic!("{found:?}") };
    assert_eq!(rejected.error.kind, ErrorKind::MethodMismatch);
    assert_eq!(rejected.reply.as_ref().unwrap().status, StatusCode::BAD_REQUEST);
    assert_eq!(call_id(&found[1]), "next");
}

#[test]
fn the_same_content_length_twice_is_no_contradiction() {
    let mut parser = StreamParser::default();
    let twice = options("x", "abc").replace("CSeq", "l: 003\r\nCSeq");
    parser.push(twice.as_bytes());
    assert_eq!(call_id(&items(&mut parser)[0]), "x");
}

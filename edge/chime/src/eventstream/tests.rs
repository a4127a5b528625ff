//! Against the messages that Amazon's own SDKs are tested with (botocore and amazon-transcribe,
//! `test_eventstream.py`; the Smithy specification has the same).

use super::*;

fn read(octets: &[u8]) -> Result<Option<Message>, FrameError> {
    let mut decoder = Decoder::default();
    decoder.push(octets)?;
    decoder.message()
}

fn message(headers: &[(&str, Value)], payload: &'static [u8]) -> Message {
    let mut message = Message::new(Bytes::from_static(payload));
    for (name, value) in headers {
        message.set(name, value.clone());
    }
    message
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn known() -> Vec<(&'static [u8], Message)> {
    let one = |name, value| message(&[(name, value)], b"");
    let all = [
        ("0", Value::Bool(true)),
        ("1", Value::Bool(false)),
        ("2", Value::Byte(2)),
        ("3", Value::Short(3)),
        ("4", Value::Integer(4)),
        ("5", Value::Long(5)),
        ("6", Value::Bytes(Bytes::from_static(b"bytes"))),
        ("7", text("utf8")),
        ("8", Value::Timestamp(8)),
        ("9", Value::Uuid(*b"0123456789abcdef")),
    ];
    let error = [
        (":message-type", text("error")),
        (":error-code", text("code")),
        (":error-message", text("message")),
    ];
    vec![
        (b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff", message(&[], b"")),
        (
            b"\x00\x00\x00\x17\x00\x00\x00\x07)\x86\x01X\x04byte\x02\xff\xc2\xf8i\xdc",
            one("byte", Value::Byte(-1)),
        ),
        (
            b"\x00\x00\x00\x19\x00\x00\x00\tq\x0e\x92>\x05short\x03\xff\xff\xb2|\xb6\xcc",
            one("short", Value::Short(-1)),
        ),
        (
            b"\x00\x00\x00\x1d\x00\x00\x00\r\x83\xe3\xf0\xe7\x07integer\x04\xff\xff\xff\xff\x8b\x8e\x12\xeb",
            one("integer", Value::Integer(-1)),
        ),
        (
            b"\x00\x00\x00\x1e\x00\x00\x00\x0e]J\xdb\x8d\x04long\x05\xff\xff\xff\xff\xff\xff\xff\xffK\xc22\xda",
            one("long", Value::Long(-1)),
        ),
        (
            b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96",
            message(&[], b"{'foo':'bar'}"),
        ),
        (
            b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1",
            message(&[("content-type", text("application/json"))], b"{'foo':'bar'}"),
        ),
        (
            b"\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c\x010\x00\x011\x01\x012\x02\x02\x013\x03\x00\x03\
              \x014\x04\x00\x00\x00\x04\x015\x05\x00\x00\x00\x00\x00\x00\x00\x05\x016\x06\x00\x05bytes\x017\x07\x00\x04utf8\
              \x018\x08\x00\x00\x00\x00\x00\x00\x00\x08\x019\x090123456789abcdef\x63\x35\x36\x71",
            message(&all, b""),
        ),
        (
            b"\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\x0d:message-type\x07\x00\x05error\
              \x0b:error-code\x07\x00\x04code\x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d",
            message(&error, b""),
        ),
    ]
}

#[test]
fn amazons_messages_are_read_and_written_to_the_octet() {
    for (octets, message) in known() {
        assert_eq!(read(octets).unwrap().as_ref(), Some(&message));
        assert_eq!(message.encode().unwrap(), octets);
    }
}

#[test]
fn messages_come_whole_however_the_stream_is_cut() {
    let all: Vec<u8> = known().iter().flat_map(|(octets, _)| octets.to_vec()).collect();
    for piece in [1, 2, 3, 7, 64, all.len()] {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for octets in all.chunks(piece) {
            decoder.push(octets).unwrap();
            while let Some(message) = decoder.message().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, known().into_iter().map(|(_, message)| message).collect::<Vec<_>>());
        decoder.finish().unwrap();
    }
}

#[test]
fn a_message_has_64_headers_at_the_most() {
    for (count, good) in [(64, true), (65, false)] {
        let mut message = Message::new(Bytes::new());
        for n in 0..count {
            message.set(&format!("h{n}"), Value::Bool(true));
        }
        let outcome = read(&message.encode().unwrap());
        assert_eq!(outcome, if good { Ok(Some(message)) } else { Err(FrameError::Headers) });
    }
}

#[test]
fn what_is_broken_on_its_way_is_not_believed() {
    let broken: [(&[u8], FrameError); 4] = [
        // Its length.
        (
            b"\x01\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96",
            FrameError::Checksum,
        ),
        // Its payload.
        (
            b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'\x8d\xc3e96",
            FrameError::Checksum,
        ),
        // A header's name.
        (
            b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent+type\x07\x00\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1",
            FrameError::Checksum,
        ),
        // A header that stands twice.
        (
            b"\x00\x00\x00\x24\x00\x00\x00\x14\x4b\xb9\x82\xd0\x04test\x04asdf\x04test\x04asdf\xf3\xf4\x75\x63",
            FrameError::Headers,
        ),
    ];
    for (octets, error) in broken {
        assert_eq!(read(octets), Err(error));
    }
    assert_eq!(read(b"HTTP/1.1 200 OK\r\n"), Err(FrameError::Checksum));
    let mut decoder = Decoder::default();
    decoder.push(&known()[5].0[..20]).unwrap();
    assert_eq!((decoder.message(), decoder.finish()), (Ok(None), Err(FrameError::Torn)));
}

/// Right checksums around lengths and headers that make no sense.
#[test]
fn a_message_that_lies_about_itself_is_refused_before_anything_is_kept_for_it() {
    let prelude = |total: u32, headers: u32| {
        let mut octets = BytesMut::new();
        octets.put_u32(total);
        octets.put_u32(headers);
        octets.put_u32(crc32(&octets));
        octets
    };
    for (total, headers, error) in [
        (u32::MAX, 0, FrameError::TooLong(u32::MAX as usize)),
        (15, 0, FrameError::Lengths),
        (0, 0, FrameError::Lengths),
        (40, 25, FrameError::Lengths),
        (40, u32::MAX, FrameError::Lengths),
        (500_000, 200_000, FrameError::Lengths),
    ] {
        assert_eq!(read(&prelude(total, headers)), Err(error), "{total} {headers}");
    }
    for headers in [
        &b"\x05abc"[..],
        b"\x01a\x07\x00\x09abc",
        b"\x01a\x0a",
        b"\x01a",
        b"\x00\x00",
        b"\x01\xff\x00",
    ] {
        let length = u32::try_from(headers.len()).unwrap();
        let mut octets = prelude(16 + length, length);
        octets.put_slice(headers);
        octets.put_u32(crc32(&octets));
        assert_eq!(read(&octets), Err(FrameError::Headers), "{headers:?}");
    }
    let long = vec![b'x'; 0x8000];
    let header = message(&[("a", Value::Text(String::from_utf8(long).unwrap()))], b"");
    assert_eq!(header.encode(), Err(FrameError::TooLong(0x8000)));
    assert!(Message::new(Bytes::from(vec![0; MOST_MESSAGE])).encode().is_err());
}

use super::*;
use crate::header::{Contact, From_, HeaderName, Supported, To, Via};
use crate::message::{Method, Response, StatusCode};

const REGISTER: &str = "REGISTER sip:example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport, SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bKb\r\n\
    Max-Forwards: 70\r\n\
    f: \"A \\\"B\\\" <c>\" <sip:a@example.com;x=1>;tag=ft\r\n\
    To: sip:a@example.com;tag=tt;y\r\n\
    i: abc@host\r\n\
    CSeq: 7 REGISTER\r\n\
    m: <sip:a@192.0.2.1>;expires=60, sip:b@192.0.2.2;q=0.5\r\n\
    k: path\r\n\
    Supported: gruu, outbound\r\n\
    X-Odd: a\r\n  b\r\n\
    l: 3\r\n\r\nabc";

#[test]
fn a_request_is_read_and_printed() {
    let Ok(Message::Request(request)) = datagram(Bytes::from_static(REGISTER.as_bytes())) else {
        panic!("no request");
    };
    assert_eq!(request.method, Method::Register);
    assert_eq!(request.call_id().as_deref(), Some("abc@host"));
    assert_eq!(request.from_tag().as_deref(), Some("ft"));
    assert_eq!(request.to_tag().as_deref(), Some("tt"));
    let from: From_ = request.headers.typed().unwrap().unwrap();
    assert_eq!(from.display.as_deref(), Some("A \"B\" <c>"));
    assert_eq!(from.uri.to_string(), "sip:a@example.com;x=1");
    let to: To = request.headers.typed().unwrap().unwrap();
    assert!(to.params.has("y"));
    let vias = request.headers.typed_list::<Via>().unwrap();
    assert_eq!(vias.len(), 2);
    assert_eq!(vias[0].rport(), Some(None));
    assert_eq!(vias[1].sent_by.port, Some(5070));
    let contacts = request.headers.typed_list::<Contact>().unwrap();
    assert_eq!(contacts[0].expires(), Some(60));
    assert_eq!(contacts[1].q(), 500);
    let supported: Supported = request.headers.typed().unwrap().unwrap();
    assert!(supported.has("path") && supported.has("outbound"));
    assert_eq!(&*request.body, b"abc");
    let printed = request.to_bytes();
    assert!(printed.ends_with(b"X-Odd: a\r\n  b\r\nContent-Length: 3\r\n\r\nabc"));
    assert_eq!(datagram(printed), Ok(Message::Request(request)));
}

#[test]
fn an_answer_copies_what_it_must_and_gets_a_tag() {
    let text = REGISTER.replace(";tag=tt", "");
    let Ok(Message::Request(request)) = datagram(text.into()) else { panic!("no request") };
    let mut answer = Response::to_request(&request, StatusCode::OK, None);
    answer.ensure_to_tag("mine");
    assert_eq!(answer.to_tag().as_deref(), Some("mine"));
    answer.headers.remove_first_value(&HeaderName::Via);
    assert_eq!(answer.headers.typed_list::<Via>().unwrap().len(), 1);
    assert!(answer.to_bytes().starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP [2001:db8::1]"));
}

#[test]
fn a_tag_is_read_to_its_end_whatever_it_is_made_of() {
    for tag in ["as6f+/=", "a@b:5060", "{x}"] {
        let text = REGISTER.replace("tag=ft", &format!("tag={tag} ;y")).replace("=tt;", "=\t;");
        let Ok(Message::Request(request)) = datagram(text.into()) else { panic!("no request") };
        assert_eq!(request.from_tag().as_deref(), Some(tag));
        assert_eq!(request.from().unwrap().tag(), Some(tag));
        assert_eq!(request.to_tag(), None, "empty");
    }
}

#[test]
fn a_name_in_latin_1_goes_back_as_it_came() {
    let text =
        REGISTER.replace("To: sip:a@example.com;tag=tt;y", "To: \"J_rg\" <sip:a@example.com>");
    let latin: Vec<u8> = text.bytes().map(|b| if b == b'_' { 0xf6 } else { b }).collect();
    let Ok(Message::Request(request)) = datagram(latin.into()) else { panic!("no request") };
    assert_eq!(request.to().unwrap().display.as_deref(), Some("J\u{f6}rg"));
    let mut answer = Response::to_request(&request, StatusCode::OK, None);
    answer.ensure_to_tag("mine");
    let to = answer.headers.get(&HeaderName::To).unwrap();
    assert_eq!(to.as_bytes(), b"\"J\xf6rg\" <sip:a@example.com>;tag=mine");
}

#[test]
fn a_missing_header_is_answered_400_and_an_ack_is_not() {
    let text = REGISTER.replace("i: abc@host\r\n", "");
    let rejected = datagram(text.clone().into()).unwrap_err();
    assert_eq!(rejected.error.kind, ErrorKind::Missing(HeaderName::CallId));
    let reply = rejected.reply.unwrap();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.reason_text(), "Bad Request: Call-ID is missing");
    let ack = text.replace("REGISTER", "ACK");
    assert_eq!(datagram(ack.into()).unwrap_err().reply, None);
}

#[test]
fn hostile_numbers_of_fields_values_and_parameters_are_refused() {
    let with = |text: &str| REGISTER.replace("Max-Forwards: 70\r\n", text);
    let kind = |text: String| datagram(text.into()).unwrap_err().error.kind;
    assert_eq!(kind(with(&"X: y\r\n".repeat(MAX_HEADERS + 1))), ErrorKind::TooManyHeaders);
    let vias = format!("Via: {}SIP/2.0/UDP h\r\n", "SIP/2.0/UDP h, ".repeat(MAX_VALUES));
    assert_eq!(kind(with(&vias)), ErrorKind::TooManyValues(HeaderName::Via));
    let params = format!("Via: SIP/2.0/UDP h{}\r\n", ";a=b".repeat(crate::uri::MAX_PARAMS + 1));
    assert!(matches!(kind(with(&params)), ErrorKind::Header(_)));
}

#[test]
fn keep_alive_datagrams_are_no_messages_and_not_answered() {
    for octets in ["", "\r\n", "\r\n\r\n", "\0\0\0\0"] {
        let rejected = datagram(octets.into()).unwrap_err();
        assert_eq!((rejected.error.kind, rejected.reply), (ErrorKind::Empty, None), "{octets:?}");
    }
}

#[test]
fn lines_that_are_no_fields_are_refused() {
    let with = |text: &str| REGISTER.replace("Max-Forwards: 70\r\n", text);
    for line in
        ["no colon\r\n", ": no name\r\n", "a b: c\r\n", "X: a\rb\r\n", "X: a\nb\r\n", "é: x\r\n"]
    {
        let rejected = datagram(with(line).into()).unwrap_err();
        assert!(matches!(rejected.error.kind, ErrorKind::HeaderLine(_)), "{line:?}: {rejected}");
        assert!(rejected.reply.is_some(), "{line:?}");
        assert!(rejected.error.offset > 0, "{line:?}");
    }
    let open = REGISTER.replace("\r\n\r\nabc", "\r\n");
    assert_eq!(datagram(open.into()).unwrap_err().error.kind, ErrorKind::NoEmptyLine);
}

#[test]
fn an_answer_to_the_same_request_has_the_same_tag() {
    let bad = REGISTER.replace("CSeq: 7", "CSeq: x").replace(";tag=tt;y", "");
    let tag = |text: &str| {
        datagram(Bytes::copy_from_slice(text.as_bytes())).unwrap_err().reply.unwrap().to_tag()
    };
    assert!(tag(&bad).is_some());
    assert_eq!(tag(&bad), tag(&bad));
    assert_ne!(tag(&bad), tag(&bad.replace("abc@host", "abd@host")));
}

//! What is read in the messages that are valid, value by value.

use bytes::Bytes;
use offhook_sip::framing::{StreamItem, StreamParser};
use offhook_sip::header::{
    Authorization, Contact, Expires, MaxForwards, ProxyRequire, RecordRoute, Require, RetryAfter,
    Route, To, Via, ViaTransport, Warning,
};
use offhook_sip::header::{HeaderName, TypedHeader};
use offhook_sip::message::{Message, Method, Request, Response};
use offhook_sip::parse::datagram;
use offhook_sip::uri::Uri;

use crate::corpus;

fn request(name: &str) -> Request {
    match datagram(corpus::load(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match datagram(corpus::load(name)) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn first<T: TypedHeader>(request: &Request) -> T {
    request.headers.typed().unwrap().unwrap()
}

#[test]
fn the_short_tortuous_invite_is_read_right() {
    let request = request("rfc4475/wsinv");
    assert_eq!(request.method, Method::Invite);
    assert_eq!(request.to_tag().as_deref(), Some("1918181833n"));
    assert_eq!(request.from().unwrap().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(request.from_tag().as_deref(), Some("98asjd8"));
    assert_eq!(first::<MaxForwards>(&request), MaxForwards(68));
    assert_eq!(request.cseq().unwrap().seq, 9);
    let vias = request.headers.typed_list::<Via>().unwrap();
    let hops: Vec<(String, Option<&str>)> =
        vias.iter().map(|v| (format!("{} {}", v.transport, v.sent_by), v.branch())).collect();
    assert_eq!(
        hops,
        [
            ("UDP 192.0.2.2".into(), Some("390skdjuw")),
            ("TCP spindle.example.com".into(), Some("z9hG4bK9ikj8")),
            ("UDP 192.168.255.111".into(), Some("z9hG4bK30239")),
        ]
    );
    let unknown = HeaderName::parse(b"newfangledheader").unwrap();
    assert_eq!(
        request.headers.text(&unknown).as_deref(),
        Some("newfangled value continued newfangled value")
    );
    let unusual = HeaderName::parse(b"UnknownHeaderWithUnusualValue").unwrap();
    assert_eq!(request.headers.text(&unusual).as_deref(), Some(";;,,;;,;"));
    assert_eq!(request.headers.text(&HeaderName::Subject).as_deref(), Some(""));
    let route: Route = first(&request);
    assert!(route.uri.as_sip().unwrap().params.has("lr"));
    let Contact::Addr(contact) = first(&request) else { panic!("star") };
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert!(contact.params.has("secondparam"));
    assert_eq!(Contact::Addr(contact).q(), 330);
    assert_eq!(request.body.len(), 150);
}

#[test]
fn the_wide_range_of_characters_is_read_right() {
    let request = request("rfc4475/intmeth");
    assert_eq!(request.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    let uri = request.uri.as_sip().unwrap();
    assert_eq!(uri.host().to_string(), "example.com");
    assert_eq!(
        uri.user_decoded().as_deref(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(request.to().unwrap().display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let from = request.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(from.params.unquoted("fromParam''~+*_!.-%").as_deref(), Some("работающий"));
    assert_eq!(request.top_via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    let extension = HeaderName::parse(b"extensionHeader-!.%*+_`'~").unwrap();
    assert_eq!(request.headers.text(&extension).as_deref(), Some("\u{feff}大停電"));
}

#[test]
fn escapes_are_kept_and_compared_as_what_they_stand_for() {
    let esc01 = request("rfc4475/esc01");
    assert_eq!(esc01.uri.user_decoded().as_deref(), Some("sips:user@example.com"));
    assert_eq!(esc01.uri.to_string(), "sip:sips%3Auser%40example.com@example.net");
    assert!(esc01.to().unwrap().uri.equivalent(&"sip:user@example.com".parse().unwrap()));
    assert_eq!(esc01.from().unwrap().uri.user_decoded().as_deref(), Some("I have spaces"));
    let contact: Contact = first(&esc01);
    let same: Uri = "sip:caller@host5.example.net;%6C%72;n%61me=value%25%34%31".parse().unwrap();
    assert!(contact.uri().unwrap().equivalent(&same));
    let unlike: Uri = "sip:caller@host5.example.net;%6C%72;n%61me=valueA".parse().unwrap();
    assert!(!contact.uri().unwrap().equivalent(&unlike), "escapes are decoded once");

    let escnull = request("rfc4475/escnull");
    let contacts = escnull.headers.typed_list::<Contact>().unwrap();
    assert_eq!(contacts.len(), 2);
    assert!(!contacts[0].uri().unwrap().equivalent(contacts[1].uri().unwrap()));
    assert_eq!(escnull.to().unwrap().uri.user_decoded().as_deref(), Some("null-\0-null"));

    let esc02 = request("rfc4475/esc02");
    assert!(matches!(&esc02.method, Method::Other(m) if **m == *"RE%47IST%45R"));
    assert_eq!(esc02.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(esc02.headers.typed_list::<Contact>().unwrap().len(), 2);

    let semiuri = request("rfc4475/semiuri");
    assert_eq!(semiuri.uri.user_decoded().as_deref(), Some("user;par=u@example.net"));
}

#[test]
fn long_values_and_many_vias_are_read_right() {
    let request = request("rfc4475/longreq");
    let vias = request.headers.typed_list::<Via>().unwrap();
    assert_eq!(vias.len(), 34);
    assert_eq!(vias[33].branch().map(str::len), Some(4 + 200 + 11));
    assert_eq!(request.from_tag().map(|t| t.len()), Some(2 + 150 + 3));
    let to: To = first(&request);
    assert_eq!(to.uri.as_sip().unwrap().params.len(), 3);
    assert_eq!(to.uri.as_sip().unwrap().port(), Some(6000));
}

#[test]
fn octets_behind_a_datagram_are_dropped_and_on_a_stream_the_next_message() {
    let octets = corpus::load("rfc4475/dblreq");
    let request = request("rfc4475/dblreq");
    assert_eq!((request.method, request.body.len()), (Method::Register, 0));
    let mut parser = StreamParser::default();
    parser.push(&octets);
    parser.next().unwrap().unwrap();
    let Some(StreamItem::Message(Message::Request(second))) = parser.next().unwrap() else {
        panic!("no second message")
    };
    assert_eq!((second.method, second.body.len()), (Method::Invite, 150));
}

#[test]
fn bodies_hold_any_octets() {
    let request = request("rfc4475/mpart01");
    assert_eq!(request.body.len(), 553);
    assert!(request.body.contains(&0));
    assert!(request.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
}

#[test]
fn reason_phrases_may_be_anything_or_nothing() {
    let unusual = response("rfc4475/unreason");
    assert!(unusual.reason_text().starts_with("= 2**3 * 5**2 но сто девяносто"));
    assert_eq!(response("rfc4475/noreason").reason, Bytes::new());
    let text = corpus::load("rfc4475/noreason");
    let no_space = [&text[..11], &text[12..]].concat();
    assert!(no_space.starts_with(b"SIP/2.0 100\r\n"));
    assert!(datagram(no_space.into()).is_ok(), "a liberal receiver accepts it anyway");
}

#[test]
fn what_the_layers_above_need_for_their_verdict_is_there() {
    let transports = request("rfc4475/transports");
    let vias = transports.headers.typed_list::<Via>().unwrap();
    assert_eq!(vias[3].transport, ViaTransport::Other("UNKNOWN".into()));
    for name in ["rfc4475/unkscm", "rfc4475/novelsc"] {
        assert!(matches!(request(name).uri, Uri::Other(_)), "{name}");
    }
    assert_eq!(request("rfc4475/unkscm").uri.scheme(), "nobodyKnowsThisScheme");
    assert!(matches!(request("rfc4475/unksm2").to().unwrap().uri, Uri::Other(_)));
    let bext01 = request("rfc4475/bext01");
    assert!(first::<Require>(&bext01).has("nothingSupportsThisEither"));
    assert!(first::<ProxyRequire>(&bext01).has("norDoAnyProxiesSupportThis"));
    assert!(!first::<Authorization>(&request("rfc4475/regaut01")).0.is("Digest"));
    assert_eq!(first::<MaxForwards>(&request("rfc4475/zeromf")), MaxForwards(0));
    assert_eq!(request("rfc4475/badbranch").top_via().unwrap().branch(), Some("z9hG4bK"));
    let old = request("rfc4475/inv2543");
    assert_eq!((old.from_tag(), old.top_via().unwrap().branch()), (None, None));
    assert_eq!(
        first::<RecordRoute>(&old).uri.to_string(),
        "sip:UserB@example.com;maddr=ss1.example.com"
    );
    assert!(old.to().unwrap().params.has("user"), "without brackets it belongs to the header");
    assert!(old.body.starts_with(b"v=0\r\n"));
}

#[test]
fn parameters_of_a_contact_are_not_those_of_its_uri() {
    let outside: Contact = first(&request("rfc4475/cparam01"));
    assert!(outside.addr().unwrap().params.has("unknownparam"));
    assert!(outside.uri().unwrap().as_sip().unwrap().params.is_empty());
    let inside: Contact = first(&request("rfc4475/cparam02"));
    assert!(inside.addr().unwrap().params.is_empty());
    assert!(inside.uri().unwrap().as_sip().unwrap().params.has("unknownparam"));
    let escaped: Contact = first(&request("rfc4475/regescrt"));
    assert_eq!(
        escaped.uri().unwrap().to_string(),
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E"
    );
}

#[test]
fn overlarge_scalars_are_no_numbers() {
    let big = format!("1{}", "0".repeat(100));
    assert!(Expires::parse_value(&big).is_err());
    assert!(MaxForwards::parse_value("300").is_err());
    assert!(RetryAfter::parse_value("949302838503028349304023988").is_err());
    assert!(Warning::parse_value("1812 overture \"In Progress\"").is_err());
    let contact = Contact::parse_value("<sip:a@b>;expires=280297596632815").unwrap();
    assert_eq!(contact.expires(), Some(u32::MAX), "RFC 3261 §20.10");
}

#[test]
fn ipv6_addresses_are_told_from_their_ports() {
    let host = |name: &str| request(name).uri.as_sip().unwrap().host_port.clone();
    assert_eq!(host("rfc5118/port-ambiguous").port, None);
    assert_eq!(host("rfc5118/port-ambiguous").to_string(), "[2001:db8::10:5070]");
    assert_eq!(host("rfc5118/port-unambiguous").port, Some(5070));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let via = request(&format!("rfc5118/{name}")).top_via().unwrap();
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()), "{name}");
    }
    let vias = request("rfc5118/mult-ip-in-header").headers.typed_list::<Via>().unwrap();
    assert_eq!(vias[2].received(), Some("192.0.2.200".parse().unwrap()));
    assert_eq!(vias[0].sent_by.port, Some(6050));
    let mapped = request("rfc5118/ipv4-mapped-ipv6").top_via().unwrap();
    assert_eq!(mapped.sent_by.to_string(), "[::ffff:192.0.2.10]:19823");
    assert_eq!(
        host("rfc5118/ipv6-bug-abnf-3-colons"),
        host("rfc5118/ipv6-correct-abnf-2-colons"),
        "RFC 5118 §4.10: the third colon is tolerated and not passed on"
    );
}

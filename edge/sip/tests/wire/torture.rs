//! RFC 4475 and RFC 5118, one row for each message.

use bytes::Bytes;
use offhook_sip::framing::{FramingError, StreamItem, StreamParser};
use offhook_sip::header::{
    Authorization, Contact, Expires, MaxForwards, ProxyRequire, RecordRoute, Require, RetryAfter,
    Route, To, Via, ViaTransport, Warning,
};
use offhook_sip::header::{HeaderName, TypedHeader};
use offhook_sip::message::{Message, Method, Request, Response};
use offhook_sip::parse::datagram;
use offhook_sip::uri::Uri;

use crate::corpus;

/// What becomes of it as a datagram.
enum Gram {
    Accepted,
    /// Answered with that status.
    Answered(u16),
    Dropped,
}

/// What becomes of it on a stream.
enum Stream {
    /// The same.
    Same,
    /// More octets are waited for.
    Waits,
    /// The connection is closed.
    Closed(FramingError),
}

use FramingError::{BadContentLength, NoContentLength};
use Gram::{Accepted, Answered, Dropped};
use Stream::{Closed, Same, Waits};

/// Name, section, verdicts. What the appliance answers to an accepted one: tests/tests/torture.rs.
const TABLE: &[(&str, &str, Gram, Stream)] = &[
    ("rfc4475/wsinv", "3.1.1.1", Accepted, Same),
    ("rfc4475/intmeth", "3.1.1.2", Accepted, Same),
    ("rfc4475/esc01", "3.1.1.3", Accepted, Same),
    ("rfc4475/escnull", "3.1.1.4", Accepted, Same),
    ("rfc4475/esc02", "3.1.1.5", Accepted, Same),
    ("rfc4475/lwsdisp", "3.1.1.6", Accepted, Same),
    ("rfc4475/longreq", "3.1.1.7", Accepted, Same),
    ("rfc4475/dblreq", "3.1.1.8", Accepted, Same),
    ("rfc4475/semiuri", "3.1.1.9", Accepted, Same),
    ("rfc4475/transports", "3.1.1.10", Accepted, Same),
    ("rfc4475/mpart01", "3.1.1.11", Accepted, Same),
    ("rfc4475/unreason", "3.1.1.12", Accepted, Same),
    ("rfc4475/noreason", "3.1.1.13", Accepted, Same),
    ("rfc4475/badinv01", "3.1.2.1", Answered(400), Same),
    ("rfc4475/clerr", "3.1.2.2", Answered(400), Waits),
    ("rfc4475/ncl", "3.1.2.3", Answered(400), Closed(BadContentLength)),
    ("rfc4475/scalar02", "3.1.2.4", Answered(400), Same),
    ("rfc4475/scalarlg", "3.1.2.5", Dropped, Same),
    ("rfc4475/quotbal", "3.1.2.6", Answered(400), Same),
    ("rfc4475/ltgtruri", "3.1.2.7", Answered(400), Same),
    ("rfc4475/lwsruri", "3.1.2.8", Answered(400), Same),
    ("rfc4475/lwsstart", "3.1.2.9", Answered(400), Same),
    ("rfc4475/trws", "3.1.2.10", Answered(400), Same),
    ("rfc4475/escruri", "3.1.2.11", Answered(400), Same),
    ("rfc4475/baddate", "3.1.2.12", Accepted, Same), // nobody reads Date
    ("rfc4475/regbadct", "3.1.2.13", Answered(400), Same),
    ("rfc4475/badaspec", "3.1.2.14", Accepted, Same), // the spaces are ignored
    ("rfc4475/baddn", "3.1.2.15", Answered(400), Same),
    ("rfc4475/badvers", "3.1.2.16", Answered(505), Same),
    ("rfc4475/mismatch01", "3.1.2.17", Answered(400), Same),
    ("rfc4475/mismatch02", "3.1.2.18", Answered(501), Same),
    ("rfc4475/bigcode", "3.1.2.19", Dropped, Same),
    ("rfc4475/badbranch", "3.2.1", Accepted, Same),
    ("rfc4475/insuf", "3.3.1", Answered(400), Same),
    ("rfc4475/unkscm", "3.3.2", Accepted, Same),
    ("rfc4475/novelsc", "3.3.3", Accepted, Same),
    ("rfc4475/unksm2", "3.3.4", Accepted, Same),
    ("rfc4475/bext01", "3.3.5", Accepted, Same),
    ("rfc4475/invut", "3.3.6", Accepted, Same),
    ("rfc4475/regaut01", "3.3.7", Accepted, Same),
    ("rfc4475/multi01", "3.3.8", Answered(400), Same),
    ("rfc4475/mcl01", "3.3.9", Answered(400), Closed(BadContentLength)),
    ("rfc4475/bcast", "3.3.10", Accepted, Same),
    ("rfc4475/zeromf", "3.3.11", Accepted, Same),
    ("rfc4475/cparam01", "3.3.12", Accepted, Same),
    ("rfc4475/cparam02", "3.3.13", Accepted, Same),
    ("rfc4475/regescrt", "3.3.14", Accepted, Same),
    ("rfc4475/sdp01", "3.3.15", Accepted, Same),
    ("rfc4475/inv2543", "3.4.1", Accepted, Closed(NoContentLength)),
    ("rfc5118/ipv6-good", "4.1", Accepted, Same),
    ("rfc5118/ipv6-bad", "4.2", Answered(400), Same),
    ("rfc5118/port-ambiguous", "4.3", Accepted, Same),
    ("rfc5118/port-unambiguous", "4.4", Accepted, Same),
    ("rfc5118/via-received-param-with-delim", "4.5", Accepted, Same),
    ("rfc5118/via-received-param-no-delim", "4.5", Accepted, Same),
    ("rfc5118/ipv6-in-sdp", "4.6", Accepted, Same),
    ("rfc5118/mult-ip-in-header", "4.7", Accepted, Same),
    ("rfc5118/mult-ip-in-sdp", "4.8", Accepted, Same),
    ("rfc5118/ipv4-mapped-ipv6", "4.9", Accepted, Same),
    ("rfc5118/ipv6-bug-abnf-3-colons", "4.10", Accepted, Same),
    ("rfc5118/ipv6-correct-abnf-2-colons", "4.10", Accepted, Same),
];

#[test]
fn every_message_has_a_row() {
    let rows: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    for (name, _) in corpus::all() {
        assert!(rows.contains(&name.as_str()), "{name}");
    }
    assert_eq!(rows.len(), 61);
}

#[test]
fn every_datagram_meets_its_verdict() {
    for (name, section, gram, _) in TABLE {
        let result = datagram(corpus::load(name));
        let met = match (gram, &result) {
            (Accepted, Ok(_)) => true,
            (Dropped, Err(rejected)) => rejected.reply.is_none(),
            (Answered(status), Err(rejected)) => {
                rejected.reply.as_ref().is_some_and(|r| r.status.code() == *status)
            }
            _ => false,
        };
        assert!(met, "{name} (§{section}): {result:?}");
    }
}

#[test]
fn every_rejected_message_is_rejected_for_its_own_fault() {
    let faults = [
        ("rfc4475/badinv01", "Via: parameters: empty or malformed parameter"),
        ("rfc4475/clerr", "body has 154 octets of 9999"),
        ("rfc4475/ncl", "malformed or contradictory Content-Length"),
        ("rfc4475/scalar02", "CSeq: malformed number, or out of range"),
        ("rfc4475/scalarlg", "CSeq: malformed number, or out of range"),
        ("rfc4475/quotbal", "To: unbalanced quotes"),
        ("rfc4475/ltgtruri", "Request-URI: no scheme, or nothing behind it"),
        ("rfc4475/lwsruri", "Request-URI: character that must be escaped"),
        ("rfc4475/lwsstart", "malformed start line: more than one space"),
        ("rfc4475/trws", "malformed start line: more than one space"),
        ("rfc4475/escruri", "malformed start line: headers in Request-URI"),
        ("rfc4475/regbadct", "Contact: unbalanced angle brackets"),
        ("rfc4475/baddn", "From: several values where one is allowed"),
        ("rfc4475/badvers", "SIP version is not 2.0"),
        ("rfc4475/mismatch01", "CSeq has another method than the request line"),
        ("rfc4475/mismatch02", "CSeq has another method than the request line"),
        ("rfc4475/bigcode", "status code out of range"),
        ("rfc4475/insuf", "From is missing"),
        ("rfc4475/multi01", "From is there more than once"),
        ("rfc4475/mcl01", "malformed or contradictory Content-Length"),
        ("rfc5118/ipv6-bad", "Request-URI: malformed host"),
    ];
    let rejected = TABLE.iter().filter(|row| !matches!(row.2, Accepted)).map(|row| row.0);
    assert_eq!(rejected.collect::<Vec<_>>(), faults.map(|f| f.0));
    for (name, fault) in faults {
        assert_eq!(
            datagram(corpus::load(name)).unwrap_err().error.kind.to_string(),
            fault,
            "{name}"
        );
    }
}

#[test]
fn every_stream_meets_its_verdict() {
    for (name, section, _, stream) in TABLE {
        let octets = corpus::load(name);
        let mut parser = StreamParser::default();
        parser.push(&octets);
        let found = parser.next();
        let met = match (stream, &found) {
            (Same, Ok(Some(StreamItem::Message(message)))) => {
                datagram(octets).as_ref() == Ok(message)
            }
            (Same, Ok(Some(StreamItem::Bad(rejected)))) => {
                datagram(octets).as_ref() == Err(rejected)
            }
            (Waits, Ok(None)) => true,
            (Closed(expected), Err(error)) => expected == error,
            _ => false,
        };
        assert!(met, "{name} (§{section}): {found:?}");
    }
}

#[test]
fn every_accepted_message_survives_printing() {
    for (name, octets) in corpus::all() {
        let Ok(message) = datagram(octets) else { continue };
        let printed = message.to_bytes();
        let again = datagram(printed.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(again, message, "{name}");
        assert_eq!(again.to_bytes(), printed, "{name}");
    }
}

#[test]
fn every_answer_to_a_rejected_request_is_a_message_unless_it_copies_the_fault() {
    for (name, octets) in corpus::all() {
        let Some(reply) = datagram(octets).err().and_then(|r| r.reply) else { continue };
        let printed = reply.to_bytes();
        assert!(printed.starts_with(b"SIP/2.0 "), "{name}");
        assert!(reply.headers.has(&HeaderName::Via), "{name}");
        if reply.headers.has(&HeaderName::To) {
            let to = reply.headers.text(&HeaderName::To).unwrap();
            assert!(to.contains(";tag="), "{name}: {to}");
        }
    }
}

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

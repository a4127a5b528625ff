//! Properties of any message, and of any octets.

use bytes::Bytes;
use offhook_sip::framing::{FramingError, StreamItem, StreamParser};
use offhook_sip::header::{
    CSeq, CallId, Contact, ContentType, From_, HeaderName, Headers, MaxForwards, NameAddr, To,
    TypedHeader, Via, ViaTransport,
};
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::parse::datagram;
use offhook_sip::uri::{Host, HostPort, Params, SipUri, TelUri, Uri};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!*_+~-]{1,12}"
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z]{2,4}){0,2}".prop_map(|name| Host::Name(name.into())),
        any::<[u8; 4]>().prop_map(|ip| Host::Ip(ip.into())),
        any::<[u16; 8]>().prop_map(|ip| Host::Ip(ip.into())),
    ]
}

fn host_port() -> impl Strategy<Value = HostPort> {
    (host(), of(any::<u16>())).prop_map(|(host, port)| HostPort { host, port })
}

fn params() -> BoxedStrategy<Params> {
    vec((token(), of(token())), 0..3)
        .prop_map(|list| {
            let mut params = Params::new();
            for (name, value) in list {
                // Letters in front, so that none is taken for one with a meaning.
                params.set(&format!("x{name}"), value.as_deref());
            }
            params
        })
        .boxed()
}

pub(crate) fn sip_uri() -> BoxedStrategy<SipUri> {
    (any::<bool>(), of("\\PC{1,12}"), host_port(), params())
        .prop_map(|(secure, user, host_port, params)| {
            let mut uri = SipUri { secure, params, ..SipUri::new(host_port) };
            if let Some(user) = user {
                uri = uri.with_user(&user);
            }
            uri
        })
        .boxed()
}

fn uri() -> BoxedStrategy<Uri> {
    prop_oneof![
        4 => sip_uri().prop_map(Uri::Sip),
        1 => ("\\+?[0-9]{1,15}", params())
            .prop_map(|(number, params)| Uri::Tel(TelUri { number: number.into(), params })),
    ]
    .boxed()
}

fn name_addr() -> BoxedStrategy<NameAddr> {
    (of("\\PC{1,16}"), uri(), params(), of(token()))
        .prop_map(|(display, uri, params, tag)| {
            let mut addr = NameAddr { display: None, uri, params };
            if let Some(display) = display.as_deref().map(str::trim) {
                addr = addr.with_display(display);
            }
            match tag {
                Some(tag) => addr.with_tag(&tag),
                None => addr,
            }
        })
        .boxed()
}

fn via() -> BoxedStrategy<Via> {
    (select(vec!["UDP", "TCP", "TLS", "SCTP", "WSS"]), host_port(), token(), params())
        .prop_map(|(transport, sent_by, branch, mut params)| {
            params.set("branch", Some(&format!("z9hG4bK{branch}")));
            Via { transport: ViaTransport::from(transport), sent_by, params }
        })
        .boxed()
}

fn method() -> impl Strategy<Value = Method> {
    let known = ["INVITE", "ACK", "BYE", "OPTIONS", "REGISTER", "UPDATE", "NOTIFY", "MESSAGE"];
    select(known.to_vec()).prop_map(|m| Method::parse(m.as_bytes()).unwrap())
}

fn headers(method: Method) -> BoxedStrategy<Headers> {
    (
        vec(via(), 1..4),
        name_addr(),
        name_addr(),
        "[a-zA-Z0-9.-]{1,16}(@[a-z.]{1,8})?",
        any::<u32>(),
        vec(name_addr(), 0..3),
        vec(("X-[A-Za-z-]{1,8}", "[ -~]{0,30}"), 0..4),
    )
        .prop_map(move |(vias, from, to, call_id, seq, contacts, others)| {
            let mut headers = Headers::new();
            vias.iter().for_each(|via| headers.push_typed(via));
            headers.push_typed(&MaxForwards(70));
            headers.push_typed(&From_(from));
            headers.push_typed(&To(to));
            headers.push_typed(&CallId(call_id.into()));
            headers.push_typed(&CSeq { seq, method: method.clone() });
            contacts.into_iter().for_each(|c| headers.push_typed(&Contact::Addr(c)));
            for (name, value) in others {
                headers.push(HeaderName::parse(name.as_bytes()).unwrap(), value.trim());
            }
            headers
        })
        .boxed()
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Bytes::new()), vec(any::<u8>(), 1..200).prop_map(Bytes::from)]
}

/// Any well-formed message of ours.
pub(crate) fn message() -> BoxedStrategy<Message> {
    // Boxed: the frames of nested strategies do not fit a test's stack.
    let request = (method(), sip_uri(), body()).prop_flat_map(|(method, uri, body)| {
        headers(method.clone()).prop_map(move |mut headers| {
            if !body.is_empty() {
                headers.push_typed(&ContentType::new("application", "octet-stream"));
            }
            let (method, uri, body) = (method.clone(), Uri::Sip(uri.clone()), body.clone());
            Message::Request(Request { method, uri, headers, body })
        })
    });
    let response = (method(), 100..700_u16, body()).prop_flat_map(|(method, code, body)| {
        headers(method).prop_map(move |headers| {
            let response = Response::new(StatusCode::new(code).unwrap(), None);
            Message::Response(Response { headers, body: body.clone(), ..response })
        })
    });
    prop_oneof![request, response].boxed()
}

/// All that comes out of a stream cut in that way.
fn streamed(octets: &[u8], cuts: &[usize]) -> (Vec<StreamItem>, Option<FramingError>) {
    let mut parser = StreamParser::default();
    let mut found = Vec::new();
    let mut rest = octets;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let size = cuts.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (chunk, after) = rest.split_at(size);
        rest = after;
        parser.push(chunk);
        loop {
            match parser.next() {
                Ok(Some(item)) => found.push(item),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// Messages only: where a keep-alive is cut decides what it is called.
fn messages(items: Vec<StreamItem>) -> Vec<StreamItem> {
    let message = |item: &StreamItem| matches!(item, StreamItem::Message(_) | StreamItem::Bad(_));
    items.into_iter().filter(message).collect()
}

/// Octets that look like SIP here and there.
fn sip_like() -> impl Strategy<Value = Vec<u8>> {
    let words = vec![
        "INVITE ",
        "sip:a@b",
        " SIP/2.0",
        "SIP/2.0 200 OK",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "Via: ",
        "SIP/2.0/UDP ",
        "[::1]",
        ":5060",
        ";branch=z9hG4bK",
        "From: ",
        "To: ",
        "<sip:x@y>",
        ";tag=",
        "Call-ID: x",
        "CSeq: 1 INVITE",
        "Content-Length: ",
        "l: 5",
        "0",
        "99999999999",
        "\"",
        "\\",
        "<",
        ">",
        ";",
        ",",
        "%",
        "%41",
        "%zz",
        " ",
        "\t",
        "Contact: *",
        "é",
    ];
    let word = prop_oneof![
        9 => select(words).prop_map(|w| w.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_is_read_as_it_was_printed(message in message()) {
        let octets = message.to_bytes();
        let again = datagram(octets.clone());
        prop_assert_eq!(again.as_ref(), Ok(&message));
        prop_assert_eq!(again.unwrap().to_bytes(), octets);
    }

    #[test]
    fn a_uri_is_read_as_it_was_printed(uri in uri()) {
        let again: Uri = uri.to_string().parse().unwrap();
        prop_assert_eq!(&again, &uri);
        prop_assert!(again.equivalent(&uri));
    }

    #[test]
    fn a_user_is_decoded_to_what_was_encoded(user in "\\PC{1,20}") {
        let uri = SipUri::new(Host::Name("h".into())).with_user(&user);
        let again: Uri = uri.to_string().parse().unwrap();
        let decoded = again.user_decoded();
        prop_assert_eq!(decoded.as_deref(), Some(user.as_str()));
    }

    #[test]
    fn typed_values_are_read_as_they_were_printed(via in via(), addr in name_addr()) {
        prop_assert_eq!(Via::parse_value(&via.to_string()).unwrap(), via);
        prop_assert_eq!(To::parse_value(&addr.to_string()).unwrap().0, addr.clone());
        let contact = Contact::Addr(addr);
        prop_assert_eq!(Contact::parse_value(&contact.to_string()).unwrap(), contact);
    }

    #[test]
    fn no_octets_make_the_parser_panic(octets in vec(any::<u8>(), 0..400)) {
        let _ = datagram(octets.into());
    }

    #[test]
    fn printing_what_was_read_is_stable(octets in sip_like()) {
        if let Ok(message) = datagram(octets.into()) {
            let printed = message.to_bytes();
            let again = datagram(printed.clone()).unwrap();
            prop_assert_eq!(&again, &message);
            prop_assert_eq!(again.to_bytes(), printed);
        }
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        list in vec(message(), 1..5),
        cuts in vec(1..200_usize, 1..20),
    ) {
        let octets: Vec<u8> = list.iter().flat_map(|m| m.to_bytes().to_vec()).collect();
        let (found, error) = streamed(&octets, &cuts);
        prop_assert_eq!(error, None);
        let expected: Vec<_> = list.into_iter().map(StreamItem::Message).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn garbage_ends_a_stream_in_the_same_way_however_it_is_cut(
        before in of(message()),
        octets in sip_like(),
        cuts in vec(1..50_usize, 1..20),
    ) {
        let mut stream = before.map(|m| m.to_bytes().to_vec()).unwrap_or_default();
        stream.extend(octets);
        let (whole, error) = streamed(&stream, &[usize::MAX]);
        let (cut, cut_error) = streamed(&stream, &cuts);
        prop_assert_eq!(messages(whole), messages(cut));
        prop_assert_eq!(error, cut_error);
    }
}

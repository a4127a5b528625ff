//! A fuzzer that runs with every test run: the torture messages, mutated by a fixed sequence of
//! random numbers, through everything that reads octets.

use bytes::Bytes;
use offhook_sip::framing::{Limits, StreamParser};
use offhook_sip::header::{
    Allow, AllowEvents, AuthenticationInfo, Authorization, CSeq, CallId, Contact, ContentType,
    Diversion, Event, Expires, From_, HeaderValue, Headers, MaxForwards, MinExpires, MinSe,
    PAssertedIdentity, PPreferredIdentity, Path, ProxyAuthenticate, ProxyAuthorization,
    ProxyRequire, RAck, RSeq, Reason, RecordRoute, ReferTo, ReferredBy, Replaces, Require,
    RetryAfter, Route, ServiceRoute, SessionExpires, SubscriptionState, Supported, To, TypedHeader,
    Unsupported, Via, Warning, WwwAuthenticate,
};
use offhook_sip::message::Message;
use offhook_sip::parse::datagram;
use offhook_sip::uri::Uri;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::corpus;

const ROUNDS: usize = 20_000;

/// What is thrown into messages besides random octets.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n ",
    "\r\n\r\n",
    "\r",
    "\n",
    "\0",
    "\"",
    "\\",
    "<",
    ">",
    ";",
    ",",
    ":",
    "@",
    "%",
    "%00",
    "[",
    "]",
    "[::1]",
    "=",
    "?",
    "*",
    "(",
    ")",
    "é",
    "\u{1F600}",
    "SIP/2.0",
    "4294967296",
    "-1",
    "Content-Length: 5\r\n",
    "l: 4294967296\r\n",
    "Via: SIP/2.0/UDP h\r\n",
    ";tag=",
    ";branch=",
    "sip:",
    "tel:",
    " ",
    "\t",
    ";;",
    ",,",
    "\"\"",
    "<>",
    "Contact: *\r\n",
];

fn mutate(rng: &mut StdRng, octets: &mut Vec<u8>, others: &[(String, Bytes)]) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=octets.len());
        let end = (at + rng.random_range(0..40)).min(octets.len());
        match rng.random_range(0..7) {
            0 => octets.insert(at, rng.random()),
            1 => drop(octets.drain(at..end)),
            2 => {
                let word = WORDS[rng.random_range(0..WORDS.len())];
                drop(octets.splice(at..at, word.bytes()));
            }
            3 => {
                let copy = octets[at..end].to_vec();
                drop(octets.splice(at..at, copy));
            }
            4 => octets[at..end].iter_mut().for_each(|b| *b ^= 1 << rng.random_range(0..8)),
            5 => octets.truncate(at),
            _ => {
                let other = &others[rng.random_range(0..others.len())].1;
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..200)).min(other.len());
                drop(octets.splice(at..end, other[from..to].to_vec()));
            }
        }
    }
}

/// What is read must print, and read again as the same.
fn value<T: TypedHeader + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = T::parse_value(text) {
        let printed = value.to_string();
        assert_eq!(T::parse_value(&printed).as_ref(), Ok(&value), "{text:?} → {printed:?}");
    }
}

fn all_types(text: &str) {
    macro_rules! each {
        ($($type:ty)+) => { $(value::<$type>(text);)+ };
    }
    each! {
        Allow AllowEvents AuthenticationInfo Authorization CSeq CallId Contact ContentType Diversion
        Event Expires From_ MaxForwards MinExpires MinSe PAssertedIdentity PPreferredIdentity Path
        ProxyAuthenticate ProxyAuthorization ProxyRequire RAck RSeq Reason RecordRoute ReferTo
        ReferredBy Replaces Require RetryAfter Route ServiceRoute SessionExpires SubscriptionState
        Supported To Unsupported Via Warning WwwAuthenticate
    }
    if let Ok(uri) = text.parse::<Uri>() {
        let again: Uri = uri.to_string().parse().unwrap();
        assert_eq!(again, uri, "{text:?}");
        assert!(again.equivalent(&uri), "{text:?}");
        let _ = uri.user_decoded();
    }
}

fn headers(headers: &Headers) {
    for header in headers {
        assert!(!header.value.to_text().contains(['\r', '\n']));
    }
    let _ = headers.typed_list::<Via>();
    let _ = headers.typed_list::<Contact>();
    let _ = headers.typed::<Supported>();
}

fn datagrams(octets: &Bytes) {
    match datagram(octets.clone()) {
        Ok(message) => {
            headers(message.headers());
            let printed = message.to_bytes();
            let again = datagram(printed.clone());
            assert_eq!(again.as_ref(), Ok(&message), "{}", String::from_utf8_lossy(octets));
            if let Message::Request(request) = &message {
                let _ = (request.from_tag(), request.to_tag(), request.top_via());
            }
        }
        Err(rejected) => {
            let Some(reply) = rejected.reply else { return };
            // Copied values cannot end the head early or add a field.
            let printed = reply.to_bytes();
            let ends = printed.windows(4).filter(|w| w == b"\r\n\r\n").count();
            assert_eq!(ends, 1, "{}", String::from_utf8_lossy(&printed));
        }
    }
}

fn stream(rng: &mut StdRng, octets: &[u8]) {
    let mut parser = StreamParser::new(Limits { head: 4096, body: 4096 });
    let mut rest = octets;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rng.random_range(1..=rest.len()));
        rest = after;
        parser.push(chunk);
        // Each item takes two octets at least.
        for _ in 0..=octets.len() {
            match parser.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

#[test]
fn mutated_torture_messages_are_read_or_refused_but_never_break_anything() {
    let corpus = corpus::all();
    let mut rng = StdRng::seed_from_u64(4475);
    for round in 0..ROUNDS {
        let mut octets = corpus[round % corpus.len()].1.to_vec();
        mutate(&mut rng, &mut octets, &corpus);
        let octets = Bytes::from(octets);
        datagrams(&octets);
        stream(&mut rng, &octets);
    }
}

#[test]
fn mutated_values_are_read_or_refused_by_every_type() {
    let values: Vec<(String, Bytes)> = corpus::all()
        .into_iter()
        .filter_map(|(name, octets)| Some((name, datagram(octets).ok()?)))
        .flat_map(|(name, message)| {
            let all = message.headers().iter().map(|h| h.value.to_text().into_owned());
            all.map(move |text| (name.clone(), Bytes::from(text))).collect::<Vec<_>>()
        })
        .chain(SEEDS.iter().map(|seed| (String::new(), Bytes::from_static(seed.as_bytes()))))
        .collect();
    let mut rng = StdRng::seed_from_u64(5118);
    for round in 0..ROUNDS {
        let mut octets = values[round % values.len()].1.to_vec();
        if round >= values.len() {
            mutate(&mut rng, &mut octets, &values);
        }
        let text = HeaderValue::new(octets).to_text().into_owned();
        all_types(&text);
    }
}

/// Values of headers that the torture messages do not have.
const SEEDS: &[&str] = &[
    "Digest realm=\"a\", nonce=\"b\\\"c\", algorithm=MD5, qop=\"auth,auth-int\", stale=FALSE",
    "Digest username=\"u\", uri=\"sip:x\", response=\"00\", nc=00000001, cnonce=\"z\", qop=auth",
    "nextnonce=\"x\", rspauth=\"y\"",
    "1800;refresher=uac",
    "90",
    "dialog;id=4;sla",
    "active;expires=60",
    "terminated;reason=noresource;retry-after=5",
    "abc@host;to-tag=1;from-tag=2;early-only",
    "SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=16",
    "399 host \"some \\\"text\\\"\"",
    "776656 1 INVITE",
    "120 (in a meeting);duration=3600",
    "\"A\" <tel:+12125551212;phone-context=x>;reason=unconditional;counter=1",
    "application/sdp;charset=\"utf-8\"",
    "<sip:p1;lr>, <sip:p2;lr>",
    "*",
];

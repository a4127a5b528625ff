//! Two sessions on an ideal wire with a virtual clock, and hand-made messages for one of them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::header::{HeaderName, Headers, NameAddr};
use crate::ids::Ids;
use crate::message::{Message, Method, Request, Response, StatusCode};
use crate::session::{
    OutgoingInvite, Output, RequestToken, ServerTx, Session, SessionConfig, SessionEvent,
};
use crate::uri::Uri;

pub(super) const OFFER: &str = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub(super) const ANSWER: &str = "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

pub(super) fn sdp(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

pub(super) fn none() -> Headers {
    Headers::new()
}

pub(super) fn code(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

pub(super) fn plain_config() -> SessionConfig {
    SessionConfig { session_expires: None, ..SessionConfig::default() }
}

pub(super) fn invite(offer: Option<Bytes>) -> OutgoingInvite {
    OutgoingInvite {
        request_uri: uri("sip:bob@192.0.2.2"),
        from: "\"Alice\" <sip:alice@atlanta.example.com>".parse::<NameAddr>().unwrap(),
        to: "<sip:bob@biloxi.example.com>".parse::<NameAddr>().unwrap(),
        contact: uri("sip:alice@192.0.2.1"),
        call_id: None,
        route: Vec::new(),
        headers: Headers::new(),
        sdp: offer,
    }
}

/// The request as the other side sees it: with the Via of the sender's transaction.
pub(super) fn with_via(mut request: Request, branch: u64) -> Request {
    request
        .headers
        .push_front(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}"));
    parsed(&request)
}

/// Prints and reads again, so that the tests see what goes over the wire.
pub(super) fn parsed(request: &Request) -> Request {
    match crate::parse::datagram(request.to_bytes()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was printed"),
    }
}

pub(super) fn parsed_response(response: &Response) -> Response {
    match crate::parse::datagram(response.to_bytes()).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => panic!("a response was printed"),
    }
}

/// A response of a scripted peer.
pub(super) fn answer(
    request: &Request,
    status: u16,
    tag: &str,
    fields: &[(HeaderName, &str)],
    sdp: Option<&str>,
) -> Response {
    let mut response = Response::to_request(&with_via(request.clone(), 0), code(status), None);
    if !tag.is_empty() {
        response.ensure_to_tag(tag);
    }
    for (name, value) in fields {
        response.headers.push(name.clone(), *value);
    }
    if let Some(sdp) = sdp {
        response.headers.push(HeaderName::ContentType, "application/sdp");
        response.body = body(sdp);
    }
    parsed_response(&response)
}

/// A message of a scripted peer, from its lines.
pub(super) fn request(lines: &[&str], sdp: Option<&str>) -> Request {
    let mut text = lines.join("\r\n");
    if let Some(sdp) = sdp {
        text.push_str(&format!(
            "\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
    } else {
        text.push_str("\r\nContent-Length: 0\r\n\r\n");
    }
    match crate::parse::datagram(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was written"),
    }
}

/// The INVITE of a scripted caller.
pub(super) fn bobs_invite(fields: &[&str], sdp: Option<&str>) -> Request {
    let mut lines = vec![
        "INVITE sip:bob@192.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfirst",
        "Max-Forwards: 70",
        "From: Alice <sip:alice@atlanta.example.com>;tag=peer",
        "To: Bob <sip:bob@biloxi.example.com>",
        "Call-ID: one@atlanta",
        "CSeq: 10 INVITE",
        "Contact: <sip:alice@192.0.2.1>",
        "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK",
    ];
    lines.extend(fields);
    request(&lines, sdp)
}

/// A later request of that scripted caller.
pub(super) fn in_dialog(
    session: &Session,
    method: &str,
    cseq: u32,
    fields: &[&str],
    sdp: Option<&str>,
) -> Request {
    let first = format!("{method} sip:bob@192.0.2.2 SIP/2.0");
    let via = format!("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{method}{cseq}");
    let to = format!("To: Bob <sip:bob@biloxi.example.com>;tag={}", session.local_tag());
    let seq = format!("CSeq: {cseq} {method}");
    let mut lines = vec![
        &*first,
        &*via,
        "Max-Forwards: 70",
        "From: Alice <sip:alice@atlanta.example.com>;tag=peer",
        &*to,
        "Call-ID: one@atlanta",
        &*seq,
    ];
    lines.extend(fields);
    request(&lines, sdp)
}

pub(super) fn incoming(config: SessionConfig, invite: &Request) -> (Session, Instant) {
    let now = Instant::now();
    let mut ids = Ids::from_seed(7);
    let contact = uri("sip:bob@192.0.2.2");
    let session =
        Session::incoming(now, Arc::new(config), &mut ids, invite, ServerTx(1), contact).unwrap();
    (session, now)
}

pub(super) fn outgoing(config: SessionConfig, offer: Option<Bytes>) -> (Session, Instant) {
    let now = Instant::now();
    let mut ids = Ids::from_seed(8);
    (Session::outgoing(now, Arc::new(config), &mut ids, invite(offer)), now)
}

pub(super) fn drain(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// What came out, in short: `INVITE`, `ACK`, `CANCEL`, `200`, `!Answered`.
pub(super) fn short(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .map(|output| match output {
            Output::Send { request, .. } | Output::SendAck { request, .. } => {
                request.method.to_string()
            }
            Output::Cancel { .. } => "CANCEL".to_owned(),
            Output::Respond { response, .. } => response.status.code().to_string(),
            Output::Event(event) => format!("!{}", name(event)),
        })
        .collect()
}

/// The name of an event, with the few facts that tests ask for.
pub(super) fn name(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Provisional { status, sdp, .. } => {
            format!("{}{}", status.code(), if sdp.is_some() { "+sdp" } else { "" })
        }
        SessionEvent::Answered { sdp, .. } => {
            if sdp.is_some() {
                "Answered".to_owned()
            } else {
                "Answered?".to_owned()
            }
        }
        SessionEvent::Rejected { response } => format!("Rejected {}", response.status.code()),
        SessionEvent::OfferRejected { status, .. } => format!("OfferRejected {}", status.code()),
        SessionEvent::Offer { kind, .. } => format!("Offer {kind:?}"),
        SessionEvent::Ended { by, .. } => format!("Ended {by:?}"),
        SessionEvent::Request { request, .. } => format!("Request {}", request.method),
        SessionEvent::Response { response, .. } => format!("Response {}", response.status.code()),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
        }
    }
}

pub(super) fn sent(outputs: &[Output], method: &Method) -> (RequestToken, Request) {
    outputs
        .iter()
        .find_map(|output| match output {
            Output::Send { token, request, .. } if request.method == *method => {
                Some((*token, request.clone()))
            }
            _ => None,
        })
        .unwrap_or_else(|| panic!("no {method} in {:?}", short(outputs)))
}

pub(super) fn acked(outputs: &[Output]) -> Request {
    outputs
        .iter()
        .find_map(|output| match output {
            Output::SendAck { request, .. } => Some(request.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no ACK in {:?}", short(outputs)))
}

pub(super) fn responded(outputs: &[Output]) -> Response {
    outputs
        .iter()
        .find_map(|output| match output {
            Output::Respond { response, .. } => Some(response.clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no response in {:?}", short(outputs)))
}

pub(super) fn text(headers: &Headers, name: &HeaderName) -> String {
    headers.text(name).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

//! Dialogs (RFC 3261 §12): identity, route set, remote target, sequence numbers.

use crate::header::{CSeq, HeaderName, Headers, NameAddr};
use crate::message::{Method, Request, Response};
use crate::session::wire;
use crate::uri::Uri;

/// What names a dialog: Call-ID and the two tags (RFC 3261 §12). A tag is empty when an
/// RFC 2543 peer sent none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// The peer's tag.
    pub remote_tag: Box<str>,
}

/// Why no dialog comes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogError {
    /// A header that dialogs need is missing or cannot be read.
    #[error("{0} is missing or unreadable")]
    Header(&'static str),
}

/// Order of a request of the peer (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Higher than the last: go on.
    InOrder,
    /// Not higher: 500.
    OutOfOrder,
}

/// One side's view of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    local: NameAddr,
    remote: NameAddr,
    remote_target: Uri,
    route_set: Vec<NameAddr>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    confirmed: bool,
}

impl Dialog {
    /// The caller's dialog, from its INVITE and a 101..299 with To tag (RFC 3261 §12.1.2).
    pub fn from_response(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let local = name_addr(&request.headers, &HeaderName::From, "From")?;
        let remote = name_addr(&response.headers, &HeaderName::To, "To")?;
        let cseq = wire::cseq(&request.headers).ok_or(DialogError::Header("CSeq"))?;
        let call_id = request.headers.text(&HeaderName::CallId);
        let call_id = call_id.ok_or(DialogError::Header("Call-ID"))?;
        let mut dialog = Self {
            id: DialogId {
                call_id: call_id.as_ref().into(),
                local_tag: tag_of(&local),
                remote_tag: tag_of(&remote),
            },
            local: only_tag(local),
            remote: only_tag(remote),
            // A response without Contact breaks §12.1.1; the request's own target is the best guess.
            remote_target: wire::contact(&response.headers).unwrap_or_else(|| request.uri.clone()),
            route_set: Vec::new(),
            local_cseq: cseq.seq,
            remote_cseq: None,
            confirmed: response.status.is_success(),
        };
        dialog.take_route_set(response);
        Ok(dialog)
    }

    /// The callee's dialog, from the INVITE it got; `local_tag` goes on the To (§12.1.1).
    pub fn from_request(request: &Request, local_tag: &str) -> Result<Self, DialogError> {
        let mut local = name_addr(&request.headers, &HeaderName::To, "To")?;
        local.params.set("tag", Some(local_tag));
        let remote = name_addr(&request.headers, &HeaderName::From, "From")?;
        let cseq = wire::cseq(&request.headers).ok_or(DialogError::Header("CSeq"))?;
        let call_id = request.headers.text(&HeaderName::CallId);
        let call_id = call_id.ok_or(DialogError::Header("Call-ID"))?;
        Ok(Self {
            id: DialogId {
                call_id: call_id.as_ref().into(),
                local_tag: local_tag.into(),
                remote_tag: tag_of(&remote),
            },
            local: only_tag(local),
            remote: only_tag(remote),
            remote_target: wire::contact(&request.headers).ok_or(DialogError::Header("Contact"))?,
            // §12.1.1: the callee keeps the order of Record-Route.
            route_set: wire::record_routes(&request.headers),
            local_cseq: 0,
            remote_cseq: Some(cseq.seq),
            confirmed: false,
        })
    }

    /// Call-ID and tags.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Whether a 2xx confirmed it.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The peer's Contact.
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// Routes, nearest first.
    pub fn route_set(&self) -> &[NameAddr] {
        &self.route_set
    }

    /// Our From within the dialog.
    pub fn local(&self) -> &NameAddr {
        &self.local
    }

    /// The peer's To within the dialog.
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Sequence number of our last request; 0 before the first (callee).
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Whether a request of the peer belongs here: Call-ID, its To tag ours, its From tag the peer's.
    pub fn matches_request(&self, request: &Request) -> bool {
        let tag = |name| {
            name_addr(&request.headers, name, "").map(|addr| tag_of(&addr)).unwrap_or_default()
        };
        request.headers.text(&HeaderName::CallId).is_some_and(|id| *id == *self.id.call_id)
            && tag(&HeaderName::To) == self.id.local_tag
            && tag(&HeaderName::From) == self.id.remote_tag
    }

    /// Takes note of the CSeq of a request of the peer; not for ACK and CANCEL.
    pub fn receive_sequence(&mut self, seq: u32) -> Sequence {
        // §12.2.2: lower is refused with 500. Equal is no new request either: retransmissions
        // never come this far.
        if self.remote_cseq.is_some_and(|last| seq <= last) {
            return Sequence::OutOfOrder;
        }
        self.remote_cseq = Some(seq);
        Sequence::InOrder
    }

    /// A 2xx makes the dialog confirmed and its route set final (§13.2.2.4: computed anew).
    pub fn confirm(&mut self, response: &Response) {
        if !self.confirmed {
            self.take_route_set(response);
            self.confirmed = true;
        }
        self.refresh_target(&response.headers);
    }

    /// The callee's own 2xx confirms its dialog.
    pub fn confirm_local(&mut self) {
        self.confirmed = true;
    }

    /// Target refresh by a re-INVITE or UPDATE, or a response to one (§12.2). Says whether the
    /// target changed.
    pub fn refresh_target(&mut self, headers: &Headers) -> bool {
        match wire::contact(headers) {
            Some(uri) if uri != self.remote_target => {
                self.remote_target = uri;
                true
            }
            _ => false,
        }
    }

    /// The next request of ours, with the next sequence number.
    pub fn next_request(&mut self, method: Method, max_forwards: u32) -> Request {
        // §8.1.1.5: below 2^31; nobody sends that many, and wrapping would break the order.
        self.local_cseq = (self.local_cseq + 1).min(0x7fff_ffff);
        self.request(method, self.local_cseq, max_forwards)
    }

    /// The ACK for the 2xx of the INVITE with that sequence number (§13.2.2.4).
    pub fn ack(&self, invite_cseq: u32, max_forwards: u32) -> Request {
        self.request(Method::Ack, invite_cseq, max_forwards)
    }

    /// Raises the sequence number for a request that is sent again with credentials (§22.2).
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = (self.local_cseq + 1).min(0x7fff_ffff);
        self.local_cseq
    }

    /// Where requests go: the first route, or the remote target (§12.2.1.1 with §8.1.2).
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().map_or(&self.remote_target, |route| &route.uri)
    }

    fn request(&self, method: Method, cseq: u32, max_forwards: u32) -> Request {
        let mut headers = Headers::new();
        let uri = route(&mut headers, &self.remote_target, &self.route_set);
        headers.push(HeaderName::MaxForwards, max_forwards.to_string());
        headers.push(HeaderName::From, self.local.to_string());
        headers.push(HeaderName::To, self.remote.to_string());
        headers.push(HeaderName::CallId, self.id.call_id.to_string());
        headers.push_typed(&CSeq { seq: cseq, method: method.clone() });
        Request { method, uri, headers, body: bytes::Bytes::new() }
    }

    fn take_route_set(&mut self, response: &Response) {
        // §12.1.2: the caller's route set is Record-Route in reverse.
        self.route_set = wire::record_routes(&response.headers);
        self.route_set.reverse();
    }
}

/// Writes the Route fields for a target behind a route set and gives the Request-URI
/// (RFC 3261 §12.2.1.1, §8.1.2).
pub fn route(headers: &mut Headers, target: &Uri, route_set: &[NameAddr]) -> Uri {
    match route_set.split_first() {
        None => target.clone(),
        Some((first, _)) if is_loose(&first.uri) => {
            for hop in route_set {
                headers.push(HeaderName::Route, hop.to_string());
            }
            target.clone()
        }
        // A strict router wants itself in the Request-URI and the target as the last route.
        Some((first, rest)) => {
            for hop in rest {
                headers.push(HeaderName::Route, hop.to_string());
            }
            headers.push(HeaderName::Route, format!("<{target}>"));
            request_uri(&first.uri)
        }
    }
}

fn is_loose(uri: &Uri) -> bool {
    match uri {
        Uri::Sip(sip) => sip.params.has("lr"),
        Uri::Tel(_) | Uri::Other(_) => false,
    }
}

/// Takes out what may not stand in a Request-URI (§19.1.1: method and headers).
fn request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    if let Uri::Sip(sip) = &mut uri {
        sip.params.remove("method");
        sip.headers = None;
    }
    uri
}

fn name_addr(
    headers: &Headers,
    name: &HeaderName,
    label: &'static str,
) -> Result<NameAddr, DialogError> {
    let value = headers.get(name).ok_or(DialogError::Header(label))?;
    value.to_text().parse().map_err(|_| DialogError::Header(label))
}

fn tag_of(addr: &NameAddr) -> Box<str> {
    addr.params.value("tag").unwrap_or_default().into()
}

/// Keeps name, URI and tag; other header parameters are not ours to repeat.
fn only_tag(addr: NameAddr) -> NameAddr {
    let tag = tag_of(&addr);
    let mut out = NameAddr { params: Default::default(), ..addr };
    if !tag.is_empty() {
        out.params.set("tag", Some(&tag));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn request(text: &str) -> Request {
        let text = text.replace('\n', "\r\n") + "\r\nContent-Length: 0\r\n\r\n";
        match crate::parse::datagram(text.into()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request was written"),
        }
    }

    fn invite(record_routes: &str) -> Request {
        request(&format!(
            "INVITE sip:bob@biloxi SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\n\
             {record_routes}From: \"A\" <sip:alice@atlanta>;tag=at;x=y\nTo: <sip:bob@biloxi>;q=1\n\
             Call-ID: c1\nCSeq: 7 INVITE\nContact: <sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1>"
        ))
    }

    fn ok(request: &Request, routes: &str, contact: &str) -> Response {
        let status = crate::message::StatusCode::OK;
        let mut response = Response::to_request(request, status, None);
        response.ensure_to_tag("bt");
        if !routes.is_empty() {
            response.headers.push(HeaderName::RecordRoute, routes);
        }
        response.headers.push(HeaderName::Contact, contact);
        response
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.get_all(&HeaderName::Route).map(|v| v.to_text().into_owned()).collect()
    }

    #[test]
    fn the_caller_reverses_record_route_and_keeps_unknown_parameters() {
        let invite = invite("");
        let ok = ok(&invite, "<sip:p2;lr;did=1.2>, <sip:p1;lr>", "<sip:bob@10.1.1.1;alias=x~1>");
        let mut dialog = Dialog::from_response(&invite, &ok).unwrap();
        assert!(dialog.is_confirmed());
        let bye = dialog.next_request(Method::Bye, 70);
        assert_eq!(bye.uri.to_string(), "sip:bob@10.1.1.1;alias=x~1");
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr;did=1.2>"]);
        assert_eq!(dialog.next_hop().to_string(), "sip:p1;lr");
        assert_eq!(bye.cseq().unwrap().seq, 8);
        assert_eq!(bye.from_tag().as_deref(), Some("at"));
        assert_eq!(bye.to_tag().as_deref(), Some("bt"));
        assert_eq!(dialog.ack(7, 70).cseq().unwrap(), CSeq { seq: 7, method: Method::Ack });
    }

    #[test]
    fn the_callee_keeps_the_order_of_record_route_and_swaps_the_ends() {
        let invite = invite("Record-Route: <sip:p2;lr>\nRecord-Route: <sip:p1;lr>\n");
        let mut dialog = Dialog::from_request(&invite, "bt").unwrap();
        assert!(!dialog.is_confirmed());
        let bye = dialog.next_request(Method::Bye, 70);
        assert_eq!(bye.uri.to_string(), "sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1");
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(bye.headers.text(&HeaderName::From).unwrap(), "<sip:bob@biloxi>;tag=bt");
        assert_eq!(bye.headers.text(&HeaderName::To).unwrap(), "\"A\" <sip:alice@atlanta>;tag=at");
        assert_eq!(bye.cseq().unwrap().seq, 1);
    }

    #[test]
    fn a_strict_router_gets_itself_in_the_request_uri_and_the_target_last() {
        let invite = invite("Record-Route: <sip:strict;method=INVITE?x=y>, <sip:p1;lr>\n");
        let mut dialog = Dialog::from_request(&invite, "bt").unwrap();
        let bye = dialog.next_request(Method::Bye, 70);
        assert_eq!(bye.uri.to_string(), "sip:strict");
        let target = "<sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1>";
        assert_eq!(routes(&bye), ["<sip:p1;lr>", target]);
    }

    #[test]
    fn the_2xx_settles_the_route_set_that_a_provisional_began() {
        let invite = invite("");
        let mut early = ok(&invite, "<sip:p1;lr>", "<sip:bob@one>");
        early.status = crate::message::StatusCode::RINGING;
        let mut dialog = Dialog::from_response(&invite, &early).unwrap();
        assert!(!dialog.is_confirmed());
        dialog.confirm(&ok(&invite, "<sip:p9;lr>", "<sip:bob@two>"));
        assert!(dialog.is_confirmed());
        assert_eq!(dialog.next_hop().to_string(), "sip:p9;lr");
        assert_eq!(dialog.remote_target().to_string(), "sip:bob@two");
        // Later responses refresh the target, never the route.
        dialog.confirm(&ok(&invite, "<sip:p10;lr>", "<sip:bob@three>"));
        assert_eq!(dialog.next_hop().to_string(), "sip:p9;lr");
        assert_eq!(dialog.remote_target().to_string(), "sip:bob@three");
    }

    #[test]
    fn sequence_numbers_of_the_peer_only_rise() {
        let mut dialog = Dialog::from_request(&invite(""), "bt").unwrap();
        for (seq, expected) in [
            (7, Sequence::OutOfOrder),
            (9, Sequence::InOrder),
            (8, Sequence::OutOfOrder),
            (9, Sequence::OutOfOrder),
            (10, Sequence::InOrder),
        ] {
            assert_eq!(dialog.receive_sequence(seq), expected, "{seq}");
        }
    }

    #[test]
    fn a_request_belongs_to_the_dialog_by_call_id_and_both_tags() {
        let dialog = Dialog::from_request(&invite(""), "bt").unwrap();
        let text = |to: &str, from: &str, id: &str| {
            request(&format!(
                "BYE sip:b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\nMax-Forwards: 70\n\
                 From: <sip:alice@atlanta>{from}\nTo: <sip:bob@biloxi>{to}\nCall-ID: {id}\nCSeq: 8 BYE"
            ))
        };
        assert!(dialog.matches_request(&text(";tag=bt", ";tag=at", "c1")));
        assert!(!dialog.matches_request(&text(";tag=bt", ";tag=at", "C1")));
        assert!(!dialog.matches_request(&text(";tag=bt", ";tag=xx", "c1")));
        assert!(!dialog.matches_request(&text("", ";tag=at", "c1")));
    }

    #[test]
    fn a_peer_of_rfc_2543_without_tags_still_gets_a_dialog() {
        let invite = invite("");
        let mut response = Response::to_request(&invite, crate::message::StatusCode::OK, None);
        response.headers.push(HeaderName::Contact, "<sip:bob@old>");
        let mut dialog = Dialog::from_response(&invite, &response).unwrap();
        let bye = dialog.next_request(Method::Bye, 70);
        assert_eq!(bye.to_tag(), None);
        assert_eq!(&*dialog.id().remote_tag, "");
    }
}

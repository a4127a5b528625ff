//! Dialogs (RFC 3261 §12): identity, route set, remote target, sequence numbers.

#[cfg(test)]
mod tests;

use crate::header::{CSeq, HeaderName, Headers, NameAddr};
use crate::message::{Method, Request, Response};
use crate::session::wire;
use crate::uri::Uri;

/// Whether the Contact of who answers this request must be a SIPS URI (RFC 3261 §12.1.1): the
/// Request-URI is one, or the top Record-Route, or the Contact where nothing stands between.
pub fn wants_sips(request: &Request) -> bool {
    let nearest = wire::record_routes(&request.headers).into_iter().next().map(|hop| hop.uri);
    let nearest = nearest.or_else(|| wire::contact(&request.headers));
    request.uri.is_sips() || nearest.is_some_and(|uri| uri.is_sips())
}

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

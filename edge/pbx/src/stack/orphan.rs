//! A 2xx to an INVITE that was given up: it is acknowledged, and the call ended at once
//! (RFC 3261 §13.2.2.4 wants every 2xx acknowledged; §15 says how a call ends).

use offhook_sip::header::{CSeq, Contact, HeaderName, Headers, MaxForwards, RecordRoute};
use offhook_sip::message::{Method, Request, Response};
use offhook_sip::uri::Uri;

/// The two requests.
#[derive(Debug)]
pub(super) struct HangUp {
    pub(super) ack: Request,
    pub(super) bye: Request,
}

/// `None` for anything but a 2xx.
pub(super) fn hang_up(invite: &Request, response: &Response) -> Option<HangUp> {
    if !response.status.is_success() {
        return None;
    }
    let target = match response.headers.typed::<Contact>() {
        Ok(Some(Contact::Addr(addr))) => addr.uri,
        _ => invite.uri.clone(),
    };
    let seq = invite.cseq().ok()?.seq;
    let request = |method: Method, seq: u32| in_dialog(&target, response, method, seq);
    Some(HangUp { ack: request(Method::Ack, seq), bye: request(Method::Bye, seq + 1) })
}

fn in_dialog(target: &Uri, response: &Response, method: Method, seq: u32) -> Request {
    let mut headers = Headers::new();
    headers.push_typed(&MaxForwards(70));
    // §12.1.2: the route set is the Record-Route list backwards.
    let routes = response.headers.typed_list::<RecordRoute>().unwrap_or_default();
    for route in routes.iter().rev() {
        headers.push(HeaderName::Route, route.to_string());
    }
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId] {
        if let Some(value) = response.headers.get(&name) {
            headers.push(name, value.clone());
        }
    }
    headers.push_typed(&CSeq { seq, method: method.clone() });
    Request { method, uri: target.clone(), headers, body: bytes::Bytes::new() }
}

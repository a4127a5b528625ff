//! Requests that nothing can be done with, whoever sends them (RFC 3261 §8.2).

use offhook_sip::header::{HeaderName, Headers, Require};
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::uri::Uri;

/// What a request outside of dialogs is answered before anybody is asked for a password.
pub(super) fn unfit(request: &Request) -> Option<StatusCode> {
    let foreign = |uri: &Uri| matches!(uri, Uri::Other(_));
    if foreign(&request.uri) {
        // §8.2.2.1.
        return Some(StatusCode::UNSUPPORTED_URI_SCHEME);
    }
    match request.method {
        // RFC 4475 §3.3.4: such an address of record is none of ours or of anybody's.
        Method::Register if request.to().is_ok_and(|to| foreign(&to.0.uri)) => {
            Some(StatusCode::BAD_REQUEST)
        }
        Method::Invite if !takes_sdp(&request.headers) => Some(StatusCode::NOT_ACCEPTABLE),
        _ => None,
    }
}

/// RFC 3261 §20.1: without an Accept `application/sdp` is taken.
fn takes_sdp(headers: &Headers) -> bool {
    if !headers.has(&HeaderName::Accept) {
        return true;
    }
    let takes = |range: &str| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        ["application/sdp", "application/*", "*/*"].iter().any(|k| kind.eq_ignore_ascii_case(k))
    };
    headers.get_all(&HeaderName::Accept).any(|value| value.to_text().split(',').any(takes))
}

/// The extensions that an OPTIONS requires and we do not have, for Unsupported (§8.2.2.3).
pub(super) fn unknown_extensions(request: &Request) -> Option<String> {
    let known = |t: &str| super::SUPPORTED.split(", ").any(|known| t.eq_ignore_ascii_case(known));
    let required = request.headers.typed::<Require>().ok().flatten()?;
    let unknown: Vec<&str> = required.iter().filter(|t| !known(t)).collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

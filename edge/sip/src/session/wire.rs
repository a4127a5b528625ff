//! Reading and writing of the header fields that sessions and dialogs live on.

use bytes::Bytes;

use crate::header::{
    CSeq, Contact, ContentType, HeaderName, HeaderValue, Headers, NameAddr, RecordRoute,
    TypedHeader,
};
use crate::message::{Method, Request, Response, StatusCode};
use crate::uri::Uri;

/// Parts of a multipart body that we are ready to look through for its SDP.
const MAX_PARTS: usize = 16;

/// Whether a comma list of tokens (Supported, Require, Allow …) has the token, without case.
pub(crate) fn has_token(headers: &Headers, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token))
}

/// All tokens of a comma list header, over all its fields.
pub(crate) fn tokens<'a>(
    headers: &'a Headers,
    name: &'a HeaderName,
) -> impl Iterator<Item = String> + 'a {
    headers.get_all(name).flat_map(|value| {
        let text = value.to_text().into_owned();
        text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect::<Vec<_>>()
    })
}

/// The number a header starts with (`Min-SE: 90;x=y`).
pub(crate) fn number(headers: &Headers, name: &HeaderName) -> Option<u32> {
    let text = headers.text(name)?;
    let digits = text.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// CSeq, when it can be read.
pub(crate) fn cseq(headers: &Headers) -> Option<CSeq> {
    headers.typed::<CSeq>().ok().flatten()
}

/// The URI of the first Contact, parameters untouched.
pub(crate) fn contact(headers: &Headers) -> Option<Uri> {
    headers.typed::<Contact>().ok().flatten()?.uri().cloned()
}

/// Record-Route in the order of the message.
pub(crate) fn record_routes(headers: &Headers) -> Vec<NameAddr> {
    let list = headers.typed_list::<RecordRoute>().unwrap_or_default();
    list.into_iter().map(|route| route.0).collect()
}

/// All values of Reason (RFC 3326).
pub(crate) fn reasons(headers: &Headers) -> Vec<HeaderValue> {
    headers.get_all(&HeaderName::Reason).cloned().collect()
}

/// The body is of a kind, or in an encoding, that we cannot read.
#[derive(Debug)]
pub(crate) struct UnknownBody;

impl UnknownBody {
    /// What a 415 says beside its status (RFC 3261 §8.2.3).
    pub(crate) fn remedy() -> [(HeaderName, &'static str); 2] {
        [(HeaderName::Accept, "application/sdp"), (HeaderName::AcceptEncoding, "identity")]
    }
}

/// The session description in a message: the whole body, or the first `application/sdp` part of a
/// multipart one (RFC 5621 §3). `None`: no body, or one that its sender lets us ignore.
pub(crate) fn sdp(headers: &Headers, body: &Bytes) -> Result<Option<Bytes>, UnknownBody> {
    let Some(kind) = headers.text(&HeaderName::ContentType) else {
        // RFC 3261 §20.15 demands the header; a body that begins like SDP is taken for it. Line
        // breaks behind the head of a datagram without Content-Length are no body.
        return match body.trim_ascii() {
            b"" => Ok(None),
            text if text.starts_with(b"v=0") => Ok(Some(body.clone())),
            _ => Err(UnknownBody),
        };
    };
    if body.is_empty() {
        return Ok(None);
    }
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let found = match media.as_str() {
        // §20.12: what is packed is not what Content-Type says before it is unpacked.
        _ if is_encoded(headers) => None,
        "application/sdp" => Some(body.clone()),
        _ if media.starts_with("multipart/") => {
            boundary(&kind).and_then(|boundary| sdp_part(body, &boundary))
        }
        _ => None,
    };
    // §20.11: whoever sends something beside the point may say that it can be left unread.
    if found.is_some() || is_optional(headers) { Ok(found) } else { Err(UnknownBody) }
}

fn is_encoded(headers: &Headers) -> bool {
    tokens(headers, &HeaderName::ContentEncoding).any(|c| !c.eq_ignore_ascii_case("identity"))
}

/// `handling=optional` of Content-Disposition; `required` is what it means without the parameter.
fn is_optional(headers: &Headers) -> bool {
    let Some(text) = headers.text(&HeaderName::ContentDisposition) else { return false };
    let mut params = text.split(';').skip(1).filter_map(|param| param.split_once('='));
    params.any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("handling")
            && value.trim().eq_ignore_ascii_case("optional")
    })
}

fn boundary(content_type: &str) -> Option<String> {
    let content_type = ContentType::parse_value(content_type).ok()?;
    let value = content_type.params.unquoted("boundary")?;
    (!value.is_empty()).then(|| format!("--{value}"))
}

fn sdp_part(body: &Bytes, boundary: &str) -> Option<Bytes> {
    let marks: Vec<usize> =
        memchr::memmem::find_iter(body, boundary.as_bytes()).take(MAX_PARTS + 1).collect();
    marks.windows(2).find_map(|pair| {
        let (&from, &to) = (pair.first()?, pair.get(1)?);
        let part = body.get(from + boundary.len()..to)?;
        let blank = memchr::memmem::find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(part.get(..blank)?).to_ascii_lowercase();
        if !head.contains("application/sdp") {
            return None;
        }
        let start = from + boundary.len() + blank + 4;
        // The line break before the boundary belongs to the boundary (RFC 2046 §5.1.1), yet an
        // SDP line needs one: keep it.
        (start <= to).then(|| body.slice(start..to))
    })
}

/// The lenient view of a body: what is no SDP is no SDP.
pub(crate) fn sdp_or_none(headers: &Headers, body: &Bytes) -> Option<Bytes> {
    sdp(headers, body).ok().flatten()
}

/// Puts a session description into a message.
pub(crate) fn set_sdp(headers: &mut Headers, body: &mut Bytes, sdp: Option<&Bytes>) {
    headers.remove(&HeaderName::ContentType);
    *body = match sdp {
        Some(sdp) => {
            headers.push(HeaderName::ContentType, "application/sdp");
            sdp.clone()
        }
        None => Bytes::new(),
    };
}

/// Copies headers of the owner after those of the session, but never the ones that steer the
/// dialog or the message: these are ours alone.
pub(crate) fn add_extra(headers: &mut Headers, extra: &Headers) {
    for header in extra {
        if !is_ours(&header.name) {
            headers.push(header.name.clone(), header.value.clone());
        }
    }
}

fn is_ours(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::MaxForwards
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::Contact
            | HeaderName::Allow
            | HeaderName::Supported
            | HeaderName::ContentType
            | HeaderName::ContentLength
            | HeaderName::RSeq
            | HeaderName::RAck
            | HeaderName::SessionExpires
            | HeaderName::MinSe
    )
}

/// A bare response to a request, outside of any session state.
pub(crate) fn bare(request: &Request, status: StatusCode, tag: &str) -> Response {
    let mut response = Response::to_request(request, status, None);
    response.ensure_to_tag(tag);
    response
}

/// `Contact: <uri>`, of a conference with its mark (RFC 4579 §5.1, RFC 3840).
pub(crate) fn set_contact(headers: &mut Headers, uri: &Uri, is_focus: bool) {
    let mark = if is_focus { ";isfocus" } else { "" };
    headers.set(HeaderName::Contact, format!("<{uri}>{mark}"));
}

/// The Allow value.
pub(crate) fn allow_list(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// The RSeq of a provisional response that demands a PRACK (RFC 3262 §4).
pub(crate) fn reliable_rseq(response: &Response) -> Option<u32> {
    has_token(&response.headers, &HeaderName::Require, "100rel")
        .then(|| number(&response.headers, &HeaderName::RSeq))
        .flatten()
}

/// A Reason header (RFC 3326) for a BYE or CANCEL.
pub(crate) fn reason(cause: u16, text: &str) -> Headers {
    let mut headers = Headers::new();
    headers.push(HeaderName::Reason, format!("SIP;cause={cause};text=\"{text}\""));
    headers
}

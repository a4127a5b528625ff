//! Call transfer by REFER (RFC 3515), with Replaces (RFC 3891) and Referred-By (RFC 3892), and
//! the reports on its progress as message fragments (RFC 3420).

use std::time::Instant;

use bytes::Bytes;
use thiserror::Error;

use crate::header::{Event, HeaderName, NameAddr, ReferTo, ReferredBy, Replaces, TypedHeader};
use crate::message::{Method, Request, Response, StatusCode};
use crate::subscription::{EndReason, Notifier};
use crate::uri::{Uri, unescape};

/// The content type of a progress report (RFC 3515 §2.4.5).
pub const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// Seconds that a transfer may take: as long as its implicit subscription lasts.
const LIFETIME: u32 = 300;

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// Whom to call: the Refer-To address without its `?headers` and `method`.
    pub target: NameAddr,
    /// The dialog to take the place of: an attended transfer.
    pub replaces: Option<Replaces>,
    /// By whose wish.
    pub referred_by: Option<ReferredBy>,
    /// Whether the sender wants no reports (`Refer-Sub: false`, RFC 4488).
    pub silent: bool,
    /// Its CSeq, which names the subscription when there are several (RFC 3515 §2.4.6).
    pub cseq: u32,
}

/// Why a REFER is refused. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReferError {
    /// Not exactly one Refer-To (RFC 3515 §2.4.2).
    #[error("a REFER has exactly one Refer-To")]
    NotOneTarget,
    /// Refer-To, its Replaces, or the CSeq cannot be read.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Asks for something else than a call.
    #[error("only INVITE can be asked for by REFER")]
    NotInvite,
}

impl ReferError {
    /// How to answer: 400, or 501 for what we do not do.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotOneTarget | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotInvite => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

impl Refer {
    /// Reads a REFER.
    ///
    /// # Errors
    /// [`ReferError`] says how to answer.
    pub fn of(request: &Request) -> Result<Self, ReferError> {
        let targets = request
            .headers
            .typed_list::<ReferTo>()
            .map_err(|_| ReferError::Malformed("Refer-To"))?;
        let [target] = &*targets else { return Err(ReferError::NotOneTarget) };
        let mut target = NameAddr::clone(target);
        let replaces = match &mut target.uri {
            Uri::Sip(uri) => {
                // RFC 3261 §19.1.1: without a method an INVITE is meant.
                let method = uri.params.value("method").map(str::to_owned);
                if method.is_some_and(|m| !m.eq_ignore_ascii_case(Method::Invite.as_str())) {
                    return Err(ReferError::NotInvite);
                }
                uri.params.remove("method");
                replaces_of(uri.headers.take().as_deref().unwrap_or_default())?
            }
            _ => None,
        };
        let cseq = request.cseq().map_err(|_| ReferError::Malformed("CSeq"))?.seq;
        let wants_none =
            |v: &str| v.split(';').next().unwrap_or(v).trim().eq_ignore_ascii_case("false");
        let refer_sub = request.headers.text(&HeaderName::ReferSub);
        Ok(Self {
            target,
            replaces,
            referred_by: request.headers.typed().ok().flatten(),
            silent: refer_sub.is_some_and(|v| wants_none(&v)),
            cseq,
        })
    }

    /// The subscription that the REFER starts (RFC 3515 §2.4.4). Its first NOTIFY, with
    /// [`sipfrag`] of 100, follows the 202 at once.
    pub fn subscription(&self, now: Instant) -> Notifier {
        // The id is right for every REFER, and needed from the second one in a dialog on.
        let event = Event { id: Some(self.cseq.to_string().into()), ..Event::new("refer") };
        Notifier::implicit(now, event, LIFETIME)
    }
}

/// The Replaces among the URI's headers (RFC 3891 §7.1), whose values are escaped.
fn replaces_of(headers: &str) -> Result<Option<Replaces>, ReferError> {
    let mut fields = headers.split('&').filter_map(|field| field.split_once('='));
    let Some((_, value)) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Replaces")) else {
        return Ok(None);
    };
    let value = unescape(value);
    Replaces::parse_value(&value).map(Some).map_err(|_| ReferError::Malformed("Replaces"))
}

/// The Refer-To of an attended transfer: `target`, taking the place of `replaces`.
pub fn refer_to(target: &NameAddr, replaces: Option<&Replaces>) -> ReferTo {
    let mut target = target.clone();
    if let (Some(uri), Some(replaces)) = (target.uri.as_sip_mut(), replaces) {
        uri.headers = Some(format!("Replaces={}", escape_header(&replaces.to_string())).into());
    }
    ReferTo(target)
}

/// Escapes all that may not stand in the headers of a URI (RFC 3261 §25.1 `hvalue`).
fn escape_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// The report on a response of the call that the REFER asked for: its status line (RFC 3515
/// §2.4.5). For the first one, and when there is none yet, 100.
pub fn sipfrag(status: StatusCode, reason: Option<&str>) -> Bytes {
    let reason = reason.unwrap_or_else(|| status.default_reason());
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    Bytes::from(format!("SIP/2.0 {} {reason}\r\n", status.code()))
}

/// Makes `notify` the report of `status`. A final one ends the subscription (RFC 3515 §2.4.7).
pub fn fill_report(
    now: Instant,
    subscription: &mut Notifier,
    notify: &mut Request,
    status: StatusCode,
    reason: Option<&str>,
) {
    if status.is_final() {
        subscription.end(EndReason::NoResource, None);
    }
    subscription.fill_notify(now, notify, Some((SIPFRAG, sipfrag(status, reason))));
}

/// The status that a report names; for the side that sent the REFER. `None`: not a fragment of a
/// response.
pub fn reported(body: &[u8]) -> Option<StatusCode> {
    let line = body.split(|b| matches!(b, b'\r' | b'\n')).find(|line| !line.is_empty())?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let version = words.next()?;
    let code = words.next()?;
    let known = version.eq_ignore_ascii_case("SIP/2.0") && code.len() == 3;
    known.then(|| code.parse().ok().and_then(StatusCode::new)).flatten()
}

/// The 202 to a REFER, which says when no report will follow (RFC 4488 §4).
pub fn accepted(request: &Request, refer: &Refer) -> Response {
    let mut response = Response::to_request(request, StatusCode::ACCEPTED, None);
    if refer.silent {
        response.headers.push(HeaderName::ReferSub, "false");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::SubscriptionState;

    fn refer(refer_to: &str, extra: &[(HeaderName, &str)]) -> Request {
        let mut request = Request::new(Method::Refer, "sip:101@office.example".parse().unwrap())
            .with(HeaderName::ReferTo, refer_to)
            .with(HeaderName::CSeq, "42 REFER");
        for (name, value) in extra {
            request.headers.push(name.clone(), *value);
        }
        request
    }

    #[test]
    fn a_blind_transfer_names_its_target() {
        let by = [(HeaderName::ReferredBy, "<sip:101@office.example>")];
        let refer =
            Refer::of(&refer("\"Bob\" <sip:102@office.example;method=INVITE>", &by)).unwrap();
        assert_eq!(refer.target.to_string(), "\"Bob\" <sip:102@office.example>");
        assert_eq!(refer.replaces, None);
        assert!(refer.referred_by.is_some());
        assert_eq!(refer.cseq, 42);
        let tel = Refer::of(&self::refer("<tel:+12125551101>", &[])).unwrap();
        assert_eq!(tel.target.to_string(), "<tel:+12125551101>", "tel stays tel");
    }

    #[test]
    fn an_attended_transfer_names_the_dialog_to_replace() {
        let text = "<sip:102@office.example?Subject=x&Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df>";
        let refer = Refer::of(&refer(text, &[])).unwrap();
        let replaces = refer.replaces.unwrap();
        assert_eq!((&*replaces.call_id, &*replaces.to_tag, &*replaces.from_tag), ("a@b", "t", "f"));
        assert_eq!(refer.target.to_string(), "<sip:102@office.example>");
    }

    #[test]
    fn what_we_ask_for_reads_as_we_meant_it() {
        let target: NameAddr = "<sip:102@office.example>".parse().unwrap();
        let replaces = Replaces {
            call_id: "a@b;c".replace(';', "-").into(),
            to_tag: "t".into(),
            from_tag: "f".into(),
            early_only: true,
        };
        let header = refer_to(&target, Some(&replaces));
        let read = Refer::of(&refer(&header.to_string(), &[])).unwrap();
        assert_eq!(read.replaces, Some(replaces));
        assert_eq!(read.target, target);
    }

    #[test]
    fn a_refer_that_cannot_be_followed_is_refused() {
        let two = [(HeaderName::ReferTo, "<sip:103@office.example>")];
        let none = Request::new(Method::Refer, "sip:a@b".parse().unwrap());
        let cases = [
            (refer("<sip:102@office.example>", &two), 400),
            (none, 400),
            (refer("<sip:102@office.example;method=BYE>", &[]), 501),
            (refer("<sip:102@office.example?Replaces=nonsense>", &[]), 400),
        ];
        for (request, code) in cases {
            assert_eq!(Refer::of(&request).unwrap_err().status().code(), code);
        }
    }

    #[test]
    fn progress_is_reported_as_fragments_until_a_final_one() {
        let now = Instant::now();
        let request = refer("<sip:102@office.example>", &[]);
        let refer = Refer::of(&request).unwrap();
        let mut subscription = refer.subscription(now);
        for (code, body, over) in [
            (100, "SIP/2.0 100 Trying\r\n", false),
            (180, "SIP/2.0 180 Ringing\r\n", false),
            (200, "SIP/2.0 200 OK\r\n", true),
        ] {
            let mut notify = Request::new(Method::Notify, "sip:a@b".parse().unwrap());
            let status = StatusCode::new(code).unwrap();
            fill_report(now, &mut subscription, &mut notify, status, None);
            assert_eq!(notify.body, body);
            assert_eq!(reported(&notify.body), Some(status));
            assert_eq!(notify.headers.text(&HeaderName::ContentType).as_deref(), Some(SIPFRAG));
            let event = notify.headers.text(&HeaderName::Event);
            assert_eq!(event.as_deref(), Some("refer;id=42"));
            assert_eq!(subscription.is_finished(), over);
            let state = notify.headers.typed::<SubscriptionState>().unwrap().unwrap();
            assert_eq!(state.reason.as_deref() == Some("noresource"), over);
        }
        assert_eq!(accepted(&request, &refer).status, StatusCode::ACCEPTED);
    }

    #[test]
    fn a_sender_may_want_no_reports() {
        for wish in ["false", "False ;x=y"] {
            let request = refer("<sip:102@office.example>", &[(HeaderName::ReferSub, wish)]);
            let refer = Refer::of(&request).unwrap();
            assert!(refer.silent, "{wish}");
            let answer = accepted(&request, &refer);
            assert_eq!(answer.headers.text(&HeaderName::ReferSub).as_deref(), Some("false"));
        }
    }

    #[test]
    fn reports_that_are_none_are_not_read() {
        for body in ["", "INVITE sip:a@b SIP/2.0", "SIP/2.0 20 x", "SIP/2.0 999 x", "\u{fe}"] {
            assert_eq!(reported(body.as_bytes()), None, "{body}");
        }
        assert_eq!(reported(b"\r\nSIP/2.0 486\r\nTo: x\r\n").map(StatusCode::code), Some(486));
    }

    #[test]
    fn a_reason_phrase_cannot_break_out_of_its_line() {
        let body = sipfrag(StatusCode::OK, Some("fine\r\nVia: x"));
        assert_eq!(body, "SIP/2.0 200 fineVia: x\r\n");
    }
}

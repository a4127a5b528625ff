//! Requests within a call's dialog that change nothing of it: keys by INFO, OPTIONS, what we do not
//! take.

use std::sync::Arc;
use std::time::Instant;

use offhook_media::dtmf::Digit;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::session::InboundToken;

use super::leg::{Leg, LegId};
use super::{Call, runner};

impl Call {
    /// A request within the dialog that the session does not answer by itself.
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        id: LegId,
        token: InboundToken,
        request: &Request,
    ) {
        let (status, digit) = match &request.method {
            Method::Refer => return self.on_refer(now, id, token, request),
            Method::Subscribe => return self.on_subscribe(now, id, token, request),
            Method::Info => match info_digit(request) {
                Some(digit) => (StatusCode::OK, Some(digit)),
                // Candidates that a browser finds later (RFC 8840).
                None if is_trickle(request) => {
                    self.trickle(now, id, request);
                    (StatusCode::OK, None)
                }
                // RFC 6086 §4.2.2: a body that nobody here understands.
                None if !request.body.is_empty() => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
                None => (StatusCode::OK, None),
            },
            Method::Options => (StatusCode::OK, None),
            Method::Message => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            // We subscribe to nothing.
            Method::Notify => (StatusCode::BAD_EVENT, None),
            _ => (StatusCode::NOT_IMPLEMENTED, None),
        };
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.respond(now, token, status, &Headers::new(), None);
        }
        if let Some(digit) = digit {
            self.on_informed(now, id, digit);
        }
    }

    /// Candidates are asked where ours is the side that asks. A browser asks us, and we learn of its
    /// candidates by that.
    fn trickle(&mut self, now: Instant, id: LegId, request: &Request) {
        let metrics = Arc::clone(&self.services.metrics);
        let Some(leg) = self.leg(id) else { return };
        let (label, Some(media)) = (leg.label, leg.media.as_mut()) else { return };
        let trickled = media.negotiator.trickle(&request.body);
        metrics.candidates_malformed.add(trickled.malformed as u64);
        if let Some(stream) = trickled.stream {
            media.apply(&stream);
            let text = format!("{} more addresses of the peer are tried", trickled.used);
            self.timeline.note(now, Some(label), text);
        }
    }

    /// A key by INFO. The media thread acts on it: it alone knows whether the key came in the media
    /// too, and who hears this leg.
    fn on_informed(&mut self, now: Instant, id: LegId, digit: Digit) {
        let new = self.leg(id).is_none_or(|leg| leg.carriers.informed(now, digit));
        // Whether that still plays the media thread knows: it says so when the key is left to us.
        let control = self.is_control(id, digit);
        if let Some(port) = self.leg_ref(id).and_then(Leg::port) {
            port.informed(digit, runner::INFO_TONE, runner::DIGIT_GAP, new && control);
        }
        if new && !control {
            self.pass_key_in_room(id, digit);
            self.on_digit(now, id, digit);
        }
    }
}

/// `application/trickle-ice-sdpfrag` (RFC 8840 §9).
fn is_trickle(request: &Request) -> bool {
    let kind = request.headers.text(&HeaderName::ContentType);
    kind.is_some_and(|kind| {
        kind.trim_start().to_ascii_lowercase().starts_with("application/trickle-ice-sdpfrag")
    })
}

/// `Signal=5` of `application/dtmf-relay`, `d=5` of Nortel's type, or a bare digit; some name one type and
/// write the other's body.
fn info_digit(request: &Request) -> Option<Digit> {
    let kind = request.headers.text(&HeaderName::ContentType)?.to_ascii_lowercase();
    let text = std::str::from_utf8(&request.body).ok()?;
    let kinds = ["application/dtmf", "application/vnd.nortelnetworks.digits"];
    if !kinds.iter().any(|known| kind.trim_start().starts_with(known)) {
        return None;
    }
    let signal = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let names = ["signal", "d"];
        names.iter().any(|n| name.trim().eq_ignore_ascii_case(n)).then(|| value.trim().to_owned())
    };
    let key = text.lines().find_map(signal).unwrap_or_else(|| text.trim().to_owned());
    // Some phones send the event codes of RFC 4733 for the keys that are no numbers.
    let key = match key.as_str() {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        one => one.chars().next().filter(|_| one.len() == 1)?,
    };
    Digit::from_char(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(kind: &str, body: &str) -> Option<char> {
        let text = format!(
            "INFO sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
             From: <sip:b@192.0.2.2>;tag=1\r\nTo: <sip:a@192.0.2.1>;tag=2\r\nCall-ID: 1\r\n\
             CSeq: 1 INFO\r\nMax-Forwards: 70\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        info_digit(&crate::registrar::tests::parse(&text)).map(Digit::as_char)
    }

    #[test]
    fn a_key_by_info_is_read_in_every_form_that_phones_write() {
        for (kind, body, key) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Application/DTMF-Relay; charset=utf-8", "signal= *\nduration= 250", Some('*')),
            ("application/dtmf-relay", "Signal=11\r\n", Some('#')),
            ("application/dtmf-relay", "Signal=13", Some('B')),
            ("application/dtmf-relay", "7", Some('7')),
            ("application/dtmf", "8\r\n", Some('8')),
            ("application/dtmf", "Signal=2\r\nDuration=100\r\n", Some('2')),
            (
                "application/vnd.nortelnetworks.digits",
                "p=Digit-Collection\r\ny=Digits\r\nd=3\r\n",
                Some('3'),
            ),
            ("application/dtmf-relay", "Signal=16\r\n", None),
            ("application/dtmf-relay", "Duration=160\r\n", None),
            ("application/dtmf", "", None),
            ("text/plain", "5", None),
        ] {
            assert_eq!(digit(kind, body), key, "{kind}: {body}");
        }
    }
}

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

/// `Signal=5` of `application/dtmf-relay`, or the bare digit of `application/dtmf`.
fn info_digit(request: &Request) -> Option<Digit> {
    let kind = request.headers.text(&HeaderName::ContentType)?.to_ascii_lowercase();
    let text = std::str::from_utf8(&request.body).ok()?;
    let key = if kind.starts_with("application/dtmf-relay") {
        let signal = |line: &str| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
        };
        text.lines().find_map(signal)?
    } else if kind.starts_with("application/dtmf") {
        text.trim().to_owned()
    } else {
        return None;
    };
    // Some phones send the event codes of RFC 4733 for the two odd keys.
    let key = match key.as_str() {
        "10" => '*',
        "11" => '#',
        one => one.chars().next().filter(|_| one.len() == 1)?,
    };
    Digit::from_char(key)
}

//! What comes from the wire and from sessions.

use std::time::Instant;

use bytes::Bytes;
use offhook_media::dtmf::Digit;
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::digest;
use offhook_sip::header::{HeaderName, HeaderValue, Headers};
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::session::{
    EndedBy, InboundToken, OfferToken, Output, RequestToken, SendFailure as SessionFailure,
    SessionEvent,
};
use offhook_sip::uri::Uri;
use offhook_sma::action::{Action, Hangup, LegTag, Target};
use offhook_sma::event::{ActionData, EventType, Status};

use super::leg::{LegId, Part, Way, media_fact};
use super::{Call, runner};
use crate::event::{CallEventKind, Direction};
use crate::failure;
use crate::stack::{SendFailure, SipEvent};

impl Call {
    /// Carries out what the sessions want and collects their news.
    pub(super) fn drain(&mut self, now: Instant) {
        for leg in &mut self.legs {
            while let Some(output) = leg.session.poll_output() {
                match output {
                    Output::Send { token, request, next_hop } => {
                        let peer = leg.peer(Some(&next_hop));
                        self.timeline.request(now, leg.label, Direction::Out, &request, peer);
                        let target = leg.target(&next_hop);
                        self.services.sip.send(leg.wire_token(token), request, target, &self.owner);
                    }
                    Output::SendAck { request, next_hop } => {
                        let peer = leg.peer(Some(&next_hop));
                        self.timeline.request(now, leg.label, Direction::Out, &request, peer);
                        self.services.sip.send_ack(request, leg.target(&next_hop));
                    }
                    Output::Cancel { token, headers } => {
                        self.timeline.note(now, Some(leg.label), "CANCEL");
                        self.services.sip.cancel(leg.wire_token(token), &self.owner, headers);
                    }
                    Output::Respond { tx, response } => {
                        let peer = leg.peer(None);
                        self.timeline.response(now, leg.label, Direction::Out, &response, peer);
                        self.services.sip.respond(tx, response);
                    }
                    Output::Event(event) => self.news.push_back((leg.id, event)),
                }
            }
        }
    }

    /// An event of the stack.
    pub(super) fn on_sip(&mut self, now: Instant, event: SipEvent) {
        match event {
            SipEvent::Response { token, response, flow } => {
                let Some(leg) = self.leg(leg_of(token)) else { return };
                if let Way::ByUri { seen } = &mut leg.way {
                    *seen = Some(flow);
                }
                let (id, label) = (leg.id, leg.label);
                if let (Some(slot), false) = (&leg._slot, response.status.code() == 503) {
                    slot.heard();
                }
                leg.session.handle_response(now, request_token(token), &response);
                let peer = super::timeline::peer_of(&flow);
                self.timeline.response(now, label, Direction::In, &response, peer);
                self.heard_from(id);
            }
            SipEvent::Failed { token, kind } => {
                let Some(leg) = self.leg(leg_of(token)) else { return };
                let label = leg.label;
                leg.session.handle_failure(now, request_token(token), session_failure(&kind));
                self.timeline.note(now, Some(label), format!("a request got no answer: {kind}"));
            }
            SipEvent::Request { tx, request, flow } => {
                let Some(leg) = self.legs.iter_mut().find(|leg| leg.owns(&request)) else {
                    let status = StatusCode::CALL_DOES_NOT_EXIST;
                    let response = Response::to_request(&request, status, None);
                    self.services.sip.respond(tx, response);
                    return;
                };
                leg.way = match leg.way {
                    Way::Flow(_) => Way::Flow(flow),
                    Way::ByUri { .. } => Way::ByUri { seen: Some(flow) },
                };
                let peer = super::timeline::peer_of(&flow);
                self.timeline.request(now, leg.label, Direction::In, &request, peer);
                leg.session.handle_request(now, tx, &request);
            }
            SipEvent::Ack { request, flow } => {
                let Some(leg) = self.legs.iter_mut().find(|leg| leg.owns(&request)) else { return };
                let peer = super::timeline::peer_of(&flow);
                self.timeline.request(now, leg.label, Direction::In, &request, peer);
                leg.session.handle_ack(now, &request);
            }
            SipEvent::Cancel { invite, request } => {
                for leg in &mut self.legs {
                    if leg.owns_invite(&request) {
                        let peer = leg.peer(None);
                        self.timeline.request(now, leg.label, Direction::In, &request, peer);
                        leg.session.handle_cancel(now, invite, &request);
                    }
                }
            }
        }
    }

    /// News of a session.
    pub(super) fn on_news(&mut self, now: Instant, id: LegId, event: SessionEvent) {
        match event {
            SessionEvent::Provisional { status, sdp, .. } => self.on_ringing(now, id, status, sdp),
            SessionEvent::Answered { sdp, .. } => self.on_answered(now, id, sdp.as_ref()),
            SessionEvent::Rejected { response } => self.on_rejected(now, id, &response),
            SessionEvent::Confirmed => self.on_confirmed(now, id),
            SessionEvent::Offer { token, sdp, .. } => self.on_offer(now, id, token, sdp),
            SessionEvent::OfferAccepted { sdp } => self.on_offer_accepted(now, id, &sdp),
            SessionEvent::OfferRejected { .. } => {
                if let Some(media) = self.leg(id).and_then(|leg| leg.media.as_mut()) {
                    media.negotiator.offer_failed();
                }
            }
            SessionEvent::OfferWithdrawn { .. }
            | SessionEvent::Response { .. }
            | SessionEvent::RequestFailed { .. }
            | SessionEvent::RemoteTargetChanged { .. } => {}
            SessionEvent::Request { token, request } => self.on_request(now, id, token, &request),
            SessionEvent::Challenge { token, method, uri, response } => {
                self.on_challenge(now, id, token, method, uri, &response);
            }
            SessionEvent::Ended { by, status, reasons } => {
                self.on_ended(now, id, by, status, reasons);
            }
        }
    }

    /// Hold, resume, another codec or address: answered on this leg; the other one only notices
    /// that media stops or goes on (RFC 3264 §8.4: the direction of our answer follows the offer).
    fn on_offer(&mut self, now: Instant, id: LegId, token: OfferToken, sdp: Option<Bytes>) {
        if self.ensure_media(id).is_err() {
            self.refuse_offer(now, id, token, 488);
            return;
        }
        let Some(leg) = self.leg(id) else { return };
        let label = leg.label;
        let Some(media) = &mut leg.media else { return };
        let was_held = media.held;
        let Some(offer) = sdp else {
            let ours = media.offer(MediaDirection::SendRecv);
            let _ = leg.session.answer_offer(now, token, ours);
            return;
        };
        match media.answer(&offer) {
            Ok((answer, stream)) => {
                let held = media.held;
                let _ = leg.session.answer_offer(now, token, answer);
                self.timeline.add(now, Some(label), media_fact(&stream));
                match (was_held, held) {
                    (false, true) => self.timeline.note(now, Some(label), "holds the call"),
                    (true, false) => self.timeline.note(now, Some(label), "resumes the call"),
                    _ => {}
                }
            }
            Err(error) => {
                self.timeline.note(now, Some(label), format!("offer refused: {error}"));
                self.refuse_offer(now, id, token, error.sip_status());
            }
        }
    }

    fn refuse_offer(&mut self, now: Instant, id: LegId, token: OfferToken, status: u16) {
        let status = StatusCode::new(status).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.refuse_offer(now, token, status);
        }
    }

    /// The answer to an offer of ours: in an ACK, or to a refresh.
    fn on_offer_accepted(&mut self, now: Instant, id: LegId, sdp: &Bytes) {
        let Some(leg) = self.leg(id) else { return };
        let (label, part) = (leg.label, leg.part);
        let Some(media) = &mut leg.media else { return };
        match media.accept(sdp) {
            Ok(stream) => self.timeline.add(now, Some(label), media_fact(&stream)),
            Err(error) => {
                self.timeline.note(now, Some(label), format!("answer not usable: {error}"));
                if part == Part::Caller {
                    self.fail(now, failure::BAD_SDP, None, &error.to_string());
                    self.hang_up_all(now, "the answer in the ACK could not be used");
                }
            }
        }
    }

    fn on_confirmed(&mut self, now: Instant, id: LegId) {
        if let Some(leg) = self.leg(id) {
            leg.confirmed = true;
            if leg.part == Part::Caller {
                self.caller_confirmed(now);
            }
        }
    }

    /// A request within the dialog that the session does not answer by itself.
    fn on_request(&mut self, now: Instant, id: LegId, token: InboundToken, request: &Request) {
        let (status, digit) = match &request.method {
            Method::Info => match info_digit(request) {
                Some(digit) => (StatusCode::OK, Some(digit)),
                // RFC 6086 §4.2.2: a body that nobody here understands.
                None if !request.body.is_empty() => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
                None => (StatusCode::OK, None),
            },
            Method::Options => (StatusCode::OK, None),
            Method::Refer => {
                self.timeline.note(now, None, "a transfer was asked for; not available");
                (StatusCode::DECLINE, None)
            }
            Method::Message => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Method::Notify | Method::Subscribe => (StatusCode::BAD_EVENT, None),
            _ => (StatusCode::NOT_IMPLEMENTED, None),
        };
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.respond(now, token, status, &Headers::new(), None);
        }
        if let Some(digit) = digit {
            self.pass_digit(id, digit);
            self.on_digit(now, id, digit);
        }
    }

    /// A digit that came by INFO goes on as a telephone event: the other side may not know INFO.
    fn pass_digit(&mut self, from: LegId, digit: Digit) {
        let tag = self.leg_ref(from).and_then(super::leg::Leg::tag);
        let (Some(tag), true) = (tag, self.is_bridged()) else { return };
        let other = if tag == LegTag::A { LegTag::B } else { LegTag::A };
        if let Some(port) = self.tagged(other).and_then(|leg| leg.port()) {
            port.send_digits(&[digit], runner::INFO_TONE, runner::DIGIT_GAP);
        }
    }

    fn on_challenge(
        &mut self,
        now: Instant,
        id: LegId,
        token: RequestToken,
        method: Method,
        uri: Uri,
        response: &Response,
    ) {
        let Some(leg) = self.leg(id) else { return };
        // The digest client wants the method and the Request-URI only: we offer `qop=auth`.
        let mut request = Request { method, uri, headers: Headers::new(), body: Bytes::new() };
        let answered = match &mut leg.digest {
            Some(client) => client.challenged(&request, response),
            None => Err(digest::Refused::NoChallenge),
        };
        let retried = match (answered, &mut leg.digest) {
            (Ok(()), Some(client)) => {
                client.authorize(&mut request);
                leg.session.retry_with(now, token, &request.headers).is_ok()
            }
            _ => false,
        };
        if !retried {
            let _ = leg.session.give_up(now, token);
        }
    }

    /// A leg is over.
    fn on_ended(
        &mut self,
        now: Instant,
        id: LegId,
        by: EndedBy,
        status: Option<StatusCode>,
        reasons: Vec<HeaderValue>,
    ) {
        let Some(leg) = self.leg(id) else { return };
        let (part, label, answered) = (leg.part, leg.label, leg.answered);
        let trunk = matches!(leg.party, super::leg::Party::Trunk(_));
        leg.part = Part::Gone;
        let media = leg.media.take();
        if part == Part::Branch {
            self.branch_ended(now, id, by, status);
            return;
        }
        if let Some(port) = media.and_then(|m| m.port) {
            let c = port.counters();
            let dropped = c.dropped + c.strangers + c.srtp_failures;
            let (received, sent, lost) = (c.received, c.sent, c.lost);
            let kind = CallEventKind::MediaSummary { received, sent, lost, dropped };
            self.timeline.add(now, Some(label), kind);
            self.keep_last_words(now, port);
        }
        let tag = match part {
            Part::Caller => LegTag::A,
            Part::Callee => LegTag::B,
            Part::Branch | Part::Gone => return,
        };
        if by == EndedBy::Remote {
            self.reasons = reasons;
        }
        self.note_ending(now, tag, answered, trunk, by);
        self.transaction.set_status(tag, Status::Disconnected);
        if self.listening.as_ref().is_some_and(|(leg, _)| *leg == id) {
            self.listening = None;
        }
        if tag == LegTag::A {
            self.stop_bridging(now, &[]);
        }
        self.abandon_action(tag);
        let code = status.map_or(0, |s| u64::from(s.code()));
        let mut hangup = Hangup { target: Target::tag(tag), sip_response_code: code };
        hangup.target.call_id = self.transaction.participant(tag).map(|p| p.call_id.clone());
        let data = ActionData::of(Action::Hangup(hangup));
        self.tell(now, tag, EventType::Hangup, Some(data));
    }

    /// Who hung up and why, in the record and in words.
    fn note_ending(&mut self, now: Instant, tag: LegTag, answered: bool, trunk: bool, by: EndedBy) {
        let side = if tag == LegTag::A { "caller" } else { "callee" };
        match by {
            EndedBy::Remote if !answered => {
                self.failure = Some(failure::CANCELLED);
                self.timeline.failure(now, None, failure::CANCELLED, None, "");
                self.ends("caller", "hung up before anybody answered");
            }
            EndedBy::Remote => self.ends(side, "hung up"),
            EndedBy::Local => self.ends("us", "ended by the application"),
            EndedBy::Rejected => self.ends(side, "refused"),
            EndedBy::SessionTimer => {
                self.fail(now, failure::SESSION_EXPIRED, None, side);
                self.ends("us", "the session was not refreshed");
            }
            EndedBy::AckTimeout | EndedBy::PrackTimeout => {
                self.fail(now, failure::ACK_MISSING, None, side);
                self.ends("us", "our answer was never confirmed");
            }
            EndedBy::Failure(_) | EndedBy::DialogLost => {
                let failure =
                    if trunk { failure::TRUNK_UNREACHABLE } else { failure::PHONE_UNREACHABLE };
                self.fail(now, failure, None, side);
                self.ends("us", "the other side no longer answers");
            }
            EndedBy::Protocol => {
                self.fail(now, failure::BAD_SDP, None, side);
                self.ends("us", "no media could be agreed on");
            }
        }
    }

    /// Reason headers of the leg that ended first (RFC 3326), for the others.
    pub(super) fn reason_headers(&self) -> Headers {
        let mut headers = Headers::new();
        for value in self.reasons.iter().take(4) {
            headers.push(HeaderName::Reason, value.clone());
        }
        headers
    }
}

impl super::leg::Leg {
    /// Whether a CANCEL is for this leg's INVITE (RFC 3261 §9.1: same Call-ID; the To tag is not
    /// there yet).
    fn owns_invite(&self, cancel: &Request) -> bool {
        self.part != Part::Branch
            && cancel.call_id().is_some_and(|id| *id == *self.session.call_id())
    }
}

fn leg_of(token: u64) -> LegId {
    LegId(u32::try_from(token >> 32).unwrap_or(u32::MAX))
}

fn request_token(token: u64) -> RequestToken {
    RequestToken(token & 0xffff_ffff)
}

fn session_failure(kind: &SendFailure) -> SessionFailure {
    match kind {
        SendFailure::Timeout | SendFailure::Cancelled => SessionFailure::Timeout,
        SendFailure::Transport => SessionFailure::Transport,
        SendFailure::Resolve(_) => SessionFailure::Unresolved,
        SendFailure::Overloaded => SessionFailure::Overloaded,
    }
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

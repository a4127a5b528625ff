//! What comes from the wire and from sessions.

use std::time::Instant;

use bytes::Bytes;
use offhook_sip::digest;
use offhook_sip::flow::Flow;
use offhook_sip::header::Headers;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::session::{Output, RequestToken, SendFailure as SessionFailure, SessionEvent};
use offhook_sip::uri::Uri;

use super::Call;
use super::leg::{LegId, Part, Way};
use crate::event::Direction;
use crate::stack::{SendFailure, SipEvent};

impl Call {
    /// Carries out what the sessions want and collects their news.
    pub(super) fn drain(&mut self, now: Instant) {
        for leg in &mut self.legs {
            while let Some(output) = leg.session.poll_output() {
                if matches!(output, Output::Send { .. } | Output::SendAck { .. }) {
                    leg.follow_browser(&*self.services.phonebook);
                }
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
                leg.speaks_from(&flow);
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
                leg.speaks_from(&flow);
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
                if self.on_other_side(now, id, None) {
                    return;
                }
                if let Some(media) = self.leg(id).and_then(|leg| leg.media.as_mut()) {
                    media.negotiator.offer_failed();
                }
            }
            SessionEvent::OfferWithdrawn { token } => self.offer_withdrawn(token),
            SessionEvent::RemoteTargetChanged { .. } => {}
            SessionEvent::Response { token, response } => {
                self.on_report_answered(now, id, token, Some(&response));
            }
            SessionEvent::RequestFailed { token, .. } => {
                self.on_report_answered(now, id, token, None);
            }
            SessionEvent::Request { token, request } => self.on_request(now, id, token, &request),
            SessionEvent::Challenge { token, method, uri, response } => {
                self.on_challenge(now, id, token, method, uri, &response);
            }
            SessionEvent::Ended { by, status, reasons } => {
                self.on_ended(now, id, by, status, reasons);
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
}

impl super::leg::Leg {
    /// Where its signalling comes from, for its media.
    fn speaks_from(&mut self, flow: &Flow) {
        if let Some(media) = &mut self.media {
            media.speaks_from(flow.remote.ip());
        }
    }

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

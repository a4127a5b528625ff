//! Offers of the peer: what brings them, and the owner's answers (RFC 3261 §14.2, RFC 3311 §5.2,
//! RFC 3264).

use std::time::Instant;

use bytes::Bytes;

use super::outputs::{EndedBy, OfferKind, OfferToken, Refused};
use super::session_timer::TooSmall;
use super::state::{Carrier, ClientKind, FirstOffer, Open, Phase};
use super::{Session, TRICKLE_ICE, wire};
use crate::header::{HeaderName, Headers};
use crate::message::{Request, Response, StatusCode};
use crate::transaction::ServerTx;

/// Whose offer stands in the way of a new one of the peer.
enum Conflict {
    /// Ours: 491.
    Ours,
    /// One of the peer's that is not answered yet: 500 with Retry-After.
    Theirs,
}

impl Session {
    /// A re-INVITE in sequence.
    pub(super) fn on_reinvite(&mut self, now: Instant, tx: ServerTx, request: &Request, cseq: u32) {
        let template = Response::to_request(request, StatusCode::OK, None);
        match self.invite_conflict() {
            Some(Conflict::Ours) => return self.refuse(tx, template, StatusCode::REQUEST_PENDING),
            Some(Conflict::Theirs) => return self.refuse_for_now(tx, template),
            None => {}
        }
        let Ok(offer) = wire::sdp(&request.headers, &request.body) else {
            return self.refuse_body(tx, template);
        };
        let agreement = match self.timer.consider(&self.config, &request.headers) {
            Ok(agreement) => agreement,
            Err(too_small) => return self.refuse_interval(tx, template, too_small),
        };
        self.yield_deferred();
        self.take_target(&request.headers);
        let carrier = Carrier::ReInvite { tx, template, cseq, offer: offer.clone(), agreement };
        let _ = now;
        self.ask_owner(offer, OfferKind::ReInvite, carrier);
    }

    fn invite_conflict(&self) -> Option<Conflict> {
        match self.phase {
            // RFC 3261 §14.2: a second INVITE before our final response to the first.
            Phase::Ringing => return Some(Conflict::Theirs),
            Phase::Calling => return Some(Conflict::Ours),
            Phase::Live | Phase::Over => {}
        }
        let inviting = |kind: &ClientKind| matches!(kind, ClientKind::ReInvite(_));
        match &self.open {
            Open::Local | Open::LocalIn2xx => Some(Conflict::Ours),
            Open::Remote {
                carrier: Carrier::Answer { .. } | Carrier::Provisional { .. }, ..
            } => Some(Conflict::Ours),
            Open::Remote { .. } => Some(Conflict::Theirs),
            // RFC 3261 §14.2: an INVITE of ours in progress; and RFC 5407 §3.1: our 2xx still
            // waits for its ACK.
            Open::None if !self.accepted.is_empty() => Some(Conflict::Ours),
            Open::None if self.clients.iter().any(|c| inviting(&c.kind)) => Some(Conflict::Ours),
            Open::None => None,
        }
    }

    /// An UPDATE in sequence, on the branch `tag`.
    pub(super) fn on_update(&mut self, now: Instant, tx: ServerTx, request: &Request, tag: &str) {
        let template = Response::to_request(request, StatusCode::OK, None);
        let Ok(offer) = wire::sdp(&request.headers, &request.body) else {
            return self.refuse_body(tx, template);
        };
        if offer.is_some() {
            match self.update_conflict(tag) {
                Some(Conflict::Ours) => {
                    return self.refuse(tx, template, StatusCode::REQUEST_PENDING);
                }
                Some(Conflict::Theirs) => return self.refuse_for_now(tx, template),
                None => {}
            }
        }
        // RFC 4028 §9: timers start with the 2xx to the INVITE, an early UPDATE has none.
        let live = self.phase == Phase::Live;
        let agreement = match self.timer.consider(&self.config, &request.headers) {
            Ok(agreement) => agreement.filter(|_| live),
            Err(too_small) => return self.refuse_interval(tx, template, too_small),
        };
        if self.is_chosen(tag) {
            self.take_target(&request.headers);
        } else if let Some(leg) = self.branch(tag) {
            leg.dialog.refresh_target(&request.headers);
        }
        let Some(offer) = offer else {
            let mut response = self.positive(template);
            if live {
                self.timer.confirm(now, agreement, &mut response.headers);
            }
            self.respond_now(tx, response);
            return;
        };
        self.yield_deferred();
        let tag = tag.into();
        let carrier = Carrier::Update { tx, template, tag, offer: offer.clone(), agreement };
        self.ask_owner(Some(offer), OfferKind::Update, carrier);
    }

    /// RFC 3311 §5.2.
    fn update_conflict(&mut self, tag: &str) -> Option<Conflict> {
        match &self.open {
            Open::Local | Open::LocalIn2xx => return Some(Conflict::Ours),
            Open::Remote { .. } => return Some(Conflict::Theirs),
            Open::None => {}
        }
        match self.callee.as_ref().map(|callee| callee.first) {
            Some(FirstOffer::Theirs) => return Some(Conflict::Theirs),
            Some(FirstOffer::OursDue | FirstOffer::OursOpen) => return Some(Conflict::Ours),
            Some(FirstOffer::Done) => return None,
            None => {}
        }
        let calling = self.phase == Phase::Calling;
        let agreed = self.branch(tag).is_some_and(|leg| leg.agreed);
        (calling && !agreed).then_some(Conflict::Ours)
    }

    /// Answers an `Offer` (for a re-INVITE without SDP: makes ours).
    ///
    /// Errors: the token is not the one of the open offer.
    pub fn answer_offer(
        &mut self,
        now: Instant,
        token: OfferToken,
        sdp: Bytes,
    ) -> Result<(), Refused> {
        match self.take_offer(token)? {
            Carrier::ReInvite { tx, template, cseq, offer, agreement } => {
                let mut response = self.positive(template);
                self.timer.confirm(now, agreement, &mut response.headers);
                wire::set_sdp(&mut response.headers, &mut response.body, Some(&sdp));
                let offered = offer.is_none();
                match offer {
                    Some(offer) => self.agree(sdp, offer),
                    None => {
                        self.open = Open::LocalIn2xx;
                        self.local_sdp = Some(sdp);
                    }
                }
                self.send_accepted(now, tx, cseq, response, false, offered);
            }
            Carrier::Update { tx, template, tag, offer, agreement } => {
                let mut response = self.positive(template);
                if self.phase == Phase::Live {
                    self.timer.confirm(now, agreement, &mut response.headers);
                }
                wire::set_sdp(&mut response.headers, &mut response.body, Some(&sdp));
                self.respond_now(tx, response);
                if let Some(leg) = self.branch(&tag) {
                    leg.answer = Some(offer.clone());
                }
                self.agree(sdp, offer);
            }
            Carrier::Prack { tx, template, offer } => {
                let mut response = self.finish(template, StatusCode::OK);
                wire::set_sdp(&mut response.headers, &mut response.body, Some(&sdp));
                self.respond_now(tx, response);
                self.agree(sdp, offer);
            }
            Carrier::Provisional { tag, rseq, offer } => {
                let cseq = self.caller.as_ref().map_or(0, |caller| caller.cseq);
                if let Some(leg) = self.branch(&tag) {
                    leg.agreed = true;
                    leg.answer = Some(offer);
                }
                self.local_sdp = Some(sdp.clone());
                self.send_prack(&tag, rseq, cseq, Some(&sdp));
            }
            Carrier::Answer { cseq, offer } => {
                self.send_ack(cseq, Some(&sdp));
                self.agree(sdp, offer);
            }
        }
        self.release_queue(now);
        self.start_deferred(now);
        Ok(())
    }

    /// Refuses an `Offer` with a 4xx..6xx; the session stays as it was. Where SIP knows no refusal
    /// (an offer in a response to our INVITE), the call ends instead.
    ///
    /// Errors: the token is not the one of the open offer; the status is no failure.
    pub fn refuse_offer(
        &mut self,
        now: Instant,
        token: OfferToken,
        status: StatusCode,
    ) -> Result<(), Refused> {
        if status.code() < 400 {
            return Err(Refused::BadStatus);
        }
        match self.take_offer(token)? {
            Carrier::ReInvite { tx, template, .. }
            | Carrier::Update { tx, template, .. }
            | Carrier::Prack { tx, template, .. } => self.refuse(tx, template, status),
            Carrier::Provisional { .. } => {
                self.cancel_invite(Headers::new());
                self.end(now, EndedBy::Local, Some(status), Vec::new());
            }
            Carrier::Answer { cseq, .. } => {
                // RFC 3261 §13.2.2.4: acknowledge, then BYE.
                self.send_ack(cseq, None);
                self.terminate(now, EndedBy::Local, Some(status), Headers::new());
            }
        }
        self.release_queue(now);
        self.start_deferred(now);
        Ok(())
    }

    fn take_offer(&mut self, token: OfferToken) -> Result<Carrier, Refused> {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::Remote { token: open, carrier } if open == token => Ok(carrier),
            other => {
                self.open = other;
                Err(Refused::UnknownToken)
            }
        }
    }

    fn agree(&mut self, local: Bytes, remote: Bytes) {
        self.local_sdp = Some(local);
        self.remote_sdp = Some(remote);
    }

    /// A 200 with what a 2xx to INVITE and UPDATE carries.
    pub(super) fn positive(&self, template: Response) -> Response {
        let mut response = self.finish(template, StatusCode::OK);
        wire::set_contact(&mut response.headers, &self.contact, self.config.is_focus);
        self.capabilities(&mut response.headers);
        response
    }

    /// Allow and Supported.
    pub(super) fn capabilities(&self, headers: &mut Headers) {
        headers.push(HeaderName::Allow, wire::allow_list(&self.config.allow));
        if !self.config.supported.is_empty() {
            headers.push(HeaderName::Supported, self.config.supported.join(", "));
        }
        if self.config.supports(TRICKLE_ICE) {
            // RFC 8840 §10.4, RFC 6086 §5.2.3.
            headers.push(HeaderName::Other("Recv-Info".into()), TRICKLE_ICE);
        }
    }

    /// Turns a template into a response with that status and its usual reason phrase.
    pub(super) fn finish(&self, mut template: Response, status: StatusCode) -> Response {
        template.status = status;
        template.reason = Bytes::from_static(status.default_reason().as_bytes());
        template.ensure_to_tag(&self.local_tag);
        if let Some(agent) = &self.config.user_agent
            && template.headers.get(&HeaderName::Server).is_none()
        {
            template.headers.push(HeaderName::Server, agent.to_string());
        }
        template
    }

    /// User-Agent of a request of ours.
    pub(super) fn agent(&self, headers: &mut Headers) {
        if let Some(agent) = &self.config.user_agent
            && headers.get(&HeaderName::UserAgent).is_none()
        {
            headers.push(HeaderName::UserAgent, agent.to_string());
        }
    }

    pub(super) fn refuse(&mut self, tx: ServerTx, template: Response, status: StatusCode) {
        let response = self.finish(template, status);
        self.respond_now(tx, response);
    }

    /// 500 with a random Retry-After of 0 to 10 s (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn refuse_for_now(&mut self, tx: ServerTx, template: Response) {
        let mut response = self.finish(template, StatusCode::SERVER_INTERNAL_ERROR);
        let wait = self.jitter.up_to(10);
        response.headers.push(HeaderName::RetryAfter, wait.to_string());
        self.respond_now(tx, response);
    }

    fn refuse_body(&mut self, tx: ServerTx, template: Response) {
        let mut response = self.finish(template, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        for (name, value) in wire::UnknownBody::remedy() {
            response.headers.push(name, value);
        }
        self.respond_now(tx, response);
    }

    fn refuse_interval(&mut self, tx: ServerTx, template: Response, TooSmall(min): TooSmall) {
        let mut response = self.finish(template, StatusCode::SESSION_INTERVAL_TOO_SMALL);
        response.headers.push(HeaderName::MinSe, min.to_string());
        self.respond_now(tx, response);
    }
}

//! The caller's side of the first INVITE (RFC 3261 §13.2): early dialogs, forks, the ACK.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::state::{Caller, Carrier, Client, ClientKind, Leg, Open, Phase, Role};
use super::{
    EndedBy, OfferKind, OfferToken, OutgoingInvite, Output, RequestToken, Session, SessionConfig,
    SessionEvent, wire,
};
use crate::dialog::{self, Dialog};
use crate::header::{CSeq, HeaderName, Headers};
use crate::ids::Ids;
use crate::message::{Method, Request, Response, StatusCode};

impl Session {
    /// Places a call. The INVITE is the first output.
    pub fn outgoing(
        now: Instant,
        config: Arc<SessionConfig>,
        ids: &mut Ids,
        invite: OutgoingInvite,
    ) -> Self {
        let _ = now; // nothing is timed before the first answer: Timer B is the transaction's
        let call_id = invite.call_id.unwrap_or_else(|| ids.call_id());
        let tag = ids.tag();
        let mut session =
            Self::bare(config, Role::Caller, ids, &call_id, &tag, invite.contact.clone());
        let mut from = invite.from;
        from.params.set("tag", Some(&tag));
        let cseq = ids.sequence();

        let mut headers = Headers::new();
        let uri = dialog::route(&mut headers, &invite.request_uri, &invite.route);
        let next_hop = invite.route.first().map_or(&invite.request_uri, |route| &route.uri).clone();
        headers.push(HeaderName::MaxForwards, session.config.max_forwards.to_string());
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, invite.to.to_string());
        headers.push(HeaderName::CallId, call_id);
        headers.push_typed(&CSeq { seq: cseq, method: Method::Invite });
        session.describe(&mut headers, &invite.headers);
        session.timer.ask(&session.config, &mut headers);
        wire::add_extra(&mut headers, &invite.headers);
        let mut body = Bytes::new();
        wire::set_sdp(&mut headers, &mut body, invite.sdp.as_ref());

        let request = Request { method: Method::Invite, uri, headers, body };
        let token = session.launch(ClientKind::Invite, "", request.clone(), next_hop.clone());
        session.local_sdp = invite.sdp.clone();
        session.caller = Some(Box::new(Caller {
            token,
            request,
            next_hop,
            cseq,
            offered: invite.sdp.is_some(),
            done: false,
            provisional_seen: false,
        }));
        session
    }

    /// A response to the initial INVITE that is no failure, or one that comes again.
    pub(super) fn on_invite_response(&mut self, now: Instant, response: &Response) {
        if response.status.is_provisional() {
            self.on_provisional(now, response);
        } else if response.status.is_success() {
            self.on_answer(now, response);
        }
    }

    fn on_provisional(&mut self, now: Instant, response: &Response) {
        let Some(caller) = &mut self.caller else { return };
        if !caller.provisional_seen {
            caller.provisional_seen = true;
            if self.phase == Phase::Over {
                // RFC 3261 §9.1: the CANCEL goes out now; 64 x T1 later the INVITE counts as
                // cancelled whatever the peer says.
                self.reap_at = Some(now + self.config.timeout());
            }
        }
        if self.phase != Phase::Calling || response.status.code() == 100 {
            return;
        }
        let sdp = wire::sdp_or_none(&response.headers, &response.body);
        let Some(tag) = to_tag(response) else {
            self.emit(provisional(response, None, sdp));
            return;
        };
        if !self.early_leg(&tag, response) {
            return;
        }
        match wire::reliable_rseq(response) {
            Some(rseq) => self.on_reliable_provisional(response, &tag, rseq, sdp),
            None => {
                let offered = self.caller.as_ref().is_some_and(|caller| caller.offered);
                if let Some(leg) = self.branch(&tag)
                    && offered
                    && !leg.agreed
                    && sdp.is_some()
                {
                    // No answer yet (RFC 3261 §13.2.1 wants that reliable), but a preview of it.
                    leg.answer.clone_from(&sdp);
                }
                self.emit(provisional(response, Some(&tag), sdp));
            }
        }
    }

    /// Finds or makes the early dialog (RFC 3261 §12.1.2); `false` when there are too many.
    fn early_leg(&mut self, tag: &str, response: &Response) -> bool {
        if let Some(leg) = self.branch(tag) {
            leg.dialog.refresh_target(&response.headers);
            leg.learn(&response.headers);
            return true;
        }
        let Some(caller) = &self.caller else { return false };
        if self.forks.len() >= self.config.max_parallel {
            return false;
        }
        let Ok(dialog) = Dialog::from_response(&caller.request, response) else { return false };
        let mut leg = Leg::new(dialog);
        leg.learn(&response.headers);
        self.forks.push(leg);
        true
    }

    fn on_answer(&mut self, now: Instant, response: &Response) {
        let tag = to_tag(response).unwrap_or_default();
        let Some(cseq) = self.caller.as_ref().map(|caller| caller.cseq) else { return };
        if self.ack_again(&tag, cseq) {
            return;
        }
        if self.is_chosen(&tag) {
            // A repeated 2xx whose offer is still with the owner.
            return;
        }
        if self.phase != Phase::Calling {
            self.dismiss_fork(now, &tag, response);
            return;
        }
        let Some(leg) = self.take_fork(&tag, response) else {
            // Nothing that an ACK or BYE could be made of.
            self.invite_done();
            self.end(now, EndedBy::Protocol, Some(response.status), Vec::new());
            return;
        };
        self.choose(now, leg, response);
    }

    /// The branch of a 2xx, out of the early ones or made anew.
    fn take_fork(&mut self, tag: &str, response: &Response) -> Option<Leg> {
        let mut leg = match self.forks.iter().position(|leg| leg.tag() == tag) {
            Some(index) => self.forks.swap_remove(index),
            None => {
                let caller = self.caller.as_ref()?;
                Leg::new(Dialog::from_response(&caller.request, response).ok()?)
            }
        };
        leg.dialog.confirm(response);
        leg.learn(&response.headers);
        Some(leg)
    }

    /// The first 2xx: this branch is the call.
    fn choose(&mut self, now: Instant, mut leg: Leg, response: &Response) {
        self.invite_done();
        self.phase = Phase::Live;
        if !self.forks.is_empty() {
            // RFC 3261 §13.2.2.4: other branches may still answer for 64 x T1.
            self.forks_until = Some(now + self.config.timeout());
            self.forks.clear();
        }
        let offered = self.caller.as_ref().is_some_and(|caller| caller.offered);
        let cseq = self.caller.as_ref().map_or(0, |caller| caller.cseq);
        let tag: Box<str> = leg.tag().into();
        let body = wire::sdp_or_none(&response.headers, &response.body);
        // §13.2.1: once an answer came reliably, descriptions in later responses are ignored.
        let answer =
            if leg.agreed { leg.answer.take() } else { body.clone().or(leg.answer.take()) };
        let agreed = leg.agreed || offered;
        leg.agreed = true;
        self.leg = Some(Box::new(leg));
        self.timer.agreed(now, &response.headers);
        self.withdraw_early_offer(&tag);
        let response_event = response.clone();
        if agreed {
            self.send_ack(cseq, None);
            match answer {
                Some(sdp) => {
                    self.remote_sdp = Some(sdp.clone());
                    let sdp = Some(sdp);
                    self.emit(SessionEvent::Answered {
                        sdp,
                        remote_tag: tag,
                        response: response_event,
                    });
                }
                // An answer without a description to our offer: no media can come of it.
                None => {
                    self.terminate(now, EndedBy::Protocol, Some(response.status), Headers::new());
                }
            }
            return;
        }
        let Some(offer) = body else {
            self.send_ack(cseq, None);
            self.terminate(now, EndedBy::Protocol, Some(response.status), Headers::new());
            return;
        };
        self.emit(SessionEvent::Answered { sdp: None, remote_tag: tag, response: response_event });
        let carrier = Carrier::Answer { cseq, offer: offer.clone() };
        self.ask_owner(Some(offer), OfferKind::Answer, carrier);
    }

    /// What was open on an early dialog is void, unless it is an UPDATE on the chosen one.
    fn withdraw_early_offer(&mut self, chosen: &str) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::Remote { token, carrier: Carrier::Provisional { .. } } => {
                self.emit(SessionEvent::OfferWithdrawn { token });
            }
            Open::Remote { token, carrier: Carrier::Update { tx, template, tag, .. } }
                if *tag != *chosen =>
            {
                self.refuse(tx, template, StatusCode::REQUEST_TERMINATED);
                self.emit(SessionEvent::OfferWithdrawn { token });
            }
            other => self.open = other,
        }
    }

    /// A 2xx of another fork, or one that crossed our CANCEL: ACK, then BYE (§13.2.2.4, §15).
    fn dismiss_fork(&mut self, now: Instant, tag: &str, response: &Response) {
        self.invite_done();
        let known = self.forks.iter().any(|leg| leg.tag() == tag);
        if !known && self.forks.len() >= self.config.max_parallel {
            return;
        }
        let Some(mut leg) = self.take_fork(tag, response) else { return };
        let Some(caller) = &self.caller else { return };
        let mut ack = leg.dialog.ack(caller.cseq, self.config.max_forwards);
        copy_credentials(&caller.request, &mut ack);
        let next_hop = leg.dialog.next_hop().clone();
        leg.keep_ack(caller.cseq, ack.clone());
        let bye = leg.dialog.next_request(Method::Bye, self.config.max_forwards);
        self.outputs.push_back(Output::SendAck { request: ack, next_hop: next_hop.clone() });
        self.forks.push(leg);
        self.launch(ClientKind::Bye, tag, bye, next_hop);
        if self.phase == Phase::Over {
            self.reap_at = Some(now + self.config.timeout() * 2);
        }
    }

    pub(super) fn invite_done(&mut self) {
        if let Some(caller) = &mut self.caller {
            caller.done = true;
        }
    }

    /// Sends the ACK for the 2xx to our INVITE `cseq` on the chosen branch, and keeps it.
    pub(super) fn send_ack(&mut self, cseq: u32, sdp: Option<&Bytes>) {
        let initial = self.caller.as_ref().filter(|caller| caller.cseq == cseq);
        let Some(leg) = &mut self.leg else { return };
        let mut ack = leg.dialog.ack(cseq, self.config.max_forwards);
        if let Some(caller) = initial {
            copy_credentials(&caller.request, &mut ack);
        }
        wire::set_sdp(&mut ack.headers, &mut ack.body, sdp);
        leg.keep_ack(cseq, ack.clone());
        let next_hop = leg.dialog.next_hop().clone();
        self.outputs.push_back(Output::SendAck { request: ack, next_hop });
    }

    /// A 2xx that was acknowledged before gets the same ACK again (§13.2.2.4).
    pub(super) fn ack_again(&mut self, tag: &str, cseq: u32) -> bool {
        let Some(leg) = self.branch(tag) else { return false };
        let Some(request) = leg.ack(cseq).cloned() else { return false };
        let next_hop = leg.dialog.next_hop().clone();
        self.outputs.push_back(Output::SendAck { request, next_hop });
        true
    }

    /// Hands an offer of the peer to the owner.
    pub(super) fn ask_owner(&mut self, sdp: Option<Bytes>, kind: OfferKind, carrier: Carrier) {
        let token = OfferToken(self.token());
        self.open = Open::Remote { token, carrier };
        self.emit(SessionEvent::Offer { token, sdp, kind });
    }

    /// The INVITE again, under a new sequence number (§8.1.3.5): after 422, 401 or 407.
    pub(super) fn invite_again(&mut self, client: Client) -> Option<RequestToken> {
        let caller = self.caller.as_mut()?;
        caller.cseq += 1;
        caller.done = false;
        caller.provisional_seen = false;
        let mut request = client.request;
        request.headers.set_typed(&CSeq { seq: caller.cseq, method: Method::Invite });
        caller.request = request.clone();
        let next_hop = caller.next_hop.clone();
        // Early dialogs of the refused attempt are gone with it.
        self.forks.clear();
        let token = self.launch(ClientKind::Invite, "", request, next_hop);
        if let Some(last) = self.clients.last_mut() {
            last.retries = client.retries.saturating_add(1);
        }
        if let Some(caller) = &mut self.caller {
            caller.token = token;
        }
        Some(token)
    }

    /// Contact, Allow, Supported and User-Agent of a request of ours.
    pub(super) fn describe(&self, headers: &mut Headers, extra: &Headers) {
        wire::set_contact(headers, &self.contact, self.config.is_focus);
        headers.push(HeaderName::Allow, wire::allow_list(&self.config.allow));
        if !self.config.supported.is_empty() {
            headers.push(HeaderName::Supported, self.config.supported.join(", "));
        }
        if let Some(agent) = &self.config.user_agent
            && extra.get(&HeaderName::UserAgent).is_none()
        {
            headers.push(HeaderName::UserAgent, agent.to_string());
        }
    }
}

/// The To tag; `None` when missing or empty.
pub(super) fn to_tag(response: &Response) -> Option<String> {
    let to = response.headers.text(&HeaderName::To)?;
    let addr: crate::header::NameAddr = to.parse().ok()?;
    addr.tag().map(str::to_owned)
}

pub(super) fn provisional(
    response: &Response,
    tag: Option<&str>,
    sdp: Option<Bytes>,
) -> SessionEvent {
    SessionEvent::Provisional {
        status: response.status,
        remote_tag: tag.map(Box::from),
        sdp,
        response: response.clone(),
    }
}

/// RFC 3261 §13.2.2.4: the ACK carries the credentials of its INVITE.
fn copy_credentials(invite: &Request, ack: &mut Request) {
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for value in invite.headers.get_all(&name) {
            ack.headers.push(name.clone(), value.clone());
        }
    }
}

//! Changes of a live session that we ask for: re-INVITE (RFC 3261 §14.1), UPDATE (RFC 3311 §5.1)
//! and refreshes (RFC 4028 §7.4, §10).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::outputs::{EndedBy, OfferKind, Refused, SendFailure, SessionEvent};
use super::state::{Carrier, Change, ClientKind, Deferred, Open, Phase};
use super::{Session, wire};
use crate::header::{HeaderName, Headers};
use crate::message::{Method, Response, StatusCode};

/// Wait before a refresh that was refused for a passing reason is tried again.
const REFRESH_RETRY: Duration = Duration::from_secs(5);

impl Session {
    /// Offers a change of the session, or with `None` asks the peer to offer. The outcome is
    /// `OfferAccepted` or `OfferRejected` (or `Offer` for `None`). While our 2xx waits for its
    /// ACK, the re-INVITE waits too.
    ///
    /// Errors: not live, or another offer is open or waiting.
    pub fn reinvite(
        &mut self,
        now: Instant,
        sdp: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), Refused> {
        self.change(now, false, sdp, headers)
    }

    /// The same by UPDATE; also in an early dialog once its first offer is answered (RFC 3311
    /// §5.1). With `None` it is a mere refresh and has no outcome event.
    ///
    /// Errors: no dialog, or another offer is open or waiting.
    pub fn update(
        &mut self,
        now: Instant,
        sdp: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), Refused> {
        if matches!(self.phase, Phase::Calling | Phase::Ringing) {
            return self.early_update(sdp, headers);
        }
        self.change(now, true, sdp, headers)
    }

    fn change(
        &mut self,
        now: Instant,
        by_update: bool,
        sdp: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), Refused> {
        match self.phase {
            Phase::Live => {}
            Phase::Over => return Err(Refused::Over),
            Phase::Calling | Phase::Ringing => return Err(Refused::NotNow),
        }
        if self.deferred.as_ref().is_some_and(|d| !d.change.refresh)
            || self.changing()
            || matches!(self.open, Open::Remote { .. } | Open::Local)
        {
            return Err(Refused::OfferPending);
        }
        let refresh = by_update && sdp.is_none();
        let change = Change { sdp, refresh, tries: 0, headers, early_answer: None, rseq: None };
        self.deferred = Some(Deferred { at: None, by_update, change });
        self.start_deferred(now);
        Ok(())
    }

    fn early_update(&mut self, sdp: Option<Bytes>, headers: Headers) -> Result<(), Refused> {
        let busy = self.changing() || !matches!(self.open, Open::None);
        let waits = self.callee.as_ref().is_some_and(|callee| {
            callee.first != super::state::FirstOffer::Done || callee.unacknowledged.is_some()
        });
        let leg = match &self.leg {
            Some(leg) => Some(&**leg),
            None => self.forks.iter().find(|leg| leg.agreed),
        };
        let Some(leg) = leg else { return Err(Refused::NoDialog) };
        if sdp.is_some() && (busy || waits) {
            return Err(Refused::OfferPending);
        }
        let tag = leg.dialog.id().remote_tag.clone();
        let refresh = sdp.is_none();
        let change = Change { sdp, refresh, tries: 0, headers, early_answer: None, rseq: None };
        self.send_change_on(&tag, true, change);
        Ok(())
    }

    pub(super) fn send_change(&mut self, by_update: bool, change: Change) {
        let Some(leg) = &self.leg else { return };
        let tag = leg.dialog.id().remote_tag.clone();
        self.send_change_on(&tag, by_update, change);
    }

    fn send_change_on(&mut self, tag: &str, by_update: bool, change: Change) {
        let max_forwards = self.config.max_forwards;
        let Some(leg) = self.branch(tag) else { return };
        let method = if by_update { Method::Update } else { Method::Invite };
        let mut request = leg.dialog.next_request(method, max_forwards);
        let next_hop = leg.dialog.next_hop().clone();
        self.describe(&mut request.headers, &change.headers);
        if self.phase == Phase::Live {
            self.timer.ask(&self.config, &mut request.headers);
        }
        wire::add_extra(&mut request.headers, &change.headers);
        wire::set_sdp(&mut request.headers, &mut request.body, change.sdp.as_ref());
        if !by_update || change.sdp.is_some() {
            self.open = Open::Local;
        }
        let kind =
            if by_update { ClientKind::Update(change) } else { ClientKind::ReInvite(change) };
        self.launch(kind, tag, request, next_hop);
    }

    /// A 1xx to our re-INVITE; only a reliable one matters (RFC 3262 §4).
    pub(super) fn on_reinvite_provisional(&mut self, index: usize, response: &Response) {
        let Some(rseq) = wire::reliable_rseq(response) else { return };
        let Some(client) = self.clients.get_mut(index) else { return };
        let ClientKind::ReInvite(change) = &mut client.kind else { return };
        if change.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return;
        }
        let answer = wire::sdp_or_none(&response.headers, &response.body);
        if change.sdp.is_none() && answer.is_some() {
            // An offer in a provisional of a re-INVITE would need the owner's answer in the
            // PRACK; unacknowledged, the peer repeats it in its 2xx or gives up.
            return;
        }
        change.rseq = Some(rseq);
        if change.early_answer.is_none() {
            change.early_answer = answer;
        }
        let (tag, cseq) = (client.tag.clone(), wire::cseq(&client.request.headers));
        if let Some(cseq) = cseq {
            self.send_prack(&tag, rseq, cseq.seq, None);
        }
    }

    pub(super) fn on_reinvite_answer(&mut self, now: Instant, change: Change, response: &Response) {
        let Some(cseq) = wire::cseq(&response.headers) else { return };
        self.take_target(&response.headers);
        let body = wire::sdp_or_none(&response.headers, &response.body);
        if self.phase == Phase::Over {
            self.send_ack(cseq.seq, None);
            return;
        }
        self.timer.agreed(now, &response.headers);
        self.open = Open::None;
        if change.sdp.is_none() {
            match body {
                Some(offer) => {
                    let carrier = Carrier::Answer { cseq: cseq.seq, offer: offer.clone() };
                    self.ask_owner(Some(offer), OfferKind::Answer, carrier);
                }
                None => {
                    self.send_ack(cseq.seq, None);
                    self.offer_failed(response);
                }
            }
            return;
        }
        self.send_ack(cseq.seq, None);
        match change.early_answer.clone().or(body) {
            Some(answer) => self.offer_agreed(change, answer),
            // The session stays as it was agreed last.
            None if change.refresh => {}
            None => self.offer_failed(response),
        }
    }

    pub(super) fn on_update_answer(
        &mut self,
        now: Instant,
        tag: &str,
        change: Change,
        response: &Response,
    ) {
        if self.phase == Phase::Over {
            return;
        }
        if self.is_chosen(tag) {
            self.take_target(&response.headers);
        }
        if self.phase == Phase::Live {
            self.timer.agreed(now, &response.headers);
        }
        if change.sdp.is_none() {
            return;
        }
        self.open = Open::None;
        match wire::sdp_or_none(&response.headers, &response.body) {
            Some(answer) => {
                if let Some(leg) = self.branch(tag) {
                    leg.answer = Some(answer.clone());
                }
                self.offer_agreed(change, answer);
            }
            None => self.offer_failed(response),
        }
    }

    fn offer_agreed(&mut self, change: Change, answer: Bytes) {
        let same = self.remote_sdp.as_ref() == Some(&answer);
        self.local_sdp = change.sdp;
        self.remote_sdp = Some(answer.clone());
        if !(change.refresh && same) {
            self.emit(SessionEvent::OfferAccepted { sdp: answer });
        }
    }

    fn offer_failed(&mut self, response: &Response) {
        let (status, response) = (response.status, Some(response.clone()));
        self.emit(SessionEvent::OfferRejected { status, response });
    }

    /// A final failure of a re-INVITE or UPDATE of ours.
    pub(super) fn on_change_refused(
        &mut self,
        now: Instant,
        tag: &str,
        by_update: bool,
        change: Change,
        response: &Response,
    ) {
        if self.phase == Phase::Over || self.on_lost_dialog(now, tag, response.status) {
            return;
        }
        match response.status {
            StatusCode::REQUEST_PENDING if self.phase == Phase::Live => {
                let refresh = change.refresh;
                if !self.retry_after_glare(now, by_update, change) && !refresh {
                    self.offer_failed(response);
                }
            }
            // A change without description in an early dialog has no outcome.
            _ if change.refresh && self.phase != Phase::Live => {}
            _ if change.refresh => self.on_refresh_refused(now, by_update, change, response),
            _ => self.offer_failed(response),
        }
    }

    /// A re-INVITE or UPDATE of ours that got no answer, and the call goes on: nothing was sent, or
    /// it went to an early dialog.
    pub(super) fn on_change_unsent(&mut self, now: Instant, refresh: bool, failure: SendFailure) {
        if self.phase == Phase::Over {
            return;
        }
        if refresh {
            // RFC 4028 §10: until the session runs out.
            self.timer.refresh_later(now + REFRESH_RETRY);
            return;
        }
        let status = match failure {
            SendFailure::Timeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        self.emit(SessionEvent::OfferRejected { status, response: None });
    }

    fn on_refresh_refused(
        &mut self,
        now: Instant,
        by_update: bool,
        change: Change,
        response: &Response,
    ) {
        let unknown =
            matches!(response.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED);
        if by_update && unknown {
            // The peer takes no UPDATE after all: refresh by re-INVITE (RFC 4028 §7.4).
            if let Some(leg) = &mut self.leg {
                leg.takes_update = false;
            }
            let sdp = self.local_sdp.clone();
            self.deferred =
                Some(Deferred { at: None, by_update: false, change: Change { sdp, ..change } });
            return;
        }
        let asked = wire::number(&response.headers, &HeaderName::RetryAfter);
        let wait = asked.map_or(REFRESH_RETRY, |s| Duration::from_secs(u64::from(s.min(600))));
        self.timer.refresh_later(now + wait.max(REFRESH_RETRY));
    }

    /// The session timer: refresh, or give up (RFC 4028 §10).
    pub(super) fn tick_session_timer(&mut self, now: Instant) {
        if self.phase != Phase::Live {
            return;
        }
        if self.timer.expire_at.is_some_and(|at| now >= at) {
            self.terminate(now, EndedBy::SessionTimer, None, timer_reason());
            return;
        }
        if self.timer.refresh_at.is_none_or(|at| now < at) {
            return;
        }
        self.timer.refresh_at = None;
        if self.deferred.is_some() || self.changing() {
            // Whatever is under way carries Session-Expires and refreshes as well; should it
            // fail, this brings us back.
            self.timer.refresh_later(now + REFRESH_RETRY);
            return;
        }
        let by_update = self.peer_takes_update();
        let sdp = if by_update { None } else { self.local_sdp.clone() };
        let change = Change {
            sdp,
            refresh: true,
            tries: 0,
            headers: Headers::new(),
            early_answer: None,
            rseq: None,
        };
        self.deferred = Some(Deferred { at: None, by_update, change });
        self.start_deferred(now);
    }

    /// Target refresh on the chosen branch, with news when it moved.
    pub(super) fn take_target(&mut self, headers: &Headers) {
        let Some(leg) = &mut self.leg else { return };
        leg.learn(headers);
        if leg.dialog.refresh_target(headers) && self.phase != Phase::Over {
            let uri = leg.dialog.remote_target().clone();
            self.emit(SessionEvent::RemoteTargetChanged { uri });
        }
    }
}

/// RFC 3326: why the BYE of an expired session comes.
fn timer_reason() -> Headers {
    wire::reason(408, "Session timer expired")
}

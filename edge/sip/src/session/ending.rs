//! The ways out: hanging up in every state, BYE, and what remains to be tidied afterwards
//! (RFC 3261 §9, §15).

use std::time::Instant;

use super::outputs::{EndedBy, Output, SessionEvent};
use super::state::{Carrier, ClientKind, Open, Phase};
use super::{Session, wire};
use crate::header::{HeaderValue, Headers};
use crate::message::{Method, Request, Response, StatusCode};
use crate::transaction::ServerTx;

impl Session {
    /// Ends the call in whatever state it is: CANCEL before the answer, 480 to an unanswered
    /// caller, BYE after the answer (once the ACK is there, §15.1.1). `reason` headers go along.
    /// Says `Ended` at once.
    pub fn hangup(&mut self, now: Instant, reason: Headers) {
        match self.phase {
            Phase::Calling => {
                self.cancel_invite(reason);
                self.end(now, EndedBy::Local, None, Vec::new());
            }
            Phase::Ringing => {
                self.answer_finally(now, StatusCode::TEMPORARILY_UNAVAILABLE, None, &reason);
                self.end(now, EndedBy::Local, None, Vec::new());
            }
            Phase::Live => self.terminate(now, EndedBy::Local, None, reason),
            Phase::Over => {}
        }
    }

    /// CANCEL, when the INVITE is out and unanswered.
    pub(super) fn cancel_invite(&mut self, headers: Headers) {
        let Some(caller) = &mut self.caller else { return };
        if caller.done {
            return;
        }
        let token = caller.token;
        self.outputs.push_back(Output::Cancel { token, headers });
    }

    /// Ends a live call from our side with BYE.
    pub(super) fn terminate(
        &mut self,
        now: Instant,
        by: EndedBy,
        status: Option<StatusCode>,
        reason: Headers,
    ) {
        if self.phase == Phase::Over {
            return;
        }
        // An offer in a 2xx that was never answered still needs its ACK (§13.2.2.4).
        if let Open::Remote { carrier: Carrier::Answer { cseq, .. }, .. } = &self.open {
            let cseq = *cseq;
            self.send_ack(cseq, None);
        }
        let unacknowledged = self.accepted.iter().any(|accepted| accepted.initial);
        self.end(now, by, status, Vec::new());
        if unacknowledged {
            // §15: the callee must not send BYE before it has the ACK or gave up waiting.
            self.bye_after_ack = Some(reason);
        } else {
            self.accepted.clear();
            self.send_bye(now, &reason);
        }
    }

    pub(super) fn send_late_bye(&mut self, now: Instant) {
        if let Some(reason) = self.bye_after_ack.take() {
            self.send_bye(now, &reason);
        }
    }

    fn send_bye(&mut self, now: Instant, reason: &Headers) {
        let max_forwards = self.config.max_forwards;
        let Some(leg) = &mut self.leg else { return };
        let mut bye = leg.dialog.next_request(Method::Bye, max_forwards);
        let tag = leg.dialog.id().remote_tag.clone();
        let next_hop = leg.dialog.next_hop().clone();
        wire::add_extra(&mut bye.headers, reason);
        self.agent(&mut bye.headers);
        self.launch(ClientKind::Bye, &tag, bye, next_hop);
        self.reap_at = Some(now + self.config.timeout() * 2);
    }

    /// Into `Over`: answers what the peer still waits for, stops every timer, says `Ended`.
    pub(super) fn end(
        &mut self,
        now: Instant,
        by: EndedBy,
        status: Option<StatusCode>,
        reasons: Vec<HeaderValue>,
    ) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        // RFC 3261 §15.1.2: pending requests get 487.
        if let Open::Remote { carrier, .. } = std::mem::replace(&mut self.open, Open::None) {
            match carrier {
                Carrier::ReInvite { tx, template, .. }
                | Carrier::Update { tx, template, .. }
                | Carrier::Prack { tx, template, .. } => {
                    let response = self.finish(template, StatusCode::REQUEST_TERMINATED);
                    self.respond_now(tx, response);
                }
                Carrier::Provisional { .. } | Carrier::Answer { .. } => {}
            }
        }
        for inbound in std::mem::take(&mut self.inbound) {
            let response = self.finish(inbound.template, StatusCode::REQUEST_TERMINATED);
            self.respond_now(inbound.tx, response);
        }
        self.callee = None;
        self.deferred = None;
        self.timer.stop();
        self.challenged.retain(|c| matches!(c.client.kind, ClientKind::Bye));
        let reinvites = self.clients.iter().filter(|c| matches!(c.kind, ClientKind::ReInvite(_)));
        let cancels: Vec<Output> =
            reinvites.map(|c| Output::Cancel { token: c.token, headers: Headers::new() }).collect();
        self.outputs.extend(cancels);
        self.reap_at = Some(now + self.reap_after());
        self.emit(SessionEvent::Ended { by, status, reasons });
    }

    /// How long an ended session waits at most: an INVITE whose CANCEL has not even met a
    /// provisional may take Timer B and then 64 x T1 (§9.1).
    fn reap_after(&self) -> std::time::Duration {
        let answered = self.caller.as_ref().is_none_or(|c| c.done || c.provisional_seen);
        self.config.timeout() * if answered && self.accepted.is_empty() { 1 } else { 2 }
    }

    /// Drops what an ended session still waits for when its time is up.
    pub(super) fn reap(&mut self, now: Instant) {
        if self.reap_at.is_some_and(|at| now >= at) {
            self.reap_at = None;
            self.invite_done();
            self.clients.clear();
            self.challenged.clear();
            self.accepted.clear();
            self.forks_until = None;
        }
    }

    /// A BYE of the peer, already known to be in sequence.
    pub(super) fn on_bye(&mut self, now: Instant, tx: ServerTx, tag: &str, bye: &Request) {
        let response = self.finish(Response::to_request(bye, StatusCode::OK, None), StatusCode::OK);
        self.respond_now(tx, response);
        let reasons = wire::reasons(&bye.headers);
        match self.phase {
            Phase::Ringing => {
                // §15.1.2: a caller may BYE its early dialog; the INVITE then gets 487.
                self.answer_finally(now, StatusCode::REQUEST_TERMINATED, None, &Headers::new());
                self.end(now, EndedBy::Remote, None, reasons);
            }
            Phase::Calling => {
                // A callee must not BYE an early dialog (§15), except when all of its 2xx got
                // lost. Either way that branch is gone, and the call when it was the only one.
                self.forks.retain(|leg| leg.tag() != tag);
                if self.forks.is_empty() {
                    self.cancel_invite(Headers::new());
                    self.end(now, EndedBy::Remote, None, reasons);
                }
            }
            // A fork that was dismissed; the call goes on.
            Phase::Live if !self.is_chosen(tag) => {}
            Phase::Live => {
                // The dialog is over: nothing of ours waits for an ACK any more.
                self.accepted.clear();
                self.end(now, EndedBy::Remote, None, reasons);
            }
            Phase::Over => {
                // Crossed with our own end: no BYE of ours is needed any more.
                self.accepted.clear();
                self.bye_after_ack = None;
            }
        }
    }

    /// A CANCEL of the peer for the INVITE of that server transaction. The transaction layer has
    /// answered the CANCEL itself.
    pub fn handle_cancel(&mut self, now: Instant, invite: ServerTx, cancel: &Request) {
        if self.callee.as_ref().is_some_and(|callee| callee.tx == invite) {
            // §9.2, §15: 487 to the INVITE.
            self.answer_finally(now, StatusCode::REQUEST_TERMINATED, None, &Headers::new());
            self.end(now, EndedBy::Remote, None, wire::reasons(&cancel.headers));
            return;
        }
        // A re-INVITE that the owner has not answered. After our final response a CANCEL has no
        // effect (§9.2).
        let ours = matches!(&self.open, Open::Remote { carrier: Carrier::ReInvite { tx, .. }, .. }
            if *tx == invite);
        if !ours {
            return;
        }
        if let Open::Remote { token, carrier: Carrier::ReInvite { tx, template, .. } } =
            std::mem::replace(&mut self.open, Open::None)
        {
            let response = self.finish(template, StatusCode::REQUEST_TERMINATED);
            self.respond_now(tx, response);
            self.emit(SessionEvent::OfferWithdrawn { token });
        }
        self.start_deferred(now);
    }
}

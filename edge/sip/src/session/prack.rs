//! Reliable provisional responses (RFC 3262), both sides.

use std::time::Instant;

use bytes::Bytes;

use super::outgoing::provisional;
use super::outputs::{EndedBy, OfferKind, SessionEvent};
use super::state::{Carrier, ClientKind, FirstOffer, Open, Queued, Tick};
use super::{Session, wire};
use crate::header::{HeaderName, Headers, RAck};
use crate::message::{Method, Request, Response, StatusCode};
use crate::transaction::ServerTx;

impl Session {
    /// A reliable 1xx to our initial INVITE on the branch `tag` (§4).
    pub(super) fn on_reliable_provisional(
        &mut self,
        response: &Response,
        tag: &str,
        rseq: u32,
        sdp: Option<Bytes>,
    ) {
        let Some(caller) = &self.caller else { return };
        let (offered, cseq) = (caller.offered, caller.cseq);
        let idle = matches!(self.open, Open::None);
        let Some(leg) = self.branch(tag) else { return };
        // §4: in order, without gap; what is not acknowledged comes again.
        if leg.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return;
        }
        let brings_offer = !offered && !leg.agreed && sdp.is_some();
        if brings_offer && !idle {
            return;
        }
        leg.rseq = Some(rseq);
        if offered && !leg.agreed && sdp.is_some() {
            leg.agreed = true;
            leg.answer.clone_from(&sdp);
        }
        let offer = if brings_offer { sdp.clone() } else { None };
        self.emit(provisional(response, Some(tag), if brings_offer { None } else { sdp }));
        match offer {
            // §5: the answer goes into the PRACK.
            Some(offer) => {
                let carrier = Carrier::Provisional { tag: tag.into(), rseq, offer: offer.clone() };
                self.ask_owner(Some(offer), OfferKind::Provisional, carrier);
            }
            None => self.send_prack(tag, rseq, cseq, None),
        }
    }

    pub(super) fn send_prack(&mut self, tag: &str, rseq: u32, cseq: u32, sdp: Option<&Bytes>) {
        let max_forwards = self.config.max_forwards;
        let Some(leg) = self.branch(tag) else { return };
        let mut prack = leg.dialog.next_request(Method::Prack, max_forwards);
        let next_hop = leg.dialog.next_hop().clone();
        prack.headers.push_typed(&RAck { rseq, cseq, method: Method::Invite });
        self.agent(&mut prack.headers);
        wire::set_sdp(&mut prack.headers, &mut prack.body, sdp);
        self.launch(ClientKind::Prack, tag, prack, next_hop);
    }

    /// A PRACK in sequence (§3).
    pub(super) fn on_prack(&mut self, now: Instant, tx: ServerTx, prack: &Request) {
        let template = Response::to_request(prack, StatusCode::OK, None);
        let Some(rack) = prack.headers.typed::<RAck>().ok().flatten() else {
            return self.refuse(tx, template, StatusCode::BAD_REQUEST);
        };
        let late = self.late_prack == Some((rack.rseq, rack.cseq));
        let Some(callee) = &mut self.callee else {
            let status = if late { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
            return self.refuse(tx, template, status);
        };
        let fits = rack.method == Method::Invite
            && rack.cseq == callee.cseq
            && callee.unacknowledged.as_ref().is_some_and(|r| r.rseq == rack.rseq);
        if !fits {
            return self.refuse(tx, template, StatusCode::CALL_DOES_NOT_EXIST);
        }
        let body = wire::sdp_or_none(&prack.headers, &prack.body);
        if callee.first == FirstOffer::OursOpen && body.is_none() {
            // §5: our offer in the provisional has to be answered here. Not acknowledged then.
            return self.refuse(tx, template, StatusCode::BAD_REQUEST);
        }
        callee.unacknowledged = None;
        // RFC 3261 §13.3.1.1: an acknowledged one has to be followed by another all the same.
        callee.repeat_at = Some(now + self.config.repeat_provisional);
        match (callee.first, body) {
            (FirstOffer::OursOpen, Some(sdp)) => {
                callee.first = FirstOffer::Done;
                self.remote_sdp = Some(sdp.clone());
                self.refuse(tx, template, StatusCode::OK);
                self.emit(SessionEvent::OfferAccepted { sdp });
            }
            // §5: once the first exchange is through, a PRACK may bring a further offer.
            (FirstOffer::Done, Some(offer)) if matches!(self.open, Open::None) => {
                let carrier = Carrier::Prack { tx, template, offer: offer.clone() };
                self.ask_owner(Some(offer), OfferKind::Prack, carrier);
                return;
            }
            (_, Some(_)) => self.refuse(tx, template, StatusCode::NOT_ACCEPTABLE_HERE),
            (_, None) => self.refuse(tx, template, StatusCode::OK),
        }
        self.release_queue(now);
    }

    /// Sends what waited for a PRACK: up to the next reliable one.
    pub(super) fn release_queue(&mut self, now: Instant) {
        while let Some(callee) = &mut self.callee {
            if callee.unacknowledged.is_some() || matches!(self.open, Open::Remote { .. }) {
                return;
            }
            match callee.queue.pop_front() {
                Some(Queued::Provisional { status, sdp, headers }) => {
                    self.send_provisional(now, status, sdp, &headers);
                }
                Some(Queued::Accept { sdp, headers }) => self.send_accept(now, sdp, &headers),
                None => return,
            }
        }
    }

    /// Repeats provisionals, gives up without PRACK or when the INVITE has expired.
    pub(super) fn tick_provisionals(&mut self, now: Instant) {
        self.repeat_provisional(now);
        let Some(callee) = &mut self.callee else { return };
        if callee.expires_at.is_some_and(|at| now >= at) {
            callee.expires_at = None;
            if !callee.queue.iter().any(|queued| matches!(queued, Queued::Accept { .. })) {
                // RFC 3261 §13.3.1: as if the caller had cancelled.
                let status = StatusCode::REQUEST_TERMINATED;
                self.answer_finally(now, status, None, &Headers::new());
                self.end(now, EndedBy::Remote, Some(status), Vec::new());
                return;
            }
        }
        let tx = callee.tx;
        let Some(reliable) = &mut callee.unacknowledged else { return };
        match reliable.retransmit.tick(now) {
            Tick::Wait => {}
            Tick::Again => {
                let response = reliable.response.clone();
                self.respond_now(tx, response);
            }
            Tick::End => {
                // §3: 64 x T1 without PRACK: refuse the INVITE with a 5xx.
                let status = StatusCode::SERVER_TIMEOUT;
                self.answer_finally(now, status, None, &Headers::new());
                self.end(now, EndedBy::PrackTimeout, Some(status), Vec::new());
            }
        }
    }

    /// Says again that the call still rings (RFC 3261 §13.3.1.1).
    fn repeat_provisional(&mut self, now: Instant) {
        let repeat = self.config.repeat_provisional;
        let Some(callee) = &mut self.callee else { return };
        if callee.repeat_at.is_none_or(|at| now < at) {
            return;
        }
        callee.repeat_at = None;
        if let Some(response) = callee.last_provisional.clone() {
            callee.repeat_at = Some(now + repeat);
            let tx = callee.tx;
            self.respond_now(tx, response);
        } else if callee.unacknowledged.is_none()
            && callee.queue.is_empty()
            && let Some((status, headers)) = callee.again.clone()
        {
            self.send_provisional(now, status, None, &headers);
        }
    }

    /// `Require: 100rel` and RSeq for a reliable provisional.
    pub(super) fn mark_reliable(response: &mut Response, rseq: u32) {
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push(HeaderName::RSeq, rseq.to_string());
    }
}

//! Our 2xx to an INVITE until its ACK (RFC 3261 §13.3.1.4).

use std::time::Instant;

use super::state::{Accepted, Open, Phase, Retransmit, Tick};
use super::{EndedBy, Session, SessionEvent, wire};
use crate::header::Headers;
use crate::message::{Request, Response, StatusCode};
use crate::transaction::ServerTx;

impl Session {
    /// Sends a 2xx and keeps it until its ACK comes.
    pub(super) fn send_accepted(
        &mut self,
        now: Instant,
        tx: ServerTx,
        cseq: u32,
        response: Response,
        initial: bool,
        offered: bool,
    ) {
        let config = &self.config;
        // §13.3.1.4: from T1, doubling up to T2, for 64 x T1; on every transport.
        let retransmit = Retransmit::new(now, config.t1, config.t2, config.timeout());
        self.accepted.push(Accepted {
            tx,
            cseq,
            response: response.clone(),
            initial,
            offered,
            retransmit,
        });
        self.respond_now(tx, response);
    }

    pub(super) fn tick_accepted(&mut self, now: Instant) {
        let mut again = Vec::new();
        let mut lost = None;
        self.accepted.retain_mut(|accepted| match accepted.retransmit.tick(now) {
            Tick::Wait => true,
            Tick::Again => {
                again.push((accepted.tx, accepted.response.clone()));
                true
            }
            Tick::End => {
                lost = Some(accepted.response.status);
                false
            }
        });
        for (tx, response) in again {
            self.respond_now(tx, response);
        }
        if let Some(status) = lost {
            if self.phase == Phase::Over {
                // §15.1.1: the transaction has timed out, now the BYE may go.
                self.send_late_bye(now);
            } else {
                let reason = wire::reason(408, "ACK timeout");
                self.terminate(now, EndedBy::AckTimeout, Some(status), reason);
            }
        }
    }

    /// An ACK for a 2xx. One that comes again, or fits nothing, is ignored.
    pub fn handle_ack(&mut self, now: Instant, ack: &Request) {
        let Some(cseq) = wire::cseq(&ack.headers) else { return };
        let ours = self.leg.as_ref().is_some_and(|leg| leg.dialog.matches_request(ack));
        if !ours {
            return;
        }
        let Some(index) = self.accepted.iter().position(|a| a.cseq == cseq.seq) else { return };
        let accepted = self.accepted.remove(index);
        if self.phase == Phase::Over {
            self.send_late_bye(now);
            return;
        }
        if accepted.offered {
            self.open = Open::None;
            match wire::sdp_or_none(&ack.headers, &ack.body) {
                Some(sdp) => {
                    self.remote_sdp = Some(sdp.clone());
                    self.emit(SessionEvent::OfferAccepted { sdp });
                }
                // RFC 3261 §13.2.2.4 demands the answer here. A call without one is no call.
                None if accepted.initial => {
                    self.terminate(now, EndedBy::Protocol, None, Headers::new());
                    return;
                }
                None => {
                    let status = StatusCode::NOT_ACCEPTABLE_HERE;
                    self.emit(SessionEvent::OfferRejected { status, response: None });
                }
            }
        }
        if accepted.initial {
            self.emit(SessionEvent::Confirmed);
        }
        self.start_deferred(now);
    }
}

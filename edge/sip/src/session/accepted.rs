//! Our 2xx to an INVITE until its ACK (RFC 3261 §13.3.1.4).

use std::time::Instant;

use super::state::{Accepted, Open, Phase, Retransmit, Tick};
use super::{EndedBy, Session, SessionEvent, wire};
use crate::flow::Transport;
use crate::header::{Headers, Via};
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
        let exact = self.accepted.iter().position(|a| a.cseq == cseq.seq);
        let Some(index) = exact.or_else(|| self.misnumbered(ack)) else { return };
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

    /// Which 2xx an ACK is for that has the number of none: RFC 3261 §13.2.2.4 demands that of the
    /// INVITE, but JsSIP 3.10.9 to 3.13.5 write the first INVITE's under each re-INVITE, or one by
    /// chance, and their calls would end half a minute after a hold. A WebSocket loses nothing and
    /// keeps the order, so an ACK that comes while one re-INVITE waits for it is that one's, or at
    /// worst one of the first INVITE's that crossed a repeated 2xx, and the 2xx came through anyhow.
    fn misnumbered(&self, ack: &Request) -> Option<usize> {
        let via = ack.headers.typed::<Via>().ok().flatten()?;
        let [accepted] = &self.accepted[..] else { return None };
        (via.transport == Transport::Wss.into() && !accepted.initial && !accepted.offered)
            .then_some(0)
    }
}

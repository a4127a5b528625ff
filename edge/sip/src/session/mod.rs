//! The INVITE usage: one call leg from its INVITE to its BYE (RFC 3261 §13 to §15), with reliable
//! provisionals (RFC 3262), UPDATE (RFC 3311) and session timers (RFC 4028).
//!
//! > A [`Session`] sends nothing and reads no clock: feed it commands, requests, responses,
//! > failures and `now`; then drain [`Session::poll_output`] and wake it at
//! > [`Session::poll_timeout`]. It never panics on what it is fed.
//!
//! The owner maps each [`RequestToken`] to a client transaction and each `ServerTx` to a server
//! transaction. Retransmissions below that level are not the session's; what RFC 3261 leaves to
//! the user agent core is: 2xx until ACK, ACK again for each 2xx, reliable 1xx until PRACK.
//!
//! A session has one life: `Calling` or `Ringing`, then `Live`, then `Over`. `Ended` is said on
//! the way into `Over`, at once when the decision falls; a BYE that has to wait for an ACK
//! (§15.1.1) or a CANCEL that crosses a 2xx are tidied up in `Over`, until
//! [`Session::is_finished`].

mod accepted;
mod config;
mod ending;
mod glare;
mod incoming;
mod modify;
mod offer_answer;
mod outgoing;
mod outputs;
mod prack;
mod requests;
mod responses;
mod session_timer;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

pub use self::config::{PreferRefresher, ReliableProvisionals, SessionConfig, TRICKLE_ICE};
use self::glare::Jitter;
pub use self::outputs::{
    EndedBy, InboundToken, OfferKind, OfferToken, OutgoingInvite, Output, Refused, RequestToken,
    SendFailure, SessionEvent,
};
use self::session_timer::SessionTimer;
pub use self::state::Phase;
use self::state::{
    Accepted, Callee, Caller, Challenged, Client, ClientKind, Deferred, Inbound, Leg, Open, Role,
};
use crate::dialog::Dialog;
use crate::header::Headers;
use crate::ids::Ids;
use crate::message::{Request, Response};
pub use crate::transaction::ServerTx;
use crate::uri::Uri;

/// One call leg. See the module.
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    role: Role,
    phase: Phase,
    call_id: Box<str>,
    local_tag: Box<str>,
    contact: Uri,
    outputs: VecDeque<Output>,
    next_token: u64,
    jitter: Jitter,
    caller: Option<Box<Caller>>,
    callee: Option<Box<Callee>>,
    /// The branch of the call: the callee's from the start, the caller's from the 2xx on.
    leg: Option<Box<Leg>>,
    /// The caller's early dialogs; later the forks that answered too late and got BYE.
    forks: Vec<Leg>,
    accepted: Vec<Accepted>,
    open: Open,
    deferred: Option<Deferred>,
    clients: Vec<Client>,
    challenged: Vec<Challenged>,
    inbound: Vec<Inbound>,
    timer: SessionTimer,
    /// Our last agreed session description, for refreshes by re-INVITE.
    local_sdp: Option<Bytes>,
    remote_sdp: Option<Bytes>,
    /// RSeq and CSeq of a reliable provisional that our final response overtook.
    late_prack: Option<(u32, u32)>,
    /// A BYE that waits for the ACK of our 2xx (RFC 3261 §15.1.1).
    bye_after_ack: Option<Headers>,
    /// Until when 2xx of other forks are awaited after the first (64 x T1).
    forks_until: Option<Instant>,
    /// When an ended session is dropped whatever is still outstanding.
    reap_at: Option<Instant>,
}

impl Session {
    fn bare(
        config: Arc<SessionConfig>,
        role: Role,
        ids: &mut Ids,
        call_id: &str,
        local_tag: &str,
        contact: Uri,
    ) -> Self {
        Self {
            timer: SessionTimer::new(&config),
            phase: if role == Role::Caller { Phase::Calling } else { Phase::Ringing },
            config,
            role,
            call_id: call_id.into(),
            local_tag: local_tag.into(),
            contact,
            outputs: VecDeque::new(),
            next_token: 1,
            jitter: Jitter::new(ids),
            caller: None,
            callee: None,
            leg: None,
            forks: Vec::new(),
            accepted: Vec::new(),
            open: Open::None,
            deferred: None,
            clients: Vec::new(),
            challenged: Vec::new(),
            inbound: Vec::new(),
            local_sdp: None,
            remote_sdp: None,
            late_prack: None,
            bye_after_ack: None,
            forks_until: None,
            reap_at: None,
        }
    }

    /// Where the call stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our tag: in-dialog requests carry it on To.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The dialog of the call: of an incoming one from the start, of an outgoing one once
    /// answered.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.leg.as_ref().map(|leg| &leg.dialog)
    }

    /// The token of our initial INVITE, as it was sent last.
    pub fn invite_token(&self) -> Option<RequestToken> {
        self.caller.as_ref().map(|caller| caller.token)
    }

    /// The peer's session description in force.
    pub fn remote_sdp(&self) -> Option<&Bytes> {
        self.remote_sdp.as_ref()
    }

    /// Our session description in force.
    pub fn local_sdp(&self) -> Option<&Bytes> {
        self.local_sdp.as_ref()
    }

    /// Whether the peer said in Allow that it takes UPDATE.
    pub fn peer_takes_update(&self) -> bool {
        self.leg.as_ref().is_some_and(|leg| leg.takes_update)
    }

    /// `Ended` was said.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Over, and nothing outstanding: no request, no ACK, no timer, no output. Drop it.
    pub fn is_finished(&self) -> bool {
        self.is_over() && self.outputs.is_empty() && self.is_idle()
    }

    /// Nothing of ours is under way that an ended session would have to wait for.
    fn is_idle(&self) -> bool {
        self.clients.is_empty()
            && self.challenged.is_empty()
            && self.accepted.is_empty()
            && self.forks_until.is_none()
            && self.caller.as_ref().is_none_or(|caller| caller.done)
    }

    /// The next thing to do, in order. Drain after every call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let accepted = self.accepted.iter().map(|a| a.retransmit.deadline());
        let challenged = self.challenged.iter().map(|c| c.until);
        let mut due: Vec<Instant> = accepted.chain(challenged).chain(self.forks_until).collect();
        if self.phase == Phase::Over {
            due.extend(self.reap_at.filter(|_| !self.is_idle()));
            return due.into_iter().min();
        }
        if let Some(callee) = &self.callee {
            due.extend(callee.unacknowledged.as_ref().map(|r| r.retransmit.deadline()));
            due.extend(callee.repeat_at);
            due.extend(callee.expires_at);
        }
        due.extend(self.deferred.as_ref().and_then(|d| d.at).filter(|_| self.may_offer()));
        due.extend(self.timer.refresh_at);
        due.extend(self.timer.expire_at);
        due.into_iter().min()
    }

    /// Does what is due. Calling it early or late does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick_accepted(now);
        self.tick_challenged(now);
        if self.forks_until.is_some_and(|at| now >= at) {
            self.forks_until = None;
        }
        if self.phase == Phase::Over {
            self.reap(now);
            return;
        }
        self.tick_provisionals(now);
        self.tick_session_timer(now);
        self.start_deferred(now);
    }

    fn token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        token
    }

    fn emit(&mut self, event: SessionEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn respond_now(&mut self, tx: ServerTx, response: Response) {
        self.outputs.push_back(Output::Respond { tx, response });
    }

    /// Starts a client transaction and remembers what it is for.
    fn launch(
        &mut self,
        kind: ClientKind,
        tag: &str,
        request: Request,
        next_hop: Uri,
    ) -> RequestToken {
        let token = RequestToken(self.token());
        self.clients.push(Client {
            token,
            request: request.clone(),
            next_hop: next_hop.clone(),
            kind,
            tag: tag.into(),
            retries: 0,
        });
        self.outputs.push_back(Output::Send { token, request, next_hop });
        token
    }

    /// Whether that remote tag is the one of the call itself, not of a fork.
    fn is_chosen(&self, tag: &str) -> bool {
        self.leg.as_ref().is_some_and(|leg| leg.tag() == tag)
    }

    /// The branch with that remote tag.
    fn branch(&mut self, tag: &str) -> Option<&mut Leg> {
        match &mut self.leg {
            Some(leg) if leg.tag() == tag => Some(leg),
            _ => self.forks.iter_mut().find(|leg| leg.tag() == tag),
        }
    }
}

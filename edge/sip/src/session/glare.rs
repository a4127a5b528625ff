//! When both sides want to change the session at once: who waits how long (RFC 3261 §14.1).

use std::time::{Duration, Instant};

use super::state::{Change, ClientKind, Deferred, Open, Phase, Role};
use super::{Session, SessionEvent};
use crate::ids::Ids;
use crate::message::StatusCode;

/// How often one change is tried again after 491 before it counts as failed.
const MAX_TRIES: u8 = 6;

/// A small generator for waiting times; nothing secret comes from it.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(ids: &mut Ids) -> Self {
        Self(u64::from_le_bytes(ids.bytes::<8>()) | 1)
    }

    /// 0..=max.
    pub(super) fn up_to(&mut self, max: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % (max + 1)
    }
}

impl Session {
    /// RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s in units of 10 ms, the other side
    /// 0 to 2 s.
    fn glare_delay(&mut self) -> Duration {
        let tens = match self.role {
            Role::Caller => 210 + self.jitter.up_to(190),
            Role::Callee => self.jitter.up_to(200),
        };
        Duration::from_millis(tens * 10)
    }

    /// Our change met one of the peer (491).
    pub(super) fn retry_after_glare(
        &mut self,
        now: Instant,
        by_update: bool,
        mut change: Change,
    ) -> bool {
        change.tries += 1;
        if change.tries >= MAX_TRIES || self.deferred.is_some() || self.phase == Phase::Over {
            return false;
        }
        let at = Some(now + self.glare_delay());
        self.deferred = Some(Deferred { at, by_update, change });
        true
    }

    /// An offer of the peer is taken up: a waiting change of ours was made for another state of
    /// the session and would carry a stale description.
    pub(super) fn yield_deferred(&mut self) {
        if let Some(deferred) = self.deferred.take() {
            if deferred.change.refresh {
                return;
            }
            let status = StatusCode::REQUEST_PENDING;
            self.emit(SessionEvent::OfferRejected { status, response: None });
        }
    }

    /// Whether a new offer or INVITE of ours may go out: none is open in either direction, no
    /// INVITE is in progress, none of our 2xx waits for its ACK (RFC 3261 §14.1).
    pub(super) fn may_offer(&self) -> bool {
        matches!(self.open, Open::None)
            && self.accepted.is_empty()
            && !self.changing()
            && self.phase == Phase::Live
    }

    /// A re-INVITE or UPDATE of ours has no final response yet.
    pub(super) fn changing(&self) -> bool {
        let changes =
            |kind: &ClientKind| matches!(kind, ClientKind::ReInvite(_) | ClientKind::Update(_));
        self.clients.iter().any(|c| changes(&c.kind))
            || self.challenged.iter().any(|c| changes(&c.client.kind))
    }

    /// Sends the waiting change when its time has come and the way is free.
    pub(super) fn start_deferred(&mut self, now: Instant) {
        let due = self.deferred.as_ref().is_some_and(|d| d.at.is_none_or(|at| now >= at));
        if !due || !self.may_offer() {
            return;
        }
        if let Some(deferred) = self.deferred.take() {
            self.send_change(deferred.by_update, deferred.change);
        }
    }
}

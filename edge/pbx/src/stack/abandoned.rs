//! INVITEs that nobody will answer any more: their call's task panicked, or forgot them. Nothing in
//! RFC 3261 ends such a transaction, so that without an answer of ours it would stay for ever, and
//! the caller would hear it ring.

use std::time::Duration;

use offhook_sip::message::{Request, Response, StatusCode};
use offhook_sip::transaction::ServerTx;
use tokio::time::Instant;

use super::Owner;
use super::task::{Invited, Stack};

/// How often they are looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// By then somebody has answered or claimed an INVITE: the office does so at once.
const UNCLAIMED: Duration = Duration::from_secs(180);

impl Invited {
    /// An INVITE that asks for a new call, which nobody has claimed yet.
    pub(super) fn new(request: &Request) -> Self {
        let status = StatusCode::SERVER_INTERNAL_ERROR;
        Self::with(Response::to_request(request, status, None), None, false)
    }

    /// One in a dialog.
    pub(super) fn again(request: &Request, owner: Owner) -> Self {
        let status = StatusCode::CALL_DOES_NOT_EXIST;
        Self::with(Response::to_request(request, status, None), Some(owner), true)
    }

    fn with(refusal: Response, owner: Option<Owner>, in_dialog: bool) -> Self {
        let refusal = Box::new(refusal);
        let since = Instant::now();
        Self { owner, cancelled: None, refusal, in_dialog, since, abandoned: false }
    }

    fn is_abandoned(&self, now: Instant) -> bool {
        match &self.owner {
            Some(owner) => owner.is_gone(),
            None => now - self.since >= UNCLAIMED,
        }
    }
}

impl Stack {
    pub(super) fn invited(&mut self, tx: ServerTx, invited: Invited) {
        self.invites.insert(tx, invited);
        self.next_sweep.get_or_insert_with(|| Instant::now() + SWEEP);
    }

    /// Answers the re-INVITEs of an owner who is gone with its dialog. Not the INVITE that began the
    /// call: a call that refuses it forgets the dialog first, and its answer waits behind.
    pub(super) fn answer_for(&mut self, owner: u64) {
        self.abandon(|_, invited| {
            invited.in_dialog && invited.owner.as_ref().is_some_and(|o| o.id() == owner)
        });
    }

    /// Answers those that were abandoned at the last sweep already: an answer that their owner
    /// ordered before it went may still wait in our queue.
    pub(super) fn sweep_invites(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        let answered = self.abandon(|_, invited| {
            let before = invited.abandoned;
            invited.abandoned = invited.is_abandoned(now);
            before && invited.abandoned
        });
        if answered > 0 {
            tracing::error!(answered, "INVITEs were left without an answer by their calls");
        }
        self.next_sweep = (!self.invites.is_empty()).then(|| now + SWEEP);
    }

    /// In the order in which they came, so that a simulation can be had again.
    fn abandon(&mut self, which: impl FnMut(&ServerTx, &mut Invited) -> bool) -> usize {
        let mut left: Vec<_> = self.invites.extract_if(which).collect();
        left.sort_by_key(|(tx, _)| *tx);
        let count = left.len();
        for (tx, mut invited) in left {
            invited.refusal.ensure_to_tag(&self.layer.tag());
            self.respond(tx, *invited.refusal);
        }
        count
    }
}

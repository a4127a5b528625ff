//! A phone that put its call through goes: by itself, or with our help.

use std::time::{Duration, Instant};

use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;

use super::Call;
use super::leg::LegId;
use super::transfer::Transferor;

/// A phone that was told of the end of its transfer hangs up by itself (RFC 5589 §6.1); one that
/// does not is hung up after this.
const PATIENCE: Duration = Duration::from_secs(2);

impl Call {
    /// The phone has nothing more to do with the call; it hangs up, or we do.
    pub(super) fn leave(&mut self, now: Instant, id: LegId) {
        if let Some((before, _)) = self.leaving.replace((id, now + PATIENCE)) {
            self.hang_up_leg(now, before);
        }
    }

    pub(super) fn leave_in_time(&mut self, now: Instant) {
        if let Some((id, _)) = self.leaving.filter(|(_, at)| *at <= now) {
            self.leaving = None;
            self.hang_up_leg(now, id);
        }
    }

    pub(super) fn hang_up_leg(&mut self, now: Instant, id: LegId) {
        if let Some(leg) = self.leg(id) {
            leg.session.hangup(now, Headers::new());
        }
    }

    /// The leg of a phone that puts the call through, or has done so, is over.
    pub(super) fn transferor_gone(&mut self, now: Instant, id: LegId) {
        if self.leaving.is_some_and(|(leaving, _)| leaving == id) {
            self.leaving = None;
        }
        if let Some(Transferor::Leg { id: by, gone, report, .. }) =
            self.transfer.as_mut().map(|t| &mut t.by)
            && *by == id
        {
            (*gone, *report) = (true, None);
            self.timeline.note(now, None, "the phone that puts the call through hung up");
            self.music_while_asking(now);
        }
    }

    /// The remaining party is gone, or the whole call ends: the phone that asked is told and hung
    /// up.
    pub(super) fn end_transfer(&mut self, now: Instant) {
        // What was said before is no reason.
        self.report_with(None);
        self.report(now, StatusCode::REQUEST_TERMINATED);
        if let Some(Transferor::Leg { id, gone: false, .. }) = self.transfer.take().map(|t| t.by) {
            self.hang_up_leg(now, id);
        }
        if let Some((id, _)) = self.leaving.take() {
            self.hang_up_leg(now, id);
        }
    }
}

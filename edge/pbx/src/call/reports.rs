//! What a phone that puts a call through is told of it (RFC 3515 §2.4.4): the implicit subscription
//! of its REFER.

use std::time::Instant;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::refer;

use super::transfer::{Stage, Transferor};
use super::{Call, Control};

impl Call {
    /// Tells whoever asked how it goes.
    pub(super) fn report(&mut self, now: Instant, status: StatusCode) {
        let Some(transfer) = &mut self.transfer else { return };
        match &mut transfer.by {
            Transferor::Call { control, .. } => {
                let _ = control.try_send(Control::Progress(status.code()));
            }
            Transferor::Leg { id, report: Some(report), gone: false, .. } => {
                let id = *id;
                let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) else { return };
                let Some(dialog) = leg.session.dialog() else { return };
                let mut notify = Request::new(Method::Notify, dialog.remote_target().clone());
                refer::fill_report(now, report, &mut notify, status, None);
                notify.headers.remove(&HeaderName::ContentType);
                let body = Some((refer::SIPFRAG, notify.body));
                let _ = leg.session.send(now, Method::Notify, &notify.headers, body);
            }
            Transferor::Leg { .. } => {}
        }
    }

    /// The call that was asked to carry out our phone's transfer says how it goes.
    pub(super) fn on_progress(&mut self, now: Instant, status: u16) {
        let elsewhere = self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Elsewhere));
        let Some(status) = StatusCode::new(status).filter(|_| elsewhere) else { return };
        self.report(now, status);
        if status.is_final() {
            self.transfer = None;
            if status.is_success()
                && let Some(partner) = &mut self.partner
            {
                // Our party is somebody else's: a hold of ours is none of its business any more.
                partner.over = true;
            }
            self.music_for_hold();
        }
    }

    /// Somebody rings for the remaining party.
    pub(super) fn transfer_rings(&mut self, now: Instant) {
        if self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Calling(_))) {
            self.report(now, StatusCode::RINGING);
        }
    }
}

//! What a phone that puts a call through is told of it (RFC 3515 §2.4.4): the implicit subscription
//! of its REFER. It can be refreshed and ended like any other (RFC 6665), and goes with the
//! transfer.

use std::time::Instant;

use offhook_sip::header::{Event, HeaderName, Headers};
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::refer::{self, Refer};
use offhook_sip::session::{InboundToken, RequestToken};
use offhook_sip::subscription::{Notifier, SubscribeError};

use super::leg::{Leg, LegId};
use super::news::Progress;
use super::transfer::{Stage, Transferor};
use super::{Call, Control};

/// The package of [`Report`] (RFC 3515 §4.1).
const PACKAGE: &str = "refer";

/// How a phone is told of its transfer.
pub(super) struct Report {
    subscription: Notifier,
    /// What it was told last.
    last: StatusCode,
    /// What it says of it, when the status alone says too little.
    words: Option<&'static str>,
    /// Its NOTIFYs without an answer yet. As many as a session sends at once.
    unanswered: Vec<RequestToken>,
}

impl Report {
    pub(super) fn of(now: Instant, refer: &Refer) -> Self {
        let subscription = refer.subscription(now);
        Self { subscription, last: StatusCode::TRYING, words: None, unanswered: Vec::new() }
    }

    /// Sends what is to be said.
    fn send(&mut self, now: Instant, leg: &mut Leg) {
        let Some(dialog) = leg.session.dialog() else { return };
        let mut notify = Request::new(Method::Notify, dialog.remote_target().clone());
        refer::fill_report(now, &mut self.subscription, &mut notify, self.last, self.words);
        notify.headers.remove(&HeaderName::ContentType);
        let body = Some((refer::SIPFRAG, notify.body));
        if let Ok(token) = leg.session.send(now, Method::Notify, &notify.headers, body) {
            self.unanswered.push(token);
        }
    }

    /// The answer to a SUBSCRIBE, and what goes into it.
    fn refresh(&mut self, now: Instant, request: &Request) -> Response {
        let mut request = request.clone();
        if let Ok(Some(event)) = request.headers.typed::<Event>()
            && event.id.is_none()
        {
            // RFC 3515 §2.4.6: without an id the (first) REFER of the dialog is meant.
            request.headers.set_typed(self.subscription.event());
        }
        match self.subscription.refresh(now, &request) {
            Ok(()) => {
                let mut response = Response::to_request(&request, StatusCode::OK, None);
                self.subscription.fill_response(&mut response);
                response
            }
            Err(error) => error.response(&request),
        }
    }
}

impl Call {
    /// Tells whoever asked how it goes.
    pub(super) fn report(&mut self, now: Instant, status: StatusCode) {
        if self.transfer.is_some() && status.is_final() {
            self.transfer_status(status.code());
            self.keep_record();
        }
        let Some(transfer) = &mut self.transfer else { return };
        transfer.tell_orderer(status);
        match &mut transfer.by {
            Transferor::Call { control, .. } => {
                let words = transfer.words.filter(|_| !status.is_success());
                let _ = control.try_send(Control::Progress(Progress { status, words }));
            }
            Transferor::Leg { id, report: Some(report), gone: false, .. } => {
                if status.is_success() {
                    report.words = None;
                }
                report.last = status;
                if let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == *id) {
                    report.send(now, leg);
                }
            }
            Transferor::Leg { .. } => {}
        }
    }

    /// The next report is in these words; `None`: in those of its status.
    pub(super) fn report_with(&mut self, words: Option<&'static str>) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.words = words;
        if let Transferor::Leg { report: Some(report), .. } = &mut transfer.by {
            report.words = words;
        }
    }

    /// What became of the last transfer.
    pub(super) fn transfer_status(&mut self, status: u16) {
        if let Some(last) = self.record.transfers.last_mut() {
            last.status.get_or_insert(status);
        }
    }

    /// The report that a leg's phone gets of a transfer of its own.
    fn reported_to(&mut self, wanted: LegId) -> Option<&mut Option<Report>> {
        match &mut self.transfer.as_mut()?.by {
            Transferor::Leg { id, report, .. } if *id == wanted => Some(report),
            _ => None,
        }
    }

    /// SUBSCRIBE in a call: for longer reports on a transfer, or (Expires 0) for no more of them
    /// (RFC 3515 §2.4.4, RFC 6665 §4.2.1).
    pub(super) fn on_subscribe(
        &mut self,
        now: Instant,
        id: LegId,
        token: InboundToken,
        request: &Request,
    ) {
        let event: Option<Event> = request.headers.typed().ok().flatten();
        let known = event.is_some_and(|event| event.package.eq_ignore_ascii_case(PACKAGE));
        let report = self.reported_to(id).and_then(Option::as_mut).filter(|_| known);
        let answer = match report {
            Some(report) => report.refresh(now, request),
            None if known => SubscribeError::Gone.response(request),
            None => SubscribeError::BadEvent.response(request),
        };
        let mut headers = Headers::new();
        for name in [HeaderName::Expires, HeaderName::MinExpires] {
            if let Some(value) = answer.headers.get(&name) {
                headers.push(name, value.clone());
            }
        }
        if answer.status == StatusCode::BAD_EVENT {
            // RFC 6665 §8.3.2.
            headers.push(HeaderName::AllowEvents, PACKAGE);
        }
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.respond(now, token, answer.status, &headers, None);
        }
        if answer.status.is_success() {
            // RFC 6665 §4.2.1.2: each SUBSCRIBE is followed by a NOTIFY of how things are.
            self.report_again(now);
        }
    }

    /// Says once more how the transfer goes; for the last time when the subscription is over.
    fn report_again(&mut self, now: Instant) {
        let Some(transfer) = &mut self.transfer else { return };
        let Transferor::Leg { id, report: slot @ Some(_), .. } = &mut transfer.by else { return };
        let leg = self.legs.iter_mut().find(|leg| leg.id == *id);
        if let (Some(report), Some(leg)) = (slot.as_mut(), leg) {
            report.send(now, leg);
        }
        if slot.as_ref().is_some_and(|report| report.subscription.is_over()) {
            *slot = None;
        }
    }

    /// The answer to a request of ours that is no session business: to a report, or to nothing that
    /// matters. `None`: there was none. A phone that knows nothing of the subscription, or is not
    /// there, gets no more of it (RFC 6665 §4.2.2).
    pub(super) fn on_report_answered(
        &mut self,
        now: Instant,
        id: LegId,
        token: RequestToken,
        answer: Option<&Response>,
    ) {
        if answer.is_some_and(|answer| answer.status.is_provisional()) {
            return;
        }
        let Some(slot) = self.reported_to(id) else { return };
        let Some(report) = slot else { return };
        let Some(at) = report.unanswered.iter().position(|sent| *sent == token) else { return };
        report.unanswered.swap_remove(at);
        if !report.subscription.notify_answered(answer) {
            *slot = None;
            self.timeline.note(now, None, "the phone takes no reports on its transfer");
        }
    }

    /// When [`Call::report_expired`] is due.
    pub(super) fn report_deadline(&self) -> Option<Instant> {
        match &self.transfer.as_ref()?.by {
            Transferor::Leg { report, .. } => report.as_ref()?.subscription.poll_timeout(),
            Transferor::Call { .. } => None,
        }
    }

    /// A transfer that takes longer than its subscription lasts (RFC 6665 §4.2.1.4).
    pub(super) fn report_expired(&mut self, now: Instant) {
        let Some(transfer) = &mut self.transfer else { return };
        if let Transferor::Leg { report: Some(report), .. } = &mut transfer.by
            && report.subscription.handle_timeout(now)
        {
            self.report_again(now);
        }
    }

    /// The call that was asked to carry out our phone's transfer says how it goes.
    pub(super) fn on_progress(&mut self, now: Instant, Progress { status, words }: Progress) {
        if !self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Elsewhere)) {
            return;
        }
        self.report_with(words);
        self.report(now, status);
        if status.is_final() {
            let transfer = self.transfer.take();
            if status.is_success()
                && let Some(partner) = &mut self.partner
            {
                // Our party is somebody else's: a hold of ours is none of its business any more.
                partner.over = true;
            }
            if let Some(transfer) = transfer {
                self.met_elsewhere(now, *transfer, status);
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

//! SUBSCRIBE: accepted, refreshed, ended (RFC 6665 §4.2).

use offhook_sip::dialog::Dialog;
use offhook_sip::flow::Flow;
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::subscription::{EndReason, Notifier};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::task::{Task, Whom};
use crate::registrar::Verdict;
use crate::stack::{DialogGuard, DialogKey, NewRequest, ServerTx};

/// The package's name (RFC 3842 §3.1).
pub(super) const PACKAGE: &str = "message-summary";
/// Seconds after which phones subscribe again when we end: a restart takes less.
const BACK_IN: u32 = 10;

pub(super) struct Subscription {
    pub(super) mailbox: Box<str>,
    pub(super) dialog: Dialog,
    pub(super) notifier: Notifier,
    pub(super) flow: Flow,
    pub(super) account: String,
    /// Its entry in `expiry`.
    until: Option<Instant>,
    guard: DialogGuard,
}

impl Task {
    pub(super) fn subscribe(&mut self, new: NewRequest) {
        let NewRequest { tx, request, flow } = new;
        let extension = match self.auth.phone(&request, &flow) {
            Verdict::Extension(extension) => extension,
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                return self.answer_once(tx, response);
            }
            Verdict::Trunk(_) => {
                let status = StatusCode::FORBIDDEN;
                return self.answer_once(tx, Response::to_request(&request, status, None));
            }
        };
        match self.accept(&request, &flow, &extension.number) {
            Ok((id, response)) => {
                self.answer(tx, response);
                self.want(&extension.number, Whom::One(id));
            }
            Err(response) => self.answer(tx, *response),
        }
    }

    fn accept(
        &mut self,
        request: &Request,
        flow: &Flow,
        number: &str,
    ) -> Result<(u64, Response), Box<Response>> {
        let refuse = |status| Box::new(Response::to_request(request, status, None));
        let now = Instant::now();
        let limits = self.config.limits;
        let notifier = Notifier::accept(now.into_std(), request, &[PACKAGE], limits)
            .map_err(|e| Box::new(e.response(request)))?;
        let asked = request.uri.user_decoded();
        let own = asked
            .as_deref()
            .is_none_or(|user| user == number || self.config.aliases.iter().any(|a| a == user));
        if !own {
            // A lamp tells who has messages: nobody sees another's.
            return Err(refuse(StatusCode::FORBIDDEN));
        }
        if self.subscriptions.len() >= self.config.max_subscriptions {
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE));
        }
        let tag = self.ids.tag();
        let dialog = Dialog::from_request(request, &tag);
        let dialog = dialog.map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
        self.make_room(number);
        self.last += 1;
        let id = self.last;
        let key = DialogKey::new(dialog.id().call_id.clone(), tag.as_str());
        let guard = self.sip.register_dialog(key.clone(), &self.owner);
        let mut response = Response::to_request(request, StatusCode::OK, None);
        response.ensure_to_tag(&tag);
        notifier.fill_response(&mut response);
        self.add_contact(&mut response.headers, flow);
        let account = request.to().map(|to| to.0.uri.to_string()).unwrap_or_default();
        let until = notifier.poll_timeout().map(Instant::from_std);
        self.expiry.extend(until.map(|at| (at, id)));
        let subscription = Subscription {
            mailbox: number.into(),
            dialog,
            notifier,
            flow: *flow,
            account,
            until,
            guard,
        };
        self.subscriptions.insert(id, subscription);
        self.by_dialog.insert(key, id);
        self.by_mailbox.entry(number.into()).or_default().push(id);
        self.gauge();
        Ok((id, response))
    }

    /// Ends the oldest subscriptions of a mailbox that has too many: a phone that rebooted often
    /// left them behind.
    fn make_room(&mut self, mailbox: &str) {
        while let Some(ids) = self.by_mailbox.get(mailbox)
            && ids.len() >= self.config.max_per_mailbox.max(1)
            && let Some(oldest) = ids.first().copied()
        {
            self.forget(oldest);
        }
    }

    /// A refresh or an end (RFC 6665 §4.2.1.4).
    pub(super) fn in_dialog(&mut self, tx: ServerTx, request: &Request, flow: Flow) {
        let refuse = |status| Response::to_request(request, status, None);
        if request.method != Method::Subscribe {
            return self.answer(tx, refuse(StatusCode::METHOD_NOT_ALLOWED));
        }
        let number = match self.auth.phone(request, &flow) {
            Verdict::Extension(extension) => extension.number.clone(),
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                return self.answer_once(tx, response);
            }
            Verdict::Trunk(_) => return self.answer_once(tx, refuse(StatusCode::FORBIDDEN)),
        };
        let key = request
            .call_id()
            .zip(request.to_tag())
            .map(|(call_id, tag)| DialogKey::new(call_id.as_ref(), tag));
        let id = key.and_then(|key| self.by_dialog.get(&key).copied());
        let found = id.and_then(|id| Some((id, self.subscriptions.get_mut(&id)?)));
        let Some((id, subscription)) = found.filter(|(_, s)| *s.mailbox == *number) else {
            return self.answer(tx, refuse(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let now = Instant::now();
        if let Err(error) = subscription.notifier.refresh(now.into_std(), request) {
            return self.answer(tx, error.response(request));
        }
        subscription.flow = flow;
        subscription.dialog.refresh_target(&request.headers);
        let after = subscription.notifier.poll_timeout().map(Instant::from_std);
        let before = std::mem::replace(&mut subscription.until, after);
        let mut response = refuse(StatusCode::OK);
        subscription.notifier.fill_response(&mut response);
        if let Some(at) = before {
            self.expiry.remove(&(at, id));
        }
        self.expiry.extend(after.map(|at| (at, id)));
        self.add_contact(&mut response.headers, &flow);
        self.answer(tx, response);
        self.want(&number, Whom::One(id));
    }

    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        while let Some((at, id)) = self.expiry.first().copied()
            && at <= now
        {
            self.expiry.pop_first();
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            if subscription.notifier.handle_timeout(now.into_std()) {
                let mailbox = subscription.mailbox.clone();
                self.want(&mailbox, Whom::One(id));
            }
        }
    }

    /// Tells every subscriber that we go; `done` is dropped when all have answered.
    pub(super) fn end_all(&mut self, done: oneshot::Sender<()>) {
        let ids: Vec<_> = self.subscriptions.keys().copied().collect();
        for id in ids {
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            subscription.notifier.end(EndReason::Probation, Some(BACK_IN));
            if let Some(token) = self.notify(id, None) {
                self.farewells.insert(token);
            }
        }
        if !self.farewells.is_empty() {
            self.done = Some(done);
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        let Some(subscription) = self.subscriptions.remove(&id) else { return };
        if let Some(at) = subscription.until {
            self.expiry.remove(&(at, id));
        }
        self.by_dialog.remove(subscription.guard.key());
        if let Some(ids) = self.by_mailbox.get_mut(&subscription.mailbox) {
            ids.retain(|of| *of != id);
            if ids.is_empty() {
                self.by_mailbox.remove(&subscription.mailbox);
            }
        }
        self.gauge();
    }

    fn gauge(&self) {
        self.metrics.subscriptions.set(self.subscriptions.len() as u64);
    }

    /// To somebody who has not shown who he is.
    fn answer_once(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.config.server.as_str());
        self.sip.respond_once(tx, response);
    }

    fn answer(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.config.server.as_str());
        self.sip.respond(tx, response);
    }
}

//! NOTIFYs of one event package (RFC 6665 §4.2.2), their answers, and the last ones.

use bytes::Bytes;
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, Response};
use offhook_sip::subscription::EndReason;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Subscriptions;
use crate::stack::Target;

/// Seconds after which phones subscribe again when we end: a restart takes less.
const BACK_IN: u32 = 10;

impl Subscriptions {
    /// Tells one subscriber; without a body only how its subscription stands. The token of the
    /// NOTIFY is given back.
    pub(crate) fn notify(&mut self, id: u64, body: Option<(&str, Bytes)>) -> Option<u64> {
        let subscription = self.all.get_mut(&id)?;
        let mut request = subscription.dialog.next_request(Method::Notify, 70);
        let now = Instant::now().into_std();
        subscription.told = subscription.told.saturating_add(body.is_some().into());
        subscription.notifier.fill_notify(now, &mut request, body);
        let flow = subscription.flow;
        let target = if subscription.dialog.route_set().is_empty() {
            // Back the way the subscription came: NAT and TLS let nothing else through.
            Target::Flow(flow)
        } else {
            Target::Uri(subscription.dialog.next_hop().clone())
        };
        let finished = subscription.notifier.is_finished();
        let contact = subscription.about.contact.clone();
        let sips = request.uri.is_sips();
        self.add_contact(&mut request.headers, &flow, &contact, sips);
        request.headers.set(HeaderName::UserAgent, self.package.server.as_str());
        self.last += 1;
        if finished {
            self.forget(id);
        } else {
            self.tokens.insert(self.last, id);
        }
        self.sip.send(self.last, request, target, &self.owner);
        Some(self.last)
    }

    /// Sends a NOTIFY without a subscription.
    pub(crate) fn send_unsolicited(&mut self, mut request: Request, target: Target) {
        request.headers.set(HeaderName::UserAgent, self.package.server.as_str());
        self.last += 1;
        self.sip.send(self.last, request, target, &self.owner);
    }

    pub(super) fn notify_answered(&mut self, token: u64, response: Option<&Response>) {
        if self.farewells.remove(&token) && self.farewells.is_empty() {
            self.done = None;
        }
        let Some(id) = self.tokens.remove(&token) else { return };
        let Some(subscription) = self.all.get_mut(&id) else { return };
        if !subscription.notifier.notify_answered(response) {
            self.forget(id);
        }
    }

    /// What it is about is gone (RFC 6665 §4.1.3): the next NOTIFY is the last.
    pub(crate) fn end(&mut self, id: u64) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.notifier.end(EndReason::NoResource, None);
        }
    }

    /// Tells every subscriber that we go; `done` is dropped when all have answered.
    pub(crate) fn end_all(&mut self, done: oneshot::Sender<()>) {
        let ids: Vec<_> = self.all.keys().copied().collect();
        for id in ids {
            let Some(subscription) = self.all.get_mut(&id) else { continue };
            subscription.notifier.end(EndReason::Probation, Some(BACK_IN));
            if let Some(token) = self.notify(id, None) {
                self.farewells.insert(token);
            }
        }
        if !self.farewells.is_empty() {
            self.done = Some(done);
        }
    }
}

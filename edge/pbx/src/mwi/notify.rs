//! NOTIFY: to subscribers, and to phones that never subscribe.

use std::collections::HashSet;

use offhook_sip::flow::Flow;
use offhook_sip::header::{CSeq, HeaderName, Headers, MaxForwards, NameAddr};
use offhook_sip::message::{Method, Request, Response};
use offhook_sip::uri::Uri;
use tokio::time::Instant;

use super::MessageCounts;
use super::body::{CONTENT_TYPE, summary};
use super::subscriptions::PACKAGE;
use super::task::Task;
use crate::registrar::Contact;
use crate::stack::Target;

impl Task {
    /// Tells one subscriber; `None` of counts: only how its subscription stands. The token of the
    /// NOTIFY is given back.
    pub(super) fn notify(&mut self, id: u64, counts: Option<MessageCounts>) -> Option<u64> {
        let subscription = self.subscriptions.get_mut(&id)?;
        let mut request = subscription.dialog.next_request(Method::Notify, 70);
        let body = counts.map(|counts| (CONTENT_TYPE, summary(&subscription.account, counts)));
        let now = Instant::now().into_std();
        subscription.notifier.fill_notify(now, &mut request, body);
        let flow = subscription.flow;
        let target = if subscription.dialog.route_set().is_empty() {
            // Back the way the subscription came: NAT and TLS let nothing else through.
            Target::Flow(flow)
        } else {
            Target::Uri(subscription.dialog.next_hop().clone())
        };
        let finished = subscription.notifier.is_finished();
        self.add_contact(&mut request.headers, &flow);
        request.headers.set(HeaderName::UserAgent, self.config.server.as_str());
        self.last += 1;
        if finished {
            self.forget(id);
        } else {
            self.tokens.insert(self.last, id);
        }
        self.sip.send(self.last, request, target, &self.owner);
        Some(self.last)
    }

    pub(super) fn notify_answered(&mut self, token: u64, response: Option<&Response>) {
        if self.farewells.remove(&token) && self.farewells.is_empty() {
            self.done = None;
        }
        let Some(id) = self.tokens.remove(&token) else { return };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        if !subscription.notifier.notify_answered(response) {
            self.forget(id);
        }
    }

    /// To phones that are registered and have not subscribed.
    pub(super) fn notify_phones(&mut self, mailbox: &str, counts: MessageCounts) {
        let ids = self.by_mailbox.get(mailbox).map_or(&[][..], Vec::as_slice);
        let subscribed: HashSet<_> =
            ids.iter().filter_map(|id| self.subscriptions.get(id)).map(|s| s.flow.remote).collect();
        for contact in self.registrar.lookup(mailbox) {
            if !subscribed.contains(&contact.flow.remote) {
                self.unsolicited(mailbox, contact, counts);
            }
        }
    }

    /// A NOTIFY that nobody subscribed to, as phones have known it since before RFC 6665: it says
    /// of itself that no subscription stands behind it.
    fn unsolicited(&mut self, mailbox: &str, contact: Contact, counts: MessageCounts) {
        let Contact { uri, target, route, flow, .. } = contact;
        let mut request = Request::new(Method::Notify, uri.clone());
        let account = Uri::Sip(self.sip.contact_uri(&flow, Some(mailbox)));
        let from = NameAddr::new(account.clone()).with_tag(&self.ids.tag());
        let headers = &mut request.headers;
        for hop in route {
            headers.push(HeaderName::Route, hop);
        }
        headers.push_typed(&MaxForwards(70));
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, NameAddr::new(uri).to_string());
        headers.push(HeaderName::CallId, self.ids.call_id());
        headers.push_typed(&CSeq { seq: 1, method: Method::Notify });
        headers.push(HeaderName::Event, PACKAGE);
        headers.push(HeaderName::SubscriptionState, "terminated;reason=noresource");
        headers.push(HeaderName::ContentType, CONTENT_TYPE);
        headers.push(HeaderName::UserAgent, self.config.server.as_str());
        self.add_contact(headers, &flow);
        request.body = summary(&account.to_string(), counts);
        self.last += 1;
        self.sip.send(self.last, request, target, &self.owner);
    }

    pub(super) fn add_contact(&self, headers: &mut Headers, flow: &Flow) {
        let uri = self.sip.contact_uri(flow, Some("voicemail"));
        headers.set(HeaderName::Contact, format!("<{}>", Uri::Sip(uri)));
    }
}

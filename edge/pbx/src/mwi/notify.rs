//! NOTIFY: to subscribers, and to phones that never subscribe.

use std::collections::HashSet;

use offhook_sip::header::{CSeq, HeaderName, MaxForwards, NameAddr};
use offhook_sip::message::{Method, Request};
use offhook_sip::uri::Uri;

use super::body::{CONTENT_TYPE, summary};
use super::task::{PACKAGE, Task};
use super::{CONTACT, MessageCounts};
use crate::registrar::Contact;

impl Task {
    /// Tells one subscriber; `None` of counts: only how its subscription stands.
    pub(super) fn notify(&mut self, id: u64, counts: Option<MessageCounts>) {
        let Some(subscription) = self.subscriptions.get(id) else { return };
        let body = counts.map(|counts| (CONTENT_TYPE, summary(subscription.to(), counts)));
        self.subscriptions.notify(id, body);
    }

    /// To phones that are registered and have not subscribed.
    pub(super) fn notify_phones(&mut self, mailbox: &str, counts: MessageCounts) {
        let ids = self.subscriptions.to(mailbox).into_iter();
        let remotes = ids.filter_map(|id| Some(self.subscriptions.get(id)?.flow().remote));
        let subscribed: HashSet<_> = remotes.collect();
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
        let sips = request.uri.is_sips();
        let account = Uri::Sip(self.sip.contact_uri(&flow, Some(mailbox), sips));
        let ids = &mut self.subscriptions.ids;
        let from = NameAddr::new(account.clone()).with_tag(&ids.tag());
        let headers = &mut request.headers;
        for hop in route {
            headers.push(HeaderName::Route, hop);
        }
        headers.push_typed(&MaxForwards(70));
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, NameAddr::new(uri).to_string());
        headers.push(HeaderName::CallId, ids.call_id());
        headers.push_typed(&CSeq { seq: 1, method: Method::Notify });
        headers.push(HeaderName::Event, PACKAGE);
        headers.push(HeaderName::SubscriptionState, "terminated;reason=noresource");
        headers.push(HeaderName::ContentType, CONTENT_TYPE);
        self.subscriptions.add_contact(headers, &flow, CONTACT, sips);
        request.body = summary(&account.to_string(), counts);
        self.subscriptions.send_unsolicited(request, target);
    }
}

//! The task that owns the subscriptions.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use offhook_sip::dialog::Dialog;
use offhook_sip::flow::Flow;
use offhook_sip::header::{CSeq, HeaderName, MaxForwards, NameAddr};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::subscription::{EndReason, Notifier};
use offhook_sip::uri::Uri;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::body::{CONTENT_TYPE, summary};
use super::{Ask, CountMessages, MessageCounts, MwiConfig};
use crate::metrics::Metrics;
use crate::registrar::{Authenticator, Contact, Registrar, RegistrationChange, Verdict};
use crate::stack::{
    DialogGuard, DialogKey, NewRequest, Owner, ServerTx, SipEvent, SipHandle, Target,
};

/// The package's name (RFC 3842 §3.1).
const PACKAGE: &str = "message-summary";
/// Events that may wait.
const MAILBOX: usize = 4_096;

pub(super) struct Task {
    config: MwiConfig,
    sip: SipHandle,
    auth: Authenticator,
    registrar: Registrar,
    count: CountMessages,
    metrics: Arc<Metrics>,
    ids: Ids,
    owner: Owner,
    mailbox: mpsc::Receiver<SipEvent>,
    subscriptions: HashMap<u64, Subscription>,
    by_dialog: HashMap<DialogKey, u64>,
    by_mailbox: HashMap<Box<str>, Vec<u64>>,
    expiry: BTreeSet<(Instant, u64)>,
    /// Which subscription a NOTIFY under way belongs to.
    tokens: HashMap<u64, u64>,
    last: u64,
    counting: HashMap<Box<str>, Counting>,
    counted: mpsc::UnboundedSender<(Box<str>, MessageCounts)>,
    /// Boxes whose messages changed in this run: their phones are told even that there are none.
    changed: HashSet<Box<str>>,
    /// Boxes that held messages at the start, once that is known.
    filled: Option<HashSet<String>>,
}

struct Subscription {
    mailbox: Box<str>,
    dialog: Dialog,
    notifier: Notifier,
    flow: Flow,
    account: String,
    /// Its entry in `expiry`.
    until: Option<Instant>,
    guard: DialogGuard,
}

/// A question to the store under way. Who asks meanwhile gets the next answer: this one may be of
/// before the change.
#[derive(Default)]
struct Counting {
    now: Vec<Whom>,
    next: Vec<Whom>,
}

/// Whom to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    One(u64),
    Subscribers,
    /// Registered phones without a subscription.
    Phones,
    /// Those too, when there is something to tell.
    PhonesIfAny,
}

impl Task {
    pub(super) fn new(
        config: MwiConfig,
        sip: SipHandle,
        auth: Authenticator,
        registrar: Registrar,
        count: CountMessages,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (owner, mailbox) = Owner::channel(MAILBOX);
        // Replaced when the task runs.
        let (counted, _) = mpsc::unbounded_channel();
        Self {
            config,
            sip,
            auth,
            registrar,
            count,
            metrics,
            ids: Ids::from_os(),
            owner,
            mailbox,
            subscriptions: HashMap::new(),
            by_dialog: HashMap::new(),
            by_mailbox: HashMap::new(),
            expiry: BTreeSet::new(),
            tokens: HashMap::new(),
            last: 0,
            counting: HashMap::new(),
            counted,
            changed: HashSet::new(),
            filled: None,
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Ask>) {
        let (counted, mut counts) = mpsc::unbounded_channel();
        self.counted = counted;
        let mut registrations = self.registrar.listen(MAILBOX);
        loop {
            let next = self.expiry.first().map(|(at, _)| *at);
            let sleep = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(Ask::Subscribe(new)) => self.subscribe(*new),
                    Some(Ask::Changed(mailbox)) => self.mailbox_changed(&mailbox),
                    Some(Ask::Announce(filled)) => self.announce(filled),
                    Some(Ask::End) => self.end_all(),
                    None => return,
                },
                Some(event) = self.mailbox.recv() => self.event(event),
                Some((mailbox, counts)) = counts.recv() => self.tell(&mailbox, counts),
                Some(change) = registrations.recv() => {
                    if let RegistrationChange::Registered { aor, fresh: true } = change {
                        self.phone_came(&aor);
                    }
                }
                () = sleep => self.expire(),
            }
        }
    }

    fn phone_came(&mut self, aor: &str) {
        if !self.config.unsolicited {
            return;
        }
        if self.changed.contains(aor) {
            self.want(aor, Whom::Phones);
        } else if self.filled.as_ref().is_none_or(|filled| filled.contains(aor)) {
            self.want(aor, Whom::PhonesIfAny);
        }
    }

    fn mailbox_changed(&mut self, mailbox: &str) {
        self.changed.insert(mailbox.into());
        self.want(mailbox, Whom::Subscribers);
        if self.config.unsolicited {
            self.want(mailbox, Whom::Phones);
        }
    }

    fn announce(&mut self, filled: Vec<String>) {
        for mailbox in &filled {
            self.want(mailbox, Whom::PhonesIfAny);
        }
        self.filled = Some(filled.into_iter().collect());
    }

    /// Asks the store; [`Task::tell`] follows.
    fn want(&mut self, mailbox: &str, whom: Whom) {
        if let Some(counting) = self.counting.get_mut(mailbox) {
            if !counting.next.contains(&whom) {
                counting.next.push(whom);
            }
            return;
        }
        let counting = Counting { now: vec![whom], next: Vec::new() };
        self.counting.insert(mailbox.into(), counting);
        self.ask(mailbox);
    }

    fn ask(&self, mailbox: &str) {
        let (counting, counted) = ((self.count)(mailbox.to_owned()), self.counted.clone());
        let mailbox = mailbox.into();
        tokio::spawn(async move {
            let _ = counted.send((mailbox, counting.await));
        });
    }

    fn tell(&mut self, mailbox: &str, counts: MessageCounts) {
        let Some(counting) = self.counting.remove(mailbox) else { return };
        for whom in counting.now {
            match whom {
                Whom::One(id) => self.notify(id, counts),
                Whom::Subscribers => {
                    let ids = self.by_mailbox.get(mailbox).cloned().unwrap_or_default();
                    for id in ids {
                        self.notify(id, counts);
                    }
                }
                Whom::Phones => self.notify_phones(mailbox, counts),
                Whom::PhonesIfAny if counts != MessageCounts::default() => {
                    self.notify_phones(mailbox, counts);
                }
                Whom::PhonesIfAny => {}
            }
        }
        if !counting.next.is_empty() {
            let again = Counting { now: counting.next, next: Vec::new() };
            self.counting.insert(mailbox.into(), again);
            self.ask(mailbox);
        }
    }

    fn subscribe(&mut self, new: NewRequest) {
        let NewRequest { tx, request, flow } = new;
        let extension = match self.auth.phone(&request, &flow) {
            Verdict::Extension(extension) => extension,
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                return self.answer(tx, response);
            }
            Verdict::Trunk(_) => {
                let status = StatusCode::FORBIDDEN;
                return self.answer(tx, Response::to_request(&request, status, None));
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

    fn add_contact(&self, headers: &mut offhook_sip::header::Headers, flow: &Flow) {
        let uri = self.sip.contact_uri(flow, Some("voicemail"));
        headers.set(HeaderName::Contact, format!("<{}>", Uri::Sip(uri)));
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

    fn event(&mut self, event: SipEvent) {
        match event {
            SipEvent::Request { tx, request, flow } => self.in_dialog(tx, &request, flow),
            SipEvent::Response { token, response, .. } if response.status.is_final() => {
                self.notify_answered(token, Some(&response));
            }
            SipEvent::Failed { token, .. } => self.notify_answered(token, None),
            SipEvent::Response { .. } | SipEvent::Ack { .. } | SipEvent::Cancel { .. } => {}
        }
    }

    /// A refresh or an end (RFC 6665 §4.2.1.4).
    fn in_dialog(&mut self, tx: ServerTx, request: &Request, flow: Flow) {
        let refuse = |status| Response::to_request(request, status, None);
        if request.method != Method::Subscribe {
            return self.answer(tx, refuse(StatusCode::METHOD_NOT_ALLOWED));
        }
        let number = match self.auth.phone(request, &flow) {
            Verdict::Extension(extension) => extension.number.clone(),
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                return self.answer(tx, response);
            }
            Verdict::Trunk(_) => return self.answer(tx, refuse(StatusCode::FORBIDDEN)),
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

    fn notify(&mut self, id: u64, counts: MessageCounts) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let mut request = subscription.dialog.next_request(Method::Notify, 70);
        let body = summary(&subscription.account, counts);
        let now = Instant::now().into_std();
        subscription.notifier.fill_notify(now, &mut request, Some((CONTENT_TYPE, body)));
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
    }

    fn notify_answered(&mut self, token: u64, response: Option<&Response>) {
        let Some(id) = self.tokens.remove(&token) else { return };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        if !subscription.notifier.notify_answered(response) {
            self.forget(id);
        }
    }

    /// To phones that are registered and have not subscribed.
    fn notify_phones(&mut self, mailbox: &str, counts: MessageCounts) {
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

    fn expire(&mut self) {
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

    fn end_all(&mut self) {
        let ids: Vec<_> = self.subscriptions.keys().copied().collect();
        for id in ids {
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            subscription.notifier.end(EndReason::Deactivated, None);
            let mailbox = subscription.mailbox.clone();
            self.want(&mailbox, Whom::One(id));
        }
    }

    fn forget(&mut self, id: u64) {
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

    fn answer(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.config.server.as_str());
        self.sip.respond(tx, response);
    }
}

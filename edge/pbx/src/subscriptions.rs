//! The subscriptions of one event package (RFC 6665 §4.2), for the task that knows what there is to
//! tell: who may subscribe, how long each lasts, and NOTIFYs and their answers.
//!
//! > Whatever gives an id back wants the subscriber of that id told, by [`Subscriptions::notify`].

mod telling;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use offhook_sip::dialog::{Dialog, wants_sips};
use offhook_sip::flow::Flow;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::subscription::{Limits, Notifier};
use offhook_sip::uri::Uri;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::keep::Extension;
use crate::metrics::Metrics;
use crate::registrar::{Authenticator, Verdict};
use crate::stack::{DialogGuard, DialogKey, NewRequest, Owner, ServerTx, SipEvent, SipHandle};

/// Those that are served outside of calls.
const PACKAGES: &str = "message-summary, conference";
/// Events that may wait.
const MAILBOX: usize = 4_096;
/// Of one package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its name, as in Event.
    pub(crate) name: &'static str,
    /// How long a subscription may last.
    pub(crate) limits: Limits,
    /// Text of Server and User-Agent.
    pub(crate) server: String,
    /// Subscriptions at a time.
    pub(crate) most: usize,
    /// Those of one extension to one thing; the oldest makes room.
    pub(crate) most_each: usize,
}

/// What a SUBSCRIBE is about.
pub(crate) struct About {
    /// Names it here.
    pub(crate) topic: Box<str>,
    /// User part of our Contact.
    pub(crate) contact: Box<str>,
}

/// One of them.
pub(crate) struct Subscription {
    about: About,
    extension: Box<str>,
    dialog: Dialog,
    notifier: Notifier,
    flow: Flow,
    /// The address that was subscribed to, and what its To says.
    target: Uri,
    to: String,
    /// NOTIFYs with a body so far.
    told: u32,
    /// Its entry in `expiry`.
    until: Option<Instant>,
    guard: DialogGuard,
}

impl Subscription {
    pub(crate) fn topic(&self) -> &str {
        &self.about.topic
    }

    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    pub(crate) fn target(&self) -> &Uri {
        &self.target
    }

    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    pub(crate) fn told(&self) -> u32 {
        self.told
    }
}

/// All of one package.
pub(crate) struct Subscriptions {
    package: Package,
    sip: SipHandle,
    auth: Authenticator,
    metrics: Arc<Metrics>,
    pub(crate) ids: Ids,
    owner: Owner,
    all: HashMap<u64, Subscription>,
    by_dialog: HashMap<DialogKey, u64>,
    by_topic: HashMap<Box<str>, Vec<u64>>,
    expiry: BTreeSet<(Instant, u64)>,
    /// Which subscription a NOTIFY under way belongs to.
    tokens: HashMap<u64, u64>,
    last: u64,
    /// Last NOTIFYs whose answers are still to come, and who waits for them.
    farewells: HashSet<u64>,
    done: Option<oneshot::Sender<()>>,
}

impl Subscriptions {
    pub(crate) fn new(
        package: Package,
        sip: SipHandle,
        auth: Authenticator,
        metrics: Arc<Metrics>,
    ) -> (Self, mpsc::Receiver<SipEvent>) {
        let (owner, mailbox) = Owner::channel(MAILBOX);
        let all = Self {
            package,
            sip,
            auth,
            metrics,
            ids: Ids::from_os(),
            owner,
            all: HashMap::new(),
            by_dialog: HashMap::new(),
            by_topic: HashMap::new(),
            expiry: BTreeSet::new(),
            tokens: HashMap::new(),
            last: 0,
            farewells: HashSet::new(),
            done: None,
        };
        (all, mailbox)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Subscription> {
        self.all.get(&id)
    }

    /// Those to one thing, the oldest first.
    pub(crate) fn to(&self, topic: &str) -> Vec<u64> {
        self.by_topic.get(topic).cloned().unwrap_or_default()
    }

    /// When [`Subscriptions::expire`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.expiry.first().map(|(at, _)| *at)
    }

    /// A SUBSCRIBE outside any dialog. `about` says what it is about, or why it is refused.
    pub(crate) fn subscribe(
        &mut self,
        new: NewRequest,
        about: impl FnOnce(&Request, &Extension) -> Result<About, StatusCode>,
    ) -> Option<u64> {
        let NewRequest { tx, request, flow } = new;
        let extension = match self.auth.phone(&request, &flow) {
            Verdict::Extension(extension) => extension,
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                self.answer_once(tx, response);
                return None;
            }
            Verdict::Trunk(_) => {
                let status = StatusCode::FORBIDDEN;
                self.answer_once(tx, Response::to_request(&request, status, None));
                return None;
            }
        };
        match self.accept(&request, &flow, &extension, about) {
            Ok((id, response)) => {
                self.answer(tx, response);
                Some(id)
            }
            Err(mut response) => {
                if response.status == StatusCode::BAD_EVENT {
                    // RFC 6665 §8.3.2.
                    response.headers.set(HeaderName::AllowEvents, PACKAGES);
                }
                self.answer(tx, *response);
                None
            }
        }
    }

    fn accept(
        &mut self,
        request: &Request,
        flow: &Flow,
        extension: &Extension,
        about: impl FnOnce(&Request, &Extension) -> Result<About, StatusCode>,
    ) -> Result<(u64, Response), Box<Response>> {
        let refuse = |status| Box::new(Response::to_request(request, status, None));
        let now = Instant::now();
        let Package { name, limits, most, .. } = self.package;
        let notifier = Notifier::accept(now.into_std(), request, &[name], limits)
            .map_err(|e| Box::new(e.response(request)))?;
        let about = about(request, extension).map_err(refuse)?;
        if self.all.len() >= most {
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE));
        }
        let tag = self.ids.tag();
        let dialog = Dialog::from_request(request, &tag);
        let dialog = dialog.map_err(|_| refuse(StatusCode::BAD_REQUEST))?;
        self.make_room(&about.topic, &extension.number);
        self.last += 1;
        let id = self.last;
        let key = DialogKey::new(dialog.id().call_id.clone(), tag.as_str());
        let guard = self.sip.register_dialog(key.clone(), &self.owner);
        let mut response = Response::to_request(request, StatusCode::OK, None);
        response.ensure_to_tag(&tag);
        notifier.fill_response(&mut response);
        self.add_contact(&mut response.headers, flow, &about.contact, wants_sips(request));
        let until = notifier.poll_timeout().map(Instant::from_std);
        self.expiry.extend(until.map(|at| (at, id)));
        self.by_topic.entry(about.topic.clone()).or_default().push(id);
        let subscription = Subscription {
            about,
            extension: extension.number.as_str().into(),
            dialog,
            notifier,
            flow: *flow,
            target: request.uri.clone(),
            to: request.to().map(|to| to.0.uri.to_string()).unwrap_or_default(),
            told: 0,
            until,
            guard,
        };
        self.all.insert(id, subscription);
        self.by_dialog.insert(key, id);
        self.metrics.subscriptions.inc();
        Ok((id, response))
    }

    /// Ends the oldest subscriptions of an extension that has too many to one thing: a phone that
    /// rebooted often left them behind.
    fn make_room(&mut self, topic: &str, extension: &str) {
        let ids = self.by_topic.get(topic).map_or(&[][..], Vec::as_slice);
        let own = |id: &&u64| self.all.get(id).is_some_and(|s| *s.extension == *extension);
        let mut own: Vec<u64> = ids.iter().filter(own).copied().collect();
        own.truncate((own.len() + 1).saturating_sub(self.package.most_each.max(1)));
        for oldest in own {
            self.forget(oldest);
        }
    }

    /// What the stack says.
    pub(crate) fn event(&mut self, event: SipEvent) -> Option<u64> {
        match event {
            SipEvent::Request { tx, request, flow } => return self.in_dialog(tx, &request, flow),
            SipEvent::Response { token, response, .. } if response.status.is_final() => {
                self.notify_answered(token, Some(&response));
            }
            SipEvent::Failed { token, .. } => self.notify_answered(token, None),
            SipEvent::Response { .. } | SipEvent::Ack { .. } | SipEvent::Cancel { .. } => {}
        }
        None
    }

    /// A refresh or an end (RFC 6665 §4.2.1.4).
    fn in_dialog(&mut self, tx: ServerTx, request: &Request, flow: Flow) -> Option<u64> {
        let refuse = |status| Response::to_request(request, status, None);
        if request.method != Method::Subscribe {
            self.answer(tx, refuse(StatusCode::METHOD_NOT_ALLOWED));
            return None;
        }
        let number = match self.auth.phone(request, &flow) {
            Verdict::Extension(extension) => extension.number.clone(),
            Verdict::Challenge(response) | Verdict::Refuse(response) => {
                self.answer_once(tx, response);
                return None;
            }
            Verdict::Trunk(_) => {
                self.answer_once(tx, refuse(StatusCode::FORBIDDEN));
                return None;
            }
        };
        let key = request
            .call_id()
            .zip(request.to_tag())
            .map(|(call_id, tag)| DialogKey::new(call_id.as_ref(), tag));
        let id = key.and_then(|key| self.by_dialog.get(&key).copied());
        let found = id.and_then(|id| Some((id, self.all.get_mut(&id)?)));
        let Some((id, subscription)) = found.filter(|(_, s)| *s.extension == *number) else {
            self.answer(tx, refuse(StatusCode::CALL_DOES_NOT_EXIST));
            return None;
        };
        let now = Instant::now();
        if let Err(error) = subscription.notifier.refresh(now.into_std(), request) {
            self.answer(tx, error.response(request));
            return None;
        }
        subscription.flow = flow;
        subscription.dialog.refresh_target(&request.headers);
        let after = subscription.notifier.poll_timeout().map(Instant::from_std);
        let before = std::mem::replace(&mut subscription.until, after);
        let contact = subscription.about.contact.clone();
        let mut response = refuse(StatusCode::OK);
        subscription.notifier.fill_response(&mut response);
        if let Some(at) = before {
            self.expiry.remove(&(at, id));
        }
        self.expiry.extend(after.map(|at| (at, id)));
        self.add_contact(&mut response.headers, &flow, &contact, wants_sips(request));
        self.answer(tx, response);
        Some(id)
    }

    /// Those whose time is over.
    pub(crate) fn expire(&mut self) -> Vec<u64> {
        let now = Instant::now();
        let mut over = Vec::new();
        while let Some((at, id)) = self.expiry.first().copied()
            && at <= now
        {
            self.expiry.pop_first();
            let Some(subscription) = self.all.get_mut(&id) else { continue };
            if subscription.notifier.handle_timeout(now.into_std()) {
                over.push(id);
            }
        }
        over
    }

    fn forget(&mut self, id: u64) {
        let Some(subscription) = self.all.remove(&id) else { return };
        if let Some(at) = subscription.until {
            self.expiry.remove(&(at, id));
        }
        self.by_dialog.remove(subscription.guard.key());
        if let Some(ids) = self.by_topic.get_mut(&subscription.about.topic) {
            ids.retain(|of| *of != id);
            if ids.is_empty() {
                self.by_topic.remove(&subscription.about.topic);
            }
        }
        self.metrics.subscriptions.dec();
    }

    pub(crate) fn add_contact(&self, headers: &mut Headers, flow: &Flow, user: &str, sips: bool) {
        let uri = self.sip.contact_uri(flow, Some(user), sips);
        headers.set(HeaderName::Contact, format!("<{}>", Uri::Sip(uri)));
    }

    /// To somebody who has not shown who he is.
    fn answer_once(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.package.server.as_str());
        self.sip.respond_once(tx, response);
    }

    fn answer(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.package.server.as_str());
        self.sip.respond(tx, response);
    }
}

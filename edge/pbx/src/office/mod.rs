//! The office: takes new requests, says who calls whom, and hands the call to its application.
//!
//! > A call keeps the configuration it began with; a reload changes what the next one gets.

mod api;
mod asks;
mod phonebook;
pub(crate) mod registry;
pub(crate) mod route;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use offhook_config::Config;
use offhook_sip::header::HeaderName;
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::session::{ReliableProvisionals, SessionConfig};
use offhook_sip::uri::Uri;
use tokio::sync::{mpsc, watch};

use self::api::Order;
pub use self::api::{CreateCall, CreateError, DialCall, UpdateError, application_id};
pub use self::asks::{Admission, Applications, Elsewhere, Opening, Phonebook, Reachable};
pub use self::phonebook::Desk;
pub use self::registry::LiveCall;
use self::registry::Registry;
use self::route::{Plan, Router};
use crate::bans::noise::Noise;
use crate::call::{self, Begins, Caller, NewCall, Services, Settings, Source, TapeOrder};
use crate::failure::{self, Failure};
use crate::mask::mask;
use crate::stack::NewRequest;
use crate::trunk::CallSlot;

/// Seconds that a caller who is turned away is asked to wait.
const RETRY_AFTER: &str = "10";
/// Orders that may wait for a call: from the operator, and from calls that join it.
const ORDERS: usize = 16;
/// Our Max-Forwards on a call that came with the usual 70.
const MAX_FORWARDS: u32 = 69;

/// What an office is made of.
pub struct Parts {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// What calls use.
    pub services: Arc<Services>,
    /// Requests outside of dialogs.
    pub requests: mpsc::Receiver<NewRequest>,
    /// Who takes what is no call.
    pub elsewhere: Elsewhere,
    /// Who runs `flow:NAME`, `lambda:NAME` and `webhook:NAME`.
    pub applications: Option<Arc<dyn Applications>>,
    /// Counts wrong PINs, for whoever asks for one.
    pub pins: Arc<crate::pin::Guard>,
    /// For ids of calls, tags and nonces; every call gets a generator of its own from it, so that
    /// a simulation with the same seed is the same to the last tag.
    pub ids: Ids,
}

/// Takes calls.
pub struct Office {
    config: watch::Receiver<Arc<Config>>,
    services: Arc<Services>,
    requests: mpsc::Receiver<NewRequest>,
    elsewhere: Elsewhere,
    router: Arc<Router>,
    settings: Arc<Settings>,
    registry: Registry,
    draining: Arc<AtomicBool>,
    ids: Ids,
    noise: Noise,
    orders: mpsc::Receiver<Order>,
}

/// The way to a running office. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OfficeHandle {
    registry: Registry,
    draining: Arc<AtomicBool>,
    orders: mpsc::Sender<Order>,
}

impl OfficeHandle {
    /// Calls with somebody on the line, the oldest first.
    pub fn calls(&self) -> Vec<LiveCall> {
        self.registry.calls()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.registry.count()
    }

    /// Calls that ended since the start: disposition, code of the failure (or nothing), how many.
    /// Calls turned away at the door count as `refused`.
    pub fn outcomes(&self) -> Vec<(String, String, u64)> {
        self.registry.outcomes()
    }

    /// How the legs of ended calls sounded.
    pub fn quality(&self) -> &crate::quality::QualityMetrics {
        self.registry.quality()
    }

    /// Tasks of calls, those included that only wait for a last retransmission.
    pub fn tasks(&self) -> usize {
        self.registry.tasks()
    }

    /// From now on new calls get 503; emergency calls still go out.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new calls are turned away because we go.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Resolves when the last call has ended.
    pub async fn idle(&self) {
        self.registry.idle().await;
    }

    /// Ends a call, by id or unique beginning of one. `false`: there is no such call.
    pub fn hang_up(&self, id: &str) -> bool {
        self.registry.hang_up(id)
    }

    /// Lets a call be recorded, or no longer; `false` when there is no such call.
    pub fn tape(&self, id: &str, order: TapeOrder) -> bool {
        self.registry.tape(id, order)
    }

    /// Takes no new calls, lets those there are go on for `patience`, then ends them.
    pub async fn shutdown(&self, patience: Duration) {
        self.drain();
        if tokio::time::timeout(patience, self.idle()).await.is_err() {
            self.registry.hang_up_all();
            let _ = tokio::time::timeout(Duration::from_secs(5), self.idle()).await;
        }
    }
}

impl Office {
    /// Starts the office's task; it ends when the sender of `requests` is dropped.
    pub fn spawn(parts: Parts) -> OfficeHandle {
        let settings = settings(&parts.config.borrow());
        let registry = Registry::new();
        let draining = Arc::new(AtomicBool::new(false));
        let (ordered, orders) = mpsc::channel(ORDERS);
        let handle = OfficeHandle {
            registry: registry.clone(),
            draining: Arc::clone(&draining),
            orders: ordered,
        };
        let Parts { config, services, requests, elsewhere, applications, pins, ids } = parts;
        let router = Arc::new(Router { services: Arc::clone(&services), applications, pins });
        let office = Self {
            config,
            services,
            requests,
            elsewhere,
            router,
            settings,
            registry,
            draining,
            ids,
            noise: Noise::new(),
            orders,
        };
        tokio::spawn(office.run());
        handle
    }

    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                new = self.requests.recv() => match new {
                    Some(new) => self.take(new),
                    None => break,
                },
                Some(order) = self.orders.recv() => self.create(order),
            }
        }
    }

    fn take(&mut self, new: NewRequest) {
        if new.request.method == Method::Invite {
            return self.invite(new);
        }
        let Some(new) = (self.elsewhere)(new) else { return };
        let status = match new.request.method {
            // RFC 3261 §8.2.1, and §12.2.2 for what belongs to a dialog that is gone.
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => {
                StatusCode::CALL_DOES_NOT_EXIST
            }
            Method::Other(_) => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let mut response = Response::to_request(&new.request, status, None);
        let allow: Vec<&str> = self.settings.phones.allow.iter().map(Method::as_str).collect();
        response.headers.push(HeaderName::Allow, allow.join(", "));
        self.services.sip.respond_once(new.tx, response);
    }

    /// Somebody calls.
    fn invite(&mut self, new: NewRequest) {
        self.refresh();
        // RFC 3261 §16.3: nothing goes on when its hops are used up.
        if call::hops_left(&new.request) == 0 {
            let response = Response::to_request(&new.request, StatusCode::TOO_MANY_HOPS, None);
            return self.services.sip.respond_once(new.tx, response);
        }
        let phonebook = Arc::clone(&self.services.phonebook);
        let (source, account) = match phonebook.admit(&new.request, &new.flow) {
            // RFC 3261 §26.3.2.4: who is not known yet costs us neither memory nor
            // retransmissions, which would go to whomever a forger names.
            Admission::Answer(response) => {
                return self.services.sip.respond_once(new.tx, response);
            }
            Admission::Phone(account) => {
                self.services.sip.prove(new.tx);
                (Source::Phone(account.number.clone()), Some(account))
            }
            Admission::Trunk(name) => (Source::Trunk(name), None),
        };
        if new.request.headers.has(&HeaderName::Replaces) {
            return self.refuse_replaces(&new);
        }
        let name = account.as_ref().map(|a| a.name.as_str()).filter(|name| !name.is_empty());
        let caller = Caller::of(&new.request, source, name);
        let caller = caller.from_cloud(&new.request, &self.settings.config);
        let dialled = call::identity::dialled(&user_of(&new.request.uri), |number| {
            phonebook.account(number).is_some()
        });
        let plan = self.router.plan(&self.settings.config, &caller.source, &caller, &dialled);
        // An emergency call is never turned away by a limit of ours.
        let full = self.registry.count() >= self.settings.config.sip.max_calls;
        if !plan.emergency && (full || self.draining.load(Ordering::Relaxed)) {
            let why = if full { failure::OFFICE_FULL } else { failure::DRAINING };
            return self.turn_away(&new, why);
        }
        let mut slot = match &caller.source {
            Source::Trunk(name) => phonebook.slot(name),
            Source::Phone(_) | Source::Application(_) => None,
        };
        if slot.as_mut().is_some_and(|slot| !slot.take()) {
            return self.turn_away(&new, failure::TRUNK_OVERLOADED);
        }
        self.start(Begins::Invite(Box::new(new)), caller, dialled, plan, slot);
    }

    /// Gives the call's id.
    fn start(
        &mut self,
        begins: Begins,
        caller: Caller,
        dialled: String,
        plan: Plan,
        slot: Option<CallSlot>,
    ) -> String {
        let id = call::guid(&mut self.ids);
        let (control, orders) = mpsc::channel(ORDERS);
        let live = LiveCall {
            id: id.clone(),
            source: caller.source.label(),
            from: caller.number.clone(),
            original_caller: caller.original.clone(),
            to: dialled.clone(),
            started: SystemTime::now(),
        };
        tracing::info!(
            call = %id,
            source = %live.source,
            from = %mask(&live.from),
            to = %mask(&dialled),
            "call"
        );
        let label = plan.destination.as_deref().unwrap_or(plan.app.name());
        let entry = self.registry.enter(live, application_id(label), control);
        let asked_for = dialled == self.settings.config.conference.factory;
        let focus = plan
            .focus
            .then(|| if asked_for { crate::rooms::room_of(&id) } else { dialled.clone() });
        let new = NewCall {
            id: id.clone(),
            caller,
            dialled,
            destination: plan.destination,
            app: plan.app,
            emergency: plan.emergency,
            focus,
            order: plan.order,
            failure: plan.failure,
            begins,
            slot,
        };
        let house = call::House {
            services: Arc::clone(&self.services),
            settings: Arc::clone(&self.settings),
            router: Arc::clone(&self.router),
            ids: self.ids.fork(),
        };
        call::spawn(new, house, entry, orders);
        id
    }

    /// A call that wants to take the place of another (RFC 3891) is not taken: phones put calls
    /// through with REFER here. To ring somebody for it instead would be a surprise, so it is told
    /// in the words for a dialog that is not there (§3).
    fn refuse_replaces(&mut self, new: &NewRequest) {
        let mut response = self.plain(&new.request, StatusCode::CALL_DOES_NOT_EXIST);
        let text = "399 offhook \"Replaces is not taken; put calls through with REFER\"";
        response.headers.push(HeaderName::Warning, text);
        self.services.sip.respond(new.tx, response);
    }

    fn turn_away(&mut self, new: &NewRequest, why: &'static Failure) {
        self.registry.note_outcome("refused", why.code);
        note_turned_away(&mut self.noise, why, new.flow.remote);
        let status = StatusCode::new(why.sip_status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = self.plain(&new.request, status);
        response.headers.push(HeaderName::RetryAfter, RETRY_AFTER);
        self.services.sip.respond(new.tx, response);
    }

    /// A response with a To tag (RFC 3261 §8.2.6.2).
    fn plain(&mut self, request: &Request, status: StatusCode) -> Response {
        let mut response = Response::to_request(request, status, None);
        response.ensure_to_tag(&self.ids.tag());
        response
    }

    /// Takes up a new configuration.
    fn refresh(&mut self) {
        let config = self.config.borrow();
        if !Arc::ptr_eq(&config, &self.settings.config) {
            self.settings = settings(&config);
        }
    }
}

/// A line in the journal; who calls again and again while we are full must not fill that too.
fn note_turned_away(noise: &mut Noise, why: &Failure, source: SocketAddr) {
    if let Some(skipped) = noise.worth_a_line(source.ip()) {
        tracing::warn!(code = why.code, %source, skipped, "a call was turned away");
    }
}

/// The user part of what was dialled, or the number of a `tel` URI.
pub(crate) fn user_of(uri: &Uri) -> String {
    match uri {
        Uri::Tel(tel) => tel.number.to_string(),
        uri => uri.user_decoded().map(std::borrow::Cow::into_owned).unwrap_or_default(),
    }
}

/// What calls derive from a configuration.
pub(crate) fn settings(config: &Arc<Config>) -> Arc<Settings> {
    let sip = &config.sip;
    let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    let trunks = SessionConfig {
        supported: vec!["100rel".into(), "timer".into()],
        session_expires: sip.session_expires.map(seconds),
        min_se: seconds(sip.min_se).max(90),
        reliable_provisionals: if sip.reliable_provisional {
            ReliableProvisionals::IfOffered
        } else {
            ReliableProvisionals::Never
        },
        user_agent: Some(config.server.user_agent.as_str().into()),
        t1: sip.t1,
        t2: sip.t2,
        max_forwards: MAX_FORWARDS,
        ..SessionConfig::default()
    };
    let challenged = SessionConfig { answers_challenges: true, ..trunks.clone() };
    let phones = SessionConfig {
        supported: vec!["100rel".into(), "timer".into(), "replaces".into()],
        ..trunks.clone()
    };
    Arc::new(Settings {
        config: Arc::clone(config),
        phones: Arc::new(phones),
        trunks: Arc::new(trunks),
        challenged: Arc::new(challenged),
    })
}

//! REGISTER: judged, ordered, kept, and only then answered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use offhook_sip::flow::Flow;
use offhook_sip::header::HeaderName;
use offhook_sip::message::{Request, Response, StatusCode};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::auth::{Authenticator, Verdict};
use super::bindings::{Contact, Table};
use super::config::RegistrarConfig;
use super::keeping::{MAX_BATCH, Unkept, unavailable, write};
use super::request::{self, Register};
use crate::keep::{Binding, BindingChange, Bindings, Extension, KeepError};
use crate::metrics::Metrics;
use crate::stack::{NewRequest, ServerTx, SipHandle};
use crate::transport::wire::Wire;

/// Answers that may wait for the store.
const MAX_PENDING: usize = 8_192;

/// An extension's contacts changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationChange {
    /// A contact was added or refreshed.
    Registered {
        /// Extension number.
        aor: String,
        /// Whether the phone began anew (a Call-ID not seen before) and does not just refresh.
        fresh: bool,
    },
    /// The last contact went.
    Unregistered {
        /// Extension number.
        aor: String,
    },
}

/// The registrar. Cheap to clone.
#[derive(Clone)]
pub struct Registrar(Arc<Inner>);

pub(super) struct Inner {
    config: Mutex<Arc<RegistrarConfig>>,
    pub(super) keep: Arc<dyn Bindings>,
    auth: Authenticator,
    sip: SipHandle,
    wire: Arc<dyn Wire>,
    pub(super) metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// The next expiry is earlier than it was.
    earlier: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct State {
    table: Table,
    pub(super) pending: VecDeque<Pending>,
    pub(super) unkept: Unkept,
    /// Lives as long as the task that writes: however that ends, the next change begins a new one.
    writer: Weak<Writer>,
    listeners: Vec<mpsc::Sender<RegistrationChange>>,
}

/// The right to write, of which there is one at a time.
pub(super) struct Writer;

/// An answer that waits for the store.
pub(super) struct Pending {
    pub(super) changes: Vec<BindingChange>,
    pub(super) answer: Option<(ServerTx, Request, Response)>,
}

impl Pending {
    /// Nothing new: what could not be kept is tried again.
    pub(super) fn again() -> Self {
        Self { changes: Vec::new(), answer: None }
    }
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registrar").finish_non_exhaustive()
    }
}

impl Registrar {
    /// Without contacts; starts the one task that sees to expiry, on the current runtime.
    pub fn new(
        config: RegistrarConfig,
        keep: Arc<dyn Bindings>,
        auth: Authenticator,
        sip: SipHandle,
        wire: Arc<dyn Wire>,
        metrics: Arc<Metrics>,
    ) -> Self {
        auth.offer(config.hashes.clone());
        let inner = Arc::new(Inner {
            config: Mutex::new(Arc::new(config)),
            keep,
            auth,
            sip,
            wire,
            metrics,
            state: Mutex::default(),
            earlier: Arc::default(),
        });
        tokio::spawn(expire(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Takes up the contacts of before a restart. Before the first request.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn load(&self) -> Result<usize, KeepError> {
        let bindings = self.0.keep.load_bindings().await?;
        let wall = SystemTime::now();
        let longest = self.0.config().max_expires;
        let mut state = self.0.state();
        for mut binding in bindings {
            if let Ok(left) = binding.expires.duration_since(wall) {
                // A clock that was ahead, or now stands in the past, makes nothing last for years.
                let left = left.min(longest);
                binding.expires = wall + left;
                self.0.auth.phone_came(binding.received);
                state.table.restore(binding, left);
            }
        }
        self.0.metrics.bindings.set(state.table.len() as u64);
        self.0.earlier.notify_one();
        Ok(state.table.len())
    }

    /// New limits, by a reload.
    pub fn set_config(&self, config: RegistrarConfig) {
        self.0.auth.offer(config.hashes.clone());
        *self.0.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Hears of changes from now on. What does not fit the channel is lost.
    pub fn listen(&self, capacity: usize) -> mpsc::Receiver<RegistrationChange> {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        self.0.state().listeners.push(sender);
        receiver
    }

    /// Where an extension can be reached, newest first. Empty: it is not registered.
    pub fn lookup(&self, aor: &str) -> Vec<Contact> {
        let wire = &self.0.wire;
        self.0.state().table.lookup(aor, |flow| wire.is_alive(flow))
    }

    /// All contacts, for the command line.
    pub fn list(&self) -> Vec<Binding> {
        self.0.state().table.all()
    }

    /// Forgets all contacts of an extension (its account is removed).
    pub fn forget(&self, aor: &str) {
        let mut state = self.0.state();
        let changes = state.table.remove_all(aor);
        if !changes.is_empty() {
            for left in state.table.take_left() {
                self.0.auth.phone_left(left);
            }
            self.0.metrics.bindings.set(state.table.len() as u64);
            self.0.tell(&mut state, &RegistrationChange::Unregistered { aor: aor.into() });
            self.0.enqueue(state, Pending { changes, answer: None });
        }
    }

    /// Handles a REGISTER to its answer. Never waits.
    pub fn handle(&self, new: NewRequest) {
        let NewRequest { tx, request, flow } = new;
        let extension = match self.0.identify(&request, &flow) {
            Ok(extension) => extension,
            Err(response) => return self.0.answer_once(tx, *response),
        };
        match self.0.judge(&request, &flow, &extension) {
            Ok(register) => self.0.register(tx, request, flow, register),
            Err(response) => self.0.answer(tx, *response),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Wakes the task of expiry, which then finds nobody.
        self.earlier.notify_one();
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> Arc<RegistrarConfig> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn answer(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.config().server.as_str());
        self.sip.respond(tx, response);
    }

    /// To somebody who has not shown who he is.
    fn answer_once(&self, tx: ServerTx, mut response: Response) {
        response.headers.set(HeaderName::Server, self.config().server.as_str());
        self.sip.respond_once(tx, response);
    }

    /// §10.3 step 3: who it is comes before what it asks for.
    fn identify(&self, request: &Request, flow: &Flow) -> Result<Arc<Extension>, Box<Response>> {
        match self.auth.phone(request, flow) {
            Verdict::Extension(extension) => Ok(extension),
            Verdict::Challenge(response) | Verdict::Refuse(response) => Err(Box::new(response)),
            Verdict::Trunk(_) => {
                Err(Box::new(Response::to_request(request, StatusCode::FORBIDDEN, None)))
            }
        }
    }

    /// §10.3 steps 4 and 5.
    fn judge(
        &self,
        request: &Request,
        flow: &Flow,
        extension: &Extension,
    ) -> Result<Register, Box<Response>> {
        let register = request::read(request, &self.config())?;
        request::check_path(request, flow)?;
        if register.aor != extension.number {
            // §10.3 step 4: nobody registers for somebody else.
            return Err(Box::new(Response::to_request(request, StatusCode::FORBIDDEN, None)));
        }
        Ok(register)
    }

    fn register(self: &Arc<Self>, tx: ServerTx, request: Request, flow: Flow, register: Register) {
        let config = self.config();
        let mut state = self.state();
        if state.pending.len() >= MAX_PENDING {
            drop(state);
            self.metrics.sip_overloaded.inc();
            return self.answer(tx, unavailable(&request));
        }
        let known = state.table.knows(&register.aor, &register.call_id);
        let next = state.table.next_expiry();
        let Some(changes) = register.apply(&mut state.table, &flow, config.max_contacts) else {
            drop(state);
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            let reason = Some("CSeq out of order");
            return self.answer(tx, Response::to_request(&request, status, reason));
        };
        self.note_sources(&changes, flow.remote, &mut state.table);
        let response = self.ok(&request, &register, &state.table);
        let after = state.table.count(&register.aor);
        self.metrics.bindings.set(state.table.len() as u64);
        if state.table.next_expiry() < next || next.is_none() {
            self.earlier.notify_one();
        }
        if changes.is_empty() {
            drop(state);
            return self.answer(tx, response);
        }
        let aor = register.aor;
        let change = if after == 0 {
            RegistrationChange::Unregistered { aor }
        } else {
            RegistrationChange::Registered { aor, fresh: !known }
        };
        self.tell(&mut state, &change);
        self.enqueue(state, Pending { changes, answer: Some((tx, request, response)) });
    }

    fn note_sources(&self, changes: &[BindingChange], source: SocketAddr, table: &mut Table) {
        for left in table.take_left() {
            self.auth.phone_left(left);
        }
        let added = changes.iter().any(|c| matches!(c, BindingChange::Put(_)));
        if added {
            self.auth.phone_came(source);
        }
    }

    /// §10.3 step 8: all contacts that are bound now, with what is left of each.
    fn ok(&self, request: &Request, register: &Register, table: &Table) -> Response {
        let mut response = Response::to_request(request, StatusCode::OK, None);
        for (contact, left) in table.listed(&register.aor, Instant::now()) {
            response.headers.push(HeaderName::Contact, format!("<{contact}>;expires={left}"));
        }
        for path in &register.path {
            response.headers.push(HeaderName::Path, path.as_str());
        }
        response
    }

    fn tell(&self, state: &mut State, change: &RegistrationChange) {
        use mpsc::error::TrySendError;
        state.listeners.retain(|listener| {
            !matches!(listener.try_send(change.clone()), Err(TrySendError::Closed(_)))
        });
    }

    /// Leaves changes for the store. One write is under way at a time and takes all that has
    /// gathered, so that a storm of registrations shares its disk syncs.
    pub(super) fn enqueue(self: &Arc<Self>, mut state: MutexGuard<'_, State>, pending: Pending) {
        state.pending.push_back(pending);
        if state.writer.strong_count() == 0 {
            let writer = Arc::new(Writer);
            state.writer = Arc::downgrade(&writer);
            tokio::spawn(write(Arc::clone(self), writer));
        }
    }

    /// The next batch, or the end of writing: then a later change has a writer of its own.
    pub(super) fn gather(&self) -> Vec<Pending> {
        let mut state = self.state();
        let mut batch = Vec::new();
        let mut count = 0;
        while count < MAX_BATCH
            && let Some(pending) = state.pending.pop_front()
        {
            count += pending.changes.len();
            batch.push(pending);
        }
        if batch.is_empty() {
            state.writer = Weak::new();
        }
        batch
    }
}

/// Takes out what expires, when it does. Ends with the registrar.
async fn expire(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let next = strong.state().table.next_expiry();
        let earlier = Arc::clone(&strong.earlier);
        // Asleep it holds nothing, so that the registrar can end.
        drop(strong);
        let sleep = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = earlier.notified() => continue,
        }
        let Some(strong) = inner.upgrade() else { return };
        let mut state = strong.state();
        let gone = state.table.expire(Instant::now());
        strong.metrics.bindings.set(state.table.len() as u64);
        if gone.is_empty() {
            continue;
        }
        for left in state.table.take_left() {
            strong.auth.phone_left(left);
        }
        for binding in &gone {
            if state.table.count(&binding.aor) == 0 {
                let aor = binding.aor.clone();
                strong.tell(&mut state, &RegistrationChange::Unregistered { aor });
            }
        }
        let remove = |b: Binding| BindingChange::Remove { aor: b.aor, contact: b.contact };
        let changes = gone.into_iter().map(remove).collect();
        strong.enqueue(state, Pending { changes, answer: None });
    }
}

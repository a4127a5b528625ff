//! Applications that are not built in: workflows that run on this box, functions of AWS Lambda,
//! webhooks. Wiring of `offhook-flows` and `offhook-chime` with calls; nothing here decides about
//! one.

mod connections;
mod directory;
mod engine;
mod functions;
mod handlers;
mod office;
pub mod published;
mod remote;
mod rules;
mod schedules;
mod shipped;
mod upstream;
mod workflow;

use std::sync::{Arc, OnceLock, Weak};

use jiff::Timestamp;
use offhook_chime::http_task::HttpTasks;
use offhook_chime::lex::Lex;
use offhook_chime::sdk::Sdk;
use offhook_config::{Config, Dnis, Target};
use offhook_dnis::DnisPool;
use offhook_flows::{Router, Runtime};
use offhook_pbx::app::{AppError, Application, Voicemail};
use offhook_pbx::bots::Bots;
use offhook_pbx::metrics::Metrics;
use offhook_pbx::office::{self as pbx, OfficeHandle, Opening};
use offhook_pbx::pin::Guard;
use offhook_sma::Rules;
use offhook_sma::reply::{Reply, ReplyError};
use offhook_store::Store;
use offhook_store::buckets::Buckets;
use serde_json::Value;
use tokio::sync::watch;

pub use self::directory::ById;
use self::engine::Engine;
use self::handlers::Handlers;
pub use self::handlers::Kept;
pub(crate) use self::handlers::aws_config;
pub use self::office::context;
use self::remote::Remote;
use self::workflow::Workflow;
use crate::bots::LexBots;
use crate::take_back::pool::{Coming, Lasting, Leases, Noting, monotonic_clock, system_sleep};
use crate::take_back::{call, pairs};

/// All of them.
pub struct Applications {
    config: watch::Receiver<Arc<Config>>,
    store: Store,
    buckets: Buckets,
    pins: Arc<Guard>,
    handlers: Handlers,
    /// Calls are there a moment after applications are.
    office: OnceLock<OfficeHandle>,
    flows: OnceLock<Router>,
    engine: OnceLock<Engine>,
    /// What `flow:take-back` runs, when it is Offhook's own.
    take_back: OnceLock<Arc<call::Running>>,
    /// The pairs that its calls have.
    leases: Arc<Leases>,
    metrics: Arc<Metrics>,
    /// Whether workflows run, or will not.
    started: watch::Sender<bool>,
    me: Weak<Self>,
}

impl Applications {
    /// Nothing runs yet.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        store: Store,
        buckets: Buckets,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            config,
            store,
            buckets,
            pins: Arc::default(),
            handlers: Handlers::default(),
            office: OnceLock::new(),
            flows: OnceLock::new(),
            engine: OnceLock::new(),
            take_back: OnceLock::new(),
            metrics,
            leases: Arc::new(Leases::new(monotonic_clock())),
            started: watch::Sender::new(false),
            me: me.clone(),
        })
    }

    /// Workflows run from now on; those that a restart interrupted go on. Calls that come before
    /// that wait for it.
    pub async fn start(self: Arc<Self>) {
        if let Err(error) = self.begin().await {
            tracing::error!(error, "no workflow runs");
        }
        self.started.send_replace(true);
    }

    async fn begin(self: &Arc<Self>) -> Result<(), String> {
        let config = self.config();
        // Not while a call waits for it, nor on the thread of calls.
        let (me, of) = (Arc::clone(self), Arc::clone(&config));
        let prepared = tokio::task::spawn_blocking(move || me.prepare(&of)).await;
        self.take_up(prepared.map_err(|error| error.to_string())?);
        let engine = engine::start(&config, &self.store, self).await?;
        let calls = Arc::downgrade(self);
        let wake = Arc::new(move |transaction: &str| {
            let Some(office) = calls.upgrade().and_then(|a| a.office().cloned()) else { return };
            let argument = (offhook_flows::router::WAKE_ARGUMENT.to_owned(), String::new());
            // A call that is over needs no message.
            let _ = office.update_call(transaction, [argument].into());
        });
        let _ = self.flows.set(Router::new(engine.runtime.clone()).with_wake(wake));
        let _ = self.engine.set(engine);
        self.tell_of_missing().await;
        Ok(())
    }

    /// Whether what runs workflows is there, when it once was.
    pub fn is_well(&self) -> bool {
        self.runtime().is_none_or(Runtime::is_well)
    }

    /// Tells the journal of numbers that lead to no workflow.
    pub async fn tell_of_missing(&self) {
        let Some(versions) = self.runtime().map(Runtime::versions) else { return };
        match published::missing(&self.config(), versions).await {
            Ok(missing) => missing.iter().for_each(|words| tracing::warn!("{words}")),
            Err(error) => tracing::error!(%error, "published workflows cannot be read"),
        }
    }

    /// A workflow was published.
    pub async fn published(&self) {
        if let Some(engine) = self.engine.get() {
            engine.learn().await;
        }
    }

    /// Keeps the pairs of `[dnis]`, and runs calls by them, until the process ends. Until the pairs
    /// are there, calls go as when none is free.
    pub async fn keep_pairs(self: Arc<Self>) {
        let config = self.config();
        if !config.has_take_back() {
            return;
        }
        let dnis = config.dnis.clone();
        let coming = Arc::new(Coming::default());
        let lasting = Lasting::new(Arc::clone(&coming) as _, dnis.lease, system_sleep());
        let running = Arc::new(call::Running::new(
            pairs::rules(&config),
            Arc::new(lasting),
            Arc::clone(&self.metrics),
        ));
        let _ = self.take_back.set(Arc::clone(&running));
        if dnis.our_numbers.is_empty() {
            return;
        }
        let pool: Arc<dyn DnisPool> =
            Arc::new(Noting::new(self.open_pairs(&dnis).await, self.leases()));
        coming.arrive(Arc::clone(&pool));
        pairs::look_after(pool, &running).await;
    }

    async fn open_pairs(&self, dnis: &Dnis) -> Arc<dyn DnisPool> {
        let mut pause = None;
        loop {
            let (sdk, trust) = (|| self.sdk(), || self.handlers.trust());
            let next = match pairs::open(dnis, &self.store, sdk, trust).await {
                Ok(pool) => {
                    if pause.is_some() {
                        tracing::info!("the pairs of [dnis] are there");
                    }
                    return pool;
                }
                Err(error) => {
                    // Once, and not at each attempt.
                    if pause.is_none() {
                        tracing::error!(error, "the pairs of [dnis] are not there");
                    }
                    pairs::next_pause(pause)
                }
            };
            pause = Some(next);
            tokio::time::sleep(next).await;
        }
    }

    /// The pairs that calls of this box have.
    pub fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.leases)
    }

    fn take_back(&self, mailbox: Option<Voicemail>) -> Result<call::Call, String> {
        let running = self.take_back.get().ok_or("[take_back] and [dnis] need a restart")?;
        Ok(call::Call::new(Arc::clone(running), mailbox))
    }

    /// Calls can be begun and told something from now on.
    pub fn connect(&self, office: OfficeHandle) {
        let _ = self.office.set(office);
    }

    /// Reads and makes what a configuration needs to have calls run elsewhere; may wait for a disk.
    pub fn prepare(&self, config: &Config) -> Kept {
        self.handlers.prepare(config)
    }

    /// Calls that begin from now on use what was prepared.
    pub fn take_up(&self, kept: Kept) {
        self.handlers.take_up(kept);
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    fn store(&self) -> &Store {
        &self.store
    }

    /// Counts wrong PINs.
    pub fn pins(&self) -> Arc<Guard> {
        Arc::clone(&self.pins)
    }

    fn office(&self) -> Option<&OfficeHandle> {
        self.office.get()
    }

    /// Where workflows run, once they do.
    pub fn runtime(&self) -> Option<&Runtime> {
        self.flows.get().map(Router::runtime)
    }

    /// AWS, with the keys of the configuration.
    pub fn sdk(&self) -> Result<Sdk, String> {
        Ok(Sdk::new(self.handlers.aws(&self.config().aws)?))
    }

    /// Bots of Amazon Lex, with the keys of the configuration in force when they are asked for.
    pub fn bots(&self) -> Arc<dyn Bots> {
        let me = self.me.clone();
        Arc::new(LexBots::new(move || {
            let applications = me.upgrade().ok_or("the appliance goes")?;
            let aws = applications.config().aws.clone();
            Ok(Lex::new(applications.handlers.aws(&aws)?))
        }))
    }

    /// The region that AWS is asked in.
    pub fn region(&self) -> String {
        self.config().aws.region.clone()
    }

    /// The pairs of `[dnis]`, when there are any.
    pub fn pairs(&self) -> Option<Arc<dyn DnisPool>> {
        self.take_back.get().map(|running| Arc::clone(running.pool()))
    }

    fn http_tasks(&self) -> Result<HttpTasks, String> {
        self.handlers.http_tasks()
    }

    /// Where workflows run, when they do.
    async fn flows(&self) -> Option<&Router> {
        // The sender is ours: it cannot be gone.
        let _ = self.started.subscribe().wait_for(|started| *started).await;
        self.flows.get()
    }

    fn workflow(&self, opening: &Opening<'_>, name: &str) -> Result<Workflow, String> {
        let machine = published::machine_of(name)
            .ok_or_else(|| format!("{name} is no name of a workflow"))?;
        let context = office::context(opening.config, opening.caller, Timestamp::now());
        let applications = self.me.upgrade().ok_or("the appliance goes")?;
        Ok(Workflow::new(applications, machine, context))
    }
}

impl pbx::Applications for Applications {
    fn open(&self, opening: &Opening<'_>) -> Option<Box<dyn Application>> {
        let (config, target) = (opening.config, opening.target);
        let remote = |handler| Box::new(Remote::new(handler)) as Box<dyn Application>;
        let opened = match target {
            // A workflow of this name is the operator's own, unless he has configured [take_back] or [dnis].
            Target::Flow(name) if name == pairs::FLOW && config.has_take_back() => {
                let mailbox = config.dnis.voicemail.as_deref().and_then(opening.mailbox);
                self.take_back(mailbox).map(|call| Box::new(call) as _)
            }
            Target::Flow(name) => self.workflow(opening, name).map(|flow| Box::new(flow) as _),
            Target::Lambda(name) => self.handlers.lambda(config, name).map(remote),
            Target::Webhook(name) => self.handlers.webhook(config, name).map(remote),
            _ => return None,
        };
        opened
            .inspect_err(|error| tracing::error!(%target, error, "an application cannot run"))
            .ok()
    }

    fn rules(&self) -> Rules {
        rules::of(&self.config.borrow().application_rules)
    }
}

/// Files of this machine are for what is part of it: a reply from elsewhere names buckets.
fn without_files(reply: Reply) -> Result<Reply, AppError> {
    let named = |value: &Value| {
        let kind = value.get("Type").and_then(Value::as_str);
        matches!(kind, Some("File" | "Folder")) && value.get("Path").is_some()
    };
    let actions = serde_json::to_value(&reply.actions).unwrap_or_default();
    if holds(&actions, &named) {
        let words = "a file of this machine is named: put it into a bucket".to_owned();
        return Err(AppError::Invalid(ReplyError::Unreadable(words)));
    }
    Ok(reply)
}

/// Whether this is so of a value or of one inside it.
fn holds(value: &Value, so: &impl Fn(&Value) -> bool) -> bool {
    so(value)
        || match value {
            Value::Array(list) => list.iter().any(|inner| holds(inner, so)),
            Value::Object(members) => members.values().any(|inner| holds(inner, so)),
            _ => false,
        }
}

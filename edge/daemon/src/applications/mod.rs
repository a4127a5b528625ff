//! Applications that are not built in: workflows that run on this box, functions of AWS Lambda,
//! webhooks. Wiring of `offhook-flows` and `offhook-chime` with calls; nothing here decides about
//! one.

mod connections;
mod directory;
mod engine;
mod functions;
mod office;
mod remote;
mod rules;
mod schedules;
mod shipped;
mod upstream;
mod workflow;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use jiff::Timestamp;
use offhook_chime::credentials::{Environment, Source as KeySource};
use offhook_chime::handler::{Handler, LambdaHandler};
use offhook_chime::http_task::HttpTasks;
use offhook_chime::lambda::{FunctionName, Lambda};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::webhook::Webhook;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_config::{Config, Target};
use offhook_flows::{MachineRef, Router, Runtime};
use offhook_pbx::app::{AppError, Application};
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
pub use self::office::context;
use self::remote::Remote;
use self::workflow::Workflow;

/// All of them.
pub struct Applications {
    config: watch::Receiver<Arc<Config>>,
    store: Store,
    buckets: Buckets,
    pins: Arc<Guard>,
    /// Made when it is first asked for: reading the system's certificates takes its time.
    trust: OnceLock<Result<Trust, String>>,
    /// The way to AWS, as long as `[aws]` is the same: it remembers keys and connections.
    aws: Mutex<Option<(offhook_config::Aws, Aws)>>,
    /// The same for the connections of HTTP tasks and their tokens.
    http: Mutex<Option<connections::Kept>>,
    /// Calls are there a moment after applications are.
    office: OnceLock<OfficeHandle>,
    flows: OnceLock<Router>,
    engine: OnceLock<Engine>,
    /// Whether workflows run, or will not.
    started: watch::Sender<bool>,
    me: Weak<Self>,
}

impl Applications {
    /// Nothing runs yet.
    pub fn new(config: watch::Receiver<Arc<Config>>, store: Store, buckets: Buckets) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            config,
            store,
            buckets,
            pins: Arc::default(),
            trust: OnceLock::new(),
            aws: Mutex::default(),
            http: Mutex::default(),
            office: OnceLock::new(),
            flows: OnceLock::new(),
            engine: OnceLock::new(),
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
        if !(config.lambdas.is_empty() && config.webhooks.is_empty()) {
            // Not while a call waits for it.
            self.trust().inspect_err(|error| tracing::error!(error, "no certificates")).ok();
        }
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
        Ok(())
    }

    /// Whether what runs workflows is there, when it once was.
    pub fn is_well(&self) -> bool {
        self.runtime().is_none_or(Runtime::is_well)
    }

    /// A workflow was published.
    pub async fn published(&self) {
        if let Some(engine) = self.engine.get() {
            engine.learn().await;
        }
    }

    /// Calls can be begun and told something from now on.
    pub fn connect(&self, office: OfficeHandle) {
        let _ = self.office.set(office);
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

    fn trust(&self) -> Result<Trust, String> {
        self.trust.get_or_init(Trust::system).clone()
    }

    fn aws(&self, config: &offhook_config::Aws) -> Result<Aws, String> {
        let mut kept = self.aws.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, aws)) = &*kept
            && of == config
        {
            return Ok(aws.clone());
        }
        let aws = Aws::new(aws_config(config), self.trust()?, Environment::of_process())?;
        *kept = Some((config.clone(), aws.clone()));
        Ok(aws)
    }

    fn sdk(&self) -> Result<Sdk, String> {
        Ok(Sdk::new(self.aws(&self.config().aws)?))
    }

    fn http_tasks(&self) -> Result<HttpTasks, String> {
        let config = self.config();
        let mut kept = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tasks) = kept.as_ref().and_then(|kept| kept.still(&config)) {
            return Ok(tasks);
        }
        let made = connections::Kept::new(&config, &self.trust()?)?;
        let tasks = made.still(&config).ok_or("the configuration changes")?;
        *kept = Some(made);
        Ok(tasks)
    }

    /// A function of `[[lambda]]`, or one by its ARN.
    fn lambda(&self, config: &Config, name: &str) -> Result<Arc<dyn Handler>, String> {
        let (function, qualifier, endpoint) = match config.lambda(name) {
            Some(lambda) => (&*lambda.function, lambda.qualifier.as_deref(), &lambda.endpoint),
            None => (name, None, &None),
        };
        let function = FunctionName::parse(function)?.at(qualifier);
        let aws = match endpoint {
            None => self.aws(&config.aws)?,
            Some(endpoint) => {
                let of =
                    offhook_config::Aws { endpoint: Some(endpoint.clone()), ..config.aws.clone() };
                Aws::new(aws_config(&of), self.trust()?, Environment::of_process())?
            }
        };
        Ok(Arc::new(LambdaHandler::new(Lambda::new(aws), function)))
    }

    fn webhook(&self, config: &Config, name: &str) -> Result<Arc<dyn Handler>, String> {
        let webhook = config.webhook(name).ok_or_else(|| format!("there is no webhook {name}"))?;
        let trust = match &webhook.ca_file {
            Some(file) => Trust::with_file(file)?,
            None => self.trust()?,
        };
        Ok(Arc::new(Webhook::new(&webhook.url, webhook.secret.expose(), trust)?))
    }

    /// Where workflows run, when they do.
    async fn flows(&self) -> Option<&Router> {
        // The sender is ours: it cannot be gone.
        let _ = self.started.subscribe().wait_for(|started| *started).await;
        self.flows.get()
    }

    fn workflow(&self, opening: &Opening<'_>, name: &str) -> Result<Workflow, String> {
        // The `:` of a version is written `@` in a target as well.
        let machine = MachineRef::parse(&name.replace('@', ":"));
        let machine = machine.ok_or_else(|| format!("{name} is no name of a workflow"))?;
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
            Target::Flow(name) => self.workflow(opening, name).map(|flow| Box::new(flow) as _),
            Target::Lambda(name) => self.lambda(config, name).map(remote),
            Target::Webhook(name) => self.webhook(config, name).map(remote),
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

fn aws_config(aws: &offhook_config::Aws) -> AwsConfig {
    let credentials = match (&aws.keys, &aws.profile) {
        (Some(keys), _) => KeySource::Fixed(Credentials {
            session_token: keys.session.as_ref().map(|token| token.expose().to_owned()),
            ..Credentials::new(&*keys.id, keys.secret.expose())
        }),
        (None, Some(profile)) => KeySource::Profile { name: Some(profile.clone()), file: None },
        (None, None) => KeySource::Chain,
    };
    AwsConfig {
        region: aws.region.clone(),
        credentials,
        endpoint: aws.endpoint.clone(),
        ..AwsConfig::default()
    }
}

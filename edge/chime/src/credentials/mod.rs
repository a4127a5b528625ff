//! Where access keys come from, and when they are fetched again.

mod file;
mod metadata;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::https::Client;
use crate::sigv4::Credentials;

/// Keys that end are fetched again so long before.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_mins(5);
/// What is read from a file or the environment is read again after this: somebody may write it.
const REREAD: Duration = Duration::from_secs(60);
/// Whoever had none is not asked again for so long: an office server has no metadata service, and
/// each question would wait for it.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Where from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// These.
    Fixed(Credentials),
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of the shared files.
    Profile {
        /// Its name; `None`: `AWS_PROFILE`, or `default`.
        name: Option<String>,
        /// The credentials file; `None`: `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`.
        file: Option<PathBuf>,
    },
    /// The metadata service of a container (ECS, EKS Pod Identity).
    Container,
    /// The metadata service of an EC2 instance, version 2.
    Instance,
    /// The first that has some: environment, profile, container, instance.
    #[default]
    Chain,
}

/// The environment that is looked into.
#[derive(Clone)]
pub struct Environment(Arc<Look>);

/// Gives a variable.
type Look = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn of_process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    /// One that is made up.
    #[must_use]
    pub fn of(variables: HashMap<String, String>) -> Self {
        Self(Arc::new(move |name| variables.get(name).cloned()))
    }

    /// A variable that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Why there are no credentials, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no AWS credentials: {0}")]
pub struct CredentialsError(pub(crate) String);

/// Keys, and until when they are good.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    credentials: Credentials,
    /// `None`: until they are removed.
    end: Option<Timestamp>,
}

impl Lease {
    fn endless(credentials: Credentials) -> Self {
        Self { credentials, end: None }
    }
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// What was said last time, and when to ask again.
    failed: Option<(CredentialsError, Instant)>,
}

/// Gives credentials, and fetches them again before they end.
#[derive(Debug, Clone)]
pub struct Provider {
    source: Source,
    environment: Environment,
    http: Client,
    state: Arc<Mutex<State>>,
}

impl Provider {
    pub(crate) fn new(source: Source, environment: Environment, http: Client) -> Self {
        Self { source, environment, http, state: Arc::default() }
    }

    /// Credentials that are good now.
    ///
    /// # Errors
    /// None could be had, from anywhere.
    pub(crate) async fn get(&self, now: Timestamp) -> Result<Credentials, CredentialsError> {
        if let Source::Fixed(credentials) = &self.source {
            return Ok(credentials.clone());
        }
        // Whoever comes meanwhile waits for what is being fetched.
        let mut state = self.state.lock().await;
        if let Some(held) = &state.held
            && fresh(held, now)
        {
            return Ok(held.lease.credentials.clone());
        }
        if let Some((error, again)) = &state.failed
            && Instant::now() < *again
        {
            return still_good(&state, now).ok_or_else(|| error.clone());
        }
        match self.fetch().await {
            Ok(lease) => {
                let credentials = lease.credentials.clone();
                *state = State { held: Some(Held { lease, since: Instant::now() }), failed: None };
                Ok(credentials)
            }
            Err(error) => {
                state.failed = Some((error.clone(), Instant::now() + AFTER_FAILURE));
                still_good(&state, now).ok_or(error)
            }
        }
    }

    /// A service said that they have ended, or are not known: they are fetched anew next time.
    pub(crate) async fn forget(&self) {
        self.state.lock().await.held = None;
    }

    async fn fetch(&self) -> Result<Lease, CredentialsError> {
        let found = match &self.source {
            Source::Fixed(credentials) => return Ok(Lease::endless(credentials.clone())),
            Source::Environment => from_environment(&self.environment),
            Source::Profile { name, file } => self.profile(name.clone(), file.clone()).await,
            Source::Container => metadata::container(&self.environment, &self.http).await,
            Source::Instance => metadata::instance(&self.environment, &self.http).await,
            Source::Chain => self.chain().await,
        };
        found?.ok_or_else(|| CredentialsError(format!("{} has none", self.source.place())))
    }

    /// One that is set up wrongly ends the search: the next one's keys would be another account's.
    async fn chain(&self) -> Result<Option<Lease>, CredentialsError> {
        if let Some(lease) = from_environment(&self.environment)? {
            return Ok(Some(lease));
        }
        if let Some(lease) = self.profile(None, None).await? {
            return Ok(Some(lease));
        }
        if let Some(lease) = metadata::container(&self.environment, &self.http).await? {
            return Ok(Some(lease));
        }
        metadata::instance(&self.environment, &self.http).await
    }

    /// Disks are slow, and this may be the thread of signalling.
    async fn profile(
        &self,
        name: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<Lease>, CredentialsError> {
        let environment = self.environment.clone();
        let read = move || file::profile(&environment, name.as_deref(), file.as_deref());
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|error| CredentialsError(error.to_string()))?
    }
}

impl Source {
    fn place(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "the configuration",
            Self::Environment => "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
            Self::Profile { .. } => "the profile",
            Self::Container => "the container's environment (AWS_CONTAINER_CREDENTIALS_…)",
            Self::Instance => "the instance's metadata service",
            Self::Chain => "neither environment, profile, container nor instance: nothing of these",
        }
    }
}

fn fresh(held: &Held, now: Timestamp) -> bool {
    match held.lease.end {
        Some(end) => end.duration_since(now) > BEFORE_THE_END,
        None => held.since.elapsed() < REREAD,
    }
}

/// What is held may be used while it is good, though nothing newer could be had.
fn still_good(state: &State, now: Timestamp) -> Option<Credentials> {
    let lease = &state.held.as_ref()?.lease;
    lease.end.is_none_or(|end| end > now).then(|| lease.credentials.clone())
}

fn from_environment(environment: &Environment) -> Result<Option<Lease>, CredentialsError> {
    let key_id = environment.get("AWS_ACCESS_KEY_ID");
    let secret = environment.get("AWS_SECRET_ACCESS_KEY");
    match (key_id, secret) {
        (Some(key_id), Some(secret)) => {
            let session_token = environment.get("AWS_SESSION_TOKEN");
            Ok(Some(Lease::endless(Credentials { key_id, secret, session_token })))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(CredentialsError("AWS_SECRET_ACCESS_KEY is not set".to_owned())),
        (None, Some(_)) => Err(CredentialsError("AWS_ACCESS_KEY_ID is not set".to_owned())),
    }
}

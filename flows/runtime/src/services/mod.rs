//! What a Task state may call: the services' side of `arn:aws:states:::SERVICE:ACTION`.
//!
//! A [`Service`] answers on this machine (tables, queues, schedules, …); [`Upstream`] stands for
//! everything that leaves it. Parameters and results have the shape of AWS's own API in the case
//! that Step Functions uses (`TableName`, `MessageBody`, …).

pub mod dynamodb;
pub mod events;
mod fields;
pub mod local;
pub mod s3;
pub mod scheduler;
pub mod sdk;
pub mod sqs;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::Value;

/// The shape of an integration (Step Functions developer guide, "Integrating services").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Integration {
    /// `arn:aws:states:::dynamodb:putItem`.
    Optimized,
    /// `arn:aws:states:::aws-sdk:dynamodb:putItem`.
    Sdk,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionInfo {
    /// ARN of the execution.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// ARN of its state machine.
    pub state_machine: String,
    /// The state that asks.
    pub state: String,
    /// The call that the execution runs, when it runs one.
    pub transaction_id: Option<String>,
}

/// One request of a Task state.
#[derive(Debug, Clone)]
pub struct Request {
    /// Optimized or SDK.
    pub integration: Integration,
    /// The service's name in the resource ARN, without `aws-sdk:`: `dynamodb`, `sqs`, `scheduler`.
    pub service: String,
    /// The action's name in the resource ARN, without `.sync` and such: `putItem`.
    pub action: String,
    /// How the result comes: what is asked for with `.sync` is answered when the job has ended.
    pub pattern: Pattern,
    /// The state's `Parameters` or `Arguments`, evaluated.
    pub arguments: Value,
    /// Who asks.
    pub execution: ExecutionInfo,
    /// Names the request: the same for each attempt to make one and the same request, so that one
    /// made again after a restart can be recognised. Empty: nobody knows.
    pub idempotency: String,
    /// The time of the runtime's clock, which may be a virtual one.
    pub now: Timestamp,
    /// AWS region, for ARNs that are made.
    pub region: String,
    /// AWS account, for ARNs that are made.
    pub account: String,
}

/// Why a request failed, as `Catch` and `Retry` see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct ServiceError {
    /// AWS's name with the service before it: `DynamoDB.ResourceNotFoundException`,
    /// `Lambda.ServiceException`, `States.TaskFailed`.
    pub error: String,
    /// AWS's words.
    pub cause: String,
}

impl ServiceError {
    /// `error` with its `cause`.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    /// There is nobody here who does this.
    pub fn unsupported(request: &Request) -> Self {
        let Request { service, action, .. } = request;
        let sdk = if request.integration == Integration::Sdk { "aws-sdk:" } else { "" };
        Self::new(
            "States.TaskFailed",
            format!(
                "{sdk}{service}:{action} is not served on this machine; configure AWS credentials to pass it on"
            ),
        )
    }
}

/// What a request comes to.
pub type Answer = BoxFuture<'static, Result<Value, ServiceError>>;

/// A service that answers on this machine.
pub trait Service: Send + Sync {
    /// The services it answers for, as they are in resource ARNs without `aws-sdk:`.
    fn names(&self) -> &'static [&'static str];

    /// Does one request. What it acknowledges is kept.
    fn call(&self, request: Request) -> Answer;
}

/// What leaves this machine: `lambda:invoke`, `http:invoke`, `aws-sdk:*`. Asked for every request
/// that no [`Service`] here answers.
pub trait Upstream: Send + Sync {
    /// Does one request.
    fn call(&self, request: Request) -> Answer;
}

/// The upstream of a machine that has none: everything is refused by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUpstream;

impl Upstream for NoUpstream {
    fn call(&self, request: Request) -> Answer {
        Box::pin(std::future::ready(Err(ServiceError::unsupported(&request))))
    }
}

/// Local services first, then upstream.
#[derive(Clone)]
pub struct Services {
    local: Vec<Arc<dyn Service>>,
    upstream: Arc<dyn Upstream>,
}

impl Services {
    /// `local` in the order in which they are asked.
    pub fn new(local: Vec<Arc<dyn Service>>, upstream: Arc<dyn Upstream>) -> Self {
        Self { local, upstream }
    }

    /// Who is asked for what is not served here.
    pub fn upstream(&self) -> &Arc<dyn Upstream> {
        &self.upstream
    }

    /// The same with another upstream.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Arc<dyn Upstream>) -> Self {
        self.upstream = upstream;
        self
    }

    /// Sends a request to whoever answers for its service.
    pub fn call(&self, request: Request) -> Answer {
        let service = request.service.as_str();
        match self.local.iter().find(|local| local.names().contains(&service)) {
            Some(local) => local.call(request),
            None => self.upstream.call(request),
        }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::new(Vec::new(), Arc::new(NoUpstream))
    }
}

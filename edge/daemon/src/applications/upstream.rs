//! What workflows ask of services that this box does not serve itself: functions of its own, AWS
//! Lambda, web servers, and AWS where the operator lets it through.

use std::sync::Weak;

use offhook_asl::machine::Pattern;
use offhook_chime::TaskError;
use offhook_flows::Upstream;
use offhook_flows::services::{Answer, Integration, Request, ServiceError};

use super::{Applications, functions};

/// Passes requests on.
pub(super) struct Passed(Weak<Applications>);

impl Passed {
    /// In the name of these applications.
    pub(super) fn new(applications: Weak<Applications>) -> Self {
        Self(applications)
    }
}

impl Upstream for Passed {
    fn call(&self, request: Request) -> Answer {
        let applications = self.0.upgrade();
        Box::pin(async move {
            let Some(applications) = applications else {
                return Err(ServiceError::unsupported(&request));
            };
            if let Some(answer) = functions::call(&applications, &request).await {
                return answer;
            }
            let name = (request.service.as_str(), request.action.as_str());
            let failed = |error: TaskError| ServiceError::new(error.error, error.cause);
            let sdk = || {
                applications.sdk().map_err(|words| ServiceError::new("States.TaskFailed", words))
            };
            match (request.integration, name) {
                (Integration::Optimized, ("http", "invoke")) => {
                    let tasks = applications.http_tasks();
                    let tasks =
                        tasks.map_err(|words| ServiceError::new("States.TaskFailed", words))?;
                    tasks.invoke(&request.arguments).await.map_err(failed)
                }
                // What a function is asked is no service of this box that AWS would stand in for.
                (Integration::Optimized, ("lambda", "invoke")) => {
                    sdk()?.lambda().task(&request.arguments).await.map_err(failed)
                }
                _ if !applications.config().aws.pass_on => Err(refused(&request)),
                // A workflow that went on before its job has ended would do harm.
                _ if matches!(request.pattern, Pattern::Sync | Pattern::Sync2) => {
                    Err(not_waited_for(&request))
                }
                (_, (service, action)) => {
                    sdk()?.call(service, action, &request.arguments).await.map_err(failed)
                }
            }
        })
    }
}

fn not_waited_for(request: &Request) -> ServiceError {
    let Request { service, action, .. } = request;
    let words = format!(
        "{service}:{action}.sync: jobs of other services are not waited for on this machine; start \
         the job without .sync, and ask for its end after a Wait state"
    );
    ServiceError::new("States.TaskFailed", words)
}

fn refused(request: &Request) -> ServiceError {
    let ServiceError { error, cause } = ServiceError::unsupported(request);
    ServiceError::new(error, format!("{cause}; [aws] pass_on = true passes it on to AWS"))
}

//! What schedules call on this box: executions, and calls that an application begins.

use std::collections::BTreeMap;
use std::sync::Weak;

use offhook_flows::schedule::{Fired, OutboundCall, StartExecution, Targets};
use offhook_flows::services::ServiceError;
use offhook_pbx::office::{CreateCall, CreateError};
use serde_json::Value;

use super::Applications;

/// The targets.
pub(super) struct Fire(Weak<Applications>);

impl Fire {
    /// Those of this box.
    pub(super) fn new(applications: Weak<Applications>) -> Self {
        Self(applications)
    }
}

fn closing() -> ServiceError {
    ServiceError::new("Scheduler.InternalServerException", "the appliance is starting or going")
}

impl Targets for Fire {
    fn call_out(&self, call: OutboundCall) -> Fired {
        let applications = self.0.upgrade();
        Box::pin(async move {
            let applications = applications.ok_or_else(closing)?;
            applications.place_call(call).await.map(drop)
        })
    }

    fn start_execution(&self, start: StartExecution) -> Fired {
        let applications = self.0.upgrade();
        Box::pin(async move {
            let applications = applications.ok_or_else(closing)?;
            let runtime = applications.runtime().ok_or_else(closing)?;
            runtime.start_scheduled(start).await
        })
    }
}

impl Applications {
    /// `CreateSipMediaApplicationCall` with what AWS's sample hands to its function.
    pub(super) async fn place_call(&self, call: OutboundCall) -> Result<String, ServiceError> {
        let office = self.office().ok_or_else(closing)?;
        let label = self.label_of(&call.sip_media_application).await.ok_or_else(|| {
            let words = format!("there is no application {}", call.sip_media_application);
            ServiceError::new("ChimeSDKVoice.ResourceNotFoundException", words)
        })?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let arguments = call.arguments.into_iter().map(|(name, value)| (name, text(value)));
        let create = CreateCall {
            application: label,
            from: call.from,
            to: call.to,
            sip_headers: BTreeMap::new(),
            arguments: arguments.collect(),
        };
        let begun = match self.ready(&create.application).await {
            Ok(()) => office.create_call(create).await,
            Err(error) => Err(error),
        };
        begun.map_err(|error| {
            let name = match error {
                CreateError::Full | CreateError::Closing => "ServiceUnavailableException",
                _ => "ValidationException",
            };
            ServiceError::new(format!("ChimeSDKVoice.{name}"), error.to_string())
        })
    }
}

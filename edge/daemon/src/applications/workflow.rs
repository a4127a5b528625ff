//! Calls that a workflow of this box runs.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_flows::{FlowCall, MachineRef};
use offhook_pbx::app::{AppError, Application, GivenUp};
use offhook_pbx::failure;
use offhook_sma::event::InvocationEvent;
use offhook_sma::reply::Reply;
use serde_json::{Map, Value};

use super::{Applications, without_files};

/// One such call.
pub(super) struct Workflow {
    applications: Arc<Applications>,
    /// What runs it, until it does.
    wanted: Option<(MachineRef, Map<String, Value>)>,
    call: Option<FlowCall>,
}

impl Workflow {
    /// `context`: more of the execution's input.
    pub(super) fn new(
        applications: Arc<Applications>,
        machine: MachineRef,
        context: Map<String, Value>,
    ) -> Self {
        Self { applications, wanted: Some((machine, context)), call: None }
    }

    /// The router's end of the call; right after the start it may have to be waited for.
    async fn call(&mut self) -> Result<&mut FlowCall, AppError> {
        if let Some((machine, context)) = self.wanted.take() {
            let flows = self.applications.flows().await;
            self.call = flows.map(|flows| flows.call(machine).with_context(context));
        }
        let missing = || AppError::Unreachable("no workflow runs (see the journal)".to_owned());
        self.call.as_mut().ok_or_else(missing)
    }
}

impl Application for Workflow {
    fn name(&self) -> &'static str {
        "workflow"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            let reply = self.call().await?.handle(event).await;
            reply.map_err(|error| AppError::Failed(error.to_string())).and_then(without_files)
        })
    }

    fn outlives_call(&self) -> bool {
        true
    }

    fn take_notes(&mut self) -> Vec<String> {
        let Some(call) = &mut self.call else { return Vec::new() };
        let mut notes = call.take_notes();
        // It is told as what it is.
        notes.retain(|note| Some(note.as_str()) != call.failure());
        notes
    }

    fn take_failure(&mut self) -> Option<GivenUp> {
        let why = self.call.as_mut().and_then(FlowCall::take_failure)?;
        Some(GivenUp { failure: failure::APPLICATION_FAILED, why })
    }
}

//! Calls that a workflow of this box runs.

use futures_util::future::BoxFuture;
use offhook_flows::FlowCall;
use offhook_pbx::app::{AppError, Application};
use offhook_sma::event::InvocationEvent;
use offhook_sma::reply::Reply;

use super::without_files;

/// One such call.
pub(super) struct Workflow(FlowCall);

impl Workflow {
    /// The router's end of it.
    pub(super) fn new(call: FlowCall) -> Self {
        Self(call)
    }
}

impl Application for Workflow {
    fn name(&self) -> &'static str {
        "workflow"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            let reply = self.0.handle(event).await;
            reply.map_err(|error| AppError::Failed(error.to_string())).and_then(without_files)
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.0.take_notes()
    }
}

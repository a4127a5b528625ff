//! Calls that a workflow of this box runs.

use futures_util::future::BoxFuture;
use offhook_flows::FlowCall;
use offhook_pbx::app::{AppError, Application};
use offhook_sma::event::InvocationEvent;
use offhook_sma::reply::Reply;

/// One such call.
pub struct Workflow(FlowCall);

impl Workflow {
    /// The router's end of it.
    pub fn new(call: FlowCall) -> Self {
        Self(call)
    }
}

impl Application for Workflow {
    fn name(&self) -> &'static str {
        "workflow"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            self.0.handle(event).await.map_err(|error| AppError::Failed(error.to_string()))
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.0.take_notes()
    }
}

//! Applications elsewhere: a function of AWS Lambda, a webhook. The same events and replies for
//! both, and the same patience (`offhook_sma::invoke`).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_chime::handler::{AskError, Handler, ask};
use offhook_pbx::app::{AppError, Application};
use offhook_sma::event::InvocationEvent;
use offhook_sma::invoke::Policy;
use offhook_sma::reply::Reply;

/// A call that somebody elsewhere runs.
pub struct Remote {
    name: &'static str,
    handler: Arc<dyn Handler>,
}

impl Remote {
    /// `name`: for the timeline.
    pub fn new(name: &'static str, handler: Arc<dyn Handler>) -> Self {
        Self { name, handler }
    }
}

impl Application for Remote {
    fn name(&self) -> &'static str {
        self.name
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            let reply = ask(&*self.handler, &event, Policy::default()).await;
            reply.map_err(|error| match error {
                AskError::Invalid(error) => AppError::Invalid(error),
                error @ AskError::GaveUp { .. } => {
                    AppError::Failed(format!("{}: {error}", self.handler.name()))
                }
            })
        })
    }
}

//! Click-to-call: a phone of the office rings first; whoever takes it up is the caller of what the
//! number leads to.

use futures_util::future::BoxFuture;
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;

use super::{AppError, Application, GivenUp};

/// What the number leads to, once the phone is answered.
pub(crate) struct Click {
    app: Box<dyn Application>,
    /// Events before the phone was answered. `None`: it was not yet.
    untold: Option<u32>,
}

impl Click {
    pub(crate) fn new(app: Box<dyn Application>) -> Self {
        Self { app, untold: None }
    }
}

impl Application for Click {
    fn name(&self) -> &'static str {
        self.app.name()
    }

    fn handle(&mut self, mut event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        if self.untold.is_none() && event.invocation_event_type == EventType::CallAnswered {
            self.untold = Some(event.sequence.saturating_sub(1));
            event.invocation_event_type = EventType::NewInboundCall;
        }
        let Some(untold) = self.untold else {
            // It knows of no call: neither that it rings nor that nobody takes it.
            return Box::pin(std::future::ready(Ok(Reply::nothing())));
        };
        event.sequence = event.sequence.saturating_sub(untold);
        self.app.handle(event)
    }

    fn outlives_call(&self) -> bool {
        self.app.outlives_call()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.app.take_notes()
    }

    fn take_failure(&mut self) -> Option<GivenUp> {
        self.app.take_failure()
    }
}

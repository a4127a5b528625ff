//! Click-to-call: a phone of the office rings first; whoever takes it up is the caller of what the
//! number leads to.

use futures_util::future::BoxFuture;
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;

use super::{AppError, Application, GivenUp};

/// What the number leads to, once the phone is answered.
pub(crate) struct Click(pub(crate) Box<dyn Application>);

impl Application for Click {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn handle(&mut self, mut event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        match event.invocation_event_type {
            EventType::NewOutboundCall | EventType::Ringing => {
                return Box::pin(std::future::ready(Ok(Reply::nothing())));
            }
            // From now on it is as if the phone had dialled.
            EventType::CallAnswered => event.invocation_event_type = EventType::NewInboundCall,
            _ => {}
        }
        self.0.handle(event)
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.0.take_notes()
    }

    fn take_failure(&mut self) -> Option<GivenUp> {
        self.0.take_failure()
    }
}

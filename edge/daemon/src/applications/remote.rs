//! Applications elsewhere: a Lambda function or a webhook as what runs a call.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_chime::handler::{AskError, Handler, ask};
use offhook_pbx::app::{AppError, Application};
use offhook_sma::InvocationEvent;
use offhook_sma::invoke::{GiveUp, Policy};
use offhook_sma::reply::Reply;

use super::without_files;

/// A handler elsewhere, for one call. It keeps nothing: all calls may share the handler.
#[derive(Clone)]
pub(super) struct Remote(Arc<dyn Handler>);

impl Remote {
    /// With a handler ([`offhook_chime::handler::LambdaHandler`],
    /// [`offhook_chime::webhook::Webhook`]).
    pub(super) fn new(handler: Arc<dyn Handler>) -> Self {
        Self(handler)
    }
}

impl Application for Remote {
    fn name(&self) -> &'static str {
        match self.0.name().split(':').next() {
            Some("lambda") => "lambda",
            Some("webhook") => "webhook",
            _ => "remote",
        }
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        let handler = Arc::clone(&self.0);
        Box::pin(async move {
            let asked = ask(&*handler, &event, Policy::default()).await;
            let asked = asked.map_err(|error| {
                let name = handler.name();
                match error {
                    AskError::Invalid(error) => AppError::Invalid(error),
                    AskError::GaveUp { why, last } => match (why, words(name, why, last)) {
                        (GiveUp::TimedOut, _) => AppError::TimedOut,
                        (GiveUp::AccessDenied | GiveUp::Throttled, words) => {
                            AppError::Unreachable(words)
                        }
                        (GiveUp::Failed(_), words) => AppError::Failed(words),
                    },
                }
            });
            asked.and_then(without_files)
        })
    }
}

/// What came of the last attempt, and behind it AWS's words where AWS is concerned.
fn words(name: &str, why: GiveUp, last: Option<String>) -> String {
    match last {
        Some(last) if name.starts_with("webhook:") => last,
        Some(last) => format!("{name}: {last} ({why})"),
        None => format!("{name}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use offhook_chime::handler::{Attempt, HandlerError};
    use offhook_sma::invoke::Fault;
    use offhook_sma::reply::ReplyError;

    use super::*;

    /// Answers always the same.
    struct Says(Result<&'static str, u16>);

    impl Handler for Says {
        fn name(&self) -> &str {
            "webhook:https://example.com/calls"
        }

        fn attempt(&self, _: String, _: Bytes, _: Duration) -> Attempt<'_> {
            let said = self.0.map(Bytes::from).map_err(|status| HandlerError {
                fault: Fault::Client(status),
                words: format!("webhook:https://example.com/calls answers {status}"),
            });
            Box::pin(std::future::ready(said))
        }
    }

    async fn told(said: Result<&'static str, u16>) -> Result<Reply, AppError> {
        let event = serde_json::json!({
            "SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
            "CallDetails": {"TransactionId": "t", "AwsAccountId": "111122223333",
                "AwsRegion": "us-east-1", "SipMediaApplicationId": "x", "Participants": []}
        });
        let mut remote = Remote::new(Arc::new(Says(said)));
        assert_eq!(remote.name(), "webhook");
        remote.handle(serde_json::from_value(event).unwrap()).await
    }

    #[tokio::test]
    async fn a_call_is_told_whose_fault_it_is() {
        let reply = told(Ok("{\"SchemaVersion\": \"1.0\", \"Actions\": []}")).await.unwrap();
        assert_eq!(reply.actions, Some(Vec::new()));
        assert_eq!(told(Ok("null")).await, Err(AppError::Invalid(ReplyError::Blank)));
        let words = |error: AppError| error.to_string();
        let error = words(told(Err(403)).await.unwrap_err());
        assert!(error.starts_with("the application cannot be reached: webhook:https"), "{error}");
        assert!(error.contains("answers 403"), "{error}");
        let error = words(told(Err(404)).await.unwrap_err());
        assert!(error.starts_with("the application failed: webhook:https"), "{error}");
    }
}

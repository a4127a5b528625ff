//! Asks the application and carries its reply to the script.

use std::time::Instant;

use offhook_sma::action::LegTag;
use offhook_sma::event::{ActionData, EventType};
use offhook_sma::reply::Reply;
use offhook_sma::session::MAX_INVOCATIONS;

use super::{APP_QUEUE, APP_TIMEOUT, Call, Done};
use crate::app::{AppError, Application};
use crate::event::CallEventKind;
use crate::failure;

impl Call {
    /// Tells the application; it is asked as soon as it has answered what came before.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        leg: LegTag,
        kind: EventType,
        data: Option<ActionData>,
    ) {
        let asked = self.transaction.invocations() >= MAX_INVOCATIONS;
        if asked || self.app_queue.len() >= APP_QUEUE {
            self.fail(now, failure::APPLICATION_FAILED, None, "too many events");
            self.hang_up_all(now, "the application had more events than it may have");
            return;
        }
        self.awaiting_reply |= matches!(
            kind,
            EventType::NewInboundCall
                | EventType::ActionSuccessful
                | EventType::ActionFailed
                | EventType::Hangup
        );
        let event = self.transaction.event(kind, data);
        self.app_queue.push_back((event, leg));
    }

    pub(super) fn run_app(&mut self) {
        if self.app_queue.is_empty() {
            return;
        }
        let Some(mut app) = self.app.take() else { return };
        let Some((event, leg)) = self.app_queue.pop_front() else { return };
        let (told, run) = (event.invocation_event_type, self.app_run);
        self.work.push(Box::pin(async move {
            let reply = tokio::time::timeout(APP_TIMEOUT, app.handle(event)).await;
            let reply = reply.unwrap_or(Err(AppError::TimedOut));
            Done::App { run, app, told, leg, reply }
        }));
    }

    pub(super) fn on_reply(
        &mut self,
        now: Instant,
        app: Box<dyn Application>,
        told: EventType,
        leg: LegTag,
        reply: Result<Reply, AppError>,
    ) {
        self.app_name = app.name();
        self.app = Some(app);
        self.awaiting_reply = !self.app_queue.is_empty();
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                self.fail(now, failure::APPLICATION_FAILED, None, &error.to_string());
                self.apologise(now);
                return;
            }
        };
        let actions = reply.actions.as_deref().unwrap_or_default();
        let actions = actions.iter().map(|a| a.name().to_owned()).collect();
        let event = CallEventKind::Application {
            name: self.app_name.to_owned(),
            told: told.as_str().to_owned(),
            actions,
        };
        self.timeline.add(now, None, event);
        self.transaction.keep_attributes(&reply);
        // After a hangup only what is left of the call can be worked on.
        if told == EventType::Hangup && !self.transaction.other_connected(leg) {
            return;
        }
        let silent = reply.actions.as_ref().is_none_or(Vec::is_empty);
        self.invoked_for = leg;
        self.script.take(reply);
        if told == EventType::Hangup && leg == LegTag::A && silent && self.script.is_idle() {
            // A leg never stays up when nobody is left to end it.
            self.hang_up_all(now, "the caller is gone");
        }
    }
}

//! Asks the application and carries its reply to the script.

use std::time::{Duration, Instant};

use offhook_sip::message::StatusCode;
use offhook_sma::action::{Action, LegTag};
use offhook_sma::event::{ActionData, EventType, InvocationEvent};
use offhook_sma::invoke::Policy;
use offhook_sma::reply::{Reply, ReplyError};
use offhook_sma::rules::{FIRST_ACTION, NothingToDo};
use offhook_sma::session::{MAX_INVOCATIONS, Taken, Transaction};

use super::runner::Running;
use super::{APP_QUEUE, Call, Done};
use crate::app::{AppError, Application};
use crate::event::CallEventKind;
use crate::failure;

/// What the application is to be told. It becomes an event when its turn comes, so that it carries
/// what the answer to the one before it has changed.
pub(super) struct Tell {
    kind: EventType,
    leg: LegTag,
    data: Option<ActionData>,
    /// Of `INVALID_LAMBDA_RESPONSE`.
    error: Option<(&'static str, String)>,
}

/// What came of asking an application.
pub(super) struct Answer {
    /// It comes back with it.
    pub(super) app: Box<dyn Application>,
    pub(super) told: EventType,
    pub(super) leg: LegTag,
    pub(super) reply: Result<Reply, AppError>,
    /// From the event to this.
    pub(super) took: Duration,
}

impl Tell {
    pub(super) fn new(kind: EventType, leg: LegTag, data: Option<ActionData>) -> Self {
        Self { kind, leg, data, error: None }
    }

    pub(super) fn kind(&self) -> EventType {
        self.kind
    }

    pub(super) fn leg(&self) -> LegTag {
        self.leg
    }

    pub(super) fn event(self, transaction: &mut Transaction) -> InvocationEvent {
        match self.error {
            Some((kind, text)) => transaction.invalid_reply(kind, &text),
            None => transaction.event(self.kind, self.data),
        }
    }
}

impl Call {
    /// Tells the application; it is asked as soon as it has answered what came before.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        leg: LegTag,
        kind: EventType,
        data: Option<ActionData>,
    ) {
        if self.muted {
            return;
        }
        let waiting = self.app_queue.len();
        let told = u32::try_from(waiting).unwrap_or(u32::MAX);
        let asked = self.transaction.invocations().saturating_add(told) >= MAX_INVOCATIONS;
        if asked || waiting >= APP_QUEUE {
            self.fail(now, failure::APPLICATION_FAILED, None, "too many events");
            // Not even of its end.
            self.muted = true;
            self.hang_up_all(now, "the application had more events than it may have");
            return;
        }
        self.awaiting_reply |= matches!(
            kind,
            EventType::NewInboundCall
                | EventType::NewOutboundCall
                | EventType::ActionSuccessful
                | EventType::ActionFailed
                | EventType::Hangup
        );
        self.app_queue.push_back(Tell::new(kind, leg, data));
    }

    pub(super) fn run_app(&mut self) {
        if self.app_queue.is_empty() || self.awaits_word_of_party() {
            return;
        }
        let Some(app) = self.app.take() else { return };
        let Some(tell) = self.app_queue.pop_front() else { return };
        let about = (tell.kind, tell.leg);
        let event = tell.event(&mut self.transaction);
        self.ask(app, self.app_run, about, event);
    }

    /// Asks one; `run` comes back with its answer.
    pub(super) fn ask(
        &mut self,
        mut app: Box<dyn Application>,
        run: u64,
        (told, leg): (EventType, LegTag),
        event: InvocationEvent,
    ) {
        let longest = Policy::default().deadline;
        self.work.push(Box::pin(async move {
            let asked = tokio::time::Instant::now();
            let reply = tokio::time::timeout(longest, app.handle(event)).await;
            let reply = reply.unwrap_or(Err(AppError::TimedOut));
            let answer = Answer { app, told, leg, reply, took: asked.elapsed() };
            Done::App { run, answer }
        }));
    }

    pub(super) fn on_reply(&mut self, now: Instant, answer: Answer) {
        let Answer { mut app, told, leg, reply, took } = answer;
        self.app_name = app.name();
        for note in app.take_notes() {
            self.timeline.note(now, None, note);
        }
        if let Some(given_up) = app.take_failure() {
            self.fail(now, given_up.failure, None, &given_up.why);
        }
        self.app = Some(app);
        self.awaiting_reply = !self.app_queue.is_empty();
        let reply = match self.usable(now, told, reply) {
            Ok(reply) => reply,
            Err(error) => return self.no_reply(now, told, leg, &error),
        };
        self.note_reply(now, told, &reply, took);
        let silent = reply.actions.as_deref().is_none_or(<[Action]>::is_empty);
        self.transaction.keep_attributes(&reply, &self.rules);
        if told == EventType::NewOutboundCall {
            return self.place_created(now);
        }
        // After a hangup only what is left of the call can be worked on.
        if !self.transaction.acts_on(told, leg, &self.rules) {
            return;
        }
        let first = reply.actions.as_deref().and_then(<[Action]>::first);
        if self.creating.is_some() && matches!(first, Some(Action::Hangup(_))) {
            // It rings, and an update takes that back: nobody is to answer for nothing.
            return self.hang_up_all(now, "ended by the application");
        }
        let taken = self.script.take(reply, told, &self.rules);
        if taken == Taken::Interrupts {
            self.interrupt(now);
        }
        if taken != Taken::Kept {
            // A list that names no leg is for the one of the event that it answers.
            self.invoked_for = leg;
        }
        match told {
            EventType::Hangup
                if leg == LegTag::A && silent && self.script.is_idle() && self.beside.is_none() =>
            {
                // A leg never stays up when nobody is left to end it.
                self.hang_up_all(now, "the caller is gone");
            }
            EventType::Hangup => self.report_hangup_behind(now, leg, silent),
            EventType::NewInboundCall if silent => self.nothing_to_do(now),
            _ => {}
        }
    }

    /// A reply within the limits, or what is wrong with it.
    fn usable(
        &mut self,
        now: Instant,
        told: EventType,
        reply: Result<Reply, AppError>,
    ) -> Result<Reply, AppError> {
        let checked = reply.and_then(|reply| match reply.check(&self.rules) {
            Ok(()) => Ok(reply),
            Err(error) => Err(error.into()),
        });
        match checked {
            // It is ignored, whatever it is: AWS's call forwarding says `()` to RINGING.
            Err(AppError::Invalid(error))
                if !self.rules.takes_actions(told) && error.error_type(&self.rules).is_none() =>
            {
                self.timeline.note(now, None, format!("{} was ignored: {error}", told.as_str()));
                Ok(Reply::nothing())
            }
            other => other,
        }
    }

    fn note_reply(&mut self, now: Instant, told: EventType, reply: &Reply, took: Duration) {
        let actions = reply.actions.as_deref().unwrap_or_default();
        let event = CallEventKind::Application {
            name: self.app_name.to_owned(),
            told: told.as_str().to_owned(),
            actions: actions.iter().map(|a| a.name().to_owned()).collect(),
            took_us: u64::try_from(took.as_micros()).ok(),
        };
        self.timeline.add(now, None, event);
    }

    /// The application did not answer, or not with sense.
    fn no_reply(&mut self, now: Instant, told: EventType, leg: LegTag, error: &AppError) {
        if self.record.ended.is_some() {
            // Nobody is there whose call could still fail.
            let text = format!("{} was told in vain: {error}", told.as_str());
            return self.timeline.note(now, None, text);
        }
        // Once: an application that cannot answer that either has failed.
        if let Some((kind, text)) = self.worth_telling(error)
            && told != EventType::InvalidLambdaResponse
            && self.transaction.invocations() < MAX_INVOCATIONS
        {
            self.timeline.note(now, None, text.clone());
            if told == EventType::NewOutboundCall {
                // Whatever is wrong with the answer to it: the call is placed.
                self.place_created(now);
            }
            self.awaiting_reply = true;
            let kind_of = EventType::InvalidLambdaResponse;
            let tell = Tell { kind: kind_of, leg, data: None, error: Some((kind, text)) };
            return self.app_queue.push_front(tell);
        }
        self.fail(now, failure::APPLICATION_FAILED, None, &error.to_string());
        self.apologise(now);
    }

    fn worth_telling(&self, error: &AppError) -> Option<(&'static str, String)> {
        let AppError::Invalid(error) = error else { return None };
        Some((ReplyError::error_type(error, &self.rules)?, error.to_string()))
    }

    /// `NEW_INBOUND_CALL` was answered without an action: a call update may still bring one.
    fn nothing_to_do(&mut self, now: Instant) {
        match self.rules.nothing_to_do {
            NothingToDo::TimesOut => self.first_action_by = Some(now + FIRST_ACTION),
            NothingToDo::HangsUp => self.never_began(now, "Actions list is empty."),
        }
    }

    /// Nothing was to be done for so long.
    pub(super) fn first_action_timeout(&mut self, now: Instant) {
        if self.first_action_by.is_none_or(|at| at > now) {
            return;
        }
        self.first_action_by = None;
        let unanswered = self.tagged(LegTag::A).is_some_and(|leg| !leg.answered);
        if unanswered && self.script.is_idle() && matches!(self.running, Running::Nothing) {
            self.never_began(now, "no action came for 30 s");
        }
    }

    fn never_began(&mut self, now: Instant, why: &str) {
        self.fail(now, failure::APPLICATION_FAILED, None, why);
        self.refuse_caller(now, StatusCode::TEMPORARILY_UNAVAILABLE);
        self.hang_up_all(now, why);
    }
}

//! Dial: calls somebody; when nobody answers, a voice mailbox does, or the caller hears why.

use futures_util::future::BoxFuture;
use offhook_sma::action::{Action, CallAndBridge, Endpoint, EndpointType, LegTag, Target};
use offhook_sma::event::{EventType, InvocationEvent};
use offhook_sma::reply::Reply;

use super::{AppError, Application, Voicemail, hang_up, hung_up_leg, subject};

/// One attempt: these at once, for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whom.
    pub endpoints: Vec<Endpoint>,
    /// Seconds.
    pub ring_seconds: u64,
}

impl Step {
    /// One endpoint.
    pub fn one(kind: EndpointType, uri: &str, ring_seconds: u64) -> Self {
        let endpoint = Endpoint { bridge_endpoint_type: kind, uri: uri.to_owned(), arn: None };
        Self { endpoints: vec![endpoint], ring_seconds }
    }
}

/// Calls an extension, a group, or a number over a trunk.
#[derive(Debug)]
pub struct Dial {
    /// Those still to be tried, last first.
    steps: Vec<Step>,
    mailbox: Option<Voicemail>,
    in_mailbox: bool,
    /// The final status that says most about why nobody was reached.
    status: Option<u16>,
}

impl Dial {
    /// Tries the steps one after the other; then the mailbox, when there is one. No steps: the
    /// mailbox at once (do not disturb).
    pub fn new(mut steps: Vec<Step>, mailbox: Option<Voicemail>) -> Self {
        steps.reverse();
        Self { steps, mailbox, in_mailbox: false, status: None }
    }

    fn next(&mut self) -> Option<Reply> {
        let step = self.steps.pop()?;
        Some(Reply::actions(vec![Action::CallAndBridge(CallAndBridge {
            target: Target::tag(LegTag::A),
            call_timeout_seconds: step.ring_seconds,
            caller_id_number: None,
            endpoints: step.endpoints,
            ringback_tone: None,
            sip_headers: Default::default(),
        })]))
    }

    /// A member of a sequence that is busy must not hide that another one declined; busy says
    /// more than no answer.
    fn note(&mut self, status: u16) {
        let rank = |s: u16| match s {
            600..=699 => 3,
            486 => 2,
            480 | 408 => 0,
            _ => 1,
        };
        if self.status.is_none_or(|old| rank(status) > rank(old)) {
            self.status = Some(status);
        }
    }

    async fn answer(&mut self, event: InvocationEvent) -> Result<Reply, AppError> {
        if self.in_mailbox {
            return self.mailbox_answer(event).await;
        }
        if let Some(leg) = hung_up_leg(&event) {
            let other = if leg == LegTag::A { LegTag::B } else { LegTag::A };
            return Ok(Reply::actions(vec![hang_up(other, 0)]));
        }
        match event.invocation_event_type {
            EventType::NewInboundCall => {}
            EventType::ActionFailed => match subject(&event) {
                Some((data, Action::CallAndBridge(_))) => self.note(data.sip_status.unwrap_or(480)),
                _ => return Ok(Reply::nothing()),
            },
            _ => return Ok(Reply::nothing()),
        }
        if let Some(reply) = self.next() {
            return Ok(reply);
        }
        if let Some(mailbox) = &mut self.mailbox {
            self.in_mailbox = true;
            if self.status == Some(486) {
                mailbox.is_busy();
            }
            return self.mailbox_answer(event).await;
        }
        Ok(Reply::actions(vec![hang_up(LegTag::A, self.status.unwrap_or(480))]))
    }

    async fn mailbox_answer(&mut self, event: InvocationEvent) -> Result<Reply, AppError> {
        match &mut self.mailbox {
            Some(mailbox) => mailbox.handle(event).await,
            None => Ok(Reply::nothing()),
        }
    }
}

impl Application for Dial {
    fn name(&self) -> &'static str {
        if self.in_mailbox { "voicemail" } else { "dial" }
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(self.answer(event))
    }
}

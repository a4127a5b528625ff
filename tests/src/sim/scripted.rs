//! Applications that answer what a test wrote down, and note what they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_config::Target;
use offhook_pbx::app::{AppError, Application};
use offhook_pbx::office::{Applications, Opening};
use offhook_sma::{InvocationEvent, Reply, Rules};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::line::PATIENCE;

/// What is answered to one event.
#[derive(Debug, Clone)]
pub enum Answer {
    /// JSON, read as that of a Lambda is. `null` is none at all.
    Json(Value),
    /// The same after a while.
    Late(Duration, Value),
    /// Goes on with what runs.
    Nothing,
    /// Never.
    Never,
    /// An error.
    Fails,
}

/// A list of actions as an answer.
pub fn actions(list: Value) -> Answer {
    Answer::Json(json!({"SchemaVersion": "1.0", "Actions": list}))
}

/// `CallAndBridge` to a number of the telephone network or the office's.
pub fn bridge(number: &str) -> Value {
    json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": "30",
        "CallerIdNumber": "+15550009999",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": number}]}})
}

/// `Hangup` of a leg.
pub fn hang_up(leg: &str) -> Value {
    json!({"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": leg}})
}

/// Every `flow:NAME` is the same script, begun anew by each call. When it has come to its end, its
/// last answer is given again if it is to be, else [`Answer::Nothing`].
#[derive(Debug, Clone)]
pub struct Scripted(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    answers: Vec<Answer>,
    again: bool,
    outlives: bool,
    rules: Rules,
    events: Mutex<Vec<Value>>,
    news: Notify,
}

impl Scripted {
    /// With these answers, in their order.
    pub fn new(answers: Vec<Answer>) -> Self {
        Self::ruled(answers, Rules::default())
    }

    /// And these rules.
    pub fn ruled(answers: Vec<Answer>, rules: Rules) -> Self {
        Self::build(answers, false, false, rules)
    }

    /// An application that outlives its calls, as a workflow does.
    pub fn outliving(answers: Vec<Answer>) -> Self {
        Self::build(answers, false, true, Rules::default())
    }

    /// Gives the last answer again and again.
    pub fn endless(answers: Vec<Answer>) -> Self {
        Self::build(answers, true, false, Rules::default())
    }

    fn build(answers: Vec<Answer>, again: bool, outlives: bool, rules: Rules) -> Self {
        let (events, news) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { answers, again, outlives, rules, events, news }))
    }

    /// For an office.
    pub fn applications(&self) -> Arc<dyn Applications> {
        Arc::new(self.clone())
    }

    /// All that was told until now.
    pub fn events(&self) -> Vec<Value> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Types of these, with that of the action: `ACTION_SUCCESSFUL Pause`.
    pub fn told(&self) -> Vec<String> {
        let text = |event: &Value| {
            let kind = event["InvocationEventType"].as_str().unwrap_or_default().to_owned();
            match event["ActionData"]["Type"].as_str() {
                Some(action) => format!("{kind} {action}"),
                None => kind,
            }
        };
        self.events().iter().map(text).collect()
    }

    /// Waits for the `n`th event (from 1).
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn nth(&self, n: usize) -> Value {
        let found = async {
            loop {
                let news = self.0.news.notified();
                if let Some(event) = self.events().into_iter().nth(n - 1) {
                    return event;
                }
                news.await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no event {n}: {:?}", self.told()))
    }
}

impl Applications for Scripted {
    fn open(&self, opening: &Opening<'_>) -> Option<Box<dyn Application>> {
        let answers = self.0.answers.iter().cloned().collect();
        let none = Target::Flow("none".to_owned());
        (*opening.target != none).then(|| Box::new(Run { script: self.clone(), answers }) as _)
    }

    fn rules(&self) -> Rules {
        self.0.rules
    }
}

struct Run {
    script: Scripted,
    answers: VecDeque<Answer>,
}

impl Application for Run {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn outlives_call(&self) -> bool {
        self.script.0.outlives
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        let inner = &self.script.0;
        let json = serde_json::to_value(&event).unwrap_or_default();
        inner.events.lock().unwrap_or_else(PoisonError::into_inner).push(json);
        inner.news.notify_waiters();
        let answer = match self.answers.len() {
            1 if inner.again => self.answers.front().cloned(),
            _ => self.answers.pop_front(),
        };
        Box::pin(async move {
            match answer.unwrap_or(Answer::Nothing) {
                Answer::Json(json) => Ok(Reply::parse(json.to_string().as_bytes())?),
                Answer::Late(pause, json) => {
                    tokio::time::sleep(pause).await;
                    Ok(Reply::parse(json.to_string().as_bytes())?)
                }
                Answer::Nothing => Ok(Reply::nothing()),
                Answer::Never => std::future::pending().await,
                Answer::Fails => Err(AppError::Failed("as the test wants it".to_owned())),
            }
        })
    }
}

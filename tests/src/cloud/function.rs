//! Applications as the simulation runs them: the real function behind invocations that are lost and
//! repeated, and a record of all that was said.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use offhook_chime::handler::{Attempt, Handler, HandlerError, ask};
use offhook_chime::take_back::{self, Rules};
use offhook_config::Target;
use offhook_pbx::app::{AppError, Application, GivenUp};
use offhook_pbx::office::{Applications, Opening};
use offhook_sma::action::Action;
use offhook_sma::invoke::Policy;
use offhook_sma::{InvocationEvent, LegTag, Reply};

use super::pool::MemoryPool;

/// What happens to an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// To the next one of this kind (`HANGUP`).
    pub kind: String,
    /// The function does its work, and nobody hears of it; else it is not even asked.
    pub worked: bool,
}

/// Faults to come, and (call, sequence) of events that have met with one.
#[derive(Default)]
struct Faults {
    next: VecDeque<Fault>,
    met: Vec<(String, u32)>,
}

/// The function of the SIP media application in this process, as Lambda has it.
pub struct Function {
    application: take_back::Application<MemoryPool>,
    faults: Mutex<Faults>,
    /// What every invocation takes.
    latency: Duration,
    dead: AtomicBool,
    attempts: Mutex<Vec<(String, u32, Bytes)>>,
}

impl Function {
    /// With these pairs.
    pub fn new(rules: Rules, pool: MemoryPool, latency: Duration) -> Arc<Self> {
        let application = take_back::Application::new(rules, pool);
        let (faults, attempts) = (Mutex::default(), Mutex::default());
        Arc::new(Self { application, faults, latency, dead: AtomicBool::new(false), attempts })
    }

    /// Something happens to a later invocation; each event meets with one fault at most, so that
    /// whoever is asked again is heard.
    pub fn fails(&self, fault: Fault) {
        locked(&self.faults).next.push_back(fault);
    }

    /// From now on it does its work, and nobody hears of it.
    pub fn dies(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Transaction, sequence and answer of each time that it worked.
    pub fn worked(&self) -> Vec<(String, u32, Bytes)> {
        locked(&self.attempts).clone()
    }

    fn fault(&self, event: &InvocationEvent) -> Option<Fault> {
        let kind = event.invocation_event_type.as_str();
        let met = (event.call_details.transaction_id.clone(), event.sequence);
        let mut faults = locked(&self.faults);
        let at = faults.next.iter().position(|fault| fault.kind == kind)?;
        if faults.met.contains(&met) {
            return None;
        }
        faults.met.push(met);
        faults.next.remove(at)
    }
}

impl Handler for Function {
    fn name(&self) -> &str {
        "lambda:sma"
    }

    fn attempt(&self, _: String, event: Bytes, _: Duration) -> Attempt<'_> {
        Box::pin(async move {
            let broken = |error: serde_json::Error| HandlerError {
                fault: offhook_sma::invoke::Fault::Other(error.to_string()),
                words: error.to_string(),
            };
            let event: InvocationEvent = serde_json::from_slice(&event).map_err(broken)?;
            let fault = self.fault(&event);
            if fault.as_ref().is_some_and(|fault| !fault.worked) {
                return std::future::pending().await;
            }
            tokio::time::sleep(self.latency).await;
            let turn = self.application.handle(&event).await;
            let answer = Bytes::from(serde_json::to_vec(&turn.reply).map_err(broken)?);
            let call = event.call_details.transaction_id;
            locked(&self.attempts).push((call, event.sequence, answer.clone()));
            if fault.is_some() || self.dead.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            Ok(answer)
        })
    }
}

/// A call that such a function runs.
pub struct Remote(pub Arc<Function>);

impl Application for Remote {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        let function = Arc::clone(&self.0);
        Box::pin(async move {
            let asked = ask(&*function, &event, Policy::default()).await;
            asked.map_err(|error| AppError::Failed(error.to_string()))
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One event and its answer.
#[derive(Clone, Debug)]
pub struct Said {
    /// Of which call.
    pub call: String,
    /// `ACTION_SUCCESSFUL CallAndBridge LEG-A`.
    pub event: String,
    /// `None`: nothing was changed. In short, as `hang up LEG-B`.
    pub actions: Option<Vec<String>>,
}

/// All events and answers of all calls.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<Said>>>);

impl Transcript {
    /// Of one call.
    pub fn of(&self, call: &str) -> Vec<Said> {
        let all = locked(&self.0);
        all.iter().filter(|said| said.call == call).cloned().collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Said> {
        locked(&self.0).clone()
    }

    /// Calls, in the order in which they began.
    pub fn calls(&self) -> Vec<String> {
        let mut calls: Vec<String> = Vec::new();
        for said in locked(&self.0).iter() {
            if !calls.contains(&said.call) {
                calls.push(said.call.clone());
            }
        }
        calls
    }

    /// Whether an action that begins so was asked for, in any call.
    pub fn has(&self, action: &str) -> bool {
        let said = |said: &Said| said.actions.iter().flatten().any(|own| own.starts_with(action));
        locked(&self.0).iter().any(said)
    }

    /// For the message of a failed test.
    pub fn text(&self, call: &str) -> String {
        let line = |said: Said| format!("{} -> {:?}\n", said.event, said.actions);
        self.of(call).into_iter().map(line).collect()
    }
}

/// An action in short.
fn short(action: &Action) -> String {
    match action {
        Action::CallAndBridge(bridge) => {
            let to = bridge.endpoints.first().map(|to| to.uri.as_str()).unwrap_or_default();
            let shown = bridge.caller_id_number.as_deref().unwrap_or_default();
            format!("call {to} as {shown}")
        }
        Action::Hangup(hangup) => {
            let tag = hangup.target.participant_tag;
            let a = tag == Some(LegTag::A) && hangup.target.call_id.is_none();
            format!("hang up {}", if a { "LEG-A" } else { "LEG-B" })
        }
        Action::Speak(speak) => format!("say {}", speak.speech.text.as_deref().unwrap_or_default()),
        Action::Pause(pause) => format!("wait {}", pause.duration_in_milliseconds),
        other => other.name().to_owned(),
    }
}

fn about(event: &InvocationEvent) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let data = &value["ActionData"];
    let leg = data["Parameters"]["ParticipantTag"].as_str().unwrap_or_default();
    let kind = event.invocation_event_type.as_str();
    let text = format!("{kind} {} {leg}", data["Type"].as_str().unwrap_or_default());
    text.trim_end().to_owned()
}

/// Makes what runs one call.
pub type Make = Arc<dyn Fn() -> Box<dyn Application> + Send + Sync>;

/// Every `flow:NAME` is made by the same hand, and all that it says is noted.
pub struct Hosted {
    make: Make,
    transcript: Transcript,
    mute: bool,
}

impl Hosted {
    /// `mute`: there is no voice, so that each `Speak` fails. Else words take no time: the paused
    /// clock could not wait for them.
    pub fn applications(make: Make, transcript: Transcript, mute: bool) -> Arc<dyn Applications> {
        Arc::new(Self { make, transcript, mute })
    }
}

impl Applications for Hosted {
    fn open(&self, opening: &Opening<'_>) -> Option<Box<dyn Application>> {
        let Target::Flow(_) = opening.target else { return None };
        let (inner, transcript) = ((self.make)(), self.transcript.clone());
        Some(Box::new(Watched { inner, transcript, mute: self.mute }))
    }
}

struct Watched {
    inner: Box<dyn Application>,
    transcript: Transcript,
    mute: bool,
}

impl Application for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn handle(&mut self, event: InvocationEvent) -> BoxFuture<'_, Result<Reply, AppError>> {
        Box::pin(async move {
            let (call, event_text) = (event.call_details.transaction_id.clone(), about(&event));
            // It stands there when the answer never comes, too.
            let at = {
                let mut all = locked(&self.transcript.0);
                all.push(Said { call, event: event_text, actions: None });
                all.len() - 1
            };
            let mut reply = self.inner.handle(event).await?;
            let actions = reply.actions.as_ref().map(|all| all.iter().map(short).collect());
            if let Some(said) = locked(&self.transcript.0).get_mut(at) {
                said.actions = actions;
            }
            if let Some(actions) = reply.actions.as_mut().filter(|_| !self.mute) {
                actions.retain(|action| !matches!(action, Action::Speak(_)));
            }
            Ok(reply)
        })
    }

    fn outlives_call(&self) -> bool {
        self.inner.outlives_call()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.inner.take_notes()
    }

    fn take_failure(&mut self) -> Option<GivenUp> {
        self.inner.take_failure()
    }
}

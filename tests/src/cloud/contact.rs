//! Connect: a contact flow with the real function of it, and the way by which that one asks for a
//! caller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_chime::take_back::{Deliver, DeliverError, Refusal, Switch, SwitchRules, Update};
use offhook_pbx::office::{OfficeHandle, UpdateError};
use offhook_sip::message::Request;
use serde_json::{Map, Value, json};

use super::pool::{Health, MemoryPool};
use crate::sim::agent::Agent;
use crate::sim::line::Line;

/// Id of the application that runs the calls.
pub const APPLICATION: &str = "flow:sma";

/// `UpdateSipMediaApplicationCall` of whoever has the calls.
#[derive(Clone, Default)]
pub struct Api(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: OnceLock<OfficeHandle>,
    health: Mutex<Health>,
    accepted: Mutex<Vec<String>>,
}

impl Api {
    /// From now on there are calls.
    pub fn connect(&self, calls: OfficeHandle) {
        let _ = self.0.calls.set(calls);
    }

    /// How it is from now on.
    pub fn set(&self, health: Health) {
        *self.0.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    /// Calls whose update was accepted (202), one each time.
    pub fn accepted(&self) -> Vec<String> {
        self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn accept(&self, transaction: &str) {
        let mut accepted = self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.push(transaction.to_owned());
    }

    /// One request.
    ///
    /// # Errors
    /// As AWS tells it.
    pub async fn update(
        &self,
        transaction: &str,
        arguments: BTreeMap<String, String>,
    ) -> Result<(), DeliverError> {
        let unavailable = || DeliverError {
            refusal: Refusal::Unavailable,
            words: "ServiceUnavailableException".to_owned(),
        };
        let health = *self.0.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health {
            Health::Away => return Err(unavailable()),
            Health::Silent => return std::future::pending().await,
            Health::Slow(time) => tokio::time::sleep(time).await,
            Health::Well | Health::Deaf(_) => {}
        }
        let calls = self.0.calls.get().ok_or_else(unavailable)?;
        calls.update_call(transaction, arguments).map_err(|error| {
            let refusal = match error {
                UpdateError::NotFound => Refusal::Ended,
                UpdateError::TooManyArguments => Refusal::Refused,
                UpdateError::Busy => Refusal::Unavailable,
            };
            DeliverError { refusal, words: error.to_string() }
        })?;
        self.accept(transaction);
        if let Health::Deaf(time) = health {
            tokio::time::sleep(time).await;
        }
        Ok(())
    }
}

impl Deliver for Api {
    fn deliver<'a>(&'a self, update: &'a Update) -> BoxFuture<'a, Result<(), DeliverError>> {
        Box::pin(self.update(&update.lease.owner, update.arguments.clone()))
    }
}

/// Connect's function, with its table and the API.
pub struct Flow {
    switch: Switch<MemoryPool, Api>,
}

impl Flow {
    /// With the defaults of the function.
    pub fn new(pool: MemoryPool, api: Api) -> Self {
        let rules = SwitchRules {
            application: Some(APPLICATION.to_owned()),
            target: None,
            country_code: "1".to_owned(),
            extension_digits: 6,
            transaction_header: "X-Transaction-Id".to_owned(),
            deadline: Duration::from_millis(2_500),
        };
        Self { switch: Switch::new(rules, pool, api) }
    }
}

/// One contact: a call that came to one of Connect's numbers.
pub struct Contact {
    /// Its leg.
    pub line: Line,
    /// Its id.
    pub id: String,
    /// The number that was shown.
    pub ours: String,
    /// The number that was called.
    pub theirs: String,
    /// The transaction, once it was told.
    pub transaction: Option<String>,
}

fn user(text: &str) -> String {
    let rest = text.split("sip:").nth(1).unwrap_or_default();
    rest.split(['@', ';', '>']).next().unwrap_or_default().to_owned()
}

fn header(request: &Request, name: &str) -> String {
    crate::sim::scene::text(request, name).unwrap_or_default()
}

impl Contact {
    /// The next call.
    ///
    /// # Panics
    /// When nobody calls.
    pub async fn next(connect: &Agent) -> Self {
        Self::of(connect.call().await)
    }

    /// Of a call that came in.
    ///
    /// # Panics
    /// When the line has no INVITE.
    pub fn of(line: Line) -> Self {
        let invite = line.invite.as_ref().expect("a call that came in");
        let id = format!("contact-{}", header(invite, "Call-ID"));
        let (ours, theirs) = (user(&header(invite, "From")), user(&header(invite, "To")));
        Self { line, id, ours, theirs, transaction: None }
    }

    /// Answers, and waits for the ACK.
    pub async fn answer(&mut self) {
        self.line.ring();
        self.line.answer();
        self.line.confirmed().await;
    }

    /// What the block "Invoke AWS Lambda function" sends.
    pub fn event(&self, purpose: &str, more: &Value) -> Value {
        let mut parameters = json!({"Purpose": purpose});
        for (name, value) in more.as_object().into_iter().flatten() {
            parameters[name] = value.clone();
        }
        if let Some(transaction) = &self.transaction {
            parameters["TransactionId"] = json!(transaction);
        }
        json!({"Name": "ContactFlowEvent", "Details": {"ContactData": {
            "ContactId": self.id, "InitialContactId": self.id, "Channel": "VOICE",
            "InitiationMethod": "INBOUND", "Queue": null,
            "CustomerEndpoint": {"Address": self.ours, "Type": "TELEPHONE_NUMBER"},
            "SystemEndpoint": {"Address": self.theirs, "Type": "TELEPHONE_NUMBER"}},
            "Parameters": parameters}})
    }

    /// Remembers what the function said.
    pub fn hear(&mut self, told: &Map<String, Value>) {
        if let Some(transaction) = told.get("transaction_id").and_then(Value::as_str) {
            self.transaction = Some(transaction.to_owned());
        }
    }

    /// What the function answers.
    pub async fn ask(&mut self, flow: &Flow, purpose: &str, more: Value) -> Map<String, Value> {
        let told = flow.switch.handle(&self.event(purpose, &more)).await;
        self.hear(&told);
        told
    }

    /// Asks who calls, and gives the caller's number, or the status.
    pub async fn who(&mut self, flow: &Flow) -> String {
        let told = self.ask(flow, "GetData", json!({})).await;
        let number = told.get("original_calling_number").or_else(|| told.get("status"));
        number.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Asks for the caller to be taken back, and gives the status.
    pub async fn transfer(&mut self, flow: &Flow, target: &Value) -> String {
        let told = self.ask(flow, "TransferCall", target.clone()).await;
        told.get("status").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

//! The other way round: an office asks AWS to move a caller whom it has, to write down what his
//! contact is to know, and to call somebody.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::deliver::{DeliverError, Refusal};
use crate::sdk::Sdk;

/// Waits before the next attempt; whoever asks bounds them all.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];
/// What one attempt may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// AWS, as a desk asks it.
#[derive(Debug, Clone)]
pub struct Desk(Sdk);

/// A call that the cloud is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// `SipMediaApplicationId`.
    pub application: String,
    /// `FromPhoneNumber`, E.164.
    pub from: String,
    /// `ToPhoneNumber`, E.164.
    pub to: String,
    /// `SipHeaders`, at most twenty.
    pub headers: BTreeMap<String, String>,
    /// `ArgumentsMap`, at most twenty.
    pub arguments: BTreeMap<String, String>,
}

impl Desk {
    /// With credentials and addresses.
    #[must_use]
    pub fn new(sdk: Sdk) -> Self {
        Self(sdk)
    }

    /// `UpdateSipMediaApplicationCall`. It may be told twice: the application takes the second one
    /// for the first.
    ///
    /// # Errors
    /// AWS says no, or nothing.
    pub async fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: &BTreeMap<String, String>,
    ) -> Result<(), DeliverError> {
        let what = json!({
            "SipMediaApplicationId": application, "TransactionId": transaction,
            "Arguments": arguments
        });
        self.repeatedly("chimesdkvoice", "updateSipMediaApplicationCall", &what).await
    }

    /// `UpdateContactAttributes`. Written twice they are the same.
    ///
    /// # Errors
    /// AWS says no, or nothing.
    pub async fn attributes(
        &self,
        instance: &str,
        contact: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), DeliverError> {
        let what = json!({
            "InstanceId": instance, "InitialContactId": contact, "Attributes": attributes
        });
        self.repeatedly("connect", "updateContactAttributes", &what).await
    }

    /// `CreateSipMediaApplicationCall`: the transaction's id. Asked once: whoever is not answered
    /// may have made a call all the same.
    ///
    /// # Errors
    /// AWS says no, or nothing within four seconds.
    pub async fn create(&self, call: &Begin) -> Result<String, DeliverError> {
        let mut what = json!({
            "SipMediaApplicationId": call.application, "FromPhoneNumber": call.from,
            "ToPhoneNumber": call.to
        });
        for (name, pairs) in [("SipHeaders", &call.headers), ("ArgumentsMap", &call.arguments)] {
            if !pairs.is_empty() {
                what[name] = json!(pairs);
            }
        }
        let answer = self.once("chimesdkvoice", "createSipMediaApplicationCall", &what).await?;
        let id = answer.pointer("/SipMediaApplicationCall/TransactionId").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| DeliverError {
            refusal: Refusal::Unavailable,
            words: "the answer names no transaction".to_owned(),
        })
    }

    async fn repeatedly(
        &self,
        service: &str,
        action: &str,
        what: &Value,
    ) -> Result<(), DeliverError> {
        let mut pauses = PAUSES.iter();
        loop {
            let Err(error) = self.once(service, action, what).await else { return Ok(()) };
            match pauses.next() {
                Some(pause) if error.refusal == Refusal::Unavailable => {
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once(&self, service: &str, action: &str, what: &Value) -> Result<Value, DeliverError> {
        match tokio::time::timeout(PATIENCE, self.0.call(service, action, what)).await {
            Ok(answer) => answer.map_err(|error| DeliverError::of(&error)),
            Err(_) => Err(DeliverError {
                refusal: Refusal::Unavailable,
                words: format!("no answer within {} s", PATIENCE.as_secs()),
            }),
        }
    }
}

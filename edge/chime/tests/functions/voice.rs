//! chime-sdk-voice, as far as updates go: requests are held against the API's model, signatures
//! are checked, and the test says which calls there are.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::web::{Asked, Says, Web};
use crate::{KEY, SECRET};

/// An update that was accepted: application, call, arguments.
pub type Accepted = (String, String, Value);

pub struct Voice {
    web: Web,
    calls: Arc<Mutex<Vec<String>>>,
    accepted: Arc<Mutex<Vec<Accepted>>>,
}

impl Voice {
    pub fn start() -> Self {
        let (calls, accepted) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (known, log) = (Arc::clone(&calls), Arc::clone(&accepted));
        let web = Web::start(move |asked| answer(&asked, &known.lock().unwrap(), &log));
        Self { web, calls, accepted }
    }

    pub fn url(&self) -> String {
        self.web.url()
    }

    /// There is such a call.
    pub fn call(&self, transaction: &str) {
        self.calls.lock().unwrap().push(transaction.to_owned());
    }

    pub fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().unwrap().clone()
    }
}

fn refused(status: u16, kind: &str, message: &str) -> Says {
    Says::json(status, &json!({"Code": kind.trim_end_matches("Exception"), "Message": message}))
        .with("x-amzn-errortype", kind)
}

fn answer(asked: &Asked, calls: &[String], log: &Mutex<Vec<Accepted>>) -> Says {
    if let Err(error) = asked.signed("chime", Timestamp::now(), (KEY, SECRET)) {
        return refused(403, error.name(), &error.to_string());
    }
    let parts: Vec<&str> = asked.path.split('/').collect();
    let ["", "sip-media-applications", application, "calls", transaction] = parts[..] else {
        return refused(404, "NotFoundException", "no such operation");
    };
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let members = body.as_object().map(|body| body.keys().cloned().collect::<Vec<_>>());
    let arguments = body["Arguments"].as_object();
    let fits = members.is_some_and(|names| names == ["Arguments"])
        && arguments.is_some_and(|map| map.len() <= 20 && map.values().all(Value::is_string));
    if asked.method != "POST" || !asked.query.is_empty() || !fits {
        return refused(400, "BadRequestException", "this is not the model's request");
    }
    if !calls.iter().any(|call| call == transaction) {
        return refused(404, "NotFoundException", "Transaction not found");
    }
    let accepted = (application.to_owned(), transaction.to_owned(), body["Arguments"].clone());
    log.lock().unwrap().push(accepted);
    Says::json(202, &json!({"SipMediaApplicationCall": {"TransactionId": transaction}}))
}

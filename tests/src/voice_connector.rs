//! Amazon Chime SDK Voice as far as the settings of a Voice Connector go, with the services that
//! tell an account and its quotas, behind signatures that are checked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::web::{Asked, Says, Web};

/// The access key that it takes.
pub const KEY: &str = "AKIAVOICETEST";
/// Its secret.
pub const SECRET: &str = "secret-of-the-voice-server-of-tests";

/// The connector that there is.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its id.
    pub id: String,
    /// `RequireEncryption`.
    pub encrypted: bool,
    /// `Origination`; null: not set up.
    pub origination: Value,
    /// `Termination`; null: not set up.
    pub termination: Value,
    /// `TerminationHealth`; null: AWS never saw OPTIONS.
    pub health: Value,
    /// User names of termination.
    pub usernames: Vec<String>,
    /// Its numbers.
    pub numbers: Vec<String>,
    /// Operations that the keys may not do, as in `chime:GetVoiceConnector`.
    pub denied: BTreeSet<String>,
}

/// The server.
pub struct VoiceServer {
    web: Web,
    inner: Arc<Mutex<Connector>>,
}

impl VoiceServer {
    /// With one connector.
    pub fn start(connector: Connector) -> Self {
        let inner = Arc::new(Mutex::new(connector));
        let shared = Arc::clone(&inner);
        Self { web: Web::start(move |asked| answer(&mut locked(&shared), &asked)), inner }
    }

    /// Where it is: `http://…`.
    pub fn url(&self) -> String {
        self.web.url()
    }

    /// What it has now, to look at and to change.
    pub fn connector(&self) -> MutexGuard<'_, Connector> {
        locked(&self.inner)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(status: u16, code: &str, message: &str) -> Says {
    Says::json(status, &json!({"Code": code, "Message": message})).with("x-amzn-errortype", code)
}

fn answer(connector: &mut Connector, asked: &Asked) -> Says {
    // As checkip.amazonaws.com.
    if asked.method == "GET" && asked.path == "/" {
        return Says::text(200, "text/plain", "198.51.100.20\n");
    }
    let target = asked.header("x-amz-target").unwrap_or_default().to_owned();
    let service = match asked.path.as_str() {
        "/" if target.starts_with("ServiceQuotas") => "servicequotas",
        "/" => "sts",
        _ => "chime",
    };
    if let Err(error) = asked.signed(service, Timestamp::now(), (KEY, SECRET)) {
        return refused(403, error.name(), &error.to_string());
    }
    match service {
        "servicequotas" => quotas(asked),
        "sts" => Says::text(
            200,
            "text/xml",
            "<GetCallerIdentityResponse><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::111122223333:user/office</Arn><UserId>AIDA</UserId>\
             <Account>111122223333</Account></GetCallerIdentityResult>\
             </GetCallerIdentityResponse>",
        ),
        _ => voice(connector, asked),
    }
}

/// Two pages, as long lists have them.
fn quotas(asked: &Asked) -> Says {
    let quota = |name: &str, value: f64| json!({"QuotaName": name, "Value": value});
    Says::json(
        200,
        &match asked.json()["NextToken"].as_str() {
            None => {
                json!({"NextToken": "2", "Quotas": [quota("Voice Connectors per account", 3.0)]})
            }
            Some(_) => json!({"Quotas": [quota("Voice Connector calls per second", 5.0)]}),
        },
    )
}

fn voice(connector: &mut Connector, asked: &Asked) -> Says {
    if asked.path == "/phone-numbers" {
        let of_it = format!("filter-value={}", connector.id);
        let numbers: Vec<Value> = match asked.query.contains(&of_it) {
            true => connector.numbers.iter().map(|n| json!({"E164PhoneNumber": n})).collect(),
            false => Vec::new(),
        };
        return Says::json(200, &json!({"PhoneNumbers": numbers}));
    }
    let own = format!("/voice-connectors/{}", connector.id);
    let Some(rest) = asked.path.strip_prefix(&own) else {
        return refused(404, "NotFoundException", "Voice Connector was not found");
    };
    let name = match rest {
        "" => "",
        "/origination" => "Origination",
        "/termination" => "Termination",
        "/termination/health" => "TerminationHealth",
        "/termination/credentials" => {
            return Says::json(200, &json!({"Usernames": connector.usernames}));
        }
        _ => return refused(404, "NotFoundException", "no such operation"),
    };
    let verb = match asked.method.as_str() {
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "Get",
    };
    let action = format!("chime:{verb}VoiceConnector{name}");
    if connector.denied.contains(&action) {
        let words = format!("User is not authorized to perform: {action}");
        return refused(403, "AccessDeniedException", &words);
    }
    if name.is_empty() {
        let told = json!({"VoiceConnectorId": connector.id, "Name": "office",
                          "RequireEncryption": connector.encrypted});
        return Says::json(200, &json!({"VoiceConnector": told}));
    }
    let slot = match name {
        "Origination" => &mut connector.origination,
        "Termination" => &mut connector.termination,
        _ => &mut connector.health,
    };
    match verb {
        "Put" => {
            *slot = asked.json()[name].clone();
            // What a request leaves out has a value all the same.
            if name == "Termination" && slot["CpsLimit"].is_null() {
                slot["CpsLimit"] = json!(1);
            }
        }
        "Delete" => {
            *slot = Value::Null;
            return Says::no_content();
        }
        _ if slot.is_null() => {
            return refused(404, "NotFoundException", &format!("{name} was not found"));
        }
        _ => {}
    }
    Says::json(200, &json!({name: slot}))
}

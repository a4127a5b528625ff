//! What a connector lacks: pure, from the configuration and from what AWS has.

use std::net::IpAddr;

use offhook_chime::TaskError;
use offhook_config::{Config, Trunk};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::doctor::facts::{Asked, Facts, TrunkFacts, region_of};
use crate::doctor::routes::routes;
use crate::doctor::{is_allowed, leads_to};

/// Routes that a connector may have (Amazon Chime SDK API, `Origination`).
const MOST_ROUTES: usize = 20;

/// Which settings of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Setting {
    /// Calls to the office.
    Origination,
    /// Calls from the office.
    Termination,
}

impl Setting {
    /// As a member of AWS's requests and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Origination => "Origination",
            Self::Termination => "Termination",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The trunk's name.
    pub trunk: String,
    /// Where the connector is.
    pub region: String,
    /// Its id.
    pub connector: String,
    /// What changes.
    pub setting: Setting,
    /// As AWS has it; `None`: it is not set up.
    pub before: Option<Value>,
    /// As it will be.
    pub after: Value,
    /// What that means.
    #[serde(skip)]
    pub words: Vec<String>,
}

/// What the operator said.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// Countries that may be called.
    pub countries: Vec<String>,
    /// Routes to other machines go.
    pub only: bool,
}

/// What one connector lacks.
///
/// # Errors
/// In words: something is not known, or cannot be decided here.
pub(super) fn plan(
    config: &Config,
    facts: &Facts,
    trunk: &Trunk,
    wishes: &Wishes,
) -> Result<Vec<Change>, String> {
    let nothing = TrunkFacts::default();
    let of_it = facts.trunks.get(&trunk.name).unwrap_or(&nothing);
    let connector = of_it.id.clone().ok_or_else(|| {
        format!("{} is not the outbound host name of a Voice Connector", trunk.host)
    })?;
    let public = facts
        .public(config)
        .ok_or("the public address of this machine is not known: name it with --public-address")?;
    let change = |setting, before, (after, words)| Change {
        trunk: trunk.name.clone(),
        region: region_of(trunk).to_owned(),
        connector: connector.clone(),
        setting,
        before,
        after,
        words,
    };
    let encrypted = match there(of_it.connector.as_ref(), "VoiceConnector")? {
        Some(answer) => answer["RequireEncryption"].as_bool(),
        None => return Err(format!("the account has no connector {connector}")),
    };
    let mut changes = Vec::new();
    let before = there(of_it.origination.as_ref(), "Origination")?;
    let wanted = routes(config, encrypted);
    let planned = origination(facts, before.as_ref(), public, &wanted, wishes)?;
    changes.extend(planned.map(|planned| change(Setting::Origination, before, planned)));
    if trunk.outbound {
        let before = there(of_it.termination.as_ref(), "Termination")?;
        let planned = termination(before.as_ref(), public, wishes)?;
        changes.extend(planned.map(|planned| change(Setting::Termination, before, planned)));
    }
    Ok(changes)
}

/// What AWS has; `None`: nothing.
fn there(asked: Option<&Asked>, name: &str) -> Result<Option<Value>, String> {
    match asked {
        Some(Ok(answer)) => Ok(answer.get(name).filter(|value| !value.is_null()).cloned()),
        Some(Err(TaskError { error, .. })) if error.contains("NotFound") => Ok(None),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("AWS could not be asked".to_owned()),
    }
}

type Planned = Option<(Value, Vec<String>)>;

fn origination(
    facts: &Facts,
    before: Option<&Value>,
    public: IpAddr,
    wanted: &[(u16, &str)],
    wishes: &Wishes,
) -> Result<Planned, String> {
    let listed = before.and_then(|before| before["Routes"].as_array());
    let all: Vec<Value> = listed.cloned().unwrap_or_default();
    let fits = |route: &Value| {
        let port = route["Port"].as_u64().unwrap_or(5060);
        let protocol = route["Protocol"].as_str().unwrap_or("UDP");
        leads_to(facts, route, public)
            && wanted.iter().any(|(known, p)| u64::from(*known) == port && *p == protocol)
    };
    let mut words = Vec::new();
    let is_ours = |route: &&Value| leads_to(facts, route, public);
    let (mut routes, others): (Vec<Value>, Vec<Value>) =
        all.iter().cloned().partition(|route| fits(route));
    let stay = |route: &Value| !wishes.only && !is_ours(&route);
    for gone in others.iter().filter(|route| !stay(route)) {
        words.push(format!("the route to {} goes", told(gone)));
    }
    let others: Vec<Value> = others.into_iter().filter(stay).collect();
    if routes.is_empty() {
        let (port, protocol) = wanted.first().ok_or(
            "no socket of this appliance can take the connector's calls: with encryption it \
             needs a [[listen]] with transport = \"tls\", without one with \"udp\" or \"tcp\"",
        )?;
        let last = others.iter().filter_map(|route| route["Priority"].as_u64()).max();
        let priority = last.map_or(1, |last| (last + 1).min(100));
        let route = json!({"Host": public.to_string(), "Port": port, "Protocol": protocol,
                           "Priority": priority, "Weight": 10});
        words.push(match last {
            None => format!("calls come to {}", told(&route)),
            Some(_) => format!(
                "calls that the other routes do not take come to {} (--only takes those away)",
                told(&route)
            ),
        });
        routes.push(route);
    }
    routes.extend(others);
    if routes.len() > MOST_ROUTES {
        return Err(format!("a connector has no room for more than {MOST_ROUTES} routes"));
    }
    if before.is_some_and(|before| before["Disabled"].as_bool() == Some(true)) {
        words.push("calls to the office are enabled".to_owned());
    }
    let after = json!({"Routes": routes, "Disabled": false});
    Ok((!words.is_empty()).then_some((after, words)))
}

/// `192.0.2.7:5060 over UDP`.
fn told(route: &Value) -> String {
    let text = |name: &str| match &route[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{}:{} over {}", text("Host"), text("Port"), text("Protocol"))
}

fn termination(before: Option<&Value>, public: IpAddr, wishes: &Wishes) -> Result<Planned, String> {
    let mut words = Vec::new();
    let list = |name: &str| -> Vec<String> {
        let listed = before.and_then(|before| before[name].as_array()).into_iter().flatten();
        listed.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut allowed = list("CidrAllowedList");
    if !is_allowed(&allowed.iter().map(String::as_str).collect::<Vec<_>>(), public) {
        let length = if public.is_ipv4() { 32 } else { 128 };
        allowed.push(format!("{public}/{length}"));
        words.push(format!("{public} may call out"));
    }
    let mut countries = list("CallingRegions");
    for country in &wishes.countries {
        let country = country.to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(format!("{country:?} is no country's two letters (ISO 3166-1)"));
        }
        if !countries.contains(&country) {
            words.push(format!("{country} may be called"));
            countries.push(country);
        }
    }
    if countries.is_empty() {
        return Err("the connector calls no country yet: name one with --country US".to_owned());
    }
    if before.is_some_and(|before| before["Disabled"].as_bool() == Some(true)) {
        words.push("calls from the office are enabled".to_owned());
    }
    let mut after = before.cloned().unwrap_or_else(|| json!({}));
    after["CidrAllowedList"] = json!(allowed);
    after["CallingRegions"] = json!(countries);
    after["Disabled"] = json!(false);
    Ok((!words.is_empty()).then_some((after, words)))
}

//! The connector as AWS has it, beside the trunk as the configuration has it.

use std::net::IpAddr;

use jiff::Timestamp;
use offhook_config::{Config, IpNet, Pattern, Srtp, Transport, Trunk};
use serde_json::Value;

use super::account::{list, refused};
use crate::doctor::facts::{Facts, TrunkFacts};
use crate::doctor::finding::Finding;

/// A check of health that is older than so many of our intervals did not come from us.
const MISSED_CHECKS: u32 = 10;

pub(super) fn judge(
    config: &Config,
    facts: &Facts,
    trunk: &Trunk,
    of_it: &TrunkFacts,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let encrypted = match &of_it.connector {
        None => return found,
        Some(Err(error)) if error.error.contains("NotFound") => {
            found.push(
                Finding::problem("connector", "the account has no connector of this name there")
                    .mend("check `host`, `region`, and whose keys [aws] has"),
            );
            return found;
        }
        Some(Err(error)) => {
            found.push(refused("connector", error, "chime:GetVoiceConnector"));
            None
        }
        Some(Ok(answer)) => answer["VoiceConnector"]["RequireEncryption"].as_bool(),
    };
    found.extend(encrypted.map(|required| encryption(trunk, required)));
    match &of_it.origination {
        Some(Ok(answer)) => found.extend(origination(config, facts, answer, encrypted)),
        Some(Err(error)) if error.error.contains("NotFound") => {
            found.extend(origination(config, facts, &Value::Null, encrypted));
        }
        Some(Err(error)) => {
            found.push(refused("origination", error, "chime:GetVoiceConnectorOrigination"));
        }
        None => {}
    }
    if trunk.outbound {
        found.extend(termination(config, facts, trunk, of_it));
    }
    match &of_it.numbers {
        Some(Ok(answer)) => found.extend(numbers(config, trunk, answer)),
        Some(Err(error)) => found.push(refused("numbers", error, "chime:ListPhoneNumbers")),
        None => {}
    }
    found
}

fn encryption(trunk: &Trunk, required: bool) -> Finding {
    let topic = "encryption";
    let tls = trunk.transport == Some(Transport::Tls);
    match (required, tls) {
        (true, false) => Finding::problem(
            topic,
            "the connector requires TLS and SRTP; calls out over UDP or TCP are blocked",
        )
        .mend("transport = \"tls\" in the trunk, or turn off encryption at the connector"),
        (true, true) if trunk.srtp == Srtp::Off => {
            Finding::problem(topic, "the connector requires SRTP, and srtp = \"off\" refuses it")
                .mend("srtp = \"required\" in the trunk")
        }
        (true, true) => Finding::good(topic, "TLS and SRTP on both sides"),
        (false, true) => {
            Finding::problem(topic, "the trunk uses TLS, and the connector is without encryption")
                .mend("turn on encryption at the connector, or transport = \"udp\" in the trunk")
        }
        (false, false) => {
            Finding::warning(topic, "signalling and speech cross the internet in the clear")
                .mend("turn on encryption at the connector, and transport = \"tls\" in the trunk")
        }
    }
}

fn origination(
    config: &Config,
    facts: &Facts,
    answer: &Value,
    encrypted: Option<bool>,
) -> Vec<Finding> {
    let topic = "origination";
    let listeners = crate::doctor::routes::routes(config, encrypted);
    let mend = "offhook chime setup shows, and makes, the route that is needed";
    if answer["Origination"]["Disabled"].as_bool() == Some(true) {
        return vec![Finding::problem(topic, "is disabled: no call comes in").mend(mend)];
    }
    let routes = list(answer, "Origination", "Routes");
    let Some(public) = facts.public(config) else {
        return vec![Finding::unknown(topic, "where calls should go is not known")];
    };
    let ours: Vec<&&Value> = routes.iter().filter(|route| leads_to(facts, route, public)).collect();
    if ours.is_empty() {
        let hosts = routes.iter().map(|route| route["Host"].as_str().unwrap_or("?"));
        let hosts = hosts.collect::<Vec<_>>().join(", ");
        let words = match hosts.as_str() {
            "" => "there is no route: no call comes in".to_owned(),
            hosts => format!("no route leads to {public}; they lead to {hosts}"),
        };
        return vec![Finding::problem(topic, words).mend(mend)];
    }
    let mut found = Vec::new();
    for route in ours {
        let port = route["Port"].as_u64().unwrap_or(5060);
        let protocol = route["Protocol"].as_str().unwrap_or("UDP");
        let heard = listeners.iter().any(|(known, p)| u64::from(*known) == port && *p == protocol);
        found.push(if heard {
            Finding::good(topic, format!("a route leads to {public}:{port} over {protocol}"))
        } else {
            let words = format!(
                "a route leads to port {port} over {protocol}, where nothing of \
                                 this appliance listens"
            );
            Finding::problem(topic, words).mend(format!(
                "{mend}; or add a [[listen]]; where the router maps ports, see that it maps this \
                 one"
            ))
        });
    }
    found
}

/// Whether a route's host is this address.
pub(crate) fn leads_to(facts: &Facts, route: &Value, public: IpAddr) -> bool {
    let Some(host) = route["Host"].as_str() else { return false };
    host.parse() == Ok(public)
        || matches!(facts.names.get(host), Some(Ok(found)) if found.contains(&public))
}

fn termination(config: &Config, facts: &Facts, trunk: &Trunk, of_it: &TrunkFacts) -> Vec<Finding> {
    let topic = "termination";
    let mut found = Vec::new();
    let answer = match &of_it.termination {
        Some(Ok(answer)) => answer,
        Some(Err(error)) if error.error.contains("NotFound") => {
            found.push(
                Finding::problem(topic, "is not set up: no call goes out")
                    .mend("offhook chime setup shows, and makes, what is needed"),
            );
            return found;
        }
        Some(Err(error)) => {
            return vec![refused(topic, error, "chime:GetVoiceConnectorTermination")];
        }
        None => return found,
    };
    let told = &answer["Termination"];
    let mend = "offhook chime setup shows, and makes, the change";
    if told["Disabled"].as_bool() == Some(true) {
        found.push(Finding::problem(topic, "is disabled: no call goes out").mend(mend));
    }
    let allowed = list(answer, "Termination", "CidrAllowedList");
    let allowed: Vec<&str> = allowed.into_iter().filter_map(Value::as_str).collect();
    match facts.public(config) {
        Some(public) if !is_allowed(&allowed, public) => found.push(
            Finding::problem(
                topic,
                format!("{public} is not on the list of allowed hosts ({})", allowed.join(", ")),
            )
            .mend(mend),
        ),
        Some(_) | None => {}
    }
    if list(answer, "Termination", "CallingRegions").is_empty() {
        found.push(
            Finding::problem(topic, "no country may be called")
                .mend("add calling plan countries to the connector's termination"),
        );
    }
    found.extend(credentials(trunk, of_it));
    if found.is_empty() {
        let pace = told["CpsLimit"].as_u64().unwrap_or(1);
        found.push(Finding::good(topic, format!("lets calls out, {pace} a second")));
    }
    found.extend(health(facts, config, trunk, of_it));
    found
}

/// Whether a list of networks has this address.
pub(crate) fn is_allowed(networks: &[&str], address: IpAddr) -> bool {
    networks
        .iter()
        .any(|network| network.parse::<IpNet>().is_ok_and(|network| network.contains(address)))
}

fn credentials(trunk: &Trunk, of_it: &TrunkFacts) -> Option<Finding> {
    let topic = "credentials";
    let answer = match of_it.credentials.as_ref()? {
        Ok(answer) => answer,
        Err(error) if error.error.contains("NotFound") => &Value::Null,
        Err(error) => {
            let action = "chime:ListVoiceConnectorTerminationCredentials";
            return Some(refused(topic, error, action));
        }
    };
    let listed = answer["Usernames"].as_array().into_iter().flatten();
    let known: Vec<&str> = listed.filter_map(Value::as_str).collect();
    let ours = trunk.credentials.as_ref().map(|ours| ours.username.as_str());
    match ours {
        None if known.is_empty() => None,
        None => Some(
            Finding::problem(topic, "the connector asks for a password, and the trunk has none")
                .mend("username and password_file in the trunk"),
        ),
        Some(name) if known.contains(&name) => None,
        Some(name) => Some(
            Finding::problem(topic, format!("the connector knows no user {name:?}"))
                .mend("add it to the connector's termination, or correct `username`"),
        ),
    }
}

/// The last OPTIONS that AWS counts as ours.
fn health(facts: &Facts, config: &Config, trunk: &Trunk, of_it: &TrunkFacts) -> Option<Finding> {
    let topic = "OPTIONS at AWS";
    let interval = trunk.options?;
    let told = match of_it.health.as_ref()? {
        Ok(answer) => &answer["TerminationHealth"],
        Err(error) if error.error.contains("NotFound") => &Value::Null,
        Err(error) => {
            let action = "chime:GetVoiceConnectorTerminationHealth";
            return Some(refused(topic, error, action));
        }
    };
    let mend = "see the connection and OPTIONS above, and the list of allowed hosts";
    let Some(last) = told["Timestamp"].as_str().and_then(|at| at.parse::<Timestamp>().ok()) else {
        return Some(Finding::problem(topic, "AWS never saw any").mend(mend));
    };
    let source = told["Source"].as_str().unwrap_or("?");
    let age = facts.now.duration_since(last);
    let words = format!("the last came {} s ago from {source}", age.as_secs().max(0));
    let long =
        age.as_secs() > i64::try_from((interval * MISSED_CHECKS).as_secs()).unwrap_or(i64::MAX);
    let other = match (source.parse::<IpAddr>(), facts.public(config)) {
        (Ok(source), Some(public)) => source != public,
        _ => false,
    };
    Some(match (long, other) {
        (true, _) => Finding::problem(topic, words).mend(mend),
        (false, true) => Finding::warning(topic, format!("{words}, not from this machine"))
            .mend("is another machine the office's, or does this one have a second address?"),
        (false, false) => Finding::good(topic, words),
    })
}

fn numbers(config: &Config, trunk: &Trunk, answer: &Value) -> Vec<Finding> {
    let topic = "numbers";
    let owned: Vec<&str> = answer["PhoneNumbers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|number| number["E164PhoneNumber"].as_str())
        .collect();
    let mut found = Vec::new();
    for number in &owned {
        let routed = config.numbers.iter().any(|rule| rule.pattern.rank(number).is_some())
            || config.numbers.iter().any(|rule| {
                matches!(&rule.pattern, Pattern::Exact(own) if own.strip_prefix('+') == Some(number))
            });
        if !routed {
            found.push(
                Finding::problem(topic, format!("nobody answers {number}: callers get 404"))
                    .mend(format!("a [[number]] with match = \"{number}\"")),
            );
        }
    }
    for caller in trunk.caller_id.iter().chain(&trunk.numbers) {
        if !owned.contains(&caller.as_str()) {
            found.push(
                Finding::problem(
                    topic,
                    format!("{caller} is not the connector's own: calls from it get 403"),
                )
                .mend("assign it to the connector, or show one of its own numbers"),
            );
        }
    }
    if owned.is_empty() {
        let words = "none is assigned to the connector itself";
        found.push(
            Finding::warning(topic, words).mend(
                "fine when calls come from a SIP media application or from Amazon Connect only",
            ),
        );
    } else if found.is_empty() {
        found.push(Finding::good(topic, format!("{} lead here", owned.join(", "))));
    }
    found
}

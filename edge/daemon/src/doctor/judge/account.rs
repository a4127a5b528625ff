//! The account: access keys, permissions, quotas.

use offhook_chime::TaskError;
use offhook_config::Config;
use serde_json::Value;

use crate::doctor::facts::{Asked, Facts, connectors};
use crate::doctor::finding::Finding;

/// What AWS gives an account that asked for no more (AWS General Reference, "Amazon Chime SDK").
const CALLS_A_SECOND: f64 = 1.0;

pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Finding> {
    if connectors(config).next().is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(identity(config, facts));
    found.extend(facts.quotas.as_ref().map(quotas));
    found
}

fn identity(config: &Config, facts: &Facts) -> Option<Finding> {
    let topic = "access keys";
    let answer = match facts.identity.as_ref()? {
        Ok(answer) => answer,
        Err(error) => {
            let mend = "[aws] access_key and secret_key_file, or profile; docs/applications.md \
                        says where else keys are looked for";
            return Some(Finding::problem(topic, error.cause.clone()).mend(mend));
        }
    };
    let text = |name: &str| answer[name].as_str().unwrap_or("?");
    let (account, said) = (text("Account"), &config.aws.account);
    // As long as nobody wrote one it is a placeholder.
    if *said != offhook_config::Aws::default().account && said != account {
        let words = format!("[aws] account is {said}, the keys are of {account}");
        return Some(Finding::warning(topic, words).mend("name the account of the keys"));
    }
    Some(Finding::good(topic, format!("{} of account {account}", text("Arn"))))
}

fn quotas(asked: &Asked) -> Finding {
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return refused("quotas", error, "servicequotas:ListServiceQuotas"),
    };
    let list = answer["Quotas"].as_array().into_iter().flatten();
    let about: Vec<(&str, f64)> = list
        .filter_map(|quota| Some((quota["QuotaName"].as_str()?, quota["Value"].as_f64()?)))
        .filter(|(name, _)| name.contains("Voice Connector") || name.contains("SIP media"))
        .collect();
    let told = about.iter().map(|(name, value)| format!("{name} {value}"));
    let told = told.collect::<Vec<_>>().join("; ");
    let slow = |(name, value): &(&str, f64)| {
        name.to_ascii_lowercase().contains("per second") && *value <= CALLS_A_SECOND
    };
    if about.iter().any(slow) {
        return Finding::warning("quotas", told)
            .mend("one call a second is little for an office: ask for more (Service Quotas)");
    }
    let told = if told.is_empty() { "none of Voice Connector is listed".to_owned() } else { told };
    Finding::good("quotas", told)
}

/// A question that AWS did not answer: the permission is missing, or something else.
pub(super) fn refused(topic: &'static str, error: &TaskError, action: &str) -> Finding {
    let denied = ["AccessDenied", "Forbidden", "Unauthorized", "NotAuthorized"];
    if denied.iter().any(|word| error.error.contains(word)) {
        return Finding::unknown(topic, format!("the keys may not look: {}", error.cause))
            .mend(format!("let the keys' user or role do {action}"));
    }
    Finding::unknown(topic, format!("{}: {}", error.error, error.cause))
}

/// A member of an answer's one member: `Origination.Routes`.
pub(super) fn list<'a>(answer: &'a Value, of: &str, name: &str) -> Vec<&'a Value> {
    answer[of][name].as_array().into_iter().flatten().collect()
}

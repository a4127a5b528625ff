//! What was sent along with a call: who calls by name, Connect's queue, and attributes. Pure.
//!
//! > All of it comes from outside, and is asked for only where that may be believed. It is bounded,
//! > and nothing in it may end a line.

use std::collections::BTreeMap;

use offhook_config::Config;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sma::user_to_user;
use serde_json::Value;

use super::identity::{Caller, Source};

/// Attributes of one call, and octets of one of them and of all.
const MOST: usize = 32;
const MOST_VALUE: usize = 1024;
const MOST_OCTETS: usize = 8 << 10;
/// Characters of a name on a display.
const MOST_DISPLAY: usize = 64;
/// Headers that are no attributes: they are told elsewhere, or are a carrier's own.
const NOT_TOLD: [&str; 6] =
    ["x-amzn", "x-vine", "x-vc", "x-voice", "x-sma-max-forwards", "x-original-calling-number"];
/// Where the queue's name may stand: headers, and members of User-to-User.
const QUEUE: [&str; 5] = ["X-Connect-Queue", "X-Queue", "QueueName", "Queue", "queue"];

/// What was sent along, by name: `X-…` headers, and the members of a User-to-User that is a JSON
/// object (RFC 7433; as Amazon Connect's external transfer sends it). Of two of one name the later
/// one counts.
pub(super) fn attributes<'a>(
    parts: impl IntoIterator<Item = &'a Headers>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for headers in parts {
        for header in headers {
            let value = header.value.to_text();
            match &header.name {
                HeaderName::UserToUser => match object(&value) {
                    Some(members) => all.extend(members),
                    None => drop(all.insert("User-to-User".to_owned(), plain(&value))),
                },
                HeaderName::Other(name) if is_told(name) => {
                    all.insert(name.to_string(), plain(&value));
                }
                _ => {}
            }
        }
    }
    let mut octets = 0;
    all.retain(|name, value| {
        octets += name.len() + value.len();
        !value.is_empty() && value.len() <= MOST_VALUE && octets <= MOST_OCTETS
    });
    while all.len() > MOST {
        all.pop_last();
    }
    all
}

fn is_told(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("x-") && !NOT_TOLD.iter().any(|start| lower.starts_with(start))
}

/// The members of the JSON object in a User-to-User, texts and numbers.
fn object(value: &str) -> Option<BTreeMap<String, String>> {
    let members = user_to_user::members(value)?;
    let text = |value: &Value| match value {
        Value::String(text) => Some(plain(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    Some(members.iter().filter_map(|(name, value)| Some((plain(name), text(value)?))).collect())
}

fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).collect()
}

/// Connect's queue.
pub(super) fn queue(attributes: &BTreeMap<String, String>) -> Option<&str> {
    let named = |wanted: &&str| {
        let mut all = attributes.iter();
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    };
    QUEUE.iter().find_map(named)
}

/// The name for a phone's display: the phonebook's for the number that is shown, else what the call
/// says of itself; with the queue behind it.
pub(super) fn display(config: &Config, caller: &Caller, queue: Option<&str>) -> Option<String> {
    if caller.is_hidden() {
        return None;
    }
    let known = match (&caller.source, &caller.original) {
        // A phone's account has its name.
        (Source::Phone(_), None) => None,
        _ => config.phonebook.name_of(&config.dialplan, caller.shown()),
    };
    let name = known.or_else(|| caller.shown_name());
    let whole = match (name, queue) {
        (None, None) => return None,
        (Some(name), None) => plain(name),
        (name, Some(queue)) => {
            format!("{} ({})", plain(name.unwrap_or(caller.shown())), plain(queue))
        }
    };
    let cut: String = whole.chars().take(MOST_DISPLAY).collect();
    (!cut.is_empty()).then_some(cut)
}

#[cfg(test)]
mod tests;

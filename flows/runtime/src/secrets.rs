//! What must not be read in a history: a caller's PIN, a password.
//!
//! A value is a secret when it was received as digits in a state, or given to a task or a variable,
//! whose name says so; see [`is_secret_state`] and [`is_secret_name`]. It is masked in everything that is kept of its
//! execution from then on. The execution itself goes on with it.

use offhook_asl::history::{Details, Event, EventId};
use offhook_asl::json::Text;
use offhook_asl::machine::Machine;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Words that say it, alone or as a part of `askForPin`, `customer_pin`, `Check the PIN`.
const WORDS: [&str; 8] =
    ["pin", "pins", "pincode", "passcode", "password", "passphrase", "secret", "cvv"];
/// What stands in a secret's place.
pub const MASK: &str = "****";
/// A shorter secret is masked only where it is the whole value: "1" is in every number.
const SHORTEST_PART: usize = 4;
/// Secrets of one execution.
const MOST: usize = 256;
/// The member of an event's `ActionData` that holds digits.
const DIGITS: &str = "ReceivedDigits";

/// Words that may follow one of them in the name of a value.
const TAILS: [&str; 4] = ["code", "digits", "number", "value"];

fn is_word(word: &str, of: &[&str]) -> bool {
    of.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether the name of a state, or its comment, says that its caller gives a secret.
pub fn is_secret_state(text: &str) -> bool {
    speaks_of_secrets(text) && words(text).any(|word| is_word(word, &WORDS))
}

/// Whether the name of a value says that it is a secret: `Pin`, `customerPinCode`; not `PinTries`.
pub fn is_secret_name(text: &str) -> bool {
    if !speaks_of_secrets(text) {
        return false;
    }
    let words: Vec<&str> = words(text).collect();
    match words.as_slice() {
        [.., before, last] if is_word(last, &TAILS) => is_word(before, &WORDS),
        [.., last] => is_word(last, &WORDS),
        [] => false,
    }
}

/// Words of a text, those of `camelCase` and `ABCWord` too.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic()).flat_map(|word| {
        let bytes = word.as_bytes();
        let upper = |n: usize| bytes.get(n).is_some_and(u8::is_ascii_uppercase);
        let lower = |n: usize| bytes.get(n).is_some_and(u8::is_ascii_lowercase);
        let begins = |n: &usize| *n == 0 || (upper(*n) && (lower(n - 1) || lower(n + 1)));
        let starts: Vec<usize> = (0..bytes.len()).filter(begins).collect();
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]).collect::<Vec<_>>();
        starts.into_iter().zip(ends).filter_map(|(start, end)| word.get(start..end))
    })
}

/// The secrets of one execution. They are kept with its snapshot: its history, being masked, does
/// not tell them again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Secrets {
    values: Values,
    /// The state of the newest event of each branch.
    states: HashMap<EventId, String>,
}

impl Secrets {
    /// Learns from events, in their order.
    pub(crate) fn learn(&mut self, machine: &Machine, events: &[Event]) {
        let mut seen = Seen::new();
        for event in events {
            let before = self.states.remove(&event.previous_event_id);
            let state = match &event.details {
                Some(Details::StateEntered(entered)) => Some(entered.name.clone()),
                _ => before,
            };
            let marked = state.as_deref().is_some_and(|state| {
                let comment = machine.state_comment(state);
                is_secret_state(state) || comment.is_some_and(is_secret_state)
            });
            self.values.look(event, marked, &mut seen);
            if let Some(state) = state {
                self.states.insert(event.id, state);
            }
        }
    }

    /// What is to be masked.
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }
}

/// Values whose texts were looked at, for digits or not. They stay as long as their events.
type Seen = HashSet<(usize, bool)>;

/// Values to be masked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Values(Vec<String>);

impl Values {
    /// All digits that callers gave in these events.
    pub fn digits_of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut values = Self::default();
        let mut seen = Seen::new();
        events.into_iter().for_each(|event| values.look(event, true, &mut seen));
        values
    }

    /// Looks at the texts of an event; not at one of a value whose text was `seen`.
    fn look(&mut self, event: &Event, digits: bool, seen: &mut Seen) {
        let mut text = |text: &Text| {
            let new = text.address().is_none_or(|address| seen.insert((address, digits)));
            if new
                && ((digits && text.contains(DIGITS)) || speaks_of_secrets(text))
                && let Some(value) = text.value()
            {
                self.find(&value, digits);
            }
        };
        match &event.details {
            Some(Details::TaskSucceeded(task)) => text(&task.output),
            Some(Details::TaskScheduled(task)) => text(&task.parameters),
            Some(Details::LambdaFunctionScheduled(task)) => text(&task.input),
            Some(Details::ExecutionStarted(started)) => text(&started.input),
            Some(Details::StateExited(exited)) => {
                text(&exited.output);
                let variables = exited.assigned_variables.iter().flat_map(|assigned| &assigned.0);
                for (_, text) in variables.filter(|(name, _)| is_secret_name(name)) {
                    match text.value() {
                        Some(value) => self.add_value(&value),
                        None => self.add(text),
                    }
                }
            }
            _ => {}
        }
    }

    fn find(&mut self, value: &Value, digits: bool) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if (digits && name == DIGITS) || is_secret_name(name) {
                        self.add_value(value);
                    }
                    self.find(value, digits);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.find(value, digits)),
            // A message's body, a function's payload.
            Value::String(text) if text.starts_with('{') => {
                if let Ok(inner @ Value::Object(_)) = serde_json::from_str(text) {
                    self.find(&inner, digits);
                }
            }
            _ => {}
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Number(number) if number.to_string().len() >= SHORTEST_PART => {
                self.add(&number.to_string());
            }
            _ => {}
        }
    }

    fn add(&mut self, text: &str) {
        let known = text.is_empty() || text == MASK || self.0.iter().any(|value| value == text);
        if !known && self.0.len() < MOST {
            self.0.push(text.to_owned());
            // Of two that begin alike the longer is masked first.
            self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
        }
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text with them masked; one that is JSON stays JSON.
    pub fn mask_text(&self, text: &str) -> String {
        if !self.0.iter().any(|value| text.contains(value.as_str())) {
            return text.to_owned();
        }
        if self.0.iter().any(|value| text == value) {
            return MASK.to_owned();
        }
        if text.starts_with(['{', '[', '"'])
            && let Ok(inner) = serde_json::from_str(text)
        {
            return self.mask(inner).to_string();
        }
        let long = self.0.iter().filter(|value| value.len() >= SHORTEST_PART);
        long.fold(text.to_owned(), |text, value| text.replace(value.as_str(), MASK))
    }

    /// A value with them masked.
    pub fn mask(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask_text(&text)),
            Value::Number(number) => {
                let text = number.to_string();
                let secret = self.0.iter().any(|v| v.len() >= SHORTEST_PART && *v == text);
                if secret { Value::String(MASK.to_owned()) } else { Value::Number(number) }
            }
            Value::Array(list) => list.into_iter().map(|value| self.mask(value)).collect(),
            Value::Object(members) => {
                let masked = members.into_iter().map(|(name, value)| {
                    // Times and numbers of AWS's form hold no secret, and must stay what they are.
                    let kept = matches!(name.as_str(), "id" | "previousEventId" | "timestamp");
                    (name, if kept { value } else { self.mask(value) })
                });
                Value::Object(masked.collect::<Map<_, _>>())
            }
            other => other,
        }
    }
}

/// Whether a text can have a member of such a name: most have none, and are not read.
fn speaks_of_secrets(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = |byte: &u8| matches!(byte, b'c' | b'C' | b'p' | b'P' | b's' | b'S');
    let at = |start: usize, word: &str| {
        let part = bytes.get(start..start + word.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| begins(byte));
    starts.map(|(start, _)| start).any(|start| WORDS.iter().any(|word| at(start, word)))
}

#[cfg(test)]
mod tests;

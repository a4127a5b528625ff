//! Actions that a workflow hands over to its call in a message (`sqs:sendMessage`): what of them is
//! written out is checked before a caller hears what is wrong with it.
//!
//! > Only what stands there is judged. What an expression or a path will put in its place
//! > (`"Text.$"`, `"{% … %}"`, `"${Number}"`) is taken to be right, and where too much hangs on it
//! > nothing is said.
//!
//! All of it are warnings: a message may be for something else than a call.

mod fill;

use offhook_asl::machine::{Code, Positions, Problem, Severity, escape, nearest, placeholder};
use offhook_sma::Reply;
use offhook_sma::action::{KNOWN_ACTIONS, parameters};
use offhook_sma::reply::MAX_ACTIONS;
use serde_json::{Map, Value, json};

/// What is wrong with the actions in a definition, in the order in which they stand there. Nothing
/// of a text that is no JSON.
#[must_use]
pub fn mistakes(definition: &str) -> Vec<Problem> {
    let Ok(value) = serde_json::from_str(definition) else { return Vec::new() };
    let mut check = Check { places: Positions::of(definition), found: Vec::new() };
    check.search(&value, "");
    check.found
}

struct Check {
    places: Positions,
    found: Vec<Problem>,
}

impl Check {
    /// Recursion is bounded: `serde_json` refuses what is deeper than 128.
    fn search(&mut self, value: &Value, at: &str) {
        match value {
            Value::Object(members) => {
                if let Some((key, body)) = message(members) {
                    self.message(body, &format!("{at}/{key}/MessageBody"));
                }
                for (key, member) in members {
                    self.search(member, &format!("{at}/{}", escape(key)));
                }
            }
            Value::Array(list) => {
                for (n, item) in list.iter().enumerate() {
                    self.search(item, &format!("{at}/{n}"));
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, body: &Value, at: &str) {
        let parsed;
        let body = match body {
            Value::String(text) if !is_expression(text) => {
                let Ok(value) = serde_json::from_str::<Value>(text) else { return };
                parsed = value;
                &parsed
            }
            other => other,
        };
        let actions = match body.get("Actions") {
            Some(Value::Array(actions)) => actions,
            Some(other) => return self.no_list(body, other, at),
            None => return,
        };
        let kind = |action: &Value| action.get("Type").and_then(Value::as_str).map(str::to_owned);
        let known = |action: &Value| kind(action).is_some_and(|kind| is_action(&kind));
        if body.get("SchemaVersion").is_none() && !actions.iter().any(known) {
            return;
        }
        self.version(body, at);
        if actions.len() > MAX_ACTIONS {
            let text = format!("{} actions: a call takes {MAX_ACTIONS} at once", actions.len());
            self.warn(&format!("{at}/Actions"), text, None);
        }
        for (n, action) in actions.iter().enumerate() {
            self.action(action, &format!("{at}/Actions/{n}"));
        }
    }

    /// `Actions` that are none: of one action the brackets are forgotten.
    fn no_list(&mut self, body: &Value, actions: &Value, at: &str) {
        let kind = actions.get("Type").and_then(Value::as_str);
        if body.get("SchemaVersion").is_none() && !kind.is_some_and(is_action) {
            return;
        }
        let is_open = actions.as_str().is_some_and(is_open_text);
        let message = json!({"SchemaVersion": offhook_sma::SCHEMA_VERSION, "Actions": actions});
        if !is_open && Reply::read(message).is_err() {
            let write = kind.map(|_| "write `[` and `]` around it".to_owned());
            let text = "Actions is no list: the call ends".to_owned();
            self.warn(&format!("{at}/Actions"), text, write);
        }
    }

    fn version(&mut self, body: &Value, at: &str) {
        let good = match body.get("SchemaVersion") {
            Some(Value::String(text)) => text == offhook_sma::SCHEMA_VERSION || is_open_text(text),
            Some(_) => false,
            None => body.get("SchemaVersion.$").is_some(),
        };
        if !good {
            let text = "a message of another SchemaVersion ends the call".to_owned();
            let write = "write \"SchemaVersion\": \"1.0\"".to_owned();
            self.warn(&format!("{at}/SchemaVersion"), text, Some(write));
        }
    }

    fn action(&mut self, action: &Value, at: &str) {
        let members = match action {
            Value::Object(members) => members,
            Value::String(text) if is_open_text(text) => return,
            _ => return self.warn(at, "this is no action: the call ends".to_owned(), None),
        };
        let kind = match members.get("Type") {
            Some(Value::String(text)) if is_open_text(text) => return,
            Some(Value::String(kind)) => kind.as_str(),
            None if members.contains_key("Type.$") => return,
            _ => {
                let text = "an action without a Type: the call ends".to_owned();
                return self.warn(at, text, None);
            }
        };
        if !is_action(kind) {
            let text = format!("'{kind}' is no action: the call ends");
            let near = did_you_mean(kind, KNOWN_ACTIONS);
            return self.warn(&format!("{at}/Type"), text, near);
        }
        self.names(members, &["Type", "Parameters"], "an action", at);
        let empty = Map::new();
        let given = match members.get("Parameters") {
            Some(Value::Object(given)) => given,
            Some(Value::String(text)) if is_open_text(text) => return,
            None if members.contains_key("Parameters.$") => return,
            _ => &empty,
        };
        let at = format!("{at}/Parameters");
        self.names(given, parameters(kind), kind, &at);
        self.nested(given, &at);
        if let Some(error) = failure(kind, given) {
            self.warn(&at, format!("{kind} fails: {error}"), None);
        }
    }

    /// Objects within the parameters, of whose members the names are known too.
    fn nested(&mut self, given: &Map<String, Value>, at: &str) {
        for (key, value) in given {
            let (known, at) = (parameters(key), format!("{at}/{}", escape(key)));
            match value {
                Value::Object(members) if !known.is_empty() => {
                    self.names(members, known, key, &at);
                    self.nested(members, &at);
                }
                Value::Array(list) if !known.is_empty() => {
                    for (n, members) in list.iter().enumerate() {
                        let Value::Object(members) = members else { continue };
                        self.names(members, known, key, &format!("{at}/{n}"));
                    }
                }
                _ => {}
            }
        }
    }

    fn names(&mut self, given: &Map<String, Value>, known: &[&str], of: &str, at: &str) {
        for key in given.keys() {
            let name = key.strip_suffix(".$").unwrap_or(key);
            if !known.contains(&name) {
                let text = format!("'{name}' is no parameter of {of}, and does nothing");
                let near = did_you_mean(name, known);
                self.warn(&format!("{at}/{}", escape(key)), text, near);
            }
        }
    }

    fn warn(&mut self, at: &str, message: String, suggestion: Option<String>) {
        let (line, column) = self.places.place(at);
        self.found.push(Problem {
            severity: Severity::Warning,
            code: Code::Suspicious,
            path: at.to_owned(),
            line,
            column,
            message,
            suggestion,
        });
    }
}

/// The body of a message that a Task sends, and the member that it stands in.
fn message(state: &Map<String, Value>) -> Option<(&'static str, &Value)> {
    let resource = state.get("Resource")?.as_str()?;
    if state.get("Type")? != "Task" || !resource.contains(":sqs:sendMessage") {
        return None;
    }
    let of = |key: &'static str| Some((key, state.get(key)?.get("MessageBody")?));
    of("Parameters").or_else(|| of("Arguments"))
}

/// How the action would fail, as far as what is written out decides it.
fn failure(kind: &str, given: &Map<String, Value>) -> Option<String> {
    let filled = fill::filled(given)?;
    let from = filled.get("CallerIdNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
    let message = json!({"SchemaVersion": offhook_sma::SCHEMA_VERSION,
        "Actions": [{"Type": kind, "Parameters": filled}]});
    match Reply::read(message) {
        Ok(reply) => {
            let error = reply.actions?.first()?.check(&from).err()?;
            Some(format!("{}, {}", error.kind, error.message))
        }
        Err(error) => Some(error.to_string()),
    }
}

fn is_action(kind: &str) -> bool {
    KNOWN_ACTIONS.contains(&kind)
}

/// What JSONata puts in its place.
fn is_expression(text: &str) -> bool {
    text.starts_with("{%") && text.ends_with("%}")
}

/// What is put in its place by JSONata, or by a deployment: that the text is told of elsewhere.
fn is_open_text(text: &str) -> bool {
    is_expression(text) || placeholder(text).is_some()
}

fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known.iter().copied()).map(|near| format!("did you mean '{near}'?"))
}

#[cfg(test)]
mod tests;

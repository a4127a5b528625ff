//! What a state's expressions see.

use super::state::{Frame, Identity, Strand, StrandId};
use super::{Execution, TaskId};
use crate::failure::{Failure, names};
use crate::json::Json;
use crate::jsonata::Expected;
use crate::limits;
use crate::machine::model::{Kind, Language, Payload, Setting, State};
use crate::path::Path;
use crate::scope::{Document, Scope};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::fmt;

/// The context object and variables of one state at one moment.
pub(super) struct Sight<'a> {
    execution: &'a Execution,
    strand: &'a Strand,
    pub(super) frame: &'a Frame,
    pub(super) state: &'a State,
    pub(super) context: Context<'a>,
}

/// The context object of a state. Its members are made when they are first looked at, each by
/// itself.
pub(super) struct Context<'a> {
    execution: &'a Execution,
    strand: &'a Strand,
    state: &'a State,
    token: Option<TaskId>,
    made: OnceCell<Value>,
    members: [OnceCell<Option<Value>>; MEMBERS.len()],
}

/// Members of the context object, in AWS's order.
const MEMBERS: [&str; 5] = ["Execution", "StateMachine", "State", "Map", "Task"];

impl Document for Context<'_> {
    fn whole(&self) -> &Value {
        self.made.get_or_init(|| {
            let there = |name: &&str| Some(((*name).to_owned(), self.member(name)?.clone()));
            Value::Object(MEMBERS.iter().filter_map(there).collect())
        })
    }

    fn member(&self, name: &str) -> Option<&Value> {
        let index = MEMBERS.iter().position(|member| *member == name)?;
        self.members.get(index)?.get_or_init(|| self.make(name)).as_ref()
    }
}

impl Context<'_> {
    fn make(&self, name: &str) -> Option<Value> {
        let identity = self.execution.identity(self.strand);
        match name {
            "Execution" => Some(execution_value(identity)),
            "StateMachine" => {
                Some(json!({ "Id": identity.machine_arn, "Name": identity.machine_name }))
            }
            "State" => Some(state_value(self.state, &self.strand.frame)),
            "Map" => self.execution.item(self.strand).map(|item| json!({ "Item": item })),
            _ => self.token.map(|id| json!({ "Token": self.execution.token(id) })),
        }
    }
}

fn execution_value(identity: &Identity) -> Value {
    let (id, input) = (&identity.arn, Value::clone(&identity.input));
    let (name, role, started) = (&identity.name, &identity.role_arn, time(identity.started));
    // An Express execution cannot be redriven and does not count it, and its members come in
    // another order (LocalStack's `test_query_runtime_memory`, recorded on AWS).
    if identity.arn.split(':').nth(5) == Some("express") {
        return json!({ "Id": id, "Input": input, "Name": name, "RoleArn": role, "StartTime": started });
    }
    json!({ "Id": id, "Input": input, "StartTime": started, "Name": name, "RoleArn": role,
        "RedriveCount": 0 })
}

fn state_value(state: &State, frame: &Frame) -> Value {
    let mut about = json!({ "Name": state.name, "EnteredTime": time(frame.entered_at) });
    if matches!(state.kind, Kind::Task(_) | Kind::Parallel { .. } | Kind::Map(_)) {
        about["RetryCount"] = frame.retries.into();
    }
    about
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("state", &self.state.name).finish_non_exhaustive()
    }
}

/// `$states`: its members as they are where they stand.
#[derive(Debug)]
pub(super) struct States<'a> {
    input: &'a Value,
    extra: Vec<(&'a str, &'a Value)>,
    context: &'a dyn Document,
    made: OnceCell<Value>,
}

impl Document for States<'_> {
    fn whole(&self) -> &Value {
        self.made.get_or_init(|| {
            let mut states = Map::new();
            states.insert("input".to_owned(), self.input.clone());
            for (name, value) in &self.extra {
                states.insert((*name).to_owned(), (*value).clone());
            }
            states.insert("context".to_owned(), self.context.whole().clone());
            Value::Object(states)
        })
    }

    fn member(&self, name: &str) -> Option<&Value> {
        match name {
            "input" => Some(self.input),
            "context" => Some(self.context.whole()),
            _ => self.extra.iter().find(|extra| extra.0 == name).map(|extra| extra.1),
        }
    }

    fn inner(&self, name: &str) -> Option<&dyn Document> {
        (name == "context").then_some(self.context)
    }
}

impl Execution {
    pub(super) fn sight<'a>(
        &'a self,
        id: StrandId,
        state: &'a State,
        token: Option<TaskId>,
    ) -> Option<Sight<'a>> {
        let strand = self.strand(id)?;
        let (made, members) = (OnceCell::new(), Default::default());
        let context = Context { execution: self, strand, state, token, made, members };
        Some(Sight { execution: self, strand, frame: &strand.frame, state, context })
    }

    /// The identity of the execution, or of the child execution, a strand is of.
    pub(super) fn identity(&self, strand: &Strand) -> &Identity {
        let child = self.strand(strand.home).and_then(|home| home.child.as_ref());
        child.map_or(&self.core.identity, |child| &child.identity)
    }

    /// `Map.Item` of the nearest iteration around a strand, within its execution.
    fn item(&self, strand: &Strand) -> Option<Value> {
        let mut at = strand;
        loop {
            if let Some(item) = &at.item {
                return Some(item_value(item.index, item.key.as_deref(), &item.value, None));
            }
            if at.child.is_some() {
                return None;
            }
            at = self.strand(at.parent?.0)?;
        }
    }
}

/// `Map.Item` of the context object. `source` is where the items of a distributed Map come from
/// (developer guide, "Context object"); an inline one's have none, as tiny-asl-machine's
/// Feature.JsonataScopeSource 003 was recorded on AWS, whatever the guide's example shows.
pub(super) fn item_value(
    index: usize,
    key: Option<&str>,
    value: &Value,
    source: Option<&str>,
) -> Value {
    let mut item = Map::new();
    item.insert("Index".to_owned(), index.into());
    if let Some(key) = key {
        item.insert("Key".to_owned(), key.into());
    }
    item.insert("Value".to_owned(), value.clone());
    if let Some(source) = source {
        item.insert("Source".to_owned(), source.into());
    }
    Value::Object(item)
}

/// A time as AWS writes it: UTC with milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Sight<'_> {
    /// What JSONPath sees with `input` as `$`.
    pub(super) fn of<'s>(&'s self, input: &'s Value, states: Option<&'s States<'s>>) -> Scope<'s> {
        Scope {
            input,
            context: &self.context,
            variables: &self.strand.variables,
            states: states.map(|states| states as &dyn Document),
            now: self.execution.core.now,
            entropy: &self.execution.core.entropy,
        }
    }

    /// `$states`, with what is there besides input and context.
    pub(super) fn states<'s>(&'s self, extra: &[(&'s str, &'s Value)]) -> Option<States<'s>> {
        self.states_in(extra, &self.context)
    }

    /// The same with another context object.
    fn states_in<'s>(
        &'s self,
        extra: &[(&'s str, &'s Value)],
        context: &'s dyn Document,
    ) -> Option<States<'s>> {
        if self.state.language == Language::JsonPath {
            return None;
        }
        let (input, made) = (&self.frame.input, OnceCell::new());
        Some(States { input, extra: extra.to_vec(), context, made })
    }

    /// The input after `InputPath`.
    pub(super) fn effective_input(&self) -> Result<Json, Failure> {
        let input = &self.frame.input;
        self.state.input_path.apply(&self.of(input, None), input, "InputPath")
    }

    /// `payload` evaluated with `input` as `$`.
    pub(super) fn payload(
        &self,
        payload: &Payload,
        input: &Value,
        location: &str,
    ) -> Result<Value, Failure> {
        let states = self.states(&[]);
        payload.evaluate(&self.of(input, states.as_ref()), location)
    }

    /// As [`Sight::payload`], with another context object.
    pub(super) fn payload_in(
        &self,
        payload: &Payload,
        input: &Value,
        location: &str,
        context: &Value,
    ) -> Result<Value, Failure> {
        let states = self.states_in(&[], context);
        let scope = Scope { context, ..self.of(input, states.as_ref()) };
        payload.evaluate(&scope, location)
    }

    pub(super) fn setting(
        &self,
        setting: &Setting,
        input: &Value,
        expected: Expected,
    ) -> Result<Value, Failure> {
        let states = self.states(&[]);
        setting.evaluate(&self.of(input, states.as_ref()), expected)
    }

    pub(super) fn select(&self, path: &Path, input: &Value) -> Result<Option<Value>, Failure> {
        path.select(&self.of(input, None))
    }

    /// An integer setting that is not negative, as AWS reads it: `"2"` is 2.
    pub(super) fn count(
        &self,
        setting: &Setting,
        input: &Value,
        what: &str,
    ) -> Result<i64, Failure> {
        let value = self.setting(setting, input, Expected::Number)?;
        let number = match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => whole(other),
        };
        number.ok_or_else(|| match setting {
            Setting::Query { .. } => no_whole(what, &value),
            _ => not_a(setting, what, "integer", &value),
        })
    }
}

/// A number that has no fraction.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i64))
}

/// JSONata gave a field that counts a number with a fraction (recorded for `TimeoutSeconds`:
/// github.com/gabrielmoreira/tiny-asl-machine, Feature.JSONataValidation 010).
pub(super) fn no_whole(field: &str, value: &Value) -> Failure {
    let cause = format!("The {field} field cannot be parsed as an integer: {value}");
    Failure::new(names::QUERY_EVALUATION_ERROR, cause)
}

/// JSONata gave a field of seconds more or less than it may have (the same, 008).
pub(super) fn no_seconds(field: &str, seconds: i64) -> Failure {
    let most = limits::SECONDS;
    let cause = format!("{field} must be between 0 and {most} but was: {seconds}");
    Failure::new(names::QUERY_EVALUATION_ERROR, cause)
}

/// A setting's path led to the wrong type.
pub(super) fn not_a(setting: &Setting, what: &str, kind: &str, value: &Value) -> Failure {
    let (path, field) = setting.cited().unwrap_or((what, "value"));
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Failure::runtime(format!(
        "The {field} field refers to value \"{shown}\" which is not a valid {kind}: {path}"
    ))
}

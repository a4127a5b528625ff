//! Reads one state: its common fields, and those of the simple types.

use super::fields;
use super::integrations::{self, Doubt};
use super::load::{Here, Loader, Names};
use super::model::{
    Kind, Language, Payload, ResultPath, Selector, Setting, State, StateId, Task, Wait,
};
use super::problem::Code;
use super::reader::{Object, whole, wrong};
use super::resource::{Pattern, Resource};
use crate::value::moment;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What the readers of a state's parts need to know.
pub(super) struct Place<'a> {
    pub(super) object: Object<'a>,
    pub(super) kind: &'a str,
    pub(super) language: Language,
    pub(super) names: &'a Names<'a>,
    pub(super) depth: usize,
}

/// The variables that a flow's states assign, in whatever place.
pub(super) fn assigned(states: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut take = |value: &Value| {
        if let Some(Value::Object(assign)) = value.get("Assign") {
            found.extend(assign.keys().map(|key| key.strip_suffix(".$").unwrap_or(key).to_owned()));
        }
    };
    for state in states.values() {
        take(state);
        for list in ["Choices", "Catch"] {
            state.get(list).and_then(Value::as_array).into_iter().flatten().for_each(&mut take);
        }
    }
    found
}

impl Loader {
    pub(super) fn state(
        &mut self,
        name: &str,
        value: &Value,
        at: &str,
        outer: Language,
        names: &Names<'_>,
        depth: usize,
    ) -> State {
        let mut state = State {
            name: name.to_owned(),
            comment: None,
            language: outer,
            kind: Kind::Succeed,
            next: None,
            input_path: Selector::Whole,
            output_path: Selector::Whole,
            arguments: None,
            result_selector: None,
            result_path: ResultPath::Whole,
            assign: None,
            output: None,
            retry: Vec::new(),
            catch: Vec::new(),
        };
        let Value::Object(members) = value else {
            self.report.schema(at, "A state must be an object.");
            return state;
        };
        let object = Object { fields: members, at };
        let language = self.language(&object, outer, false);
        state.language = language;
        state.comment = object.text(&mut self.report, "Comment").map(str::to_owned);
        let Some(kind) = self.kind(&object) else {
            self.untyped = true;
            return state;
        };
        let place = Place { object, kind, language, names, depth };
        let here = Here { at: at.to_owned(), kind: kind.to_owned() };
        let around = std::mem::replace(&mut self.here, here);
        self.fields(&place);
        self.common(&place, &mut state);
        state.kind = self.own(&place);
        self.here = around;
        state
    }

    fn kind<'a>(&mut self, object: &Object<'a>) -> Option<&'a str> {
        let Some(kind) = object.text(&mut self.report, "Type") else {
            if object.has("Type") {
                return None;
            }
            self.report.schema(object.at, "Required field 'Type' is missing.");
            // The rest is read as what it was meant to be, and `type` told among its fields.
            let mut meant = object.fields.iter().filter(|(name, _)| {
                !fields::COMMON.contains(&name.as_str())
                    && fields::nearest(name, ["Type"]).is_some()
            });
            return meant
                .find_map(|(_, value)| value.as_str().filter(|text| fields::TYPES.contains(text)));
        };
        if fields::TYPES.contains(&kind) {
            return Some(kind);
        }
        let suggestion = fields::nearest(kind, fields::TYPES.iter().copied())
            .map(|near| format!("did you mean '{near}'?"));
        let message = format!("'{kind}' is not a type of state.");
        self.report.error_with(
            &object.path("Type"),
            Code::SchemaValidationFailed,
            message,
            suggestion,
        );
        None
    }

    /// Reports fields that the type or the query language does not have.
    fn fields(&mut self, place: &Place<'_>) {
        let known = fields::allowed(place.kind, place.language);
        let (other, language, here) = match place.language {
            Language::JsonPath => (fields::jsonata_only(place.kind), "JSONata", "JSONPath"),
            Language::Jsonata => (fields::json_path_only(place.kind), "JSONPath", "JSONata"),
        };
        for name in place.object.fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let path = place.object.path(name);
            if other.contains(&name.as_str()) {
                let message = format!(
                    "Field '{name}' is of {language} and cannot be used with QueryLanguage {here}."
                );
                // AWS: "QueryLanguage can not be 'JSONPath' if set to 'JSONata' for whole state
                // machine".
                let suggestion = match (self.machine, place.language) {
                    (Language::Jsonata, Language::Jsonata) => {
                        format!("JSONata has '{}' for it", fields::in_jsonata(place.kind, name))
                    }
                    (Language::Jsonata, Language::JsonPath) => {
                        "leave \"QueryLanguage\" out of this state".to_owned()
                    }
                    _ => format!("set \"QueryLanguage\": \"{language}\" for this state"),
                };
                self.report.error_with(
                    &path,
                    Code::SchemaValidationFailed,
                    message,
                    Some(suggestion),
                );
                continue;
            }
            let message = format!("Field '{name}' is not supported in a {} state.", place.kind);
            let suggestion = fields::nearest(name, known.iter().copied())
                .map(|near| format!("did you mean '{near}'?"));
            self.report.error_with(&path, Code::SchemaValidationFailed, message, suggestion);
        }
    }

    fn common(&mut self, place: &Place<'_>, state: &mut State) {
        let object = &place.object;
        state.next = self.transition(place);
        state.assign = self.assign(object, place.language);
        if place.language == Language::Jsonata {
            state.output = self.jsonata(object, "Output");
            state.arguments = self.payload(object, "Arguments", Language::Jsonata);
        } else {
            state.input_path = self.selector(object, "InputPath");
            state.output_path = self.selector(object, "OutputPath");
            state.result_path = self.result_path(object);
            state.result_selector = match self.payload(object, "ResultSelector", Language::JsonPath)
            {
                Some(Payload::Paths(template)) => Some(template),
                _ => None,
            };
            if place.kind != "Map" {
                state.arguments = self.payload(object, "Parameters", Language::JsonPath);
            }
        }
        state.retry = self.retry(object);
        state.catch = self.catch(place);
    }

    fn transition(&mut self, place: &Place<'_>) -> Option<StateId> {
        let object = &place.object;
        if matches!(place.kind, "Choice" | "Succeed" | "Fail") {
            return None;
        }
        object.at_most_one(&mut self.report, &["Next", "End"]);
        if object.boolean(&mut self.report, "End") == Some(false) && !object.has("Next") {
            self.report.schema(&object.path("End"), "End must be true where there is no Next.");
        }
        if !object.has("Next") && !object.has("End") {
            self.report.error(
                object.at,
                Code::SchemaValidationFailed,
                "One of 'Next' and 'End' is required.",
            );
        }
        let name = object.text(&mut self.report, "Next")?;
        self.target(place.names, name, &object.path("Next"))
    }

    fn own(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        match place.kind {
            "Pass" => Kind::Pass { result: object.get("Result").cloned() },
            "Task" => self.task(place),
            "Choice" => self.choice(place),
            "Wait" => self.wait(place),
            "Fail" => {
                object.at_most_one(&mut self.report, &["Error", "ErrorPath"]);
                object.at_most_one(&mut self.report, &["Cause", "CausePath"]);
                Kind::Fail {
                    error: self.word(place, "Error", "ErrorPath"),
                    cause: self.word(place, "Cause", "CausePath"),
                }
            }
            "Parallel" => self.parallel(place),
            "Map" => self.map(place),
            _ => Kind::Succeed,
        }
    }

    fn task(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        let resource = match object.text(&mut self.report, "Resource").map(Resource::parse) {
            Some(Ok(resource)) => {
                self.integration(object, &resource);
                self.given(object, &resource, place.language);
                Some(resource)
            }
            Some(Err(message)) => {
                self.report.error(&object.path("Resource"), Code::InvalidResource, message);
                None
            }
            None => {
                if !object.has("Resource") {
                    self.report.schema(object.at, "Required field 'Resource' is missing.");
                }
                None
            }
        };
        let timeout = self.seconds(place, "TimeoutSeconds", "TimeoutSecondsPath", 1);
        let heartbeat = self.seconds(place, "HeartbeatSeconds", "HeartbeatSecondsPath", 1);
        let fixed = |setting: &Option<Setting>| match setting {
            Some(Setting::Fixed(value)) => whole(value),
            _ => None,
        };
        if let (Some(timeout), Some(heartbeat)) = (fixed(&timeout), fixed(&heartbeat))
            && heartbeat >= timeout
        {
            self.report.schema(
                &object.path("HeartbeatSeconds"),
                "HeartbeatSeconds must be smaller than TimeoutSeconds.",
            );
        }
        self.credentials(object);
        let credentials = self.payload(object, "Credentials", place.language);
        match resource {
            Some(resource) => {
                Kind::Task(Box::new(Task { resource, timeout, heartbeat, credentials }))
            }
            None => Kind::Succeed,
        }
    }

    /// Developer guide, "Accessing resources in other AWS accounts": an object with the role.
    fn credentials(&mut self, task: &Object<'_>) {
        let Some(given) = task.get("Credentials") else { return };
        let at = task.path("Credentials");
        match given.as_object() {
            None => {
                let message = wrong("Credentials", "an object", given);
                self.report.not_any_more(&at, Code::SchemaValidationFailed, message, None);
            }
            Some(members) => {
                if !members.contains_key("RoleArn") && !members.contains_key("RoleArn.$") {
                    let message = "Credentials name no RoleArn.";
                    self.report.warn(&at, Code::Suspicious, message);
                }
            }
        }
    }

    fn integration(&mut self, object: &Object<'_>, resource: &Resource) {
        let at = object.path("Resource");
        match integrations::doubt(resource) {
            Some(Doubt::Wrong(message, suggestion)) => {
                self.report.error_with(&at, Code::InvalidResource, message, suggestion);
            }
            Some(Doubt::WrongNow(message, suggestion)) => {
                self.report.not_any_more(&at, Code::InvalidResource, message, suggestion);
            }
            Some(Doubt::Unknown(message, suggestion)) => {
                self.report.warn_with(&at, Code::Suspicious, message, suggestion);
            }
            None => {}
        }
        let pattern = match (resource, resource.pattern()) {
            (Resource::Activity { .. }, _) => Some("activities"),
            (_, Pattern::WaitForTaskToken) => Some("'.waitForTaskToken' integrations"),
            (_, Pattern::Sync | Pattern::Sync2) => Some("'.sync' integrations"),
            (_, Pattern::RequestResponse) => None,
        };
        if let Some(pattern) = pattern {
            let message = format!("An Express workflow does not support {pattern}.");
            self.report.not_express(&at, message);
        }
        let waits = matches!(resource, Resource::Service { .. })
            && resource.pattern() == Pattern::WaitForTaskToken;
        let given = ["Parameters", "Arguments"].iter().find_map(|name| object.get(name));
        // Any mention will do: a variable or the whole input may bring the token's text.
        let told = given.is_none_or(|given| {
            let text = given.to_string();
            text.contains("Task.Token") || text.contains("$") && !text.contains("$$")
        });
        if waits && !told {
            let message = "Nobody is told the task's token, so nobody can end the task.";
            let suggestion = "give the service `$$.Task.Token`, or `$states.context.Task.Token`";
            let suggestion = Some(suggestion.to_owned());
            self.report.warn_with(&at, Code::Suspicious, message, suggestion);
        }
    }

    fn wait(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        let all = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        object.at_most_one(&mut self.report, &all);
        if let Some(seconds) = self.seconds(place, "Seconds", "SecondsPath", 0) {
            return Kind::Wait(Wait::Seconds(seconds));
        }
        if let Some(timestamp) = self.word(place, "Timestamp", "TimestampPath") {
            if let Setting::Fixed(Value::String(text)) = &timestamp
                && moment(text).is_none()
            {
                let message = format!("'{text}' is not a timestamp of RFC 3339.");
                self.report.schema(&object.path("Timestamp"), message);
            }
            return Kind::Wait(Wait::Timestamp(timestamp));
        }
        if !all.iter().any(|name| object.has(name)) {
            let message = match place.language {
                Language::JsonPath => {
                    "One of 'Seconds', 'SecondsPath', 'Timestamp' and 'TimestampPath' is required."
                }
                Language::Jsonata => "One of 'Seconds' and 'Timestamp' is required.",
            };
            self.report.schema(object.at, message);
        }
        Kind::Succeed
    }

    fn parallel(&mut self, place: &Place<'_>) -> Kind {
        let object = &place.object;
        if !object.has("Branches") {
            self.report.schema(object.at, "Required field 'Branches' is missing.");
        }
        let list = object.array(&mut self.report, "Branches").unwrap_or_default();
        if list.is_empty() && object.has("Branches") {
            self.report.schema(&object.path("Branches"), "Branches must have at least one branch.");
        }
        let mut branches = Vec::new();
        for (index, branch) in list.iter().enumerate() {
            let at = format!("{}/{index}", object.path("Branches"));
            let Value::Object(members) = branch else {
                self.report.schema(&at, "A branch must be an object.");
                continue;
            };
            let branch = Object { fields: members, at: &at };
            branch.only(&mut self.report, "a branch", fields::BRANCH);
            let language = self.inside(&branch, place.language);
            branches.push(self.nested(&branch, language, place.depth + 1));
        }
        Kind::Parallel { branches }
    }
}

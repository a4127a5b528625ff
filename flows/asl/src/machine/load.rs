//! Reads a document and its flows.

use super::fields;
use super::graph;
use super::mistaken;
use super::model::{Flow, FlowId, Language, StateId};
use super::problem::{Code, Problem, Severity};
use super::reader::{Object, Report};
use super::source::{Positions, escape};
use super::substitutions;
use crate::jsonata::Compiling;
use crate::limits;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Keys that stand twice that are told of.
const MOST_DUPLICATES: usize = 100;
/// Names that lead nowhere for which the nearest is looked for.
const SUGGESTIONS: usize = 20;

#[derive(Default)]
pub(super) struct Loaded {
    pub(super) problems: Vec<Problem>,
    pub(super) express: Vec<Problem>,
    pub(super) refused_since: Vec<Problem>,
    pub(super) comment: Option<String>,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) flows: Vec<Flow>,
    /// Some states have another query language by the other [`Inherited`].
    pub(super) inherits: bool,
}

/// Whether a definition is taken in, or was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    New,
    Published(Inherited),
}

/// Whose query language the states of a branch and of an item processor have that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inherited {
    /// The state machine's, as on AWS: that of the Map or Parallel around them is that state's own
    /// (`ValidateStateMachineDefinition` as measured in the project floci's issue 2968).
    FromMachine,
    /// That of the state around them, as it was here once.
    FromState,
}

pub(super) fn load(text: &str, age: Age) -> Loaded {
    let Age::Published(inherited) = age else {
        return load_as(text, age, Inherited::FromMachine);
    };
    // What was taken in by one rule goes on by it, also where it could be read by the other.
    let loaded = load_as(text, age, inherited);
    let runs = |loaded: &Loaded| loaded.problems.iter().all(|one| one.severity != Severity::Error);
    if runs(&loaded) {
        return loaded;
    }
    let other = match inherited {
        Inherited::FromMachine => Inherited::FromState,
        Inherited::FromState => Inherited::FromMachine,
    };
    let otherwise = load_as(text, age, other);
    if runs(&otherwise) { otherwise } else { loaded }
}

fn load_as(text: &str, age: Age, inherited: Inherited) -> Loaded {
    let mut loaded = Loaded::default();
    match parse(text) {
        Err(problem) => loaded.problems.push(*problem),
        Ok(document) => document_of(text, &document, age, inherited, &mut loaded),
    }
    if age == Age::New {
        loaded.problems.append(&mut loaded.refused_since);
    }
    loaded.problems.sort_by_key(|problem| (problem.line, problem.column));
    loaded
}

fn parse(text: &str) -> Result<Map<String, Value>, Box<Problem>> {
    let refuse = |code, line, column, message, suggestion| {
        Box::new(Problem {
            severity: Severity::Error,
            code,
            path: String::new(),
            line,
            column,
            message,
            suggestion,
        })
    };
    if text.len() > limits::DEFINITION_BYTES {
        return Err(refuse(
            Code::LimitExceeded,
            1,
            1,
            format!("The definition has {} bytes; 1,048,576 are allowed.", text.len()),
            None,
        ));
    }
    let invalid = Code::InvalidJsonDescription;
    if text.starts_with('\u{feff}') {
        let message = "The text begins with a byte order mark, and JSON does not: save it as UTF-8 without one.";
        return Err(refuse(invalid, 1, 1, message.to_owned(), None));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(document)) => match mistaken::object(&document) {
            None => Ok(document),
            Some((message, todo)) => Err(refuse(invalid, 1, 1, message, todo)),
        },
        Ok(other) => {
            let (message, todo) = mistaken::value(&other);
            Err(refuse(invalid, 1, 1, message, todo))
        }
        Err(error) => {
            let words = error.to_string();
            let words = words.split(" at line ").next().unwrap_or_default();
            let (line, column) = (error.line().max(1), error.column().max(1));
            let (message, todo) = mistaken::text(text, words, line, column);
            Err(refuse(invalid, line, column, message, todo))
        }
    }
}

fn document_of(
    text: &str,
    document: &Map<String, Value>,
    age: Age,
    inherited: Inherited,
    loaded: &mut Loaded,
) {
    let positions = Positions::of(text);
    let duplicates: Vec<_> = positions.duplicates().take(MOST_DUPLICATES).collect();
    let mut loader = Loader {
        report: Report { positions, ..Report::default() },
        flows: vec![Flow::default()],
        inherited,
        inherits: false,
        machine: Language::JsonPath,
        raised: raised(document),
        names: BTreeMap::new(),
        variables: Vec::new(),
        states: 0,
        suggested: 0,
        lost: Vec::new(),
        untyped: false,
        here: Here::default(),
        compiling: match age {
            Age::New => Compiling::default(),
            Age::Published(_) => Compiling::published(),
        },
    };
    for (key, at) in duplicates {
        loader.report.error(
            &at,
            Code::DuplicateKey,
            format!("'{key}' stands twice in one object; JSON keeps the last."),
        );
    }
    let object = Object { fields: document, at: "" };
    object.only(&mut loader.report, "a state machine", fields::MACHINE);
    loaded.comment = object.text(&mut loader.report, "Comment").map(str::to_owned);
    loaded.timeout_seconds =
        object.integer(&mut loader.report, "TimeoutSeconds", 1..=limits::SECONDS);
    if let Some(version) = object.text(&mut loader.report, "Version")
        && version != "1.0"
    {
        loader.report.schema("/Version", format!("Version must be \"1.0\", but is \"{version}\"."));
    }
    let language = loader.language(&object, Language::JsonPath, true);
    loader.machine = language;
    loader.flow(0, &object, language, 0);
    loader.elsewhere();
    if age == Age::New {
        substitutions::tell(document, &mut loader.report);
    }
    loaded.inherits = loader.inherits;
    loaded.flows = loader.flows;
    loaded.problems = loader.report.problems;
    loaded.express = loader.report.express;
    loaded.refused_since = loader.report.refused_since;
}

/// The errors that Fail states name, in whatever place.
fn raised(document: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&Map<String, Value>> = vec![document];
    while let Some(members) = todo.pop() {
        if let (Some("Fail"), Some(Value::String(error))) =
            (members.get("Type").and_then(Value::as_str), members.get("Error"))
        {
            found.insert(error.clone());
        }
        for member in members.values() {
            match member {
                Value::Object(inner) => todo.push(inner),
                Value::Array(items) => todo.extend(items.iter().filter_map(Value::as_object)),
                _ => {}
            }
        }
    }
    found
}

pub(super) struct Loader {
    pub(super) report: Report,
    pub(super) flows: Vec<Flow>,
    inherited: Inherited,
    inherits: bool,
    /// The query language of the whole.
    pub(super) machine: Language,
    /// The errors that its Fail states name.
    pub(super) raised: BTreeSet<String>,
    /// Every state's name, with the pointer of the first that has it.
    names: BTreeMap<String, String>,
    /// The variables each flow around the present one assigns, outermost first.
    pub(super) variables: Vec<BTreeSet<String>>,
    states: usize,
    /// How many names that lead nowhere were compared with all that are there.
    suggested: usize,
    /// Names that lead nowhere, by the numbers of their problems.
    lost: Vec<(usize, String)>,
    /// Whether a state of the present flow has no type, so that where it leads is not known.
    pub(super) untyped: bool,
    pub(super) here: Here,
    /// What the regular expressions of all JSONata came to until now.
    pub(super) compiling: Compiling,
}

/// The state that is being read.
#[derive(Default)]
pub(super) struct Here {
    /// Its pointer.
    pub(super) at: String,
    pub(super) kind: String,
}

/// The names of one flow's states, with their numbers in the order of the text.
pub(super) struct Names<'a> {
    names: BTreeMap<&'a str, StateId>,
}

impl<'a> Names<'a> {
    pub(super) fn find(&self, name: &str) -> Option<StateId> {
        self.names.get(name).copied()
    }

    fn nearest(&self, name: &str) -> Option<&'a str> {
        fields::nearest(name, self.names.keys().copied())
    }
}

impl Loader {
    /// The query language of `object`, or that of what is around it.
    pub(super) fn language(&mut self, object: &Object<'_>, outer: Language, top: bool) -> Language {
        match object.text(&mut self.report, "QueryLanguage") {
            None => outer,
            Some("JSONata") => Language::Jsonata,
            Some("JSONPath") => {
                if !top && outer == Language::Jsonata {
                    let message = "A state of a JSONata state machine cannot be in JSONPath.";
                    self.report.schema(&object.path("QueryLanguage"), message);
                }
                Language::JsonPath
            }
            Some(other) => {
                let message = format!(
                    "QueryLanguage must be \"JSONPath\" or \"JSONata\", but is \"{other}\"."
                );
                self.report.schema(&object.path("QueryLanguage"), message);
                outer
            }
        }
    }

    /// The query language of the states in a branch or an item processor of a state in `around`.
    pub(super) fn inside(&mut self, flow: &Object<'_>, around: Language) -> Language {
        self.inherits |= self.machine != around && !flow.has("QueryLanguage");
        let outer = match self.inherited {
            Inherited::FromMachine => self.machine,
            Inherited::FromState => around,
        };
        self.language(flow, outer, false)
    }

    /// Reads a nested flow and gives its number.
    pub(super) fn nested(
        &mut self,
        object: &Object<'_>,
        language: Language,
        depth: usize,
    ) -> FlowId {
        let id = self.flows.len();
        self.flows.push(Flow::default());
        self.flow(id, object, language, depth);
        id
    }

    fn flow(&mut self, id: FlowId, object: &Object<'_>, language: Language, depth: usize) {
        if depth > limits::NESTING {
            let message =
                format!("States stand more than {} deep in one another.", limits::NESTING);
            self.report.error(object.at, Code::LimitExceeded, message);
            return;
        }
        let start = object.text(&mut self.report, "StartAt");
        if !object.has("StartAt") {
            self.report.schema(object.at, "Required field 'StartAt' is missing.");
        }
        let Some(states) = object.object(&mut self.report, "States") else {
            if !object.has("States") {
                self.report.schema(object.at, "Required field 'States' is missing.");
            }
            return;
        };
        let all = object.path("States");
        if states.is_empty() {
            self.report.schema(&all, "States must have at least one state.");
            return;
        }
        let names = Names { names: states.keys().map(String::as_str).zip(0..).collect() };
        let start = start.and_then(|name| self.target(&names, name, &object.path("StartAt")));
        self.variables.push(super::load_state::assigned(states));
        let mut flow = Flow { start: start.unwrap_or_default(), states: Vec::new() };
        let outer = std::mem::take(&mut self.untyped);
        for (name, state) in states {
            let at = format!("{all}/{}", escape(name));
            self.name(name, &at);
            flow.states.push(self.state(name, state, &at, language, &names, depth));
        }
        self.variables.pop();
        if let Some(start) = start
            && !std::mem::replace(&mut self.untyped, outer)
        {
            graph::check(&mut self.report, &flow, start, &all);
        }
        if let Some(place) = self.flows.get_mut(id) {
            *place = flow;
        }
    }

    fn name(&mut self, name: &str, at: &str) {
        self.states += 1;
        if self.states == limits::STATES + 1 {
            let message = format!("The definition has more than {} states.", limits::STATES);
            self.report.error(at, Code::LimitExceeded, message);
        }
        if name.is_empty() || name.chars().count() > limits::STATE_NAME_CHARS {
            let message = format!(
                "A state's name has 1 to {} characters, and '{name}' has {}.",
                limits::STATE_NAME_CHARS,
                name.chars().count()
            );
            self.report.schema(at, message);
        }
        match self.names.get(name) {
            None => {
                self.names.insert(name.to_owned(), at.to_owned());
            }
            Some(first) => {
                let message = format!("State name '{name}' is also used at {first}.");
                self.report.error(at, Code::DuplicateStateName, message);
            }
        }
    }

    /// Whether a name that leads nowhere is compared with all that are there: the first few are,
    /// as this takes the product of their numbers.
    pub(super) fn may_suggest(&mut self) -> bool {
        self.suggested += 1;
        self.suggested <= SUGGESTIONS
    }

    /// Tells of the first names that lead nowhere which are those of states inside or around.
    fn elsewhere(&mut self) {
        for (number, name) in std::mem::take(&mut self.lost).into_iter().take(SUGGESTIONS) {
            let Some(at) = self.names.get(&name) else { continue };
            // Empty: enough paths were told.
            let at = self.report.path(at);
            if let (false, Some(problem)) = (at.is_empty(), self.report.problems.get_mut(number)) {
                let rule = "a state goes to those beside it only, not out of a branch or into one";
                problem.suggestion = Some(format!("'{name}' is {at}: {rule}"));
            }
        }
    }

    /// The state a transition names.
    pub(super) fn target(&mut self, names: &Names<'_>, name: &str, at: &str) -> Option<StateId> {
        let found = names.find(name);
        if found.is_none() {
            let near = self.may_suggest().then(|| names.nearest(name)).flatten();
            let suggestion = near.map(|near| format!("did you mean '{near}'?"));
            let message = format!("There is no state '{name}' to go to.");
            self.lost.push((self.report.problems.len(), name.to_owned()));
            self.report.error_with(at, Code::MissingTransitionTarget, message, suggestion);
        }
        found
    }
}

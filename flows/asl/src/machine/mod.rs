//! A state machine: its definition read, checked whole and ready to run.
//!
//! > [`Machine::load`] reports every mistake of a document, not the first, each with its place in
//! > the text. A definition that loads cannot fail later for its own form.

mod fields;
mod graph;
mod integrations;
mod load;
mod load_choice;
mod load_map;
mod load_query;
mod load_reader;
mod load_retry;
mod load_state;
mod load_value;
mod mistaken;
pub(crate) mod model;
pub(crate) mod parameters;
mod problem;
mod reader;
mod resource;
mod sdk;
mod source;
mod substitutions;
#[cfg(test)]
mod tests;

pub use fields::nearest;
pub use problem::{Code, Problem, Severity};
pub use resource::{Pattern, Resource};
pub use source::{Positions, escape};
pub use substitutions::placeholder;

use load::Age;
pub use load::Inherited;
use model::{Flow, FlowId, Kind, State, StateId};
use sha2::{Digest, Sha256};

/// A definition that can be run. Shared by its executions behind an `Arc`.
#[derive(Debug, Clone)]
pub struct Machine {
    comment: Option<String>,
    timeout_seconds: Option<u64>,
    flows: Vec<Flow>,
    warnings: Vec<Problem>,
    express: Vec<Problem>,
    digest: String,
    inherits: bool,
}

impl Machine {
    /// Reads a definition. Everything that is wrong with it comes back, errors and warnings, in
    /// the order of the text.
    ///
    /// Source: the States Language specification, and what `CreateStateMachine` refuses.
    pub fn load(text: &str) -> Result<Self, Vec<Problem>> {
        Self::of(text, Age::New)
    }

    /// Reads a definition that was taken in before, maybe by an older release. What
    /// [`Machine::load`] refuses only since then is no mistake of it: its executions go on.
    ///
    /// `inherited`: the rule by which it was taken in. [`Machine::load`] goes by
    /// [`Inherited::FromMachine`].
    ///
    /// # Errors
    /// As [`Machine::load`].
    pub fn load_published(text: &str, inherited: Inherited) -> Result<Self, Vec<Problem>> {
        Self::of(text, Age::Published(inherited))
    }

    fn of(text: &str, age: Age) -> Result<Self, Vec<Problem>> {
        let loaded = load::load(text, age);
        if loaded.problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(loaded.problems);
        }
        Ok(Self {
            comment: loaded.comment,
            timeout_seconds: loaded.timeout_seconds,
            flows: loaded.flows,
            warnings: loaded.problems,
            express: loaded.express,
            digest: hex(&Sha256::digest(text.as_bytes())),
            inherits: loaded.inherits,
        })
    }

    /// Everything wrong with a definition, as `ValidateStateMachineDefinition` would list it.
    #[cfg(test)]
    fn validate(text: &str) -> Vec<Problem> {
        load::load(text, Age::New).problems
    }

    /// What probably was not meant, though it runs.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Why it cannot be an Express workflow: it waits for a task token, a job or a worker, or has a
    /// distributed Map (developer guide, "Choosing workflow type").
    pub fn express_problems(&self) -> &[Problem] {
        &self.express
    }

    /// The document's `Comment`.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// How long an execution may take.
    pub fn timeout_seconds(&self) -> Option<u64> {
        self.timeout_seconds
    }

    /// SHA-256 of the definition's text, in hexadecimal: an execution is restored with the
    /// definition it began with.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether it means something else by another [`Inherited`].
    pub fn depends_on_inherited(&self) -> bool {
        self.inherits
    }

    /// Every resource its tasks and readers ask for, each once, in the order of the text: what a
    /// host can check before the definition is put to work.
    pub fn resources(&self) -> Vec<&Resource> {
        let mut seen: Vec<&Resource> = Vec::new();
        for state in self.flows.iter().flat_map(|flow| &flow.states) {
            let used: [Option<&Resource>; 3] = match &state.kind {
                Kind::Task(task) => [Some(&task.resource), None, None],
                Kind::Map(map) => [
                    map.reader.as_ref().map(|reader| &reader.resource),
                    map.writer.as_ref().and_then(|writer| writer.resource.as_ref()),
                    None,
                ],
                _ => [None, None, None],
            };
            for resource in used.into_iter().flatten() {
                if !seen.contains(&resource) {
                    seen.push(resource);
                }
            }
        }
        seen
    }

    /// The `Comment` of a state, wherever it is nested: names of states are unique.
    pub fn state_comment(&self, name: &str) -> Option<&str> {
        let mut states = self.flows.iter().flat_map(|flow| &flow.states);
        states.find(|state| state.name == name)?.comment.as_deref()
    }

    pub(crate) fn flow(&self, flow: FlowId) -> Option<&Flow> {
        self.flows.get(flow)
    }

    pub(crate) fn state(&self, flow: FlowId, state: StateId) -> Option<&State> {
        self.flows.get(flow)?.states.get(state)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What came of a scenario.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::audit::Path;
use crate::store::ExecutionStatus;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// When, by the virtual clock.
    pub at: Timestamp,
    /// What: `event ACTION_SUCCESSFUL SpeakAndGetDigits`, `action Speak "…"`, `caller presses 3`.
    pub what: String,
}

/// What came of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// How the execution ended; `RUNNING`: it did not.
    pub status: ExecutionStatus,
    /// Its error.
    pub error: Option<String>,
    /// The same in words.
    pub cause: Option<String>,
    /// Everything, in order.
    pub timeline: Vec<Line>,
    /// All actions of all replies, as the call got them.
    pub actions: Vec<Value>,
    /// What was said to somebody, in order.
    pub spoken: Vec<String>,
    /// States that were entered, in order.
    pub states: Vec<String>,
    /// What the caller would complain of: silence, an apology, a reply that makes no sense.
    pub problems: Vec<String>,
    /// States of the definition that were not entered.
    pub never_reached: Vec<String>,
    /// The whole path, for a picture.
    #[serde(skip)]
    pub path: Path,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.scenario.is_empty() { "call" } else { &self.scenario };
        writeln!(f, "{name}: {:?}", self.status)?;
        for line in &self.timeline {
            writeln!(f, "  {} {}", line.at.strftime("%H:%M:%S%.3f"), line.what)?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "  {error}: {}", self.cause.as_deref().unwrap_or_default())?;
        }
        for problem in &self.problems {
            writeln!(f, "  PROBLEM {problem}")?;
        }
        Ok(())
    }
}

/// States of a definition, branches and iterations included, that none of the reports entered.
pub fn never_reached(definition: &str, reports: &[Report]) -> Vec<String> {
    let entered = reports.iter().flat_map(|report| &report.states);
    missing(definition, &entered.map(String::as_str).collect())
}

pub(super) fn missing(definition: &str, entered: &BTreeSet<&str>) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(definition) = serde_json::from_str::<Value>(definition) {
        collect(&definition, &mut names, 0);
    }
    names.retain(|name| !entered.contains(name.as_str()));
    names
}

fn collect(flow: &Value, names: &mut Vec<String>, depth: usize) {
    let Some(states) = flow.get("States").and_then(Value::as_object) else { return };
    if depth > offhook_asl::limits::NESTING {
        return;
    }
    for (name, state) in states {
        names.push(name.clone());
        let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        let inner = branches.chain(state.get("ItemProcessor")).chain(state.get("Iterator"));
        inner.for_each(|flow| collect(flow, names, depth + 1));
    }
}

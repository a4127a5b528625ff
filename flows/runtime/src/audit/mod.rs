//! The path that an execution took: as text, and lit in a picture of its machine.

mod graph;
mod layout;
mod order;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use offhook_asl::history::{Details, Event, EventId, EventType};

pub use svg::picture;

/// One visit of a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The state's name.
    pub state: String,
    /// Its type: `Task`, `Choice`, …
    pub kind: String,
    /// The state that led to it; none for the first of the machine, a branch or an iteration.
    pub from: Option<String>,
    /// When it was entered.
    pub entered: Timestamp,
    /// When it was left; none: it did not end by itself.
    pub left: Option<Timestamp>,
    /// Its input, as JSON.
    pub input: String,
    /// Its output, as JSON.
    pub output: Option<String>,
    /// What failed in it, and was caught or retried: error and cause.
    pub failures: Vec<(String, String)>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `ExecutionSucceeded`, `ExecutionFailed`, …
    pub how: EventType,
    /// When.
    pub at: Timestamp,
    /// Error and cause.
    pub why: Option<(String, String)>,
}

/// A path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Visits, in the order in which states were entered.
    pub steps: Vec<Step>,
    /// The end, when it has come.
    pub end: Option<End>,
}

/// Reads the path out of a history.
pub fn path(events: &[Event]) -> Path {
    let by_id: HashMap<EventId, &Event> = events.iter().map(|event| (event.id, event)).collect();
    let mut path = Path { steps: Vec::new(), end: None };
    // The visit that an event belongs to.
    let mut visit: BTreeMap<EventId, usize> = BTreeMap::new();
    for event in events {
        match &event.details {
            Some(Details::StateEntered(entered)) => {
                let from = left_before(event, &by_id);
                visit.insert(event.id, path.steps.len());
                path.steps.push(Step {
                    state: entered.name.clone(),
                    kind: kind_of(event.kind),
                    from,
                    entered: event.timestamp,
                    left: None,
                    input: entered.input.to_string(),
                    output: None,
                    failures: Vec::new(),
                });
                continue;
            }
            Some(Details::StateExited(exited)) => {
                let open = path.steps.iter_mut().rev();
                let mut open = open.filter(|step| step.left.is_none());
                if let Some(step) = open.find(|step| step.state == exited.name) {
                    step.left = Some(event.timestamp);
                    step.output = Some(exited.output.to_string());
                }
            }
            _ => {}
        }
        if let Some(end) = end_of(event) {
            path.end = Some(end);
            continue;
        }
        let own = visit.get(&event.previous_event_id).copied();
        if let Some(own) = own {
            visit.insert(event.id, own);
            if let (Some(step), Some(why)) = (path.steps.get_mut(own), failure(event)) {
                step.failures.push(why);
            }
        }
    }
    path
}

/// `TaskStateEntered`: `Task`.
fn kind_of(kind: EventType) -> String {
    format!("{kind:?}").replace("StateEntered", "")
}

/// The state whose exit an entry follows.
fn left_before(event: &Event, by_id: &HashMap<EventId, &Event>) -> Option<String> {
    let before = by_id.get(&event.previous_event_id)?;
    match &before.details {
        Some(Details::StateExited(exited)) => Some(exited.name.clone()),
        _ => None,
    }
}

fn end_of(event: &Event) -> Option<End> {
    let why = match &event.details {
        Some(
            Details::ExecutionFailed(fault)
            | Details::ExecutionAborted(fault)
            | Details::ExecutionTimedOut(fault),
        ) => pair(fault.error.as_deref(), fault.cause.as_deref()),
        Some(Details::ExecutionSucceeded(_)) => None,
        _ => {
            let ends = matches!(
                event.kind,
                EventType::ExecutionSucceeded
                    | EventType::ExecutionFailed
                    | EventType::ExecutionAborted
                    | EventType::ExecutionTimedOut
            );
            if !ends {
                return None;
            }
            None
        }
    };
    Some(End { how: event.kind, at: event.timestamp, why })
}

fn failure(event: &Event) -> Option<(String, String)> {
    match event.details.as_ref()? {
        Details::TaskFailed(fault) | Details::TaskTimedOut(fault) => {
            pair(fault.error.as_deref(), fault.cause.as_deref())
        }
        Details::LambdaFunctionFailed(fault)
        | Details::LambdaFunctionTimedOut(fault)
        | Details::ActivityFailed(fault)
        | Details::ActivityTimedOut(fault) => pair(fault.error.as_deref(), fault.cause.as_deref()),
        Details::EvaluationFailed(fault) => pair(fault.error.as_deref(), fault.cause.as_deref()),
        _ => None,
    }
}

fn pair(error: Option<&str>, cause: Option<&str>) -> Option<(String, String)> {
    if error.is_none() && cause.is_none() {
        return None;
    }
    Some((error.unwrap_or_default().to_owned(), cause.unwrap_or_default().to_owned()))
}

impl std::fmt::Display for Path {
    /// One line a visit: when, how long, which state; then what failed in it, and the end.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.steps {
            let took = match step.left {
                Some(left) => format!("{:>9.3} s", left.duration_since(step.entered).as_secs_f64()),
                None => "          -".to_owned(),
            };
            let at = step.entered.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            writeln!(f, "{at} {took}  {:<8} {}", step.kind, step.state)?;
            for (error, cause) in &step.failures {
                writeln!(f, "{:>38}{error}: {cause}", "")?;
            }
        }
        let Some(end) = &self.end else { return Ok(()) };
        let at = end.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        write!(f, "{at}              {:?}", end.how)?;
        match &end.why {
            Some((error, cause)) => writeln!(f, " {error}: {cause}"),
            None => writeln!(f),
        }
    }
}

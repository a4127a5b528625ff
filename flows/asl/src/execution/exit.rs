//! Leaves a state: result, variables, output, and where to next.

use super::Execution;
use super::sight::Sight;
use super::state::{Fault, Frame, StrandId};
use crate::failure::{Failure, names};
use crate::history::{Details, EventType, Exited, Truncation};
use crate::jsonata::JsonataTemplate;
use crate::limits;
use crate::machine::model::{Language, Payload, State, StateId};
use crate::scope::Variables;
use crate::value::most_bytes;
use serde_json::{Map, Value};

/// How a state is left.
pub(super) struct Leaving {
    pub(super) output: Value,
    pub(super) assigned: Option<Map<String, Value>>,
    pub(super) next: Option<StateId>,
}

impl Execution {
    /// Leaves a state that has no result of its own: Wait, Succeed.
    pub(super) fn leave_plain(&mut self, id: StrandId, state: &State) -> Result<(), Fault> {
        let leaving = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let input = sight.effective_input()?;
            let states = sight.states(&[]);
            let scope = sight.of(&input, states.as_ref());
            let assigned = assign(state.assign.as_ref(), &scope, "Assign")?;
            let output = match (state.language, &state.output) {
                (Language::Jsonata, Some(output)) => output.evaluate(&scope, "Output")?,
                _ => state.output_path.apply(&scope, "OutputPath")?,
            };
            Leaving { output, assigned, next: state.next }
        };
        self.depart(id, state, leaving)
    }

    /// Leaves a state with its result. In JSONata, Pass has none: its output is its input.
    pub(super) fn leave(
        &mut self,
        id: StrandId,
        state: &State,
        result: Option<Value>,
    ) -> Result<(), Fault> {
        let leaving = {
            let Some(sight) = self.sight(id, state, self.own_token(id)) else { return Ok(()) };
            let result = result.unwrap_or(Value::Null);
            match state.language {
                Language::JsonPath => leave_by_paths(&sight, state, result)?,
                Language::Jsonata => leave_by_query(&sight, state, result)?,
            }
        };
        self.depart(id, state, leaving)
    }

    /// Writes the Exited event and goes on to the next state.
    pub(super) fn depart(
        &mut self,
        id: StrandId,
        state: &State,
        leaving: Leaving,
    ) -> Result<(), Fault> {
        let text = bounded(&state.name, &leaving.output)?;
        self.written += text.len();
        let assigned = self.assign(id, leaving.assigned)?;
        let now = self.core.now;
        let details = Details::StateExited(Exited {
            name: state.name.clone(),
            output: text,
            output_details: Truncation::default(),
            assigned_variables_details: assigned.as_ref().map(|_| Truncation::default()),
            assigned_variables: assigned,
        });
        let kind = EventType::exited(state.kind.name());
        if let Some(strand) = self.strand_mut(id)
            && let Some(from) = strand.frame.exit_from.take()
        {
            strand.last = from;
        }
        self.advance(id, kind, Some(details));
        match leaving.next {
            Some(next) => {
                if let Some(strand) = self.strand_mut(id) {
                    strand.frame = Frame::new(next, leaving.output, now);
                }
                self.wake(id);
            }
            None => self.complete(id, leaving.output),
        }
        Ok(())
    }

    /// Assigns, and gives the event's texts. All were evaluated before the first is assigned.
    fn assign(
        &mut self,
        id: StrandId,
        assigned: Option<Map<String, Value>>,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let Some(assigned) = assigned else { return Ok(None) };
        assigned.values().try_for_each(shallow)?;
        let texts: Map<String, Value> = assigned
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.to_string())))
            .collect();
        let bytes: usize = texts.values().filter_map(Value::as_str).map(str::len).sum();
        let Some(strand) = self.strand_mut(id) else { return Ok(None) };
        if bytes > limits::PAYLOAD_BYTES || !holds(&strand.variables, bytes) {
            return Err(Failure::new(
                names::DATA_LIMIT_EXCEEDED,
                "The size of the assigned variables exceeds the maximum number of bytes service limit.",
            ));
        }
        for (name, value) in assigned {
            strand.variables.assign(name, value);
        }
        Ok(Some(texts))
    }
}

/// Whether there is room for `more` bytes beside the variables that are there. They are written out
/// only when it is a near thing.
fn holds(variables: &Variables, more: usize) -> bool {
    let room = limits::VARIABLES_BYTES.saturating_sub(more);
    let most: usize = variables.own().map(|(_, value)| most_bytes(value)).sum();
    if most <= room {
        return more <= limits::VARIABLES_BYTES;
    }
    let held: usize = variables.own().map(|(_, value)| value.to_string().len()).sum();
    held + more <= limits::VARIABLES_BYTES
}

/// The text of a payload, if it is neither too long nor too deep.
pub(super) fn bounded(what: &str, value: &Value) -> Result<String, Failure> {
    shallow(value)?;
    let text = value.to_string();
    if text.len() <= limits::PAYLOAD_BYTES {
        return Ok(text);
    }
    Err(too_long(what))
}

/// AWS's words for a result that is too long.
pub(super) fn too_long(what: &str) -> Failure {
    Failure::new(
        names::DATA_LIMIT_EXCEEDED,
        format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of \
             bytes service limit."
        ),
    )
}

/// Refuses what is nested so deep that a snapshot of it could not be read.
pub(super) fn shallow(value: &Value) -> Result<(), Failure> {
    if is_shallow(value, limits::PAYLOAD_DEPTH) {
        return Ok(());
    }
    let cause = format!("A payload is nested more than {} deep.", limits::PAYLOAD_DEPTH);
    Err(Failure::runtime(cause))
}

fn is_shallow(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if left == 0 => false,
        Value::Array(items) => items.iter().all(|item| is_shallow(item, left - 1)),
        Value::Object(members) => members.values().all(|member| is_shallow(member, left - 1)),
        _ => true,
    }
}

/// The variables an `Assign` gives.
pub(super) fn assign(
    payload: Option<&Payload>,
    scope: &crate::Scope<'_>,
    location: &str,
) -> Result<Option<Map<String, Value>>, Failure> {
    match payload.map(|payload| payload.evaluate(scope, location)).transpose()? {
        Some(Value::Object(assigned)) => Ok(Some(assigned)),
        _ => Ok(None),
    }
}

fn leave_by_paths(sight: &Sight<'_>, state: &State, result: Value) -> Result<Leaving, Failure> {
    let result = match &state.result_selector {
        Some(selector) => selector.evaluate(&sight.of(&result, None))?,
        None => result,
    };
    let assigned = assign(state.assign.as_ref(), &sight.of(&result, None), "Assign")?;
    let merged = state.result_path.merge(&sight.frame.input, result)?;
    let output = state.output_path.apply(&sight.of(&merged, None), "OutputPath")?;
    Ok(Leaving { output, assigned, next: state.next })
}

fn leave_by_query(sight: &Sight<'_>, state: &State, result: Value) -> Result<Leaving, Failure> {
    let extra: &[(&str, &Value)] = match state.kind.name() {
        "Pass" => &[],
        _ => &[("result", &result)],
    };
    let states = sight.states(extra);
    let scope = sight.of(&sight.frame.input, states.as_ref());
    let assigned = assign(state.assign.as_ref(), &scope, "Assign")?;
    let output = evaluate_output(state.output.as_ref(), &scope, "Output")?.unwrap_or(result);
    Ok(Leaving { output, assigned, next: state.next })
}

/// `Output`, where there is one.
pub(super) fn evaluate_output(
    output: Option<&JsonataTemplate>,
    scope: &crate::Scope<'_>,
    location: &str,
) -> Result<Option<Value>, Failure> {
    output.map(|output| output.evaluate(scope, location)).transpose()
}

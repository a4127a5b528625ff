//! Leaves a state: result, variables, output, and where to next.

use super::Execution;
use super::sight::Sight;
use super::state::{Fault, Frame, StrandId};
use crate::failure::{Failure, names};
use crate::history::{Assigned, Details, EventType, Exited, Truncation};
use crate::json::{Json, Text, fits, is_shallow};
use crate::jsonata::JsonataTemplate;
use crate::limits;
use crate::machine::model::{Language, Payload, State, StateId};
use crate::value::weight;
use serde_json::{Map, Value};

/// How a state is left.
pub(super) struct Leaving {
    pub(super) output: Json,
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
                (Language::Jsonata, Some(output)) => output.evaluate(&scope, "Output")?.into(),
                _ => state.output_path.apply(&scope, &input, "OutputPath")?,
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
        result: Option<Json>,
    ) -> Result<(), Fault> {
        let leaving = {
            let Some(sight) = self.sight(id, state, self.own_token(id)) else { return Ok(()) };
            let result = result.unwrap_or_default();
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
        // What was a payload already was looked at then.
        if !self.strand(id).is_some_and(|strand| strand.frame.input.is(&leaving.output)) {
            bounded(&state.name, &leaving.output)?;
        }
        self.written += weight(&leaving.output);
        let assigned = self.assign(id, leaving.assigned)?;
        let now = self.core.now;
        let details = Details::StateExited(Exited {
            name: state.name.clone(),
            output: Text::from(&leaving.output),
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

    /// Assigns, and gives what the event tells. All were evaluated before the first is assigned.
    fn assign(
        &mut self,
        id: StrandId,
        assigned: Option<Map<String, Value>>,
    ) -> Result<Option<Assigned>, Failure> {
        let Some(assigned) = assigned else { return Ok(None) };
        assigned.values().try_for_each(shallow)?;
        let Some(strand) = self.strand_mut(id) else { return Ok(None) };
        let held = strand.variables.own().map(|(_, value)| value);
        if !fits(assigned.values(), limits::PAYLOAD_BYTES)
            || !fits(held.chain(assigned.values()), limits::VARIABLES_BYTES)
        {
            return Err(Failure::new(
                names::DATA_LIMIT_EXCEEDED,
                "The size of the assigned variables exceeds the maximum number of bytes service limit.",
            ));
        }
        let mut told = Vec::with_capacity(assigned.len());
        for (name, value) in assigned {
            let value = Json::from(value);
            told.push((name.clone(), Text::from(&value)));
            strand.variables.assign(name, value);
        }
        Ok(Some(Assigned(told)))
    }
}

/// Refuses a payload that is too long or too deep.
pub(super) fn bounded(what: &str, value: &Value) -> Result<(), Failure> {
    shallow(value)?;
    if fits(std::iter::once(value), limits::PAYLOAD_BYTES) { Ok(()) } else { Err(too_long(what)) }
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
    if is_shallow(value) {
        return Ok(());
    }
    let cause = format!("A payload is nested more than {} deep.", limits::PAYLOAD_DEPTH);
    Err(Failure::runtime(cause))
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

fn leave_by_paths(sight: &Sight<'_>, state: &State, result: Json) -> Result<Leaving, Failure> {
    let result = match &state.result_selector {
        Some(selector) => selector.evaluate(&sight.of(&result, None))?.into(),
        None => result,
    };
    let assigned = assign(state.assign.as_ref(), &sight.of(&result, None), "Assign")?;
    let merged = state.result_path.merge(&sight.frame.input, result)?;
    let output = state.output_path.apply(&sight.of(&merged, None), &merged, "OutputPath")?;
    Ok(Leaving { output, assigned, next: state.next })
}

fn leave_by_query(sight: &Sight<'_>, state: &State, result: Json) -> Result<Leaving, Failure> {
    let extra: &[(&str, &Value)] = match state.kind.name() {
        "Pass" => &[],
        _ => &[("result", &result)],
    };
    let states = sight.states(extra);
    let scope = sight.of(&sight.frame.input, states.as_ref());
    let assigned = assign(state.assign.as_ref(), &scope, "Assign")?;
    let output = evaluate_output(state.output.as_ref(), &scope, "Output")?;
    Ok(Leaving { output: output.map_or(result, Json::from), assigned, next: state.next })
}

/// `Output`, where there is one.
pub(super) fn evaluate_output(
    output: Option<&JsonataTemplate>,
    scope: &crate::Scope<'_>,
    location: &str,
) -> Result<Option<Value>, Failure> {
    output.map(|output| output.evaluate(scope, location)).transpose()
}

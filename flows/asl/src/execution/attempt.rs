//! Enters a state and tries it: one arm for each type.

use super::Execution;
use super::record::after;
use super::sight::{Sight, no_seconds, no_whole, whole};
use super::state::{Fault, Phase, StrandId};
use crate::failure::Failure;
use crate::history::{Details, Entered, EventType, Truncation};
use crate::json::{Json, Text};
use crate::jsonata::Expected;
use crate::limits;
use crate::machine::Machine;
use crate::machine::model::{Kind, Setting, State, Wait};
use crate::value::moment;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

impl Execution {
    /// The machine and the state a strand is in. The `Arc` keeps the state while `self` changes.
    pub(super) fn located(&self, id: StrandId) -> Option<(Arc<Machine>, usize, usize)> {
        let strand = self.strand(id)?;
        Some((Arc::clone(&self.machine), strand.flow, strand.frame.state))
    }

    /// Writes the Entered event.
    pub(super) fn enter(&mut self, id: StrandId) {
        let Some((machine, flow, state)) = self.located(id) else { return };
        let Some(state) = machine.state(flow, state) else { return };
        let now = self.core.now;
        let Some(strand) = self.strand_mut(id) else { return };
        let before = strand.last;
        let details = Details::StateEntered(Entered {
            name: state.name.clone(),
            input: Text::from(&strand.frame.input),
            input_details: Truncation::default(),
        });
        strand.frame.phase = Phase::Attempt;
        strand.frame.entered_at = now;
        strand.frame.before_entered = before;
        let entered = self.advance(id, EventType::entered(state.kind.name()), Some(details));
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.entered = entered;
        }
    }

    /// Tries the state a strand is in.
    pub(super) fn attempt(&mut self, id: StrandId) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        match &state.kind {
            Kind::Pass { result } => self.pass(id, state, result.as_ref()),
            Kind::Succeed => self.leave_plain(id, state),
            Kind::Choice { rules, default } => self.choose(id, state, rules, *default),
            Kind::Wait(wait) => self.wait(id, state, wait),
            Kind::Fail { error, cause } => {
                Err(self.raise(id, state, error.as_ref(), cause.as_ref())?)
            }
            Kind::Task(task) => self.call(id, state, task),
            Kind::Parallel { branches } => self.fork(id, state, branches),
            Kind::Map(map) => self.begin_map(id, state, map),
        }
    }

    fn pass(&mut self, id: StrandId, state: &State, fixed: Option<&Value>) -> Result<(), Fault> {
        let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
        let input = sight.effective_input()?;
        let result = match (fixed, &state.arguments) {
            (Some(fixed), _) => Json::from(fixed.clone()),
            (None, Some(arguments)) => sight.payload(arguments, &input, "Arguments")?.into(),
            (None, None) => input,
        };
        self.leave(id, state, Some(result))
    }

    fn wait(&mut self, id: StrandId, state: &State, wait: &Wait) -> Result<(), Fault> {
        let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
        let input = sight.effective_input()?;
        let until = match wait {
            Wait::Seconds(setting) => {
                let value = awaited(&sight, setting, &input, Expected::Number)?;
                after(self.core.now, wait_seconds(setting, &value)?)
            }
            Wait::Timestamp(setting) => {
                let value = awaited(&sight, setting, &input, Expected::String)?;
                wait_until(setting, &value)?
            }
        };
        if until <= self.core.now {
            return self.leave_plain(id, state);
        }
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.phase = Phase::Wait { until };
        }
        Ok(())
    }

    pub(super) fn finish_wait(&mut self, id: StrandId) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        self.leave_plain(id, state)
    }

    /// What a Fail state says. Its own evaluation may fail instead.
    fn raise(
        &self,
        id: StrandId,
        state: &State,
        error: Option<&Setting>,
        cause: Option<&Setting>,
    ) -> Result<Fault, Fault> {
        let Some(sight) = self.sight(id, state, None) else { return Ok(Fault::told(None, None)) };
        let input = &*sight.frame.input;
        let word = |setting: Option<&Setting>| -> Result<Option<String>, Fault> {
            let Some(setting) = setting else { return Ok(None) };
            match sight.setting(setting, input, Expected::String)? {
                Value::String(text) => Ok(Some(text)),
                other => {
                    let (path, field) = setting.cited().unwrap_or(("", "Error"));
                    let cause =
                        format!("The {field} field must resolve to a string: {path} == {other}");
                    Err(Failure::runtime(cause).into())
                }
            }
        };
        Ok(Fault::told(word(error)?, word(cause)?))
    }
}

/// What a Wait's setting comes to. A path to nothing has words of its own here.
fn awaited(
    sight: &Sight<'_>,
    setting: &Setting,
    input: &Value,
    expected: Expected,
) -> Result<Value, Failure> {
    match setting {
        Setting::Path { path, field }
            if ["$.", "$[", "$$"].iter().any(|of| path.source().starts_with(of))
                && matches!(sight.select(path, input), Ok(None)) =>
        {
            let path = path.source();
            let cause = format!("The {field} parameter does not reference an input value: {path}");
            Err(Failure::runtime(cause))
        }
        _ => sight.setting(setting, input, expected),
    }
}

fn wait_seconds(setting: &Setting, value: &Value) -> Result<f64, Failure> {
    let (path, field) = setting.cited().unwrap_or(("Seconds", "Seconds"));
    if let Setting::Query { .. } = setting {
        let seconds = whole(value).ok_or_else(|| no_whole(field, value))?;
        return if (0..=limits::SECONDS as i64).contains(&seconds) {
            Ok(seconds as f64)
        } else {
            Err(no_seconds(field, seconds))
        };
    }
    let Some(seconds) = value.as_i64() else {
        return Err(Failure::runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {path} == {value}"
        )));
    };
    if seconds < 0 {
        return Err(Failure::runtime(format!(
            "The {field} parameter references a negative value: {path} == {seconds}"
        )));
    }
    Ok(seconds as f64)
}

fn wait_until(setting: &Setting, value: &Value) -> Result<Timestamp, Failure> {
    if let Some(at) = value.as_str().and_then(moment) {
        return Ok(at);
    }
    let (path, field) = setting.cited().unwrap_or(("Timestamp", "Timestamp"));
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cause = match setting {
        Setting::Query { .. } => format!(
            "The JSONata expression '{path}' specified for the field '{field}' returned a value \
             that is not a valid ISO-8601 extended offset date-time format string: {shown}"
        ),
        _ => format!(
            "The {field} parameter does not reference a valid ISO-8601 extended offset date-time \
             format string: {path} == {shown}"
        ),
    };
    Err(match setting {
        Setting::Query { .. } => Failure::query(cause, field),
        _ => Failure::runtime(cause),
    })
}

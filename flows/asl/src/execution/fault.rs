//! A state failed: retry, catch, or pass the failure on.

use super::Execution;
use super::Status;
use super::exit::{Leaving, assign, evaluate_output};
use super::parallel::Failed;
use super::record::after;
use super::state::{Fault, Phase, ROOT, StrandId};
use crate::failure::names;
use crate::history::{Details, Evaluation, EventType, Fault as FaultDetails};
use crate::json::Json;
use crate::limits;
use crate::machine::model::{Catcher, Kind, Language, Retrier, State};
use serde_json::{Value, json};

/// Whether a retrier or catcher with `errors` takes `fault` (developer guide, "Error names").
fn takes(errors: &[String], fault: &Fault) -> bool {
    // The guide says that States.ALL never takes States.DataLimitExceeded. It does where a task's
    // result is too long: so it was recorded on AWS.
    let terminal =
        fault.is(names::RUNTIME) || fault.is(names::DATA_LIMIT_EXCEEDED) && !fault.of_task;
    errors.iter().any(|name| match name.as_str() {
        "States.ALL" => !terminal,
        "States.TaskFailed" => {
            fault.is("States.TaskFailed") || (!terminal && !fault.is("States.Timeout"))
        }
        name => fault.is(name) || fault.alias == Some(name),
    })
}

impl Execution {
    /// A state failed by itself.
    pub(super) fn fail(&mut self, id: StrandId, fault: Fault) {
        let Some((machine, flow, state)) = self.located(id) else { return };
        let Some(state) = machine.state(flow, state) else { return };
        let fault = self.told(id, state, fault);
        self.settle(id, state, fault);
    }

    /// Retry, catch or pass on.
    fn settle(&mut self, id: StrandId, state: &State, fault: Fault) {
        // A call that waits belongs to the attempt that is over.
        self.cut_children(id);
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.exit_from = None;
        }
        if fault.is(names::RUNTIME) {
            let home = self.strand(id).map_or(ROOT, |strand| strand.home);
            let last = self.strand(id).map_or(0, |strand| strand.last);
            if let Some(home) = self.strand_mut(home) {
                home.last = last;
            }
            self.fail_home(home, fault);
            return;
        }
        if self.retry(id, state, &fault) {
            return;
        }
        let before = self.strand(id).map_or(0, |strand| strand.last);
        self.state_failed(id, state);
        let caught =
            state.catch.iter().enumerate().find(|(_, catcher)| takes(&catcher.errors, &fault));
        let Some((index, catcher)) = caught else {
            self.pass_on(id, state, fault);
            return;
        };
        let left = self
            .caught(id, state, index, catcher, &fault)
            .and_then(|leaving| self.depart(id, state, leaving));
        if let Err(second) = left {
            // AWS tells a clause that fails from where the state stood before it failed first.
            if let Some(strand) = self.strand_mut(id) {
                strand.last = before;
                strand.frame.before_entered = before;
            }
            let second = self.told(id, state, second);
            self.state_failed(id, state);
            self.pass_on(id, state, second);
        }
    }

    /// Puts the state's name before the cause, and tells a failed evaluation.
    fn told(&mut self, id: StrandId, state: &State, mut fault: Fault) -> Fault {
        let Some(strand) = self.strand(id) else { return fault };
        let (entered, before, last) =
            (strand.frame.entered, strand.frame.before_entered, strand.last);
        let bare = fault.is(names::DATA_LIMIT_EXCEEDED) || fault.is(names::REFERENCE_PATH_CONFLICT);
        if !fault.told && !bare {
            let cause = fault.cause.take().unwrap_or_default();
            fault.cause = Some(format!(
                "An error occurred while executing the state '{}' (entered at the event id \
                 #{entered}). {cause}",
                state.name
            ));
        }
        fault.error = fault.error.map(|text| cut(text, limits::ERROR_CHARS));
        fault.cause = fault.cause.map(|text| cut(text, limits::CAUSE_CHARS));
        if !fault.told && fault.is(names::QUERY_EVALUATION_ERROR) {
            let details = Details::EvaluationFailed(Evaluation {
                state: state.name.clone(),
                error: fault.error.clone(),
                cause: fault.cause.clone(),
                location: fault.location.clone(),
            });
            let previous = if last == entered { before } else { last };
            let event = self.record(id, EventType::EvaluationFailed, previous, Some(details));
            if let Some(strand) = self.strand_mut(id) {
                strand.last = event;
            }
        }
        fault.told = true;
        fault
    }

    fn state_failed(&mut self, id: StrandId, state: &State) {
        match state.kind {
            Kind::Parallel { .. } => {
                self.advance(id, EventType::ParallelStateFailed, None);
            }
            Kind::Map(_) => {
                self.advance(id, EventType::MapStateFailed, None);
            }
            _ => {}
        }
    }

    /// Whether the state will be tried again.
    fn retry(&mut self, id: StrandId, state: &State, fault: &Fault) -> bool {
        let found = state.retry.iter().enumerate().find(|(_, one)| takes(&one.errors, fault));
        let Some((index, retrier)) = found else { return false };
        let unit = self.core.entropy.unit();
        let now = self.core.now;
        let Some(strand) = self.strand_mut(id) else { return false };
        let attempts = &mut strand.frame.attempts;
        if attempts.len() < state.retry.len() {
            attempts.resize(state.retry.len(), 0);
        }
        let Some(used) = attempts.get_mut(index) else { return false };
        if *used >= retrier.max_attempts {
            return false;
        }
        let seconds = delay(retrier, *used, unit);
        *used += 1;
        strand.frame.retries += 1;
        strand.frame.phase = Phase::Backoff { until: after(now, seconds) };
        true
    }

    fn caught(
        &self,
        id: StrandId,
        state: &State,
        index: usize,
        catcher: &Catcher,
        fault: &Fault,
    ) -> Result<Leaving, Fault> {
        let error = Json::from(error_output(fault));
        let next = Some(catcher.next);
        let Some(sight) = self.sight(id, state, self.own_token(id)) else {
            return Ok(Leaving { output: error, assigned: None, next });
        };
        let place = |field: &str| format!("Catch[{index}]/{field}");
        if state.language == Language::JsonPath {
            let scope = sight.of(&error, None);
            let assigned = assign(catcher.assign.as_ref(), &scope, &place("Assign"))?;
            let output = catcher.result_path.merge(&sight.frame.input, error.clone())?;
            return Ok(Leaving { output, assigned, next });
        }
        let states = sight.states(&[("errorOutput", &error)]);
        let scope = sight.of(&sight.frame.input, states.as_ref());
        let assigned = assign(catcher.assign.as_ref(), &scope, &place("Assign"))?;
        let output = evaluate_output(catcher.output.as_ref(), &scope, &place("Output"))?;
        Ok(Leaving { output: output.map_or(error, Json::from), assigned, next })
    }

    /// Nobody takes the failure here.
    fn pass_on(&mut self, id: StrandId, state: &State, fault: Fault) {
        let Some(strand) = self.strand(id) else { return };
        let (home, parent, last) = (strand.home, strand.parent, strand.last);
        if id == home {
            self.fail_home(id, fault);
            return;
        }
        self.core.strands.remove(&id);
        if let Some((parent, index)) = parent {
            let aborted =
                matches!(state.kind, Kind::Task(_)).then_some(EventType::TaskStateAborted);
            self.child_failed(parent, &Failed { index, last, aborted }, fault);
        }
    }

    /// A branch or an inline iteration failed, and with it the state around it.
    fn child_failed(&mut self, parent: StrandId, failed: &Failed, fault: Fault) {
        let Some((machine, flow, state)) = self.located(parent) else { return };
        let Some(state) = machine.state(flow, state) else { return };
        self.abort_siblings(parent, state, failed);
        if let Some(strand) = self.strand_mut(parent) {
            strand.last = failed.last;
        }
        self.settle(parent, state, fault);
    }

    /// An execution, or a child execution of a distributed Map, failed.
    pub(super) fn fail_home(&mut self, home: StrandId, fault: Fault) {
        let Some(strand) = self.strand(home) else { return };
        let Some((parent, index)) = strand.parent else {
            let details = Details::ExecutionFailed(FaultDetails {
                error: fault.error.clone(),
                cause: fault.cause.clone(),
            });
            self.end(Status::Failed, EventType::ExecutionFailed, details);
            self.core.error = fault.error;
            self.core.cause = fault.cause;
            return;
        };
        let child = self.strand_mut(home).and_then(|strand| strand.child.take());
        self.cut(home);
        if let Err(fault) = self.iteration_failed(parent, index, &fault, child) {
            self.fail(parent, fault);
        }
    }
}

/// Seconds until a retrier's next attempt, after `used` ones.
fn delay(retrier: &Retrier, used: u64, unit: f64) -> f64 {
    let power = retrier.backoff_rate.powf(used as f64);
    let longest = retrier.max_delay_seconds.unwrap_or(crate::limits::SECONDS as f64);
    let seconds = (retrier.interval_seconds * power).min(longest);
    // An interval of 0 times an infinite rate is no number.
    let seconds = if seconds.is_finite() { seconds } else { 0.0 };
    if retrier.jitter { seconds * unit } else { seconds }
}

/// What a catcher sees of a failure. A timeout has an empty cause here, though its event has none;
/// a failure that a worker told without one has null (both recorded on AWS).
pub(super) fn error_output(fault: &Fault) -> Value {
    let timed_out = fault.of_task && fault.cause.is_none() && fault.is("States.Timeout");
    let cause = if timed_out { Some("") } else { fault.cause.as_deref() };
    json!({ "Error": fault.error, "Cause": cause })
}

/// At most `chars` characters of `text`.
pub(super) fn cut(text: String, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => text[..at].to_owned(),
        None => text,
    }
}

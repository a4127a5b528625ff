//! A turn: runs what is ready, up to a bound, and ends what has ended.

use super::state::{Call, Fault, Phase, ROOT, Strand, StrandId};
use super::{Effect, Execution, Status, TaskId};
use crate::failure::names;
use crate::history::{Details, EventType, Fault as FaultDetails, Output, Truncation};
use crate::json::{Json, Text};
use crate::limits;
use jiff::Timestamp;

/// When a strand has something to do by itself.
pub(super) fn deadline(strand: &Strand) -> Option<Timestamp> {
    match &strand.frame.phase {
        Phase::Wait { until } | Phase::Backoff { until } => Some(*until),
        Phase::Task(run) => run.deadline.into_iter().chain(run.heartbeat.map(|(_, due)| due)).min(),
        _ => None,
    }
}

impl Execution {
    /// Takes the time. It never goes backwards within an execution.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.core.now = self.core.now.max(now);
    }

    /// Puts a strand in the row of those that have something to do.
    pub(super) fn wake(&mut self, id: StrandId) {
        self.core.ready.push_back(id);
    }

    /// Runs what is ready, at most [`limits::STATES_PER_TURN`] states of it, fewer when they write
    /// much, and for as long as its [`super::Pace`] says.
    pub(super) fn run(&mut self) {
        self.written = 0;
        for done in 0..limits::STATES_PER_TURN {
            let full = self.written > limits::BYTES_PER_TURN;
            if self.core.status != Status::Running || full || (done > 0 && self.pace.is_over()) {
                return;
            }
            let Some(id) = self.core.ready.pop_front() else { return };
            self.step(id);
            self.bound_history(id);
        }
    }

    fn step(&mut self, id: StrandId) {
        let Some(strand) = self.strand(id) else { return };
        let result = match strand.frame.phase {
            Phase::Enter => {
                self.enter(id);
                self.attempt(id)
            }
            Phase::Attempt => self.attempt(id),
            Phase::Task(_) => {
                self.task_started(id);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(fault) = result {
            self.fail(id, fault);
        }
    }

    /// AWS ends an execution with its 25,000th event.
    fn bound_history(&mut self, id: StrandId) {
        let cause = format!(
            "The execution reached the maximum number of history events ({}).",
            limits::HISTORY_EVENTS
        );
        let fault = Fault::told(Some(names::RUNTIME.to_owned()), Some(cause));
        if let Some(home) = self.child_is_full(id) {
            self.fail_home(home, fault);
        } else if self.core.status == Status::Running && self.history_is_full() {
            self.fail_home(ROOT, fault);
        }
    }

    /// Does what is due by now: timeouts, waits, retries.
    pub(super) fn due(&mut self) {
        let now = self.core.now;
        if self.core.status == Status::Running
            && self.core.deadline.is_some_and(|deadline| deadline <= now)
        {
            let error = Some("States.Timeout".to_owned());
            let details =
                Details::ExecutionTimedOut(FaultDetails { error: error.clone(), cause: None });
            self.end(Status::TimedOut, EventType::ExecutionTimedOut, details);
            self.core.error = error;
            return;
        }
        let mut due: Vec<(Timestamp, StrandId)> = self
            .core
            .strands
            .iter()
            .filter_map(|(id, strand)| Some((deadline(strand)?, *id)))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
        for moment in due.chunk_by(|left, right| left.0 == right.0) {
            self.moment(moment);
        }
    }

    /// Does what is due at one moment. Every task that times out is told before the first of them
    /// fails its state.
    fn moment(&mut self, due: &[(Timestamp, StrandId)]) {
        let mut timed_out = Vec::new();
        for (at, id) in due {
            // What came before may have ended the strand, or the execution.
            if self.strand(*id).and_then(deadline) != Some(*at) {
                continue;
            }
            match self.task_timed_out(*id) {
                Some(fault) => timed_out.push((*id, fault)),
                None => self.strand_due(*id),
            }
        }
        for (id, fault) in timed_out {
            self.fail(id, fault);
        }
    }

    fn strand_due(&mut self, id: StrandId) {
        let Some(strand) = self.strand_mut(id) else { return };
        match strand.frame.phase {
            Phase::Wait { .. } => {
                if let Err(fault) = self.finish_wait(id) {
                    self.fail(id, fault);
                }
            }
            Phase::Backoff { .. } => {
                strand.frame.phase = Phase::Attempt;
                self.wake(id);
            }
            _ => {}
        }
    }

    /// A strand has no next state.
    pub(super) fn complete(&mut self, id: StrandId, output: Json) {
        let Some(strand) = self.strand(id) else { return };
        let Some((parent, index)) = strand.parent else {
            let details = Details::ExecutionSucceeded(Output {
                output: Text::from(&output),
                output_details: Truncation::default(),
            });
            self.end(Status::Succeeded, EventType::ExecutionSucceeded, details);
            self.core.output = Some(output);
            return;
        };
        let last = strand.last;
        let child = self.core.strands.remove(&id).and_then(|strand| strand.child);
        let output = output.into_value();
        let outcome = match self.strand(parent).map(|strand| &strand.frame.phase) {
            Some(Phase::Parallel { .. }) => self.branch_succeeded(parent, index, output, last),
            Some(Phase::Map(_)) => self.iteration_succeeded(parent, index, output, last, child),
            _ => Ok(()),
        };
        if let Err(fault) = outcome {
            self.fail(parent, fault);
        }
    }

    /// Ends the execution: nothing is left of what it was doing.
    pub(super) fn end(&mut self, status: Status, kind: EventType, details: Details) {
        let last = match status {
            // What is cut from outside follows no event (measured on AWS: floci-io/floci#2965).
            Status::TimedOut | Status::Aborted => 0,
            _ => self.strand(ROOT).map_or(0, |strand| strand.last),
        };
        self.record(ROOT, kind, last, Some(details));
        self.core.status = status;
        self.cancel_all();
        self.core.strands.clear();
        self.core.ready.clear();
    }

    fn cancel_all(&mut self) {
        let open: Vec<TaskId> = self.core.tasks.keys().copied().collect();
        for id in open {
            self.withdraw(id);
        }
    }

    /// Takes a task back: out of the row if the driver has not seen it, else with a `Cancel`.
    pub(super) fn withdraw(&mut self, id: TaskId) {
        if self.core.tasks.remove(&id).is_none() {
            return;
        }
        let before = self.core.effects.len();
        self.core.effects.retain(|effect| match effect {
            Effect::Task(call) => call.id != id,
            Effect::ReadItems(call) => call.id != id,
            Effect::WriteResults(call) => call.id != id,
            Effect::Cancel { .. } => true,
        });
        if self.core.effects.len() == before {
            self.core.effects.push_back(Effect::Cancel { id });
        }
    }

    /// Ends every strand below `parent`, telling their states' ends where AWS does.
    pub(super) fn cut_children(&mut self, parent: StrandId) {
        for (child, _) in self.children(parent) {
            self.cut(child);
        }
    }

    /// Ends a strand and all below it.
    pub(super) fn cut(&mut self, id: StrandId) {
        self.cut_children(id);
        let Some(strand) = self.core.strands.remove(&id) else { return };
        let task = match &strand.frame.phase {
            Phase::Task(run) => Some(run.id),
            Phase::Map(run) => {
                let call =
                    run.distributed.as_ref().and_then(|distributed| distributed.call.as_ref());
                call.map(Call::id)
            }
            _ => None,
        };
        if let Some(task) = task {
            self.withdraw(task);
        }
    }
}

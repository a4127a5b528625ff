//! Expressions that take long are evaluated by the driver; their state waits, and is tried again.

use super::Execution;
use super::Fault;
use super::state::{Phase, StrandId};
use crate::jsonata::{Evaluated, Evaluation};
use jiff::Timestamp;
use serde_json::Value;

impl Execution {
    /// Takes what came of an expression that was set aside. What nobody waits for any more changes
    /// nothing.
    pub fn handle_evaluated(&mut self, evaluated: Evaluated, now: Timestamp) {
        let number = evaluated.evaluation.number;
        let waits = self.core.strands.iter_mut().find(|(_, s)| s.frame.aside == Some(number));
        let Some((id, strand)) = waits else { return };
        let id = *id;
        strand.frame.aside = None;
        let is_due = matches!(strand.frame.phase, Phase::Wait { .. });
        self.aside.answer(id, evaluated);
        self.tick(now);
        if is_due {
            self.strand_due(id);
        } else {
            self.wake(id);
        }
        self.run();
    }

    /// An expression of a strand's state was broken off.
    pub(super) fn set_aside(&mut self, id: StrandId, mut evaluation: Evaluation) {
        let number = self.set_aside + 1;
        let Some(strand) = self.strand_mut(id) else { return };
        strand.frame.aside = Some(number);
        self.set_aside = number;
        evaluation.number = number;
        self.evaluations.push_back(evaluation);
    }

    /// Keeps the result of a state whose last expressions are evaluated elsewhere.
    pub(super) fn keep_result(&mut self, id: StrandId, result: Value) {
        if self.aside.has_asked()
            && let Some(strand) = self.strand_mut(id)
        {
            strand.frame.result = Some(result);
        }
    }

    /// Leaves a state that has its result already.
    pub(super) fn leave_again(&mut self, id: StrandId) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let result = strand.frame.result.take();
        self.leave(id, state, result)
    }

    /// After a restart nobody evaluates what was set aside before. A Wait is due anyway.
    pub(super) fn try_again_what_was_set_aside(&mut self) {
        let core = &mut self.core;
        for (id, strand) in &core.strands {
            let waits =
                strand.frame.result.is_some() || matches!(strand.frame.phase, Phase::Attempt);
            if waits && !core.ready.contains(id) {
                core.ready.push_back(*id);
            }
        }
    }
}

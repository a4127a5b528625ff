//! Parallel states: branches begin together, and all must succeed.

use super::Execution;
use super::exit::{bounded, too_long};
use super::state::{Fault, Frame, Phase, Strand, StrandId};
use crate::failure::Failure;
use crate::history::{Details, EventId, EventType, Iteration};
use crate::limits;
use crate::machine::model::{FlowId, Kind, State};
use crate::value::weight;
use serde_json::Value;

/// Refuses what a Parallel or a Map would hold beyond the bound.
pub(super) fn held(state: &str, bytes: usize) -> Result<(), Failure> {
    if bytes <= limits::HELD_BYTES { Ok(()) } else { Err(too_long(state)) }
}

impl Execution {
    pub(super) fn fork(
        &mut self,
        id: StrandId,
        state: &State,
        branches: &[FlowId],
    ) -> Result<(), Fault> {
        let input = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let input = sight.effective_input()?;
            match &state.arguments {
                Some(arguments) => sight.payload(arguments, &input, "Arguments")?,
                None => input,
            }
        };
        self.room(branches.len())?;
        let bytes = bounded(&state.name, &input)?.len();
        held(&state.name, bytes.saturating_mul(branches.len()))?;
        let started = self.advance(id, EventType::ParallelStateStarted, None);
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        strand.frame.phase = Phase::Parallel {
            running: branches.len(),
            results: vec![None; branches.len()],
            held: 0,
        };
        for (index, flow) in branches.iter().enumerate() {
            self.branch(id, index, *flow, started, input.clone());
        }
        Ok(())
    }

    /// Refuses more strands than are allowed.
    pub(super) fn room(&self, more: usize) -> Result<(), Failure> {
        if self.core.strands.len() + more <= limits::STRANDS {
            return Ok(());
        }
        Err(Failure::runtime(format!(
            "More than {} branches and iterations would run at a time.",
            limits::STRANDS
        )))
    }

    /// Begins a strand below `parent`.
    pub(super) fn branch(
        &mut self,
        parent: StrandId,
        index: usize,
        flow: FlowId,
        last: EventId,
        input: Value,
    ) -> Option<StrandId> {
        let outer = self.strand(parent)?;
        let start = self.machine.flow(flow).map_or(0, |flow| flow.start);
        let strand = Strand {
            parent: Some((parent, index)),
            home: outer.home,
            child: None,
            flow,
            last,
            variables: outer.variables.inner(),
            item: None,
            frame: Frame::new(start, input, self.core.now),
        };
        let id = self.core.next_strand;
        self.core.next_strand += 1;
        self.core.strands.insert(id, strand);
        self.wake(id);
        Some(id)
    }

    pub(super) fn branch_succeeded(
        &mut self,
        id: StrandId,
        index: usize,
        output: Value,
        last: EventId,
    ) -> Result<(), Fault> {
        let Some((machine, flow, at)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, at) else { return Ok(()) };
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        strand.last = last;
        let Phase::Parallel { running, results, held: bytes } = &mut strand.frame.phase else {
            return Ok(());
        };
        *bytes += weight(&output);
        held(&state.name, *bytes)?;
        *running = running.saturating_sub(1);
        if let Some(place) = results.get_mut(index) {
            *place = Some(output);
        }
        if *running > 0 {
            return Ok(());
        }
        let results = std::mem::take(results).into_iter().flatten().collect();
        strand.frame.exit_from = Some(last);
        self.advance(id, EventType::ParallelStateSucceeded, None);
        self.leave(id, state, Some(Value::Array(results)))
    }

    /// Ends what runs beside a branch or an iteration that failed.
    pub(super) fn abort_siblings(
        &mut self,
        parent: StrandId,
        state: &State,
        index: usize,
        last: EventId,
    ) {
        let Kind::Map(_) = &state.kind else {
            self.abort_states(parent);
            self.cut_children(parent);
            return;
        };
        let iteration = |index| Iteration { name: state.name.clone(), index };
        let details = Details::MapIterationFailed(iteration(index));
        self.record(parent, EventType::MapIterationFailed, last, Some(details));
        let running: Vec<(usize, EventId)> = self
            .core
            .strands
            .values()
            .filter_map(|strand| {
                let (of, index) = strand.parent?;
                (of == parent).then_some((index, strand.last))
            })
            .collect();
        self.abort_states(parent);
        for (index, last) in running {
            let details = Details::MapIterationAborted(iteration(index));
            self.record(parent, EventType::MapIterationAborted, last, Some(details));
        }
        self.cut_children(parent);
    }

    /// Tells the states that are cut while they wait.
    fn abort_states(&mut self, parent: StrandId) {
        let cut: Vec<(StrandId, EventId, EventType)> = self
            .core
            .strands
            .iter()
            .filter(|(_, strand)| strand.parent.is_some_and(|(of, _)| of == parent))
            .filter(|(_, strand)| !matches!(strand.frame.phase, Phase::Enter))
            .filter_map(|(id, strand)| {
                let state = self.machine.state(strand.flow, strand.frame.state)?;
                Some((*id, strand.last, EventType::aborted(state.kind.name())?))
            })
            .collect();
        for (id, last, kind) in cut {
            self.abort_states(id);
            self.record(id, kind, last, None);
        }
    }
}

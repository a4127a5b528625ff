//! Parallel states: branches begin together, and all must succeed.

use super::Execution;
use super::exit::{bounded, too_long};
use super::state::{Fault, Frame, Phase, Strand, StrandId};
use crate::failure::Failure;
use crate::history::{Details, EventId, EventType, Iteration};
use crate::json::Json;
use crate::limits;
use crate::machine::model::{FlowId, Kind, State};
use crate::value::weight;
use serde_json::Value;

/// A branch or an inline iteration that failed.
pub(super) struct Failed {
    pub(super) index: usize,
    /// Its last event.
    pub(super) last: EventId,
    /// What tells the end of the state that failed, if it has such an event.
    pub(super) aborted: Option<EventType>,
}

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
                Some(arguments) => sight.payload(arguments, &input, "Arguments")?.into(),
                None => input,
            }
        };
        self.room(branches.len())?;
        bounded(&state.name, &input)?;
        held(&state.name, weight(&input).saturating_mul(branches.len()))?;
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
        input: Json,
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
        self.leave(id, state, Some(Value::Array(results).into()))
    }

    /// Ends a branch or an iteration that failed and what runs beside it, in the order of their
    /// indices. Every event of it follows the last one of what failed (recorded on AWS).
    pub(super) fn abort_siblings(&mut self, parent: StrandId, state: &State, failed: &Failed) {
        let name = matches!(state.kind, Kind::Map(_)).then_some(state.name.as_str());
        let children = self.children(parent);
        let (before, after): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|(_, index)| *index < failed.index);
        self.abort_all(parent, &before, name, failed.last);
        if let Some(name) = name {
            let name = name.to_owned();
            let details = Details::MapIterationFailed(Iteration { name, index: failed.index });
            self.record(parent, EventType::MapIterationFailed, failed.last, Some(details));
        }
        if let Some(aborted) = failed.aborted {
            self.record(parent, aborted, failed.last, None);
        }
        self.abort_all(parent, &after, name, failed.last);
        self.cut_children(parent);
    }

    /// Tells that branches, or iterations of the Map `name`, are cut.
    fn abort_all(
        &mut self,
        parent: StrandId,
        children: &[(StrandId, usize)],
        name: Option<&str>,
        last: EventId,
    ) {
        for (child, index) in children {
            if let Some(name) = name {
                let name = name.to_owned();
                let details = Details::MapIterationAborted(Iteration { name, index: *index });
                self.record(parent, EventType::MapIterationAborted, last, Some(details));
            }
            self.abort_state(*child, last);
        }
    }

    /// Tells the state that is cut while it waits, after those within it.
    fn abort_state(&mut self, id: StrandId, last: EventId) {
        let Some(strand) = self.strand(id) else { return };
        if matches!(strand.frame.phase, Phase::Enter) {
            return;
        }
        let state = self.machine.state(strand.flow, strand.frame.state);
        let Some(kind) = state.and_then(|state| EventType::aborted(state.kind.name())) else {
            return;
        };
        for (child, _) in self.children(id) {
            self.abort_state(child, last);
        }
        self.record(id, kind, last, None);
    }

    /// The strands right below one, with their indices.
    pub(super) fn children(&self, parent: StrandId) -> Vec<(StrandId, usize)> {
        let of = |strand: &Strand| strand.parent.filter(|(of, _)| *of == parent);
        let strands = self.core.strands.iter();
        strands.filter_map(|(id, strand)| Some((*id, of(strand)?.1))).collect()
    }
}

//! Map states, inline and distributed.

use super::Execution;
use super::exit::bounded;
use super::map_fields::{concurrency, entries, own_input, select};
use super::parallel::held;
use super::sight::item_value;
use super::state::{Child, Fault, Item, MapRun, Phase, Source, StrandId};
use super::writer::record;
use crate::failure::Failure;
use crate::history::{Details, EventId, EventType, Iteration, Length};
use crate::machine::model::{Kind, Map, State};
use crate::value::weight;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

impl Execution {
    /// Begins a Map, or begins it again.
    pub(super) fn begin_map(
        &mut self,
        id: StrandId,
        state: &State,
        map: &Map,
    ) -> Result<(), Fault> {
        let (input, items, concurrency) = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let input = sight.effective_input()?;
            let items = match map.reader {
                Some(_) => VecDeque::new(),
                None => entries(&sight, map, &input)?,
            };
            let concurrency = concurrency(&sight, map, &input)?;
            (input, items, concurrency)
        };
        let length = Details::MapStateStarted(Length { length: items.len() });
        let started = self.advance(id, EventType::MapStateStarted, Some(length));
        let total = items.len();
        let run = MapRun {
            input,
            items,
            next_index: 0,
            total_items: total,
            running: 0,
            concurrency,
            results: BTreeMap::new(),
            held: 0,
            distributed: None,
        };
        if map.distributed {
            return self.begin_distributed(id, state, map, run);
        }
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.phase = Phase::Map(Box::new(run));
        }
        if total == 0 {
            return self.all_done(id, started);
        }
        self.start_iterations(id)
    }

    /// Starts as many iterations as may run beside those that do.
    pub(super) fn start_iterations(&mut self, id: StrandId) -> Result<(), Fault> {
        let last = self.strand(id).map_or(0, |strand| strand.last);
        while self.start_iteration(id, last)? {}
        Ok(())
    }

    /// Starts one iteration, whose event follows `last`. False if none may start.
    pub(super) fn start_iteration(&mut self, id: StrandId, last: EventId) -> Result<bool, Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(false) };
        let Some(state) = machine.state(flow, state) else { return Ok(false) };
        let Kind::Map(map) = &state.kind else { return Ok(false) };
        self.room(1)?;
        let Some(strand) = self.strand_mut(id) else { return Ok(false) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(false) };
        if run.running >= run.concurrency {
            return Ok(false);
        }
        let Some(entry) = run.items.pop_front() else { return Ok(false) };
        let index = run.next_index;
        run.next_index += 1;
        run.running += 1;
        let item = Item { index, key: entry.key, value: entry.value };
        if run.distributed.is_some() {
            if let Some(distributed) = &mut run.distributed {
                distributed.sizes.insert(index, entry.items);
            }
            let selected = map.selector.is_some() && map.batcher.is_none();
            let input = match selected {
                true => self.selected(id, state, map, &item, entry.source.as_ref())?,
                false => own_input(item.key.as_deref(), item.value),
            };
            self.child(id, map, index, input)?;
            return Ok(true);
        }
        let input = match map.selector {
            Some(_) => self.selected(id, state, map, &item, None)?,
            None => own_input(item.key.as_deref(), item.value.clone()),
        };
        bounded(&state.name, &input)?;
        let details = Details::MapIterationStarted(Iteration { name: state.name.clone(), index });
        let started = self.record(id, EventType::MapIterationStarted, last, Some(details));
        if let Some(child) = self.branch(id, index, map.processor, started, input.into())
            && let Some(child) = self.strand_mut(child)
        {
            child.item = Some(item);
        }
        Ok(true)
    }

    fn selected(
        &self,
        id: StrandId,
        state: &State,
        map: &Map,
        item: &Item,
        own_source: Option<&Source>,
    ) -> Result<Value, Failure> {
        let Some(sight) = self.sight(id, state, None) else { return Ok(Value::Null) };
        let Phase::Map(run) = &sight.frame.phase else { return Ok(Value::Null) };
        let Some(selector) = &map.selector else { return Ok(item.value.clone()) };
        let source = run.distributed.as_ref().map(|run| run.source_of(own_source));
        let told = item_value(item.index, item.key.as_deref(), &item.value, source);
        select(&sight, selector, &run.input, told)
    }

    pub(super) fn iteration_succeeded(
        &mut self,
        id: StrandId,
        index: usize,
        output: Value,
        last: EventId,
        child: Option<Box<Child>>,
    ) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        let (written, whole) = (self.is_written(id), self.is_whole(id));
        let now = self.core.now;
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(()) };
        run.running = run.running.saturating_sub(1);
        run.held += weight(&output);
        held(&state.name, run.held)?;
        if let Some(distributed) = &mut run.distributed {
            distributed.sizes.remove(&index);
            let told = child.filter(|_| written || whole);
            let told = told.map(|child| record(&child.identity, now, Ok(&output)));
            match told {
                Some(told) if whole && !written => run.results.insert(index, told),
                told => {
                    distributed.succeeded.extend(told);
                    run.results.insert(index, output)
                }
            };
            let started = distributed.started;
            return self.next_child(id, started);
        }
        run.results.insert(index, output);
        let details = Details::MapIterationSucceeded(Iteration { name: state.name.clone(), index });
        let event = self.record(id, EventType::MapIterationSucceeded, last, Some(details));
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        strand.last = event;
        let Phase::Map(run) = &strand.frame.phase else { return Ok(()) };
        if run.running == 0 && run.items.is_empty() {
            return self.all_done(id, event);
        }
        self.start_iteration(id, last).map(|_| ())
    }

    /// Every iteration is done.
    pub(super) fn all_done(&mut self, id: StrandId, last: EventId) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        let Kind::Map(map) = &state.kind else { return Ok(()) };
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(()) };
        let results: Vec<Value> = std::mem::take(&mut run.results).into_values().collect();
        if run.distributed.is_some() {
            return match &map.writer {
                Some(writer) => self.write_results(id, state, writer, results),
                None => self.run_done(id, Value::Array(results)),
            };
        }
        strand.frame.exit_from = Some(last);
        self.advance(id, EventType::MapStateSucceeded, None);
        self.leave(id, state, Some(Value::Array(results).into()))
    }
}

//! The run of a distributed Map: its items, its child executions, its end.

use super::exit::{bounded, too_long};
use super::items::Found;
use super::map_fields::{batches, percentage, tolerated_count};
use super::state::{
    Call, Child, Distributed, Fault, Identity, MapRun, Phase, StrandId, state_data,
};
use super::writer::record;
use super::{Execution, ItemsCall, TaskEvent, TaskId, items};
use crate::failure::{Failure, names};
use crate::history::{Details, EventId, EventType, Fault as FaultDetails};
use crate::json::{Json, fits};
use crate::limits;
use crate::machine::Resource;
use crate::machine::model::{Kind, Map, Reader, State, Transformation};
use crate::scope::Variables;
use serde_json::Value;
use std::collections::BTreeMap;

const ITEM_READER: &str = "States.ItemReaderFailed";
const RESULT_WRITER: &str = "States.ResultWriterFailed";

/// Where a reader's items come from: the object that is read, or the bucket that is listed, as
/// AWS writes it (tiny-asl-machine, Observation.ItemReader 002 and 003).
pub(super) fn origin(resource: &Resource, arguments: &Value) -> String {
    let word = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    if resource.resource_name().starts_with("listObjects") {
        return format!("s3://{}", word("Bucket"));
    }
    format!("s3://{}/{}", word("Bucket"), word("Key"))
}

/// The items that `event` tells, `most` at most. The error is the cause of `States.ItemReaderFailed`.
fn items_of(
    call: &ItemsCall,
    map: &Map,
    most: Option<u64>,
    event: TaskEvent,
) -> Result<Found, String> {
    // What an older release wrote down while it read does not say all of it.
    let format = map.reader.as_ref().map(|reader| reader.format.clone());
    let call = ItemsCall { most, format, ..call.clone() };
    match call.itemize(event) {
        TaskEvent::Items { read } => read.0,
        TaskEvent::Succeeded { output: Value::Array(items) } => {
            let most = most.and_then(|most| usize::try_from(most).ok());
            items::listed(items, most.unwrap_or(usize::MAX)).map(Found::from)
        }
        TaskEvent::Failed { error, cause } => Err(cause.or(error).unwrap_or_default()),
        _ => Err("Attempting to map over non-iterable node.".to_owned()),
    }
}

impl Execution {
    pub(super) fn begin_distributed(
        &mut self,
        id: StrandId,
        state: &State,
        map: &Map,
        mut run: MapRun,
    ) -> Result<(), Fault> {
        let run_name = self.core.entropy.uuid();
        let label = map.label.clone().unwrap_or_else(|| self.core.entropy.uuid());
        let (count, percentage) = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            (tolerated_count(&sight, map, &run.input)?, percentage(&sight, map, &run.input)?)
        };
        let identity = self.strand(id).map(|strand| self.identity(strand));
        let arn = identity.map_or_else(String::new, |identity| {
            let machine = identity.machine_arn.replacen(":stateMachine:", ":mapRun:", 1);
            format!("{machine}/{label}:{run_name}")
        });
        let details = Details::MapRunStarted(crate::history::MapRun { map_run_arn: arn.clone() });
        let started = self.advance(id, EventType::MapRunStarted, Some(details));
        run.distributed = Some(Box::new(Distributed {
            arn,
            run: run_name,
            label,
            source: state_data(),
            sources: Vec::new(),
            started,
            tolerated_count: count,
            tolerated_percentage: percentage,
            failed_items: 0,
            sizes: BTreeMap::new(),
            succeeded: Vec::new(),
            failed: Vec::new(),
            call: None,
        }));
        let input = run.input.clone();
        if let Some(strand) = self.strand_mut(id) {
            strand.frame.phase = Phase::Map(Box::new(run));
        }
        match &map.reader {
            Some(reader) => self.read_items(id, state, reader, &input),
            None => self.batch(id, state, map),
        }
    }

    fn read_items(
        &mut self,
        id: StrandId,
        state: &State,
        reader: &Reader,
        input: &Value,
    ) -> Result<(), Fault> {
        let (arguments, most) = {
            let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
            let arguments = match &reader.arguments {
                Some(arguments) => sight.payload(arguments, input, "ItemReader/Arguments")?,
                None => Value::Object(serde_json::Map::new()),
            };
            let most = match &reader.max_items {
                Some(setting) => Some(sight.count(setting, input, "MaxItems")?),
                None => None,
            };
            (arguments, most)
        };
        let max_items = match most.map(u64::try_from) {
            None | Some(Ok(0)) => None,
            Some(Ok(most)) => Some(most),
            Some(Err(_)) => {
                let cause = "field MaxItems must be positive".to_owned();
                return Err(self.run_failed(id, ITEM_READER, cause));
            }
        };
        let (resource, load, most) = (reader.resource.clone(), reader.load, max_items);
        let format = Some(reader.format.clone());
        self.map_call(id, |task| Call::Read {
            call: Box::new(ItemsCall { id: task, resource, arguments, load, most, format }),
            max_items,
        });
        Ok(())
    }

    /// What the driver tells about the items or the results.
    pub(super) fn map_told(
        &mut self,
        id: StrandId,
        state: &State,
        map: &Map,
        task: TaskId,
        event: TaskEvent,
    ) -> Result<(), Fault> {
        if matches!(
            event,
            TaskEvent::Heartbeat | TaskEvent::Started { .. } | TaskEvent::Submitted { .. }
        ) {
            return Ok(());
        }
        self.core.tasks.remove(&task);
        let Some(Phase::Map(run)) = self.strand_mut(id).map(|strand| &mut strand.frame.phase)
        else {
            return Ok(());
        };
        let call = run.distributed.as_mut().and_then(|distributed| distributed.call.take());
        match (call, event) {
            (Some(Call::Read { call, max_items }), event) => {
                // Not before: what an older release wrote down while it read is read too.
                if let Some(distributed) = &mut run.distributed {
                    distributed.source = origin(&call.resource, &call.arguments);
                }
                let read = items_of(&call, map, max_items, event);
                self.items_came(id, state, map, read)
            }
            (Some(Call::Write { .. }), TaskEvent::Failed { cause, .. }) => {
                let cause = cause.unwrap_or_default();
                Err(self.run_failed(id, RESULT_WRITER, cause))
            }
            (Some(Call::Write { output, .. }), _) => self.run_done(id, output),
            (None, _) => Ok(()),
        }
    }

    fn items_came(
        &mut self,
        id: StrandId,
        state: &State,
        map: &Map,
        read: Result<Found, String>,
    ) -> Result<(), Fault> {
        match read {
            Ok(found) => {
                if let Some(strand) = self.strand_mut(id)
                    && let Phase::Map(run) = &mut strand.frame.phase
                {
                    run.total_items = found.items.len();
                    run.items = found.items.into();
                    if let Some(distributed) = &mut run.distributed {
                        distributed.sources = found.sources;
                    }
                }
                self.batch(id, state, map)
            }
            Err(cause) => Err(self.run_failed(id, ITEM_READER, cause)),
        }
    }

    /// Groups a distributed Map's items as `ItemBatcher` says, and starts.
    fn batch(&mut self, id: StrandId, state: &State, map: &Map) -> Result<(), Fault> {
        if let Some(batcher) = &map.batcher {
            let Some(Phase::Map(run)) = self.strand_mut(id).map(|strand| &mut strand.frame.phase)
            else {
                return Ok(());
            };
            let (items, input) = (std::mem::take(&mut run.items), run.input.clone());
            let batches = {
                let Some(sight) = self.sight(id, state, None) else { return Ok(()) };
                batches(&sight, map, batcher, items, &input)?
            };
            if let Some(strand) = self.strand_mut(id)
                && let Phase::Map(run) = &mut strand.frame.phase
            {
                run.items = batches;
            }
        }
        let started = self.strand(id).map_or(0, |strand| strand.last);
        match self.strand(id).map(|strand| &strand.frame.phase) {
            Some(Phase::Map(run)) if run.items.is_empty() => self.all_done(id, started),
            _ => self.start_iterations(id),
        }
    }

    /// Begins a child execution.
    pub(super) fn child(
        &mut self,
        id: StrandId,
        map: &Map,
        index: usize,
        input: Value,
    ) -> Result<(), Failure> {
        bounded("ItemSelector", &input)?;
        let input = Json::from(input);
        let name = self.core.entropy.uuid();
        let now = self.core.now;
        let Some(strand) = self.strand(id) else { return Ok(()) };
        let Phase::Map(run) = &strand.frame.phase else { return Ok(()) };
        let label = run.distributed.as_ref().map_or("", |distributed| &distributed.label);
        let outer = self.identity(strand);
        let machine_arn = format!("{}/{label}", outer.machine_arn);
        let arn = format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1));
        let identity = Identity {
            arn,
            name,
            role_arn: outer.role_arn.clone(),
            machine_name: format!("{}/{label}", outer.machine_name),
            machine_arn,
            input: input.clone(),
            started: now,
        };
        let Some(child) = self.branch(id, index, map.processor, 0, input) else { return Ok(()) };
        if let Some(strand) = self.strand_mut(child) {
            // Its first event is its ExecutionStarted.
            strand.child = Some(Box::new(Child { identity, events: 1 }));
            strand.home = child;
            strand.variables = Variables::new();
        }
        Ok(())
    }

    /// A child execution failed. Above the tolerated number, so does the Map.
    pub(super) fn iteration_failed(
        &mut self,
        id: StrandId,
        index: usize,
        fault: &Fault,
        child: Option<Box<Child>>,
    ) -> Result<(), Fault> {
        let (written, now) = (self.is_written(id), self.core.now);
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(()) };
        run.running = run.running.saturating_sub(1);
        let total = run.total_items;
        let Some(distributed) = &mut run.distributed else { return Ok(()) };
        distributed.failed_items += distributed.sizes.remove(&index).unwrap_or(1);
        let told = child.map(|child| record(&child.identity, now, Err(fault)));
        let failed = distributed.failed_items;
        // Nought is the same as not set, and counts where neither is (measured on AWS).
        let count = distributed.tolerated_count.filter(|count| *count > 0);
        let percentage = distributed.tolerated_percentage.filter(|most| *most > 0.0);
        let too_many = match (count, percentage) {
            (None, None) => failed > 0,
            (count, percentage) => {
                count.is_some_and(|count| failed as u64 > count)
                    || percentage.is_some_and(|most| failed as f64 * 100.0 > most * total as f64)
            }
        };
        let started = distributed.started;
        // A failed child's result is always told whole.
        match told {
            Some(told) if written => distributed.failed.push(told),
            told => {
                run.results.extend(told.map(|told| (index, told)));
            }
        }
        if too_many {
            self.cut_children(id);
            let cause = "The specified tolerated failure threshold was exceeded".to_owned();
            return Err(self.run_failed(id, "States.ExceedToleratedFailureThreshold", cause));
        }
        self.next_child(id, started)
    }

    /// Whether a Map's results go to a bucket.
    pub(super) fn is_written(&self, id: StrandId) -> bool {
        let Some((machine, flow, state)) = self.located(id) else { return false };
        matches!(machine.state(flow, state).map(|state| &state.kind), Some(Kind::Map(map))
            if map.writer.as_ref().is_some_and(|writer| writer.resource.is_some()))
    }

    /// Whether a Map's results are told with the executions they come from.
    pub(super) fn is_whole(&self, id: StrandId) -> bool {
        let Some((machine, flow, state)) = self.located(id) else { return false };
        matches!(machine.state(flow, state).map(|state| &state.kind), Some(Kind::Map(map))
            if map.writer.as_ref().is_some_and(|writer| writer.transformation == Transformation::None))
    }

    pub(super) fn next_child(&mut self, id: StrandId, started: EventId) -> Result<(), Fault> {
        let done = match self.strand(id).map(|strand| &strand.frame.phase) {
            Some(Phase::Map(run)) => run.running == 0 && run.items.is_empty(),
            _ => return Ok(()),
        };
        if done {
            self.all_done(id, started)
        } else {
            self.start_iteration(id, started).map(|_| ())
        }
    }

    /// The run of a distributed Map is done, its results kept.
    pub(super) fn run_done(&mut self, id: StrandId, output: Value) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        // However little of it the state keeps (measured on AWS with `ResultPath` and `OutputPath`
        // null: aws-cdk issue 24799). That the run ends with `MapRunFailed` is assumed: nobody
        // has shown that history.
        if !fits(std::iter::once(&output), limits::PAYLOAD_BYTES) {
            let cause = too_long(&state.name).cause;
            return Err(self.run_failed(id, names::DATA_LIMIT_EXCEEDED, cause));
        }
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &strand.frame.phase else { return Ok(()) };
        let started = run.distributed.as_ref().map_or(0, |distributed| distributed.started);
        strand.frame.exit_from = Some(started);
        self.advance(id, EventType::MapRunSucceeded, None);
        self.advance(id, EventType::MapStateSucceeded, None);
        self.leave(id, state, Some(output.into()))
    }

    pub(super) fn run_failed(&mut self, id: StrandId, error: &str, cause: String) -> Fault {
        let (error, cause) = (Some(error.to_owned()), Some(cause));
        let details =
            Details::MapRunFailed(FaultDetails { error: error.clone(), cause: cause.clone() });
        self.advance(id, EventType::MapRunFailed, Some(details));
        Fault::told(error, cause)
    }
}

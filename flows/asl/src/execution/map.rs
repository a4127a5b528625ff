//! Map states, inline and distributed.

use super::exit::bounded;
use super::fault::error_output;
use super::sight::{Sight, item_value, not_a};
use super::state::{
    Call, Child, Distributed, Entry, Fault, Identity, Item, MapRun, Phase, StrandId,
};
use super::{Effect, Execution, ItemsCall, TaskEvent, TaskId, items};
use crate::failure::{Failure, names};
use crate::history::{Details, EventId, EventType, Fault as FaultDetails, Iteration, Length};
use crate::jsonata::Expected;
use crate::limits;
use crate::machine::model::{Batcher, Items, Kind, Language, Map, Payload, Reader, State};
use crate::scope::Variables;
use serde_json::{Value, json};
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

    fn begin_distributed(
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
                return Err(self.run_failed(id, names_of::ITEM_READER, cause));
            }
        };
        let resource = reader.resource.clone();
        self.map_call(id, |task| {
            let call = ItemsCall { id: task, resource, arguments };
            (Call::Read { id: task, max_items }, Effect::ReadItems(Box::new(call)))
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
            (Some(Call::Read { max_items, .. }), event) => {
                self.items_came(id, state, map, max_items, event)
            }
            (Some(Call::Write { .. }), TaskEvent::Failed { cause, .. }) => {
                let cause = cause.unwrap_or_default();
                Err(self.run_failed(id, names_of::RESULT_WRITER, cause))
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
        max_items: Option<u64>,
        event: TaskEvent,
    ) -> Result<(), Fault> {
        let most = max_items.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let format = map.reader.as_ref().map(|reader| &reader.format);
        let read = match (event, format) {
            (TaskEvent::Content { text }, Some(format)) => items::read(&text, format, most),
            (TaskEvent::Succeeded { output: Value::Array(mut items) }, _) => {
                items.truncate(most);
                Ok(items)
            }
            (TaskEvent::Failed { error, cause }, _) => Err(cause.or(error).unwrap_or_default()),
            _ => Err("Attempting to map over non-iterable node.".to_owned()),
        };
        match read {
            Ok(found) => {
                if let Some(strand) = self.strand_mut(id)
                    && let Phase::Map(run) = &mut strand.frame.phase
                {
                    run.total_items = found.len();
                    run.items = found.into_iter().map(Entry::plain).collect();
                }
                self.batch(id, state, map)
            }
            Err(cause) => Err(self.run_failed(id, names_of::ITEM_READER, cause)),
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

    /// Starts as many iterations as may run beside those that do.
    pub(super) fn start_iterations(&mut self, id: StrandId) -> Result<(), Fault> {
        let last = self.strand(id).map_or(0, |strand| strand.last);
        while self.start_iteration(id, last)? {}
        Ok(())
    }

    /// Starts one iteration, whose event follows `last`. False if none may start.
    fn start_iteration(&mut self, id: StrandId, last: EventId) -> Result<bool, Fault> {
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
            let input = if selected { self.selected(id, state, map, &item)? } else { item.value };
            self.child(id, map, index, input)?;
            return Ok(true);
        }
        let input = match map.selector {
            Some(_) => self.selected(id, state, map, &item)?,
            None => item.value.clone(),
        };
        bounded(&state.name, &input)?;
        let details = Details::MapIterationStarted(Iteration { name: state.name.clone(), index });
        let started = self.record(id, EventType::MapIterationStarted, last, Some(details));
        if let Some(child) = self.branch(id, index, map.processor, started, input)
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
    ) -> Result<Value, Failure> {
        let Some(sight) = self.sight(id, state, None) else { return Ok(Value::Null) };
        let Phase::Map(run) = &sight.frame.phase else { return Ok(Value::Null) };
        let Some(selector) = &map.selector else { return Ok(item.value.clone()) };
        let told = item_value(item.index, item.key.as_deref(), &item.value);
        select(&sight, selector, &run.input, told)
    }

    /// Begins a child execution.
    fn child(
        &mut self,
        id: StrandId,
        map: &Map,
        index: usize,
        input: Value,
    ) -> Result<(), Failure> {
        bounded("ItemSelector", &input)?;
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

    pub(super) fn iteration_succeeded(
        &mut self,
        id: StrandId,
        index: usize,
        output: Value,
        last: EventId,
    ) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(()) };
        run.running = run.running.saturating_sub(1);
        if let Some(distributed) = &mut run.distributed {
            distributed.sizes.remove(&index);
            distributed.succeeded.push(json!({ "Index": index, "Output": output.to_string() }));
            run.results.insert(index, output);
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

    /// A child execution failed. Above the tolerated number, so does the Map.
    pub(super) fn iteration_failed(
        &mut self,
        id: StrandId,
        index: usize,
        fault: &Fault,
    ) -> Result<(), Fault> {
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &mut strand.frame.phase else { return Ok(()) };
        run.running = run.running.saturating_sub(1);
        let total = run.total_items;
        let Some(distributed) = &mut run.distributed else { return Ok(()) };
        distributed.failed_items += distributed.sizes.remove(&index).unwrap_or(1);
        let mut told = error_output(fault);
        told["Index"] = index.into();
        distributed.failed.push(told);
        let failed = distributed.failed_items;
        let too_many = match (distributed.tolerated_count, distributed.tolerated_percentage) {
            (None, None) => failed > 0,
            (count, percentage) => {
                count.is_some_and(|count| failed as u64 > count)
                    || percentage.is_some_and(|most| failed as f64 * 100.0 > most * total as f64)
            }
        };
        let started = distributed.started;
        if too_many {
            self.cut_children(id);
            let cause = "The specified tolerated failure threshold was exceeded".to_owned();
            return Err(self.run_failed(id, "States.ExceedToleratedFailureThreshold", cause));
        }
        self.next_child(id, started)
    }

    fn next_child(&mut self, id: StrandId, started: EventId) -> Result<(), Fault> {
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

    /// Every iteration is done.
    fn all_done(&mut self, id: StrandId, last: EventId) -> Result<(), Fault> {
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
        self.leave(id, state, Some(Value::Array(results)))
    }

    /// The run of a distributed Map is done, its results kept.
    pub(super) fn run_done(&mut self, id: StrandId, output: Value) -> Result<(), Fault> {
        let Some((machine, flow, state)) = self.located(id) else { return Ok(()) };
        let Some(state) = machine.state(flow, state) else { return Ok(()) };
        let Some(strand) = self.strand_mut(id) else { return Ok(()) };
        let Phase::Map(run) = &strand.frame.phase else { return Ok(()) };
        let started = run.distributed.as_ref().map_or(0, |distributed| distributed.started);
        strand.frame.exit_from = Some(started);
        self.advance(id, EventType::MapRunSucceeded, None);
        self.advance(id, EventType::MapStateSucceeded, None);
        self.leave(id, state, Some(output))
    }

    pub(super) fn run_failed(&mut self, id: StrandId, error: &str, cause: String) -> Fault {
        let (error, cause) = (Some(error.to_owned()), Some(cause));
        let details =
            Details::MapRunFailed(FaultDetails { error: error.clone(), cause: cause.clone() });
        self.advance(id, EventType::MapRunFailed, Some(details));
        Fault::told(error, cause)
    }
}

pub(super) mod names_of {
    pub(crate) const ITEM_READER: &str = "States.ItemReaderFailed";
    pub(crate) const RESULT_WRITER: &str = "States.ResultWriterFailed";
}

impl Entry {
    fn plain(value: Value) -> Self {
        Self { key: None, value, items: 1 }
    }
}

fn entries(sight: &Sight<'_>, map: &Map, input: &Value) -> Result<VecDeque<Entry>, Failure> {
    let states = sight.states(&[]);
    let scope = sight.of(input, states.as_ref());
    let (found, path) = match &map.items {
        Items::Input => (input.clone(), None),
        Items::Path(path) => (path.evaluate(&scope, "ItemsPath")?, Some(path.source())),
        Items::Literal(template) => (template.evaluate(&scope, "Items")?, None),
        Items::Query(expression) => {
            (expression.evaluate_as(&scope, "Items", Expected::Array)?, None)
        }
    };
    match found {
        Value::Array(items) => Ok(items.into_iter().map(Entry::plain).collect()),
        Value::Object(members) if matches!(map.items, Items::Literal(_)) => Ok(members
            .into_iter()
            .map(|(key, value)| Entry { key: Some(key), value, items: 1 })
            .collect()),
        other => Err(no_array(sight, path, &other)),
    }
}

fn no_array(sight: &Sight<'_>, path: Option<&str>, value: &Value) -> Failure {
    match (sight.state.language, path) {
        (Language::Jsonata, _) => Failure::new(
            names::QUERY_EVALUATION_ERROR,
            format!("Map state input must be an array but was: {value}"),
        ),
        (Language::JsonPath, path) => Failure::runtime(format!(
            "Reference path \"{}\" must point to array.",
            path.unwrap_or("$")
        )),
    }
}

fn concurrency(sight: &Sight<'_>, map: &Map, input: &Value) -> Result<usize, Failure> {
    let most =
        if map.distributed { limits::DISTRIBUTED_CONCURRENCY } else { limits::INLINE_CONCURRENCY };
    let Some(setting) = &map.max_concurrency else { return Ok(most) };
    match usize::try_from(sight.count(setting, input, "MaxConcurrency")?) {
        Ok(0) => Ok(most),
        Ok(number) => Ok(number.min(most)),
        Err(_) => Err(Failure::runtime("MaxConcurrency cannot be negative.")),
    }
}

fn tolerated_count(sight: &Sight<'_>, map: &Map, input: &Value) -> Result<Option<u64>, Failure> {
    let Some(setting) = &map.tolerated_count else { return Ok(None) };
    let count = sight.count(setting, input, "ToleratedFailureCount")?;
    u64::try_from(count)
        .map(Some)
        .map_err(|_| Failure::runtime("ToleratedFailureCount cannot be negative."))
}

fn percentage(sight: &Sight<'_>, map: &Map, input: &Value) -> Result<Option<f64>, Failure> {
    let Some(setting) = &map.tolerated_percentage else { return Ok(None) };
    let value = sight.setting(setting, input, Expected::Number)?;
    let number = match &value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let number =
        number.ok_or_else(|| not_a(setting, "ToleratedFailurePercentage", "float", &value))?;
    if (0.0..=100.0).contains(&number) {
        return Ok(Some(number));
    }
    Err(Failure::runtime("ToleratedFailurePercentage must be between 0 and 100."))
}

/// `ItemSelector` for one item.
fn select(
    sight: &Sight<'_>,
    selector: &Payload,
    input: &Value,
    item: Value,
) -> Result<Value, Failure> {
    let mut context = sight.context.clone();
    context["Map"] = json!({ "Item": item });
    sight.payload_in(selector, input, "ItemSelector", &context)
}

fn batches(
    sight: &Sight<'_>,
    map: &Map,
    batcher: &Batcher,
    items: VecDeque<Entry>,
    input: &Value,
) -> Result<VecDeque<Entry>, Failure> {
    let bound = |setting: &Option<crate::machine::model::Setting>, what| match setting {
        None => Ok(usize::MAX),
        Some(setting) => {
            let number = sight.count(setting, input, what)?;
            usize::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Failure::runtime(format!("{what} must be positive.")))
        }
    };
    let most = bound(&batcher.max_items, "MaxItemsPerBatch")?;
    let bytes = bound(&batcher.max_bytes, "MaxInputBytesPerBatch")?.min(limits::PAYLOAD_BYTES);
    let common = match &batcher.input {
        Some(payload) => Some(sight.payload(payload, input, "ItemBatcher/BatchInput")?),
        None => None,
    };
    let frame = common.as_ref().map_or(12, |common| common.to_string().len() + 25);
    let mut found = VecDeque::new();
    let mut batch: Vec<Value> = Vec::new();
    let mut size = frame;
    for (index, entry) in items.into_iter().enumerate() {
        let value = match &map.selector {
            Some(selector) => {
                let told = item_value(index, entry.key.as_deref(), &entry.value);
                select(sight, selector, input, told)?
            }
            None => entry.value,
        };
        let more = value.to_string().len() + 1;
        if !batch.is_empty() && (batch.len() >= most || size + more > bytes) {
            found.push_back(whole(std::mem::take(&mut batch), common.as_ref()));
            size = frame;
        }
        size += more;
        batch.push(value);
    }
    if !batch.is_empty() {
        found.push_back(whole(batch, common.as_ref()));
    }
    Ok(found)
}

fn whole(items: Vec<Value>, common: Option<&Value>) -> Entry {
    let count = items.len();
    let mut value = serde_json::Map::new();
    value.insert("Items".to_owned(), Value::Array(items));
    if let Some(common) = common {
        value.insert("BatchInput".to_owned(), common.clone());
    }
    Entry { key: None, value: Value::Object(value), items: count }
}

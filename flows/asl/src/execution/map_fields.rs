//! What the fields of a Map come to: items, batches, bounds.

use super::sight::{Sight, item_value, not_a};
use super::state::{Entry, Phase};
use crate::failure::{Failure, names};
use crate::jsonata::Expected;
use crate::limits;
use crate::machine::model::{Batcher, Items, Language, Map, Payload};
use crate::scope::Document;
use serde_json::{Value, json};
use std::collections::VecDeque;

impl Entry {
    pub(super) fn plain(value: Value) -> Self {
        Self { key: None, value, items: 1, source: None }
    }

    pub(super) fn keyed((key, value): (String, Value)) -> Self {
        Self { key: Some(key), value, items: 1, source: None }
    }
}

/// What an iteration begins with where no `ItemSelector` says it: the item, or of an object's
/// member the pair.
pub(super) fn own_input(key: Option<&str>, value: Value) -> Value {
    match key {
        Some(key) => json!({ "Key": key, "Value": value }),
        None => value,
    }
}

pub(super) fn entries(
    sight: &Sight<'_>,
    map: &Map,
    input: &Value,
) -> Result<VecDeque<Entry>, Failure> {
    let states = sight.states(&[]);
    let scope = sight.of(input, states.as_ref());
    // So it is quoted from AWS by many (`"ItemsPath": "$.chunks"`, and there are none).
    if let Items::Path(path) = &map.items
        && let Some(name) = path.missing_name(input)
    {
        let cause = format!("Unable to apply step \"{name}\" to input {input}");
        return Err(Failure::new(names::REFERENCE_PATH_CONFLICT, cause));
    }
    let (found, path) = match &map.items {
        Items::Input => (input.clone(), None),
        Items::Path(path) => (path.evaluate(&scope, "ItemsPath")?, Some(path.source())),
        Items::Literal(template) => (template.evaluate(&scope, "Items")?, None),
        Items::Query(expression) => {
            let found = expression.evaluate(&scope, "Items")?;
            let fits = found.is_array() || found.is_object() && map.distributed;
            // Evaluated again for the words of its failure.
            (
                if fits {
                    found
                } else {
                    expression.evaluate_as(&scope, "Items", Expected::Array)?
                },
                None,
            )
        }
    };
    match found {
        Value::Array(items) => Ok(items.into_iter().map(Entry::plain).collect()),
        Value::Object(members) if takes_objects(sight, map) => {
            Ok(members.into_iter().map(Entry::keyed).collect())
        }
        other => Err(no_array(sight, path, &other)),
    }
}

/// Whether a Map goes over the members of an object (developer guide, "ItemsPath"). An inline one
/// of JSONata whose items come from its input does not: so it was recorded.
fn takes_objects(sight: &Sight<'_>, map: &Map) -> bool {
    sight.state.language == Language::JsonPath
        || matches!(map.items, Items::Literal(_))
        || map.distributed
}

fn no_array(sight: &Sight<'_>, path: Option<&str>, value: &Value) -> Failure {
    match (sight.state.language, path) {
        (Language::Jsonata, _) => Failure::new(
            names::QUERY_EVALUATION_ERROR,
            format!("Map state input must be an array but was: {value}"),
        ),
        (Language::JsonPath, path) => {
            let path = path.unwrap_or("$");
            // AWS tells a path into the context object from that object on (recorded).
            let path = if path.starts_with("$$") { path.get(1..).unwrap_or(path) } else { path };
            Failure::runtime(format!("Reference path \"{path}\" must point to array."))
        }
    }
}

pub(super) fn concurrency(sight: &Sight<'_>, map: &Map, input: &Value) -> Result<usize, Failure> {
    let most =
        if map.distributed { limits::DISTRIBUTED_CONCURRENCY } else { limits::INLINE_CONCURRENCY };
    let Some(setting) = &map.max_concurrency else { return Ok(most) };
    match usize::try_from(sight.count(setting, input, "MaxConcurrency")?) {
        Ok(0) => Ok(most),
        Ok(number) => Ok(number.min(most)),
        Err(_) => Err(Failure::runtime("MaxConcurrency cannot be negative.")),
    }
}

pub(super) fn tolerated_count(
    sight: &Sight<'_>,
    map: &Map,
    input: &Value,
) -> Result<Option<u64>, Failure> {
    let Some(setting) = &map.tolerated_count else { return Ok(None) };
    let count = sight.count(setting, input, "ToleratedFailureCount")?;
    u64::try_from(count)
        .map(Some)
        .map_err(|_| Failure::runtime("ToleratedFailureCount cannot be negative."))
}

pub(super) fn percentage(
    sight: &Sight<'_>,
    map: &Map,
    input: &Value,
) -> Result<Option<f64>, Failure> {
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
pub(super) fn select(
    sight: &Sight<'_>,
    selector: &Payload,
    input: &Value,
    item: Value,
) -> Result<Value, Failure> {
    let mut context = sight.context.whole().clone();
    context["Map"] = json!({ "Item": item });
    sight.payload_in(selector, input, "ItemSelector", &context)
}

pub(super) fn batches(
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
    let run = match &sight.frame.phase {
        Phase::Map(run) => run.distributed.as_ref(),
        _ => None,
    };
    let mut found = VecDeque::new();
    let mut batch: Vec<Value> = Vec::new();
    let mut size = frame;
    for (index, entry) in items.into_iter().enumerate() {
        let value = match &map.selector {
            Some(selector) => {
                let source = run.map(|run| run.source_of(entry.source.as_ref()));
                let told = item_value(index, entry.key.as_deref(), &entry.value, source);
                select(sight, selector, input, told)?
            }
            None => own_input(entry.key.as_deref(), entry.value),
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
    Entry { key: None, value: Value::Object(value), items: count, source: None }
}

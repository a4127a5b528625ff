//! The key schema of a table that nobody declared, from the workflows that use it.
//!
//! Step Functions has no action that says how a table is keyed, but nearly every workflow shows
//! it: `GetItem`, `UpdateItem` and `DeleteItem` name the key's attributes in `Key`, the partition
//! key first, and a `Query` compares them in `KeyConditionExpression`. What is found so makes the
//! table on its first use. Of a table that is put into and never read by key, the names in the item
//! have to do.

use serde_json::Value as Json;

use super::condition::{Comparator, Condition, Operand};
use super::placeholders::Placeholders;
use super::table::{KeyAttribute, KeyKind, Table};
use super::value::{Item, get, parse_item};

/// Definitions may stand this deep in each other (Map in Parallel in Map …).
const DEPTH: usize = 40;
/// A workflow with more keys than this is not looked at any further.
const MOST: usize = 256;

/// How a table may be keyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hint {
    /// The table, where its name stands in the definition.
    pub(super) table: Option<String>,
    /// Attribute names: the partition key's, and the sort key's if there is one.
    pub(super) names: Vec<String>,
}

/// What a definition shows.
pub(super) fn of_definition(definition: &Json) -> Vec<Hint> {
    let mut hints = Vec::new();
    walk(definition, 0, &mut hints);
    hints
}

fn walk(json: &Json, depth: usize, hints: &mut Vec<Hint>) {
    if depth > DEPTH || hints.len() >= MOST {
        return;
    }
    match json {
        Json::Array(list) => list.iter().for_each(|inner| walk(inner, depth + 1, hints)),
        Json::Object(members) => {
            let resource = members.get("Resource").and_then(Json::as_str).unwrap_or("");
            if resource.contains(":dynamodb:") {
                let arguments = members.get("Parameters").or_else(|| members.get("Arguments"));
                hints.extend(arguments.and_then(of_arguments));
            }
            members.values().for_each(|inner| walk(inner, depth + 1, hints));
        }
        _ => {}
    }
}

/// What the arguments of one task show; keys may still end in `.$`.
fn of_arguments(arguments: &Json) -> Option<Hint> {
    let table = arguments.get("TableName").and_then(Json::as_str);
    let table = table.filter(|name| !name.contains(['{', '$'])).map(str::to_owned);
    let names = match arguments.get("Key").and_then(Json::as_object) {
        Some(key) => {
            let names = key.keys().map(|name| name.trim_end_matches(".$").to_owned());
            names.collect::<Vec<_>>()
        }
        None => of_query(arguments)?,
    };
    ((1..=2).contains(&names.len())).then_some(Hint { table, names })
}

/// The attributes that a query of a table compares; of an index it shows nothing.
fn of_query(arguments: &Json) -> Option<Vec<String>> {
    if arguments.get("IndexName").is_some() || arguments.get("IndexName.$").is_some() {
        return None;
    }
    let source = arguments.get("KeyConditionExpression")?.as_str()?;
    // Values are not known yet, and of no interest: any will do.
    let values = source.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    let values = values.filter(|word| word.starts_with(':'));
    let values: serde_json::Map<String, Json> =
        values.map(|key| (key.to_owned(), serde_json::json!({"S": "x"}))).collect();
    let names = arguments.get("ExpressionAttributeNames");
    let values = Json::Object(values);
    let mut placeholders = Placeholders::parse(names, Some(&values)).ok()?;
    let condition = Condition::parse(source, &mut placeholders).ok()?;
    let parts = match &condition {
        Condition::And(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    // The partition key is compared with `=`; of two, the one that stands first.
    let mut names: Vec<(bool, String)> = parts.iter().filter_map(compared).collect();
    names.sort_by_key(|(equal, _)| !equal);
    Some(names.into_iter().map(|(_, name)| name).collect())
}

fn compared(part: &Condition) -> Option<(bool, String)> {
    let (equal, operand) = match part {
        Condition::Compare(comparator, Operand::Value(_), operand)
        | Condition::Compare(comparator, operand, _) => (*comparator == Comparator::Equal, operand),
        Condition::Between(operand, ..) | Condition::BeginsWith(operand, _) => (false, operand),
        _ => return None,
    };
    match operand {
        Operand::Path(path) if path.steps.is_empty() => Some((equal, path.root.clone())),
        _ => None,
    }
}

/// The table that a first use of it makes: from its arguments, or from `hints` that fit.
pub(super) fn table_for(name: &str, arguments: &Json, hints: &[Hint]) -> Option<Table> {
    if let Some(key) = arguments.get("Key").and_then(|key| parse_item(key).ok()) {
        let names: Vec<String> = key.iter().map(|(name, _)| name.clone()).collect();
        return table(name, &names, &key);
    }
    if let Some(item) = arguments.get("Item").and_then(|item| parse_item(item).ok()) {
        let fits = |hint: &&Hint| hint.names.iter().all(|key| get(&item, key).is_some());
        // A query may leave the sort key out: who names more knows more.
        let best = |table: Option<&str>| {
            let of = hints.iter().rev().filter(|hint| hint.table.as_deref() == table);
            of.filter(fits).max_by_key(|hint| hint.names.len())
        };
        let names = match best(Some(name)).or_else(|| best(None)) {
            Some(hint) => hint.names.clone(),
            None => guessed(arguments, &item)?,
        };
        return table(name, &names, &item);
    }
    None
}

/// Names of partition keys, and of sort keys, that tables mostly have; in lower case, without `_`.
const PARTITIONS: [&str; 5] = ["pk", "partitionkey", "hashkey", "id", "key"];
const SORTS: [&str; 9] = [
    "sk",
    "sortkey",
    "rangekey",
    "timestamp",
    "time",
    "date",
    "datetime",
    "createdat",
    "receivedat",
];

/// The key of an item that nobody ever asks for: what a `PutItem` wants not to be there yet, what is
/// named like a key, the first attribute that may be one. An attribute that is named like a time is
/// the sort key, so that what is written down of one caller does not take the place of what was.
fn guessed(arguments: &Json, item: &Item) -> Option<Vec<String>> {
    let may = |name: &str| get(item, name).is_some_and(|value| KeyKind::of(value).is_some());
    let names = || item.iter().map(|(name, _)| name.as_str()).filter(|name| may(name));
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let named = |known: &[&str]| {
        known.iter().find_map(|word| names().find(|name| plain(name) == *word)).map(str::to_owned)
    };
    let wanted = wanted_absent(arguments).filter(|name| may(name));
    let partition = wanted
        .or_else(|| named(&PARTITIONS))
        .or_else(|| names().find(|name| plain(name).ends_with("id")).map(str::to_owned))
        .or_else(|| names().find(|name| !SORTS.contains(&&*plain(name))).map(str::to_owned))
        .or_else(|| names().next().map(str::to_owned))?;
    let sort = named(&SORTS).filter(|sort| *sort != partition);
    Some(std::iter::once(partition).chain(sort).collect())
}

/// The first name in `attribute_not_exists(…)`.
fn wanted_absent(arguments: &Json) -> Option<String> {
    let condition = arguments.get("ConditionExpression")?.as_str()?;
    let (_, rest) = condition.split_once("attribute_not_exists")?;
    let name = rest.trim_start().strip_prefix('(')?.split(')').next()?.trim();
    match name.strip_prefix('#') {
        None => Some(name.to_owned()),
        Some(_) => {
            let names = arguments.get("ExpressionAttributeNames")?;
            names.get(name)?.as_str().map(str::to_owned)
        }
    }
}

fn table(name: &str, keys: &[String], values: &Item) -> Option<Table> {
    let attribute = |key: &String| {
        Some(KeyAttribute { name: key.clone(), kind: KeyKind::of(get(values, key)?)? })
    };
    let partition = keys.first().and_then(attribute)?;
    let sort = match keys {
        [_] => None,
        [_, sort] => Some(attribute(sort)?),
        _ => return None,
    };
    Some(Table { name: name.to_owned(), partition, sort, indexes: Vec::new() })
}

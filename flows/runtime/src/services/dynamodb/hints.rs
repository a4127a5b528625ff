//! The key schema of a table that nobody declared, from the workflows that use it.
//!
//! Step Functions has no action that says how a table is keyed, but nearly every workflow shows
//! it: `GetItem`, `UpdateItem` and `DeleteItem` name the key's attributes in `Key`, the partition
//! key first, and a `Query` compares them in `KeyConditionExpression`. What is found so makes the
//! table on its first use; a table that is put into and never read by key cannot be guessed and
//! has to be declared.

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
        let hint = best(Some(name)).or_else(|| best(None))?;
        return table(name, &hint.names, &item);
    }
    None
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

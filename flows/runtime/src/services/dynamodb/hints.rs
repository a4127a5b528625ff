//! The key schema of a table that nobody declared, from the workflows that use it.
//!
//! Step Functions has no action that says how a table is keyed, but nearly every workflow shows
//! it: `GetItem`, `UpdateItem` and `DeleteItem` name the key's attributes in `Key`, the partition
//! key first, and a `Query` compares them in `KeyConditionExpression`. What is found so makes the
//! table on its first use. Of a table that is put into and never read by key, the names in the item
//! have to do; that guess is given up when a key is told (see [`super::rekey`]).

use serde_json::Value as Json;

use super::condition::{Comparator, Condition, Operand};
use super::placeholders::Placeholders;
use super::table::{Guess, KeyAttribute, KeyKind, Table};
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
    let condition = parsed(source, arguments.get("ExpressionAttributeNames"))?;
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
    if arguments.get("Key").is_some() {
        return told_by_key(name, arguments);
    }
    if let Some(item) = arguments.get("Item").and_then(|item| parse_item(item).ok()) {
        let fits = |hint: &&Hint| hint.names.iter().all(|key| get(&item, key).is_some());
        // A query may leave the sort key out: who names more knows more.
        let best = |table: Option<&str>| {
            let of = hints.iter().rev().filter(|hint| hint.table.as_deref() == table);
            of.filter(fits).max_by_key(|hint| hint.names.len())
        };
        if let Some(hint) = best(Some(name)).or_else(|| best(None)) {
            return table(name, &hint.names, &item);
        }
        let keys = guessed(arguments, &item)?;
        let table = table(name, &keys.names, &item)?;
        return Some(Table { guess: Some(keys.guess), ..table });
    }
    None
}

/// The table that the `Key` of a request tells of.
pub(super) fn told_by_key(name: &str, arguments: &Json) -> Option<Table> {
    let key = parse_item(arguments.get("Key")?).ok()?;
    let names: Vec<String> = key.iter().map(|(name, _)| name.clone()).collect();
    table(name, &names, &key)
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

/// How an item is keyed, as far as can be told.
struct Keys {
    /// The partition key's name, and the sort key's if there is one.
    names: Vec<String>,
    guess: Guess,
}

/// The key of an item that nobody ever asks for: what a `PutItem` wants not to be there yet, what is
/// named as keys are. A wrong guess loses items, so that of anything else none is made: who is named
/// like a number of something (`call_id`) may be that of another (`caller_id`), and is one only if there
/// is no second.
fn guessed(arguments: &Json, item: &Item) -> Option<Keys> {
    let may = |name: &str| get(item, name).is_some_and(|value| KeyKind::of(value).is_some());
    let names = || item.iter().map(|(name, _)| name.as_str()).filter(|name| may(name));
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let named = |known: &[&str]| {
        known.iter().find_map(|word| names().find(|name| plain(name) == *word)).map(str::to_owned)
    };
    let wanted = wanted_absent(arguments).filter(|name| may(name));
    if let Some(partition) = wanted.or_else(|| named(&PARTITIONS)) {
        // What is to be there once must not come a second time under another sort key.
        let is_single_table = plain(&partition) == "pk";
        let sort = is_single_table.then(|| named(&["sk"])).flatten();
        let guess = if plain(&partition) == "key" { Guess::Weak } else { Guess::Firm };
        return Some(Keys { names: std::iter::once(partition).chain(sort).collect(), guess });
    }
    let mut numbers = names().filter(|name| is_number_of_something(name));
    let (Some(partition), None) = (numbers.next(), numbers.next()) else { return None };
    let names = std::iter::once(partition.to_owned()).chain(named(&SORTS)).collect();
    Some(Keys { names, guess: Guess::Weak })
}

/// Whether `id` is the last word of a name: in `call_id`, `call-id`, `callId` and `callID`, not in `paid`.
fn is_number_of_something(name: &str) -> bool {
    let Some(at) = name.len().checked_sub(2).filter(|at| name.is_char_boundary(*at)) else {
        return false;
    };
    let (before, word) = name.split_at(at);
    let Some(last) = before.chars().next_back() else { return false };
    match word {
        "Id" => true,
        "ID" => !last.is_uppercase(),
        _ => word.eq_ignore_ascii_case("id") && matches!(last, '_' | '-'),
    }
}

/// The first attribute that a `PutItem` wants not to be there, whatever else is so.
fn wanted_absent(arguments: &Json) -> Option<String> {
    let source = arguments.get("ConditionExpression")?.as_str()?;
    let condition = parsed(source, arguments.get("ExpressionAttributeNames"))?;
    let mut todo = vec![&condition];
    while let Some(part) = todo.pop() {
        match part {
            Condition::And(parts) => todo.extend(parts.iter().rev()),
            Condition::NotExists(path) if path.steps.is_empty() => return Some(path.root.clone()),
            _ => {}
        }
    }
    None
}

/// A condition without its values.
fn parsed(source: &str, names: Option<&Json>) -> Option<Condition> {
    // They are not known yet, or of no interest: any will do.
    let values = source.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    let values = values.filter(|word| word.starts_with(':'));
    let values: serde_json::Map<String, Json> =
        values.map(|key| (key.to_owned(), serde_json::json!({"S": "x"}))).collect();
    // An empty one is refused.
    let values = (!values.is_empty()).then_some(Json::Object(values));
    let mut placeholders = Placeholders::parse(names, values.as_ref()).ok()?;
    Condition::parse(source, &mut placeholders).ok()
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
    Some(Table { name: name.to_owned(), partition, sort, indexes: Vec::new(), guess: None })
}

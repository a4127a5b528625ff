//! The tables that a request names: those that are there, those that their first use makes, and
//! what it may do to their keys.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde_json::Value as Json;

use crate::services::Request;

use super::Inner;
use super::hints::table_for;
use super::refusal::Refusal;
use super::table::Table;
use super::value::parse_item;

impl Inner {
    /// A table that is there, or that this first use of it makes.
    pub(super) async fn table(&self, name: &str, arguments: &Json) -> Result<Table, Refusal> {
        if let Some(table) = self.known_table(name).await? {
            return self.confirmed(table, arguments).await;
        }
        let made = if self.upstream.is_none() {
            let hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner).clone();
            table_for(name, arguments, &hints)
        } else {
            None
        };
        // Of attributes that make no sense the table is not to blame.
        for name in ["Key", "Item"] {
            arguments.get(name).filter(|given| !given.is_null()).map(parse_item).transpose()?;
        }
        let has_item = arguments.get("Item").is_some();
        let table = made.ok_or_else(|| match self.upstream {
            None if has_item => Refusal::no_key(name),
            _ => Refusal::no_table(name),
        })?;
        self.add_table(&table).await?;
        // Another first use may have come before: what it made holds.
        self.known_table(name).await?.ok_or_else(|| Refusal::no_table(name))
    }

    /// Whether all tables that a request names are here. A store that fails says so when the
    /// request is made.
    pub(super) async fn has_tables_of(&self, request: &Request) -> bool {
        let named = named(&request.arguments);
        for name in named.keys() {
            if matches!(self.known_table(name).await, Ok(None)) {
                return false;
            }
        }
        // Without a name, it is about all tables: `ListTables`.
        !named.is_empty()
    }

    /// Whether a request leaves the keys of all tables that it names as they are: they are here, and
    /// none whose key was guessed is told one. Where the store fails nobody knows, and nothing is
    /// taken for granted.
    pub(super) async fn are_settled(&self, request: &Request) -> bool {
        for (name, tells_key) in named(&request.arguments) {
            let is_settled = |table: Table| table.guess.is_none() || !tells_key;
            if !self.known_table(&name).await.is_ok_and(|table| table.is_some_and(is_settled)) {
                return false;
            }
        }
        true
    }
}

/// The tables that a request names, one, those of a batch, those of a transaction; and whether it
/// tells a key of each.
fn named(arguments: &Json) -> BTreeMap<String, bool> {
    let mut named = BTreeMap::new();
    let mut name = |name: &str, tells_key: bool| {
        let plain = name.rsplit(":table/").next().unwrap_or(name).to_owned();
        *named.entry(plain).or_default() |= tells_key;
    };
    let single = |part: &Json| {
        let table = part.get("TableName").and_then(Json::as_str)?;
        Some((table.to_owned(), part.get("Key").is_some()))
    };
    let transaction = arguments.get("TransactItems").and_then(Json::as_array);
    let parts = transaction.into_iter().flatten().filter_map(Json::as_object);
    let parts = parts.flat_map(|part| part.values());
    for (table, tells_key) in std::iter::once(arguments).chain(parts).filter_map(single) {
        name(&table, tells_key);
    }
    let batch = arguments.get("RequestItems").and_then(Json::as_object);
    for (table, requests) in batch.into_iter().flatten() {
        // `Keys` of a `BatchGetItem`, or requests of a `BatchWriteItem`.
        let mut writes = requests.as_array().into_iter().flatten();
        let deletes = writes.any(|write| write.get("DeleteRequest").is_some());
        name(table, deletes || requests.get("Keys").is_some());
    }
    named
}

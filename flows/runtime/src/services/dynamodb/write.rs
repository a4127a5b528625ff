//! One change of one item: what put, update, delete and condition check have in common.

use crate::services::Integration;
use crate::store::{Entry, EntryChange, EntryWrite, Expect};

use super::arguments::{Arguments, invalid};
use super::condition::Condition;
use super::project::project;
use super::refusal::Refusal;
use super::table::{Guess, Table};
use super::update::Update;
use super::value::{Item, Value, get, item_size, item_to_json, parse_item};

/// An item may have this many bytes (Developer Guide, "Quotas").
const ITEM_BYTES: usize = 400 * 1024;

/// A change that was read from a request and is not yet made.
#[derive(Debug)]
pub(super) struct Write {
    /// Where.
    pub(super) table: Table,
    /// Which item, as it is kept.
    pub(super) key: Vec<u8>,
    /// Which item.
    pub(super) key_item: Item,
    change: Change,
    condition: Option<Condition>,
    /// `ReturnValues`.
    returns: &'static str,
    /// `ReturnValuesOnConditionCheckFailure` is `ALL_OLD`.
    returns_on_failure: bool,
}

#[derive(Debug)]
enum Change {
    Put(Item),
    Update(Update),
    Delete,
    Check,
}

/// What becomes of an item.
#[derive(Debug)]
pub(super) struct Decision {
    /// The item as it is afterwards; `None`: there is none.
    pub(super) after: Option<Item>,
    /// What `ReturnValues` asks for.
    pub(super) returned: Option<Item>,
}

const OLD_OR_NONE: [&str; 2] = ["NONE", "ALL_OLD"];

impl Write {
    /// `PutItem`.
    pub(super) fn put(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        let item = arguments.item("Item")?;
        let key = table.key_of_item(&item)?;
        check_item(&item, "Item size has exceeded the maximum allowed size")?;
        let returns = returns(arguments, &OLD_OR_NONE)?;
        Self::conditional(table, (key, Vec::new()), Change::Put(item), returns, arguments, true)
    }

    /// `DeleteItem`.
    pub(super) fn delete(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        let key = arguments.item("Key")?;
        let bytes = table.key_of_key(&key)?;
        let returns = returns(arguments, &OLD_OR_NONE)?;
        Self::conditional(table, (bytes, key), Change::Delete, returns, arguments, true)
    }

    /// `ConditionCheck` of a transaction.
    pub(super) fn check(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        arguments.required("ConditionExpression")?;
        let key = arguments.item("Key")?;
        let bytes = table.key_of_key(&key)?;
        Self::conditional(table, (bytes, key), Change::Check, "NONE", arguments, true)
    }

    /// `PutRequest` or `DeleteRequest` of a batch: no condition.
    pub(super) fn unconditional(
        table: Table,
        put: Option<Item>,
        key: Item,
    ) -> Result<Self, Refusal> {
        let (bytes, change) = match put {
            Some(item) => {
                let key = table.key_of_item(&item)?;
                check_item(&item, "Item size has exceeded the maximum allowed size")?;
                (key, Change::Put(item))
            }
            None => (table.key_of_key(&key)?, Change::Delete),
        };
        Ok(Self {
            table,
            key: bytes,
            key_item: key,
            change,
            condition: None,
            returns: "NONE",
            returns_on_failure: false,
        })
    }

    /// `UpdateItem`.
    pub(super) fn update(table: Table, arguments: Arguments<'_>) -> Result<Self, Refusal> {
        let key = arguments.item("Key")?;
        let bytes = table.key_of_key(&key)?;
        let words = ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"];
        let returns = arguments.one_of("ReturnValues", &words)?;
        let mut placeholders = arguments.placeholders()?;
        let source = arguments.text("UpdateExpression")?;
        let update = source
            .map(|source| Update::parse(source, &mut placeholders))
            .transpose()
            .map_err(|why| invalid("UpdateExpression", &why))?
            .unwrap_or_default();
        if let Some(path) = update.paths().iter().find(|path| table.is_key(&path.root)) {
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                path.root
            )));
        }
        let condition = arguments.condition("ConditionExpression", &mut placeholders)?;
        placeholders.all_used(source.is_some() || condition.is_some())?;
        let change = Change::Update(update);
        let mut write = Self::conditional(table, (bytes, key), change, returns, arguments, false)?;
        write.condition = condition;
        Ok(write)
    }

    fn conditional(
        table: Table,
        (key, key_item): (Vec<u8>, Item),
        change: Change,
        returns: &'static str,
        arguments: Arguments<'_>,
        read_condition: bool,
    ) -> Result<Self, Refusal> {
        arguments.no_legacy()?;
        let on_failure = arguments.one_of("ReturnValuesOnConditionCheckFailure", &OLD_OR_NONE)?;
        let mut condition = None;
        if read_condition {
            let mut placeholders = arguments.placeholders()?;
            condition = arguments.condition("ConditionExpression", &mut placeholders)?;
            placeholders.all_used(condition.is_some())?;
        }
        let returns_on_failure = on_failure == "ALL_OLD";
        Ok(Self { table, key, key_item, change, condition, returns, returns_on_failure })
    }

    /// What becomes of the item, given how it is.
    pub(super) fn decide(&self, before: Option<&Item>) -> Result<Decision, Refusal> {
        let nothing = Item::new();
        let old = before.unwrap_or(&nothing);
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(old)) {
            let item = before.filter(|_| self.returns_on_failure).cloned();
            return Err(Refusal::condition(item));
        }
        let after = match &self.change {
            Change::Put(item) => {
                self.keeps_another(before, item)?;
                Some(item.clone())
            }
            Change::Delete => None,
            Change::Check => before.cloned(),
            Change::Update(update) => Some(self.updated(update, before)?),
        };
        let returned = self.returned(before, after.as_ref());
        Ok(Decision { after, returned })
    }

    /// Whether a put takes the place of another item only because its key is a mere guess.
    fn keeps_another(&self, before: Option<&Item>, item: &Item) -> Result<(), Refusal> {
        let is_same = |before: &Item| {
            before.len() == item.len()
                && item.iter().all(|(name, value)| get(before, name) == Some(value))
        };
        if self.table.guess != Some(Guess::Weak) || before.is_none_or(is_same) {
            return Ok(());
        }
        let name = &self.table.name;
        Err(Refusal::validation(format!(
            "Table {name} has another item under {}, which was only guessed to be its key; make \
             the table with createTable",
            self.table.key_names()
        )))
    }

    fn updated(&self, update: &Update, before: Option<&Item>) -> Result<Item, Refusal> {
        let item = update.apply(before.unwrap_or(&self.key_item))?;
        check_item(&item, "Item size to update has exceeded the maximum allowed size")?;
        Ok(item)
    }

    fn returned(&self, before: Option<&Item>, after: Option<&Item>) -> Option<Item> {
        let touched = || match &self.change {
            Change::Update(update) => update.paths(),
            _ => Vec::new(),
        };
        let part = |item: &Item| Some(project(item, &touched())).filter(|part| !part.is_empty());
        match self.returns {
            "ALL_OLD" => before.cloned(),
            "ALL_NEW" => after.cloned(),
            "UPDATED_OLD" => before.and_then(part),
            "UPDATED_NEW" => after.and_then(part),
            _ => None,
        }
    }

    /// What has to be written for a decision, in the table and in its indexes.
    pub(super) fn changes(
        &self,
        entry: Option<&Entry>,
        before: Option<&Item>,
        decision: &Decision,
    ) -> Result<Vec<EntryChange>, Refusal> {
        let expect = entry.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        let write = match (&self.change, &decision.after) {
            (Change::Check, _) => EntryWrite::Check,
            (_, Some(item)) => EntryWrite::Put { body: encode(item), due: None },
            (_, None) => EntryWrite::Delete,
        };
        let key = self.key.clone();
        let mut changes = vec![EntryChange { space: self.table.space(), key, expect, write }];
        if !matches!(self.change, Change::Check) {
            changes.extend(index_changes(&self.table, &self.key, before, decision.after.as_ref())?);
        }
        Ok(changes)
    }
}

fn returns(arguments: Arguments<'_>, words: &[&'static str]) -> Result<&'static str, Refusal> {
    arguments.one_of("ReturnValues", words).map_err(|refusal| match refusal.kind {
        super::refusal::Kind::Validation => {
            Refusal::validation("ReturnValues can only be ALL_OLD or NONE")
        }
        _ => refusal,
    })
}

/// What has to be written in the indexes of a table when an item changes.
pub(super) fn index_changes(
    table: &Table,
    primary: &[u8],
    before: Option<&Item>,
    after: Option<&Item>,
) -> Result<Vec<EntryChange>, Refusal> {
    let mut changes = Vec::new();
    for index in &table.indexes {
        // An entry of before was of the right type, or it would not be there.
        let old = before.and_then(|item| index.key_of_item(item, primary).ok().flatten());
        let new = match after {
            Some(item) => index.key_of_item(item, primary)?.map(|key| (key, item)),
            None => None,
        };
        let space = table.index_space(index);
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|(key, _)| key != old)) {
            let write = EntryWrite::Delete;
            changes.push(EntryChange {
                space: space.clone(),
                key: old,
                expect: Expect::Any,
                write,
            });
        }
        if let Some((key, item)) = new {
            let body = encode(&index.project(table, item));
            let write = EntryWrite::Put { body, due: None };
            changes.push(EntryChange { space, key, expect: Expect::Any, write });
        }
    }
    Ok(changes)
}

fn check_item(item: &Item, too_large: &str) -> Result<(), Refusal> {
    if item_size(item) > ITEM_BYTES {
        return Err(Refusal::validation(too_large));
    }
    if item.iter().any(|(_, value)| value.too_deep()) {
        return Err(Refusal::validation(
            "Nesting Levels have exceeded supported limits: Attributes of the item have exceeded maximum allowed nesting level 32",
        ));
    }
    Ok(())
}

/// An item as it is kept.
pub(super) fn encode(item: &Item) -> Vec<u8> {
    item_to_json(item, Integration::Optimized).to_string().into_bytes()
}

/// An item that was kept.
pub(super) fn decode(body: &[u8]) -> Result<Item, Refusal> {
    let damaged = |_| super::internal("an item in the store cannot be read");
    let json = serde_json::from_slice(body).map_err(damaged)?;
    parse_item(&json).map_err(|_| super::internal("an item in the store cannot be read"))
}

/// The attributes of a key schema, of an item.
pub(super) fn key_part(item: &Item, names: impl Iterator<Item = impl AsRef<str>>) -> Item {
    let mut part = Item::new();
    for name in names {
        let there: Option<&Value> = get(item, name.as_ref());
        if let Some(value) = there.filter(|_| get(&part, name.as_ref()).is_none()) {
            part.push((name.as_ref().to_owned(), value.clone()));
        }
    }
    part
}

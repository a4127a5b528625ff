//! `TransactWriteItems` and `TransactGetItems`: all or nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::services::Integration;
use crate::store::{EntryChange, EntryWrite, Expect};

use super::arguments::Arguments;
use super::project::project;
use super::read::projection;
use super::refusal::{Kind, Refusal};
use super::value::item_to_json;
use super::write::Write;
use super::{ATTEMPTS, Inner, internal, no_twins};

/// Actions of one transaction.
const MOST: usize = 100;
/// How long a `ClientRequestToken` is remembered (API Reference, `TransactWriteItems`).
const TOKEN_AGE: SignedDuration = SignedDuration::from_mins(10);
const TOKENS: &str = "dynamodb/tokens";

impl Inner {
    pub(super) async fn transact_write(
        &self,
        arguments: Arguments<'_>,
        now: Timestamp,
    ) -> Result<Json, Refusal> {
        let mut writes = Vec::new();
        for part in parts(arguments)? {
            writes.push(self.transacted(part).await?);
        }
        no_twins(&writes, "Transaction request cannot include multiple operations on one item")?;
        for _ in 0..ATTEMPTS {
            let Some(mut changes) = self.token(arguments, now).await? else {
                return Ok(json!({}));
            };
            changes.extend(self.decide_all(&writes).await?);
            if self.entries.change_entries(changes).await.map_err(internal)? {
                return Ok(json!({}));
            }
        }
        Err(Refusal {
            kind: Kind::TransactionConflict,
            message: "Transaction is ongoing for the item".to_owned(),
        })
    }

    /// What has to be written to remember the token; `None`: it was done before.
    async fn token(
        &self,
        arguments: Arguments<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<EntryChange>>, Refusal> {
        let Some(token) = arguments.text("ClientRequestToken")? else {
            return Ok(Some(Vec::new()));
        };
        let mut changes = self.forgotten(now).await?;
        let body = Sha256::digest(arguments.required("TransactItems")?.to_string()).to_vec();
        let space = TOKENS.to_owned();
        let key = token.as_bytes().to_vec();
        let there = self.entries.get_entry(space.clone(), key.clone()).await.map_err(internal)?;
        let expect = match there {
            None => Expect::Absent,
            Some(entry) if entry.due.is_some_and(|due| due <= now) => {
                Expect::Revision(entry.revision)
            }
            Some(entry) if entry.body == body => return Ok(None),
            Some(_) => {
                return Err(Refusal {
                    kind: Kind::IdempotentParameterMismatch,
                    message: "The ClientRequestToken was used before with other parameters"
                        .to_owned(),
                });
            }
        };
        changes.retain(|change| change.key != key);
        let write = EntryWrite::Put { body, due: Some(now + TOKEN_AGE) };
        changes.push(EntryChange { space, key, expect, write });
        Ok(Some(changes))
    }

    /// Tokens whose time is over.
    async fn forgotten(&self, now: Timestamp) -> Result<Vec<EntryChange>, Refusal> {
        let due = self.entries.due_entries(TOKENS.to_owned(), now, 64).await.map_err(internal)?;
        let gone = due.into_iter().map(|entry| EntryChange {
            space: entry.space,
            key: entry.key,
            expect: Expect::Any,
            write: EntryWrite::Delete,
        });
        Ok(gone.collect())
    }

    async fn decide_all(&self, writes: &[Write]) -> Result<Vec<EntryChange>, Refusal> {
        let mut changes = Vec::new();
        let mut reasons = Vec::new();
        for write in writes {
            let there = self.item(&write.table, write.key.clone()).await?;
            let (entry, before) = there.as_ref().map_or((None, None), |(e, i)| (Some(e), Some(i)));
            let decided =
                write.decide(before).and_then(|decision| write.changes(entry, before, &decision));
            match decided {
                Ok(more) => {
                    changes.extend(more);
                    reasons.push("None");
                }
                Err(refusal) => reasons.push(match refusal.kind {
                    Kind::ConditionalCheckFailed(_) => "ConditionalCheckFailed",
                    Kind::Validation => "ValidationError",
                    _ => return Err(refusal),
                }),
            }
        }
        if reasons.iter().all(|reason| *reason == "None") {
            return Ok(changes);
        }
        Err(Refusal {
            kind: Kind::TransactionCanceled,
            message: format!(
                "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                reasons.join(", ")
            ),
        })
    }

    async fn transacted(&self, part: &Json) -> Result<Write, Refusal> {
        let (kind, inner) = only_member(part)?;
        let arguments = Arguments::of_part(inner, "A member of TransactItems")?;
        let table = self.table(arguments.table_name()?, inner).await?;
        match kind {
            "Put" => Write::put(table, arguments),
            "Update" => {
                arguments.required("UpdateExpression")?;
                Write::update(table, arguments)
            }
            "Delete" => Write::delete(table, arguments),
            "ConditionCheck" => Write::check(table, arguments),
            _ => Err(Refusal::validation(
                "TransactItems can only contain one of Check, Put, Update or Delete",
            )),
        }
    }

    pub(super) async fn transact_get(
        &self,
        arguments: Arguments<'_>,
        style: Integration,
    ) -> Result<Json, Refusal> {
        let mut responses = Vec::new();
        for part in parts(arguments)? {
            let ("Get", inner) = only_member(part)? else {
                return Err(Refusal::validation("TransactItems of a TransactGetItems are Gets"));
            };
            let arguments = Arguments::of_part(inner, "Get")?;
            let paths = projection(arguments)?;
            let table = self.table(arguments.table_name()?, inner).await?;
            let key = table.key_of_key(&arguments.item("Key")?)?;
            let item = self.item(&table, key).await?.map(|(_, item)| match &paths {
                Some(paths) => project(&item, paths),
                None => item,
            });
            let mut response = Map::new();
            if let Some(item) = item {
                response.insert("Item".to_owned(), item_to_json(&item, style));
            }
            responses.push(Json::Object(response));
        }
        Ok(json!({"Responses": responses}))
    }
}

fn parts<'a>(arguments: Arguments<'a>) -> Result<&'a Vec<Json>, Refusal> {
    let parts = arguments.required("TransactItems")?.as_array();
    parts.filter(|parts| (1..=MOST).contains(&parts.len())).ok_or_else(|| {
        Refusal::validation(
            "1 validation error detected at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100, Member must have length greater than or equal to 1",
        )
    })
}

fn only_member(part: &Json) -> Result<(&str, &Json), Refusal> {
    let members = part.as_object().map(|object| object.iter().filter(|(_, v)| !v.is_null()));
    let mut members = members.into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((kind, inner)), None) => Ok((kind, inner)),
        _ => Err(Refusal::validation(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        )),
    }
}

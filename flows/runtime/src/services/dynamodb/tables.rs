//! The tables themselves: `CreateTable`, `DescribeTable`, `ListTables`, `DeleteTable`, and those
//! that are declared.

use serde_json::{Value as Json, json};

use crate::services::Request;
use crate::store::{EntryChange, EntryRange, EntryWrite, Expect};

use super::arguments::Arguments;
use super::refusal::{Kind, Refusal};
use super::table::{Index, KeyAttribute, KeyKind, Projection, Schema, Table};
use super::write::{decode, index_changes};
use super::{ATTEMPTS, CHUNK, Inner, internal};

const SPACE: &str = "dynamodb/tables";
/// Tables on one machine.
const MOST_TABLES: usize = 2500;
/// Secondary indexes of a table.
const MOST_INDEXES: usize = 25;

/// Parameters of `CreateTable`; capacity, streams and encryption mean nothing here.
pub(super) const CREATE_PARAMETERS: &[&str] = &[
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
    "StreamSpecification",
    "SSESpecification",
    "Tags",
    "TableClass",
    "DeletionProtectionEnabled",
];

impl Inner {
    pub(super) async fn known_table(&self, name: &str) -> Result<Option<Table>, Refusal> {
        let entry = self.entries.get_entry(SPACE.to_owned(), name.as_bytes().to_vec());
        let Some(entry) = entry.await.map_err(internal)? else { return Ok(None) };
        let damaged = |_| internal("a table's definition in the store cannot be read");
        Table::of_kept(&entry.body).map(Some).map_err(damaged)
    }

    /// Adds a table, if there is none of its name. `false`: there was one.
    pub(super) async fn add_table(&self, table: &Table) -> Result<bool, Refusal> {
        let tables =
            EntryRange { space: SPACE.to_owned(), limit: MOST_TABLES, ..EntryRange::default() };
        let count = self.entries.range_entries(tables).await.map_err(internal)?.len();
        if count >= MOST_TABLES {
            return Err(Refusal {
                kind: Kind::LimitExceeded,
                message: format!("There are {MOST_TABLES} tables, and no more may be made"),
            });
        }
        let change = definition(table, Expect::Absent)?;
        self.entries.change_entries(vec![change]).await.map_err(internal)
    }

    pub(super) async fn declare(&self, table: Table) -> Result<(), Refusal> {
        if self.add_table(&table).await? {
            return Ok(());
        }
        let Some(there) = self.known_table(&table.name).await? else {
            return Err(internal("the table came and went while it was declared"));
        };
        if there.guess.is_some() {
            return self.rekey(&there, &table).await;
        }
        if there.partition != table.partition || there.sort != table.sort {
            return Err(Refusal::validation(format!(
                "Table {} is there with another key; delete it, or declare it as it is",
                table.name
            )));
        }
        if there.indexes == table.indexes {
            return Ok(());
        }
        for index in &there.indexes {
            self.clear(table.index_space(index)).await?;
        }
        self.entries
            .change_entries(vec![definition(&table, Expect::Any)?])
            .await
            .map_err(internal)?;
        self.fill_indexes(&table).await
    }

    /// Writes the index entries of every item anew.
    pub(super) async fn fill_indexes(&self, table: &Table) -> Result<(), Refusal> {
        let mut from = Vec::new();
        loop {
            let range =
                EntryRange { space: table.space(), from, limit: CHUNK, ..EntryRange::default() };
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            for entry in &chunk {
                self.fill(table, &entry.key).await?;
            }
            match chunk.into_iter().nth(CHUNK - 1) {
                Some(last) => from = [last.key.as_slice(), &[0]].concat(),
                None => return Ok(()),
            }
        }
    }

    async fn fill(&self, table: &Table, key: &[u8]) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let space = table.space();
            let entry = self.entries.get_entry(space.clone(), key.to_vec());
            let Some(entry) = entry.await.map_err(internal)? else { return Ok(()) };
            let item = decode(&entry.body)?;
            // An item whose attribute has another type than the index is not in it.
            let mut changes = Vec::new();
            for index in &table.indexes {
                let one = Table { indexes: vec![index.clone()], ..table.clone() };
                changes.extend(index_changes(&one, key, None, Some(&item)).unwrap_or_default());
            }
            let expect = Expect::Revision(entry.revision);
            let write = EntryWrite::Check;
            changes.push(EntryChange { space, key: key.to_vec(), expect, write });
            if self.entries.change_entries(changes).await.map_err(internal)? {
                return Ok(());
            }
        }
        Err(internal("too many requests change one item at the same time"))
    }

    async fn clear(&self, space: String) -> Result<(), Refusal> {
        loop {
            let range = EntryRange { space: space.clone(), limit: CHUNK, ..EntryRange::default() };
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            if chunk.is_empty() {
                return Ok(());
            }
            let gone = chunk.into_iter().map(|entry| EntryChange {
                space: entry.space,
                key: entry.key,
                expect: Expect::Any,
                write: EntryWrite::Delete,
            });
            self.entries.change_entries(gone.collect()).await.map_err(internal)?;
        }
    }

    pub(super) async fn create_table(
        &self,
        request: &Request,
        arguments: Arguments<'_>,
    ) -> Result<Json, Refusal> {
        let table = parse_table(arguments)?;
        let there = if self.add_table(&table).await? {
            None
        } else {
            self.known_table(&table.name).await?
        };
        if let Some(guessed) = there.as_ref().filter(|there| there.guess.is_some()) {
            self.rekey(guessed, &table).await?;
        } else if there.is_some() {
            return Err(Refusal {
                kind: Kind::ResourceInUse,
                message: format!("Table already exists: {}", table.name),
            });
        }
        Ok(json!({"TableDescription": describe(&table, request)}))
    }

    pub(super) async fn describe_table(
        &self,
        request: &Request,
        arguments: Arguments<'_>,
    ) -> Result<Json, Refusal> {
        let name = arguments.table_name()?;
        let table = self.known_table(name).await?.ok_or_else(|| Refusal::no_table(name))?;
        Ok(json!({"Table": describe(&table, request)}))
    }

    pub(super) async fn delete_table(
        &self,
        request: &Request,
        arguments: Arguments<'_>,
    ) -> Result<Json, Refusal> {
        let name = arguments.table_name()?;
        let table = self.known_table(name).await?.ok_or_else(|| Refusal::no_table(name))?;
        let key = name.as_bytes().to_vec();
        let (space, write) = (SPACE.to_owned(), EntryWrite::Delete);
        let gone = EntryChange { space, key, expect: Expect::Any, write };
        self.entries.change_entries(vec![gone]).await.map_err(internal)?;
        self.clear(table.space()).await?;
        for index in &table.indexes {
            self.clear(table.index_space(index)).await?;
        }
        Ok(json!({"TableDescription": describe(&table, request)}))
    }

    pub(super) async fn list_tables(&self, arguments: Arguments<'_>) -> Result<Json, Refusal> {
        let limit = arguments.integer("Limit", 1)?.unwrap_or(100).min(100);
        let limit = usize::try_from(limit).unwrap_or(100);
        let start = arguments.text("ExclusiveStartTableName")?;
        let from = start.map_or_else(Vec::new, |name| [name.as_bytes(), &[0]].concat());
        let range =
            EntryRange { space: SPACE.to_owned(), from, limit: limit + 1, ..EntryRange::default() };
        let entries = self.entries.range_entries(range).await.map_err(internal)?;
        let name = |key: &Vec<u8>| String::from_utf8_lossy(key).into_owned();
        let names: Vec<String> = entries.iter().take(limit).map(|e| name(&e.key)).collect();
        let mut answer = json!({"TableNames": names});
        if entries.len() > limit {
            answer["LastEvaluatedTableName"] = json!(names.last());
        }
        Ok(answer)
    }
}

pub(super) fn definition(table: &Table, expect: Expect) -> Result<EntryChange, Refusal> {
    let body = table.to_kept().map_err(internal)?;
    Ok(EntryChange {
        space: SPACE.to_owned(),
        key: table.name.as_bytes().to_vec(),
        expect,
        write: EntryWrite::Put { body, due: None },
    })
}

fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::validation(format!("One or more parameter values were invalid: {why}"))
}

/// A key schema: partition key, and sort key if there is one.
type Keys = (KeyAttribute, Option<KeyAttribute>);

fn parse_table(arguments: Arguments<'_>) -> Result<Table, Refusal> {
    let attributes = arguments.required("AttributeDefinitions")?;
    let (partition, sort) = keys(arguments.required("KeySchema")?, attributes)?;
    let mut indexes = Vec::new();
    for member in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let list = arguments.get(member).and_then(Json::as_array);
        for index in list.into_iter().flatten() {
            let part = Arguments::of_part(index, member)?;
            let (partition, sort) = keys(part.required("KeySchema")?, attributes)?;
            let name = part.required_text("IndexName")?.to_owned();
            if indexes.iter().any(|index: &Index| index.name == name) {
                return Err(invalid(format!("Duplicate index name: {name}")));
            }
            let projection = projection(part.required("Projection")?)?;
            indexes.push(Index { name, partition, sort, projection });
        }
    }
    if indexes.len() > MOST_INDEXES {
        return Err(invalid(format!("A table has at most {MOST_INDEXES} secondary indexes")));
    }
    Ok(Table { indexes, ..Table::new(arguments.table_name()?, partition, sort) })
}

fn keys(schema: &Json, attributes: &Json) -> Result<Keys, Refusal> {
    let of_type = |wanted: &str| {
        let list = schema.as_array().into_iter().flatten();
        let mut named = list.filter(|member| member["KeyType"] == wanted);
        named.next().and_then(|member| member["AttributeName"].as_str())
    };
    let attribute = |name: &str| {
        let list = attributes.as_array().into_iter().flatten();
        let found = list.into_iter().find(|member| member["AttributeName"] == name);
        let kind = match found.and_then(|member| member["AttributeType"].as_str()) {
            Some("S") => KeyKind::S,
            Some("N") => KeyKind::N,
            Some("B") => KeyKind::B,
            _ => {
                return Err(invalid(format!(
                    "Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}]"
                )));
            }
        };
        Ok(KeyAttribute { name: name.to_owned(), kind })
    };
    let partition = of_type("HASH")
        .ok_or_else(|| invalid("Missing the HASH key in KeySchema"))
        .and_then(attribute)?;
    Ok((partition, of_type("RANGE").map(attribute).transpose()?))
}

fn projection(json: &Json) -> Result<Projection, Refusal> {
    match json["ProjectionType"].as_str() {
        None | Some("ALL") => Ok(Projection::All),
        Some("KEYS_ONLY") => Ok(Projection::KeysOnly),
        Some("INCLUDE") => {
            let names = json["NonKeyAttributes"].as_array().into_iter().flatten();
            Ok(Projection::Include(names.filter_map(|n| n.as_str().map(str::to_owned)).collect()))
        }
        Some(other) => Err(invalid(format!("Unknown ProjectionType: {other}"))),
    }
}

fn describe(table: &Table, request: &Request) -> Json {
    let schema = |schema: Schema<'_>| -> Vec<Json> {
        let types = ["HASH", "RANGE"];
        let attributes = schema.attributes().zip(types);
        attributes.map(|(a, t)| json!({"AttributeName": a.name, "KeyType": t})).collect()
    };
    let mut attributes: Vec<&KeyAttribute> = table.schema().attributes().collect();
    for attribute in table.indexes.iter().flat_map(|index| index.schema().attributes()) {
        if !attributes.contains(&attribute) {
            attributes.push(attribute);
        }
    }
    let attributes: Vec<Json> = attributes
        .iter()
        .map(|a| json!({"AttributeName": a.name, "AttributeType": a.kind.name()}))
        .collect();
    let arn =
        format!("arn:aws:dynamodb:{}:{}:table/{}", request.region, request.account, table.name);
    let index = |index: &Index| {
        let projection = match &index.projection {
            Projection::All => json!({"ProjectionType": "ALL"}),
            Projection::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
            Projection::Include(names) => {
                json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names})
            }
        };
        json!({
            "IndexName": index.name,
            "KeySchema": schema(index.schema()),
            "Projection": projection,
            "IndexStatus": "ACTIVE",
            "IndexArn": format!("{arn}/index/{}", index.name),
        })
    };
    let mut description = json!({
        "TableName": table.name,
        "TableStatus": "ACTIVE",
        "TableArn": arn,
        "AttributeDefinitions": attributes,
        "KeySchema": schema(table.schema()),
    });
    if !table.indexes.is_empty() {
        description["GlobalSecondaryIndexes"] = table.indexes.iter().map(index).collect();
    }
    description
}

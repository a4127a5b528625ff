//! Published definitions, their versions and aliases.

use offhook_flows::store::{Alias, Definitions, Kept, MachineType, PublishedVersion};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{from_json, from_word, kept, nanos, time, to_json, to_word};
use crate::Store;
use crate::lane::{Refused, Urgency, all_or_none};

const VERSION: &str =
    "SELECT machine, version, kind, definition, digest, description, published, inherits_from_machine
     FROM flow_versions";
const ALIAS: &str = "SELECT machine, name, routes, former, updated FROM flow_aliases";

impl Definitions for Store {
    fn publish_version(&self, version: PublishedVersion) -> Kept<u32> {
        kept(self.write(Urgency::Disk, move |connection| {
            all_or_none(connection, || publish(connection, &version))
        }))
    }

    fn list_versions(&self, machine: Option<String>) -> Kept<Vec<PublishedVersion>> {
        kept(self.read(move |connection| {
            let sql = format!(
                "{VERSION} WHERE machine = coalesce(?1, machine) ORDER BY machine, version DESC"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([machine], version)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn get_version(&self, machine: String, number: u32) -> Kept<Option<PublishedVersion>> {
        kept(self.read(move |connection| {
            let sql = format!("{VERSION} WHERE machine = ?1 AND version = ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(params![machine, number], version).optional()?)
        }))
    }

    fn find_version(
        &self,
        machine: String,
        number: Option<u32>,
    ) -> Kept<Option<(u32, MachineType)>> {
        kept(self.look_up(move |connection| {
            // Without a number SQLite takes the end of the primary key.
            let sql = match number {
                None => {
                    "SELECT version, kind FROM flow_versions
                         WHERE machine = ?1 AND ?2 IS NULL ORDER BY version DESC LIMIT 1"
                }
                Some(_) => {
                    "SELECT version, kind FROM flow_versions WHERE machine = ?1 AND version = ?2"
                }
            };
            let found = |row: &Row<'_>| Ok((row.get(0)?, from_word(row, 1)?));
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![machine, number], found).optional()?)
        }))
    }

    fn list_numbers(&self) -> Kept<Vec<(String, u32)>> {
        kept(self.read(move |connection| {
            // The primary key has both: no definition is read.
            let sql = "SELECT machine, version FROM flow_versions ORDER BY machine, version DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn delete_version(&self, machine: String, number: u32) -> Kept<bool> {
        kept(self.write(Urgency::Disk, move |connection| {
            let sql = "DELETE FROM flow_versions WHERE machine = ?1 AND version = ?2";
            Ok(connection.prepare_cached(sql)?.execute(params![machine, number])? > 0)
        }))
    }

    fn put_alias(&self, alias: Alias) -> Kept<()> {
        kept(self.write(Urgency::Disk, move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO flow_aliases (machine, name, routes, former, updated)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let (routes, former) = (to_json(&alias.routes)?, to_json(&alias.former)?);
            let updated = nanos(alias.updated);
            statement.execute(params![alias.machine, alias.name, routes, former, updated])?;
            Ok(())
        }))
    }

    fn list_aliases(&self, machine: Option<String>) -> Kept<Vec<Alias>> {
        kept(self.read(move |connection| {
            let sql =
                format!("{ALIAS} WHERE machine = coalesce(?1, machine) ORDER BY machine, name");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([machine], alias)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn delete_alias(&self, machine: String, name: String) -> Kept<bool> {
        kept(self.write(Urgency::Disk, move |connection| {
            let sql = "DELETE FROM flow_aliases WHERE machine = ?1 AND name = ?2";
            Ok(connection.prepare_cached(sql)?.execute([machine, name])? > 0)
        }))
    }
}

fn publish(connection: &Connection, new: &PublishedVersion) -> Result<u32, Refused> {
    let mut next = connection.prepare_cached(
        "INSERT INTO flow_numbers (machine, last) VALUES (?1, 1)
         ON CONFLICT (machine) DO UPDATE SET last = last + 1 RETURNING last",
    )?;
    let number: u32 = next.query_row([&new.machine], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO flow_versions
         (machine, version, kind, definition, digest, description, published, inherits_from_machine)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        new.machine,
        number,
        to_word(&new.kind)?,
        new.definition,
        new.digest,
        new.description,
        nanos(new.published),
        new.inherits_from_machine
    ])?;
    Ok(number)
}

fn version(row: &Row<'_>) -> rusqlite::Result<PublishedVersion> {
    Ok(PublishedVersion {
        machine: row.get(0)?,
        version: row.get(1)?,
        kind: from_word(row, 2)?,
        definition: row.get(3)?,
        digest: row.get(4)?,
        description: row.get(5)?,
        published: time(row.get(6)?),
        inherits_from_machine: row.get(7)?,
    })
}

fn alias(row: &Row<'_>) -> rusqlite::Result<Alias> {
    Ok(Alias {
        machine: row.get(0)?,
        name: row.get(1)?,
        routes: from_json(row, 2)?,
        former: from_json(row, 3)?,
        updated: time(row.get(4)?),
    })
}

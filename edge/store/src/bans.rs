//! Banned sources.

use std::net::IpAddr;
use std::time::SystemTime;

use offhook_pbx::keep::{Ban, Bans, Kept};
use rusqlite::{Row, params};

use crate::Store;
use crate::convert::{nanos, parsed, time};
use crate::lane::Urgency;

impl Bans for Store {
    fn load_bans(&self) -> Kept<Vec<Ban>> {
        let now = nanos(SystemTime::now());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT source, reason, failures, since, until FROM bans WHERE until > ?1
                 ORDER BY since",
            )?;
            let rows = statement.query_map([now], ban)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn put_ban(&self, ban: Ban) -> Kept<()> {
        self.write(Urgency::Company, move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO bans (source, reason, failures, since, until)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let source = ban.source.to_string();
            let (since, until) = (nanos(ban.since), nanos(ban.until));
            statement.execute(params![source, ban.reason, ban.failures, since, until])?;
            Ok(())
        })
    }

    fn remove_ban(&self, source: IpAddr) -> Kept<()> {
        self.write(Urgency::Company, move |connection| {
            let sql = "DELETE FROM bans WHERE source = ?1";
            connection.prepare_cached(sql)?.execute([source.to_string()])?;
            Ok(())
        })
    }
}

fn ban(row: &Row<'_>) -> rusqlite::Result<Ban> {
    Ok(Ban {
        source: parsed(row, 0)?,
        reason: row.get(1)?,
        failures: row.get(2)?,
        since: time(row.get(3)?),
        until: time(row.get(4)?),
    })
}

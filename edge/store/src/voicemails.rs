//! Voicemail messages. The rows are here, the audio is in files.

use offhook_pbx::keep::{Kept, Voicemail, Voicemails};
use rusqlite::{Connection, Row, params};

use crate::Store;
use crate::convert::{nanos, path, path_text, time, whole};
use crate::lane::{Refused, Urgency, all_or_none};

const COLUMNS: &str = "id, mailbox, caller, original_caller, call_id, received, duration_ms, file,
    heard, saved";

impl Voicemails for Store {
    fn begin_voicemail(&self, message: Voicemail) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| begin(connection, &message))
    }

    fn finish_voicemail(&self, id: String, duration_ms: u64) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| {
            if duration_ms == 0 {
                return remove(connection, &id);
            }
            all_or_none(connection, || finish(connection, &id, duration_ms))
        })
    }

    fn unfinished_voicemails(&self) -> Kept<Vec<Voicemail>> {
        self.read(|connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM voicemails WHERE finished = 0 ORDER BY received");
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], voicemail)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn list_voicemails(&self, mailbox: String) -> Kept<Vec<Voicemail>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM voicemails WHERE mailbox = ?1 AND finished = 1
                 ORDER BY received"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([mailbox], voicemail)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn used_mailboxes(&self) -> Kept<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT mailbox FROM lamps")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn mark_voicemail(&self, id: String, heard: bool, saved: bool) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| {
            let sql = "UPDATE voicemails SET heard = ?2, saved = ?3 WHERE id = ?1";
            let changed = connection.prepare_cached(sql)?.execute(params![id, heard, saved])?;
            known(changed, &id)
        })
    }

    /// An unknown message is as good as deleted.
    fn delete_voicemail(&self, id: String) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| remove(connection, &id))
    }
}

fn begin(connection: &Connection, message: &Voicemail) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO voicemails (id, mailbox, caller, original_caller, call_id,
         received, duration_ms, file, heard, saved, finished)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)",
    )?;
    statement.execute(params![
        message.id,
        message.mailbox,
        message.caller,
        message.original_caller,
        message.call_id,
        nanos(message.received),
        whole(message.duration_ms),
        path_text(&message.file)?,
        message.heard,
        message.saved,
    ])?;
    Ok(())
}

fn finish(connection: &Connection, id: &str, duration_ms: u64) -> Result<(), Refused> {
    let sql = "UPDATE voicemails SET finished = 1, duration_ms = ?2 WHERE id = ?1";
    let changed = connection.prepare_cached(sql)?.execute(params![id, whole(duration_ms)])?;
    let sql = "INSERT OR IGNORE INTO lamps SELECT mailbox FROM voicemails WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([id])?;
    known(changed, id)
}

/// The row goes now; the file goes to the trash, which is emptied after the commit.
fn remove(connection: &Connection, id: &str) -> Result<(), Refused> {
    all_or_none(connection, || {
        let sql = "INSERT OR IGNORE INTO trash SELECT file FROM voicemails WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([id])?;
        connection.prepare_cached("DELETE FROM voicemails WHERE id = ?1")?.execute([id])?;
        Ok(())
    })
}

fn known(changed: usize, id: &str) -> Result<(), Refused> {
    match changed {
        0 => Err(Refused::Because(format!("there is no voicemail message {id}"))),
        _ => Ok(()),
    }
}

fn voicemail(row: &Row<'_>) -> rusqlite::Result<Voicemail> {
    Ok(Voicemail {
        id: row.get(0)?,
        mailbox: row.get(1)?,
        caller: row.get(2)?,
        original_caller: row.get(3)?,
        call_id: row.get(4)?,
        received: time(row.get(5)?),
        duration_ms: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        file: path(row, 7)?,
        heard: row.get(8)?,
        saved: row.get(9)?,
    })
}

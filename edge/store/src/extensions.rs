//! Phones' accounts.

use offhook_pbx::keep::{Extension, Extensions, Kept};
use rusqlite::{Connection, Row, params};

use crate::Store;
use crate::convert::path_text;
use crate::lane::{Refused, Urgency};

impl Extensions for Store {
    fn load_extensions(&self) -> Kept<Vec<Extension>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, name, ha1_md5, ha1_sha256, realm, voicemail, pin, do_not_disturb,
                 greeting FROM extensions ORDER BY number",
            )?;
            let rows = statement.query_map([], extension)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn put_extension(&self, extension: Extension) -> Kept<()> {
        self.write(Urgency::Disk, move |connection| put(connection, &extension))
    }

    /// The account's registrations go with it.
    fn remove_extension(&self, number: String) -> Kept<bool> {
        self.write(Urgency::Disk, move |connection| {
            crate::lane::all_or_none(connection, || {
                connection.execute("DELETE FROM bindings WHERE aor = ?1", [&number])?;
                let sql = "DELETE FROM extensions WHERE number = ?1";
                Ok(connection.execute(sql, [&number])? > 0)
            })
        })
    }
}

fn put(connection: &Connection, extension: &Extension) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO extensions (number, name, ha1_md5, ha1_sha256, realm, voicemail,
         pin, do_not_disturb, greeting) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        extension.number,
        extension.name,
        extension.ha1_md5,
        extension.ha1_sha256,
        extension.realm,
        extension.voicemail,
        extension.pin,
        extension.do_not_disturb,
        extension.greeting.as_deref().map(path_text).transpose()?,
    ])?;
    Ok(())
}

fn extension(row: &Row<'_>) -> rusqlite::Result<Extension> {
    Ok(Extension {
        number: row.get(0)?,
        name: row.get(1)?,
        ha1_md5: row.get(2)?,
        ha1_sha256: row.get(3)?,
        realm: row.get(4)?,
        voicemail: row.get(5)?,
        pin: row.get(6)?,
        do_not_disturb: row.get(7)?,
        greeting: row.get::<_, Option<String>>(8)?.map(Into::into),
    })
}

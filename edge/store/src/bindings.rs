//! Registrations.

use std::time::SystemTime;

use offhook_pbx::keep::{Binding, BindingChange, Bindings, Kept};
use rusqlite::{Connection, Row, params};

use crate::Store;
use crate::convert::{nanos, parsed, time, transport};
use crate::lane::{Refused, Urgency, all_or_none};

impl Bindings for Store {
    fn load_bindings(&self) -> Kept<Vec<Binding>> {
        let now = nanos(SystemTime::now());
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT aor, contact, call_id, cseq, expires, transport, received, local,
                 user_agent, path, instance, ice FROM bindings WHERE expires > ?1
                 ORDER BY aor, contact",
            )?;
            let rows = statement.query_map([now], binding)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn change_bindings(&self, changes: Vec<BindingChange>) -> Kept<()> {
        self.write(Urgency::Company, move |connection| match changes.as_slice() {
            // By far the most frequent: a phone refreshes its one contact.
            [change] => apply(connection, change),
            changes => all_or_none(connection, || {
                changes.iter().try_for_each(|change| apply(connection, change))
            }),
        })
    }
}

fn apply(connection: &Connection, change: &BindingChange) -> Result<(), Refused> {
    match change {
        BindingChange::Put(binding) => put(connection, binding),
        BindingChange::Remove { aor, contact } => {
            let sql = "DELETE FROM bindings WHERE aor = ?1 AND contact = ?2";
            connection.prepare_cached(sql)?.execute([aor, contact])?;
            Ok(())
        }
    }
}

fn put(connection: &Connection, binding: &Binding) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO bindings (aor, contact, call_id, cseq, expires, transport,
         received, local, user_agent, path, instance, ice)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    // Header values hold no line breaks.
    let path = (!binding.path.is_empty()).then(|| binding.path.join("\n"));
    statement.execute(params![
        binding.aor,
        binding.contact,
        binding.call_id,
        binding.cseq,
        nanos(binding.expires),
        binding.transport.via_name(),
        binding.received.to_string(),
        binding.local.to_string(),
        binding.user_agent,
        path,
        binding.instance,
        binding.ice,
    ])?;
    Ok(())
}

fn binding(row: &Row<'_>) -> rusqlite::Result<Binding> {
    let path: Option<String> = row.get(9)?;
    Ok(Binding {
        aor: row.get(0)?,
        contact: row.get(1)?,
        call_id: row.get(2)?,
        cseq: row.get(3)?,
        expires: time(row.get(4)?),
        transport: transport(row, 5)?,
        received: parsed(row, 6)?,
        local: parsed(row, 7)?,
        user_agent: row.get(8)?,
        path: path.map_or_else(Vec::new, |path| path.split('\n').map(str::to_owned).collect()),
        instance: row.get(10)?,
        ice: row.get(11)?,
    })
}

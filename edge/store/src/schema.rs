//! The tables, their migrations, and how a connection is set up.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::StoreError;

/// `OFFH`, so that another program's database is not taken for ours.
const APPLICATION_ID: i64 = 0x4f46_4648;

/// Each brings a database from its index to the next format. Never change one that was released.
///
/// Times are nanoseconds since 1970 (UTC).
pub(crate) const MIGRATIONS: [&str; 13] = [
    FIRST,
    // The transfers of a call, as a JSON list; NULL when there were none.
    "ALTER TABLE calls ADD COLUMN transfers TEXT",
    // Mailboxes that ever held a message: a lamp may be lit for it somewhere, whatever they hold.
    "CREATE TABLE lamps (mailbox TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
     INSERT INTO lamps SELECT DISTINCT mailbox FROM voicemails WHERE finished = 1;",
    RECORDINGS,
    crate::flows::SCHEMA,
    // Who listened to a call, as a JSON list; NULL when nobody did.
    "ALTER TABLE calls ADD COLUMN supervised TEXT",
    // Which request of another execution began it; NULL when none did.
    "ALTER TABLE flow_executions ADD COLUMN started_by TEXT",
    crate::dnis::SCHEMA,
    // The bucket of an application that a recording is for; NULL: where those of calls are kept.
    "ALTER TABLE recordings ADD COLUMN bucket TEXT",
    crate::calls::CLOUD,
    // Whether a phone said that it has ICE.
    "ALTER TABLE bindings ADD COLUMN ice INTEGER NOT NULL DEFAULT 0",
    crate::recordings::TOLD,
    // Whose query language the states in a version's Maps and branches have: the machine's, or, as
    // before, that of the state around them.
    "ALTER TABLE flow_versions ADD COLUMN inherits_from_machine INTEGER NOT NULL DEFAULT 0",
];

pub(crate) const FIRST: &str = "
CREATE TABLE extensions (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    ha1_md5 TEXT NOT NULL,
    ha1_sha256 TEXT NOT NULL,
    realm TEXT NOT NULL,
    voicemail INTEGER NOT NULL,
    pin TEXT,
    do_not_disturb INTEGER NOT NULL,
    greeting TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (
    aor TEXT NOT NULL,
    contact TEXT NOT NULL,
    call_id TEXT NOT NULL,
    cseq INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    transport TEXT NOT NULL,
    received TEXT NOT NULL,
    local TEXT NOT NULL,
    user_agent TEXT,
    path TEXT,
    instance TEXT,
    PRIMARY KEY (aor, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    started INTEGER NOT NULL,
    answered INTEGER,
    ended INTEGER,
    caller TEXT NOT NULL,
    dialled TEXT NOT NULL,
    original_caller TEXT,
    source TEXT NOT NULL,
    destination TEXT,
    disposition TEXT NOT NULL,
    failure TEXT,
    hung_up_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_start ON calls (started);

-- What was appended to a timeline at once, as a JSON list; `at` is the time of its last event.
CREATE TABLE events (
    call TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (call, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE voicemails (
    id TEXT PRIMARY KEY,
    mailbox TEXT NOT NULL,
    caller TEXT NOT NULL,
    original_caller TEXT,
    call_id TEXT NOT NULL,
    received INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    file TEXT NOT NULL,
    heard INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    finished INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX voicemails_by_mailbox ON voicemails (mailbox, received);

-- Files whose row is gone. They are deleted after the commit, and at the next start when the
-- daemon was killed in between.
CREATE TABLE trash (file TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE bans (
    source TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

const RECORDINGS: &str = "
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    started INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    file TEXT NOT NULL,
    key TEXT NOT NULL,
    finished INTEGER NOT NULL,
    stored TEXT,
    attempts INTEGER NOT NULL,
    error TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX recordings_by_start ON recordings (started);
-- The outbox: short, whatever has been recorded in years.
CREATE INDEX recordings_waiting ON recordings (attempts, started)
    WHERE finished = 1 AND stored IS NULL;
";

/// Pages of a connection's cache, in KiB: registrations of a whole office fit in.
const CACHE_KIB: i64 = 1_024;
/// Symbolic links that lead to one another; Linux follows as many.
const MOST_LINKS: usize = 40;
/// Prepared statements that are kept.
const STATEMENTS: usize = 48;

pub(crate) fn open_for_writing(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    make_file(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let failed = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(busy).map_err(failed)?;
    // Before anything is changed: it may be somebody else's, or of a newer Offhook.
    let version = look(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    set_up(&connection).map_err(failed)?;
    // A log that a burst has blown up is cut back at the next checkpoint.
    connection.pragma_update(None, "journal_size_limit", 4 << 20).map_err(failed)?;
    if version < known_version() {
        migrate(&mut connection, path)?;
    }
    Ok(connection)
}

pub(crate) fn open_for_reading(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    // Not SQLITE_OPEN_READ_ONLY: a reader of a write-ahead log writes its shared-memory file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(busy).map_err(failed)?;
    set_up(&connection).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

/// The file holds password digests: only its owner may read it. SQLite gives its companions
/// (`-wal`, `-shm`) the same mode.
///
/// One that is there is not opened. Closing it would drop every lock that this process has on it
/// (POSIX, `fcntl`), those of a store that is open already included: the next process that looks at
/// the database would take itself for the last one, and delete the write-ahead log under our feet.
///
/// A link may lead to where nothing is yet: what it leads to is made. `create_new` itself follows
/// no link.
fn make_file(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(drop),
        }
        let Ok(target) = std::fs::read_link(&path) else { return Ok(()) };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    Err(io::Error::other("it is a link that leads to a link, and so on without an end"))
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it each new value bound to a cached statement has the statement compiled anew, in
    // search of a better plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The format of a database; 0 for an empty one.
fn look(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    let pragma = |name: &str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(failed)
    };
    let (found, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = known_version();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Again, now that nobody else can migrate at the same time.
    let version = look(&transaction, path)?;
    let done = usize::try_from(version).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", known_version()).map_err(failed)?;
    transaction.commit().map_err(failed)
}

//! The ledger's file: its tables, how it is opened, and how requests get into it and out of it again.

use super::calendar::hour;
use super::currency;
use super::row::{self, natural, whole};
use super::sums::{Firsts, Sums};
use aicockpit_protocol::usage::RequestEntry;
use jiff::tz::TimeZone;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// One entry for each version. Entries are only ever appended: a published one is never changed.
///
/// `hours` is kept up with each write and outlives `requests`. Its `backend` is empty where none answered; `firsts` are
/// buckets of milliseconds. `meta` has `raw_from_ms`: from then on all requests are there. A currency is the number of one
/// of `currencies`, see [`currency`].
const VERSIONS: &[&str] = &[
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
     CREATE TABLE requests (
         id INTEGER PRIMARY KEY,
         request TEXT NOT NULL,
         at_ms INTEGER NOT NULL,
         owner TEXT NOT NULL,
         endpoint TEXT NOT NULL,
         model TEXT NOT NULL,
         backend TEXT,
         backend_model TEXT,
         attempts INTEGER NOT NULL,
         streamed INTEGER NOT NULL,
         status INTEGER,
         ended TEXT NOT NULL,
         input_tokens INTEGER,
         output_tokens INTEGER,
         cost REAL NOT NULL,
         queued_ms REAL NOT NULL,
         before_ms REAL NOT NULL,
         first_ms REAL,
         total_ms REAL NOT NULL
     ) STRICT;
     CREATE INDEX requests_by_time ON requests (at_ms);
     CREATE INDEX requests_by_owner ON requests (owner, id);
     CREATE INDEX requests_troubled ON requests (id) WHERE ended <> 'complete';
     CREATE TABLE hours (
         start_ms INTEGER NOT NULL,
         model TEXT NOT NULL,
         backend TEXT NOT NULL,
         owner TEXT NOT NULL,
         requests INTEGER NOT NULL,
         failed INTEGER NOT NULL,
         refused INTEGER NOT NULL,
         cancelled INTEGER NOT NULL,
         input_tokens INTEGER NOT NULL,
         output_tokens INTEGER NOT NULL,
         cost REAL NOT NULL,
         stream_tokens INTEGER NOT NULL,
         stream_ms REAL NOT NULL,
         firsts BLOB NOT NULL,
         PRIMARY KEY (start_ms, model, backend, owner)
     ) STRICT, WITHOUT ROWID;",
    "CREATE TABLE currencies (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
     INSERT INTO currencies (id, name) VALUES (0, '');
     ALTER TABLE requests ADD COLUMN currency INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE hours_2 (
         start_ms INTEGER NOT NULL,
         model TEXT NOT NULL,
         backend TEXT NOT NULL,
         owner TEXT NOT NULL,
         currency INTEGER NOT NULL,
         requests INTEGER NOT NULL,
         failed INTEGER NOT NULL,
         refused INTEGER NOT NULL,
         cancelled INTEGER NOT NULL,
         input_tokens INTEGER NOT NULL,
         output_tokens INTEGER NOT NULL,
         cost REAL NOT NULL,
         stream_tokens INTEGER NOT NULL,
         stream_ms REAL NOT NULL,
         firsts BLOB NOT NULL,
         PRIMARY KEY (start_ms, model, backend, owner, currency)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO hours_2 SELECT start_ms, model, backend, owner, 0, requests, failed, refused, cancelled, input_tokens,
         output_tokens, cost, stream_tokens, stream_ms, firsts FROM hours;
     DROP TABLE hours;
     ALTER TABLE hours_2 RENAME TO hours;",
];

static MIGRATIONS: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(VERSIONS.iter().map(|sql| M::up(sql)).collect()));

/// How long a lock of another process is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest file that is looked through when it is opened. In a larger one damage shows when it is met.
const MOST_CHECKED: u64 = 64 << 20;
/// Names of models in one hour that no server was asked for. Clients make them up; more of them count as one.
const MOST_STRANGERS: usize = 100;
/// What stands for those.
const STRANGER: &str = "(other names)";
/// Requests that are forgotten in one transaction.
const AT_ONCE: i64 = 5000;

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Its bytes are not those of a ledger.
    Damaged(String),
    /// Anything else: it may do later.
    Other(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match is_damage(&error) {
            true => Self::Damaged(error.to_string()),
            false => Self::Other(error.to_string()),
        }
    }
}

/// True where a file's bytes are not those of a database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Opens a ledger to write, making it where it is not there.
///
/// # Errors
/// See [`Trouble`].
pub(super) fn open(path: &Path) -> Result<Connection, Trouble> {
    create(path).map_err(|error| Trouble::Other(error.to_string()))?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // A log that was long once gives its room back.
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() <= MOST_CHECKED);
    if is_small {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Trouble::Damaged(verdict));
        }
    }
    prepare(&mut connection)?;
    Ok(connection)
}

/// A ledger that ends with its process.
///
/// # Errors
/// There is no memory.
pub(super) fn in_memory() -> Result<Connection, Trouble> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Opens a ledger that is there, to read it.
///
/// # Errors
/// See [`Trouble`].
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
    Ok(connection)
}

/// Only its owner may see what models are used for.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn prepare(connection: &mut Connection) -> Result<(), Trouble> {
    MIGRATIONS.to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
        rusqlite_migration::Error::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => Trouble::Other("it was written by a newer version of this program".to_owned()),
        other => Trouble::Other(other.to_string()),
    })
}

/// Gives a damaged file another name, so that a new one can begin; the name.
///
/// # Errors
/// It cannot be renamed.
pub(super) fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let mut number = 1;
    while beside(&format!(".broken-{number}")).exists() {
        number += 1;
    }
    let aside = beside(&format!(".broken-{number}"));
    std::fs::rename(path, &aside)?;
    // The log belongs to the file: a new one must not read it.
    let log = beside("-wal");
    if log.exists() {
        std::fs::rename(log, beside(&format!(".broken-{number}-wal")))?;
    }
    match std::fs::remove_file(beside("-shm")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(aside),
    }
}

/// Whose sums these are, in one hour.
#[derive(PartialEq, Eq, Hash)]
struct Of {
    start_ms: i64,
    model: String,
    backend: String,
    owner: String,
    currency: i64,
}

/// The models of one hour that no server was asked for.
#[derive(Default)]
pub(super) struct Strangers {
    start_ms: i64,
    names: HashSet<String>,
}

impl Strangers {
    fn name(&mut self, start_ms: i64, entry: &RequestEntry) -> String {
        if entry.backend.is_some() {
            return entry.model.clone();
        }
        if self.start_ms != start_ms {
            *self = Self { start_ms, names: HashSet::new() };
        }
        if !self.names.contains(&entry.model) {
            if self.names.len() >= MOST_STRANGERS {
                return STRANGER.to_owned();
            }
            self.names.insert(entry.model.clone());
        }
        entry.model.clone()
    }
}

/// Writes requests down, all or none.
///
/// # Errors
/// None of them is there then.
pub(super) fn write<'a>(
    connection: &mut Connection,
    zone: &TimeZone,
    strangers: &mut Strangers,
    entries: impl Iterator<Item = &'a RequestEntry>,
) -> rusqlite::Result<()> {
    // The lock from the beginning: sums are read and written back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut hours: HashMap<Of, Sums> = HashMap::new();
    let mut currencies: HashMap<&str, i64> = HashMap::new();
    {
        let places = (1..=row::COLUMNS.split(',').count() + 1).map(|at| format!("?{at}"));
        let sql = format!(
            "INSERT INTO requests ({}, currency) VALUES ({})",
            row::COLUMNS,
            places.collect::<Vec<_>>().join(", ")
        );
        let mut insert = transaction.prepare_cached(&sql)?;
        for entry in entries {
            let currency = match entry.currency.as_deref() {
                None => 0,
                Some(name) => match currencies.get(name) {
                    Some(number) => *number,
                    None => *currencies.entry(name).or_insert(currency::number(&transaction, name)?),
                },
            };
            row::insert(&mut insert, entry, currency)?;
            let start_ms = hour(zone, entry.at_ms);
            let of = Of {
                start_ms,
                model: strangers.name(start_ms, entry),
                backend: entry.backend.clone().unwrap_or_default(),
                owner: entry.owner.clone(),
                currency,
            };
            hours.entry(of).or_default().count(entry);
        }
        for (of, sums) in &mut hours {
            add(&transaction, of, sums)?;
        }
    }
    transaction.commit()
}

fn add(connection: &Connection, of: &Of, sums: &mut Sums) -> rusqlite::Result<()> {
    let key = params![of.start_ms, of.model, of.backend, of.owner, of.currency];
    let before = connection
        .prepare_cached(&format!(
            "SELECT {HOUR_COLUMNS} FROM hours
             WHERE start_ms = ?1 AND model = ?2 AND backend = ?3 AND owner = ?4 AND currency = ?5"
        ))?
        .query_row(key, |row| read_sums(row, 0))
        .optional()?;
    if let Some(before) = before {
        sums.add(&before);
    }
    let sum = &sums.sum;
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO hours (start_ms, model, backend, owner, currency, {HOUR_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ))?
        .execute(params![
            of.start_ms,
            of.model,
            of.backend,
            of.owner,
            of.currency,
            whole(sum.requests),
            whole(sum.failed),
            whole(sum.refused),
            whole(sum.cancelled),
            whole(sum.input_tokens),
            whole(sum.output_tokens),
            sum.cost,
            whole(sums.stream_tokens),
            sums.stream_ms,
            sums.firsts.bytes(),
        ])?;
    Ok(())
}

/// The columns of sums, in the order of [`read_sums`].
pub(super) const HOUR_COLUMNS: &str = "requests, failed, refused, cancelled, input_tokens, output_tokens, cost, \
     stream_tokens, stream_ms, firsts";

/// Reads [`HOUR_COLUMNS`] from column `at` on.
pub(super) fn read_sums(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Sums> {
    let number = |column: usize| row.get(at + column).map(natural);
    let mut sums = Sums::default();
    sums.sum.requests = number(0)?;
    sums.sum.failed = number(1)?;
    sums.sum.refused = number(2)?;
    sums.sum.cancelled = number(3)?;
    sums.sum.input_tokens = number(4)?;
    sums.sum.output_tokens = number(5)?;
    sums.sum.cost = row.get(at + 6)?;
    sums.stream_tokens = number(7)?;
    sums.stream_ms = row.get(at + 8)?;
    sums.firsts = Firsts::read(row.get_ref(at + 9)?.as_blob()?);
    Ok(sums)
}

/// Forgets single requests from before `until_ms`, and the oldest beyond `most`; a piece at a time. True where there
/// are more.
///
/// # Errors
/// The database cannot be written.
pub(super) fn forget(connection: &mut Connection, until_ms: i64, most: i64) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (last, first): (i64, i64) = transaction.query_row(
        "SELECT coalesce((SELECT max(id) FROM requests), 0), coalesce((SELECT min(id) FROM requests), 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut gone = 0;
    let mut since = until_ms;
    if last - first >= most {
        let until = (last - most).min(first + AT_ONCE);
        let newest: Option<i64> =
            transaction
                .query_row("SELECT max(at_ms) FROM requests WHERE id <= ?1", [until], |row| row.get(0))?;
        since = since.max(newest.map_or(until_ms, |newest| newest + 1));
        gone += transaction.execute("DELETE FROM requests WHERE id <= ?1", [until])?;
    }
    gone += transaction.execute(
        "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at_ms < ?1 LIMIT ?2)",
        [until_ms, AT_ONCE],
    )?;
    if gone > 0 {
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('raw_from_ms', ?1)
             ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
            [since],
        )?;
    }
    transaction.commit()?;
    Ok(gone > 0)
}

/// From when on all single requests are there.
///
/// # Errors
/// The database cannot be read.
pub(super) fn raw_from(connection: &Connection) -> rusqlite::Result<i64> {
    let since = connection
        .query_row("SELECT value FROM meta WHERE key = 'raw_from_ms'", [], |row| row.get(0))
        .optional()?;
    Ok(since.unwrap_or(i64::MIN))
}

/// Forgets sums from before `until_ms`.
///
/// # Errors
/// The database cannot be written.
pub(super) fn forget_hours(connection: &Connection, until_ms: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM hours WHERE start_ms < ?1", [until_ms])?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_made() {
        assert_eq!(MIGRATIONS.validate(), Ok(()));
    }

    /// A file as the first version left it: a request of half a dollar.
    pub(in crate::ledger) fn of_the_first_version(path: &Path) -> Connection {
        let mut old = Connection::open(path).unwrap();
        Migrations::new(vec![M::up(VERSIONS[0])]).to_latest(&mut old).unwrap();
        old.execute_batch(
            "INSERT INTO requests VALUES (1, 'r', 5, 'ann', 'responses', 'fast', NULL, NULL, 1, 0, 200, 'complete', 1, 2,
                 0.5, 0, 0, 7, 9);
             INSERT INTO hours VALUES (0, 'fast', '', 'ann', 1, 0, 0, 0, 1, 2, 0.5, 0, 0, x'');",
        )
        .unwrap();
        old
    }

    #[test]
    fn costs_from_before_currencies_are_in_the_one_that_is_named_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let old = of_the_first_version(&path);
        let currencies = |connection: &Connection| {
            let read = currency::Currencies::read(connection).unwrap();
            (read.column, read.last(connection).unwrap().map(str::to_owned))
        };
        assert_eq!(currencies(&open_to_read(&path).unwrap()), ("0", None), "it is read as it is");
        drop(old);
        let connection = open(&path).unwrap();
        assert_eq!(currencies(&connection), ("currency", None));
        currency::name_unknown(&connection, "USD").unwrap();
        currency::name_unknown(&connection, "EUR").unwrap();
        assert_eq!(currencies(&connection), ("currency", Some("USD".to_owned())));
        assert_eq!(currency::number(&connection, "USD").unwrap(), 0);
        assert_eq!(currency::number(&connection, "EUR").unwrap(), 1);
        assert_eq!(currency::number(&connection, "EUR").unwrap(), 1);
        let sums = connection.query_row(
            &format!("SELECT {HOUR_COLUMNS} FROM hours WHERE currency = 0"),
            [],
            |row| read_sums(row, 0),
        );
        assert_eq!(sums.unwrap().sum.cost, 0.5);
    }

    #[test]
    fn a_ledger_of_a_newer_version_is_not_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(open(&path), Err(Trouble::Other(why)) if why.contains("newer")));
    }
}

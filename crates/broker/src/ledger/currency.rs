//! The currencies of a ledger, which keeps of each cost what it is in. Each has a number; 0 is what requests are in that
//! were written before currencies were kept. It has no name until the settings' currency is known: then it is that one,
//! for good.

use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;

/// The first version of the tables that keeps currencies.
const SINCE: i64 = 2;

/// The names, by number.
pub(super) struct Currencies {
    names: HashMap<i64, String>,
    /// The expression for a row's currency: a file that is only read may be of a version without.
    pub(super) column: &'static str,
}

impl Currencies {
    /// # Errors
    /// The database cannot be read.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version < SINCE {
            return Ok(Self { names: HashMap::new(), column: "0" });
        }
        let mut statement = connection.prepare_cached("SELECT id, name FROM currencies")?;
        let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { names: names.collect::<rusqlite::Result<_>>()?, column: "currency" })
    }

    /// None where nobody knows.
    pub(super) fn name(&self, number: i64) -> Option<&str> {
        self.names.get(&number).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// What the last request was in; none where there is none, or nobody knows.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn last(&self, connection: &Connection) -> rusqlite::Result<Option<&str>> {
        let column = self.column;
        let sql = format!("SELECT {column} FROM requests ORDER BY id DESC LIMIT 1");
        let mut number = connection.query_row(&sql, [], |row| row.get(0)).optional()?;
        if number.is_none() {
            let sql = format!("SELECT {column} FROM hours ORDER BY start_ms DESC LIMIT 1");
            number = connection.query_row(&sql, [], |row| row.get(0)).optional()?;
        }
        Ok(number.and_then(|number| self.name(number)))
    }
}

/// The number of a currency, which is given one where it has none.
///
/// # Errors
/// The database cannot be written.
pub(super) fn number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut known = connection.prepare_cached("SELECT min(id) FROM currencies WHERE name = ?1")?;
    if let Some(number) = known.query_row([name], |row| row.get(0))? {
        return Ok(number);
    }
    connection.prepare_cached("INSERT INTO currencies (name) VALUES (?1)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

/// Says what requests are in of which nobody knows it, unless that was said before.
///
/// # Errors
/// The database cannot be written.
pub(super) fn name_unknown(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE currencies SET name = ?1 WHERE id = 0 AND name = ''", [name])?;
    Ok(())
}

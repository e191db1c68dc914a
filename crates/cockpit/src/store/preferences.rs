//! Settings and the UI's own state.

use super::{Store, StoreError};
use aicockpit_protocol::api::Settings;
use rusqlite::{OptionalExtension as _, params};

impl Store {
    /// The settings; the defaults where none were saved, or what was saved cannot be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        let json: Option<String> = self
            .read(|connection| {
                connection.query_row("SELECT json FROM settings", [], |row| row.get(0)).optional()
            })
            .await?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
    }

    /// Replaces the settings; they are on the disk when this returns.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn put_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let json = to_json(settings)?;
        self.write_durably(move |transaction| {
            transaction.execute("INSERT OR REPLACE INTO settings (only_row, json) VALUES (1, ?1)", [json])?;
            Ok(())
        })
        .await
    }

    /// A value of the UI's state, null where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ui_state(&self, key: String) -> Result<serde_json::Value, StoreError> {
        let json: Option<String> = self
            .read(move |connection| {
                connection
                    .query_row("SELECT json FROM ui_state WHERE key = ?1", [key], |row| row.get(0))
                    .optional()
            })
            .await?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
    }

    /// Keeps a value of the UI's state; null removes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_ui_state(&self, key: String, value: serde_json::Value) -> Result<(), StoreError> {
        self.write(move |transaction| {
            if value.is_null() {
                transaction.execute("DELETE FROM ui_state WHERE key = ?1", [key])?;
            } else {
                transaction.execute(
                    "INSERT OR REPLACE INTO ui_state (key, json) VALUES (?1, ?2)",
                    params![key, value.to_string()],
                )?;
            }
            Ok(())
        })
        .await
    }
}

/// JSON text of a value for a column.
pub(super) fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

//! The terminal that this program runs in.

use anyhow::Context;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Raw mode, until it is dropped.
pub(crate) struct RawMode(Termios);

impl RawMode {
    /// Every key goes to the program inside.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub(crate) fn enter() -> anyhow::Result<Self> {
        let before =
            tcgetattr(std::io::stdin()).context("standard input is no terminal; use `aicockpit exec`")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw)
            .context("the terminal could not be set up")?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to restore.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// Columns and rows; 80×24 where they are not known.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.min(2000), size.ws_row.min(2000)),
        _ => (80, 24),
    }
}

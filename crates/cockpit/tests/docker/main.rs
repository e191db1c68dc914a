//! The cockpit on the real Docker. Everything made is named `aicockpit-…` by the product itself and removed at the
//! end of each test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failed step fails the test, and what was printed tells how far it came"
)]

mod bad_input;
mod common;
mod elsewhere;
mod faults;
mod floods;
mod hardening;
mod hogs;
mod kills;
mod lifecycle;
mod model_servers;
mod models;
mod offline;
mod own_daemon;
mod recreate;
mod sharing;
mod sources;
mod update;

//! The broker over real sockets, with a model server behind it that does as it is told.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod crowd;
mod discovery;
mod door;
mod faults;
mod infill;
mod kills;
mod passing;
mod stock_client;

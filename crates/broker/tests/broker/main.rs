//! The broker over real sockets, with a model server behind it that does as it is told.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod ask;
mod common;
mod crowd;
mod currency;
mod discovery;
mod door;
mod faults;
mod infill;
mod kills;
mod limits;
mod offline;
mod ollama;
mod on_demand;
mod passing;
mod responses;
mod seen;
mod stock_client;
mod tokens;
mod waiting;

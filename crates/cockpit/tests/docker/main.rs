//! The cockpit on the real Docker. Everything made is named `aicockpit-…` by the product itself and removed at the
//! end of each test.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;
mod faults;
mod hardening;
mod lifecycle;
mod sources;
mod update;

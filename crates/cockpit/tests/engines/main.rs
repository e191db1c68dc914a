//! The cockpit's main job on each real engine: Docker and Podman, and with `AICOCKPIT_TEST_PODMAN_SOCKET` the Podman
//! that listens there, for instance that of a user without rights. Everything made is named `aicockpit-…` by the
//! product itself and removed at the end of each test.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod certificates;
mod common;
mod health;
mod images;
mod main_job;
mod profiles;
mod root_terminal;

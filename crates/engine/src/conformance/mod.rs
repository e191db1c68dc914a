//! The suite that every engine passes against the real engine.
//!
//! A case is a named function that uses nothing but the [`Engine`] trait. What it makes carries the case's prefix
//! and label, and is swept away afterwards, however the case ended.

mod archives;
mod case;
mod exec;
mod hardening;
mod images;
mod lifecycle;
mod limits;
mod lists;
mod networks;
mod observe;
mod ports;
mod registry;
mod volumes;

use crate::Engine;
use case::{Case, Outcome, Verdict};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Time for one case: rootless engines with plain copies for storage need seconds for each container.
const CASE_TIME: Duration = Duration::from_secs(240);

/// What the suite runs on.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// A present image with `/bin/sh`, `perl` and the usual tools.
    pub image: String,
    /// Distinguishes this run's objects; everything made carries it in its name and is removed at the end.
    pub prefix: String,
}

/// What the suite did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConformanceReport {
    /// Names of cases that passed.
    pub passed: Vec<String>,
    /// Names of cases declined by capability, with the reason.
    pub declined: Vec<(String, String)>,
    /// Names of cases that failed, with what happened.
    pub failed: Vec<(String, String)>,
}

type Run = fn(Arc<Case>) -> LocalBoxFuture<'static, Outcome>;

/// Names the cases of a topic.
macro_rules! cases {
    ($($topic:ident: $($case:ident),+ $(,)?;)+) => {
        &[$($((concat!(stringify!($topic), "::", stringify!($case)), |case| $topic::$case(case).boxed_local())),+),+]
    };
}

const CASES: &[(&str, Run)] = cases! {
    lifecycle:
        a_container_is_created_started_and_inspected,
        starting_twice_and_stopping_twice_succeed,
        stop_sends_the_stop_signal_first,
        stop_kills_after_the_grace,
        a_stopped_container_starts_again_with_its_files,
        pause_freezes_and_unpause_thaws,
        remove_works_from_every_state_and_twice,
        a_taken_name_is_a_conflict,
        a_missing_image_is_named_as_such,
        a_missing_entry_program_is_named_as_such,
        the_image_s_arguments_are_not_used_with_another_entry_point;
    lists: only_containers_with_all_labels_are_listed, a_container_that_is_gone_is_not_found;
    exec:
        bytes_pass_unchanged_both_ways,
        closing_stdin_ends_the_program_and_not_its_output,
        stderr_is_apart_and_the_exit_status_is_told,
        user_environment_and_folder_are_as_asked,
        a_missing_program_ends_with_a_message,
        small_messages_come_back_at_once,
        a_program_that_is_cut_off_is_not_reported_as_ended,
        exec_in_a_stopped_container_is_a_conflict;
    observe:
        events_tell_a_container_s_life_in_order,
        events_can_be_read_by_several_at_once,
        stats_count_up,
        logs_give_the_last_lines_and_both_outputs,
        logs_follow_a_running_container;
    images:
        an_image_is_built_with_progress_and_listed,
        a_failing_build_tells_its_last_lines_and_leaves_nothing,
        a_build_on_a_missing_base_names_the_image,
        an_archive_is_imported_and_its_container_runs,
        a_container_is_committed,
        removing_an_image_twice_succeeds,
        an_image_is_pulled_from_a_registry,
        pulling_what_does_not_exist_is_told,
        pulling_from_where_nobody_answers_is_told;
    volumes:
        a_volume_outlives_its_containers,
        a_read_only_mount_is_read_only,
        a_folder_is_bound_and_a_missing_one_is_named,
        keep_id_gives_the_engine_s_user_what_is_made_inside,
        a_volume_in_use_is_a_conflict,
        volumes_are_listed_by_labels;
    archives:
        an_archive_reaches_a_volume_through_a_container_that_never_ran,
        an_archive_is_unpacked_in_a_running_container,
        a_path_is_downloaded_and_a_missing_one_is_not_found;
    networks:
        a_network_has_the_asked_range_and_containers_are_in_it,
        a_range_in_use_is_told,
        a_taken_network_name_is_a_conflict,
        a_container_without_network_has_only_loopback,
        removing_a_network_twice_succeeds;
    ports:
        a_published_port_is_reached_on_loopback_only,
        a_port_in_use_is_told;
    limits:
        the_memory_limit_is_in_force,
        a_container_over_its_memory_is_killed_and_it_is_told,
        the_cpu_limit_is_in_force,
        the_pids_limit_is_in_force,
        a_container_with_every_limit_starts;
    hardening:
        all_capabilities_are_dropped_but_the_listed,
        a_user_other_than_root_holds_no_capability,
        no_new_privileges_and_seccomp_hold_in_the_running_container,
        a_read_only_root_with_a_writable_tmpfs,
        the_user_is_as_asked;
};

/// Runs every case, one after another.
pub async fn conformance(engine: Arc<dyn Engine>, fixture: &Fixture) -> ConformanceReport {
    conformance_of(engine, fixture, "").await
}

/// Runs the cases whose name contains `filter`, one after another.
pub async fn conformance_of(engine: Arc<dyn Engine>, fixture: &Fixture, filter: &str) -> ConformanceReport {
    let mut report = ConformanceReport::default();
    for (index, (name, run)) in CASES.iter().enumerate().filter(|(_, (name, _))| name.contains(filter)) {
        let prefix = format!("{}-{index}", fixture.prefix);
        let case = Arc::new(Case::new(engine.clone(), fixture.image.clone(), prefix));
        // A panic in an engine is one failed case.
        let caught = AssertUnwindSafe(run(case.clone())).catch_unwind();
        let outcome = tokio::time::timeout(CASE_TIME, caught).await;
        let swept = case.sweep().await;
        let name = (*name).to_owned();
        match outcome {
            Err(_) => report.failed.push((name, format!("not done after {CASE_TIME:?}"))),
            Ok(Err(_)) => report.failed.push((name, "panicked; the message is on stderr".to_owned())),
            Ok(Ok(Err(failure))) => report.failed.push((name, failure.0)),
            Ok(Ok(Ok(Verdict::Declined(reason)))) => report.declined.push((name, reason)),
            Ok(Ok(Ok(Verdict::Passed))) => match swept {
                Ok(()) => report.passed.push(name),
                Err(error) => report.failed.push((name, format!("could not be cleaned up: {error}"))),
            },
        }
    }
    report
}

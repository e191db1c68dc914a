//! Finding containers again.

use super::case::{Case, Outcome, Verdict, ensure, ensure_eq, ensure_error};
use crate::{ContainerState, EngineError};
use aicockpit_protocol::ContainerId;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn only_containers_with_all_labels_are_listed(case: Arc<Case>) -> Outcome {
    let awkward = "{\"a\":\"b=c, d\",\"e\":\"ä\\n\"}";
    let mut with = case.idle("with");
    with.labels.push(("spec".to_owned(), awkward.to_owned()));
    let with_id = case.engine.create_container(&with).await?;
    let without_id = case.engine.create_container(&case.idle("without")).await?;

    let all = case.engine.list_containers(&[case.label()]).await?;
    ensure_eq!(all.len(), 2, "containers of this case");
    ensure!(all.iter().all(|found| found.state == ContainerState::Created), "states in the list: {all:?}");
    let both = case.engine.list_containers(&[case.label(), ("spec", awkward)]).await?;
    ensure_eq!(both.len(), 1, "containers with both labels");
    ensure_eq!((&both[0].id, &both[0].name), (&with_id, &with.name), "the one found");
    ensure!(
        both[0].labels.contains(&("spec".to_owned(), awkward.to_owned())),
        "labels come back word for word: {:?}",
        both[0].labels
    );
    let details = case.engine.inspect_container(&with_id).await?;
    ensure!(details.labels.contains(&("spec".to_owned(), awkward.to_owned())), "also when inspected");
    let every = case.engine.list_containers(&[]).await?;
    for id in [&with_id, &without_id] {
        ensure!(every.iter().any(|found| found.id == *id), "the list without labels has all");
    }
    Ok(Verdict::Passed)
}

pub(super) async fn a_container_that_is_gone_is_not_found(case: Arc<Case>) -> Outcome {
    let engine = &case.engine;
    let gone = ContainerId::new("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    ensure_error!(engine.inspect_container(&gone).await, EngineError::NotFound(_));
    ensure_error!(engine.start_container(&gone).await, EngineError::NotFound(_));
    ensure_error!(engine.stop_container(&gone, Duration::ZERO).await, EngineError::NotFound(_));
    ensure_error!(engine.stats(&gone).await, EngineError::NotFound(_));
    ensure_error!(engine.logs(&gone, 10, false).await, EngineError::NotFound(_));
    ensure_error!(engine.exec(&gone, &super::case::command(&["true"])).await, EngineError::NotFound(_));
    let hostile = ContainerId::new("../images/json?x=");
    ensure_error!(engine.inspect_container(&hostile).await, EngineError::NotFound(_));
    Ok(Verdict::Passed)
}

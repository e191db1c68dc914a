//! Errors for people, and exit statuses for programs.

use crate::output::complain;
use aicockpit_protocol::{ApiError, ErrorCode};
use serde::Serialize;
use std::process::ExitCode;

/// Tells an error; the exit status that goes with it.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let api = error.chain().find_map(|cause| cause.downcast_ref::<ApiError>());
    if json {
        #[derive(Serialize)]
        struct Failed {
            error: ApiError,
        }
        let told = api.cloned().unwrap_or_else(|| ApiError::new(ErrorCode::Internal, format!("{error:#}")));
        complain(&serde_json::to_string(&Failed { error: told }).unwrap_or_default());
    } else {
        match api {
            Some(api) => complain(&text(api)),
            None => complain(&format!("Error: {error:#}")),
        }
    }
    ExitCode::from(api.map_or(1, |error| status(error.code)))
}

/// An error as a person reads it: what happened, the raw cause, what to do.
pub(crate) fn text(error: &ApiError) -> String {
    let mut text = format!("Error: {}", error.message);
    if let Some(detail) = &error.detail {
        for line in detail.lines() {
            text.push_str("\n  | ");
            text.push_str(line);
        }
    }
    if let Some(hint) = &error.hint {
        text.push('\n');
        text.push_str(hint);
    }
    text
}

fn status(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::InvalidArgument => 2,
        ErrorCode::NotFound | ErrorCode::ImageNotFound => 3,
        ErrorCode::AlreadyExists | ErrorCode::Conflict | ErrorCode::InvalidState | ErrorCode::NotEmpty => 4,
        ErrorCode::EngineUnavailable | ErrorCode::AgentUnavailable => 5,
        _ => 1,
    }
}

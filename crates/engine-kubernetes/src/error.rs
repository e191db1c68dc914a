//! From what a cluster answers to the trait's errors.

use aicockpit_engine::{EngineError, error_from_answer, error_from_connection};
use kube::core::Status;

/// Takes an error of a request. The cluster's own message is kept word for word.
pub(crate) fn engine_error(error: kube::Error) -> EngineError {
    match error {
        kube::Error::Api(status) => from_status(&status),
        kube::Error::Auth(error) => {
            EngineError::NotPermitted(format!("the kubeconfig's credentials could not be used: {error}"))
        }
        kube::Error::SerdeError(error) => {
            EngineError::Engine(format!("the cluster's answer cannot be read: {error}"))
        }
        error => error_from_connection(&error),
    }
}

fn from_status(status: &Status) -> EngineError {
    let message = status.message.clone();
    match status.code {
        401 => EngineError::NotPermitted(
            "the cluster does not accept the kubeconfig's credentials (they may have expired: sign in again)"
                .to_owned(),
        ),
        403 if message.contains("exceeded quota") => EngineError::Quota(message),
        403 if message.contains("is being terminated") => {
            EngineError::Conflict(format!("the namespace is being deleted: {message}"))
        }
        403 => EngineError::NotPermitted(message),
        404 => EngineError::NotFound(message),
        409 => EngineError::Conflict(message),
        408 | 504 => EngineError::TimedOut(message),
        429 | 503 => EngineError::Unavailable(message),
        // An admission webhook's or a validation's words.
        400 | 422 => EngineError::Refused(message),
        code => error_from_answer(code, &message),
    }
}

/// Whether a pod is refused as the namespace has just been made: the cluster makes its service account a moment later.
pub(crate) fn is_of_a_new_namespace(error: &kube::Error) -> bool {
    let is_late = |status: &Status| {
        status.code == 403 && status.message.ends_with("serviceaccount \"default\" not found")
    };
    matches!(error, kube::Error::Api(status) if is_late(status))
}

/// A request for something that may be gone.
pub(crate) fn found<T>(answer: kube::Result<T>) -> aicockpit_engine::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(engine_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
    }

    #[test]
    fn only_the_cluster_s_own_service_account_is_waited_for() {
        let message = |name: &str| {
            format!(
                "pods \"aicockpit-trial-\" is forbidden: error looking up service account dev/{name}: serviceaccount \
                 \"{name}\" not found"
            )
        };
        assert!(is_of_a_new_namespace(&refused(403, &message("default"))));
        assert!(!is_of_a_new_namespace(&refused(403, &message("builder"))), "a person's is told at once");
        assert!(!is_of_a_new_namespace(&refused(403, "exceeded quota: small")));
    }
}

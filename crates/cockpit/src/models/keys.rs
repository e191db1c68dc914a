//! Keys of model servers, where they are kept.

use super::blocking;
use crate::secrets::Secrets;
use aicockpit_broker::SecretString;
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::sync::Arc;

/// How the broker asks for keys.
pub(super) struct Keys(pub(super) Arc<Secrets>);

impl aicockpit_broker::Secrets for Keys {
    fn get(&self, backend: &str) -> Option<SecretString> {
        self.0.get(&secret_name(backend)).unwrap_or_else(|error| {
            tracing::warn!(backend, %error, "a model server's key cannot be read");
            None
        })
    }
}

pub(super) fn secret_name(backend: &str) -> String {
    format!("models/{backend}")
}

/// Keeps or forgets a secret.
///
/// # Errors
/// [`ErrorCode::Internal`] where neither keyring nor file takes it.
pub(super) async fn put(
    secrets: &Arc<Secrets>,
    name: String,
    key: Option<SecretString>,
) -> Result<(), ApiError> {
    let secrets = Arc::clone(secrets);
    blocking(move || {
        secrets.put(&name, key.as_ref()).map_err(|error| {
            ApiError::new(ErrorCode::Internal, format!("The key could not be kept: {error}.")).hint(
                "Unlock the system's keyring and try again. Where nobody can, start AiCockpit with \
                 AICOCKPIT_NO_KEYRING=1: it keeps keys in an encrypted file then.",
            )
        })
    })
    .await
}

/// The settings without the servers that take a key, and without names that lead nowhere else.
pub(super) fn without_keyed(settings: &BrokerSettings) -> BrokerSettings {
    let mut settings = settings.clone();
    let is_keyed =
        |name: &str| settings.backends.iter().any(|one| one.has_key && (one.id == name || one.name == name));
    let aliases: Vec<_> = settings
        .aliases
        .iter()
        .cloned()
        .filter_map(|mut alias| {
            alias.targets.retain(|target| !is_keyed(&target.backend));
            (!alias.targets.is_empty()).then_some(alias)
        })
        .collect();
    settings.aliases = aliases;
    settings.backends.retain(|one| !one.has_key);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_key_is_left_out_with_the_names_that_lead_there_alone() {
        let settings: BrokerSettings = serde_json::from_str(
            r#"{"backends":[{"id":"a","name":"near","url":"http://127.0.0.1:1/v1"},
                            {"id":"b","name":"far","url":"https://example.org/v1","has_key":true}],
                "aliases":[{"name":"both","targets":[{"backend":"far","model":"x"},{"backend":"near","model":"y"}]},
                           {"name":"far-only","targets":[{"backend":"b","model":"x"}]}]}"#,
        )
        .unwrap();
        let rest = without_keyed(&settings);
        assert_eq!(rest.backends.len(), 1);
        assert_eq!(rest.aliases.len(), 1);
        assert_eq!((rest.aliases[0].name.as_str(), rest.aliases[0].targets.len()), ("both", 1));
        aicockpit_broker::check(&rest).unwrap();
    }
}

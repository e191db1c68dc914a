//! What settings may say.

use aicockpit_protocol::local_models::LocalModelSettings;
use std::collections::HashSet;

/// Longest name of a model.
const MAX_NAME: usize = 200;
/// Arguments that decide who reaches a server and as what: they are this crate's to give.
const OWN: [&str; 12] = [
    "--host",
    "--port",
    "--reuse-port",
    "--uds",
    "--api-key",
    "--api-key-file",
    "--model",
    "--alias",
    "--served-model-name",
    "--ssl-key-file",
    "--ssl-cert-file",
    "--path",
];
const OWN_SHORT: [&str; 2] = ["-m", "-a"];

/// Why settings cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// A server has no id.
    #[error("a server has no id")]
    NoId,
    /// Two servers have one id.
    #[error("two servers have the id `{0}`")]
    TwoIds(String),
    /// A name that clients cannot ask for.
    #[error("`{0}` cannot be a model's name; use letters, digits and `-_.:/`, {MAX_NAME} characters at most")]
    Name(String),
    /// Two servers have one name.
    #[error("two servers are called `{0}`; give each its own name")]
    TwoNames(String),
    /// No file or folder is named.
    #[error("the server `{0}` names no model; choose a file or a folder")]
    NoModel(String),
    /// The path of its model depends on where a program is started.
    #[error(
        "the server `{0}` names its model by a path that does not begin with `/` or `~/`; give the whole path"
    )]
    Path(String),
    /// A number that no program takes.
    #[error("the server `{name}` cannot have {what}")]
    Number {
        /// The server's name.
        name: String,
        /// What it cannot have.
        what: String,
    },
    /// A container whose image no engine would take.
    #[error(
        "the server `{name}` cannot run in the image `{image}`; name it as an engine does, without spaces"
    )]
    Image {
        /// The server's name.
        name: String,
        /// The image.
        image: String,
    },
    /// An argument that is not a person's to give.
    #[error("the server `{name}` cannot have the argument `{argument}`: AiCockpit sets it itself")]
    Argument {
        /// The server's name.
        name: String,
        /// The argument.
        argument: String,
    },
}

/// Refuses settings that could not be taken up.
///
/// # Errors
/// See [`SettingsError`].
pub fn check(settings: &LocalModelSettings) -> Result<(), SettingsError> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for server in &settings.servers {
        let name = || server.name.clone();
        if server.id.is_empty() {
            return Err(SettingsError::NoId);
        }
        if !ids.insert(&server.id) {
            return Err(SettingsError::TwoIds(server.id.clone()));
        }
        if !is_name(&server.name) {
            return Err(SettingsError::Name(name()));
        }
        if !names.insert(&server.name) {
            return Err(SettingsError::TwoNames(name()));
        }
        if server.model.trim().is_empty() {
            return Err(SettingsError::NoModel(name()));
        }
        if !["/", "~/"].iter().any(|start| server.model.trim().starts_with(start)) {
            return Err(SettingsError::Path(name()));
        }
        if let Some(container) = server.container.as_ref().filter(|container| !is_image(&container.image)) {
            return Err(SettingsError::Image { name: name(), image: container.image.clone() });
        }
        if server.parallel == Some(0) {
            return Err(SettingsError::Number { name: name(), what: "0 requests at once".to_owned() });
        }
        let tokens = server.context_length.map(|context| context.checked_mul(server.parallel.unwrap_or(1)));
        if tokens
            .is_some_and(|tokens| tokens.is_none_or(|tokens| tokens == 0 || i32::try_from(tokens).is_err()))
        {
            let what = "a context of that length for each of its requests".to_owned();
            return Err(SettingsError::Number { name: name(), what });
        }
        if let Some(argument) =
            server.arguments.iter().find(|argument| is_own(argument) || argument.contains('\0'))
        {
            return Err(SettingsError::Argument { name: name(), argument: argument.clone() });
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    // llama.cpp takes a comma as the end of a name.
    fits && !name.starts_with('-') && name.chars().all(|c| c.is_alphanumeric() || "-_.:/+@".contains(c))
}

/// Which characters a reference may have is the engine's to say; these are in none, and could be taken for an option.
fn is_image(image: &str) -> bool {
    let is_strange = |c: char| c.is_whitespace() || c.is_control();
    !image.is_empty() && !image.starts_with('-') && !image.contains(is_strange)
}

fn is_own(argument: &str) -> bool {
    let word = argument.split('=').next().unwrap_or_default().replace('_', "-");
    // Python's argument parser takes a beginning for the whole.
    let beginning = |own: &str| word.len() > 3 && own.starts_with(word.as_str());
    OWN_SHORT.contains(&word.as_str())
        || OWN.iter().any(|own| *own == word)
        || OWN.iter().any(|own| beginning(own))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aicockpit_protocol::EngineId;
    use aicockpit_protocol::local_models::{LocalServerSettings, Runtime, ServerContainer};

    /// One that names nothing but what it must; for all tests of this crate.
    pub(crate) fn server(id: &str, name: &str) -> LocalServerSettings {
        LocalServerSettings {
            id: id.into(),
            name: name.into(),
            runtime: Runtime::LlamaCpp,
            container: None,
            model: "/models/x.gguf".into(),
            context_length: None,
            parallel: None,
            gpu_layers: None,
            arguments: Vec::new(),
            idle_minutes: None,
            enabled: true,
        }
    }

    fn checked(servers: Vec<LocalServerSettings>) -> Result<(), String> {
        check(&LocalModelSettings { servers, ..Default::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn ids_and_names_are_each_servers_own() {
        assert_eq!(checked(vec![server("1", "qwen2.5:0.5b"), server("2", "org/model")]), Ok(()));
        assert!(checked(vec![server("1", "a"), server("1", "b")]).unwrap_err().contains("the id `1`"));
        assert!(checked(vec![server("1", "a"), server("2", "a")]).unwrap_err().contains("called `a`"));
        assert!(checked(vec![server("", "a")]).is_err());
        let relative = LocalServerSettings { model: "model.gguf".into(), ..server("1", "a") };
        assert!(checked(vec![relative]).unwrap_err().contains("whole path"));
        for name in ["", "a,b", "a b", "-x", "a\nb", &"x".repeat(201)] {
            assert!(checked(vec![server("1", name)]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn images_have_names_that_are_no_options() {
        let of = |image: &str| {
            let container =
                ServerContainer { engine: EngineId::new("docker"), image: image.into(), gpu: None };
            checked(vec![LocalServerSettings { container: Some(container), ..server("1", "a") }])
        };
        assert_eq!(of("ghcr.io/ggml-org/llama.cpp:server"), Ok(()));
        assert_eq!(of("host:5000/x@sha256:0f"), Ok(()));
        for image in ["", "--privileged", "a b", "a\n", "a\0"] {
            assert!(of(image).unwrap_err().contains("cannot run in the image"), "{image:?}");
        }
    }

    #[test]
    fn numbers_that_no_program_takes_are_refused() {
        let of = |context_length, parallel| {
            checked(vec![LocalServerSettings { context_length, parallel, ..server("1", "a") }])
        };
        assert_eq!(of(Some(8192), Some(4)), Ok(()));
        assert!(of(None, Some(0)).is_err());
        assert!(of(Some(0), None).is_err());
        assert!(of(Some(u32::MAX), None).is_err());
        assert!(of(Some(1 << 20), Some(1 << 12)).is_err());
    }

    #[test]
    fn nobody_opens_a_port_by_an_argument() {
        let of = |argument: &str| {
            checked(vec![LocalServerSettings { arguments: vec![argument.into()], ..server("1", "a") }])
        };
        for own in [
            "--host",
            "--host=0.0.0.0",
            "--port",
            "--api-key=x",
            "--api_key",
            "--hos",
            "-m",
            "--served-model",
        ] {
            assert!(of(own).unwrap_err().contains("AiCockpit sets it itself"), "{own}");
        }
        for free in
            ["--threads", "4", "-fa", "--no-mmap", "--dtype=bfloat16", "--jinja", "--tensor-parallel-size"]
        {
            assert_eq!(of(free), Ok(()), "{free}");
        }
    }
}

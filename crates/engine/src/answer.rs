//! What engines' error messages mean. Engines tell causes apart by words far more than by status.

use crate::EngineError;
use std::error::Error as StdError;
use std::io;

/// Turns an engine's answer into an error: by its words where they name a cause, else by its HTTP status
/// (0 where there was none). The message is kept word for word.
pub fn error_from_answer(status: u16, message: &str) -> EngineError {
    let message = message.trim().to_owned();
    let lower = message.to_lowercase();
    match CAUSES.iter().find(|(words, _)| words.iter().all(|word| lower.contains(word))) {
        Some((_, cause)) => cause(message),
        None => match status {
            404 => EngineError::NotFound(message),
            409 => EngineError::Conflict(message),
            501 => EngineError::Unsupported(message),
            _ => EngineError::Engine(message),
        },
    }
}

/// Turns a client library's error about the connection itself into ours: the cause is an [`io::Error`] somewhere
/// down the chain.
pub fn error_from_connection(error: &(dyn StdError + 'static)) -> EngineError {
    let mut cause = Some(error);
    let mut last = error.to_string();
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::PermissionDenied
        {
            return EngineError::NotPermitted(io.to_string());
        }
        last = current.to_string();
        cause = current.source();
    }
    EngineError::Unavailable(last)
}

type Cause = (&'static [&'static str], fn(String) -> EngineError);

/// The first row whose words all occur decides: the more particular ones come first.
const CAUSES: &[Cause] = &[
    (&["no space left on device"], EngineError::NoSpace),
    (&["disk quota exceeded"], EngineError::NoSpace),
    (&["port is already allocated"], EngineError::PortInUse),
    (&["address already in use"], EngineError::PortInUse),
    (&["ports are not available"], EngineError::PortInUse),
    (&["pool overlaps"], EngineError::SubnetInUse),
    (&["non-overlapping ipv4 address pool"], EngineError::SubnetInUse),
    (&["all predefined address pools"], EngineError::SubnetInUse),
    (&["could not find free subnet"], EngineError::SubnetInUse),
    (&["conflicts with network"], EngineError::SubnetInUse),
    (&["subnet", "is already used"], EngineError::SubnetInUse),
    (&["subnet", "is being used"], EngineError::SubnetInUse),
    (&["exec format error"], EngineError::WrongArchitecture),
    (&["does not match the specified platform"], EngineError::WrongArchitecture),
    (&["no matching manifest for"], EngineError::WrongArchitecture),
    (&["no image found in image index for architecture"], EngineError::WrongArchitecture),
    (&["no image found in manifest list for architecture"], EngineError::WrongArchitecture),
    (&["bind source path does not exist"], EngineError::NotFound),
    (&["statfs", "no such file or directory"], EngineError::NotFound),
    (&["executable file", "not found"], EngineError::ProgramNotFound),
    (&["exec: \"", "no such file or directory"], EngineError::ProgramNotFound),
    (&["exec: \"", "permission denied"], EngineError::ProgramNotFound),
    (&["no command specified"], EngineError::ProgramNotFound),
    (&["no command or entrypoint provided"], EngineError::ProgramNotFound),
    (&["no such host"], EngineError::RegistryUnavailable),
    (&["dial tcp"], EngineError::RegistryUnavailable),
    (&["tls handshake timeout"], EngineError::RegistryUnavailable),
    (&["client.timeout exceeded"], EngineError::RegistryUnavailable),
    (&["server misbehaving"], EngineError::RegistryUnavailable),
    (&["certificate signed by unknown authority"], EngineError::RegistryUnavailable),
    (&["received unexpected http status"], EngineError::RegistryUnavailable),
    (&["pull access denied"], EngineError::ImageNotFound),
    (&["requested access to the resource is denied"], EngineError::ImageNotFound),
    (&["manifest unknown"], EngineError::ImageNotFound),
    (&["manifest for", "not found"], EngineError::ImageNotFound),
    (&["repository", "not found"], EngineError::ImageNotFound),
    (&["name unknown"], EngineError::ImageNotFound),
    (&["unauthorized: "], EngineError::ImageNotFound),
    (&["no such image"], EngineError::ImageNotFound),
    (&["image not known"], EngineError::ImageNotFound),
    (&["failed to find image"], EngineError::ImageNotFound),
    (&["did not resolve to an alias"], EngineError::ImageNotFound),
    (&["invalid reference format"], EngineError::ImageNotFound),
    (&["no such container"], EngineError::NotFound),
    (&["no container with name or id"], EngineError::NotFound),
    (&["no such volume"], EngineError::NotFound),
    (&["no such network"], EngineError::NotFound),
    (&["unable to find network"], EngineError::NotFound),
    (&["is already in use"], EngineError::Conflict),
    (&["already exists"], EngineError::Conflict),
    (&["name already used"], EngineError::Conflict),
    (&["already used"], EngineError::Conflict),
    (&["volume is in use"], EngineError::Conflict),
    (&["is being used"], EngineError::Conflict),
    (&["has active endpoints"], EngineError::Conflict),
    (&["container state improper"], EngineError::Conflict),
    (&["is not running"], EngineError::Conflict),
    (&["is not paused"], EngineError::Conflict),
    (&["is already paused"], EngineError::Conflict),
    (&["is paused"], EngineError::Conflict),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_engines_are_understood() {
        type Check = fn(&EngineError) -> bool;
        let cases: &[(u16, &str, Check)] = &[
            (
                500,
                "driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:80 failed: port \
                 is already allocated",
                |e| matches!(e, EngineError::PortInUse(_)),
            ),
            (500, "listen tcp4 127.0.0.1:8080: bind: address already in use", |e| {
                matches!(e, EngineError::PortInUse(_))
            }),
            (403, "Pool overlaps with other one on this address space", |e| {
                matches!(e, EngineError::SubnetInUse(_))
            }),
            (500, "subnet 10.89.0.0/24 is already used on the host or by another config", |e| {
                matches!(e, EngineError::SubnetInUse(_))
            }),
            (
                500,
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the \
                 network",
                |e| matches!(e, EngineError::SubnetInUse(_)),
            ),
            (
                400,
                "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \
                 \"/nope\": stat /nope: no such file or directory: unknown",
                |e| matches!(e, EngineError::ProgramNotFound(_)),
            ),
            (409, "Conflict. The container name \"/x\" is already in use by container \"y\".", |e| {
                matches!(e, EngineError::Conflict(_))
            }),
            (404, "No such image: nope:latest", |e| matches!(e, EngineError::ImageNotFound(_))),
            (
                404,
                "pull access denied for nope, repository does not exist or may require 'docker login': denied: \
                 requested access to the resource is denied",
                |e| matches!(e, EngineError::ImageNotFound(_)),
            ),
            (
                500,
                "Get \"https://registry.example/v2/\": dial tcp: lookup registry.example on 1.1.1.1:53: no such host",
                |e| matches!(e, EngineError::RegistryUnavailable(_)),
            ),
            (404, "No such container: x", |e| matches!(e, EngineError::NotFound(_))),
            (500, "write /var/lib/docker/tmp/x: no space left on device", |e| {
                matches!(e, EngineError::NoSpace(_))
            }),
            (409, "cannot do this now", |e| matches!(e, EngineError::Conflict(_))),
            (500, "something new", |e| matches!(e, EngineError::Engine(_))),
            (
                404,
                "image with reference x was found but does not match the specified platform: wanted linux/amd64",
                |e| matches!(e, EngineError::WrongArchitecture(_)),
            ),
        ];
        for (status, message, check) in cases {
            let error = error_from_answer(*status, message);
            assert!(check(&error), "{status} {message} became {error:?}");
        }
    }
}

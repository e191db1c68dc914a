//! Images that serve models.

use aicockpit_engine::ImageDetails;
use aicockpit_protocol::api::ImageInfo;
use aicockpit_protocol::local_models::{Runtime, ServerImage};

/// Its publishers' own.
const VLLM: &str = "docker.io/vllm/vllm-openai:latest";
const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server";
const LLAMA_CUDA: &str = "ghcr.io/ggml-org/llama.cpp:server-cuda";
/// Label by which images tell their version.
const VERSION: &str = "org.opencontainers.image.version";
/// Characters of an image's id that people are shown.
const SHORT: usize = 12;

/// Those that are pulled where nobody names another.
pub(super) fn usual(gpu: bool) -> Vec<ServerImage> {
    let llama = if gpu { LLAMA_CUDA } else { LLAMA };
    // vLLM's own image is for NVIDIA's GPUs.
    let vllm = gpu.then_some((VLLM, Runtime::Vllm));
    let usual = [Some((llama, Runtime::LlamaCpp)), vllm];
    let image =
        |(image, runtime): (&str, Runtime)| ServerImage { image: image.to_owned(), runtime, bytes: None };
    usual.into_iter().flatten().map(image).collect()
}

/// Those of an engine that serve models, by their names, and the usual ones that it has not.
pub(super) fn with_usual(known: &[ImageInfo], gpu: bool) -> Vec<ServerImage> {
    let mut found: Vec<ServerImage> = Vec::new();
    for image in known {
        for reference in &image.references {
            let Some(runtime) = runtime_of(reference) else { continue };
            found.push(ServerImage { image: reference.clone(), runtime, bytes: Some(image.size) });
        }
    }
    found.sort_by(|one, other| one.image.cmp(&other.image));
    for usual in usual(gpu) {
        if !found.iter().any(|one| plain(&one.image) == plain(&usual.image)) {
            found.push(usual);
        }
    }
    found
}

/// What serves models in an image of this name.
fn runtime_of(reference: &str) -> Option<Runtime> {
    let name = plain(reference).to_lowercase();
    // llama.cpp's other images hold its tools and no server.
    let is_llama = name.contains("llama-server") || (name.contains("llama.cpp") && name.contains("server"));
    match () {
        () if is_llama => Some(Runtime::LlamaCpp),
        () if name.contains("vllm") => Some(Runtime::Vllm),
        () => None,
    }
}

/// Docker leaves its own registry out of names.
fn plain(reference: &str) -> &str {
    reference.strip_prefix("docker.io/").unwrap_or(reference)
}

/// What people tell two images of one name apart by.
pub(super) fn version(image: &ImageDetails) -> String {
    let id: String = image.id.0.trim_start_matches("sha256:").chars().take(SHORT).collect();
    let told = image.labels.iter().find(|(name, value)| name == VERSION && !value.is_empty());
    match told {
        Some((_, version)) => format!("{version} ({id})"),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(references: &[&str]) -> ImageInfo {
        ImageInfo {
            id: "sha256:0f".to_owned(),
            references: references.iter().map(|one| (*one).to_owned()).collect(),
            size: 7,
            created_ms: 0,
        }
    }

    #[test]
    fn images_that_serve_models_are_known_by_their_names() {
        let known = [
            info(&["debian:bookworm"]),
            info(&["vllm/vllm-openai:latest", "registry.example:5000/team/vllm-cpu:1"]),
            info(&["ghcr.io/ggml-org/llama.cpp:full", "ghcr.io/ggml-org/llama.cpp:server-vulkan"]),
        ];
        let found = with_usual(&known, true);
        let shown: Vec<_> = found.iter().map(|one| (one.image.as_str(), one.runtime, one.bytes)).collect();
        assert_eq!(
            shown,
            [
                ("ghcr.io/ggml-org/llama.cpp:server-vulkan", Runtime::LlamaCpp, Some(7)),
                ("registry.example:5000/team/vllm-cpu:1", Runtime::Vllm, Some(7)),
                ("vllm/vllm-openai:latest", Runtime::Vllm, Some(7)),
                (LLAMA_CUDA, Runtime::LlamaCpp, None),
            ]
        );
        assert_eq!(usual(false).len(), 1, "vLLM's own image is of no use without a GPU");
    }

    #[test]
    fn two_images_of_one_name_are_told_apart() {
        let image = |labels: &[(&str, &str)]| ImageDetails {
            id: aicockpit_engine::ImageId("sha256:0123456789abcdef".to_owned()),
            architecture: String::new(),
            user: String::new(),
            env: Vec::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            working_directory: String::new(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        assert_eq!(version(&image(&[])), "0123456789ab");
        assert_eq!(version(&image(&[(VERSION, "24.04")])), "24.04 (0123456789ab)");
    }
}

//! Ollama's store: manifests by name, files by their digest.

use serde::Deserialize;
use std::path::{Path, PathBuf};

const MODEL: &str = "application/vnd.ollama.image.model";
/// A manifest lists some layers.
const MAX_MANIFEST: u64 = 1 << 20;
/// What Ollama leaves out of a name.
const REGISTRY: &str = "registry.ollama.ai";
const LIBRARY: &str = "library";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

/// The model's file that a manifest names; `None` for what is no manifest of a GGUF model.
pub(super) fn blob(store: &Path, manifest: &Path) -> Option<PathBuf> {
    let (file, size) = crate::files::open(manifest).ok()?;
    if size > MAX_MANIFEST {
        return None;
    }
    let manifest: Manifest = serde_json::from_reader(std::io::BufReader::new(file)).ok()?;
    let layer = manifest.layers.into_iter().find(|layer| layer.media_type == MODEL)?;
    let digest = layer.digest.strip_prefix("sha256:")?;
    let hexadecimal = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| store.join("blobs").join(format!("sha256-{digest}")))
}

/// The name that Ollama shows for `manifests/HOST/NAMESPACE/MODEL/TAG`.
pub(super) fn name(manifests: &Path, manifest: &Path) -> Option<String> {
    let below = manifest.strip_prefix(manifests).ok()?;
    let words: Vec<&str> = below.iter().filter_map(|word| word.to_str()).collect();
    let (tag, path) = words.split_last()?;
    let path = match path {
        [REGISTRY, LIBRARY, rest @ ..] | [REGISTRY, rest @ ..] => rest,
        all => all,
    };
    (!path.is_empty()).then(|| format!("{}:{tag}", path.join("/")))
}

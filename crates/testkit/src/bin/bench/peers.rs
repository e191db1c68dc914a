//! Other products, where the set-up found or made them.

use std::path::PathBuf;

/// Each is absent where it could not be installed; what it is for is then noted as not measured.
#[derive(clap::Args)]
pub(crate) struct PeerPaths {
    /// The program `devcontainer` of @devcontainers/cli.
    #[arg(long)]
    devcontainer: Option<PathBuf>,
    /// The program `code-server`.
    #[arg(long)]
    code_server: Option<PathBuf>,
    /// Folder of the Node.js that code-server needs.
    #[arg(long)]
    node: Option<PathBuf>,
    /// Image with the Linux tree, ripgrep and fd.
    #[arg(long)]
    search_image: Option<String>,
    /// Folder that LiteLLM's package with its proxy was installed into.
    #[arg(long)]
    litellm: Option<PathBuf>,
}

pub(crate) struct Peers {
    pub(crate) devcontainer: Option<PathBuf>,
    /// The program, and PATH for it.
    pub(crate) code_server: Option<(PathBuf, String)>,
    pub(crate) search_image: Option<String>,
    pub(crate) litellm: Option<PathBuf>,
}

impl From<PeerPaths> for Peers {
    fn from(paths: PeerPaths) -> Self {
        let search = std::env::var("PATH").unwrap_or_default();
        let path = match paths.node {
            Some(folder) => format!("{}:{search}", folder.display()),
            None => search,
        };
        Self {
            devcontainer: paths.devcontainer,
            code_server: paths.code_server.map(|program| (program, path)),
            search_image: paths.search_image,
            litellm: paths.litellm,
        }
    }
}

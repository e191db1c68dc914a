//! `cp`: files and folders between this machine and a workspace.

mod archive;

use crate::arguments::Copy;
use crate::find;
use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{
    DownloadFile, FsDownload, FsMkdir, FsStat, FsUpload, In, StreamEnd, UploadFile, WorkspaceOpen,
    WorkspaceRef,
};
use aicockpit_protocol::fs::{FileKind, FileStat, MakeDirectory, Stat, WriteCondition};
use aicockpit_protocol::{ApiError, BytePath, ErrorCode, WorkspaceId};
use anyhow::Context;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;

/// Bytes read from a local file at once.
const PIECE: usize = 256 * 1024;

/// One end of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Here(PathBuf),
    Inside { workspace: String, path: Vec<u8> },
}

impl Place {
    /// `NAME:PATH` is inside, unless a separator comes before the colon (`./a:b` is here).
    fn parse(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        match bytes.iter().position(|&byte| matches!(byte, b':' | b'/')) {
            Some(at) if at > 0 && bytes[at] == b':' => Self::Inside {
                workspace: String::from_utf8_lossy(&bytes[..at]).into_owned(),
                path: bytes[at + 1..].to_vec(),
            },
            _ => Self::Here(PathBuf::from(text)),
        }
    }
}

pub(crate) async fn run(client: &Client, copy: &Copy) -> anyhow::Result<()> {
    match (Place::parse(&copy.from), Place::parse(&copy.to)) {
        (Place::Here(from), Place::Inside { workspace, path }) => {
            Remote::open(client, &workspace).await?.upload(&from, &path).await
        }
        (Place::Inside { workspace, path }, Place::Here(to)) => {
            Remote::open(client, &workspace).await?.download(&path, &to).await
        }
        (Place::Here(_), Place::Here(_)) => {
            let error = ApiError::new(ErrorCode::InvalidArgument, "Both paths are on this machine.");
            Err(error.hint("Write one as WORKSPACE:PATH.").into())
        }
        (Place::Inside { .. }, Place::Inside { .. }) => {
            let error = ApiError::new(ErrorCode::InvalidArgument, "Both paths are in workspaces.");
            Err(error.hint("Copy to this machine first, then on.").into())
        }
    }
}

/// The files of one workspace.
struct Remote<'a> {
    client: &'a Client,
    workspace: WorkspaceId,
    folder: BytePath,
}

impl<'a> Remote<'a> {
    async fn open(client: &'a Client, name: &str) -> Result<Self, ApiError> {
        let workspace = find::workspace(client, name).await?.id;
        let inside = client.call::<WorkspaceOpen>(WorkspaceRef { workspace: workspace.clone() }).await?;
        Ok(Self { client, workspace, folder: inside.folder })
    }

    /// Relative paths begin at the workspace folder.
    fn absolute(&self, path: &[u8]) -> BytePath {
        match path.first() {
            Some(b'/') => BytePath::new(path),
            Some(_) => self.folder.join(path),
            None => self.folder.clone(),
        }
    }

    fn of<T: ts_rs::TS>(&self, args: T) -> In<T> {
        In { workspace: self.workspace.clone(), args }
    }

    async fn stat(&self, path: &BytePath) -> Result<Option<FileStat>, ApiError> {
        match self.client.call::<FsStat>(self.of(Stat { path: path.clone() })).await {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn upload(&self, from: &Path, to: &[u8]) -> anyhow::Result<()> {
        let local = std::fs::metadata(from).with_context(|| format!("{} cannot be read", from.display()))?;
        let mut target = self.absolute(to);
        let into = to.is_empty() || to.ends_with(b"/");
        if into || self.stat(&target).await?.as_ref().is_some_and(is_directory) {
            target = target.join(&own_name(from)?);
        }
        if !local.is_dir() {
            return self.upload_file(from, target).await;
        }
        self.client.call::<FsMkdir>(self.of(MakeDirectory { path: target.clone() })).await?;
        let stream = self.begin_upload(target, true).await?;
        let (pieces, packing) = archive::pack(from.to_owned());
        finish_upload(stream, pieces, packing).await
    }

    async fn upload_file(&self, from: &Path, target: BytePath) -> anyhow::Result<()> {
        let mut file = tokio::fs::File::open(from)
            .await
            .with_context(|| format!("{} cannot be opened", from.display()))?;
        let mut stream = self.begin_upload(target, false).await?;
        let sender = stream.sender();
        let mut buffer = vec![0; PIECE];
        let sending = async {
            loop {
                match file.read(&mut buffer).await? {
                    0 => break anyhow::Ok(sender.finish().await?),
                    count => sender.send(&buffer[..count]).await?,
                }
            }
        };
        let (sent, answer) = tokio::join!(sending, stream.collect());
        // The workspace's own reason says more than a broken pipe.
        answer?;
        sent.with_context(|| format!("{} could not be sent", from.display()))
    }

    async fn begin_upload(&self, path: BytePath, archive: bool) -> Result<ClientStream, ApiError> {
        let args = UploadFile { path, condition: WriteCondition::Any, archive };
        Ok(self.client.stream(self.client.call::<FsUpload>(self.of(args)).await?.stream))
    }

    async fn download(&self, from: &[u8], to: &Path) -> anyhow::Result<()> {
        let from = self.absolute(from);
        let stat = self.stat(&from).await?.ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("There is no {from} in the workspace."))
        })?;
        let name = own_name(from.as_path())?;
        let mut target = to.to_owned();
        if to.is_dir() || to.as_os_str().as_bytes().ends_with(b"/") {
            target.push(OsStr::from_bytes(&name));
        }
        let opened = self.client.call::<FsDownload>(self.of(DownloadFile { path: from })).await?;
        let stream = self.client.stream(opened.stream);
        match is_directory(&stat) {
            true => archive::unpack(stream, OsString::from_vec(name), target).await,
            false => download_file(stream, &target).await,
        }
    }
}

fn is_directory(stat: &FileStat) -> bool {
    stat.target_kind.unwrap_or(stat.kind) == FileKind::Directory
}

/// A path's last part, of `.` and `..` that of what they stand for.
fn own_name(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = match path.file_name() {
        Some(name) => Some(name.to_owned()),
        None => std::fs::canonicalize(path).ok().and_then(|path| path.file_name().map(OsStr::to_owned)),
    };
    Ok(name
        .with_context(|| format!("{} has no name of its own; name the target", path.display()))?
        .into_vec())
}

async fn finish_upload(
    mut stream: ClientStream,
    mut pieces: tokio::sync::mpsc::Receiver<Vec<u8>>,
    packing: tokio::task::JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let sender = stream.sender();
    let sending = async {
        while let Some(piece) = pieces.recv().await {
            sender.send(&piece).await?;
        }
        // A folder that could not be read whole must not look complete: the stream is then let go of instead.
        packing.await??;
        anyhow::Ok(sender.finish().await?)
    };
    tokio::select! {
        biased;
        answer = ended(&mut stream) => answer.map_err(Into::into),
        sent = sending => {
            sent?;
            ended(&mut stream).await.map_err(Into::into)
        }
    }
}

/// Waits for a stream's end.
async fn ended(stream: &mut ClientStream) -> Result<(), ApiError> {
    while stream.next().await.is_some() {}
    match stream.end() {
        Some(StreamEnd::Finished { .. }) => Ok(()),
        Some(StreamEnd::Failed { error }) => Err(error.clone()),
        _ => Err(ApiError::new(ErrorCode::AgentUnavailable, "The transfer broke off.")),
    }
}

/// Writes a file beside its target first, so that half a file never stands in its place.
async fn download_file(mut stream: ClientStream, target: &Path) -> anyhow::Result<()> {
    let named = || format!("{} could not be written", target.display());
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    let part = PathBuf::from(name);
    let written = async {
        let mut file = std::fs::File::create_new(&part).with_context(named)?;
        while let Some(bytes) = stream.next().await {
            file.write_all(&bytes).with_context(named)?;
        }
        ended(&mut stream).await?;
        std::fs::rename(&part, target).with_context(named)
    }
    .await;
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_after_a_name_means_a_workspace() {
        let inside = |workspace: &str, path: &str| Place::Inside {
            workspace: workspace.to_owned(),
            path: path.as_bytes().to_vec(),
        };
        let here = |path: &str| Place::Here(PathBuf::from(path));
        for (text, place) in [
            ("web:src", inside("web", "src")),
            ("web:", inside("web", "")),
            ("web:/etc/a:b", inside("web", "/etc/a:b")),
            ("./web:src", here("./web:src")),
            ("/tmp/a:b", here("/tmp/a:b")),
            (":x", here(":x")),
            ("file", here("file")),
        ] {
            assert_eq!(Place::parse(OsStr::new(text)), place, "{text}");
        }
    }
}

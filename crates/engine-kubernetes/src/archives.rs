//! Archives into and out of a running container, by the `tar` of its image.

use crate::KubernetesEngine;
use aicockpit_engine::{ByteStream, EngineError, ExecExit, ExecSpec, Result};
use aicockpit_protocol::ContainerId;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Bytes of a failed `tar`'s words that are kept.
const MAX_WORDS: usize = 2048;
/// How a `tar` ended that complained and was not seen to end.
const COMPLAINED: ExecExit = ExecExit::Exited(2);
/// Time for the end of a `tar` that complained.
const AFTER_WORDS: Duration = Duration::from_secs(3);

impl KubernetesEngine {
    pub(crate) async fn upload(&self, id: &ContainerId, path: &str, tar: Bytes) -> Result<()> {
        let ByteStream { mut stdin, mut stdout, mut stderr, exit } =
            self.tar(id, &["tar", "-xf", "-", "-C", path]).await?;
        let write = async {
            // A program that ends early says why, and takes no more.
            let _ = stdin.write_all(&tar).await;
            let _ = stdin.shutdown().await;
            std::future::pending::<()>().await;
        };
        let silence = async {
            // tar prints nothing there, but it must be read.
            let _ = stdout.read_to_end(&mut Vec::new()).await;
            std::future::pending::<()>().await;
        };
        let mut words = Vec::new();
        let has_ended = tokio::select! {
            has_ended = read_words(&mut stderr, &mut words) => has_ended,
            () = write => false,
            () = silence => false,
        };
        let words = String::from_utf8_lossy(&words).into_owned();
        let exit = if has_ended { exit.await? } else { COMPLAINED };
        outcome(exit, path, &words)
    }

    pub(crate) async fn download(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        // As other engines give it: the last component is the archive's root.
        let (folder, name) = match path.trim_end_matches('/').rsplit_once('/') {
            Some((folder, name)) => (if folder.is_empty() { "/" } else { folder }, name),
            None => ("/", "."),
        };
        let stream = self.tar(id, &["tar", "-cf", "-", "-C", folder, "--", name]).await?;
        let ByteStream { stdin, stdout, stderr, exit } = stream;
        // A program with an open input may not be seen to end.
        drop(stdin);
        let words = tokio::spawn(async move {
            let mut words = String::new();
            let _ = stderr.take(MAX_WORDS as u64).read_to_string(&mut words).await;
            words
        });
        let path = path.to_owned();
        let end = futures::stream::once(async move {
            let words = words.await.unwrap_or_default();
            outcome(exit.await?, &path, &words).map(|()| Bytes::new())
        });
        let pieces = ReaderStream::with_capacity(stdout, PIECE)
            .map(|piece| piece.map_err(|error| EngineError::Unavailable(error.to_string())));
        let mut all = pieces
            .chain(end)
            .filter(|piece| futures::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
            .boxed();
        // A path that is not there is told at once, as other engines tell it.
        match all.next().await {
            Some(Err(error)) => Err(error),
            first => Ok(futures::stream::iter(first).chain(all).boxed()),
        }
    }

    async fn tar(&self, id: &ContainerId, command: &[&str]) -> Result<ByteStream> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        self.exec_in(id, &ExecSpec { command, ..ExecSpec::default() }).await
    }
}

/// Reads a program's errors to their end; whether that came. Where input is left when a program has ended some container
/// runtimes never tell of the end: then its last words stand for it.
async fn read_words(from: &mut (impl AsyncRead + Unpin), words: &mut Vec<u8>) -> bool {
    let mut piece = [0; 512];
    loop {
        let read = from.read(&mut piece);
        let read = match words.is_empty() {
            true => Ok(read.await),
            false => tokio::time::timeout(AFTER_WORDS, read).await,
        };
        match read {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(count)) => {
                words.extend_from_slice(&piece[..count]);
                words.truncate(MAX_WORDS);
            }
            Err(_) => return false,
        }
    }
}

fn outcome(exit: ExecExit, path: &str, words: &str) -> Result<()> {
    let words = words.trim();
    match exit {
        ExecExit::Exited(0) => Ok(()),
        ExecExit::Exited(126 | 127) => {
            Err(EngineError::Unsupported(format!("the image has no tar, so {path} cannot be moved: {words}")))
        }
        ExecExit::Exited(_) if words.contains("No such file or directory") => {
            Err(EngineError::NotFound(format!("{path}: {words}")))
        }
        ExecExit::Exited(_) if words.contains("No space left") => Err(EngineError::NoSpace(words.to_owned())),
        ExecExit::Exited(status) => Err(EngineError::Engine(format!("tar ended with {status}: {words}"))),
        ExecExit::StillRunning | ExecExit::Unknown => {
            Err(EngineError::Unavailable("the way to the pod was cut".to_owned()))
        }
    }
}

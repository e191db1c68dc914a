//! Bulk transfers: a file, or a directory as a tar archive, as a stream of bytes.
//!
//! Disk work happens on a blocking thread, the stream on the async side; a few chunks wait between the two, so that
//! neither idles and memory stays bounded. Dropping the future stops the thread, and nothing half-done stays.

use super::archive::pack;
use super::content::{Content, follow, open_regular, publish};
use super::error::{checked, failure};
use super::inspect::{describe, stat};
use super::staged::Staged;
use super::unpack::unpack;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{AgentError, Download, Upload};
use aicockpit_protocol::fs::{FileStat, Stat, WriteCondition};
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// Bytes that travel together between the stream and the disk.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait between the two.
const QUEUE: usize = 4;

/// Receives a file, or an archive into a directory, and returns what is there then.
///
/// A file takes its name only once all of it has arrived; the end of `source` is the end of the file. Of an
/// archive, what came before an error stays.
pub async fn upload(request: Upload, source: impl AsyncRead + Unpin + Send) -> Result<FileStat, AgentError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let stored = tokio::task::spawn_blocking(move || store(&request, Arriving::new(receiver)));
    feed(source, sender).await;
    stored.await.map_err(|error| internal(&error))?
}

/// Sends the answer (a length-prefixed `Result<FileStat, AgentError>`) and then a file's bytes, or the archive.
///
/// The stream is shut down only after all bytes were sent: after an error on the way it must be cut off instead,
/// so that the receiver notices. An archive holds the directory under its own name.
pub async fn download(request: Download, mut sink: impl AsyncWrite + Unpin + Send) -> Result<(), AgentError> {
    let (answer, answered) = oneshot::channel();
    let (sender, mut chunks) = mpsc::channel(QUEUE);
    let sending = tokio::task::spawn_blocking(move || send(&request, answer, Leaving::new(sender)));
    let lost =
        |error: io::Error| AgentError::new(ErrorCode::Cancelled, format!("the download ended: {error}"));
    if let Ok(answer) = answered.await {
        let message = rmp_serde::to_vec_named(&answer).map_err(|error| internal(&error))?;
        let length = u32::try_from(message.len()).map_err(|error| internal(&error))?;
        sink.write_all(&length.to_le_bytes()).await.map_err(lost)?;
        sink.write_all(&message).await.map_err(lost)?;
        sink.flush().await.map_err(lost)?;
    }
    while let Some(chunk) = chunks.recv().await {
        sink.write_all(&chunk).await.map_err(lost)?;
    }
    drop(chunks);
    let sent = sending.await.map_err(|error| internal(&error))?;
    if sent.is_ok() {
        sink.shutdown().await.map_err(lost)?;
    }
    sent
}

fn internal(error: &dyn std::error::Error) -> AgentError {
    AgentError::new(ErrorCode::Internal, format!("the transfer failed: {error}"))
}

/// Hands `source` to the blocking side, until either ends. An empty chunk is the proper end.
async fn feed(mut source: impl AsyncRead + Unpin + Send, sender: mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut result = Ok(());
        while chunk.len() < CHUNK {
            match source.read_buf(&mut chunk).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let ended = chunk.len() < CHUNK;
        if !chunk.is_empty() && sender.send(Ok(chunk)).await.is_err() {
            return;
        }
        if ended {
            let _ = sender.send(result.map(|()| Vec::new())).await;
            return;
        }
    }
}

/// The blocking end of an upload.
pub(super) struct Arriving {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    position: usize,
    ended: bool,
}

impl Arriving {
    fn new(chunks: mpsc::Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { chunks, chunk: Vec::new(), position: 0, ended: false }
    }
}

impl BufRead for Arriving {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.chunk.len() && !self.ended {
            let cut =
                || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before all bytes came");
            self.chunk = self.chunks.blocking_recv().ok_or_else(cut)??;
            self.position = 0;
            self.ended = self.chunk.is_empty();
        }
        Ok(&self.chunk[self.position..])
    }

    fn consume(&mut self, amount: usize) {
        self.position = (self.position + amount).min(self.chunk.len());
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut unread = self.fill_buf()?;
        let count = io::Read::read(&mut unread, buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Copies up to `limit` bytes straight from the reader's own buffer, and returns how many there were.
pub(super) fn copy_up_to(mut from: impl BufRead, mut to: impl Write, limit: u64) -> io::Result<u64> {
    let mut left = limit;
    while left > 0 {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        to.write_all(&buffer[..count])?;
        from.consume(count);
        left -= count as u64;
    }
    Ok(limit - left)
}

fn store(request: &Upload, mut source: Arriving) -> Result<FileStat, AgentError> {
    let path = checked(&request.path)?;
    if request.archive {
        unpack(path, source)?;
        return stat(&Stat { path: request.path.clone() });
    }
    let fail = |error: io::Error| failure("write", path, error);
    if request.condition == WriteCondition::Missing && fs::symlink_metadata(path).is_ok() {
        let message = format!("{} exists already; nothing was written", path.display());
        return Err(AgentError::new(ErrorCode::Conflict, message));
    }
    let target = follow(path).map_err(fail)?;
    let mut staged = Staged::beside(&target).or_else(|error| Staged::away(&target, error)).map_err(fail)?;
    copy_up_to(&mut source, staged.file(), u64::MAX).map_err(fail)?;
    publish(path, &request.condition, Content::Staged(staged))
}

/// The blocking end of a download: gathers chunks.
struct Leaving {
    chunks: mpsc::Sender<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Leaving {
    fn new(chunks: mpsc::Sender<Vec<u8>>) -> Self {
        Self { chunks, chunk: Vec::with_capacity(CHUNK) }
    }

    fn send(&mut self, chunk: Vec<u8>) -> io::Result<()> {
        self.chunks.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.send(full)
    }
}

type Answered = oneshot::Sender<Result<FileStat, AgentError>>;

fn send(request: &Download, answer: Answered, mut sink: Leaving) -> Result<(), AgentError> {
    let start = || -> Result<(FileStat, bool, &Path), AgentError> {
        let path = checked(&request.path)?;
        let found = stat(&Stat { path: request.path.clone() })?;
        let directory = fs::metadata(path).map_err(|error| failure("read", path, error))?.is_dir();
        Ok((found, directory, path))
    };
    let (found, directory, path) = match start() {
        Ok(started) => started,
        Err(error) => return refuse(answer, error),
    };
    let fail = |error: io::Error| failure("send", path, error);
    if directory || request.archive {
        if let Err(error) =
            if directory { fs::read_dir(path).map(drop) } else { fs::File::open(path).map(drop) }
        {
            return refuse(answer, failure("read", path, error));
        }
        let _ = answer.send(Ok(found));
        return pack(path, &mut sink).and_then(|()| sink.flush()).map_err(fail);
    }
    let opened = open_regular(path).and_then(|file| {
        let metadata = file.metadata().map_err(fail)?;
        let own = fs::symlink_metadata(path).unwrap_or_else(|_| metadata.clone());
        Ok((describe(path, &own, Some(&metadata)), file))
    });
    let (found, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return refuse(answer, error),
    };
    // Files of the kernel's own (/proc) have no size to go by.
    let mut left = if found.size == 0 { u64::MAX } else { found.size };
    let _ = answer.send(Ok(found));
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let count = (&file).take(left.min(CHUNK as u64)).read_to_end(&mut chunk).map_err(fail)?;
        if count == 0 {
            return Ok(());
        }
        left -= count as u64;
        sink.send(chunk).map_err(fail)?;
    }
}

fn refuse(answer: Answered, error: AgentError) -> Result<(), AgentError> {
    let _ = answer.send(Err(error.clone()));
    Err(error)
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;

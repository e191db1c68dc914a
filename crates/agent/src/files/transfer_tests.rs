use super::*;
use aicockpit_protocol::BytePath;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

fn to(path: &Path, archive: bool, condition: WriteCondition) -> Upload {
    Upload { path: BytePath::from(path), archive, condition }
}

async fn downloaded(path: &Path, archive: bool) -> (Result<FileStat, AgentError>, Vec<u8>) {
    let mut bytes = Vec::new();
    let _ = download(Download { path: BytePath::from(path), archive }, &mut bytes).await;
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    (rmp_serde::from_slice(&bytes[4..4 + length]).unwrap(), bytes[4 + length..].to_vec())
}

/// Gives some bytes, then fails.
struct Breaking(usize);

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0 == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = into.remaining().min(self.0);
        into.initialize_unfilled_to(count).fill(1);
        into.advance(count);
        self.0 -= count;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
        let content: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
        let stored = upload(to(&path, false, WriteCondition::Any), content.as_slice()).await.unwrap();
        assert_eq!(stored.size, size as u64);
        let (answer, bytes) = downloaded(&path, false).await;
        assert_eq!(answer.unwrap(), stored);
        assert!(bytes == content, "{size} bytes");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_broken_upload_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    assert!(upload(to(&path, false, WriteCondition::Any), Breaking(2 * CHUNK + 5)).await.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");
}

#[tokio::test]
async fn an_abandoned_upload_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let running = tokio::spawn(upload(to(&path, false, WriteCondition::Any), theirs));
    ours.write_all(&[1; 5000]).await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    drop(ours);
    assert!(!path.exists());
}

#[tokio::test]
async fn an_upload_keeps_its_condition() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let refused = upload(to(&path, false, WriteCondition::Missing), &b"new"[..]).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    let condition = WriteCondition::Version { version: "0".to_owned() };
    let refused = upload(to(&path, false, condition.clone()), &b"new"[..]).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    upload(to(&path, false, condition), &b"old"[..]).await.expect("a retry");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[tokio::test]
async fn a_directory_travels_as_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let tree: PathBuf = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for number in 0..500 {
        fs::write(tree.join(format!("f{number}")), vec![b'x'; number * 10]).unwrap();
    }
    let (answer, archive) = downloaded(&tree, false).await;
    assert_eq!(answer.unwrap().kind, aicockpit_protocol::fs::FileKind::Directory);
    let copy = folder.path().join("copy");
    upload(to(&copy, true, WriteCondition::Any), archive.as_slice()).await.unwrap();
    for number in 0..500 {
        assert_eq!(fs::metadata(copy.join(format!("tree/f{number}"))).unwrap().len(), number as u64 * 10);
    }
}

#[tokio::test]
async fn a_download_of_nothing_is_an_answer_not_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (answer, bytes) = downloaded(&folder.path().join("missing"), false).await;
    assert_eq!(answer.unwrap_err().code, ErrorCode::NotFound);
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn an_abandoned_download_ends_its_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, vec![0; 20 * CHUNK]).unwrap();
    let (sink, mut source) = tokio::io::duplex(64);
    let running =
        tokio::spawn(download(Download { path: BytePath::from(path.as_path()), archive: false }, sink));
    let mut some = [0; 10];
    source.read_exact(&mut some).await.unwrap();
    drop(source);
    assert_eq!(running.await.unwrap().unwrap_err().code, ErrorCode::Cancelled);
}

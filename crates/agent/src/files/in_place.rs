//! Overwriting a file where it stands, for files that a rename would take apart from what they belong to.

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Largest overwritten part that is kept in memory to undo a failed write.
const MAX_UNDO: u64 = 64 * 1024 * 1024;

/// Replaces the content of `file`, which stands at `path` and is `old_length` long, with `length` bytes from
/// `content`. The space is claimed first, and an error on the way puts back what was there (up to 64 MiB).
pub(super) fn overwrite(
    file: &mut File,
    path: &Path,
    old_length: u64,
    mut content: impl Read,
    length: u64,
) -> io::Result<()> {
    claim_space(file, old_length, length)?;
    let kept = keep_start(path, old_length.min(length));
    file.rewind()?;
    let written = io::copy(&mut content, file).and_then(|_| file.set_len(length));
    if let (Err(_), Some(kept)) = (&written, kept) {
        file.rewind()?;
        file.write_all(&kept)?;
        file.set_len(old_length)?;
    }
    written
}

fn claim_space(file: &File, old_length: u64, length: u64) -> io::Result<()> {
    let (Ok(start), Ok(more)) = (i64::try_from(old_length), i64::try_from(length.saturating_sub(old_length)))
    else {
        return Err(Errno::EFBIG.into());
    };
    if more == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, start, more) {
        Err(errno @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => Err(errno.into()),
        // Not every file system can; the write itself will tell.
        _ => Ok(()),
    }
}

/// The first `length` bytes; `None` where they are too many or the file may be written but not read.
fn keep_start(path: &Path, length: u64) -> Option<Vec<u8>> {
    if length > MAX_UNDO {
        return None;
    }
    let mut kept = Vec::with_capacity(usize::try_from(length).ok()?);
    File::open(path).ok()?.take(length).read_to_end(&mut kept).ok()?;
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};

    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(Errno::ENOSPC.into());
            }
            let count = buffer.len().min(self.0);
            buffer[..count].fill(b'x');
            self.0 -= count;
            Ok(count)
        }
    }

    #[test]
    fn a_failure_at_any_point_puts_the_old_content_back() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let old = b"the old content".repeat(1000);
        for progress in [0, 1, 100, 14_999, 15_000, 15_001, 40_000] {
            fs::write(file.path(), &old).unwrap();
            let mut open = OpenOptions::new().write(true).open(file.path()).unwrap();
            let error =
                overwrite(&mut open, file.path(), old.len() as u64, Failing(progress), 50_000).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::ENOSPC as i32));
            assert!(fs::read(file.path()).unwrap() == old, "after {progress} bytes");
        }
    }

    #[test]
    fn shorter_and_longer_content_replaces_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut length = 0;
        for content in ["", "long content", "short", "", "longer than before"] {
            let mut open = OpenOptions::new().write(true).open(file.path()).unwrap();
            overwrite(&mut open, file.path(), length, content.as_bytes(), content.len() as u64).unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
            length = content.len() as u64;
        }
    }
}

//! Putting this program, or a newer one, where workspaces look for it: whole or not at all.

use crate::report;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rights of the program's file.
const MODE: u32 = 0o755;

/// Copies this very program to `target`. An image that holds nothing else can so give it to a volume.
pub fn install(target: &Path) -> ExitCode {
    let copied = File::open("/proc/self/exe").and_then(|mut program| {
        let len = program.metadata()?.len();
        place(&mut program, len, target)
    });
    told(copied, target)
}

/// Reads a program of `len` bytes from the standard input and puts it to `target`. More than that is not read: whoever
/// sends it may be unable to end the stream.
pub fn receive(target: &Path, len: u64) -> ExitCode {
    told(place(&mut io::stdin().lock(), len, target), target)
}

fn told(placed: io::Result<()>, target: &Path) -> ExitCode {
    match placed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(format_args!("{} cannot be written: {error}", target.display()));
            ExitCode::FAILURE
        }
    }
}

/// Writes `len` bytes of `from` beside `target` and renames, so that nobody ever starts half a program, and one that
/// runs keeps its file.
fn place(from: &mut impl Read, len: u64, target: &Path) -> io::Result<()> {
    let beside = beside(target)?;
    let placed = write(from, len, &beside).and_then(|()| fs::rename(&beside, target));
    if placed.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&beside);
    }
    placed
}

fn beside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    Ok(target.with_file_name(format!(".{name}.{}", std::process::id())))
}

fn write(from: &mut impl Read, len: u64, path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let written = io::copy(&mut from.take(len), &mut file)?;
    if written != len {
        let what = format!("only {written} of {len} bytes came");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
    }
    file.set_permissions(Permissions::from_mode(MODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_program_is_put_in_place_whole_and_may_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("agent");
        fs::write(&target, "older").unwrap();
        let mut from = &b"newer and something else"[..];
        place(&mut from, 5, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"newer");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, MODE);
        assert_eq!(from, b" and something else", "what follows is left alone");
        assert_eq!(names(folder.path()), ["agent"]);
    }

    #[test]
    fn a_program_that_does_not_come_whole_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("agent");
        fs::write(&target, "older").unwrap();
        let error = place(&mut &b"new"[..], 5, &target).unwrap_err();
        assert_eq!(error.to_string(), "only 3 of 5 bytes came");
        assert_eq!(fs::read(&target).unwrap(), b"older");
        assert_eq!(names(folder.path()), ["agent"]);
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(place(&mut &b""[..], 0, Path::new("/")).is_err());
        let missing = folder.path().join("no-such-folder/agent");
        assert_eq!(place(&mut &b"x"[..], 1, &missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

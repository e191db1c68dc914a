//! Files that the page brings to this machine.
//!
//! WebKit's own downloads would need the page to be let go to an address that is not its own, and would hold a whole
//! file in memory. Here the page hands over its bytes piece by piece, into the person's folder of downloads.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest name of a file without what makes it unique, in bytes: file systems take 255.
const MAX_NAME: usize = 200;
/// Downloads at once: the page has no reason for more.
const MOST: usize = 64;

/// Downloads under way, by the number the page knows them by.
#[derive(Default)]
pub(crate) struct Downloads(Mutex<State>);

#[derive(Default)]
struct State {
    last: u32,
    open: HashMap<u32, Download>,
}

/// A file in the making. Dropped before its end it leaves nothing.
struct Download {
    file: File,
    part: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Downloads {
    /// Begins a file of this name, or one like it that is free.
    ///
    /// # Errors
    /// A sentence for people. The same holds for the next two.
    pub(crate) fn begin(&self, folder: &Path, name: &str) -> Result<u32, String> {
        let mut state = self.state();
        if state.open.len() >= MOST {
            return Err("Too many downloads are under way. Wait until one has ended.".to_owned());
        }
        let download = Download::begin(folder, &file_name(name))
            .map_err(|error| format!("{} cannot be written to: {error}.", folder.display()))?;
        state.last = state.last.wrapping_add(1);
        let id = state.last;
        state.open.insert(id, download);
        Ok(id)
    }

    /// Appends bytes.
    pub(crate) fn write(&self, id: u32, bytes: &[u8]) -> Result<(), String> {
        let mut state = self.state();
        let download = state.open.get_mut(&id).ok_or_else(unknown)?;
        let written = download.file.write_all(bytes);
        written.map_err(|error| format!("{} cannot be written: {error}.", download.target.display()))
    }

    /// Gives the file its name; its path.
    pub(crate) fn finish(&self, id: u32) -> Result<PathBuf, String> {
        let download = self.state().open.remove(&id).ok_or_else(unknown)?;
        let target = download.target.clone();
        download.finish().map_err(|error| format!("{} cannot be written: {error}.", target.display()))
    }

    /// Removes what has come so far.
    pub(crate) fn cancel(&self, id: u32) {
        self.state().open.remove(&id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Download {
    fn begin(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (name, String::new()),
        };
        let mut number = 0;
        let target = loop {
            let numbered = if number == 0 { String::new() } else { format!(" ({number})") };
            let target = folder.join(format!("{stem}{numbered}{extension}"));
            match File::create_new(&target) {
                Ok(_) => break target,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        let mut part = target.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        match File::create(&part) {
            Ok(file) => Ok(Self { file, part, target, finished: false }),
            Err(error) => {
                let _ = fs::remove_file(&target);
                Err(error)
            }
        }
    }

    fn finish(mut self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.target)?;
        self.finished = true;
        Ok(self.target.clone())
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.part);
            let _ = fs::remove_file(&self.target);
        }
    }
}

fn unknown() -> String {
    "This download has ended already.".to_owned()
}

/// A name that stays in its folder and is seen there: a workspace may have chosen it.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|letter| !letter.is_control()).collect();
    let visible = visible.trim_start_matches('.').trim();
    let end = (0..=visible.len().min(MAX_NAME)).rev().find(|&at| visible.is_char_boundary(at));
    match &visible[..end.unwrap_or(0)] {
        "" => "download".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_download_replaces_nothing_and_one_that_is_cancelled_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let downloads = Downloads::default();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        let (first, second) = (
            downloads.begin(folder.path(), "a.txt").unwrap(),
            downloads.begin(folder.path(), "a.txt").unwrap(),
        );
        downloads.write(first, b"one").unwrap();
        downloads.write(second, b"half").unwrap();
        downloads.write(first, b" whole").unwrap();
        assert_eq!(downloads.finish(first).unwrap(), folder.path().join("a (1).txt"));
        downloads.cancel(second);
        assert_eq!(names(folder.path()), ["a (1).txt", "a.txt"]);
        assert_eq!(fs::read(folder.path().join("a (1).txt")).unwrap(), b"one whole");
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
        assert!(downloads.write(second, b"late").is_err() && downloads.finish(first).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let told = Downloads::default().begin(&file, "a").unwrap_err();
        assert!(told.contains("cannot be written to"), "{told}");
    }

    #[test]
    fn a_hostile_name_stays_in_the_folder() {
        for (name, safe) in [
            ("../../etc/passwd", "passwd"),
            ("a\\..\\b.txt", "b.txt"),
            (".bashrc", "bashrc"),
            ("..", "download"),
            ("", "download"),
            ("line\nbreak\u{0}.txt", "linebreak.txt"),
        ] {
            assert_eq!(file_name(name), safe, "{name:?}");
        }
        assert!(file_name(&"ä".repeat(300)).len() <= MAX_NAME);
    }
}

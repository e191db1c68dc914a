//! Who we are inside the container. The user database is read here, not by libc: a static libc may not load what
//! its name service configuration asks for.

use nix::unistd::{AccessFlags, Uid, access};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Shells in order of preference where the user has none.
const SHELLS: [&str; 8] = [
    "/bin/bash",
    "/usr/bin/bash",
    "/bin/zsh",
    "/usr/bin/zsh",
    "/usr/bin/fish",
    "/bin/ash",
    "/bin/dash",
    "/bin/sh",
];

/// Stands in SHELL where the image has no shell: libraries accept it as a program that can be run, and ask no further.
pub(crate) const NO_SHELL: &str = "/proc/self/exe";

/// The user that everything inside runs as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    /// Name, or the number where it has none.
    pub(crate) name: OsString,
    /// A directory that exists.
    pub(crate) home: PathBuf,
    /// A program that can be run; absent where the image has no shell.
    pub(crate) shell: Option<PathBuf>,
}

impl Account {
    /// The account of this process.
    pub(crate) fn current() -> Self {
        let database = fs::read("/etc/passwd").unwrap_or_default();
        Self::from_database(&database, Uid::current().as_raw(), &|name| std::env::var_os(name))
    }

    fn from_database(database: &[u8], uid: u32, env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let entry = entry(database, uid);
        let name = match &entry {
            Some(entry) if !entry.name.is_empty() => OsString::from_vec(entry.name.clone()),
            _ => uid.to_string().into(),
        };
        let candidates = [env("HOME"), entry.as_ref().map(|entry| OsString::from_vec(entry.home.clone()))];
        let home = candidates.into_iter().flatten().map(PathBuf::from).find(|home| home.is_dir());
        let own = entry.map(|entry| PathBuf::from(OsString::from_vec(entry.shell)));
        let asked = env("SHELL").filter(|shell| shell != NO_SHELL).map(PathBuf::from);
        let shell = own.into_iter().chain(asked).find(|shell| is_shell(shell));
        Self {
            uid,
            name,
            home: home.unwrap_or_else(|| PathBuf::from("/")),
            shell: shell.or_else(|| installed_shells().into_iter().next()),
        }
    }
}

struct Entry {
    name: Vec<u8>,
    home: Vec<u8>,
    shell: Vec<u8>,
}

fn entry(database: &[u8], uid: u32) -> Option<Entry> {
    database.split(|&byte| byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let [name, _, id, _, _, home, shell] = fields[..] else { return None };
        let id: u32 = std::str::from_utf8(id).ok()?.parse().ok()?;
        (id == uid).then(|| Entry { name: name.to_vec(), home: home.to_vec(), shell: shell.to_vec() })
    })
}

/// Programs that stand for "no login" are no shells.
fn is_shell(path: &Path) -> bool {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    !matches!(name, b"nologin" | b"false" | b"true" | b"sync" | b"halt" | b"shutdown") && is_program(path)
}

/// Whether `path` is a file that may be run.
pub(crate) fn is_program(path: &Path) -> bool {
    path.is_absolute() && path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// Shells that the image has, best first, each once.
pub(crate) fn installed_shells() -> Vec<PathBuf> {
    let mut seen = Vec::new();
    SHELLS
        .iter()
        .map(PathBuf::from)
        .filter(|shell| is_program(shell))
        .filter(|shell| {
            let name = shell.file_name().map(OsStrExt::as_bytes).unwrap_or_default().to_vec();
            let new = !seen.contains(&name);
            seen.push(name);
            new
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nbroken line\ndev:x:1000:1000::/:/bin/sh\nd:x:2:2::/nowhere:/usr/sbin/nologin\n";

    fn account(uid: u32) -> Account {
        Account::from_database(DATABASE, uid, &|_| None)
    }

    #[test]
    fn the_user_is_found_by_number() {
        let dev = account(1000);
        assert_eq!(
            (dev.name.to_str(), dev.home.to_str(), dev.shell),
            (Some("dev"), Some("/"), Some("/bin/sh".into()))
        );
    }

    #[test]
    fn an_unknown_user_gets_a_number_a_home_that_exists_and_a_shell_that_runs() {
        let unknown = account(4_000_000);
        assert_eq!((unknown.name.to_str(), unknown.home.to_str()), (Some("4000000"), Some("/")));
        assert!(is_program(&unknown.shell.unwrap()));
    }

    #[test]
    fn without_any_account_the_number_and_the_home_that_was_given_count() {
        let home = tempfile::tempdir().unwrap();
        let given = |name: &str| (name == "HOME").then(|| home.path().into());
        let account = Account::from_database(b"", 1000, &given);
        assert_eq!((account.name.to_str(), account.home.as_path()), (Some("1000"), home.path()));
        let wrong = Account::from_database(b"", 1000, &|name| (name == "HOME").then(|| "/nowhere".into()));
        assert_eq!(wrong.home, Path::new("/"));
    }

    #[test]
    fn the_stand_in_for_a_shell_is_none() {
        let account = Account::from_database(b"", 1, &|name| (name == "SHELL").then(|| NO_SHELL.into()));
        assert_ne!(account.shell.as_deref(), Some(Path::new(NO_SHELL)));
    }

    #[test]
    fn a_login_that_is_barred_is_no_shell() {
        let barred = account(2);
        assert_ne!(barred.shell, Some("/usr/sbin/nologin".into()));
        assert_eq!(barred.home.to_str(), Some("/"));
    }
}

use super::*;
use aicockpit_protocol::ErrorCode;
use proptest::prelude::*;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use tar::Builder;

fn unpacked(folder: &Path, archive: &[u8]) -> Result<(), AgentError> {
    unpack(folder, archive)
}

/// An entry with exactly these name and link bytes, which a well-behaved writer would refuse to make.
fn raw(kind: EntryType, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(1_000_000_000);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// A folder with a file beside it that no archive may reach.
fn guarded() -> (tempfile::TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("victim"), "untouched").unwrap();
    let folder = outer.path().join("a/b/folder");
    fs::create_dir_all(&folder).unwrap();
    (outer, folder)
}

fn assert_untouched(outer: &Path) {
    assert_eq!(fs::read_to_string(outer.join("victim")).unwrap(), "untouched");
    let mut names: Vec<_> = fs::read_dir(outer).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "victim"], "nothing was written beside the folder");
    assert_eq!(fs::read_dir(outer.join("a")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(outer.join("a/b")).unwrap().count(), 1);
}

#[test]
fn a_packed_tree_is_unpacked_the_same() {
    let from = tempfile::tempdir().unwrap();
    let tree = from.path().join("tree");
    let long = "d".repeat(120);
    fs::create_dir_all(tree.join(&long).join("empty")).unwrap();
    fs::write(tree.join(&long).join("f".repeat(200)), vec![7; 100_000]).unwrap();
    fs::write(tree.join("run"), "#!").unwrap();
    fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(tree.join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    symlink("run", tree.join("link")).unwrap();
    symlink(format!("./{long}//empty"), tree.join("long-link")).unwrap();
    fs::hard_link(tree.join("run"), tree.join("twin")).unwrap();

    let mut bytes = Vec::new();
    super::super::archive::pack(&tree, &mut bytes).unwrap();
    let to = tempfile::tempdir().unwrap();
    // Twice: the second time over what is there.
    for _ in 0..2 {
        unpacked(to.path(), &bytes).unwrap();
        let there = to.path().join("tree");
        assert!(there.join(&long).join("empty").is_dir());
        assert_eq!(fs::read(there.join(&long).join("f".repeat(200))).unwrap(), vec![7; 100_000]);
        assert_eq!(fs::metadata(there.join("run")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(
            fs::metadata(there.join("run")).unwrap().mtime(),
            fs::metadata(tree.join("run")).unwrap().mtime()
        );
        assert!(there.join(OsStr::from_bytes(b"caf\xe9")).exists());
        assert_eq!(fs::read_link(there.join("link")).unwrap(), Path::new("run"));
        assert_eq!(
            fs::read_link(there.join("long-link")).unwrap(),
            fs::read_link(tree.join("long-link")).unwrap()
        );
        assert_eq!(
            fs::metadata(there.join("twin")).unwrap().ino(),
            fs::metadata(there.join("run")).unwrap().ino()
        );
        assert_eq!(fs::read_dir(&there).unwrap().count(), 6);
    }
}

#[test]
fn entries_that_lead_out_are_refused() {
    use EntryType as E;
    let cases: &[(&str, Vec<Vec<u8>>)] = &[
        ("a name that climbs", vec![raw(E::Regular, "../../victim", "", b"x")]),
        ("a name that climbs later", vec![raw(E::Regular, "a/../../../../victim", "", b"x")]),
        ("a name from the root", vec![raw(E::Regular, "/victim", "", b"x")]),
        ("only dots", vec![raw(E::Regular, "..", "", b"x")]),
        ("a directory that climbs", vec![raw(E::Directory, "../new", "", b"")]),
        ("a link to the root", vec![raw(E::Symlink, "out", "/", b"")]),
        ("a link that climbs", vec![raw(E::Symlink, "out", "../victim", b"")]),
        ("a deep link that climbs one too many", vec![raw(E::Symlink, "d/e/out", "../../../victim", b"")]),
        ("a link that climbs after a name", vec![raw(E::Symlink, "out", "d/../../victim", b"")]),
        (
            "writing through a link of the archive",
            vec![
                raw(E::Directory, "d", "", b""),
                raw(E::Symlink, "in", "d", b""),
                raw(E::Regular, "in/file", "", b"x"),
            ],
        ),
        ("a hard link that climbs", vec![raw(E::Link, "file", "../../../victim", b"")]),
        ("a hard link from the root", vec![raw(E::Link, "file", "/etc/passwd", b"")]),
        (
            "a hard link to a link",
            vec![raw(E::Symlink, "in", "nothing", b""), raw(E::Link, "file", "in", b"")],
        ),
        ("a character device", vec![raw(E::Char, "null", "", b"")]),
        ("a block device", vec![raw(E::Block, "disk", "", b"")]),
        ("a pipe", vec![raw(E::Fifo, "pipe", "", b"")]),
        ("a sparse file", vec![raw(E::GNUSparse, "sparse", "", b"")]),
        ("no name", vec![raw(E::Regular, "", "", b"x")]),
        (
            "a long name that climbs",
            vec![
                raw(E::GNULongName, "././@LongLink", "", b"../../../victim\0"),
                raw(E::Regular, "a", "", b"x"),
            ],
        ),
        (
            "a PAX name that climbs",
            vec![raw(E::XHeader, "pax", "", b"18 path=../victim\n"), raw(E::Regular, "a", "", b"x")],
        ),
    ];
    for (what, entries) in cases {
        let (outer, folder) = guarded();
        let error = unpacked(&folder, &archive(entries)).expect_err(what);
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{what}: {}", error.message);
        assert_untouched(outer.path());
    }
}

#[test]
fn a_link_that_stood_there_before_is_not_followed() {
    let (outer, folder) = guarded();
    symlink(outer.path(), folder.join("out")).unwrap();
    symlink(outer.path().join("victim"), folder.join("file")).unwrap();
    let through = archive(&[raw(EntryType::Regular, "out/victim", "", b"x")]);
    assert_eq!(unpacked(&folder, &through).unwrap_err().code, ErrorCode::InvalidArgument);
    let over = archive(&[raw(EntryType::Regular, "file", "", b"new")]);
    unpacked(&folder, &over).unwrap();
    assert!(!fs::symlink_metadata(folder.join("file")).unwrap().is_symlink(), "the link itself is replaced");
    assert_untouched(outer.path());
}

#[test]
fn a_directory_swapped_for_a_link_meanwhile_leads_nowhere() {
    let (outer, folder) = guarded();
    fs::create_dir(folder.join("dir")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::rename(folder.join("dir"), folder.join("away"));
                let _ = symlink(outer.path(), folder.join("dir"));
                let _ = fs::remove_file(folder.join("dir"));
                let _ = fs::rename(folder.join("away"), folder.join("dir"));
            }
        });
        let entries: Vec<_> = (0..50)
            .flat_map(|number| {
                // Another directory in between makes the next one be opened anew.
                let inside = raw(EntryType::Regular, &format!("dir/f{number}"), "", b"x");
                [inside, raw(EntryType::Regular, &format!("other/f{number}"), "", b"x")]
            })
            .collect();
        let bytes = archive(&entries);
        for _ in 0..50 {
            let _ = unpacked(&folder, &bytes);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_untouched(outer.path());
}

#[test]
fn harmless_links_are_kept() {
    let (_outer, folder) = guarded();
    let links = [("a", "b/c"), ("d/e", "../a"), ("d/f/g", "../../x"), ("h", "./i"), ("odd", "..hidden/...")];
    let entries: Vec<_> = links.iter().map(|(name, to)| raw(EntryType::Symlink, name, to, b"")).collect();
    unpacked(&folder, &archive(&entries)).unwrap();
    for (name, to) in links {
        assert_eq!(fs::read_link(folder.join(name)).unwrap(), Path::new(to));
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_an_error_and_leaves_no_partial_file() {
    let bytes = archive(&[
        raw(EntryType::Regular, "one", "", &[1; 700]),
        raw(EntryType::Regular, "two", "", &[2; 700]),
    ]);
    let end = bytes.len() - 2 * BLOCK;
    for cut in (0..end).step_by(37).chain([end]) {
        let (_outer, folder) = guarded();
        let error = unpacked(&folder, &bytes[..cut]).unwrap_err();
        assert_eq!(error.code, ErrorCode::Cancelled, "cut at {cut}: {}", error.message);
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().len(), 700, "cut at {cut}");
        }
    }
}

#[test]
fn a_huge_extension_header_is_refused_before_it_is_read() {
    let (_outer, folder) = guarded();
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 40);
    header.set_cksum();
    let error = unpack(&folder, header.as_bytes().chain(io::BufReader::new(io::repeat(b'a')))).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument, "{}", error.message);
}

#[test]
fn a_directory_is_never_replaced_by_a_file() {
    let (_outer, folder) = guarded();
    fs::create_dir_all(folder.join("dir/sub")).unwrap();
    for entry in [raw(EntryType::Regular, "dir", "", b"x"), raw(EntryType::Symlink, "dir", "x", b"")] {
        assert_eq!(unpacked(&folder, &archive(&[entry])).unwrap_err().code, ErrorCode::IsADirectory);
    }
    assert!(folder.join("dir/sub").is_dir());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

fn kinds() -> impl Strategy<Value = EntryType> {
    prop_oneof![
        Just(EntryType::Regular),
        Just(EntryType::Directory),
        Just(EntryType::Symlink),
        Just(EntryType::Link),
        Just(EntryType::GNULongName),
        Just(EntryType::GNULongLink),
        Just(EntryType::XHeader),
        any::<u8>().prop_map(EntryType::new),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_archive_of_hostile_entries_reaches_outside(
        entries in proptest::collection::vec(
            (kinds(), "[abc./]{0,12}|(\\.\\./){0,4}victim", "[abc./]{0,12}|(\\.\\./){0,4}victim",
             proptest::collection::vec(any::<u8>(), 0..40)),
            0..12,
        ),
    ) {
        let (outer, folder) = guarded();
        let entries: Vec<_> =
            entries.iter().map(|(kind, name, link, content)| raw(*kind, name, link, content)).collect();
        let _ = unpacked(&folder, &archive(&entries));
        assert_untouched(outer.path());
    }

    #[test]
    fn damaged_archives_neither_panic_nor_reach_outside(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        fix_checksum in any::<bool>(),
    ) {
        let (outer, folder) = guarded();
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        builder.append_data(&mut header, "dir/".to_owned() + &"n".repeat(150), &b"hello"[..]).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if fix_checksum {
            for start in (0..bytes.len()).step_by(BLOCK) {
                let mut header = Header::new_old();
                header.as_mut_bytes().copy_from_slice(&bytes[start..start + BLOCK]);
                header.set_cksum();
                bytes[start..start + BLOCK].copy_from_slice(header.as_bytes());
            }
        }
        let _ = unpacked(&folder, &bytes);
        assert_untouched(outer.path());
    }
}

//! Compact storage of many relative paths: each directory's path once, names one after the other.

use std::ops::Range;

/// Files in one piece; pieces are what threads share out.
const CAPACITY: usize = 8192;
/// The mask's bit for bytes that are not ASCII.
pub(super) const NON_ASCII: u32 = 1 << 31;

/// Some thousand files.
pub(super) struct Piece {
    directories: Vec<Directory>,
    paths: Vec<u8>,
    names: Vec<u8>,
    /// Where each name ends.
    ends: Vec<u32>,
    /// Which characters each name has, to rule most names out with one look.
    masks: Vec<u32>,
}

struct Directory {
    path: Range<u32>,
    files: Range<u32>,
}

/// Collects files, best directory by directory.
#[derive(Default)]
pub(super) struct PieceBuilder {
    piece: Option<Piece>,
}

impl PieceBuilder {
    /// Adds a file by its path relative to the root.
    pub(super) fn push(&mut self, path: &[u8]) {
        let piece = self.piece.get_or_insert_with(|| Piece {
            directories: Vec::new(),
            paths: Vec::new(),
            names: Vec::with_capacity(CAPACITY * 16),
            ends: Vec::with_capacity(CAPACITY),
            masks: Vec::with_capacity(CAPACITY),
        });
        let name_start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (directory, name) = path.split_at(name_start);
        let file = offset(piece.ends.len());
        match piece.directories.last_mut() {
            Some(last) if piece.paths[range(&last.path)] == *directory => last.files.end = file + 1,
            _ => {
                let start = offset(piece.paths.len());
                piece.paths.extend_from_slice(directory);
                let path = start..offset(piece.paths.len());
                piece.directories.push(Directory { path, files: file..file + 1 });
            }
        }
        piece.names.extend_from_slice(name);
        piece.ends.push(offset(piece.names.len()));
        piece.masks.push(mask(name));
    }

    pub(super) fn is_full(&self) -> bool {
        self.piece.as_ref().is_some_and(|piece| piece.len() >= CAPACITY)
    }

    /// The piece, unless it is empty.
    pub(super) fn build(self) -> Option<Piece> {
        let mut piece = self.piece?;
        piece.directories.shrink_to_fit();
        piece.paths.shrink_to_fit();
        piece.names.shrink_to_fit();
        Some(piece)
    }
}

/// A piece holds some thousand paths of at most some thousand bytes: offsets are small.
fn offset(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn range(of: &Range<u32>) -> Range<usize> {
    of.start as usize..of.end as usize
}

impl Piece {
    /// Number of files.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The directories: each one's path (empty, or ending with `/`) and the numbers of its files.
    pub(super) fn directories(&self) -> impl Iterator<Item = (&[u8], Range<u32>)> {
        self.directories
            .iter()
            .map(|directory| (&self.paths[range(&directory.path)], directory.files.clone()))
    }

    /// The path of the `directory`th directory.
    pub(super) fn directory(&self, directory: u32) -> &[u8] {
        self.directories.get(directory as usize).map_or(&[], |found| &self.paths[range(&found.path)])
    }

    /// A file's name.
    pub(super) fn name(&self, file: u32) -> &[u8] {
        let file = file as usize;
        let start = if file == 0 { 0 } else { self.ends[file - 1] };
        &self.names[start as usize..self.ends[file] as usize]
    }

    /// Which characters a file's name has.
    pub(super) fn mask(&self, file: u32) -> u32 {
        self.masks[file as usize]
    }
}

/// A bit for each letter without regard to case, and for kinds of other bytes.
pub(super) fn mask(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |mask, byte| {
        mask | match byte {
            b'a'..=b'z' => 1 << (byte - b'a'),
            b'A'..=b'Z' => 1 << (byte - b'A'),
            b'0'..=b'9' => 1 << 26,
            b'.' => 1 << 27,
            b'_' => 1 << 28,
            b'-' => 1 << 29,
            0x80.. => NON_ASCII,
            _ => 1 << 30,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_comes_back(paths in proptest::collection::vec("[ab]{1,2}(/[abc.é]{1,3}){0,3}", 0..50)) {
            let mut builder = PieceBuilder::default();
            for path in &paths {
                builder.push(path.as_bytes());
            }
            let found: Vec<Vec<u8>> = builder.build().iter().flat_map(|piece| {
                let files = piece.directories().flat_map(|(directory, files)| {
                    files.map(|file| [directory, piece.name(file)].concat()).collect::<Vec<_>>()
                });
                files.collect::<Vec<_>>()
            }).collect();
            let paths: Vec<_> = paths.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found, paths);
        }
    }
}

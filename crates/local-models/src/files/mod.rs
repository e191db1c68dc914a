//! What a model's files tell of it, read from their heads only.

pub(crate) mod chat;
pub(crate) mod gguf;
pub(crate) mod model;
pub(crate) mod safetensors;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Why a file's head tells nothing of use: a sentence's end, for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no {0} file, although its name says so")]
    NotOfThisKind(&'static str),
    #[error("it is a GGUF file of version {0}, which llama.cpp no longer reads; download a newer one")]
    Version(u32),
    #[error("it is written for machines of the other byte order; download the little-endian one")]
    ByteOrder,
    #[error("it ends too early: it has {has} bytes and should have {wants}; download it again")]
    Truncated { has: u64, wants: u64 },
    #[error("its head is not as it should be ({0}); download it again")]
    Broken(String),
}

impl HeadError {
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}

/// Opens a file for reading, and nothing that is none: a named pipe would make the reader wait for ever.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no ordinary file"))
    }
}

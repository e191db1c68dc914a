//! Files of the workspace, with the rights of the workspace's user.
//!
//! **Invariants:** paths are bytes; a file is replaced whole or not at all; nothing that was there is ever
//! overwritten unless the request says so; an error leaves no temporary file behind. Everything but the transfers
//! blocks: call it off the async threads.

mod archive;
mod content;
mod entries;
mod error;
mod in_place;
mod inspect;
mod staged;
mod transfer;
mod trash;
mod tree;
mod unpack;
mod watch;

pub(crate) use content::replace_content;
pub use content::{read, write};
pub use entries::{copy, make_directory, rename};
pub(crate) use error::{checked, failure};
pub(crate) use inspect::version;
pub use inspect::{list, stat};
pub use transfer::{download, upload};
pub use trash::{TRASH_NAME, restore_trash, trash};
pub use watch::Watcher;

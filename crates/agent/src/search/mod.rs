//! Searching: text in files, files by name, and replacing what was found.

mod index;
mod line;
mod query;
mod replace;
mod text;

pub use index::Index;
pub use replace::replace;
pub use text::text;

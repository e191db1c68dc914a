//! A terminal's screen and scrollback without a terminal.
//!
//! [`Mirror`] follows the bytes that a program writes to its terminal. It can repaint everything in a fresh terminal,
//! tell the screen as text, and answers the program's questions while nobody watches. It does no input or output of
//! its own.

mod flood;
mod history;
mod mirror;
mod paint;
mod scanner;
mod screen;
mod xterm;

pub use mirror::Mirror;
pub use screen::Size;

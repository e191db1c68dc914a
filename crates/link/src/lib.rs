//! Many streams over one byte pipe.
//!
//! [`Link`] is the side that opens streams (the cockpit), [`Incoming`] the side that accepts them (the agent). Both
//! run yamux in a background task over any byte pipe: an engine's exec, a Unix socket, TLS. Flow control is per
//! stream, so a slow reader slows itself alone.
//!
//! **Invariant:** knows no message. What travels over a stream is bytes, or length-prefixed frames of bytes
//! ([`read_frame`], [`write_frame`]).

mod connection;
mod error;
mod frame;
mod join;
mod stream;

#[cfg(test)]
mod tests;

pub use connection::{Incoming, Link, MAX_STREAMS};
pub use error::LinkError;
pub use frame::{read_frame, write_frame};
pub use join::{Joined, join};
pub use stream::LinkStream;

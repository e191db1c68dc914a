//! Opaque identifiers.

use serde::{Deserialize, Serialize};
use std::fmt;
use ts_rs::TS;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier; the text is not checked.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

string_id!(
    /// A workspace: 16 lower-case letters and digits, so that it can be a host name label and a container name part.
    WorkspaceId
);
string_id!(
    /// An engine connection of this cockpit, for instance `docker` or `podman-rootless`. Stable across restarts.
    EngineId
);
string_id!(
    /// The engine's own id of a container.
    ContainerId
);

impl WorkspaceId {
    /// Whether `text` has the form of a workspace id. Ids that come from labels or from a client are checked with it.
    pub fn is_well_formed(text: &str) -> bool {
        text.len() == 16 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    }
}

/// A terminal of one workspace, numbered by its agent from 1; never reused while the container lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct TerminalId(pub u32);

impl TerminalId {
    /// The least number of a terminal that runs as root, beside those of the workspace's user.
    pub const FIRST_OF_ROOT: u32 = 1 << 31;

    /// Whether the terminal runs as root, beside those of the workspace's user.
    pub fn is_of_root(self) -> bool {
        self.0 >= Self::FIRST_OF_ROOT
    }
}

impl fmt::Display for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A byte stream between one UI connection and the cockpit. Numbered by the cockpit per connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct StreamId(pub u32);

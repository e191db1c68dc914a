//! The TypeScript side of the registry: one generated file with every type, a map of operations, and the events.

use crate::api::{self, BodyUse, OPERATIONS};
use crate::error::ApiError;
use crate::workspace::{WorkspaceAction, WorkspaceState};
use crate::{frame, search};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use ts_rs::{Config, TS, TypeVisitor};

/// Collected type declarations, by name.
pub(crate) struct Declarations {
    config: Config,
    by_name: BTreeMap<String, String>,
}

impl Declarations {
    fn new() -> Self {
        // Counts and offsets stay below 2^53; see each field's documented range.
        Self { config: Config::new().with_large_int("number"), by_name: BTreeMap::new() }
    }

    /// Declares `T` and all it refers to; returns how TypeScript refers to it.
    pub(crate) fn add<T: TS + 'static + ?Sized>(&mut self) -> String {
        self.visit::<T>();
        T::name(&self.config)
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only derived types know an output path; primitives and containers are spelt in place and have no
        // identifier to ask for.
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            if self.by_name.contains_key(&name) {
                T::visit_generics(self);
                return;
            }
            self.by_name.insert(name.clone(), String::new());
            let mut text = String::new();
            if let Some(docs) = T::docs() {
                text.push_str(&docs);
            }
            let _ = writeln!(text, "export {}", T::decl(&self.config));
            self.by_name.insert(name, text);
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// The whole generated file.
pub fn generate() -> String {
    let mut declarations = Declarations::new();
    let mut map = String::new();
    for operation in OPERATIONS {
        let (params, reply) = (operation.declare)(&mut declarations);
        let _ = writeln!(map, "  /** {} */", operation.doc.trim());
        let _ = writeln!(map, "  \"{}\": {{ params: {params}; reply: {reply} }};", operation.name);
    }
    declarations.add::<api::Event>();
    declarations.add::<api::StreamEnd>();
    declarations.add::<ApiError>();
    declarations.add::<search::SearchMessage>();
    declarations.add::<WorkspaceAction>();

    let mut out = String::from(
        "// Generated from crates/protocol by `cargo xtask generate`. Change the Rust types, not this file.\n/* eslint-disable */\n\n",
    );
    for text in declarations.by_name.values() {
        out.push_str(text);
        out.push('\n');
    }
    let _ = write!(
        out,
        "/** Every operation: what is sent and what comes back. */\nexport interface Operations {{\n{map}}}\n"
    );
    for (name, wanted, doc) in [
        ("REQUEST_BODY", BodyUse::Request, "Operations whose request carries bytes."),
        ("REPLY_BODY", BodyUse::Reply, "Operations whose reply carries bytes."),
    ] {
        let names: Vec<String> = OPERATIONS
            .iter()
            .filter(|operation| operation.body == wanted)
            .map(|operation| format!("\"{}\"", operation.name))
            .collect();
        let _ = write!(out, "\n/** {doc} */\nexport const {name} = [{}] as const;\n", names.join(", "));
    }
    out.push_str(&constants());
    out
}

/// Rules and limits that both sides obey, so that the UI does not keep copies of its own.
fn constants() -> String {
    let mut out = String::from(
        "\n/** What can be asked of a workspace in which state. */\n\
         export const ALLOWED_STATES: Record<WorkspaceAction, readonly WorkspaceState[]> = {\n",
    );
    for action in WorkspaceAction::ALL {
        let states: Vec<String> = WorkspaceState::ALL
            .iter()
            .filter(|state| state.allows(*action))
            .filter_map(|state| serde_json::to_string(state).ok())
            .collect();
        let name = serde_json::to_string(action).unwrap_or_default();
        let _ = writeln!(out, "  {name}: [{}],", states.join(", "));
    }
    out.push_str("};\n");
    for (name, value, doc) in [
        ("HEADER_LEN", frame::HEADER_LEN, "Bytes of a frame before its JSON text."),
        ("MAX_FRAME_LEN", frame::MAX_FRAME_LEN, "The largest frame accepted, in bytes."),
        (
            "INITIAL_STREAM_CREDIT",
            frame::INITIAL_STREAM_CREDIT as usize,
            "Credit a stream starts with, in bytes.",
        ),
        ("MAX_FILE_CHUNK", crate::fs::MAX_FILE_CHUNK, "Most bytes of a file in one request or reply."),
    ] {
        let _ = write!(out, "\n/** {doc} */\nexport const {name} = {value};\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_type_it_names_is_declared() {
        let text = generate();
        for operation in OPERATIONS {
            assert!(text.contains(&format!("\"{}\": {{", operation.name)), "{} is missing", operation.name);
        }
        for name in ["WorkspaceSpec", "FileStat", "EngineHealth", "LinkState", "StreamEnd", "SearchMessage"] {
            assert!(text.contains(&format!("export type {name} =")), "{name} is not declared:\n{text}");
        }
    }
}

//! Prints the generated TypeScript types: `cargo run -p aicockpit-protocol --example typescript`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(aicockpit_protocol::typescript::generate().as_bytes())
}

//! Paths as bytes and as text: nothing is lost in either direction.
#![no_main]

use aicockpit_protocol::BytePath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = BytePath::new(bytes);
    assert_eq!(BytePath::from_text(&path.to_text()), path, "bytes to text and back");
    let json = serde_json::to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<BytePath>(&json).unwrap(), path, "through JSON");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let path = BytePath::from_text(text);
        assert_eq!(BytePath::from_text(&path.to_text()), path, "any text, read once, stays what it is");
    }
    let joined = path.join(b"name");
    assert!(joined.as_bytes().ends_with(b"name"));
});

//! A frame between a UI and the cockpit: read or refused, and written again as the same bytes.
#![no_main]

use aicockpit_protocol::api::{Request, StreamEnd};
use aicockpit_protocol::frame::Frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        assert_eq!(frame.encode(), bytes);
        let _ = serde_json::from_str::<Request>(frame.json);
        let _ = serde_json::from_str::<StreamEnd>(frame.json);
    }
});

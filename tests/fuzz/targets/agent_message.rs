//! Messages of an agent and of a cockpit: read or refused, never more memory than the bytes are worth.
#![no_main]

use aicockpit_protocol::agent::{AgentError, FromAgent, Open, Request, decode, encode};
use aicockpit_protocol::fs::FileStat;
use aicockpit_protocol::search::SearchMessage;
use aicockpit_protocol::terminal::Attached;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = decode::<FromAgent>(bytes) {
        // A number that is no number equals nothing, not even itself: the bytes are compared.
        let written = encode(&message).unwrap();
        assert_eq!(encode(&decode::<FromAgent>(&written).unwrap()).unwrap(), written);
    }
    if let Ok(request) = decode::<Request>(bytes) {
        assert_eq!(decode::<Request>(&encode(&request).unwrap()).unwrap(), request);
    }
    if let Ok(open) = decode::<Open>(bytes) {
        assert_eq!(decode::<Open>(&encode(&open).unwrap()).unwrap(), open);
    }
    let _ = decode::<Result<SearchMessage, AgentError>>(bytes);
    let _ = decode::<Result<FileStat, AgentError>>(bytes);
    let _ = decode::<Result<Attached, AgentError>>(bytes);
});

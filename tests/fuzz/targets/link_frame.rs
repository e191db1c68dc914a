//! Frames on a stream, whatever the bytes: none larger than allowed, and none lost or changed on the way.
#![no_main]

use aicockpit_link::{read_frame, write_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (max, bytes) = (usize::from(input.0), input.1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut reader, mut read) = (bytes, Vec::new());
        while let Ok(Some(frame)) = read_frame(&mut reader, max).await {
            assert!(frame.len() <= max);
            write_frame(&mut read, &frame).await.unwrap();
        }
        assert_eq!(read, bytes[..read.len()], "what was read is what was there");
    });
});

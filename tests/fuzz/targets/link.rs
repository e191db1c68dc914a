//! Both ends of a link against a peer that sends anything: they end, and say why.
#![no_main]

use aicockpit_link::{Incoming, Link, read_frame};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Largest message either end reads here.
const MAX: usize = 64 * 1024;

async fn peer(mut pipe: tokio::io::DuplexStream, bytes: Vec<u8>) {
    let (mut reader, mut writer) = tokio::io::split(&mut pipe);
    let reading = async { while reader.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {} };
    let writing = async {
        let _ = writer.write_all(&bytes).await;
        let _ = writer.shutdown().await;
    };
    tokio::join!(reading, writing);
}

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(MAX);
        let attack = tokio::spawn(peer(far, bytes.to_vec()));
        let mut incoming = Incoming::server(near);
        while let Some(mut stream) = incoming.accept().await {
            tokio::spawn(async move { while let Ok(Some(_)) = read_frame(&mut stream, MAX).await {} });
        }
        incoming.closed().await;
        drop(incoming);
        attack.await.unwrap();

        let (near, far) = tokio::io::duplex(MAX);
        let attack = tokio::spawn(peer(far, bytes.to_vec()));
        let link = Link::client(near);
        if let Ok(mut stream) = link.open().await {
            let _ = stream.write_all(b"hello").await;
            let _ = read_frame(&mut stream, MAX).await;
        }
        link.close();
        link.closed().await;
        attack.await.unwrap();
    });
});

//! A registry with one image, so that pulling is tried without a network. It speaks the OCI distribution protocol's
//! part that a pull needs, on loopback, where engines accept plain HTTP.

use super::case::Failure;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Answers until it is dropped. Every repository whose path does not begin with `no/` has the image under tag `1`.
pub(super) struct Registry {
    address: SocketAddr,
    task: JoinHandle<()>,
}

struct Image {
    manifest: Vec<u8>,
    blobs: Vec<Vec<u8>>,
}

impl Registry {
    pub(super) async fn serve(architecture: &str) -> Result<Self, Failure> {
        let image = Arc::new(image(architecture)?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let image = image.clone();
                // A client that goes away in the middle is its own affair.
                tokio::spawn(async move { drop(answer(connection, &image).await) });
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn image(architecture: &str) -> Result<Image, Failure> {
    let mut layer = tar::Builder::new(Vec::new());
    let text = b"came from a registry\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    layer.append_data(&mut header, "pulled.txt", &text[..])?;
    let layer = layer.into_inner()?;
    let config = serde_json::json!({
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    })
    .to_string()
    .into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": digest(&config), "size": config.len() },
        "layers": [{ "mediaType": LAYER, "digest": digest(&layer), "size": layer.len() }],
    })
    .to_string()
    .into_bytes();
    Ok(Image { manifest, blobs: vec![config, layer] })
}

async fn answer(connection: TcpStream, image: &Image) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut request = String::new();
    connection.read_line(&mut request).await?;
    loop {
        let mut header = String::new();
        if connection.read_line(&mut header).await? == 0 || header == "\r\n" {
            break;
        }
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = respond(path, image);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(body)
    );
    connection.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        connection.write_all(body).await?;
    }
    connection.shutdown().await
}

fn respond<'a>(path: &str, image: &'a Image) -> (&'static str, &'static str, &'a [u8]) {
    let unknown: (_, _, &[u8]) = (
        "404 Not Found",
        "application/json",
        br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
    );
    let Some(path) = path.strip_prefix("/v2/") else { return unknown };
    if path.is_empty() {
        return ("200 OK", "application/json", b"{}");
    }
    if path.starts_with("no/") {
        return unknown;
    }
    if let Some((_, digested)) = path.split_once("/blobs/") {
        let blob = image.blobs.iter().find(|blob| digest(blob) == digested);
        return blob.map_or(unknown, |blob| ("200 OK", "application/octet-stream", blob));
    }
    match path.split_once("/manifests/") {
        Some((_, which)) if which == "1" || which == digest(&image.manifest) => {
            ("200 OK", MANIFEST, &image.manifest)
        }
        _ => unknown,
    }
}

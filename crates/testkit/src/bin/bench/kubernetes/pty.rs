//! A person's terminal with `kubectl exec -it` in it.

use super::Cluster;
use crate::terminal::Talk;
use anyhow::{Context, Result};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use tokio::process::Child;
use tokio::sync::mpsc;

const PIECE: usize = 64 * 1024;

/// A shell in a pod. kubectl ends with this value; the shell may stay as long as its pod.
pub(super) struct PodTerminal {
    _child: Child,
    keys: File,
    screen: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl PodTerminal {
    /// Starts a shell and waits for its prompt.
    pub(super) async fn shell(cluster: &Cluster, pod: &str) -> Result<Self> {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None)?;
        let (keys, inside) = (File::from(pair.master), File::from(pair.slave));
        let mut command = cluster.command(&["exec", "-it", pod, "--container=workspace", "--", "sh"]);
        let child = command.stdin(inside.try_clone()?).stdout(inside.try_clone()?).stderr(inside).spawn()?;
        // It still holds the inner side, by which the end is told.
        drop(command);
        let (sender, screen) = mpsc::unbounded_channel();
        let mut shown = keys.try_clone()?;
        std::thread::spawn(move || {
            let mut buffer = vec![0; PIECE];
            while let Ok(count @ 1..) = shown.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Self { _child: child, keys, screen };
        let mut seen = Vec::new();
        while !seen.iter().any(|byte| matches!(byte, b'$' | b'#')) {
            seen = terminal.hear().await.context("kubectl exec ended before a prompt came")?;
        }
        Ok(terminal)
    }

    /// To type while another task reads.
    pub(super) fn keys(&self) -> Result<File> {
        Ok(self.keys.try_clone()?)
    }

    /// Reads and forgets until it ends; how many bytes came.
    pub(super) async fn drain(mut self) -> u64 {
        let mut bytes = 0;
        while let Some(piece) = self.hear().await {
            bytes += piece.len() as u64;
        }
        bytes
    }
}

impl Talk for PodTerminal {
    async fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.keys.write_all(text.as_bytes())?)
    }

    async fn hear(&mut self) -> Option<Vec<u8>> {
        self.screen.recv().await
    }
}

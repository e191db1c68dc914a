//! `serve`: the browser interface on this machine.

use crate::arguments::Serve;
use crate::connect;
use crate::output::{complain, json, say};
use aicockpit_cockpit::resources;
use aicockpit_remote::{ServeOptions, Served, serve};
use anyhow::Context;
use serde::Serialize;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn run(options: Serve, as_json: bool) -> anyhow::Result<ExitCode> {
    let ui = match options.ui {
        Some(ui) if ui.join("index.html").is_file() => ui,
        Some(ui) => {
            anyhow::bail!("{} holds no index.html; give the folder of the built interface", ui.display())
        }
        None => resources::ui_directory()?,
    };
    let cockpit = connect::start().await?;
    let served = serve(Arc::clone(&cockpit), ServeOptions { listen: options.listen, ui }).await?;
    tell(&served, as_json)?;
    if !as_json && std::io::stdin().is_terminal() {
        complain(
            "The address signs one browser in, within ten minutes. Enter shows another one, Ctrl-C ends.",
        );
    }
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut stdin = std::io::stdin().is_terminal().then(tokio::io::stdin);
    let mut line = [0; 256];
    loop {
        let enter = async {
            match &mut stdin {
                Some(stdin) => stdin.read(&mut line).await.unwrap_or(0),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = terminated.recv() => break,
            () = served.stopped() => break,
            count = enter => match count {
                0 => stdin = None,
                _ => tell(&served, as_json)?,
            },
        }
    }
    served.stop();
    cockpit.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

fn tell(served: &Served, as_json: bool) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Told {
        url: String,
    }
    let url = served.sign_in_url();
    match as_json {
        true => json(&Told { url }),
        false => say(&url),
    }
}

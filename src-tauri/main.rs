//! The desktop window of AiCockpit.
//!
//! **Invariant:** wiring only. Every use-case is the cockpit's; what is here exists because a desktop has it and a
//! browser has not: a window, a tray, native dialogs and notifications.
//!
//! - [`shell`]: the cockpit behind the window, in this process or in the one that owns the store.
//! - [`commands`]: what the page may call; [`downloads`]: the files it brings to this machine.
//! - [`window`], [`tray`], [`follow`]: the life of the application outside the page.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod downloads;
mod follow;
mod shell;
mod tray;
mod window;

use shell::Shell;
use tauri::{Manager as _, RunEvent};
use tauri_plugin_dialog::{DialogExt as _, MessageDialogKind};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("AICOCKPIT_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tauri::async_runtime::set(runtime.handle().clone());

    tauri::Builder::default()
        .plugin(single_instance())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                // Whether the window is hidden belongs to this run, not to the next one.
                .with_state_flags(
                    tauri_plugin_window_state::StateFlags::all()
                        & !tauri_plugin_window_state::StateFlags::VISIBLE
                        & !tauri_plugin_window_state::StateFlags::DECORATIONS,
                )
                .build(),
        )
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        // The window decides which addresses go to the browser; the plugin's own script would not ask it.
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .manage(Shell::new(runtime.handle().clone()))
        .manage(downloads::Downloads::default())
        .invoke_handler(tauri::generate_handler![
            commands::rpc,
            commands::subscribe,
            commands::pick_folder,
            commands::download_begin,
            commands::download_write,
            commands::download_finish,
            commands::download_cancel
        ])
        .on_window_event(window::on_event)
        .setup(|app| {
            start_cockpit(app.handle().clone());
            window::create(app.handle())?;
            let icon = tray::create(app.handle()).unwrap_or_else(|error| {
                tracing::warn!(%error, "no tray icon");
                None
            });
            follow::spawn(app.handle().clone(), icon);
            Ok(())
        })
        .build(tauri::generate_context!())?
        .run(|app, event| {
            if let RunEvent::Exit = event {
                app.state::<Shell>().shut_down();
            }
        });
    Ok(())
}

/// Starts the cockpit while the window loads. A window without one is of no use: the reason is shown, then it ends.
fn start_cockpit(app: tauri::AppHandle) {
    tauri::async_runtime::spawn(async move {
        if let Err(reason) = app.state::<Shell>().start().await {
            tracing::error!(%reason, "the cockpit cannot start");
            let exit = app.clone();
            app.dialog()
                .message(reason.to_string())
                .title("AiCockpit cannot start")
                .kind(MessageDialogKind::Error)
                .show(move |_| exit.exit(1));
        }
    });
}

/// A second start shows the window of the first. One with a data directory of its own is an instance of its own.
fn single_instance() -> tauri::plugin::TauriPlugin<tauri::Wry> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut name = String::from("dev.aicockpit.desktop");
    if let Some(home) = std::env::var_os("AICOCKPIT_HOME").filter(|home| !home.is_empty()) {
        let mut hasher = DefaultHasher::new();
        home.hash(&mut hasher);
        name.push_str(&format!(".home{:016x}", hasher.finish()));
    }
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(name)
        .callback(|app, _arguments, _directory| window::show(app))
        .build()
}

//! The tray icon: the running workspaces, one click to each; the way back to a hidden window; the way out.

use crate::follow::All;
use crate::window;
use aicockpit_protocol::workspace::WorkspaceState;
use std::sync::atomic::{AtomicBool, Ordering};
use tauri::AppHandle;
use tauri::image::Image;
use tauri::menu::{Menu, MenuBuilder, MenuEvent, MenuItemBuilder};
use tauri::tray::{TrayIcon, TrayIconBuilder};

const SHOW: &str = "show";
const QUIT: &str = "quit";
/// What the menu's entry of a workspace begins with; its id follows.
const OPEN: &str = "open:";
/// Most workspaces the menu lists: more would not fit on a screen.
const MOST_LISTED: usize = 20;

/// Whether a tray icon can be seen, and so a hidden window be brought back.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether a tray icon can be seen.
pub(crate) fn is_shown() -> bool {
    SHOWN.load(Ordering::Relaxed)
}

/// Makes the icon; `None` where the desktop shows no such icons.
pub(crate) fn create(app: &AppHandle) -> tauri::Result<Option<TrayIcon>> {
    if !desktop_has_trays() {
        return Ok(None);
    }
    let icon = TrayIconBuilder::with_id("main")
        .icon(Image::from_bytes(include_bytes!("../icons/tray.png"))?)
        .tooltip("AiCockpit")
        .menu(&menu(app, &All::new())?)
        .on_menu_event(chosen)
        .build(app)?;
    SHOWN.store(true, Ordering::Relaxed);
    Ok(Some(icon))
}

/// Brings the menu up to date.
pub(crate) fn show(app: &AppHandle, icon: Option<&TrayIcon>, all: &All) {
    let Some(icon) = icon else { return };
    if let Err(error) = menu(app, all).and_then(|menu| icon.set_menu(Some(menu))) {
        tracing::warn!(%error, "the tray's menu could not be made");
    }
}

fn menu(app: &AppHandle, all: &All) -> tauri::Result<Menu<tauri::Wry>> {
    let mut menu = MenuBuilder::new(app).text(SHOW, "Show AiCockpit").separator();
    let mut running: Vec<_> = all
        .iter()
        .filter(|(_, known)| matches!(known.state, WorkspaceState::Running | WorkspaceState::Paused))
        .collect();
    running.sort_by_key(|(_, known)| known.name.to_lowercase());
    for (id, known) in running.iter().take(MOST_LISTED) {
        menu = menu.text(format!("{OPEN}{id}"), &known.name);
    }
    if running.is_empty() {
        menu = menu.item(&MenuItemBuilder::new("No workspace is running").enabled(false).build(app)?);
    }
    menu.separator().text(QUIT, "Quit (workspaces keep running)").build()
}

fn chosen(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        SHOW => window::show(app),
        QUIT => app.exit(0),
        other => {
            if let Some(id) = other.strip_prefix(OPEN) {
                window::show(app);
                window::open_workspace(app, id);
            }
        }
    }
}

/// Tray icons are drawn by the desktop's StatusNotifierItem host. GNOME without its extension has none: there, a
/// hidden window could not be brought back by a click.
#[cfg(target_os = "linux")]
fn desktop_has_trays() -> bool {
    use gtk::gio;
    use gtk::prelude::*;
    let Ok(bus) = gio::bus_get_sync(gio::BusType::Session, gio::Cancellable::NONE) else { return false };
    bus.call_sync(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus",
        "NameHasOwner",
        Some(&("org.kde.StatusNotifierWatcher",).to_variant()),
        None,
        gio::DBusCallFlags::NONE,
        500,
        gio::Cancellable::NONE,
    )
    .ok()
    .and_then(|answer| answer.get::<(bool,)>())
    .is_some_and(|(owned,)| owned)
}

#[cfg(not(target_os = "linux"))]
fn desktop_has_trays() -> bool {
    true
}

//! The window: what may be loaded into it, and what closing it means.

use crate::tray;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, Url, WebviewWindow, WebviewWindowBuilder, Window, WindowEvent};
use tauri_plugin_opener::OpenerExt as _;

/// Label of the one window.
const MAIN: &str = "main";

/// Makes the window. It shows this application's own page and never anything else: what a workspace serves, and any
/// other address, opens in the default browser.
pub(crate) fn create(app: &AppHandle) -> tauri::Result<()> {
    let Some(config) = app.config().app.windows.iter().find(|window| window.label == MAIN) else {
        return Err(tauri::Error::WindowNotFound);
    };
    let (from_link, from_page) = (app.clone(), app.clone());
    WebviewWindowBuilder::from_config(app, config)?
        .on_new_window(move |address, _| {
            open_in_browser(&from_link, &address);
            NewWindowResponse::Deny
        })
        .on_navigation(move |address| {
            let own = is_own_page(address);
            if !own {
                open_in_browser(&from_page, address);
            }
            own
        })
        .build()?;
    Ok(())
}

/// Brings the window to the front, from the tray or from behind others.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = main(app) else { return };
    for outcome in [window.unminimize(), window.show(), window.set_focus()] {
        if let Err(error) = outcome {
            tracing::warn!(%error, "the window could not be brought to the front");
        }
    }
}

/// Whether a person sees what happens in it.
pub(crate) fn is_looked_at(app: &AppHandle) -> bool {
    main(app)
        .is_some_and(|window| window.is_visible().unwrap_or(false) && window.is_focused().unwrap_or(false))
}

/// Takes the page to a workspace.
pub(crate) fn open_workspace(app: &AppHandle, id: &str) {
    let Some(window) = main(app) else { return };
    // As JSON, the address is data whatever the id holds.
    let hash = serde_json::Value::from(format!("#/workspace/{id}"));
    if let Err(error) = window.eval(format!("location.hash = {hash}")) {
        tracing::warn!(%error, "the page could not be taken to a workspace");
    }
}

/// Workspaces run on whether the window hides or the application ends: they are the engine's.
pub(crate) fn on_event(window: &Window, event: &WindowEvent) {
    if let WindowEvent::CloseRequested { api, .. } = event
        && tray::is_shown()
    {
        api.prevent_close();
        if let Err(error) = window.hide() {
            tracing::warn!(%error, "the window could not be hidden");
        }
    }
}

fn main(app: &AppHandle) -> Option<WebviewWindow> {
    app.get_webview_window(MAIN)
}

fn is_own_page(address: &Url) -> bool {
    // Windows and Android have no custom schemes and use a host name instead.
    address.scheme() == "tauri"
        || (address.scheme() == "http" && address.host_str() == Some("tauri.localhost"))
}

/// `file:` and the schemes of other programs are not followed: a workspace may have written them.
fn is_web(address: &Url) -> bool {
    matches!(address.scheme(), "http" | "https")
}

fn open_in_browser(app: &AppHandle, address: &Url) {
    if !is_web(address) {
        tracing::warn!(%address, "an address that is not of the web was not opened");
        return;
    }
    if let Err(error) = app.opener().open_url(address.as_str(), None::<&str>) {
        tracing::warn!(%error, %address, "the default browser could not be started");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_window_stays_on_its_own_page() {
        assert!(is_own_page(&address("tauri://localhost/#/workspace/1")));
        assert!(is_own_page(&address("http://tauri.localhost/")));
        for other in [
            "http://localhost:3000/",
            "https://example.org/",
            "http://tauri.localhost.example.org/",
            "data:text/html,x",
        ] {
            assert!(!is_own_page(&address(other)), "{other}");
        }
    }

    #[test]
    fn only_addresses_of_the_web_leave_for_the_browser() {
        assert!(is_web(&address("http://p3000.localhost:41234/")));
        for other in ["file:///etc/passwd", "javascript:alert(1)", "ssh://host", "smb://host/share"] {
            assert!(!is_web(&address(other)), "{other}");
        }
    }
}

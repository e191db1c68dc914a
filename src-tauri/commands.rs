//! What the page may call. Everything else of Tauri and its plugins is out of its reach.

use crate::shell::Shell;
use tauri::ipc::{Channel, InvokeBody, InvokeResponseBody, Request, Response};
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt as _;

/// Takes one frame for the cockpit. Not async on purpose: Tauri runs such a command where it arrives, so that frames
/// keep the order in which the page sent them. Replies and everything else come by the channel of [`subscribe`].
#[tauri::command]
pub(crate) fn rpc(request: Request<'_>, shell: State<'_, Shell>) -> Result<Response, String> {
    let InvokeBody::Raw(frame) = request.body() else {
        return Err("a frame is raw bytes".to_owned());
    };
    shell.send(frame)?;
    Ok(Response::new(Vec::new()))
}

/// Connects the page, in place of the connection it had before it was loaded anew. An empty message on the channel
/// says that the connection ended and the page has to subscribe again.
#[tauri::command]
pub(crate) async fn subscribe(
    channel: Channel<InvokeResponseBody>,
    shell: State<'_, Shell>,
) -> Result<(), String> {
    shell
        .subscribe(move |frame| channel.send(InvokeResponseBody::Raw(frame)).is_ok())
        .await
        .map_err(|error| error.to_string())
}

/// Asks for a folder of this machine.
#[tauri::command]
pub(crate) async fn pick_folder(app: AppHandle) -> Option<String> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.dialog().file().set_title("Choose a folder for the workspace").pick_folder(move |folder| {
        // The page may be gone by now.
        let _ = answer.send(folder);
    });
    let folder = answered.await.ok().flatten()?.into_path().ok()?;
    folder.to_str().map(str::to_owned)
}

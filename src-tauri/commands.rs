//! What the page may call. Everything else of Tauri and its plugins is out of its reach.

use crate::downloads::Downloads;
use crate::shell::Shell;
use tauri::ipc::{Channel, InvokeBody, InvokeResponseBody, Request, Response};
use tauri::{AppHandle, Manager as _, State};
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

/// Begins a file in the person's folder of downloads; the number by which the next three know it.
#[tauri::command]
pub(crate) async fn download_begin(
    name: String,
    app: AppHandle,
    downloads: State<'_, Downloads>,
) -> Result<u32, String> {
    let paths = app.path();
    // Not every desktop has said which folder that is.
    let folder = paths.download_dir().or_else(|_| paths.home_dir().map(|home| home.join("Downloads")));
    let folder = folder.map_err(|error| error.to_string())?;
    downloads.begin(&folder, &name)
}

/// Appends the raw body to the file that the header `download` names.
#[tauri::command]
pub(crate) async fn download_write(
    request: Request<'_>,
    downloads: State<'_, Downloads>,
) -> Result<(), String> {
    let id = request.headers().get("download").and_then(|id| id.to_str().ok()?.parse().ok());
    match (request.body(), id) {
        (InvokeBody::Raw(bytes), Some(id)) => downloads.write(id, bytes),
        _ => Err("a piece of a download is raw bytes and names its download".to_owned()),
    }
}

/// Gives the file its name; its path.
#[tauri::command]
pub(crate) async fn download_finish(id: u32, downloads: State<'_, Downloads>) -> Result<String, String> {
    downloads.finish(id).map(|path| path.display().to_string())
}

/// Removes what has come so far.
#[tauri::command]
pub(crate) async fn download_cancel(id: u32, downloads: State<'_, Downloads>) -> Result<(), String> {
    downloads.cancel(id);
    Ok(())
}

//! The UI's files.

use axum::http::header::{self, HeaderValue};
use axum::http::{Request, Response};
use std::convert::Infallible;
use std::path::Path;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::services::{ServeDir, ServeFile};

/// Files of `folder`; any other path is the UI's own business and gets its page. Names below `/assets/` hold a hash
/// of their content, so they never change.
pub(crate) fn files(
    folder: &Path,
) -> impl Service<
    Request<axum::body::Body>,
    Response = Response<axum::body::Body>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let page = ServeFile::new(folder.join("index.html")).precompressed_gzip().precompressed_br();
    let files = ServeDir::new(folder)
        .append_index_html_on_directories(true)
        .precompressed_gzip()
        .precompressed_br()
        .fallback(page);
    ServiceBuilder::new().service_fn(move |request: Request<axum::body::Body>| {
        let files = files.clone();
        async move {
            let asset = request.uri().path().starts_with("/assets/");
            let response = files.oneshot(request).await?;
            let found = response.status().is_success() || response.status().is_redirection();
            let mut response = response.map(axum::body::Body::new);
            // An asset that is not there must not be answered with the page.
            let page_for_asset = asset
                && response
                    .headers()
                    .get(header::CONTENT_TYPE)
                    .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
            if page_for_asset {
                response = Response::new(axum::body::Body::empty());
                *response.status_mut() = axum::http::StatusCode::NOT_FOUND;
            }
            let caching = if asset && found && !page_for_asset {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            };
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
            Ok(response)
        }
    })
}

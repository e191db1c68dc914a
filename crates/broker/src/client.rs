//! HTTP clients of the backends that are off this machine or ask for TLS: each leads where its backend is and nowhere
//! else.

use crate::backend::told;
use crate::offline::{Gate, Guard, LOOPBACK};
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// Time a server has to take a connection.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are kept open and idle.
pub(crate) const MOST_IDLE: usize = 64;

/// Redirects are not followed: a server of models has no reason to send our key elsewhere.
fn builder(is_secure: bool) -> Result<reqwest::ClientBuilder, String> {
    Ok(Client::builder()
        .tls_backend_preconfigured(tls(is_secure)?)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .pool_max_idle_per_host(MOST_IDLE)
        .tcp_nodelay(true))
}

fn built(builder: reqwest::ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| told(&error))
}

/// A client that opens no socket while we are offline. The system's proxies lie on its way.
pub(crate) fn far(base: &Url, gate: &Gate) -> Result<Client, String> {
    built(builder(base.scheme() == "https")?.connector_layer(Guard(gate.clone())))
}

/// A client that never leaves this machine: its name is asked of nobody, and no proxy lies on the way. Of backends,
/// only those that ask for TLS need it; see [`crate::plain`].
pub(crate) fn near(base: &Url) -> Result<Client, String> {
    let builder = builder(base.scheme() == "https")?.no_proxy();
    built(match base.host() {
        Some(url::Host::Domain(name)) => builder.resolve_to_addrs(name, &LOOPBACK),
        _ => builder,
    })
}

/// A client for servers of this machine.
pub(crate) fn loopback_client() -> Result<Client, String> {
    let base = Url::parse("http://127.0.0.1/").map_err(|error| error.to_string())?;
    near(&base)
}

/// The system's authorities are loaded only where they are needed: a container without any can still reach a server
/// beside it.
fn tls(needed: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match needed {
        false => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        true => {
            let verifier = rustls_platform_verifier::Verifier::new(provider)
                .map_err(|error| format!("this machine's certificate authorities cannot be read: {error}"))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

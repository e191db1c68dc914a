//! Signing in: a one-time token from the address that was printed, exchanged for a bearer.

use crate::Shared;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// How long a printed address signs in.
pub const SIGN_IN_WITHIN: Duration = Duration::from_secs(600);
/// Tokens waiting to be used; the oldest goes first.
const MAX_TOKENS: usize = 16;
/// Browsers signed in; the one that signed in first goes first.
const MAX_BEARERS: usize = 256;

/// Who may connect. Secrets are kept as hashes, for the life of the process.
#[derive(Default)]
pub struct SignIn(Mutex<Secrets>);

#[derive(Default)]
struct Secrets {
    tokens: Vec<(Secret, Instant)>,
    bearers: Vec<Secret>,
}

type Secret = [u8; 32];

impl SignIn {
    /// A token that can be used once, within [`SIGN_IN_WITHIN`].
    pub fn new_token(&self) -> String {
        let (text, hash) = new_secret();
        let mut secrets = self.lock();
        if secrets.tokens.len() >= MAX_TOKENS {
            secrets.tokens.remove(0);
        }
        secrets.tokens.push((hash, Instant::now() + SIGN_IN_WITHIN));
        text
    }

    /// Uses a token up; the bearer where it was good.
    pub fn exchange(&self, token: &str) -> Option<String> {
        let wanted = hash(token);
        let mut secrets = self.lock();
        let now = Instant::now();
        secrets.tokens.retain(|(_, until)| *until > now);
        // Every entry is compared, so that the time tells nothing.
        let mut found = None;
        for (at, (known, _)) in secrets.tokens.iter().enumerate() {
            if bool::from(known.ct_eq(&wanted)) {
                found = Some(at);
            }
        }
        secrets.tokens.remove(found?);
        if secrets.bearers.len() >= MAX_BEARERS {
            secrets.bearers.remove(0);
        }
        let (text, hash) = new_secret();
        secrets.bearers.push(hash);
        Some(text)
    }

    /// Whether a bearer is one of ours.
    pub fn knows(&self, bearer: &str) -> bool {
        let wanted = hash(bearer);
        let secrets = self.lock();
        let any =
            secrets.bearers.iter().fold(subtle::Choice::from(0), |any, known| any | known.ct_eq(&wanted));
        bool::from(any)
    }

    fn lock(&self) -> MutexGuard<'_, Secrets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 32 random bytes as text, and their hash.
fn new_secret() -> (String, Secret) {
    let mut bytes = [0; 32];
    // The operating system's source does not fail once the machine is up; without it no secret may be made.
    if let Err(error) = rand::rngs::SysRng.try_fill_bytes(&mut bytes) {
        panic!("the operating system gives no random bytes: {error}");
    }
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash(&text);
    (text, hash)
}

fn hash(text: &str) -> Secret {
    Sha256::digest(text.as_bytes()).into()
}

#[derive(Deserialize)]
pub(crate) struct SignInBody {
    token: String,
}

#[derive(Serialize)]
struct SignedIn {
    bearer: String,
}

/// `POST /api/sign-in`.
pub(crate) async fn sign_in(
    State(shared): State<Shared>,
    body: Result<Json<SignInBody>, JsonRejection>,
) -> Response {
    let Ok(Json(body)) = body else {
        return (StatusCode::BAD_REQUEST, "The body must be JSON: {\"token\": \"…\"}.\n").into_response();
    };
    match shared.sign_in.exchange(&body.token) {
        Some(bearer) => Json(SignedIn { bearer }).into_response(),
        None => {
            tracing::info!("a sign-in with a used, old or unknown token was refused");
            let text =
                "This address was used already or is too old. Ask `aicockpit serve` for another one.\n";
            (StatusCode::UNAUTHORIZED, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_signs_in_once_and_not_when_it_is_old() {
        let sign_in = SignIn::default();
        let token = sign_in.new_token();
        let bearer = sign_in.exchange(&token).unwrap();
        assert!(sign_in.knows(&bearer));
        assert!(!sign_in.knows(&token), "a token is no bearer");
        assert_eq!(sign_in.exchange(&token), None, "it was used");
        let old = sign_in.new_token();
        tokio::time::advance(SIGN_IN_WITHIN).await;
        assert_eq!(sign_in.exchange(&old), None, "it is old");
        assert!(sign_in.knows(&bearer), "signing in again does not sign others out");
    }
}

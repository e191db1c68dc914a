//! Trying a model: one question, and its answer as the model writes it.

use super::Models;
use aicockpit_broker::AskError;
use aicockpit_protocol::api::TryModel;
use aicockpit_protocol::{ApiError, ErrorCode};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

/// Who asks, in the ledger and the limits.
const OWNER: &str = "try";
/// Longest question, in bytes.
const MAX_PROMPT: usize = 64 * 1024;

impl Models {
    /// Asks a model. Dropping the answer cancels it.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] for the question; [`ErrorCode::InvalidState`] with the broker's sentence where no
    /// answer begins.
    pub(crate) async fn try_model(
        &self,
        asked: &TryModel,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        if asked.prompt.len() > MAX_PROMPT {
            return Err(ApiError::new(ErrorCode::TooLarge, "The question is larger than 64 KiB.")
                .hint("Ask something shorter, or ask from a program."));
        }
        let answer = self.broker.ask(OWNER, &asked.model, &asked.prompt).await.map_err(unanswered)?;
        Ok(answer.map(|piece| piece.map(Bytes::from).map_err(unanswered)).boxed())
    }
}

fn unanswered(error: AskError) -> ApiError {
    ApiError::new(ErrorCode::InvalidState, error.message)
}

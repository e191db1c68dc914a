//! Bytes of files, programs, searches and logs between an agent and a client.

use super::streams::{Gone, MAX_PIECE, StreamInput, StreamOutput};
use crate::agent::Lease;
use aicockpit_link::{LinkError, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{AgentError, MAX_MESSAGE_LEN, decode};
use aicockpit_protocol::api::StreamEnd;
use aicockpit_protocol::fs::FileStat;
use aicockpit_protocol::process::ExecFrame;
use aicockpit_protocol::search::SearchMessage;
use aicockpit_protocol::{ApiError, ErrorCode};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// Largest answer about a file, in bytes.
const MAX_STAT: usize = 64 * 1024;
/// Largest frame of a program's output, in bytes.
const MAX_EXEC_FRAME: usize = 1024 * 1024;

/// How a transfer ended; an error is told to the client.
type Ended = Result<StreamEnd, Stop>;

enum Stop {
    Gone,
    Failed(ApiError),
}

impl From<Gone> for Stop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        Self::Failed(broken(error.to_string()))
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(broken(error.to_string()))
    }
}

fn broken(reason: String) -> ApiError {
    ApiError::new(
        ErrorCode::AgentUnavailable,
        format!("The connection to the workspace's agent broke: {reason}."),
    )
    .hint("Try once more.")
}

async fn conclude(output: StreamOutput, ended: Ended) {
    match ended {
        Ok(end) => output.finish(end).await,
        Err(Stop::Failed(error)) => output.finish(StreamEnd::Failed { error }).await,
        Err(Stop::Gone) => drop(output),
    }
}

/// Whether the client wants no more. For streams on which it has nothing to say.
async fn let_go(input: &mut StreamInput) {
    while let Some(bytes) = input.next().await {
        input.consumed(bytes.len()).await;
    }
}

/// The agent's word about a file, from the head of a download or the end of an upload.
pub(super) async fn read_stat(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
) -> Result<FileStat, ApiError> {
    let answer = read_frame(stream, MAX_STAT)
        .await
        .map_err(|error| broken(error.to_string()))?
        .ok_or_else(|| broken("the agent gave no answer".to_owned()))?;
    Ok(decode::<Result<FileStat, AgentError>>(&answer)??)
}

/// Bytes from the agent, whose head has been read.
pub(super) async fn download(
    _lease: Lease,
    mut stream: LinkStream,
    mut input: StreamInput,
    output: StreamOutput,
) {
    let ended = tokio::select! {
        ended = send_all(&mut stream, &output) => ended,
        () = let_go(&mut input) => Ok(StreamEnd::Finished { stat: None }),
        () = output.gone() => Err(Stop::Gone),
    };
    conclude(output, ended).await;
}

async fn send_all(stream: &mut LinkStream, output: &StreamOutput) -> Ended {
    let mut buffer = vec![0; MAX_PIECE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(StreamEnd::Finished { stat: None }),
            count => output.send(&buffer[..count]).await?,
        }
    }
}

/// Bytes to the agent. Broken off by the client, nothing is written.
pub(super) async fn upload(_lease: Lease, stream: LinkStream, mut input: StreamInput, output: StreamOutput) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        ended = receive_all(&mut reader, &mut writer, &mut input) => ended,
        () = output.gone() => Err(Stop::Gone),
    };
    conclude(output, ended).await;
}

async fn receive_all(
    reader: &mut ReadHalf<LinkStream>,
    writer: &mut WriteHalf<LinkStream>,
    input: &mut StreamInput,
) -> Ended {
    let answer = read_stat(reader);
    tokio::pin!(answer);
    let sent = async {
        while let Some(bytes) = input.next().await {
            writer.write_all(&bytes).await?;
            input.consumed(bytes.len()).await;
        }
        writer.shutdown().await
    };
    let stat = tokio::select! {
        // An answer before the end is a refusal, and says more than the broken pipe that follows it.
        biased;
        stat = &mut answer => stat?,
        sent = sent => match sent {
            Ok(()) => answer.await?,
            Err(error) => match answer.await {
                Err(refused) => return Err(refused.into()),
                Ok(_) => return Err(error.into()),
            },
        },
    };
    Ok(StreamEnd::Finished { stat: Some(stat) })
}

/// A program's three streams.
pub(super) async fn exec(_lease: Lease, stream: LinkStream, mut input: StreamInput, output: StreamOutput) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        ended = exec_output(&mut reader, &output) => ended,
        ended = exec_input(&mut writer, &mut input) => ended,
        () = output.gone() => Err(Stop::Gone),
    };
    conclude(output, ended).await;
}

async fn exec_output(reader: &mut ReadHalf<LinkStream>, output: &StreamOutput) -> Ended {
    loop {
        let Some(frame) = read_frame(reader, MAX_EXEC_FRAME).await? else {
            return Err(Stop::Failed(broken(
                "the program's stream ended without its exit status".to_owned(),
            )));
        };
        let Some((&kind, bytes)) = frame.split_first() else {
            return Err(Stop::Failed(unreadable()));
        };
        let last = kind == ExecFrame::Exit as u8 || kind == ExecFrame::Failed as u8;
        if !last && kind != ExecFrame::Data as u8 && kind != ExecFrame::Stderr as u8 {
            return Err(Stop::Failed(unreadable()));
        }
        if frame.len() <= MAX_PIECE {
            output.send_whole(&frame).await?;
        } else {
            for piece in bytes.chunks(MAX_PIECE - 1) {
                let mut part = Vec::with_capacity(MAX_PIECE);
                part.push(kind);
                part.extend_from_slice(piece);
                output.send_whole(&part).await?;
            }
        }
        if last {
            return Ok(StreamEnd::Finished { stat: None });
        }
    }
}

async fn exec_input(writer: &mut WriteHalf<LinkStream>, input: &mut StreamInput) -> Ended {
    while let Some(frame) = input.next().await {
        if frame.first() != Some(&(ExecFrame::Data as u8)) {
            let error = ApiError::new(ErrorCode::InvalidArgument, "A program takes frames of data only.");
            return Err(Stop::Failed(error));
        }
        if write_frame(writer, &frame).await.is_err() {
            // The program ended without reading on; its exit status comes by the other half.
            let_go(input).await;
            break;
        }
        input.consumed(frame.len()).await;
    }
    // The client let go.
    Ok(StreamEnd::Finished { stat: None })
}

/// Search results, one JSON text a line.
pub(super) async fn search(
    _lease: Lease,
    mut stream: LinkStream,
    mut input: StreamInput,
    output: StreamOutput,
) {
    let ended = tokio::select! {
        ended = search_results(&mut stream, &output) => ended,
        () = let_go(&mut input) => Ok(StreamEnd::Finished { stat: None }),
        () = output.gone() => Err(Stop::Gone),
    };
    conclude(output, ended).await;
}

async fn search_results(stream: &mut LinkStream, output: &StreamOutput) -> Ended {
    loop {
        let Some(message) = read_frame(stream, MAX_MESSAGE_LEN).await? else {
            return Err(Stop::Failed(broken("the search ended without its last message".to_owned())));
        };
        let message = decode::<Result<SearchMessage, AgentError>>(&message)??;
        let mut line = serde_json::to_vec(&message).map_err(|_| Stop::Failed(unreadable()))?;
        line.push(b'\n');
        output.send(&line).await?;
        if matches!(message, SearchMessage::Done { .. }) {
            return Ok(StreamEnd::Finished { stat: None });
        }
    }
}

/// Text as it comes: a container's own output, or a model's answer.
pub(super) async fn text(
    mut chunks: BoxStream<'static, Result<Bytes, ApiError>>,
    mut input: StreamInput,
    output: StreamOutput,
) {
    let all = async {
        while let Some(chunk) = chunks.next().await {
            output.send(&chunk?).await?;
        }
        Ok(StreamEnd::Finished { stat: None })
    };
    let ended = tokio::select! {
        ended = all => ended,
        () = let_go(&mut input) => Ok(StreamEnd::Finished { stat: None }),
        () = output.gone() => Err(Stop::Gone),
    };
    conclude(output, ended).await;
}

fn unreadable() -> ApiError {
    ApiError::new(ErrorCode::Protocol, "The workspace's agent sent a frame that cannot be read.")
}

//! A terminal's bytes between its agent and a client, across reconnects of the agent's link.

use super::streams::{Gone, MAX_PIECE, StreamInput, StreamOutput};
use crate::agent::{AgentHandle, Lease};
use aicockpit_link::{LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, MAX_MESSAGE_LEN, Open, TERMINAL_CLOSED, TERMINAL_DATA, TERMINAL_RESYNC, decode,
};
use aicockpit_protocol::api::{LinkState, StreamEnd};
use aicockpit_protocol::terminal::{AttachTerminal, Attached};
use aicockpit_protocol::{ApiError, ErrorCode, TerminalId};
use bytes::{Buf, BytesMut};
use futures::FutureExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, ReadHalf, WriteHalf};

/// Largest snapshot accepted, in bytes.
const MAX_SNAPSHOT: u64 = 64 * 1024 * 1024;
/// Largest first message, in bytes.
const MAX_ATTACHED: usize = 64 * 1024;

/// Wait between two tries to attach.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Attachments in a row that may break without a byte of output, before the terminal is given up.
const MAX_FRUITLESS: u32 = 50;

/// One attachment to a terminal.
pub(super) struct Attachment {
    /// Where it began.
    pub(super) attached: Attached,
    reader: ReadHalf<LinkStream>,
    writer: WriteHalf<LinkStream>,
    buffer: BytesMut,
    /// Bytes of the snapshot still to come.
    snapshot_left: u64,
    /// Offset of the next live byte.
    offset: u64,
}

/// Why bytes stopped coming.
enum Stop {
    /// The client left or let go.
    ClientGone,
    /// The client said so.
    ClientEnded,
    /// The link broke.
    Lost,
    /// The agent said so.
    Told(StreamEnd),
}

/// Attaches, connecting to the agent where needed.
pub(super) async fn attach(agent: &AgentHandle, wanted: AttachTerminal) -> Result<Attachment, ApiError> {
    let from = wanted.from;
    let mut stream = agent.open(Open::Terminal(wanted)).await?;
    let broken = |reason: String| {
        ApiError::new(ErrorCode::AgentUnavailable, format!("The terminal could not be attached: {reason}."))
    };
    let first = read_frame(&mut stream, MAX_ATTACHED)
        .await
        .map_err(|error| broken(error.to_string()))?
        .ok_or_else(|| broken("the agent gave no answer".to_owned()))?;
    let attached = decode::<Result<Attached, AgentError>>(&first)??;
    let goes_on = attached.snapshot_len == 0 && from.is_some_and(|from| from != attached.offset);
    if attached.snapshot_len > MAX_SNAPSHOT || goes_on {
        return Err(ApiError::new(
            ErrorCode::Protocol,
            "The agent answered with a position that was not asked for.",
        ));
    }
    let (reader, writer) = tokio::io::split(stream);
    let (snapshot_left, offset) = (attached.snapshot_len, attached.offset);
    Ok(Attachment { attached, reader, writer, buffer: BytesMut::new(), snapshot_left, offset })
}

/// Carries bytes both ways until either side ends, attaching again when the link breaks.
pub(super) async fn carry(
    lease: Lease,
    terminal: TerminalId,
    mut attachment: Attachment,
    mut input: StreamInput,
    output: StreamOutput,
) {
    let mut fruitless = 0;
    let end = loop {
        let begin = attachment.offset;
        let stop = {
            let Attachment { reader, writer, buffer, snapshot_left, offset, .. } = &mut attachment;
            let mut position = Position { snapshot_left, offset };
            tokio::select! {
                stop = pull(reader, buffer, &mut position, &output) => stop,
                stop = push(writer, &mut input) => stop,
                () = output.gone() => Stop::ClientGone,
            }
        };
        match stop {
            Stop::ClientGone => return,
            Stop::ClientEnded => break StreamEnd::Finished { stat: None },
            Stop::Told(end) => break end,
            // Half a snapshot cannot be gone on with.
            Stop::Lost if attachment.snapshot_left > 0 => break StreamEnd::Resync,
            Stop::Lost => {
                // An agent that attaches and lets go again and again must not keep us busy.
                fruitless = if attachment.offset > begin { 0 } else { fruitless + 1 };
                if fruitless > MAX_FRUITLESS {
                    let error = ApiError::new(
                        ErrorCode::AgentUnavailable,
                        "The workspace's agent does not keep the terminal attached.",
                    );
                    break StreamEnd::Failed { error };
                }
                let wanted = AttachTerminal { terminal, from: Some(attachment.offset) };
                let again = tokio::select! {
                    again = attach_again(lease.agent(), wanted) => again,
                    () = output.gone() => return,
                };
                match again {
                    Ok(again) if again.attached.snapshot_len == 0 => attachment = again,
                    Ok(_) => break StreamEnd::Resync,
                    Err(error) if error.code == ErrorCode::NotFound => break StreamEnd::Closed,
                    Err(error) => break StreamEnd::Failed { error },
                }
            }
        }
    };
    output.finish(end).await;
}

/// Attaches as long as the connection is being made again.
async fn attach_again(agent: &AgentHandle, wanted: AttachTerminal) -> Result<Attachment, ApiError> {
    let state = agent.state();
    loop {
        let outcome = attach(agent, wanted.clone()).await;
        let connecting = matches!(
            &*state.borrow(),
            LinkState::Reconnecting { .. } | LinkState::Connecting | LinkState::Connected
        );
        match outcome {
            Err(error) if error.code == ErrorCode::AgentUnavailable && connecting => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            outcome => return outcome,
        }
    }
}

struct Position<'a> {
    snapshot_left: &'a mut u64,
    offset: &'a mut u64,
}

impl Position<'_> {
    fn advance(&mut self, bytes: u64) {
        let of_snapshot = bytes.min(*self.snapshot_left);
        *self.snapshot_left -= of_snapshot;
        *self.offset += bytes - of_snapshot;
    }
}

/// Output: what is there already goes in one piece, up to [`MAX_PIECE`]; nothing waits for more.
async fn pull(
    reader: &mut ReadHalf<LinkStream>,
    buffer: &mut BytesMut,
    position: &mut Position<'_>,
    output: &StreamOutput,
) -> Stop {
    let mut piece = Vec::with_capacity(MAX_PIECE);
    loop {
        let mut stop = None;
        while stop.is_none() && piece.len() < MAX_PIECE {
            match next_frame(buffer) {
                Ok(Some((TERMINAL_DATA, bytes))) => piece.extend_from_slice(&bytes),
                Ok(Some((TERMINAL_RESYNC, _))) => stop = Some(Stop::Told(StreamEnd::Resync)),
                Ok(Some((TERMINAL_CLOSED, _))) => stop = Some(Stop::Told(StreamEnd::Closed)),
                Ok(Some(_)) => stop = Some(Stop::Told(StreamEnd::Failed { error: malformed() })),
                Err(error) => stop = Some(Stop::Told(StreamEnd::Failed { error })),
                Ok(None) => {
                    let read = if piece.is_empty() {
                        fill(reader, buffer).await
                    } else {
                        match fill(reader, buffer).now_or_never() {
                            Some(read) => read,
                            None => break,
                        }
                    };
                    if read.is_err() {
                        stop = Some(Stop::Lost);
                    }
                }
            }
        }
        if let Err(Gone) = output.send(&piece).await {
            return Stop::ClientGone;
        }
        position.advance(piece.len() as u64);
        piece.clear();
        if let Some(stop) = stop {
            return stop;
        }
    }
}

/// Reads what is there; the end is an error, since an attachment ends with a frame that says so. Dropped while
/// waiting, it has read nothing.
async fn fill(reader: &mut ReadHalf<LinkStream>, buffer: &mut BytesMut) -> io::Result<()> {
    buffer.reserve(MAX_PIECE);
    match reader.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Takes one whole frame off the buffer: its kind and its bytes.
fn next_frame(buffer: &mut BytesMut) -> Result<Option<(u8, BytesMut)>, ApiError> {
    let Some((header, rest)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*header) as usize;
    if len == 0 || len > MAX_MESSAGE_LEN {
        return Err(malformed());
    }
    if rest.len() < len {
        return Ok(None);
    }
    buffer.advance(4);
    let mut frame = buffer.split_to(len);
    let kind = frame.get_u8();
    Ok(Some((kind, frame)))
}

fn malformed() -> ApiError {
    ApiError::new(ErrorCode::Protocol, "The workspace's agent sent a terminal frame that cannot be read.")
}

/// Input, each piece at once. A piece under way when the link breaks is lost rather than typed twice.
async fn push(writer: &mut WriteHalf<LinkStream>, input: &mut StreamInput) -> Stop {
    while let Some(bytes) = input.next().await {
        input.consumed(bytes.len()).await;
        let mut frame = Vec::with_capacity(1 + bytes.len());
        frame.push(TERMINAL_DATA);
        frame.extend_from_slice(&bytes);
        if write_frame(writer, &frame).await.is_err() {
            // The reading half says so too, once it has handed on what came before.
            return std::future::pending().await;
        }
    }
    Stop::ClientEnded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_are_found_wherever_reads_were_cut(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10),
            cut in 1usize..16,
        ) {
            let mut wire = Vec::new();
            for payload in &payloads {
                wire.extend_from_slice(&(payload.len() as u32 + 1).to_le_bytes());
                wire.push(TERMINAL_DATA);
                wire.extend_from_slice(payload);
            }
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some((kind, bytes)) = next_frame(&mut buffer).unwrap() {
                    prop_assert_eq!(kind, TERMINAL_DATA);
                    found.push(bytes.to_vec());
                }
            }
            prop_assert_eq!(found, payloads);
        }
    }

    #[test]
    fn a_frame_of_no_or_of_absurd_length_is_refused() {
        for len in [0u32, u32::MAX] {
            let mut buffer = BytesMut::from(&len.to_le_bytes()[..]);
            assert!(next_frame(&mut buffer).is_err(), "length {len}");
        }
    }
}

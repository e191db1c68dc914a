//! A client's stream: output to it, input from it.

use super::Terminals;
use super::session::{Attachment, Output, Reader, Session};
use aicockpit_link::{LinkError, LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{AgentError, TERMINAL_CLOSED, TERMINAL_DATA, TERMINAL_RESYNC, encode};
use aicockpit_protocol::terminal::{AttachTerminal, Attached};
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf};

/// Bytes of output in one frame, at most.
const FRAME_LEN: usize = 64 * 1024;
/// Longest frame of input.
const MAX_INPUT_LEN: usize = 1024 * 1024 + 1;

/// Serves one attachment until either side lets go; a client that ends its input has let go.
///
/// # Errors
/// Where the client breaks the protocol or the link ends.
pub(crate) async fn serve(
    terminals: &Terminals,
    attach: AttachTerminal,
    stream: LinkStream,
) -> Result<(), LinkError> {
    let (mut input, mut output) = tokio::io::split(stream);
    let session = match terminals.session(attach.terminal) {
        Ok(session) => session,
        Err(error) => {
            send_first(&mut output, &Err(error)).await?;
            output.shutdown().await?;
            return Ok(());
        }
    };
    let Attachment { reader, attached, snapshot } = session.attach(attach.from);
    send_first(&mut output, &Ok(attached)).await?;
    let mut frame = Vec::new();
    for piece in snapshot.chunks(FRAME_LEN) {
        frame.clear();
        frame.push(TERMINAL_DATA);
        frame.extend_from_slice(piece);
        write_frame(&mut output, &frame).await?;
    }
    drop(snapshot);
    tokio::select! {
        sent = send_output(reader, &mut output) => sent,
        taken = take_input(&session, &mut input) => taken,
    }
}

async fn send_first<W: AsyncWrite + Unpin>(
    output: &mut W,
    message: &Result<Attached, AgentError>,
) -> Result<(), LinkError> {
    let bytes = encode(message).map_err(|error| LinkError::Io(error.message))?;
    write_frame(output, &bytes).await
}

async fn send_output<W: AsyncWrite + Unpin>(mut reader: Reader, output: &mut W) -> Result<(), LinkError> {
    let mut frame = Vec::with_capacity(4096);
    loop {
        frame.clear();
        frame.push(TERMINAL_DATA);
        let last = match reader.next(FRAME_LEN, &mut frame).await {
            Output::Bytes => {
                write_frame(output, &frame).await?;
                continue;
            }
            Output::Lost => TERMINAL_RESYNC,
            Output::Closed => TERMINAL_CLOSED,
        };
        write_frame(output, &[last]).await?;
        output.shutdown().await?;
        return Ok(());
    }
}

async fn take_input(session: &Session, input: &mut ReadHalf<LinkStream>) -> Result<(), LinkError> {
    while let Some(frame) = read_frame(input, MAX_INPUT_LEN).await? {
        match frame.split_first() {
            Some((&TERMINAL_DATA, bytes)) => {
                // A program that has ended reads nothing; its screen stays to be looked at.
                let _ = session.input(bytes).await;
            }
            _ => return Err(LinkError::Protocol("a terminal frame of an unknown kind".to_owned())),
        }
    }
    Ok(())
}

//! Running a program in a pod: the API's exec over a WebSocket.
//!
//! kube's own attached process moves all streams by one task, in which bytes to the program wait for bytes from it;
//! here each direction has its own, and frames are handed on without being copied. Specification: the subprotocols
//! `v4.channel.k8s.io` and `v5.channel.k8s.io` (k8s.io/apimachinery, util/remotecommand): the first byte of a frame is
//! its channel.

use crate::KubernetesEngine;
use crate::error::engine_error;
use crate::names::MAIN;
use crate::state::{self, PodState};
use aicockpit_engine::{ByteStream, EngineError, ExecExit, ExecSpec, LogChunk, Result, error_from_answer};
use aicockpit_protocol::ContainerId;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{FutureExt as _, SinkExt as _, Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::AttachParams;
use kube::core::{Request, Resource as _, Status};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::io::{CopyToBytes, SinkWriter};
use tokio_util::sync::PollSender;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// Tells the end of a channel; since the fifth version.
const CLOSE: u8 = 255;
/// Pieces of input held for a connection that is slower than its writer.
const PIECES_AHEAD: usize = 16;
/// Pieces that are there at once go out in one frame of at most this many bytes.
const MAX_FRAME: usize = 64 * 1024;
/// Time after which a silent connection is given a sign of life, so that no proxy on the way forgets it.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Time to wait for a program's status after the end of its output.
const STATUS_WITHIN: Duration = Duration::from_secs(5);

type Ended = Arc<Mutex<Option<Status>>>;

impl KubernetesEngine {
    pub(crate) async fn exec_in(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ByteStream> {
        if spec.user.is_some() || !spec.env.is_empty() || spec.working_directory.is_some() {
            return Err(EngineError::Unsupported(
                "a cluster runs programs as the pod's own user, with its variables, in its folder".to_owned(),
            ));
        }
        let pod = self.running_pod(id).await?;
        self.exec_program(&pod, MAIN, &spec.command).await
    }

    /// The pod of a container that runs.
    pub(crate) async fn running_pod(&self, id: &ContainerId) -> Result<Pod> {
        let not_running = || EngineError::Conflict(format!("the container {id} is not running"));
        let pod = self.objects(id).await?.pod.ok_or_else(not_running)?;
        match state::of_pod(&pod) {
            PodState::Running => Ok(pod),
            _ => Err(not_running()),
        }
    }

    /// Runs a program in one of a pod's containers, its three streams open.
    pub(crate) async fn exec_program(
        &self,
        pod: &Pod,
        container: &str,
        command: &[String],
    ) -> Result<ByteStream> {
        let streams = AttachParams::default().container(container).stdin(true).stdout(true).stderr(true);
        let path = Pod::url_path(&(), Some(&self.namespace().await?));
        let request = Request::new(path)
            .exec(&pod.name_any(), command.iter().cloned(), &streams)
            .map_err(|error| EngineError::Unsupported(error.to_string()))?;
        let connection = self.client().await?.connect(request).await.map_err(exec_error)?;
        let half_closes = connection.supports_stream_close();
        let (sink, source) = connection.into_stream().split();
        let (pieces, outgoing) = mpsc::channel::<Bytes>(PIECES_AHEAD);
        // The connection ends with whichever direction ends last, unless both outputs were dropped.
        let (done, is_done) = watch::channel(());
        tokio::spawn(send(sink, outgoing, half_closes, is_done));
        let ended = Ended::default();
        let sender = PollSender::new(pieces).sink_map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe));
        let stdin = SinkWriter::new(CopyToBytes::new(sender));
        let frames = frames(source, Arc::clone(&ended), done);
        let (engine, pod) = (self.clone(), pod.clone());
        let exit = async move { exit(&engine, &pod, &ended).await }.boxed();
        Ok(ByteStream::from_frames(stdin, frames, exit))
    }
}

/// Sends what comes, several pieces in one frame where there are several, and the end of the input.
async fn send<S>(
    mut sink: S,
    mut outgoing: mpsc::Receiver<Bytes>,
    half_closes: bool,
    mut done: watch::Receiver<()>,
) where
    S: futures::Sink<Message, Error = tokio_tungstenite::tungstenite::Error> + Unpin,
{
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(PING_EVERY, outgoing.recv()) => next,
            // Fails when the other direction has ended.
            _ = done.changed() => break,
        };
        let message = match next {
            Err(_) => Message::Ping(Bytes::new()),
            Ok(Some(first)) => {
                let mut frame = BytesMut::with_capacity(first.len() + 1);
                frame.put_u8(STDIN);
                frame.put(first);
                while frame.len() < MAX_FRAME
                    && let Ok(more) = outgoing.try_recv()
                {
                    frame.put(more);
                }
                Message::Binary(frame.freeze())
            }
            Ok(None) if half_closes => {
                if sink.send(Message::Binary(Bytes::from_static(&[CLOSE, STDIN]))).await.is_err() {
                    return;
                }
                // Until the program has ended: closing now would cut its output off.
                let _ = done.changed().await;
                break;
            }
            // There is no other way to tell the end of the input.
            Ok(None) => break,
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// The program's output; its status goes to `ended`. Dropping the stream, or its end, ends the connection.
fn frames<S>(
    source: S,
    ended: Ended,
    done: watch::Sender<()>,
) -> impl Stream<Item = io::Result<LogChunk>> + Send
where
    S: Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Send + Unpin + 'static,
{
    futures::stream::unfold((source, ended, done), |(mut source, ended, done)| async move {
        loop {
            let item = match source.next().await? {
                Ok(Message::Binary(frame)) => match frame.first() {
                    Some(&channel @ (STDOUT | STDERR)) if frame.len() > 1 => {
                        Ok(LogChunk { stderr: channel == STDERR, bytes: frame.slice(1..) })
                    }
                    Some(&STATUS) => {
                        let status = serde_json::from_slice::<Status>(&frame[1..]).ok();
                        // Why a program could not be started is said nowhere else.
                        let words =
                            status.as_ref().filter(|status| !status.is_success() && told(status).is_none());
                        let words = words.map(|status| Bytes::from(status.message.clone()));
                        *ended.lock().unwrap_or_else(PoisonError::into_inner) = status;
                        match words {
                            Some(bytes) => Ok(LogChunk { stderr: true, bytes }),
                            None => return None,
                        }
                    }
                    _ => continue,
                },
                Ok(Message::Close(_)) => return None,
                Ok(_) => continue,
                Err(error) => Err(io::Error::other(error)),
            };
            return Some((item, (source, ended, done)));
        }
    })
}

async fn exit(engine: &KubernetesEngine, pod: &Pod, ended: &Ended) -> Result<ExecExit> {
    let status = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(status) = status {
        return Ok(ExecExit::Exited(code(&status)));
    }
    // The connection was cut. Where the pod is the same and runs, so may the program.
    let pods = engine.api::<Pod>().await?;
    let now = tokio::time::timeout(STATUS_WITHIN, pods.get_opt(&pod.name_any())).await;
    match now {
        Ok(Ok(Some(now))) if now.uid() == pod.uid() && state::of_pod(&now) == PodState::Running => {
            Ok(ExecExit::StillRunning)
        }
        Ok(Ok(_)) => Ok(ExecExit::Unknown),
        Ok(Err(error)) => Err(engine_error(error)),
        Err(_) => Err(EngineError::Unavailable("no answer in time".to_owned())),
    }
}

/// The status of a program: 0, what the cause says, or that of a program that could not be started.
fn code(status: &Status) -> i64 {
    if status.is_success() {
        return 0;
    }
    // Nothing else than the start of the program fails without one.
    told(status).unwrap_or(126)
}

fn told(status: &Status) -> Option<i64> {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.find(|cause| cause.reason == "ExitCode")?.message.parse().ok()
}

/// An upgrade that is refused carries the reason in its body, which is lost: the status has to do.
fn exec_error(error: kube::Error) -> EngineError {
    match error {
        kube::Error::UpgradeConnection(error) => {
            error_from_answer(0, &format!("cannot run a program: {error}"))
        }
        error => engine_error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_status_is_read_from_its_cause() {
        let status = |text: &str| code(&serde_json::from_str(text).unwrap());
        assert_eq!(status(r#"{"status":"Success"}"#), 0);
        assert_eq!(
            status(
                r#"{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}"#
            ),
            7
        );
        assert_eq!(status(r#"{"status":"Failure","message":"exec: no such file"}"#), 126);
    }

    #[tokio::test]
    async fn frames_are_taken_apart_by_their_first_byte() {
        let messages = [
            Message::Binary(Bytes::from_static(&[STDOUT])),
            Message::Binary(Bytes::from_static(&[STDOUT, b'o', 1, 0])),
            Message::Ping(Bytes::new()),
            Message::Binary(Bytes::from_static(&[STDERR, b'e'])),
            Message::Binary(Bytes::from_static(b"\x03{\"status\":\"Success\"}")),
            Message::Binary(Bytes::from_static(&[STDOUT, b'x'])),
        ];
        let ended = Ended::default();
        let source = futures::stream::iter(messages.map(Ok));
        let seen: Vec<_> = frames(source, Arc::clone(&ended), watch::channel(()).0).collect().await;
        let seen: Vec<_> = seen.into_iter().map(|item| item.unwrap()).collect();
        assert_eq!(
            seen,
            [
                LogChunk { stderr: false, bytes: Bytes::from_static(&[b'o', 1, 0]) },
                LogChunk { stderr: true, bytes: Bytes::from_static(b"e") },
            ]
        );
        assert!(ended.lock().unwrap().is_some());
    }
}

//! Byte streams to programs.

use super::case::{Case, Outcome, Verdict, command, declined, ensure, ensure_eq, ensure_error};
use crate::{ContainerState, EngineError, ExecExit};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) async fn bytes_pass_unchanged_both_ways(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("bytes")).await?;
    // Every byte value, in changing order, over many frames.
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let output = case.run(&id, command(&["cat"]), sent.clone()).await?;
    ensure_eq!(output.stdout.len(), sent.len(), "length");
    ensure!(output.stdout == sent, "bytes were changed on the way");
    ensure_eq!(output.exit, ExecExit::Exited(0), "exit");
    Ok(Verdict::Passed)
}

pub(super) async fn closing_stdin_ends_the_program_and_not_its_output(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("half")).await?;
    let output = case.run(&id, command(&["sh", "-c", "wc -c; echo after"]), vec![0; 100_000]).await?;
    ensure_eq!(String::from_utf8_lossy(&output.stdout), "100000\nafter\n", "output after the end of input");
    Ok(Verdict::Passed)
}

pub(super) async fn stderr_is_apart_and_the_exit_status_is_told(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("apart")).await?;
    let script = "printf '\\000\\001\\002\\377'; printf '\\001err' >&2; exit 42";
    let output = case.run(&id, command(&["sh", "-c", script]), Vec::new()).await?;
    ensure_eq!(output.stdout, b"\x00\x01\x02\xff", "stdout");
    ensure_eq!(output.stderr, b"\x01err", "stderr");
    ensure_eq!(output.exit, ExecExit::Exited(42), "exit");
    Ok(Verdict::Passed)
}

pub(super) async fn user_environment_and_folder_are_as_asked(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().exec_options {
        return declined("choice of user, variables and folder of a program");
    }
    let id = case.start(&case.idle("as-asked")).await?;
    let mut spec = command(&[
        "sh",
        "-c",
        "id -u; id -g; pwd; echo \"$ONE\"; cat /proc/self/attr/current 2>/dev/null; :",
    ]);
    spec.user = Some("1234:4321".to_owned());
    spec.env = vec![("ONE".to_owned(), "a b=c".to_owned())];
    spec.working_directory = Some("/usr/share".to_owned());
    let output = case.run(&id, spec, Vec::new()).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(text.starts_with("1234\n4321\n/usr/share\na b=c\n"), "found {text:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn a_missing_program_ends_with_a_message(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("missing")).await?;
    match case.engine.exec(&id, &command(&["/no/such/program"])).await {
        Err(EngineError::ProgramNotFound(_)) => return Ok(Verdict::Passed),
        Err(other) => return Err(other.into()),
        Ok(_) => {}
    }
    let output = case.run(&id, command(&["/no/such/program"]), Vec::new()).await?;
    ensure!(
        matches!(output.exit, ExecExit::Exited(126 | 127)),
        "exit {:?}, expected the shells' 126 or 127",
        output.exit
    );
    let said = [output.stdout, output.stderr].concat();
    ensure!(String::from_utf8_lossy(&said).contains("/no/such/program"), "the message names the program");
    Ok(Verdict::Passed)
}

pub(super) async fn small_messages_come_back_at_once(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("echo")).await?;
    let mut stream = case.engine.exec(&id, &command(&["cat"])).await?;
    // A buffer that waits for more would stop this dialogue at its first word.
    for number in 0..200_u32 {
        let sent = number.to_be_bytes();
        stream.stdin.write_all(&sent).await?;
        stream.stdin.flush().await?;
        let mut back = [0; 4];
        stream.stdout.read_exact(&mut back).await?;
        ensure_eq!(back, sent, "echo");
    }
    stream.stdin.shutdown().await?;
    ensure_eq!(stream.stdout.read(&mut [0; 16]).await?, 0, "bytes after the end");
    ensure_eq!(stream.exit.await?, ExecExit::Exited(0), "exit");
    Ok(Verdict::Passed)
}

pub(super) async fn a_program_that_is_cut_off_is_not_reported_as_ended(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("cut")).await?;
    let mut stream = case.engine.exec(&id, &command(&["sh", "-c", "echo up; exec cat"])).await?;
    let mut word = [0; 3];
    stream.stdout.read_exact(&mut word).await?;
    ensure_eq!(stream.exit.await?, ExecExit::StillRunning, "exit while it runs");

    let mut stream = case.engine.exec(&id, &command(&["sh", "-c", "echo up; exec cat"])).await?;
    stream.stdout.read_exact(&mut word).await?;
    case.engine.remove_container(&id).await?;
    let mut rest = Vec::new();
    // Whether the cut shows as an end or as an error is the engine's affair.
    let _ = stream.stdout.read_to_end(&mut rest).await;
    let exit = stream.exit.await?;
    ensure!(
        matches!(exit, ExecExit::Unknown | ExecExit::Exited(137)),
        "exit {exit:?} of a program whose container was removed"
    );
    Ok(Verdict::Passed)
}

pub(super) async fn exec_in_a_stopped_container_is_a_conflict(case: Arc<Case>) -> Outcome {
    let id = case.start(&case.idle("stopped")).await?;
    case.engine.stop_container(&id, Duration::ZERO).await?;
    case.wait_for(&id, ContainerState::Exited).await?;
    ensure_error!(case.engine.exec(&id, &command(&["true"])).await, EngineError::Conflict(_));
    Ok(Verdict::Passed)
}

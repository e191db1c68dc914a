//! A program brought up to date by its installer.

use super::words::{Steps, failure};
use super::{CutShort, UpdateRefused, cut_short, name, step, stop_servers};
use crate::runtimes::{Found, Installer, Snapshot, Way};
use crate::server::command::Call;
use crate::server::log::{Log, Splitter};
use crate::server::{Shared, process};
use aicockpit_protocol::local_models::{Runtime, UpdateOf, UpdatePhase, UpdateRequest};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the last lines of an installer are waited for: what it started may hold its pipes.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Changes that are told one by one.
const MAX_TOLD: usize = 3;

/// The installer that is to be used.
///
/// # Errors
/// Where a person has to do it.
pub(super) fn installer(way: Way, request: &UpdateRequest) -> Result<Installer, UpdateRefused> {
    let what = name(&request.of);
    match way {
        Way::ByHand(how) => Err(UpdateRefused::ByHand { what, how }),
        Way::Here(Installer::Brew { .. }) if request.version.is_some() => {
            let why = "Homebrew has only the newest; unpack the one that you want from \
                       https://github.com/ggml-org/llama.cpp/releases and name its llama-server in the settings";
            Err(UpdateRefused::NewestOnly { what, why: why.to_owned() })
        }
        Way::Here(installer) => Ok(installer),
    }
}

/// Brings a program up to date; gives how that went.
pub(super) async fn program(shared: &Arc<Shared>, runtime: Runtime, request: &UpdateRequest) -> UpdatePhase {
    let update = Update { shared, of: &request.of, runtime, what: name(&request.of), request };
    let prepared = tokio::select! {
        biased;
        cut = cut_short(shared, update.of) => Err(update.not_begun(cut)),
        prepared = update.prepare() => prepared,
    };
    match prepared {
        Ok(prepared) => update.carry_out(prepared).await,
        Err(phase) => phase,
    }
}

struct Update<'a> {
    shared: &'a Arc<Shared>,
    of: &'a UpdateOf,
    runtime: Runtime,
    what: String,
    request: &'a UpdateRequest,
}

/// What is known before anything is changed.
struct Prepared {
    from: Option<String>,
    installer: Installer,
    packages: Option<Snapshot>,
}

/// How an installer ended.
enum Ended {
    Well,
    /// Its words.
    Badly(String),
    Cut(CutShort),
}

fn failed(why: String) -> UpdatePhase {
    UpdatePhase::Failed { why }
}

impl Update<'_> {
    fn version(&self) -> Option<&str> {
        self.request.version.as_deref()
    }

    fn not_begun(&self, cut: CutShort) -> UpdatePhase {
        match cut {
            CutShort::CalledOff | CutShort::Closing => UpdatePhase::Cancelled,
            CutShort::Offline => {
                failed(format!("the update of {what} {}; {what} is as it was", cut.why(), what = self.what))
            }
        }
    }

    async fn find(&self) -> Found {
        let settings = self.shared.lock().settings.clone();
        self.shared.runtimes.find(self.runtime, &settings, &self.shared.search).await
    }

    async fn packages(&self, installer: &Installer) -> Option<Snapshot> {
        self.shared.runtimes.snapshot(installer.python()?).await
    }

    /// Finds out how, and stops the servers that run it.
    async fn prepare(&self) -> Result<Prepared, UpdatePhase> {
        let Found { shown, way, .. } = self.find().await;
        if let Some(problem) = shown.problem {
            return Err(failed(problem));
        }
        let asked_later = || failed(format!("{} cannot be asked for its version now; try again", self.what));
        let installer = installer(way.ok_or_else(asked_later)?, self.request);
        let installer = installer.map_err(|error| failed(error.to_string()))?;
        let packages = self.packages(&installer).await;
        stop_servers(self.shared, self.of).await;
        Ok(Prepared { from: shown.version, installer, packages })
    }

    async fn carry_out(&self, prepared: Prepared) -> UpdatePhase {
        let ended = self.install(&prepared.installer).await;
        if matches!(ended, Ended::Cut(CutShort::Closing)) {
            return UpdatePhase::Cancelled;
        }
        self.shared.runtimes.forget();
        let found = self.find().await;
        let installer = &prepared.installer;
        let why = match &ended {
            Ended::Well => return self.done(prepared.from, &found, installer),
            Ended::Badly(words) => format!("failed: {words}"),
            Ended::Cut(cut) => cut.why().to_owned(),
        };
        let what = &self.what;
        let after = self.packages(installer).await;
        let changes = match (&prepared.packages, &after) {
            (Some(before), Some(after)) => Some(before.changes(after)),
            // Homebrew puts a new version in place once it is whole.
            _ if installer.python().is_none() => Some(Vec::new()),
            _ => None,
        };
        let usable = found.shown.problem.is_none();
        if usable && changes.as_ref().is_some_and(Vec::is_empty) {
            return match ended {
                Ended::Cut(CutShort::CalledOff) => UpdatePhase::Cancelled,
                _ => failed(format!("the update of {what} {why}. {what} is as it was")),
            };
        }
        failed(format!("the update of {what} {why}. {}", self.halfway(&prepared, changes, &found)))
    }

    fn done(&self, from: Option<String>, found: &Found, installer: &Installer) -> UpdatePhase {
        let what = &self.what;
        match &found.shown.problem {
            None => UpdatePhase::Done { from, to: found.shown.version.clone() },
            Some(problem) => failed(format!(
                "the update of {what} came to its end, but {problem}{}",
                self.back(from.as_deref(), installer)
            )),
        }
    }

    /// What state it is in, and how that is mended.
    fn halfway(&self, prepared: &Prepared, changes: Option<Vec<String>>, found: &Found) -> String {
        let what = &self.what;
        let state = match changes {
            None => "What has become of its environment cannot be told".to_owned(),
            Some(changes) if changes.is_empty() => "Its packages are as they were".to_owned(),
            Some(changes) => {
                let told = changes.iter().take(MAX_TOLD).cloned().collect::<Vec<_>>().join(", ");
                match changes.len().saturating_sub(MAX_TOLD) {
                    0 => format!("It stopped halfway: {told}"),
                    more => format!("It stopped halfway: {told} and {more} more"),
                }
            }
        };
        let works = match &found.shown.problem {
            None => format!("{what} is found, but may not work"),
            Some(_) => format!("{what} cannot be used now"),
        };
        let line = prepared.installer.line(self.version());
        let again = format!("Update again, or run {line}, to finish it");
        format!("{state}; {works}. {again}{}", self.back(prepared.from.as_deref(), &prepared.installer))
    }

    /// How the version of before is had again, where its installer has that.
    fn back(&self, from: Option<&str>, installer: &Installer) -> String {
        match from.filter(|_| installer.python().is_some()) {
            Some(from) => format!(". To go back, run {}", installer.line(Some(from))),
            None => String::new(),
        }
    }

    /// Marks the installer and all that it starts.
    fn mark(&self) -> PathBuf {
        let name = if self.runtime == Runtime::Vllm { "update-vllm" } else { "update-llama" };
        self.shared.sockets.folder().join(name)
    }

    async fn install(&self, installer: &Installer) -> Ended {
        let (program, arguments) = installer.call(self.version());
        let line = installer.line(self.version());
        tracing::info!(%line, "a program is brought up to date");
        step(self.shared, self.of, None, line.trim_matches('`'));
        let environment = [
            ("PYTHONUNBUFFERED", "1"),
            ("NO_COLOR", "1"),
            ("PIP_NO_INPUT", "1"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("HOMEBREW_NO_ENV_HINTS", "1"),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name, value.into())).collect();
        let call = Call { program, arguments, environment };
        let mark = self.mark();
        let spawner = match &self.shared.spawner {
            Ok(spawner) => spawner,
            Err(why) => return Ended::Badly(why.clone()),
        };
        let mut child = tokio::select! {
            biased;
            cut = cut_short(self.shared, self.of) => return Ended::Cut(cut),
            child = spawner.spawn(call, &mark, false) => match child {
                Ok(child) => child,
                Err(error) => return Ended::Badly(error.to_string()),
            },
        };
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let log = Arc::new(Log::default());
        let mut readers = self.read(&mut child, &log);
        let status = tokio::select! {
            biased;
            cut = cut_short(self.shared, self.of) => {
                process::end(&mut child, &mark, false).await;
                return Ended::Cut(cut);
            }
            status = child.wait() => status,
        };
        if let Some(leader) = leader {
            process::end_rest(leader, &mark);
        }
        let _ = timeout(LAST_LINES, async { while readers.join_next().await.is_some() {} }).await;
        match status {
            Ok(status) if status.success() => Ended::Well,
            Ok(status) => Ended::Badly(failure(&log.lines(), &status.to_string())),
            Err(error) => Ended::Badly(format!("its installer cannot be waited for ({error})")),
        }
    }

    fn read(&self, child: &mut Child, log: &Arc<Log>) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        let steps = Arc::new(Mutex::new(Steps::default()));
        let of = |stream, number| Reader {
            stream,
            splitter: Splitter::new(number),
            log: Arc::clone(log),
            steps: Arc::clone(&steps),
            shared: Arc::clone(self.shared),
            of: self.of.clone(),
        };
        let out = child.stdout.take().map(|out| Box::new(out) as Box<dyn AsyncRead + Send + Unpin>);
        let errors = child.stderr.take().map(|errors| Box::new(errors) as Box<dyn AsyncRead + Send + Unpin>);
        for (stream, number) in [(out, 1), (errors, 2)] {
            if let Some(stream) = stream {
                readers.spawn(of(stream, number).run());
            }
        }
        readers
    }
}

/// Takes the lines of one stream, and tells the last of each piece.
struct Reader {
    stream: Box<dyn AsyncRead + Send + Unpin>,
    splitter: Splitter,
    log: Arc<Log>,
    steps: Arc<Mutex<Steps>>,
    shared: Arc<Shared>,
    of: UpdateOf,
}

impl Reader {
    async fn run(mut self) {
        let mut bytes = vec![0; 16 << 10];
        while let Ok(length @ 1..) = self.stream.read(&mut bytes).await {
            let mut shown = None;
            self.splitter.feed(&self.log, &bytes[..length], |line| {
                let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
                shown = steps.of(line).or(shown.take());
            });
            if let Some(shown) = shown {
                step(&self.shared, &self.of, None, &shown);
            }
        }
        self.splitter.finish(&self.log, |_| {});
    }
}

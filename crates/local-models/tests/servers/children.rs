//! Containers for these tests: an image is a program of this machine, which sees mounted files where they are.

use aicockpit_local_models::{ContainerCall, ContainerEnd, Containers, Progress, RunningContainer, Updated};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{ContainerEngine, Runtime, ServerImage};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// The image that is always there; others are brought first.
pub(crate) const IMAGE: &str = "test/llama-server:1";

/// An engine whose containers are children of this process.
pub(crate) struct Children {
    pub(crate) calls: Mutex<Vec<ContainerCall>>,
    /// Containers that are gone, in their order.
    pub(crate) removed: Arc<Mutex<Vec<String>>>,
    /// Images can be brought.
    pub(crate) online: AtomicBool,
    /// How far the image is that is brought; 1 for there.
    pub(crate) brought: watch::Sender<f64>,
    /// Images that were given up.
    pub(crate) given_up: AtomicUsize,
    /// It tells no process ids.
    pub(crate) hides: AtomicBool,
    /// What it says of a container that has ended.
    pub(crate) says: Mutex<Option<ContainerEnd>>,
}

impl Children {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            removed: Arc::default(),
            online: AtomicBool::new(true),
            brought: watch::Sender::new(0.0),
            given_up: AtomicUsize::new(0),
            hides: AtomicBool::new(false),
            says: Mutex::default(),
        })
    }

    pub(crate) fn removed(&self) -> Vec<String> {
        self.removed.lock().unwrap().clone()
    }

    async fn pull(&self, image: &str, told: Progress<'_>) -> Result<(), String> {
        if image == IMAGE {
            return Ok(());
        }
        if !self.online.load(Ordering::SeqCst) {
            return Err(format!("Offline is on, and the image {image} is not here. Switch offline off."));
        }
        let given_up = Counted(&self.given_up);
        let mut brought = self.brought.subscribe();
        loop {
            let part = *brought.borrow_and_update();
            if part >= 1.0 {
                std::mem::forget(given_up);
                return Ok(());
            }
            told(Some(part), &format!("Pulling {image}"));
            brought.changed().await.unwrap();
        }
    }

    fn start(&self, call: ContainerCall) -> Box<dyn RunningContainer> {
        let outside = |argument: &String| {
            let found = call.mounts.iter().find_map(|(path, inside, _)| {
                match argument.strip_prefix(inside.as_str())? {
                    "" => Some(path.clone()),
                    rest => Some(path.join(rest.strip_prefix('/')?)),
                }
            });
            found.map_or(argument.clone(), |path| path.to_str().unwrap().to_owned())
        };
        let child = Command::new(crate::program())
            .args(call.arguments.iter().map(outside))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(call.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        Box::new(Running {
            name: format!("container-{}", calls.len()),
            pid,
            hides: self.hides.load(Ordering::SeqCst),
            child: tokio::sync::Mutex::new(child),
            says: self.says.lock().unwrap().clone(),
            removed: Arc::clone(&self.removed),
        })
    }
}

/// Counts what is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Containers for Children {
    fn engines(&self) -> BoxFuture<'_, Vec<ContainerEngine>> {
        let image = ServerImage { image: IMAGE.into(), runtime: Runtime::LlamaCpp, bytes: Some(7) };
        let engine = EngineId::new("children");
        async {
            vec![ContainerEngine {
                engine,
                name: "Children".into(),
                gpu: true,
                images: vec![image],
                problem: None,
            }]
        }
        .boxed()
    }

    fn passes_gpus(&self, _: &EngineId) -> bool {
        true
    }

    fn bring<'a>(
        &'a self,
        _: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<(), String>> {
        self.pull(image, told).boxed()
    }

    fn run(&self, call: ContainerCall) -> BoxFuture<'_, Result<Box<dyn RunningContainer>, String>> {
        async move { Ok(self.start(call)) }.boxed()
    }

    fn update<'a>(
        &'a self,
        _: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<Updated, String>> {
        async move { self.pull(image, told).await.map(|()| Updated::default()) }.boxed()
    }
}

struct Running {
    name: String,
    pid: u32,
    hides: bool,
    child: tokio::sync::Mutex<Child>,
    says: Option<ContainerEnd>,
    removed: Arc<Mutex<Vec<String>>>,
}

impl RunningContainer for Running {
    fn name(&self) -> &str {
        &self.name
    }

    fn pid(&self) -> Option<u32> {
        (!self.hides).then_some(self.pid)
    }

    fn output(&mut self) -> BoxStream<'static, (u8, Bytes)> {
        let child = self.child.get_mut();
        let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        stream::select(chunks(1, out), chunks(2, errors)).boxed()
    }

    fn ended(&self) -> BoxFuture<'_, ContainerEnd> {
        async {
            let status = self.child.lock().await.wait().await.unwrap();
            let plain = ContainerEnd {
                status: status.code().or(status.signal().map(|signal| signal + 128)).map(i64::from),
                out_of_memory: false,
                reason: None,
            };
            self.says.clone().unwrap_or(plain)
        }
        .boxed()
    }

    fn memory(&self) -> BoxFuture<'_, Option<u64>> {
        async { Some(123_456_789) }.boxed()
    }

    fn end(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let child = self.child.get_mut();
            let running = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
            if let Some(pid) = running {
                let _ = kill(pid, Signal::SIGTERM);
            }
            if tokio::time::timeout(std::time::Duration::from_secs(1), child.wait()).await.is_err() {
                child.kill().await.unwrap();
            }
        }
        .boxed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.removed.lock().unwrap().push(std::mem::take(&mut self.name));
    }
}

fn chunks(number: u8, pipe: impl AsyncRead + Send + Unpin + 'static) -> BoxStream<'static, (u8, Bytes)> {
    let chunks = stream::unfold(pipe, move |mut pipe| async move {
        let mut bytes = vec![0; 4096];
        let length = pipe.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
        bytes.truncate(length);
        Some(((number, Bytes::from(bytes)), pipe))
    });
    chunks.boxed()
}

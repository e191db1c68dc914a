//! Images: whoever has the engines brings them anew.

use crate::{Machine, inside, options, why};
use aicockpit_local_models::{
    ContainerCall, Containers, Progress, RefusedError, RunningContainer, UpdateRefused, Updated,
};
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{ContainerEngine, UpdateOf, UpdatePhase, UpdateRequest};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// An engine that brings an image once it is told to.
#[derive(Default)]
struct Engine {
    go_on: Notify,
    /// Pulls that were dropped or came to their end.
    ended: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Containers for Engine {
    fn engines(&self) -> BoxFuture<'_, Vec<ContainerEngine>> {
        async { Vec::new() }.boxed()
    }

    fn passes_gpus(&self, _: &EngineId) -> bool {
        false
    }

    fn bring<'a>(
        &'a self,
        _: &'a EngineId,
        _: &'a str,
        _: Progress<'a>,
    ) -> BoxFuture<'a, Result<(), String>> {
        async { Ok(()) }.boxed()
    }

    fn run(&self, _: ContainerCall) -> BoxFuture<'_, Result<Box<dyn RunningContainer>, String>> {
        async { Err("nothing runs here".to_owned()) }.boxed()
    }

    fn update<'a>(
        &'a self,
        engine: &'a EngineId,
        image: &'a str,
        told: Progress<'a>,
    ) -> BoxFuture<'a, Result<Updated, String>> {
        async move {
            let _counted = Counted(Arc::clone(&self.ended));
            told(Some(0.5), &format!("{engine} pulls {image}"));
            self.go_on.notified().await;
            if image == "gone" {
                return Err("there is no image gone".to_owned());
            }
            Ok(Updated { from: Some("sha256:1".to_owned()), to: Some("sha256:2".to_owned()) })
        }
        .boxed()
    }
}

fn of(image: &str) -> UpdateOf {
    UpdateOf::Image { engine: EngineId::new("docker"), image: image.to_owned() }
}

#[tokio::test]
async fn an_image_is_brought_anew_and_that_can_be_called_off() {
    let Some(place) = inside("images::an_image_is_brought_anew_and_that_can_be_called_off") else { return };
    let engine = Arc::new(Engine::default());
    let machine =
        Machine::with(Default::default(), options(&place).with_containers(Arc::clone(&engine) as _));
    let begin = |image: &str| machine.models.update(&UpdateRequest { of: of(image), version: None }).unwrap();
    let pulls = async |image: &str| {
        let step = format!("docker pulls {image}");
        let running = UpdatePhase::Running { progress: Some(0.5), step: Some(step) };
        machine.until(&of(image), |phase| *phase == running).await;
    };
    begin("vllm");
    pulls("vllm").await;
    engine.go_on.notify_one();
    let done = machine.ended(&of("vllm")).await;
    assert!(matches!(&done, UpdatePhase::Done { to: Some(to), .. } if to == "sha256:2"), "{done:?}");

    begin("gone");
    pulls("gone").await;
    engine.go_on.notify_one();
    assert_eq!(why(machine.ended(&of("gone")).await), "there is no image gone");

    begin("slow");
    pulls("slow").await;
    machine.models.cancel_update(&of("slow"));
    assert_eq!(machine.ended(&of("slow")).await, UpdatePhase::Cancelled);
    assert_eq!(engine.ended.load(Ordering::SeqCst), 3);

    begin("cut");
    pulls("cut").await;
    machine.models.set_offline(true);
    let told = why(machine.ended(&of("cut")).await);
    assert_eq!(
        told,
        "the update of the image cut was ended, as offline was switched on; the image is as it was"
    );
    let shown: Vec<_> = machine.models.updates().into_iter().map(|one| one.of).collect();
    assert_eq!(shown, ["vllm", "gone", "slow", "cut"].map(of));
}

#[tokio::test]
async fn an_image_has_the_version_of_its_reference() {
    let Some(place) = inside("images::an_image_has_the_version_of_its_reference") else { return };
    let refused = |machine: &Machine| {
        let request = UpdateRequest { of: of("vllm"), version: Some("1".to_owned()) };
        machine.models.update(&request).unwrap_err()
    };
    let with = options(&place).with_containers(Arc::new(Engine::default()));
    let told = refused(&Machine::with(Default::default(), with));
    assert!(matches!(told, RefusedError::Update(UpdateRefused::NewestOnly { .. })), "{told:?}");
    let told = refused(&Machine::new(&place));
    assert!(matches!(told, RefusedError::Update(UpdateRefused::NotFound(_))), "{told:?}");
}

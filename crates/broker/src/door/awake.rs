//! A future that wakes itself while it runs is run again at once.
//!
//! Left to the runtime, it would be queued, and another core woken to take it from there: once for each request, since a
//! connection's task both asks for a body and reads it. That took longer than all else that a request needs of us.

use futures::task::AtomicWaker;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often in a row. Others want to run too.
const MOST: u8 = 4;

const RESTS: u8 = 0;
const RUNS: u8 = 1;
const RUNS_AGAIN: u8 = 2;

#[derive(Default)]
struct Own {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let again = |state: u8| (state != RESTS).then_some(RUNS_AGAIN);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, again).is_err() {
            self.task.wake();
        }
    }
}

/// Runs a future to its end.
pub(super) async fn awake<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let own = Arc::new(Own::default());
    let waker = Waker::from(Arc::clone(&own));
    poll_fn(move |cx| {
        own.task.register(cx.waker());
        for _ in 0..MOST {
            own.state.store(RUNS, Ordering::Release);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            let rests = own.state.compare_exchange(RUNS, RESTS, Ordering::AcqRel, Ordering::Acquire);
            if rests.is_ok() {
                return Poll::Pending;
            }
        }
        own.state.store(RESTS, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Counted(AtomicU32);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Runs once what wakes itself so many times before it ends: whether it has ended, its runs, and how often its task
    /// was woken.
    fn run(wakes: u32) -> (bool, u32, u32) {
        let task = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&task));
        let runs = AtomicU32::new(0);
        let inner = std::pin::pin!(poll_fn(|cx| {
            if runs.fetch_add(1, Ordering::SeqCst) == wakes {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        let outer = std::pin::pin!(awake(inner));
        let ended = outer.poll(&mut Context::from_waker(&waker)).is_ready();
        (ended, runs.load(Ordering::SeqCst), task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn what_wakes_itself_is_run_again_but_not_for_ever() {
        assert_eq!(run(0), (true, 1, 0));
        assert_eq!(run(3), (true, 4, 0));
        assert_eq!(run(9), (false, 4, 1), "its task is queued");
    }

    #[tokio::test]
    async fn who_waits_is_woken_from_elsewhere() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(async move { awake(std::pin::pin!(receive)).await });
        tokio::task::yield_now().await;
        send.send(7).expect("somebody waits");
        assert_eq!(waiting.await.expect("it ended"), Ok(7));
    }
}

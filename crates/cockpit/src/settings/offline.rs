//! Offline: what takes other machines is not begun, and ends where it is under way.

use aicockpit_protocol::api::Settings;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::net::IpAddr;
use tokio::sync::watch;

pub(super) async fn unless<T>(
    mut settings: watch::Receiver<Settings>,
    doing: &str,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let switched_on = async {
        if settings.wait_for(|settings| settings.offline).await.is_err() {
            // Nobody is left who could switch it on.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // Nothing of the work is done where it is on already.
        biased;
        () = switched_on => Err(ApiError::new(
            ErrorCode::Offline,
            format!("{doing} would send something off this machine, and AiCockpit is offline."),
        )
        .hint("Go online in the status bar and try again, or use what this machine has already.")),
        done = work => done,
    }
}

/// Whether an image comes from a registry of this machine.
pub(super) fn is_on_this_machine(reference: &str) -> bool {
    let registry = reference.split_once('/').map_or("", |(registry, _)| registry);
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.rsplit_once(':').map_or(registry, |(host, _)| host),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn work_is_not_begun_offline_and_is_cut_off_when_it_is_switched_on() {
        let (sender, receiver) = watch::channel(Settings { offline: true, ..Settings::default() });
        let begun = AtomicBool::new(false);
        let work = async {
            begun.store(true, Ordering::Relaxed);
            Ok(1)
        };
        let refused = unless(receiver.clone(), "Pulling x", work).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Offline);
        assert!(refused.message.starts_with("Pulling x would"), "{refused}");
        assert!(!begun.load(Ordering::Relaxed));

        sender.send_modify(|settings| settings.offline = false);
        assert_eq!(unless(receiver.clone(), "Pulling x", async { Ok(2) }).await.unwrap(), 2);
        let (begin, began) = tokio::sync::oneshot::channel();
        let endless = async {
            begin.send(()).unwrap();
            std::future::pending::<Result<(), ApiError>>().await
        };
        let switching = async {
            began.await.unwrap();
            sender.send_modify(|settings| settings.offline = true);
        };
        let (cut, ()) = tokio::join!(unless(receiver, "Pulling x", endless), switching);
        assert_eq!(cut.unwrap_err().code, ErrorCode::Offline);
    }

    #[tokio::test]
    async fn it_goes_on_where_nobody_is_left_to_switch() {
        let (sender, receiver) = watch::channel(Settings::default());
        drop(sender);
        let done = unless(receiver, "Pulling x", async {
            tokio::task::yield_now().await;
            Ok(3)
        });
        assert_eq!(done.await.unwrap(), 3);
    }

    #[test]
    fn a_registry_of_this_machine_is_known_as_such() {
        for own in ["localhost:5000/a/b", "127.0.0.1:5000/a", "[::1]:5000/a", "localhost/a"] {
            assert!(is_on_this_machine(own), "{own}");
        }
        for other in
            ["debian", "library/debian", "localhost.example/a", "127.0.0.1.example:5000/a", "10.0.0.1/a"]
        {
            assert!(!is_on_this_machine(other), "{other}");
        }
    }
}

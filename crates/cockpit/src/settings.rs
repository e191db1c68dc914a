//! The settings, read often and changed rarely.

mod clusters;
mod offline;

use crate::EventBus;
use crate::models::{LocalModels, Models};
use crate::store::Store;
use aicockpit_engine::Subnet;
use aicockpit_protocol::api::{Event, Settings};
use aicockpit_protocol::{ApiError, ErrorCode};
use std::sync::Arc;
use tokio::sync::watch;

/// The settings as they are now.
pub struct CurrentSettings {
    store: Arc<Store>,
    events: EventBus,
    value: watch::Sender<Settings>,
}

impl CurrentSettings {
    pub(crate) fn new(store: Arc<Store>, events: EventBus, value: Settings) -> Self {
        Self { store, events, value: watch::channel(value).0 }
    }

    /// A copy.
    pub fn get(&self) -> Settings {
        self.value.borrow().clone()
    }

    /// The settings, and their changes.
    pub fn subscribe(&self) -> watch::Receiver<Settings> {
        self.value.subscribe()
    }

    /// Does what takes other machines: refused while offline, and cut off where that is switched on meanwhile.
    ///
    /// # Errors
    /// [`ErrorCode::Offline`]; those of `work`.
    pub(crate) async fn online<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        offline::unless(self.subscribe(), doing, work).await
    }

    /// Pulls an image: as [`Self::online`], unless it comes from a registry of this machine.
    ///
    /// # Errors
    /// As [`Self::online`].
    pub(crate) async fn pulling<T>(
        &self,
        image: &str,
        pull: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        match offline::is_on_this_machine(image) {
            true => pull.await,
            false => self.online(&format!("Pulling {image}"), pull).await,
        }
    }

    /// Refuses settings that could not be taken up.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`], saying what is wrong.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), ApiError> {
        check(settings)?;
        let now = self.value.borrow();
        // To look at them is to make a client for each server.
        if now.models != settings.models || now.local_models != settings.local_models {
            LocalModels::check(&settings.local_models)?;
            Models::check(settings)?;
        }
        Ok(())
    }

    /// Replaces them, once they are checked; they are on the disk when this returns.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn put(&self, settings: Settings) -> Result<(), ApiError> {
        self.store.put_settings(&settings).await?;
        self.value.send_replace(settings.clone());
        self.events.send(Event::Settings { settings });
        Ok(())
    }
}

fn check(settings: &Settings) -> Result<(), ApiError> {
    let within = |what: &str, value: u16, least: u16, most: u16| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::InvalidArgument,
            format!("The {what} of {value} is not between {least} and {most}."),
        )
        .hint("Choose a value in that range."))
    };
    within("editor's font size", settings.editor_font_size, 8, 32)?;
    within("terminal's font size", settings.terminal_font_size, 8, 32)?;
    within("tab size", settings.tab_size, 1, 16)?;
    network_range(settings)?;
    image(&settings.base_image_from)?;
    settings.clusters.iter().try_for_each(|(context, cluster)| clusters::check(context, cluster))
}

fn image(reference: &str) -> Result<(), ApiError> {
    aicockpit_engine::ImageReference::parse(reference).map(drop).map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidArgument,
            format!("“{}” is not the name of an image.", reference.escape_debug()),
        )
        .hint("Give it as `docker pull` takes it, for instance debian:bookworm.")
    })
}

/// The range from which networks of workspaces are taken.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] when the setting is not an IPv4 range of at least 16 addresses.
pub fn network_range(settings: &Settings) -> Result<Subnet, ApiError> {
    settings.network_range.parse::<Subnet>().ok().filter(|range| (8..=28).contains(&range.prefix)).ok_or_else(
        || {
            ApiError::new(
                ErrorCode::InvalidArgument,
                format!("“{}” is not a range of addresses for networks.", settings.network_range),
            )
            .hint("Give one such as 10.213.0.0/16, with a prefix from 8 to 28.")
        },
    )
}

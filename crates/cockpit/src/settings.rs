//! The settings, read often and changed rarely.

mod clusters;

use crate::EventBus;
use crate::models::Models;
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

    /// Replaces them; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a value out of range; the store's errors.
    pub async fn put(&self, settings: Settings) -> Result<(), ApiError> {
        check(&settings)?;
        // To look at them is to make a client for each server.
        if self.value.borrow().models != settings.models {
            Models::check(&settings.models)?;
        }
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

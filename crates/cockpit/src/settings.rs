//! The settings, read often and changed rarely.

use crate::EventBus;
use crate::store::Store;
use aicockpit_engine::Subnet;
use aicockpit_protocol::api::{Event, Settings};
use aicockpit_protocol::{ApiError, ErrorCode};
use std::sync::{Arc, PoisonError, RwLock};

/// The settings as they are now.
pub struct CurrentSettings {
    store: Arc<Store>,
    events: EventBus,
    value: RwLock<Settings>,
}

impl CurrentSettings {
    pub(crate) fn new(store: Arc<Store>, events: EventBus, value: Settings) -> Self {
        Self { store, events, value: RwLock::new(value) }
    }

    /// A copy.
    pub fn get(&self) -> Settings {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a value out of range; the store's errors.
    pub async fn put(&self, settings: Settings) -> Result<(), ApiError> {
        check(&settings)?;
        self.store.put_settings(&settings).await?;
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = settings.clone();
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
    aicockpit_engine::ImageReference::parse(&settings.base_image_from).map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidArgument,
            format!("“{}” is not the name of an image.", settings.base_image_from),
        )
        .hint("Give it as `docker pull` takes it, for instance debian:bookworm.")
    })?;
    Ok(())
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

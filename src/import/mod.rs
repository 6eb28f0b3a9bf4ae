//! The import: what one run does, and the engine that drives all runs of this process. It knows no
//! provider by name.

mod engine;
mod listing;
mod run;
mod schedule;
mod sweep;
mod words;

use std::sync::Arc;

use crate::client::{Client, Paces};
use crate::ephemeral::SharedEphemeral;
use crate::grants::Grants;
use crate::providers::Providers;
use crate::store::Store;

pub use engine::Engine;
pub use schedule::Every;

/// What imports work with.
pub struct EngineParts {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub grants: Arc<Grants>,
    pub client: Client,
    pub providers: Providers,
    pub paces: Arc<Paces>,
    /// How often connections are imported from that say nothing themselves; `None` as their provider
    /// has it.
    pub every: Option<Every>,
}

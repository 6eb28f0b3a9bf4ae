//! The import: what one run does, and the engine that drives all runs of this process. It knows no
//! provider by name.

mod engine;
mod run;
mod words;

use std::sync::Arc;

use crate::client::{Client, Paces};
use crate::ephemeral::SharedEphemeral;
use crate::grants::Grants;
use crate::providers::Providers;
use crate::store::Store;

pub use engine::Engine;

/// What imports work with.
pub struct EngineParts {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub grants: Arc<Grants>,
    pub client: Client,
    pub providers: Providers,
    pub paces: Arc<Paces>,
}

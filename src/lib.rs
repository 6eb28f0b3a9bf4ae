//! Tributary: the accounts a team already has, imported into one list.
//!
//! The parts stand in the order in which they may know each other: each knows those below it, and
//! none above. `tests/app/architecture.rs` holds them to it; `docs/architecture.md` is the map.

pub mod cli;

pub mod rotation;
pub mod server;
pub mod settings;

pub mod web;

pub mod export;
pub mod import;
pub mod oauth;

pub mod client;
pub mod providers;

pub mod grants;

pub mod ephemeral;
pub mod store;
pub mod vault;

pub mod item;

// Started by `cli` alone, and knows nobody.
pub mod sandbox;

//! What tests stand on: the real application on its own stores, and somebody who visits it.

pub mod addresses;
pub mod app;
pub mod browser;
pub mod database;
pub mod program;
pub mod services;
pub mod tour;
pub mod visitor;

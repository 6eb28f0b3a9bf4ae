//! The application from outside, one file for each feature.

mod architecture;
mod browser_harness;
mod cli;
mod ephemeral;
mod sign_in;
mod store;
mod support;

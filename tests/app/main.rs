//! The application from outside, one file for each feature.

mod architecture;
mod browser_harness;
mod sign_in;
mod store;
mod support;

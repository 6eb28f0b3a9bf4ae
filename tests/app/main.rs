//! The application from outside, one file for each feature.

mod away;
mod browser;
mod browser_harness;
mod imports;
mod pages;
mod refresh;
mod sign_in;
mod support;

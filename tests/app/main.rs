//! The application from outside, one file for each feature.

mod adapters;
mod airtable;
mod api;
mod architecture;
mod audit;
mod away;
mod browser;
mod browser_harness;
mod cli;
mod disconnect;
mod ephemeral;
mod hubspot;
mod imports;
mod ledger;
mod limits;
mod pages;
mod refresh;
mod rotation;
mod schedule;
mod secrets;
mod sign_in;
mod stand_in;
mod store;
mod support;
mod ways_in;
mod workspaces;

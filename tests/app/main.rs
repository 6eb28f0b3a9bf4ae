mod browser_harness;
mod support;

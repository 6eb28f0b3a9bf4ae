//! The import: what one run does, and the engine that drives all runs of this process. It knows no
//! provider by name.

mod engine;
mod run;

pub use engine::{Engine, EngineParts};

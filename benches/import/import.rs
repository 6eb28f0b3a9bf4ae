//! One import by the program, with what it took.

use chrono::DateTime;
use serde_json::Value;

use super::processes::{Pair, Served};
use super::visitor::Visitor;

/// The account that is imported: its size is the sandbox's to say.
pub const ACCOUNT: &str = "100k";
/// The program's own pacing would be what is measured.
pub const NO_LIMIT: &[(&str, &str)] = &[
    ("HUBSPOT_RATE", "off"),
    ("LOG", "warn,tributary::store::db=trace"),
];

pub struct Imported {
    pub items: f64,
    pub calls: f64,
    pub seconds: f64,
    pub cpu: f64,
    /// MiB.
    pub peak: f64,
    /// Milliseconds that the longest write transaction took.
    pub longest_write: f64,
}

impl Imported {
    pub fn rate(&self) -> f64 {
        self.items / self.seconds
    }
}

/// Imports everything that a sandbox has into a new database.
pub async fn import(pair: &Pair) -> Imported {
    let served = pair.serve(NO_LIMIT);
    let cpu = served.process.cpu();
    let mut visitor = Visitor::of(&served);
    let import = visitor.connect(ACCOUNT).await;
    let told = visitor.imported(&import).await;
    Imported::read(&told, &served, cpu)
}

impl Imported {
    pub fn read(told: &Value, served: &Served, cpu_before: f64) -> Self {
        let time = |name: &str| {
            let text = told[name].as_str().expect("a time");
            DateTime::parse_from_rfc3339(text)
                .expect("a time")
                .timestamp_millis() as f64
        };
        Self {
            items: told["added"].as_f64().expect("a number"),
            calls: told["calls"].as_f64().expect("a number"),
            seconds: (time("finished_at") - time("started_at")) / 1000.0,
            cpu: served.process.cpu() - cpu_before,
            peak: served.process.peak(),
            longest_write: longest_write(&served.log()),
        }
    }
}

fn longest_write(log: &str) -> f64 {
    let told = log
        .lines()
        .filter_map(|line| line.split_once("written duration_ms="));
    let ms = told.filter_map(|(_, ms)| ms.trim().parse().ok());
    ms.fold(0.0, f64::max)
}

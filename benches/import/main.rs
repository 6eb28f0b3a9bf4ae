//! How fast an import is, what it costs, and whether people notice: against a bare loop that does the
//! least that can be called an import, and against the bars that we set ourselves.
//!
//! `cargo bench --bench import` measures everything and takes a quarter of an hour; with names after `--`
//! (`speed`, `memory`, `answers`, `limit`) only these. It ends with an error where a bar is missed. The
//! provider, the program and the bare loop are processes of their own, so that each has its own figures.
//! dlt 1.31 is not run from here. It was measured once by hand on two cores against the same sandbox, its
//! SQLite through SQLAlchemy: 7,300 contacts a second, 11.6 CPU seconds for 100,000.
//!
//! `BENCH_DATABASE_URL` has the program import into that PostgreSQL database, which must be empty; the
//! bare loop stays on SQLite.

mod answers;
mod bare;
mod import;
mod limit;
mod memory;
mod processes;
mod speed;
mod visitor;

use std::process::ExitCode;

/// Something measured, beside what it must not miss.
pub struct Bar {
    what: &'static str,
    is: f64,
    unit: &'static str,
    /// At least this, or at most.
    wants: Wants,
}

#[derive(Clone, Copy)]
enum Wants {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    fn at_least(what: &'static str, bar: f64, is: f64, unit: &'static str) -> Self {
        let wants = Wants::AtLeast(bar);
        Self {
            what,
            is,
            unit,
            wants,
        }
    }

    fn at_most(what: &'static str, bar: f64, is: f64, unit: &'static str) -> Self {
        let wants = Wants::AtMost(bar);
        Self {
            what,
            is,
            unit,
            wants,
        }
    }

    fn is_held(&self) -> bool {
        match self.wants {
            Wants::AtLeast(bar) => self.is >= bar,
            Wants::AtMost(bar) => self.is <= bar,
        }
    }

    fn print(&self) {
        let held = if self.is_held() { "held  " } else { "MISSED" };
        let (word, bar) = match self.wants {
            Wants::AtLeast(bar) => ("at least", bar),
            Wants::AtMost(bar) => ("at most", bar),
        };
        let Self { what, is, unit, .. } = self;
        println!("{held}  {what}: {is:.2}{unit}, wanted {word} {bar:.2}{unit}");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(order) = bare::Order::read(&arguments) {
        bare::run(order).await;
        return ExitCode::SUCCESS;
    }
    let names: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let wanted = |name| names.is_empty() || names.contains(&name);
    let mut bars = Vec::new();
    if wanted("speed") {
        bars.extend(speed::measure().await);
    }
    if wanted("memory") {
        bars.extend(memory::measure().await);
    }
    if wanted("answers") {
        bars.extend(answers::measure().await);
    }
    if wanted("limit") {
        bars.extend(limit::measure().await);
    }
    println!();
    bars.iter().for_each(Bar::print);
    if bars.iter().all(Bar::is_held) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

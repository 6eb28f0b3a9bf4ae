//! Peak memory of a large import and of one ten times as large.

use super::Bar;
use super::import::{Imported, import};
use super::processes::Pair;

const CONTACTS: u32 = 100_000;

pub async fn measure() -> Vec<Bar> {
    let small = imported(CONTACTS).await;
    let large = imported(CONTACTS * 10).await;
    vec![
        Bar::at_most(
            "peak memory of 1,000,000 contacts",
            100.0,
            large.peak,
            " MiB",
        ),
        Bar::at_most(
            "the same to that of 100,000",
            1.1,
            large.peak / small.peak,
            "",
        ),
        Bar::at_most(
            "the longest write transaction of 1,000,000",
            50.0,
            large.longest_write,
            " ms",
        ),
    ]
}

async fn imported(contacts: u32) -> Imported {
    let imported = import(&Pair::new(contacts, None)).await;
    println!(
        "{contacts} contacts: {:.0} items a second, {:.0} MiB, the longest write {:.0} ms",
        imported.rate(),
        imported.peak,
        imported.longest_write,
    );
    imported
}

//! Items a second: the program and two bare loops by turns, so that what else the machine does falls on
//! all of them alike.

use super::bare::bare;
use super::import::import;
use super::processes::Pair;
use super::{Bar, median};

const CONTACTS: u32 = 100_000;
const ROUNDS: usize = 3;

pub async fn measure() -> Vec<Bar> {
    let pair = Pair::new(CONTACTS, None);
    let (mut to_single, mut to_tens, mut longest) = (Vec::new(), Vec::new(), Vec::new());
    println!("items a second (CPU seconds, peak memory), from a provider without limits");
    for round in 1..=ROUNDS {
        let single = bare(&pair, 1);
        let ours = import(&pair).await;
        let tens = bare(&pair, 10);
        println!(
            "round {round}: program {:.0} ({:.1} s, {:.0} MiB), bare loop {:.0} ({:.1} s, {:.0} MiB), ten pages to a transaction {:.0} ({:.1} s)",
            ours.rate(),
            ours.cpu,
            ours.peak,
            single.rate(),
            single.cpu,
            single.peak,
            tens.rate(),
            tens.cpu,
        );
        assert_eq!(
            (ours.items, single.items),
            (single.items, tens.items),
            "the same items"
        );
        to_single.push(ours.rate() / single.rate());
        to_tens.push(ours.rate() / tens.rate());
        longest.push(ours.longest_write);
    }
    vec![
        Bar::at_least(
            "items a second, to a bare loop's",
            0.6,
            median(to_single),
            "",
        ),
        Bar::at_least(
            "the same with its ten pages to a transaction",
            0.6,
            median(to_tens),
            "",
        ),
        Bar::at_most(
            "the longest write transaction",
            50.0,
            median(longest),
            " ms",
        ),
    ]
}

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

/// The latest edit in any account; fixed, so that a page is the same whenever it is read.
const LATEST: i64 = 1_794_934_800; // 2026-11-17T17:00:00Z
/// The first creation and the first edit lie this many minutes before the latest edit.
const FIRST_CREATED: u64 = 1_000 * 24 * 60;
const FIRST_EDITED: u64 = 400 * 24 * 60;

/// Steps through the numbers of an account so that neighbours were edited at very different times.
const STEP: u64 = 1_000_003; // a prime

/// In which order an account's things came and were edited last, worked out from numbers alone:
/// they came in the order of their numbers, and were edited all over the place.
pub struct Order {
    len: u64,
    /// The thing that was edited last.
    start: u64,
    /// What undoes a step.
    back: u64,
    /// The edits of these ranks fell into one minute.
    crowd: Range<u32>,
}

impl Order {
    pub fn new(len: u32, crowd: Range<u32>) -> Order {
        let len = u64::from(len).max(1);
        Order {
            len,
            start: len / 3,
            back: inverse(STEP % len, len),
            crowd,
        }
    }

    /// The thing at a rank, where the one edited last has rank 0.
    pub fn at(&self, rank: u32) -> u32 {
        narrow((self.start + u64::from(rank) * (STEP % self.len)) % self.len)
    }

    /// The rank of a thing.
    pub fn rank(&self, number: u32) -> u32 {
        let ahead = u64::from(number) + self.len - self.start;
        narrow(ahead % self.len * self.back % self.len)
    }

    /// When a thing came.
    pub fn created(&self, number: u32) -> DateTime<Utc> {
        let span = FIRST_CREATED - FIRST_EDITED;
        let after_first = u64::from(number).min(self.len) * span / self.len;
        before_latest(FIRST_CREATED - after_first)
    }

    /// When a thing was edited last, to the minute.
    pub fn edited(&self, number: u32) -> DateTime<Utc> {
        let rank = self.rank(number);
        let rank = if self.crowd.contains(&rank) {
            self.crowd.start
        } else {
            rank
        };
        before_latest(u64::from(rank) * FIRST_EDITED / self.len)
    }
}

/// Notion keeps no seconds.
pub fn to_the_minute(at: DateTime<Utc>) -> DateTime<Utc> {
    let past = at.timestamp().rem_euclid(60);
    DateTime::from_timestamp(at.timestamp() - past, 0).unwrap_or(at)
}

fn before_latest(minutes: u64) -> DateTime<Utc> {
    let latest = DateTime::from_timestamp(LATEST, 0).unwrap_or_default();
    latest - TimeDelta::minutes(i64::try_from(minutes).unwrap_or_default())
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What undoes multiplying by `factor` among the numbers below `len`, by Euclid's algorithm.
fn inverse(factor: u64, len: u64) -> u64 {
    let (mut rest, mut next) = (i128::from(len), i128::from(factor));
    let (mut answer, mut following) = (0, 1);
    while next != 0 {
        let times = rest / next;
        (rest, next) = (next, rest - times * next);
        (answer, following) = (following, answer - times * following);
    }
    u64::try_from(answer.rem_euclid(i128::from(len))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_numbers_lead_to_each_other() {
        for len in [1, 2, 7, 120, 10_031, 100_041] {
            let order = Order::new(len, 0..0);
            assert!((0..len).all(|number| order.at(order.rank(number)) == number));
            assert!((0..len).all(|number| order.rank(number) < len));
        }
    }

    #[test]
    fn a_later_rank_is_an_earlier_edit() {
        let order = Order::new(10_031, 600..900);
        let edits: Vec<_> = (0..10_031)
            .map(|rank| order.edited(order.at(rank)))
            .collect();
        assert!(edits.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(edits[600], edits[899]);
        assert!(edits[899] > edits[900]);
    }

    #[test]
    fn everything_was_created_before_it_was_edited_and_in_the_past() {
        let order = Order::new(500, 0..0);
        for number in 0..500 {
            assert!(order.created(number) <= order.edited(number));
            assert!(order.edited(number) <= before_latest(0));
            assert!(number == 0 || order.created(number - 1) <= order.created(number));
        }
    }

    #[test]
    fn times_are_whole_minutes() {
        let at = DateTime::from_timestamp(1_794_934_859, 7).unwrap();
        assert_eq!(to_the_minute(at).timestamp(), LATEST);
        let order = Order::new(7, 0..0);
        assert!((0..7).all(|number| order.created(number).timestamp() % 60 == 0));
    }
}

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What the dial did to the generated records of one kind: a few numbers, however many records
/// they speak of.
///
/// Changes take the first records, deletions the last of those that were there at the start, and
/// what is added stands behind them all.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    added: Vec<Batch>,
    changed: Vec<Batch>,
    deleted: Vec<Batch>,
    /// How long an addition or a change stays out of the provider's search.
    index_delay: Duration,
}

/// So many records at once.
#[derive(Clone, Copy, Debug)]
struct Batch {
    count: u32,
    at: DateTime<Utc>,
}

/// The last change of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: DateTime<Utc>,
    /// How many changes there have been, for values that differ after each.
    pub times: usize,
}

impl Overlay {
    pub fn add(&mut self, count: u32, at: DateTime<Utc>) {
        self.added.push(Batch { count, at });
    }

    pub fn change(&mut self, count: u32, at: DateTime<Utc>) {
        self.changed.push(Batch { count, at });
    }

    pub fn delete(&mut self, count: u32, at: DateTime<Utc>) {
        self.deleted.push(Batch { count, at });
    }

    /// Puts deletions before all others: those of a record's past.
    pub fn delete_before(&mut self, count: u32, at: DateTime<Utc>) {
        self.deleted.insert(0, Batch { count, at });
    }

    pub fn delay_index(&mut self, delay: Duration) {
        self.index_delay = delay;
    }

    /// How many records there are behind the original ones.
    pub fn added(&self) -> u32 {
        sum(&self.added)
    }

    /// When an added record came; they are counted from 0.
    pub fn added_at(&self, number: u32) -> Option<DateTime<Utc>> {
        batch_of(&self.added, number)
    }

    /// What happened to the original record at an index, counted from 0.
    pub fn change_of(&self, index: u32) -> Option<Change> {
        let mut hits = self.changed.iter().filter(|batch| index < batch.count);
        let times = hits.clone().count();
        hits.next_back().map(|batch| Change {
            at: batch.at,
            times,
        })
    }

    /// How many of the original records were ever changed, from the first one on.
    pub fn changed(&self) -> u32 {
        let counts = self.changed.iter().map(|batch| batch.count);
        counts.max().unwrap_or_default()
    }

    /// How many of the original records are gone: so many, from the last one back. There may be
    /// more of them than there are records.
    pub fn deleted(&self) -> u32 {
        sum(&self.deleted)
    }

    /// When the original record at an index was deleted, if it was, where there were `len` of them.
    pub fn deleted_at(&self, index: u32, len: u32) -> Option<DateTime<Utc>> {
        let from_behind = len.checked_sub(index + 1)?;
        batch_of(&self.deleted, from_behind)
    }

    /// Whether search knows by now of something that happened to a record.
    pub fn is_indexed(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        at + self.index_delay <= now
    }
}

fn sum(batches: &[Batch]) -> u32 {
    batches
        .iter()
        .fold(0, |sum: u32, batch| sum.saturating_add(batch.count))
}

fn batch_of(batches: &[Batch], number: u32) -> Option<DateTime<Utc>> {
    let mut end: u32 = 0;
    let holds = |batch: &&Batch| {
        end = end.saturating_add(batch.count);
        number < end
    };
    batches.iter().find(holds).map(|batch| batch.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn added_records_know_when_they_came() {
        let mut overlay = Overlay::default();
        overlay.add(2, at(1));
        overlay.add(1, at(5));
        assert_eq!(overlay.added(), 3);
        let came = [0, 1, 2, 3].map(|number| overlay.added_at(number));
        assert_eq!(came, [Some(at(1)), Some(at(1)), Some(at(5)), None]);
    }

    #[test]
    fn the_last_change_counts_and_the_earlier_ones_are_counted() {
        let mut overlay = Overlay::default();
        overlay.change(2, at(1));
        overlay.change(1, at(5));
        let change = |at, times| Some(Change { at, times });
        let changes = [0, 1, 2].map(|index| overlay.change_of(index));
        assert_eq!(changes, [change(at(5), 2), change(at(1), 1), None]);
    }

    #[test]
    fn deletions_go_on_from_the_last_record_back() {
        let mut overlay = Overlay::default();
        overlay.delete(1, at(1));
        overlay.delete(2, at(5));
        let gone = [0, 1, 2, 3, 4].map(|index| overlay.deleted_at(index, 4));
        assert_eq!(gone, [None, Some(at(5)), Some(at(5)), Some(at(1)), None]);
        assert_eq!(overlay.deleted(), 3);
    }

    #[test]
    fn what_happened_just_now_is_not_searchable_yet() {
        let mut overlay = Overlay::default();
        assert!(overlay.is_indexed(at(10), at(10)));
        overlay.delay_index(Duration::from_secs(5));
        assert!(!overlay.is_indexed(at(10), at(14)));
        assert!(overlay.is_indexed(at(10), at(15)));
    }
}

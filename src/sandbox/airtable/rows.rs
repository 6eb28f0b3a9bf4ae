use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::columns::Row;
use super::ids;
use super::workspace::{Field, Table};
use crate::sandbox::overlay::{Change, Overlay};
use crate::sandbox::people::mix;

/// The latest change in any account; fixed, so that a record is the same whenever it is read.
const LATEST: i64 = 1_794_934_800; // 2026-11-17T17:00:00Z
const TWO_YEARS_MS: u64 = 730 * 24 * 3600 * 1000;

/// The records of one table. None of them is stored: each is worked out from its index when it is
/// asked for.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub table: &'a Table,
    /// What the dial did to the account, and how many records it had before.
    pub overlay: &'a Overlay,
    pub records: u32,
}

impl<'a> Rows<'a> {
    /// The indexes from one on, in the order of the table: no order in particular, but always the
    /// same.
    pub fn from(self, start: u32) -> impl Iterator<Item = u32> + 'a {
        (start..self.end()).filter(move |index| self.is_there(*index))
    }

    /// The index behind the last one.
    pub fn end(self) -> u32 {
        self.table.len + self.table.added
    }

    pub fn id(self, index: u32) -> String {
        ids::record_id(self.table.lineage, index)
    }

    /// Where a record of this id stands or, if it is gone, stood.
    pub fn place(self, id: &str) -> Option<u32> {
        ids::index_of(self.table.lineage, id)
    }

    /// The index of a record that is there.
    pub fn find(self, id: &str) -> Option<u32> {
        let place = self.place(id)?;
        (place < self.end() && self.is_there(place)).then_some(place)
    }

    pub fn created(self, index: u32) -> DateTime<Utc> {
        let (_, created_ago) = self.ages(index);
        self.added(index)
            .unwrap_or_else(|| before_latest(created_ago))
    }

    pub fn modified(self, index: u32) -> DateTime<Utc> {
        let changed = self.change(index).map(|change| change.at);
        let (modified_ago, _) = self.ages(index);
        changed
            .or_else(|| self.added(index))
            .unwrap_or_else(|| before_latest(modified_ago))
    }

    /// The cell of a record in a field, where there is anything in it.
    pub fn cell(self, index: u32, field: &Field) -> Option<Value> {
        self.table.kind.cell(field.column, &self.row(index))
    }

    /// How many comments a record has.
    pub fn comments(self, index: u32) -> u64 {
        mix(self.seed(index), 21) % 4
    }

    fn row(self, index: u32) -> Row {
        Row {
            index,
            seed: self.seed(index),
            created: self.created(index),
            modified: self.modified(index),
            changes: self.change(index).map_or(0, |change| change.times),
        }
    }

    /// Whether a record was not deleted.
    fn is_there(self, index: u32) -> bool {
        let original = index < self.table.len;
        !original
            || self
                .overlay
                .deleted_at(self.table.start + index, self.records)
                .is_none()
    }

    /// When a record came that the dial has added.
    fn added(self, index: u32) -> Option<DateTime<Utc>> {
        self.overlay.added_at(index.checked_sub(self.table.len)?)
    }

    fn change(self, index: u32) -> Option<Change> {
        let original = index < self.table.len;
        original.then(|| self.overlay.change_of(self.table.start + index))?
    }

    /// How long ago a record was last changed and made, in milliseconds.
    fn ages(self, index: u32) -> (u64, u64) {
        let seed = self.seed(index);
        let modified = mix(seed, 11) % TWO_YEARS_MS;
        (
            modified,
            modified + mix(seed, 12) % (TWO_YEARS_MS - modified),
        )
    }

    fn seed(self, index: u32) -> u64 {
        mix(self.table.lineage, u64::from(index))
    }
}

fn before_latest(milliseconds: u64) -> DateTime<Utc> {
    let latest = DateTime::from_timestamp(LATEST, 0).unwrap_or_default();
    latest - TimeDelta::milliseconds(i64::try_from(milliseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::airtable::workspace::Workspace;

    fn small(overlay: Overlay) -> Workspace {
        Workspace::of(Account::Small, 120, overlay)
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn every_time_lies_in_the_two_years_before_the_latest_and_creation_comes_first() {
        let workspace = small(Overlay::default());
        let rows = workspace.rows(&workspace.bases[0].tables[0]);
        for index in rows.from(0) {
            assert!(rows.created(index) <= rows.modified(index));
            assert!(rows.created(index) >= before_latest(TWO_YEARS_MS));
            assert!(rows.modified(index) <= before_latest(0));
        }
    }

    #[test]
    fn an_id_leads_back_to_its_record() {
        let workspace = small(Overlay::default());
        let rows = workspace.rows(&workspace.bases[1].tables[0]);
        assert!(
            rows.from(0)
                .all(|index| rows.find(&rows.id(index)) == Some(index))
        );
        assert_eq!(rows.find(&rows.id(rows.end())), None);
    }

    #[test]
    fn what_the_dial_adds_stands_in_the_first_table() {
        let mut overlay = Overlay::default();
        let now = at("2026-12-01T00:00:00Z");
        overlay.add(2, now);
        let workspace = small(overlay);
        let tables = &workspace.bases[0].tables;
        let rows = workspace.rows(&tables[0]);
        assert_eq!(rows.from(0).count() as u32, tables[0].len + 2);
        assert_eq!(rows.created(tables[0].len), now);
        assert_eq!(
            workspace.rows(&tables[1]).from(0).count() as u32,
            tables[1].len
        );
    }

    #[test]
    fn the_first_records_change_and_the_last_are_deleted() {
        let mut overlay = Overlay::default();
        let now = at("2026-12-01T00:00:00Z");
        overlay.change(1, now);
        overlay.delete(1, now);
        let workspace = small(overlay);
        let (first, last) = (&workspace.bases[0].tables[0], &workspace.bases[2].tables[0]);
        let rows = workspace.rows(first);
        assert_eq!(
            [rows.modified(0) == now, rows.modified(1) == now],
            [true, false]
        );
        let name = rows.cell(0, &first.fields[0]).unwrap();
        assert!(name.as_str().unwrap().ends_with(" (changed)"));
        let rows = workspace.rows(last);
        assert_eq!(rows.from(0).count() as u32, last.len - 1);
        assert_eq!(rows.find(&rows.id(last.len - 1)), None);
    }
}

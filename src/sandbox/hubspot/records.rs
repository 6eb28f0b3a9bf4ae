use chrono::{DateTime, TimeDelta, Utc};

use super::cases;
use super::fields::{Fields, MERGED, fields};
use super::kind::Kind;
use crate::sandbox::accounts::Account;
use crate::sandbox::dial::Provider;
use crate::sandbox::overlay::Overlay;
use crate::sandbox::people::mix;
use crate::sandbox::world::World;

/// No double can hold it: a client that reads ids as numbers turns it into …992.
const BEYOND_DOUBLE: u64 = 9_007_199_254_740_993;

/// Ids lie this far apart on average.
const STEP: u64 = 8;

/// The latest change in any account; fixed, so that a record is the same whenever it is read.
const LATEST: i64 = 1_794_934_800; // 2026-11-17T17:00:00Z
const DAY_MS: u64 = 24 * 3600 * 1000;
const TWO_YEARS_MS: u64 = 730 * DAY_MS;

/// One night a job touched all of these contacts of the largest account at once: more than a search
/// gives out, and no time tells them apart.
const BULK: std::ops::Range<u32> = 1_000..13_000;
const BULK_AGO_MS: u64 = 17 * DAY_MS;

/// What the small account had once, of each kind.
const FORMER: u32 = 4;
const FORMER_AGO_MS: u64 = 40 * DAY_MS;

/// Merging is done by hand: nobody does it more often than this.
const MOST_MERGES: u32 = 30;

/// The records of one kind in one account. None of them is stored: each is worked out from its
/// index when it is asked for, and from what the dial did to it.
pub struct Records {
    pub account: Account,
    pub kind: Kind,
    /// How many there were before the dial was turned, those that had gone by then included.
    len: u32,
    overlay: Overlay,
}

/// One record, before it takes HubSpot's shape.
pub struct Record {
    pub kind: Kind,
    pub id: u64,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
    pub archived: Option<DateTime<Utc>>,
    pub stamps: Stamps,
    pub fields: Fields,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    Usual,
    WithoutFraction,
    WithOffset,
}

/// What became of a record that is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It can be read as an archived one.
    Archived(DateTime<Utc>),
    /// It became part of the account's first record of its kind, which lists its id.
    Merged(DateTime<Utc>),
    /// Nothing tells that it ever was.
    Erased,
}

impl Records {
    pub fn of(world: &World, account: Account, kind: Kind) -> Records {
        let overlay = world
            .dial
            .overlay(Provider::HubSpot, account, kind.plural());
        Records::new(account, kind, world.size(account), overlay)
    }

    pub fn new(account: Account, kind: Kind, contacts: u32, mut overlay: Overlay) -> Records {
        let mut len = kind.count_beside(contacts);
        if account == Account::Small {
            len += FORMER;
            overlay.delete_before(FORMER, before_latest(FORMER_AGO_MS));
        }
        Records {
            account,
            kind,
            len,
            overlay,
        }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.kept() + self.overlay.added()
    }

    /// How many of the original ones are there still.
    fn kept(&self) -> u32 {
        self.len.saturating_sub(self.overlay.deleted())
    }

    /// The index of the record at a place among those that are there.
    pub fn index(&self, place: u32) -> u32 {
        match place.checked_sub(self.kept()) {
            None => place,
            Some(added) => self.len + added,
        }
    }

    /// Behind the last index.
    pub fn end(&self) -> u32 {
        self.len + self.overlay.added()
    }

    /// Whether there is a record with this index.
    pub fn is_there(&self, index: u32) -> bool {
        index < self.kept() || (self.len..self.end()).contains(&index)
    }

    /// Ids ascend with the index, with gaps.
    pub fn id(&self, index: u32) -> u64 {
        let gap = mix(self.seed(index), 10) % STEP;
        match index.checked_sub(self.index_beyond_double()) {
            Some(0) => BEYOND_DOUBLE,
            Some(further) => BEYOND_DOUBLE + u64::from(further) * STEP + gap,
            None => first_id(self.account) + u64::from(index) * STEP + gap,
        }
    }

    fn index_beyond_double(&self) -> u32 {
        match (self.account, self.kind) {
            (Account::Small, Kind::Contact) => self.len.saturating_sub(FORMER + 1),
            _ => u32::MAX,
        }
    }

    /// The place of the first record whose id is `id` or larger; `count` where there is none.
    pub fn at_or_after(&self, id: u64) -> u32 {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(self.index(middle)) < id {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The index of the record with an id, if it is there.
    pub fn find(&self, id: u64) -> Option<u32> {
        let place = self.at_or_after(id);
        (place < self.count())
            .then(|| self.index(place))
            .filter(|index| self.id(*index) == id)
    }

    /// The indices of those that are archived, in the order of their ids.
    pub fn archived(&self) -> Vec<u32> {
        let is_archived = |index: &u32| matches!(self.end_of(*index), Some(End::Archived(_)));
        (self.kept()..self.len).filter(is_archived).collect()
    }

    /// How the record at an index ended, if it did.
    pub fn end_of(&self, index: u32) -> Option<End> {
        let at = self.overlay.deleted_at(index, self.len)?;
        let from_behind = self.len - 1 - index;
        Some(match from_behind % 3 {
            1 if from_behind < MOST_MERGES => End::Merged(at),
            2 => End::Erased,
            _ => End::Archived(at),
        })
    }

    /// When a record was made and when it was changed last.
    pub fn times(&self, index: u32) -> (DateTime<Utc>, DateTime<Utc>) {
        let added = index.checked_sub(self.len);
        if let Some(at) = added.and_then(|number| self.overlay.added_at(number)) {
            return (at, at);
        }
        let seed = self.seed(index);
        let modified_ago = match (self.account, self.kind) {
            (Account::HundredThousand, Kind::Contact) if BULK.contains(&index) => BULK_AGO_MS,
            _ => mix(seed, 11) % TWO_YEARS_MS,
        };
        let created_ago = modified_ago + mix(seed, 12) % (TWO_YEARS_MS - modified_ago);
        let change = self.overlay.change_of(index).map(|change| change.at);
        let merge = (index == 0).then(|| self.merges().map(|(_, at)| at).max());
        let latest = [Some(before_latest(modified_ago)), change, merge.flatten()];
        let modified = latest.into_iter().flatten().max().unwrap_or_default();
        (before_latest(created_ago), modified)
    }

    /// Whether search knows the record as it is.
    pub fn is_indexed(&self, index: u32, now: DateTime<Utc>) -> bool {
        self.overlay.is_indexed(self.times(index).1, now)
    }

    pub fn record(&self, index: u32) -> Record {
        let (created, modified) = self.times(index);
        let mut record = Record {
            kind: self.kind,
            id: self.id(index),
            created,
            modified,
            archived: match self.end_of(index) {
                Some(End::Archived(at)) => Some(at),
                _ => None,
            },
            stamps: Stamps::Usual,
            fields: fields(self.kind, self.seed(index), index, created),
        };
        if self.account == Account::Small {
            cases::dress(self.kind, index, &mut record);
        }
        if let Some(change) = self.overlay.change_of(index) {
            record.mark(change.times);
        }
        if index == 0 {
            record.set(MERGED, self.merged_ids().as_deref());
        }
        record
    }

    /// The ids of what became part of the first record, as it lists them.
    fn merged_ids(&self) -> Option<String> {
        let ids: Vec<String> = self.merges().map(|(id, _)| id.to_string()).collect();
        (!ids.is_empty()).then(|| ids.join(";"))
    }

    fn merges(&self) -> impl Iterator<Item = (u64, DateTime<Utc>)> {
        let last = self.len.saturating_sub(MOST_MERGES);
        (self.kept().max(last)..self.len).filter_map(|index| match self.end_of(index) {
            Some(End::Merged(at)) => Some((self.id(index), at)),
            _ => None,
        })
    }

    fn seed(&self, index: u32) -> u64 {
        mix(u64::from(index), first_id(self.account) + self.kind as u64)
    }
}

impl Record {
    /// Changes what is known about the record.
    pub fn set(&mut self, property: &str, value: Option<&str>) {
        for (name, known) in &mut self.fields {
            if *name == property {
                *known = value.map(str::to_owned);
            }
        }
    }

    /// Leaves one property standing, and empties the rest.
    pub fn keep_only(&mut self, property: &str) {
        for (name, value) in &mut self.fields {
            if *name != property {
                *value = None;
            }
        }
    }

    /// Makes HubSpot leave a property out of its answers.
    pub fn leave_out(&mut self, property: &str) {
        self.fields.retain(|(name, _)| *name != property);
    }

    /// Shows in the name how often the record was changed, where it has one.
    fn mark(&mut self, times: usize) {
        for (name, value) in &mut self.fields {
            if *name == self.kind.name_property() {
                *value = value.take().map(|value| format!("{value} ({times})"));
            }
        }
    }
}

/// Kinds have the same one: an id says nothing without its kind.
fn first_id(account: Account) -> u64 {
    match account {
        Account::Small => 901_551,
        Account::TenThousand => 12_408_300_417,
        Account::HundredThousand => 84_120_050_003,
        Account::Empty => 1,
        Account::Faults => 5_550_101,
    }
}

fn before_latest(milliseconds: u64) -> DateTime<Utc> {
    let latest = DateTime::from_timestamp(LATEST, 0).unwrap_or_default();
    latest - TimeDelta::milliseconds(i64::try_from(milliseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn records(account: Account, kind: Kind, overlay: Overlay) -> Records {
        Records::new(account, kind, account.profile().items, overlay)
    }

    fn untouched(account: Account, kind: Kind) -> Records {
        records(account, kind, Overlay::default())
    }

    fn ids(records: &Records) -> Vec<u64> {
        let places = 0..records.count();
        places
            .map(|place| records.id(records.index(place)))
            .collect()
    }

    fn field(record: &Record, property: &str) -> Option<String> {
        let known = record.fields.iter().find(|(name, _)| *name == property);
        known.and_then(|(_, value)| value.clone())
    }

    #[test]
    fn ids_ascend_and_lead_back_to_their_record() {
        for account in Account::ALL {
            for kind in Kind::ALL {
                let records = untouched(account, kind);
                let ids = ids(&records);
                assert!(ids.is_sorted_by(|one, next| one < next));
                for (place, id) in ids.into_iter().enumerate().step_by(7) {
                    assert_eq!(records.find(id), Some(place as u32));
                }
            }
        }
    }

    #[test]
    fn an_id_between_two_contacts_leads_to_the_later_one_and_finds_none() {
        let contacts = untouched(Account::Small, Kind::Contact);
        let gap = contacts.id(40) + 1;
        assert_ne!(gap, contacts.id(41), "choose another index");
        assert_eq!(contacts.at_or_after(gap), 41);
        assert_eq!(contacts.find(gap), None);
        assert_eq!(contacts.at_or_after(u64::MAX), contacts.count());
    }

    #[test]
    fn there_are_a_fifth_as_many_companies_as_contacts_and_a_tenth_as_many_deals() {
        let counts = Kind::ALL.map(|kind| untouched(Account::TenThousand, kind).count());
        assert_eq!(counts, [10_000, 2_000, 1_000]);
        let small = Kind::ALL.map(|kind| untouched(Account::Small, kind).count());
        assert_eq!(small, [120, 24, 12]);
    }

    #[test]
    fn no_two_contacts_share_an_address() {
        for account in Account::ALL {
            let contacts = untouched(account, Kind::Contact);
            let mut seen = HashSet::new();
            for index in 0..contacts.count() {
                if let Some(email) =
                    field(&contacts.record(index), "email").filter(|email| !email.is_empty())
                {
                    assert!(seen.insert(email.clone()), "{email} stands twice");
                }
            }
        }
    }

    #[test]
    fn every_time_lies_in_the_two_years_before_the_latest_and_creation_comes_first() {
        for kind in Kind::ALL {
            let records = untouched(Account::TenThousand, kind);
            for (created, modified) in (0..records.count()).map(|index| records.times(index)) {
                assert!(created <= modified);
                assert!(created >= before_latest(TWO_YEARS_MS));
                assert!(modified <= before_latest(0));
            }
        }
    }

    #[test]
    fn the_largest_account_has_more_contacts_of_one_time_than_a_search_gives() {
        let contacts = untouched(Account::HundredThousand, Kind::Contact);
        let (_, bulk) = contacts.times(BULK.start);
        let same = (0..contacts.count()).filter(|index| contacts.times(*index).1 == bulk);
        assert!(same.count() > 10_000);
    }

    #[test]
    fn the_small_account_ends_with_an_id_that_no_double_can_hold() {
        let contacts = untouched(Account::Small, Kind::Contact);
        assert_eq!(ids(&contacts).last(), Some(&9_007_199_254_740_993));
        assert!(contacts.find(9_007_199_254_740_993).is_some());
        assert!(contacts.find(9_007_199_254_740_992).is_none());
    }

    #[test]
    fn records_end_in_three_ways_and_the_first_one_lists_what_it_took_in() {
        let now = Utc::now();
        let mut overlay = Overlay::default();
        overlay.delete(3, now);
        let contacts = records(Account::TenThousand, Kind::Contact, overlay);
        let ends = [9_999, 9_998, 9_997, 9_996].map(|index| contacts.end_of(index));
        let expected = [
            Some(End::Archived(now)),
            Some(End::Merged(now)),
            Some(End::Erased),
            None,
        ];
        assert_eq!(ends, expected);
        assert_eq!(contacts.archived(), [9_999]);
        let winner = contacts.record(0);
        let merged = contacts.id(9_998).to_string();
        assert_eq!(field(&winner, MERGED), Some(merged));
        assert_eq!(winner.modified, now);
    }

    #[test]
    fn what_is_added_comes_last_and_what_is_changed_shows_it() {
        let now = Utc::now();
        let mut overlay = Overlay::default();
        let before = untouched(Account::Faults, Kind::Deal);
        overlay.add(2, now);
        overlay.delete(1, now);
        overlay.change(1, now);
        let deals = records(Account::Faults, Kind::Deal, overlay);
        assert_eq!(deals.count(), 201);
        assert_eq!(deals.record(deals.index(200)).created, now);
        assert!(deals.id(deals.index(199)) > before.id(199));
        let (was, is) = (before.record(0), deals.record(0));
        assert_eq!((was.created, now), (is.created, is.modified));
        let name = field(&was, "dealname").map(|name| format!("{name} (1)"));
        assert_eq!(field(&is, "dealname"), name);
    }
}

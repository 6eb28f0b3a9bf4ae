use chrono::{DateTime, TimeDelta, Utc};

use super::cases;
use crate::sandbox::accounts::Account;
use crate::sandbox::people::{mix, person};

/// No double can hold it: a client that reads ids as numbers turns it into …992.
const BEYOND_DOUBLE: u64 = 9_007_199_254_740_993;

/// Ids lie this far apart on average.
const STEP: u64 = 8;

/// The latest change in any account; fixed, so that a record is the same whenever it is read.
const LATEST: i64 = 1_794_934_800; // 2026-11-17T17:00:00Z
const TWO_YEARS_MS: u64 = 730 * 24 * 3600 * 1000;

/// From this index on addresses have a number in them: names run out sooner than contacts do.
const PLAIN_ADDRESSES: u32 = 30;

/// The contacts of one account. None of them is stored: each is worked out from its index when it
/// is asked for.
#[derive(Clone, Copy)]
pub struct Contacts {
    pub account: Account,
    pub len: u32,
}

/// One contact, before it takes HubSpot's shape.
pub struct Contact {
    pub id: u64,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
    pub stamps: Stamps,
    /// What is known about the person; a property that is not in here does not exist for HubSpot.
    pub fields: Vec<(&'static str, Option<String>)>,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    Usual,
    WithoutFraction,
    WithOffset,
}

impl Contacts {
    /// Ids ascend with the index, with gaps.
    pub fn id(&self, index: u32) -> u64 {
        if self.account == Account::Small && index + 1 == self.len {
            return BEYOND_DOUBLE;
        }
        let gap = mix(self.seed(index), 10) % STEP;
        first_id(self.account) + u64::from(index) * STEP + gap
    }

    /// The index of the first contact whose id is `id` or larger; `len` where there is none.
    pub fn at_or_after(&self, id: u64) -> u32 {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(middle) < id {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The contact with an id.
    pub fn find(&self, id: u64) -> Option<Contact> {
        let index = self.at_or_after(id);
        (index < self.len && self.id(index) == id).then(|| self.contact(index))
    }

    /// The contact at an index.
    pub fn contact(&self, index: u32) -> Contact {
        let seed = self.seed(index);
        let modified_ago = mix(seed, 11) % TWO_YEARS_MS;
        let created_ago = modified_ago + mix(seed, 12) % (TWO_YEARS_MS - modified_ago);
        let mut contact = Contact {
            id: self.id(index),
            created: before_latest(created_ago),
            modified: before_latest(modified_ago),
            stamps: Stamps::Usual,
            fields: fields(seed, index),
        };
        if self.account == Account::Small {
            cases::dress(index, &mut contact);
        }
        contact
    }

    fn seed(&self, index: u32) -> u64 {
        mix(u64::from(index), first_id(self.account))
    }
}

impl Contact {
    /// Changes what is known about the person.
    pub fn set(&mut self, property: &str, value: Option<&str>) {
        for (name, known) in &mut self.fields {
            if *name == property {
                *known = value.map(str::to_owned);
            }
        }
    }

    /// Makes HubSpot leave a property out of its answers.
    pub fn leave_out(&mut self, property: &str) {
        self.fields.retain(|(name, _)| *name != property);
    }
}

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

fn fields(seed: u64, index: u32) -> Vec<(&'static str, Option<String>)> {
    let person = person(seed);
    let number = if index < PLAIN_ADDRESSES {
        String::new()
    } else {
        index.to_string()
    };
    let email = format!(
        "{}.{}{number}@{}",
        person.first.1, person.last.1, person.company.1
    );
    // Not everybody is known equally well.
    let has_phone = mix(seed, 13).is_multiple_of(3);
    vec![
        ("firstname", Some(person.first.0.to_owned())),
        ("lastname", Some(person.last.0.to_owned())),
        ("email", Some(email)),
        ("phone", has_phone.then_some(person.phone)),
        ("mobilephone", None),
        ("company", Some(person.company.0.to_owned())),
        ("jobtitle", Some(person.job.to_owned())),
        ("lifecyclestage", Some("lead".to_owned())),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn contacts(account: Account) -> Contacts {
        let len = account.profile().items;
        Contacts { account, len }
    }

    fn field(contact: &Contact, property: &str) -> Option<String> {
        let known = contact.fields.iter().find(|(name, _)| *name == property);
        known.and_then(|(_, value)| value.clone())
    }

    #[test]
    fn ids_ascend_and_lead_back_to_their_contact() {
        for account in Account::ALL {
            let contacts = contacts(account);
            for index in 0..contacts.len {
                let id = contacts.id(index);
                assert!(index == 0 || contacts.id(index - 1) < id);
                assert_eq!(contacts.at_or_after(id), index);
            }
        }
    }

    #[test]
    fn an_id_between_two_contacts_leads_to_the_later_one_and_finds_none() {
        let contacts = contacts(Account::Small);
        let gap = contacts.id(40) + 1;
        assert_ne!(gap, contacts.id(41), "choose another index");
        assert_eq!(contacts.at_or_after(gap), 41);
        assert!(contacts.find(gap).is_none());
        assert_eq!(contacts.at_or_after(u64::MAX), contacts.len);
    }

    #[test]
    fn no_two_contacts_share_an_address() {
        for account in Account::ALL {
            let contacts = contacts(account);
            let mut seen = HashSet::new();
            for index in 0..contacts.len {
                if let Some(email) =
                    field(&contacts.contact(index), "email").filter(|email| !email.is_empty())
                {
                    assert!(seen.insert(email.clone()), "{email} stands twice");
                }
            }
        }
    }

    #[test]
    fn every_time_lies_in_the_two_years_before_the_latest_and_creation_comes_first() {
        let contacts = contacts(Account::TenThousand);
        for contact in (0..contacts.len).map(|index| contacts.contact(index)) {
            assert!(contact.created <= contact.modified);
            assert!(contact.created >= before_latest(TWO_YEARS_MS));
            assert!(contact.modified <= before_latest(0));
        }
    }

    #[test]
    fn the_small_account_ends_with_an_id_that_no_double_can_hold() {
        let contacts = contacts(Account::Small);
        assert_eq!(contacts.id(contacts.len - 1), 9_007_199_254_740_993);
        assert!(contacts.find(9_007_199_254_740_993).is_some());
        assert!(contacts.find(9_007_199_254_740_992).is_none());
    }
}

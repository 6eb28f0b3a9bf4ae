use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ids::id;

/// How long a listing is remembered after its last page. Airtable says "minutes".
const LIFE: Duration = Duration::from_secs(300);

/// The listings that have a page to come. Each is good for the list that it was begun for, and for
/// a while.
#[derive(Default)]
pub struct Iterators(Mutex<HashMap<String, Listing>>);

struct Listing {
    /// What is listed, and how.
    list: String,
    forgetful: bool,
    used: DateTime<Utc>,
}

impl Iterators {
    /// Remembers a listing under a name that says nothing.
    pub fn begin(&self, list: &str, forgetful: bool, now: DateTime<Utc>) -> String {
        let name = id("itr", rand::random());
        let mut listings = self.hold();
        listings.retain(|_, listing| is_fresh(listing, now));
        let listing = Listing {
            list: list.to_owned(),
            forgetful,
            used: now,
        };
        listings.insert(name.clone(), listing);
        name
    }

    /// Whether a listing can go on, and if so whether it is one that will be forgotten early.
    pub fn resume(&self, name: &str, list: &str, now: DateTime<Utc>) -> Option<bool> {
        let mut listings = self.hold();
        let listing = listings.get_mut(name)?;
        if listing.list != list || !is_fresh(listing, now) {
            return None;
        }
        listing.used = now;
        Some(listing.forgetful)
    }

    /// Forgets a listing before its time.
    pub fn forget(&self, name: &str) {
        self.hold().remove(name);
    }

    /// A sandbox goes on after a panic in one request: what the lock guards is whole after every
    /// statement.
    fn hold(&self) -> MutexGuard<'_, HashMap<String, Listing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(listing: &Listing, now: DateTime<Utc>) -> bool {
    listing.used + LIFE > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_while_its_pages_are_asked_for() {
        let (iterators, start) = (Iterators::default(), Utc::now());
        let name = iterators.begin("a", false, start);
        for minutes in [4, 8, 12] {
            let now = start + Duration::from_secs(60) * minutes;
            assert_eq!(iterators.resume(&name, "a", now), Some(false));
        }
        let late = start + Duration::from_secs(60) * 17;
        assert_eq!(iterators.resume(&name, "a", late), None);
    }

    #[test]
    fn a_listing_is_good_for_nothing_else() {
        let (iterators, now) = (Iterators::default(), Utc::now());
        let name = iterators.begin("a", true, now);
        assert_eq!(iterators.resume(&name, "b", now), None);
        assert_eq!(iterators.resume("itr", "a", now), None);
        assert_eq!(iterators.resume(&name, "a", now), Some(true));
        iterators.forget(&name);
        assert_eq!(iterators.resume(&name, "a", now), None);
    }
}

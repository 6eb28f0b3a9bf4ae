use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::accounts::Account;
use super::overlay::Overlay;

/// Who is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    HubSpot,
    Notion,
    Airtable,
}

impl Provider {
    pub const ALL: [Provider; 3] = [Provider::HubSpot, Provider::Notion, Provider::Airtable];

    pub fn slug(self) -> &'static str {
        match self {
            Provider::HubSpot => "hubspot",
            Provider::Notion => "notion",
            Provider::Airtable => "airtable",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Provider::HubSpot => "HubSpot",
            Provider::Notion => "Notion",
            Provider::Airtable => "Airtable",
        }
    }

    /// The kinds of records that can be edited, the main one first.
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Provider::HubSpot => &["contacts", "companies", "deals"],
            Provider::Notion => &["pages"],
            Provider::Airtable => &["records"],
        }
    }

    pub fn from_slug(slug: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|it| it.slug() == slug)
    }
}

/// One turn of the dial, for one account of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Every access token given so far has expired; refreshing brings a good one.
    ExpireTokens,
    /// The grant has ended, refresh tokens and all, as if the person had removed the app.
    Revoke,
    /// API requests fail in one way for a while.
    Fail(Fault, Span),
    /// Every API answer comes this much later, until there is another turn of this kind or calm.
    Slow(Duration),
    /// What is added and changed reaches the provider's search only after so long.
    DelayIndex(Duration),
    /// An edit of the records of a kind, one of `Provider::kinds`.
    Records(&'static str, Edit),
    /// Failing and slowness end; what happened to tokens and records stays.
    Calm,
}

/// What happens to so many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Add(u32),
    /// Other values, and the present as their time.
    Change(u32),
    Delete(u32),
}

/// A way in which requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429, in the provider's own words.
    TooMany,
    /// 502, in HTML.
    BadGateway,
    /// The connection ends in the middle of the answer.
    Cut,
}

/// How long requests fail: the next so many, or all for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Requests(u32),
    Lasting(Duration),
}

/// What should go wrong with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishap {
    pub delay: Duration,
    pub fault: Option<Fault>,
    /// How long the fault goes on, where that is known.
    pub left: Duration,
}

/// Where the dial stands.
#[derive(Default)]
pub struct Dial(Mutex<HashMap<(Provider, Account), Setting>>);

/// Where it stands for one account of one provider.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    pub faults: Vec<(Fault, Left)>,
    pub delay: Duration,
    pub index_delay: Duration,
    pub overlays: BTreeMap<&'static str, Overlay>,
}

/// What is left of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Requests(u32),
    Until(DateTime<Utc>),
}

impl Dial {
    /// Turns the dial; what tokens are worth is for those who keep them.
    pub fn turn(&self, provider: Provider, account: Account, turn: Turn, now: DateTime<Utc>) {
        let mut settings = self.hold();
        let setting = settings.entry((provider, account)).or_default();
        match turn {
            Turn::ExpireTokens | Turn::Revoke => {}
            Turn::Fail(fault, span) => setting.fail(fault, span, now),
            Turn::Slow(delay) => setting.delay = delay,
            Turn::DelayIndex(delay) => setting.index_delay = delay,
            Turn::Records(kind, edit) => {
                debug_assert!(provider.kinds().contains(&kind), "no such kind: {kind}");
                setting.edit(kind, edit, now);
            }
            Turn::Calm => setting.calm(),
        }
    }

    /// What should go wrong with an API request that has just come.
    pub fn mishap(&self, provider: Provider, account: Account, now: DateTime<Utc>) -> Mishap {
        let mut settings = self.hold();
        let setting = settings.get_mut(&(provider, account));
        setting.map_or_else(Mishap::default, |setting| setting.mishap(now))
    }

    /// What happened to an account's records of a kind.
    pub fn overlay(&self, provider: Provider, account: Account, kind: &str) -> Overlay {
        let settings = self.hold();
        let Some(setting) = settings.get(&(provider, account)) else {
            return Overlay::default();
        };
        let mut overlay = setting.overlays.get(kind).cloned().unwrap_or_default();
        overlay.delay_index(setting.index_delay);
        overlay
    }

    /// Where it stands for an account.
    pub fn setting(&self, provider: Provider, account: Account) -> Setting {
        let setting = self.hold().get(&(provider, account)).cloned();
        setting.unwrap_or_default()
    }

    /// A sandbox goes on after a panic in one request: what the lock guards is whole after every
    /// statement.
    fn hold(&self) -> MutexGuard<'_, HashMap<(Provider, Account), Setting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Setting {
    fn fail(&mut self, fault: Fault, span: Span, now: DateTime<Utc>) {
        let left = match span {
            Span::Requests(count) => Left::Requests(count),
            Span::Lasting(time) => Left::Until(now + time),
        };
        self.faults.retain(|(other, _)| *other != fault);
        self.faults.push((fault, left));
    }

    fn calm(&mut self) {
        self.faults.clear();
        self.delay = Duration::ZERO;
    }

    fn edit(&mut self, kind: &'static str, edit: Edit, now: DateTime<Utc>) {
        let overlay = self.overlays.entry(kind).or_default();
        match edit {
            Edit::Add(count) => overlay.add(count, now),
            Edit::Change(count) => overlay.change(count, now),
            Edit::Delete(count) => overlay.delete(count, now),
        }
    }

    /// The fault that was set first comes first; it uses one request of its span up.
    fn mishap(&mut self, now: DateTime<Utc>) -> Mishap {
        self.faults.retain(|(_, left)| left.is_any(now));
        let mut mishap = Mishap {
            delay: self.delay,
            ..Mishap::default()
        };
        if let Some((fault, left)) = self.faults.first_mut() {
            mishap.fault = Some(*fault);
            mishap.left = left.use_one(now);
        }
        mishap
    }
}

impl Left {
    pub fn is_any(self, now: DateTime<Utc>) -> bool {
        match self {
            Left::Requests(count) => count > 0,
            Left::Until(end) => end > now,
        }
    }

    fn use_one(&mut self, now: DateTime<Utc>) -> Duration {
        match self {
            Left::Requests(count) => {
                *count -= 1;
                Duration::ZERO
            }
            Left::Until(end) => (*end - now).to_std().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUBSPOT: Provider = Provider::HubSpot;

    fn fault(dial: &Dial, account: Account, now: DateTime<Utc>) -> Option<Fault> {
        dial.mishap(HUBSPOT, account, now).fault
    }

    #[test]
    fn a_fault_takes_as_many_requests_as_it_was_set_for() {
        let (dial, now) = (Dial::default(), Utc::now());
        let turn = Turn::Fail(Fault::Cut, Span::Requests(2));
        dial.turn(HUBSPOT, Account::Small, turn, now);
        let met = [(); 3].map(|()| fault(&dial, Account::Small, now));
        assert_eq!(met, [Some(Fault::Cut), Some(Fault::Cut), None]);
    }

    #[test]
    fn a_fault_lasts_as_long_as_it_was_set_for_and_says_how_long_that_is() {
        let (dial, now) = (Dial::default(), Utc::now());
        let turn = Turn::Fail(Fault::TooMany, Span::Lasting(Duration::from_secs(3)));
        dial.turn(HUBSPOT, Account::Small, turn, now);
        let later =
            |seconds| dial.mishap(HUBSPOT, Account::Small, now + Duration::from_secs(seconds));
        assert_eq!(later(1).fault, Some(Fault::TooMany));
        assert_eq!(later(1).left, Duration::from_secs(2));
        assert_eq!(later(3).fault, None);
    }

    #[test]
    fn faults_stay_with_their_provider_and_account() {
        let (dial, now) = (Dial::default(), Utc::now());
        let turn = Turn::Fail(Fault::Cut, Span::Requests(9));
        dial.turn(HUBSPOT, Account::Small, turn, now);
        assert_eq!(fault(&dial, Account::Faults, now), None);
        let elsewhere = dial.mishap(Provider::Notion, Account::Small, now);
        assert_eq!(elsewhere, Mishap::default());
    }

    #[test]
    fn calm_ends_faults_and_slowness_and_leaves_records_as_they_are() {
        let (dial, now) = (Dial::default(), Utc::now());
        let turns = [
            Turn::Fail(Fault::BadGateway, Span::Requests(9)),
            Turn::Slow(Duration::from_secs(1)),
            Turn::Records("contacts", Edit::Add(3)),
            Turn::Calm,
        ];
        for turn in turns {
            dial.turn(HUBSPOT, Account::Small, turn, now);
        }
        assert_eq!(dial.mishap(HUBSPOT, Account::Small, now), Mishap::default());
        let overlay = dial.overlay(HUBSPOT, Account::Small, "contacts");
        assert_eq!(overlay.added(), 3);
    }

    #[test]
    fn each_kind_of_record_is_turned_by_itself() {
        let (dial, now) = (Dial::default(), Utc::now());
        let turn = Turn::Records("deals", Edit::Add(2));
        dial.turn(HUBSPOT, Account::Small, turn, now);
        let added = |kind| dial.overlay(HUBSPOT, Account::Small, kind).added();
        assert_eq!([added("contacts"), added("deals")], [0, 2]);
    }
}

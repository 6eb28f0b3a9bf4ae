use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sandbox::accounts::Account;

/// Whoever goes over a limit is shut out for so many windows: 30 seconds after one of a second.
const LOCKOUT: u32 = 30;

/// How much more a person may ask of all bases together than of one.
const BASES_AT_ONCE: u32 = 10;

/// What a limit is kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Everything one person asks.
    User(Account),
    /// What they ask about bases, not of them.
    Metadata(Account),
    Base(Account, String),
}

/// Budgets of requests, with a lockout for who exceeds them.
pub struct Limits {
    rate: u32,
    window: Duration,
    buckets: HashMap<Group, Bucket>,
}

#[derive(Default)]
struct Bucket {
    seen: VecDeque<Instant>,
    locked_until: Option<Instant>,
}

impl Limits {
    /// `rate` requests of one base within any `window`.
    pub fn new(rate: u32, window: Duration) -> Limits {
        Limits {
            rate,
            window,
            buckets: HashMap::new(),
        }
    }

    /// Lets a request in, or locks its group where it is one too many.
    pub fn admit(&mut self, group: Group, now: Instant) -> bool {
        let rate = match group {
            Group::User(_) => self.rate.saturating_mul(BASES_AT_ONCE),
            Group::Metadata(_) | Group::Base(..) => self.rate,
        };
        let (window, bucket) = (self.window, self.buckets.entry(group).or_default());
        if bucket.locked_until.is_some_and(|end| now < end) {
            return false;
        }
        let left = |at: &Instant| now.duration_since(*at) >= window;
        while bucket.seen.front().is_some_and(left) {
            bucket.seen.pop_front();
        }
        let admitted = bucket.seen.len() < rate as usize;
        if admitted {
            bucket.seen.push_back(now);
        } else {
            bucket.locked_until = Some(now + window * LOCKOUT);
        }
        admitted
    }

    /// Shuts a group out as if it had gone over its limit.
    pub fn lock(&mut self, group: Group, now: Instant) {
        let end = now + self.window * LOCKOUT;
        self.buckets.entry(group).or_default().locked_until = Some(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1);

    fn base(id: &str) -> Group {
        Group::Base(Account::Small, id.to_owned())
    }

    #[test]
    fn one_request_too_many_shuts_a_base_for_thirty_windows() {
        let (mut limits, start) = (Limits::new(2, WINDOW), Instant::now());
        let mut at = |ms| limits.admit(base("a"), start + Duration::from_millis(ms));
        assert_eq!([at(0), at(900), at(999)], [true, true, false]);
        // The second request has left the window long ago, which does not help.
        assert_eq!([at(10_000), at(30_998), at(30_999)], [false, false, true]);
    }

    #[test]
    fn a_refusal_during_the_lockout_does_not_lengthen_it() {
        let (mut limits, start) = (Limits::new(1, WINDOW), Instant::now());
        let mut at = |seconds| limits.admit(base("a"), start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(0), at(29), at(30)], [true, false, false, true]);
    }

    #[test]
    fn a_pace_within_the_rate_is_never_refused() {
        let (mut limits, start) = (Limits::new(5, WINDOW), Instant::now());
        let pace = |step: u32| start + Duration::from_millis(200) * step;
        assert!((0..100).all(|step| limits.admit(base("a"), pace(step))));
    }

    #[test]
    fn bases_metadata_and_accounts_have_budgets_of_their_own() {
        let (mut limits, now) = (Limits::new(1, WINDOW), Instant::now());
        let metadata = Group::Metadata(Account::Small);
        let elsewhere = Group::Base(Account::Faults, "a".to_owned());
        for group in [base("a"), base("b"), metadata, elsewhere] {
            assert!(limits.admit(group.clone(), now));
            assert!(!limits.admit(group, now));
        }
    }

    #[test]
    fn a_person_has_ten_times_the_budget_of_a_base() {
        let (mut limits, now) = (Limits::new(5, WINDOW), Instant::now());
        let mut ask = || limits.admit(Group::User(Account::Small), now);
        assert!((0..50).all(|_| ask()));
        assert!(!ask());
    }
}

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sandbox::accounts::Account;

/// What a request counts against; each account has each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    General,
    Search,
    Associations,
}

impl Budget {
    pub const ALL: [Budget; 3] = [Budget::General, Budget::Search, Budget::Associations];

    pub fn of(path: &str) -> Budget {
        if path.ends_with("/search") {
            Budget::Search
        } else if path.starts_with("/crm/associations/")
            || path.starts_with("/crm/v4/associations/")
        {
            Budget::Associations
        } else {
            Budget::General
        }
    }

    /// What HubSpot grants a marketplace app per installing account.
    pub fn rate(self) -> u32 {
        match self {
            Budget::General => 110,
            Budget::Search => 5,
            Budget::Associations => 100,
        }
    }

    pub fn window(self) -> Duration {
        match self {
            Budget::Search => Duration::from_secs(1),
            Budget::General | Budget::Associations => Duration::from_secs(10),
        }
    }
}

/// Each account's budget of requests: so many in any stretch of so long, not in one that begins
/// anew on the clock.
pub struct Limits {
    rate: u32,
    window: Duration,
    seen: HashMap<Account, VecDeque<Instant>>,
}

/// What the limit says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub admitted: bool,
    pub max: u32,
    pub remaining: u32,
    pub interval_ms: u64,
}

impl Limits {
    pub fn new(rate: u32, window: Duration) -> Limits {
        Limits {
            rate,
            window,
            seen: HashMap::new(),
        }
    }

    /// Lets a request in, or not; one that is refused takes nothing from the budget.
    pub fn admit(&mut self, account: Account, now: Instant) -> Verdict {
        let seen = self.seen.entry(account).or_default();
        while seen
            .front()
            .is_some_and(|at| now.duration_since(*at) >= self.window)
        {
            seen.pop_front();
        }
        let admitted = seen.len() < self.rate as usize;
        if admitted {
            seen.push_back(now);
        }
        Verdict {
            admitted,
            max: self.rate,
            remaining: self.rate - seen.len() as u32,
            interval_ms: u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn requests_beyond_the_rate_are_refused_until_the_oldest_leaves_the_window() {
        let (mut limits, start) = (Limits::new(2, WINDOW), Instant::now());
        let mut at = |seconds| {
            limits
                .admit(Account::Small, start + Duration::from_secs(seconds))
                .admitted
        };
        assert_eq!([at(0), at(9), at(9)], [true, true, false]);
        assert_eq!([at(10), at(10), at(19)], [true, false, true]);
    }

    #[test]
    fn the_rest_of_the_budget_is_told() {
        let (mut limits, now) = (Limits::new(2, WINDOW), Instant::now());
        let left = [(); 3].map(|()| limits.admit(Account::Small, now).remaining);
        assert_eq!(left, [1, 0, 0]);
    }

    #[test]
    fn accounts_have_budgets_of_their_own() {
        let (mut limits, now) = (Limits::new(1, WINDOW), Instant::now());
        assert!(limits.admit(Account::Small, now).admitted);
        assert!(limits.admit(Account::Faults, now).admitted);
        assert!(!limits.admit(Account::Small, now).admitted);
    }
}

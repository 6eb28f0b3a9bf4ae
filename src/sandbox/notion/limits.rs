use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::sandbox::accounts::Account;

/// Each connection's budget of requests. It is spent as fast as one likes, and is whole again when
/// the window that its first request opened has passed.
pub struct Limits {
    rate: u32,
    window: Duration,
    open: HashMap<Account, (Instant, u32)>,
}

impl Limits {
    pub fn new(rate: u32, window: Duration) -> Limits {
        Limits {
            rate,
            window,
            open: HashMap::new(),
        }
    }

    /// Lets a request in, or says how long there is no other answer; one that is refused takes
    /// nothing from the budget.
    pub fn admit(&mut self, account: Account, now: Instant) -> Result<(), Duration> {
        let (opened, used) = self.open.entry(account).or_insert((now, 0));
        if now.duration_since(*opened) >= self.window {
            (*opened, *used) = (now, 0);
        }
        if *used >= self.rate {
            return Err(self.window - now.duration_since(*opened));
        }
        *used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn requests_beyond_the_rate_are_refused_until_the_window_has_passed() {
        let (mut limits, start) = (Limits::new(2, WINDOW), Instant::now());
        let mut at = |seconds| limits.admit(Account::Small, start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(50)], [Ok(()), Ok(())]);
        assert_eq!(at(55), Err(Duration::from_secs(5)));
        assert_eq!([at(60), at(60)], [Ok(()), Ok(())]);
        assert_eq!(at(60), Err(WINDOW));
    }

    #[test]
    fn connections_have_budgets_of_their_own() {
        let (mut limits, now) = (Limits::new(1, WINDOW), Instant::now());
        assert!(limits.admit(Account::Small, now).is_ok());
        assert!(limits.admit(Account::Faults, now).is_ok());
        assert!(limits.admit(Account::Small, now).is_err());
    }
}

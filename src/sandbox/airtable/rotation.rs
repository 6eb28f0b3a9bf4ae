use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// How long after a refresh another one counts as the same, made twice.
const MOMENT: Duration = Duration::from_secs(10);

/// Which tokens a refresh has replaced. Tokens are known by their moments of issue, of which no two
/// are alike; those of an earlier sandbox are unknown here and count as the newest of their grant.
#[derive(Default)]
pub struct Rotation(Mutex<Pairs>);

#[derive(Default)]
struct Pairs {
    /// The access token that was given with a refresh token that has not been used yet.
    living: HashMap<i64, i64>,
    replaced: HashSet<i64>,
    /// When each used refresh token was.
    spent: HashMap<i64, DateTime<Utc>>,
}

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    Good,
    /// It was used a moment ago.
    JustSpent,
    Spent,
}

impl Rotation {
    /// Notes two tokens that were given together.
    pub fn pair(&self, refresh: i64, access: i64) {
        self.hold().living.insert(refresh, access);
    }

    /// Uses a refresh token up, and its access token with it: there is no grace for either.
    pub fn spend(&self, refresh: i64, now: DateTime<Utc>) -> Worth {
        let mut pairs = self.hold();
        if let Some(at) = pairs.spent.get(&refresh) {
            let just = *at + MOMENT > now;
            return if just { Worth::JustSpent } else { Worth::Spent };
        }
        pairs.spent.insert(refresh, now);
        let access = pairs.living.remove(&refresh);
        pairs.replaced.extend(access);
        Worth::Good
    }

    /// Whether a newer access token has taken the place of this one.
    pub fn is_replaced(&self, access: i64) -> bool {
        self.hold().replaced.contains(&access)
    }

    /// A sandbox goes on after a panic in one request: what the lock guards is whole after every
    /// statement.
    fn hold(&self) -> MutexGuard<'_, Pairs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_good_once_and_takes_its_access_token_along() {
        let (rotation, now) = (Rotation::default(), Utc::now());
        rotation.pair(2, 1);
        assert!(!rotation.is_replaced(1));
        assert_eq!(rotation.spend(2, now), Worth::Good);
        assert!(rotation.is_replaced(1));
        assert_eq!(rotation.spend(2, now), Worth::JustSpent);
        assert_eq!(rotation.spend(2, now + MOMENT), Worth::Spent);
    }

    #[test]
    fn grants_do_not_replace_each_other() {
        let (rotation, now) = (Rotation::default(), Utc::now());
        rotation.pair(2, 1);
        rotation.pair(4, 3);
        rotation.spend(2, now);
        assert!(!rotation.is_replaced(3));
        assert_eq!(rotation.spend(4, now), Worth::Good);
    }

    #[test]
    fn a_token_of_an_earlier_sandbox_is_good_once_too() {
        let (rotation, now) = (Rotation::default(), Utc::now());
        assert_eq!(rotation.spend(7, now), Worth::Good);
        assert_eq!(rotation.spend(7, now), Worth::JustSpent);
    }
}

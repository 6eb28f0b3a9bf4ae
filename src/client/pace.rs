//! Keeps to a provider's rate limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many calls in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub calls: usize,
    pub window: Duration,
}

/// One account's budget. A call holds one of the places from before it is sent until a window after
/// its answer: whenever the provider counted it in between, no window ever holds more than allowed.
pub struct Pace {
    places: Arc<Semaphore>,
    window: Duration,
}

impl Pace {
    fn new(budget: Budget) -> Self {
        Self {
            places: Arc::new(Semaphore::new(budget.calls)),
            window: budget.window,
        }
    }

    /// Waits for a place.
    pub async fn place(&self) -> Place {
        let places = Arc::clone(&self.places);
        let permit = places
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        Place {
            permit: Some(permit),
            window: self.window,
        }
    }
}

/// A place in the window; dropping it, answered or not, starts the window after which it is free.
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    window: Duration,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (permit, window) = (self.permit.take(), self.window);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(window).await;
                drop(permit);
            });
        }
    }
}

/// The budgets of all accounts that this process talks to.
#[derive(Default)]
pub struct Paces(Mutex<HashMap<String, Arc<Pace>>>);

impl Paces {
    /// The budget of `account`, the same one for everybody who asks.
    pub fn of(&self, account: String, budget: Budget) -> Arc<Pace> {
        let mut all = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let pace = all
            .entry(account)
            .or_insert_with(|| Arc::new(Pace::new(budget)));
        Arc::clone(pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_calls_than_allowed_and_none_is_left_unused() {
        let window = Duration::from_secs(10);
        let pace = Pace::new(Budget { calls: 5, window });
        let start = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..20 {
            let place = pace.place().await;
            sent.push(start.elapsed());
            drop(place);
        }
        for (at, burst) in sent.windows(6).enumerate() {
            assert!(burst[5] - burst[0] >= window, "calls {at} to {}", at + 5);
        }
        assert!(
            sent[19] < window * 3 + Duration::from_millis(20),
            "{:?}",
            sent[19]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_counts_from_its_end() {
        let window = Duration::from_secs(10);
        let pace = Pace::new(Budget { calls: 1, window });
        let start = Instant::now();
        let place = pace.place().await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        drop(place);
        pace.place().await;
        assert!(start.elapsed() >= Duration::from_secs(17));
    }
}

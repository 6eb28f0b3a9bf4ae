//! What a run costs, and what it waits for.

use std::mem;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::store::Cost;

/// Counts calls, and the time in which any of them waits: no run waits longer than it takes.
#[derive(Default)]
pub struct Meter(Mutex<Spent>);

#[derive(Default)]
struct Spent {
    calls: i64,
    /// How many calls wait.
    waiting: u32,
    waited: Duration,
    /// Up to when `waited` has been counted.
    counted: Option<Instant>,
    /// Until when the provider asked us to wait.
    until: Option<DateTime<Utc>>,
}

/// The wait of a call, for as long as it is kept.
pub struct Wait<'a>(&'a Meter);

impl Meter {
    /// What was spent since this was last asked.
    pub fn take(&self) -> Cost {
        let mut spent = self.spent();
        spent.count_wait();
        Cost {
            calls: mem::take(&mut spent.calls),
            waited_ms: mem::take(&mut spent.waited).as_millis() as i64,
        }
    }

    /// Until when the provider asked us to wait, while we do.
    pub fn waiting_until(&self) -> Option<DateTime<Utc>> {
        self.spent().until.filter(|until| *until > Utc::now())
    }

    pub(super) fn call(&self) {
        self.spent().calls += 1;
    }

    pub(super) fn wait(&self) -> Wait<'_> {
        let mut spent = self.spent();
        spent.count_wait();
        spent.waiting += 1;
        Wait(self)
    }

    /// The same because the provider asked for it.
    pub(super) fn wait_as_asked(&self, pause: Duration) -> Wait<'_> {
        let until = Utc::now() + pause;
        let mut spent = self.spent();
        spent.until = spent.until.max(Some(until));
        drop(spent);
        self.wait()
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Spent {
    fn count_wait(&mut self) {
        let now = Instant::now();
        let before = self.counted.replace(now);
        if self.waiting > 0 {
            self.waited += before.map_or(Duration::ZERO, |before| now - before);
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut spent = self.0.spent();
        spent.count_wait();
        spent.waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_at_the_same_time_wait_once() {
        let meter = Meter::default();
        let wait = async |after, seconds| {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let _wait = meter.wait();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        };
        // From 0 to 4 and from 9 to 10.
        tokio::join!(wait(0, 3), wait(1, 3), wait(2, 1), wait(9, 1));
        assert_eq!(meter.take().waited_ms, 5_000);
        assert_eq!(meter.take().waited_ms, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_goes_on_is_told_as_far_as_it_has_come() {
        let meter = Meter::default();
        let wait = meter.wait();
        for seconds in [2, 3] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert_eq!(meter.take().waited_ms, seconds as i64 * 1_000);
        }
        drop(wait);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(meter.take().waited_ms, 0);
    }
}

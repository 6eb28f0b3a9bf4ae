//! Keeps to a provider's rate limits.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::ephemeral::SharedEphemeral;

/// So many calls in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub calls: usize,
    pub window: Duration,
}

/// A provider's limit on calls of one sort, such as searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub name: &'static str,
    pub budget: Budget,
}

/// What a provider says of its limit with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    pub budget: Budget,
    /// Calls that are left just now, where it says so.
    pub remaining: Option<usize>,
}

/// Calls that hold a place in a budget just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub used: usize,
    pub budget: Budget,
}

impl Usage {
    /// Orders by how near a budget is to its end.
    fn share(&self) -> usize {
        self.used * 1_000 / self.budget.calls.max(1)
    }
}

/// How this installation is told to keep to a provider's general limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As the provider's description has it.
    Described,
    Own(Budget),
    /// Pacing is left to the provider's own answers.
    Off,
}

/// One budget. A call holds one of the places from before it is sent until a window after its answer:
/// whenever the provider counted it in between, no window ever holds more than allowed.
pub struct Pace {
    name: String,
    /// Where other processes count against the same budget.
    shared: Option<SharedEphemeral>,
    places: Option<Arc<Semaphore>>,
    state: Mutex<State>,
}

struct State {
    budget: Budget,
    /// Until when the provider wants to hear nothing at all.
    closed: Option<Instant>,
}

impl Pace {
    fn new(name: String, shared: Option<SharedEphemeral>, budget: Option<Budget>) -> Self {
        Self {
            name,
            shared,
            places: budget.map(|budget| Arc::new(Semaphore::new(budget.calls))),
            state: Mutex::new(State {
                budget: budget.unwrap_or(Budget {
                    calls: 0,
                    window: Duration::ZERO,
                }),
                closed: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits for a place.
    pub async fn place(&self) -> Place {
        let permit = match &self.places {
            Some(places) => places.clone().acquire_owned().await.ok(),
            None => None,
        };
        while let Some(until) = self.closed_until() {
            tokio::time::sleep_until(until).await;
        }
        self.admitted().await;
        Place {
            permit,
            window: self.state().budget.window,
        }
    }

    /// Waits until other processes leave room too. A store that is away keeps nobody: our own places
    /// hold what this process does, and the provider refuses what is too much.
    async fn admitted(&self) {
        let Budget { calls, window } = self.state().budget;
        let Some(shared) = self.shared.as_ref().filter(|_| self.places.is_some()) else {
            return;
        };
        loop {
            match shared.admit(&self.name, calls, window).await {
                Ok(Duration::ZERO) => return,
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(error) => return tracing::debug!(%error, "a shared budget was not asked"),
            }
        }
    }

    /// What is used of it; `None` where it has no end.
    fn usage(&self) -> Option<Usage> {
        let free = self.places.as_ref()?.available_permits();
        let budget = self.state().budget;
        let used = budget.calls.saturating_sub(free);
        Some(Usage { used, budget })
    }

    fn closed_until(&self) -> Option<Instant> {
        self.state().closed.filter(|until| *until > Instant::now())
    }

    /// Has every call wait that is not on its way yet.
    pub fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        state.closed = state.closed.max(Some(until));
    }

    /// Heeds what the provider says: its own number counts more than the one we knew, and calls that
    /// somebody else has made there are calls that we cannot make.
    pub fn heed(&self, stated: Stated) {
        let Some(places) = &self.places else { return };
        let mut state = self.state();
        let (known, told) = (state.budget.calls, stated.budget.calls);
        state.budget = stated.budget;
        if told > known {
            places.add_permits(told - known);
        } else {
            Place::take(places, known - told).forget();
        }
        let left = stated.remaining.unwrap_or(usize::MAX);
        let mut others = Place::take(places, places.available_permits().saturating_sub(left));
        others.window = stated.budget.window;
    }
}

/// A place in the window; dropping it, answered or not, starts the window after which it is free.
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    window: Duration,
}

impl Place {
    /// So many places at once, as far as they are free.
    fn take(places: &Arc<Semaphore>, count: usize) -> Self {
        let count = u32::try_from(count.min(places.available_permits())).unwrap_or(u32::MAX);
        let permit = places.clone().try_acquire_many_owned(count);
        Self {
            permit: permit.ok().filter(|_| count > 0),
            window: Duration::ZERO,
        }
    }

    fn forget(mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let window = self.window;
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
pub struct Paces {
    shared: Option<SharedEphemeral>,
    all: Mutex<BTreeMap<String, Arc<Pace>>>,
}

impl Paces {
    /// Budgets that are shared with other processes through this store.
    pub fn shared(store: SharedEphemeral) -> Self {
        Self {
            shared: Some(store),
            all: Mutex::default(),
        }
    }

    /// The budget of that name, the same one for everybody who asks.
    fn of(&self, name: String, budget: Option<Budget>) -> Arc<Pace> {
        let mut all = self.all();
        let pace = || Pace::new(format!("budget:{name}"), self.shared.clone(), budget);
        let pace = all.entry(name.clone()).or_insert_with(|| Arc::new(pace()));
        Arc::clone(pace)
    }

    /// Of the budgets whose names begin so, the one that is nearest to its end.
    fn busiest(&self, prefix: &str) -> Option<Usage> {
        let all = self.all();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        all.range::<str, _>(from)
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter_map(|(_, pace)| pace.usage())
            .max_by_key(Usage::share)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Pace>>> {
        self.all
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The budgets of one account.
#[derive(Clone)]
pub struct Pacing {
    pub paces: Arc<Paces>,
    /// The account's name among all, with its provider's.
    pub account: String,
    pub limits: &'static [Limit],
    pub rate: Rate,
}

impl Pacing {
    /// The budget for calls of this sort; `which` tells several of one sort apart, such as Airtable's
    /// bases.
    pub(super) fn of(&self, sort: &str, which: &str) -> Arc<Pace> {
        let described = self.limits.iter().find(|limit| limit.name == sort);
        let described = described.map(|limit| limit.budget);
        let general = self.limits.first().is_some_and(|limit| limit.name == sort);
        let budget = match self.rate {
            Rate::Off => None,
            Rate::Own(budget) if general => Some(budget),
            _ => described,
        };
        let name = format!("{}/{sort}/{which}", self.account);
        self.paces.of(name, budget)
    }

    /// What the account uses of the budget that is nearest to its end.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.paces.busiest(&format!("{}/", self.account))
    }

    /// The sort of calls that name none.
    pub(super) fn general(&self) -> &'static str {
        self.limits.first().map_or("", |limit| limit.name)
    }

    /// Whether what the provider states may change our numbers.
    pub(super) fn heeds(&self) -> bool {
        self.rate == Rate::Described
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn pace(calls: usize) -> Pace {
        let window = WINDOW;
        Pace::new(String::new(), None, Some(Budget { calls, window }))
    }

    /// When each of so many calls was sent.
    async fn sent(pace: &Pace, calls: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..calls {
            let place = pace.place().await;
            sent.push(start.elapsed());
            drop(place);
        }
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_calls_than_allowed_and_none_is_left_unused() {
        let sent = sent(&pace(5), 20).await;
        for (at, burst) in sent.windows(6).enumerate() {
            assert!(burst[5] - burst[0] >= WINDOW, "calls {at} to {}", at + 5);
        }
        assert!(
            sent[19] < WINDOW * 3 + Duration::from_millis(20),
            "{:?}",
            sent[19]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_counts_from_its_end() {
        let pace = pace(1);
        let start = Instant::now();
        let place = pace.place().await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        drop(place);
        pace.place().await;
        assert!(start.elapsed() >= Duration::from_secs(17));
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_is_closed_nothing_is_sent_with_or_without_a_budget() {
        for pace in [pace(5), Pace::new(String::new(), None, None)] {
            pace.close_for(Duration::from_secs(30));
            pace.close_for(Duration::from_secs(3));
            assert!(sent(&pace, 1).await[0] >= Duration::from_secs(30));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_account_uses_is_told_of_its_busiest_budget_and_of_no_other_account() {
        let paces = Paces::default();
        let budget = |calls| {
            let window = WINDOW;
            Some(Budget { calls, window })
        };
        let calls = paces.of("a/1/calls/".into(), budget(100));
        let searches = paces.of("a/1/search/".into(), budget(4));
        paces.of("a/1/free/".into(), None);
        let others = paces.of("a/11/calls/".into(), budget(1));
        let _places = (calls.place().await, others.place().await);
        let used = |paces: &Paces| paces.busiest("a/1/").map(|it| (it.used, it.budget.calls));
        assert_eq!(used(&paces), Some((1, 100)));
        drop(searches.place().await);
        assert_eq!(used(&paces), Some((1, 4)), "for a window after the answer");
        tokio::time::sleep(WINDOW + Duration::from_millis(1)).await;
        assert_eq!(used(&paces), Some((1, 100)));
        assert_eq!(paces.busiest("b/"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_providers_own_number_counts() {
        let stated = |calls, remaining| Stated {
            budget: Budget {
                calls,
                window: WINDOW,
            },
            remaining,
        };
        let fewer = pace(5);
        fewer.heed(stated(3, None));
        assert!(sent(&fewer, 4).await[3] >= WINDOW);
        let more = pace(5);
        more.heed(stated(8, None));
        assert!(sent(&more, 8).await[7] < WINDOW);
        // Somebody else has used up most of it.
        let shared = pace(5);
        shared.heed(stated(5, Some(1)));
        let sent = sent(&shared, 3).await;
        assert!(sent[0] < WINDOW && sent[1] >= WINDOW, "{sent:?}");
    }
}

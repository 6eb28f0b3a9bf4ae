//! Calls to a provider's API on behalf of one account: bearer header, pacing, retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::failure::{Failure, FailureKind};
use super::pace::{Pace, Place};
use super::{Answer, Client, Unreachable, below};
use crate::grants::{AccessToken, GrantError, Grants};
use crate::item::ConnectionId;
use crate::store::Cost;

/// The first pause after a fault; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// How much a caller puts up with.
#[derive(Clone, Copy)]
pub struct Patience {
    /// How often a call that may yet succeed is made in all.
    attempts: u32,
    /// The longest wait on a provider's word.
    longest_wait: Duration,
}

impl Patience {
    /// Nobody waits for it; beyond this the run says so and ends.
    pub const IMPORT: Self = Self {
        attempts: 7,
        longest_wait: Duration::from_secs(5 * 60),
    };
    /// Somebody sits before an empty page.
    pub const PERSON: Self = Self {
        attempts: 3,
        longest_wait: Duration::from_secs(3),
    };
}

/// Where the access token comes from.
pub enum Bearer {
    /// A token just issued, for an account that is not stored yet.
    Fresh(AccessToken),
    /// Whatever token the connection has now.
    Connection(Arc<Grants>, ConnectionId),
}

/// Counts what a run costs.
#[derive(Default)]
pub struct Meter {
    calls: AtomicI64,
    waited_ms: AtomicI64,
}

impl Meter {
    /// What was spent since this was last asked.
    pub fn take(&self) -> Cost {
        Cost {
            calls: self.calls.swap(0, Ordering::Relaxed),
            waited_ms: self.waited_ms.swap(0, Ordering::Relaxed),
        }
    }
}

/// One account's way to its provider.
pub struct Api {
    pub(super) client: Client,
    pub(super) base: Url,
    pub(super) bearer: Bearer,
    pub(super) pace: Option<Arc<Pace>>,
    pub(super) read_failure: fn(&Answer) -> Failure,
    pub(super) meter: Meter,
    pub(super) patience: Patience,
}

impl Api {
    /// A way to the API at `base`. `read_failure` is the provider's own reading of an answer that is
    /// not a success.
    pub fn new(
        client: &Client,
        base: &Url,
        bearer: Bearer,
        read_failure: fn(&Answer) -> Failure,
    ) -> Self {
        Self {
            client: client.clone(),
            base: base.clone(),
            bearer,
            pace: None,
            read_failure,
            meter: Meter::default(),
            patience: Patience::IMPORT,
        }
    }

    /// The same, keeping to `pace`.
    pub fn paced(self, pace: Option<Arc<Pace>>) -> Self {
        Self { pace, ..self }
    }

    /// The same, giving up when a caller of this patience would.
    pub fn patient(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Reads `path` as JSON. What may succeed later is tried again, a bounded number of times; an
    /// answer cut short in the middle counts as such.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let mut url = below(&self.base, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut attempt = 1;
        loop {
            let failure = match self.once(url.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // Never sooner than a growing pause, whatever the provider says: some say zero.
            let pause = failure
                .wait
                .unwrap_or_default()
                .max(PAUSE * 2u32.pow(attempt - 1));
            let Patience {
                attempts,
                longest_wait,
            } = self.patience;
            if !failure.is_passing() || attempt >= attempts || pause > longest_wait {
                return Err(failure);
            }
            tracing::debug!(
                attempt,
                http.path = path,
                failure.kind = ?failure.kind,
                wait_ms = pause.as_millis() as u64,
                "a call failed and will be made again"
            );
            self.wait(pause).await;
            attempt += 1;
        }
    }

    /// One call; a second one with another token where the provider refused the first one's.
    async fn once<T: DeserializeOwned>(&self, url: Url) -> Result<T, Failure> {
        let (grants, id) = match &self.bearer {
            Bearer::Fresh(token) => return self.call(url, token).await,
            Bearer::Connection(grants, id) => (grants, *id),
        };
        let token = grants.access_token(id).await.map_err(no_token)?;
        match self.call(url.clone(), &token).await {
            Err(refused) if refused.kind == FailureKind::Unauthorized => {}
            answered => return answered,
        }
        let token = grants.replaced_token(id, &token).await.map_err(no_token)?;
        let again = self.call(url, &token).await;
        if let Err(refused) = &again
            && refused.kind == FailureKind::Unauthorized
        {
            grants
                .disown(id, &token, &refused.said)
                .await
                .map_err(no_token)?;
        }
        again
    }

    async fn call<T: DeserializeOwned>(&self, url: Url, token: &AccessToken) -> Result<T, Failure> {
        let place = self.place().await;
        self.meter.calls.fetch_add(1, Ordering::Relaxed);
        let request = self
            .client
            .request(Method::GET, url)
            .bearer_auth(token.expose());
        let answer = self.client.send(request).await;
        drop(place);
        let answer = answer.map_err(unreachable)?;
        if !answer.status.is_success() {
            return Err((self.read_failure)(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let said = format!("an answer that could not be read ({error})");
            Failure::new(FailureKind::Passing, &said)
        })
    }

    async fn place(&self) -> Option<Place> {
        let pace = self.pace.as_ref()?;
        let start = Instant::now();
        let place = pace.place().await;
        self.waited(start.elapsed());
        Some(place)
    }

    async fn wait(&self, pause: Duration) {
        self.waited(pause);
        tokio::time::sleep(pause).await;
    }

    fn waited(&self, time: Duration) {
        self.meter
            .waited_ms
            .fetch_add(time.as_millis() as i64, Ordering::Relaxed);
    }
}

fn no_token(error: GrantError) -> Failure {
    let (kind, wait) = match &error {
        GrantError::Ended | GrantError::Sealed(_) => (FailureKind::NoGrant, None),
        GrantError::Passing { wait, .. } => (FailureKind::Passing, *wait),
        GrantError::Store(_) | GrantError::Away(_) => (FailureKind::StoreAway, None),
    };
    Failure::new(kind, &error.to_string()).after(wait)
}

fn unreachable(error: Unreachable) -> Failure {
    let kind = match error {
        Unreachable::Forbidden(_) | Unreachable::TooLarge => FailureKind::Refused,
        Unreachable::Late | Unreachable::Network(_) => FailureKind::Passing,
    };
    Failure::new(kind, &error.to_string())
}

//! Calls to a provider's API on behalf of one account: bearer header, pacing, retries.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::failure::{Failure, FailureKind};
use super::meter::Meter;
use super::pace::{Pace, Pacing, Place, Stated, Usage};
use super::{Answer, Client, Unreachable, below};
use crate::grants::{AccessToken, GrantError, Grants};
use crate::item::ConnectionId;

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

/// One question to a provider: where, what, and which budget it counts against. Also one that is sent by
/// POST only reads, so it may be asked again.
pub struct Call<'a> {
    method: Method,
    path: &'a str,
    query: Vec<(&'a str, &'a str)>,
    body: Option<Value>,
    sort: Option<&'a str>,
    which: &'a str,
}

impl<'a> Call<'a> {
    pub fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            query: Vec::new(),
            body: None,
            sort: None,
            which: "",
        }
    }

    /// A question that is asked in JSON.
    pub fn post(path: &'a str, body: Value) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// With these parameters, after those that are there.
    pub fn query(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Counts against the budget of this name in place of the general one; `which` tells several of one
    /// name apart.
    pub fn within(self, sort: &'a str, which: &'a str) -> Self {
        Self {
            sort: Some(sort),
            which,
            ..self
        }
    }
}

/// How a provider's answers are read, whatever they answer.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// What kind of failure an answer is that is not a success.
    pub read_failure: fn(&Answer) -> Failure,
    /// What an answer's headers say of the limit.
    pub stated_limit: fn(&HeaderMap) -> Option<Stated>,
    /// The header that names the API version, where the path does not.
    pub version_header: Option<&'static str>,
}

/// One account's way to its provider.
pub struct Api {
    client: Client,
    base: Url,
    version: String,
    bearer: Bearer,
    pacing: Option<Pacing>,
    dialect: Dialect,
    meter: Meter,
    patience: Patience,
}

impl Api {
    /// A way to the API at `base`.
    pub fn new(
        client: &Client,
        base: &Url,
        version: &str,
        bearer: Bearer,
        dialect: Dialect,
    ) -> Self {
        Self {
            client: client.clone(),
            base: base.clone(),
            version: version.to_owned(),
            bearer,
            pacing: None,
            dialect,
            meter: Meter::default(),
            patience: Patience::IMPORT,
        }
    }

    /// The same, keeping to these budgets.
    pub fn paced(self, pacing: Pacing) -> Self {
        Self {
            pacing: Some(pacing),
            ..self
        }
    }

    /// The same, giving up when a caller of this patience would.
    pub fn patient(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What the account uses just now of what its provider allows.
    pub fn usage(&self) -> Option<Usage> {
        self.pacing.as_ref()?.usage()
    }

    /// The API version in use.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Asks, and reads the answer as JSON. What may succeed later is tried again, a bounded number of
    /// times; an answer cut short in the middle counts as such.
    pub async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Failure> {
        let pace = self.pacing.as_ref().map(|pacing| {
            let sort = call.sort.unwrap_or_else(|| pacing.general());
            pacing.of(sort, call.which)
        });
        let mut attempt = 1;
        loop {
            let failure = match self.once(&call, pace.as_deref()).await {
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
                http.path = call.path,
                failure.kind = ?failure.kind,
                wait_ms = pause.as_millis() as u64,
                "a call failed and will be made again"
            );
            if failure.kind == FailureKind::Limited
                && let Some(pace) = &pace
            {
                // Nobody else of this budget is let in earlier either.
                pace.close_for(pause);
            }
            let _wait = self.meter.wait_as_asked(pause);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// One call; a second one with another token where the provider refused the first one's.
    async fn once<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        pace: Option<&Pace>,
    ) -> Result<T, Failure> {
        let (grants, id) = match &self.bearer {
            Bearer::Fresh(token) => return self.call(call, pace, token).await,
            Bearer::Connection(grants, id) => (grants, *id),
        };
        let token = grants.access_token(id).await.map_err(no_token)?;
        match self.call(call, pace, &token).await {
            Err(refused) if refused.kind == FailureKind::Unauthorized => {}
            answered => return answered,
        }
        let token = grants.replaced_token(id, &token).await.map_err(no_token)?;
        let again = self.call(call, pace, &token).await;
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

    async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        pace: Option<&Pace>,
        token: &AccessToken,
    ) -> Result<T, Failure> {
        let request = self.request(call).bearer_auth(token.expose());
        let place = self.place(pace).await;
        self.meter.call();
        let answer = self.client.send(request).await;
        drop(place);
        let answer = answer.map_err(unreachable)?;
        if let Some(pace) = pace
            && self.pacing.as_ref().is_some_and(Pacing::heeds)
            && let Some(stated) = (self.dialect.stated_limit)(&answer.headers)
        {
            pace.heed(stated);
        }
        if !answer.status.is_success() {
            return Err((self.dialect.read_failure)(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let said = format!("an answer that could not be read ({error})");
            Failure::new(FailureKind::Passing, &said)
        })
    }

    fn request(&self, call: &Call<'_>) -> reqwest::RequestBuilder {
        let mut url = below(&self.base, call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.client.request(call.method.clone(), url);
        if let Some(name) = self.dialect.version_header {
            request = request.header(name, &self.version);
        }
        match &call.body {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string()),
            None => request,
        }
    }

    async fn place(&self, pace: Option<&Pace>) -> Option<Place> {
        let _wait = self.meter.wait();
        Some(pace?.place().await)
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
        Unreachable::Forbidden(_) => FailureKind::Refused,
        Unreachable::TooLarge => FailureKind::TooLarge,
        Unreachable::Late | Unreachable::Network(_) => FailureKind::Passing,
    };
    Failure::new(kind, &error.to_string())
}

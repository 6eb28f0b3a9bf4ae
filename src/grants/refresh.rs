//! Renewing a grant: once, however many want it, and never lost once the provider has answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::{AccessToken, GrantError, Grants, Tokens, UNSTATED, stored_life};
use crate::item::ConnectionId;
use crate::store::{Connection, Lease, Swap};

/// Asks a provider to renew a grant. Implemented by who knows the providers.
#[async_trait]
pub trait Refresher: Send + Sync {
    /// Trades the refresh token for new tokens, asking once.
    async fn refresh(
        &self,
        provider: &str,
        refresh: &SecretString,
    ) -> Result<Tokens, RefreshFailure>;

    /// Asks the provider to forget tokens that nobody will use, where that harms no others.
    async fn discard(&self, provider: &str, tokens: &Tokens);
}

/// Why a grant was not renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshFailure {
    /// It may be, later: too many requests, a fault, no way through, our own credentials refused.
    Passing {
        said: String,
        wait: Option<Duration>,
    },
    /// The provider has ended it.
    Terminal { said: String },
}

/// How long things may take; scaled down by tests.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How long a provider may take to answer; less than a lease.
    pub answer: Duration,
    pub lease: Duration,
    /// The pause after a failure, which grows with each in a row, and the longest it grows to.
    pub pause: Duration,
    pub longest_pause: Duration,
    /// How often one looks whether somebody else has done it, and whether a store is back.
    pub look: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(65),
            lease: Duration::from_secs(90),
            pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            look: Duration::from_millis(200),
        }
    }
}

/// What this process knows of a grant: the last token it was given, and the version it belongs to.
/// When the shared store forgets a token, the one who got it can put it back.
#[derive(Default)]
pub(super) struct Slot {
    last: Option<Last>,
}

struct Last {
    token: AccessToken,
    version: i64,
    until: Instant,
}

impl Slot {
    /// The token, if it is of this version and lives for a while yet.
    fn token_of(&self, version: i64) -> Option<(AccessToken, Duration)> {
        let last = self.last.as_ref().filter(|last| last.version == version)?;
        let life = last.until.checked_duration_since(Instant::now())?;
        Some((last.token.clone(), life))
    }
}

/// One slot for each connection; whoever renews holds it.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<ConnectionId, Arc<tokio::sync::Mutex<Slot>>>>);

impl Slots {
    fn of(&self, connection: ConnectionId) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(slots.entry(connection).or_default())
    }
}

impl Grants {
    /// The token after a miss. The work is a task of its own: once the provider has been asked, what
    /// it answers is kept, whether or not the one who wanted it still waits.
    pub(super) async fn renewed(
        self: &Arc<Self>,
        connection: ConnectionId,
        refused: Option<AccessToken>,
    ) -> Result<AccessToken, GrantError> {
        let slot = self.slots.of(connection).lock_owned().await;
        let grants = Arc::clone(self);
        let task = self
            .tasks
            .spawn(async move { grants.renew(connection, refused, slot).await });
        task.await
            .unwrap_or_else(|error| Err(GrantError::passing(error.to_string())))
    }

    async fn renew(
        self: Arc<Self>,
        connection: ConnectionId,
        refused: Option<AccessToken>,
        mut slot: OwnedMutexGuard<Slot>,
    ) -> Result<AccessToken, GrantError> {
        let patience = Instant::now() + self.times.lease;
        loop {
            if let Some(token) = self.lent_but(connection, refused.as_ref()).await? {
                return Ok(token);
            }
            match self
                .store
                .lease_grant(connection, &self.owner, self.times.lease)
                .await?
            {
                Lease::Ours { sealed, version } => {
                    let found = self
                        .found_or_asked(connection, refused.as_ref(), &sealed, version, &mut slot)
                        .await;
                    self.release(connection).await;
                    return found;
                }
                Lease::Gone => return Err(GrantError::Ended),
                Lease::TooEarly(wait) => {
                    let said = "the last attempt failed a moment ago".into();
                    return Err(GrantError::Passing {
                        said,
                        wait: Some(wait),
                    });
                }
                Lease::Taken if Instant::now() > patience => {
                    return Err(GrantError::passing("somebody else is renewing it"));
                }
                Lease::Taken => tokio::time::sleep(self.times.look).await,
            }
        }
    }

    /// The token that lies ready, unless it is the one that was refused.
    async fn lent_but(
        &self,
        connection: ConnectionId,
        refused: Option<&AccessToken>,
    ) -> Result<Option<AccessToken>, GrantError> {
        Ok(self
            .lent(connection)
            .await?
            .filter(|token| Some(token) != refused))
    }

    /// Under the lease: whoever had it before may have just put a token there.
    async fn found_or_asked(
        &self,
        connection: ConnectionId,
        refused: Option<&AccessToken>,
        sealed: &[u8],
        version: i64,
        slot: &mut Slot,
    ) -> Result<AccessToken, GrantError> {
        if let Some(token) = self.lent_but(connection, refused).await? {
            return Ok(token);
        }
        if let Some((token, life)) = slot.token_of(version)
            && Some(&token) != refused
        {
            self.put(connection, &token, life).await?;
            return Ok(token);
        }
        let grant = self.open_grant(connection, sealed)?;
        match grant.access {
            // A token without a lifetime is renewed when it is refused, not by the clock.
            Some(token) if Some(&token) != refused => {
                self.put(connection, &token, UNSTATED).await?;
                Ok(token)
            }
            _ => {
                let tokens = self.ask(connection, grant.refresh, version).await?;
                let until = Instant::now() + tokens.lives.map_or(UNSTATED, stored_life);
                let token = tokens.access;
                slot.last = Some(Last {
                    token: token.clone(),
                    version: version + 1,
                    until,
                });
                Ok(token)
            }
        }
    }

    /// Asks the provider, under the lease.
    async fn ask(
        &self,
        connection: ConnectionId,
        refresh: Option<SecretString>,
        version: i64,
    ) -> Result<Tokens, GrantError> {
        let Some(refresh) = refresh else {
            let said = "the provider gave nothing to renew it with";
            return self.ended(connection, version, said).await;
        };
        let Some(known) = self.store.any_connection(connection).await? else {
            return Err(GrantError::Ended);
        };
        let asked = self.refresher.refresh(&known.provider, &refresh);
        let late = |_| {
            Err(RefreshFailure::Passing {
                said: "no answer in time".into(),
                wait: None,
            })
        };
        match tokio::time::timeout(self.times.answer, asked)
            .await
            .unwrap_or_else(late)
        {
            Ok(tokens) => {
                // An answer without a refresh token keeps the old one.
                let tokens = Tokens {
                    refresh: tokens.refresh.or(Some(refresh)),
                    ..tokens
                };
                self.store_answer(&known, version, tokens).await
            }
            Err(RefreshFailure::Terminal { said }) => self.ended(connection, version, &said).await,
            Err(RefreshFailure::Passing { said, wait }) => {
                tracing::warn!(
                    connection.id = connection.0,
                    said,
                    "a grant could not be renewed yet"
                );
                let pause = wait.unwrap_or(self.times.pause);
                let longest = self.times.longest_pause.max(pause);
                self.store
                    .postpone_grant(connection, &self.owner, pause, longest)
                    .await?;
                Err(GrantError::Passing {
                    said,
                    wait: Some(pause),
                })
            }
        }
    }

    /// Keeps what the provider answered: in memory until it is in SQL, and only then is it used.
    async fn store_answer(
        &self,
        known: &Connection,
        version: i64,
        tokens: Tokens,
    ) -> Result<Tokens, GrantError> {
        let sealed = self.seal_grant(known.id, &tokens);
        let swap = loop {
            match self.store.swap_grant(known.id, version, &sealed).await {
                Ok(swap) => break swap,
                Err(error) => {
                    tracing::error!(%error, connection.id = known.id.0, "a renewed grant waits to be stored");
                    tokio::time::sleep(self.times.look).await;
                }
            }
        };
        if swap == Swap::Overtaken {
            self.refresher.discard(&known.provider, &tokens).await;
            return Err(GrantError::passing("a newer approval has taken its place"));
        }
        tracing::info!(connection.id = known.id.0, "a grant was renewed");
        if let Err(error) = self.lend(known.id, &tokens).await {
            // The next miss renews again, with what is stored.
            tracing::warn!(%error, connection.id = known.id.0, "an access token could not be shared");
        }
        Ok(tokens)
    }

    /// The provider has ended the grant: the connection says so, unless a newer approval has come.
    async fn ended(
        &self,
        connection: ConnectionId,
        version: i64,
        said: &str,
    ) -> Result<Tokens, GrantError> {
        let ended = self.store.end_grant(connection, version, said).await?;
        tracing::warn!(
            connection.id = connection.0,
            said,
            ended,
            "a grant has ended"
        );
        Err(match ended {
            true => GrantError::Ended,
            false => GrantError::passing("a newer approval has taken its place"),
        })
    }

    async fn release(&self, connection: ConnectionId) {
        if let Err(error) = self.store.release_grant(connection, &self.owner).await {
            tracing::debug!(%error, "a lease was left to expire");
        }
    }
}

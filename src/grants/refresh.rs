//! Renewing a grant: once, however many want it, and never lost once the provider has answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use secrecy::SecretString;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::{AccessToken, GrantError, Grants, Tokens, UNSTATED, stored_life};
use crate::item::ConnectionId;
use crate::store::{Connection, GrantLife, Lease, Swap};

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
            answer: Duration::from_secs(40),
            // A killed process's run is taken up within a minute, also where it was renewing.
            lease: Duration::from_secs(50),
            pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            look: Duration::from_millis(200),
        }
    }
}

/// What somebody wants of a grant.
#[derive(Clone)]
pub(super) enum Need {
    /// Whatever token lies ready.
    Any,
    /// Another one than this, which was refused.
    Another(AccessToken),
    /// A grant that is renewed, for its stated life is running out.
    LongerLife,
}

impl Need {
    fn takes(&self, token: &AccessToken) -> bool {
        match self {
            Self::Any => true,
            Self::Another(refused) => token != refused,
            Self::LongerLife => false,
        }
    }

    /// The need, now that the lease is ours: somebody else may have renewed just before.
    fn under(self, life: &GrantLife) -> Self {
        match self {
            Self::LongerLife if life.spent(Utc::now()).is_none_or(|spent| spent < 50) => Self::Any,
            need => need,
        }
    }
}

/// A grant that is being replaced or taken out: nobody here renews it meanwhile.
pub struct Held {
    _slot: Option<OwnedMutexGuard<Slot>>,
}

/// How long a renewal on its way is waited for by a person.
const HOLD: Duration = Duration::from_secs(5);

/// A leased grant, as it is worked with.
struct Leased<'a> {
    connection: ConnectionId,
    sealed: &'a [u8],
    version: i64,
    life: GrantLife,
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
        need: Need,
    ) -> Result<AccessToken, GrantError> {
        let slot = self.slots.of(connection).lock_owned().await;
        let grants = Arc::clone(self);
        let task = self
            .tasks
            .spawn(async move { grants.renew(connection, need, slot).await });
        task.await
            .unwrap_or_else(|error| Err(GrantError::passing(error.to_string())))
    }

    /// Takes the lease before a grant is replaced or taken out, so that a renewal on its way is kept
    /// first. Where that takes too long, the version decides: the newer approval wins.
    pub async fn hold(&self, connection: ConnectionId) -> Held {
        let until = Instant::now() + HOLD;
        let slot = self.slots.of(connection).lock_owned();
        let held = Held {
            _slot: tokio::time::timeout_at(until, slot).await.ok(),
        };
        while let Ok(Lease::Taken) = self.store.lease_grant(connection, &self.owner, HOLD).await
            && Instant::now() < until
        {
            tokio::time::sleep(self.times.look).await;
        }
        held
    }

    async fn renew(
        self: Arc<Self>,
        connection: ConnectionId,
        need: Need,
        mut slot: OwnedMutexGuard<Slot>,
    ) -> Result<AccessToken, GrantError> {
        let patience = Instant::now() + self.times.lease;
        loop {
            if let Some(token) = self.lent_for(connection, &need).await? {
                return Ok(token);
            }
            match self
                .store
                .lease_grant(connection, &self.owner, self.times.lease)
                .await?
            {
                Lease::Ours {
                    sealed,
                    version,
                    life,
                } => {
                    let leased = Leased {
                        connection,
                        sealed: &sealed,
                        version,
                        life,
                    };
                    let found = self
                        .found_or_asked(&leased, need.under(&life), &mut slot)
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

    /// The token that lies ready, where it will do.
    async fn lent_for(
        &self,
        connection: ConnectionId,
        need: &Need,
    ) -> Result<Option<AccessToken>, GrantError> {
        Ok(self
            .lent(connection)
            .await?
            .filter(|token| need.takes(token)))
    }

    /// Under the lease: whoever had it before may have just put a token there.
    async fn found_or_asked(
        &self,
        leased: &Leased<'_>,
        need: Need,
        slot: &mut Slot,
    ) -> Result<AccessToken, GrantError> {
        let (connection, version) = (leased.connection, leased.version);
        if let Some(token) = self.lent_for(connection, &need).await? {
            return Ok(token);
        }
        if let Some((token, life)) = slot.token_of(version)
            && need.takes(&token)
        {
            self.put(connection, &token, life).await?;
            return Ok(token);
        }
        let grant = self.open_grant(connection, leased.sealed)?;
        match grant.access {
            // A token without a lifetime is renewed when it is refused, not by the clock.
            Some(token) if need.takes(&token) => {
                self.put(connection, &token, UNSTATED).await?;
                Ok(token)
            }
            _ => {
                let tokens = self.ask(leased, grant.refresh).await?;
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
        leased: &Leased<'_>,
        refresh: Option<SecretString>,
    ) -> Result<Tokens, GrantError> {
        let Some(refresh) = refresh else {
            let said = "it gave nothing to renew the approval with";
            return self.ended(leased, said).await;
        };
        let Some(known) = self.store.any_connection(leased.connection).await? else {
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
                // An answer without a refresh token keeps the old one, and its end.
                let tokens = Tokens {
                    refresh: tokens.refresh.or(Some(refresh)),
                    ..tokens
                };
                self.store_answer(&known, leased, tokens).await
            }
            Err(RefreshFailure::Terminal { said }) => self.ended(leased, &said).await,
            // Past its stated end there is nothing to hope for.
            Err(RefreshFailure::Passing { .. }) if leased.life.is_over(Utc::now()) => {
                self.ended(leased, "it was not used in time and has run out")
                    .await
            }
            Err(RefreshFailure::Passing { said, wait }) => {
                self.postpone(leased.connection, said, wait).await
            }
        }
    }

    async fn postpone(
        &self,
        connection: ConnectionId,
        said: String,
        wait: Option<Duration>,
    ) -> Result<Tokens, GrantError> {
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

    /// Keeps what the provider answered: in memory until it is in SQL, and only then is it used.
    async fn store_answer(
        &self,
        known: &Connection,
        leased: &Leased<'_>,
        tokens: Tokens,
    ) -> Result<Tokens, GrantError> {
        // An end that it has been renewed after was none.
        let life = leased.life;
        let known_end = life.lapses_at.filter(|_| !life.is_over(Utc::now()));
        let grant = self.seal_grant(known.id, &tokens, known_end);
        let swap = loop {
            match self
                .store
                .swap_grant(known.id, leased.version, &grant)
                .await
            {
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
    async fn ended(&self, leased: &Leased<'_>, said: &str) -> Result<Tokens, GrantError> {
        let ended = self
            .store
            .end_grant(leased.connection, leased.version, said)
            .await?;
        tracing::warn!(
            connection.id = leased.connection.0,
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

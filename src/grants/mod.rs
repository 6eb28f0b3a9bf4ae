//! What an approval left us: the sealed grant in SQL, and the access token, sealed too and for no
//! longer than it lives, in the ephemeral store. The one place that gives out a live access token.

mod refresh;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::ephemeral::{Away, SharedEphemeral};
use crate::item::ConnectionId;
use crate::store::{self, SealedGrant, Store, Tx};
use crate::vault::{OpenError, Owner, Vault, random};

use refresh::Need;
pub use refresh::{Held, RefreshFailure, Refresher, Times};

/// A live access token. It has no `Debug` and is wiped when dropped.
#[derive(Clone)]
pub struct AccessToken(SecretString);

impl AccessToken {
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The token itself, for the one header it belongs in.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Compared in constant time.
impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
    }
}

/// What a token endpoint gave out.
#[derive(Clone)]
pub struct Tokens {
    pub access: AccessToken,
    pub refresh: Option<SecretString>,
    /// How long the access token lives, where the provider says so.
    pub lives: Option<Duration>,
    /// How long the refresh token lives without being used, where the provider says so.
    pub refresh_lives: Option<Duration>,
}

impl Tokens {
    /// When the grant ends unless it is renewed before.
    fn lapses_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let life = if self.refresh.is_some() {
            self.refresh_lives
        } else {
            self.lives
        };
        life.and_then(|life| now.checked_add_signed(TimeDelta::from_std(life).ok()?))
    }
}

/// Why there is no access token to give.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("the approval has ended")]
    Ended,
    /// There will be one, or at least a better answer.
    #[error("the approval could not be renewed yet: {said}")]
    Passing {
        said: String,
        wait: Option<Duration>,
    },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Away(#[from] Away),
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

impl GrantError {
    fn passing(said: impl Into<String>) -> Self {
        Self::Passing {
            said: said.into(),
            wait: None,
        }
    }
}

/// The durable part of a grant, as it is before sealing.
#[derive(Serialize, Deserialize)]
struct Durable<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    refresh: Option<Cow<'a, str>>,
    /// Kept where the provider names no lifetime: such a token lives until it is refused.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    access: Option<Cow<'a, str>>,
}

/// A grant, opened.
struct Grant {
    refresh: Option<SecretString>,
    access: Option<AccessToken>,
}

/// How long a token without a lifetime of its own is lent before the grant is looked at again.
const UNSTATED: Duration = Duration::from_secs(3_600);

/// Grants looked after in one step.
const STEP: i64 = 50;

/// What keeping grants needs.
pub struct GrantsParts {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub vault: Arc<Vault>,
    pub refresher: Arc<dyn Refresher>,
    pub times: Times,
}

/// Keeps grants, renews them, and lends access tokens.
pub struct Grants {
    store: Arc<Store>,
    ephemeral: SharedEphemeral,
    vault: Arc<Vault>,
    refresher: Arc<dyn Refresher>,
    times: Times,
    /// Who takes leases here.
    owner: String,
    slots: refresh::Slots,
    tasks: TaskTracker,
}

impl Grants {
    pub fn new(parts: GrantsParts) -> Arc<Self> {
        let GrantsParts {
            store,
            ephemeral,
            vault,
            refresher,
            times,
        } = parts;
        Arc::new(Self {
            store,
            ephemeral,
            vault,
            refresher,
            times,
            owner: URL_SAFE_NO_PAD.encode(random::<12>().as_slice()),
            slots: refresh::Slots::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// Writes what must survive of `tokens`, sealed, as part of the approval's transaction.
    pub async fn keep(
        &self,
        tx: &mut Tx,
        connection: ConnectionId,
        tokens: &Tokens,
    ) -> store::Result<()> {
        let grant = self.seal_grant(connection, tokens, None);
        tx.save_grant(connection, &grant).await
    }

    /// Puts the access token where every process finds it, for no longer than it lives.
    pub async fn lend(&self, connection: ConnectionId, tokens: &Tokens) -> Result<(), Away> {
        let life = tokens.lives.map_or(UNSTATED, stored_life);
        self.put(connection, &tokens.access, life).await
    }

    /// The access token that calls for this connection carry. A miss is the renewal; a store that is
    /// away is not a miss.
    pub async fn access_token(
        self: &Arc<Self>,
        connection: ConnectionId,
    ) -> Result<AccessToken, GrantError> {
        match self.lent(connection).await? {
            Some(token) => Ok(token),
            None => self.renewed(connection, Need::Any).await,
        }
    }

    /// Another token, after the provider refused `refused`. Where that one has been replaced already,
    /// the new one is the answer: a renewal can kill the token that calls in flight carry.
    pub async fn replaced_token(
        self: &Arc<Self>,
        connection: ConnectionId,
        refused: &AccessToken,
    ) -> Result<AccessToken, GrantError> {
        match self.lent(connection).await? {
            Some(token) if token != *refused => Ok(token),
            _ => {
                self.renewed(connection, Need::Another(refused.clone()))
                    .await
            }
        }
    }

    /// Notes that the provider refuses even a token that has just been renewed: the grant has ended.
    pub async fn disown(
        &self,
        connection: ConnectionId,
        token: &AccessToken,
        said: &str,
    ) -> Result<(), GrantError> {
        let version = self.store.grant_version(connection).await?;
        let current = self.lent(connection).await?;
        if let (Some(version), Some(current)) = (version, current)
            && current == *token
        {
            self.store.end_grant(connection, version, said).await?;
            self.ephemeral.forget(&entry(connection)).await?;
        }
        Ok(())
    }

    /// Forgets the access token of a connection that has been left, and opens what its grant was, so
    /// that the provider can be asked to forget it too.
    pub async fn forget(&self, connection: ConnectionId, sealed: &[u8]) -> Option<Tokens> {
        let access = self.lent(connection).await.ok().flatten();
        if let Err(error) = self.ephemeral.forget(&entry(connection)).await {
            // It ends by itself when its life is over.
            tracing::warn!(%error, "an access token could not be forgotten yet");
        }
        let grant = self.open_grant(connection, sealed).ok()?;
        let access = grant
            .access
            .or(access)
            .unwrap_or_else(|| AccessToken::new(""));
        Some(Tokens {
            access,
            refresh: grant.refresh,
            lives: None,
            refresh_lives: None,
        })
    }

    /// Renews what would otherwise end from disuse, and ends what has. One failure keeps nothing else
    /// from its turn.
    pub async fn keep_alive(self: &Arc<Self>) -> store::Result<()> {
        for connection in self.store.grants_near_their_end(STEP).await? {
            if let Err(error) = self.renewed(connection, Need::LongerLife).await {
                tracing::warn!(%error, connection.id = connection.0, "a grant near its end was not renewed");
            }
        }
        Ok(())
    }

    /// Waits for renewals that are on their way: what a provider has answered must be kept.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// `known_end` is the end that was known, for an answer that names no new one.
    fn seal_grant(
        &self,
        connection: ConnectionId,
        tokens: &Tokens,
        known_end: Option<DateTime<Utc>>,
    ) -> SealedGrant {
        let durable = Durable {
            refresh: tokens
                .refresh
                .as_ref()
                .map(|token| token.expose_secret().into()),
            access: tokens
                .lives
                .is_none()
                .then(|| tokens.access.expose().into()),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&durable).expect("two strings are JSON"));
        SealedGrant {
            sealed: self.vault.seal(&grant_owner(connection), &plain),
            renews: tokens.refresh.is_some(),
            lapses_at: tokens.lapses_at(Utc::now()).or(known_end),
        }
    }

    fn open_grant(&self, connection: ConnectionId, sealed: &[u8]) -> Result<Grant, OpenError> {
        let plain = self.vault.open(&grant_owner(connection), sealed)?;
        let durable: Durable<'_> =
            serde_json::from_slice(&plain).map_err(|_| OpenError::Damaged)?;
        Ok(Grant {
            refresh: durable.refresh.map(|token| token.into_owned().into()),
            access: durable
                .access
                .map(|token| AccessToken::new(token.into_owned())),
        })
    }

    async fn put(
        &self,
        connection: ConnectionId,
        token: &AccessToken,
        life: Duration,
    ) -> Result<(), Away> {
        let owner = Owner::new("access", connection);
        let sealed = self.vault.seal(&owner, token.expose().as_bytes());
        self.ephemeral.put(&entry(connection), &sealed, life).await
    }

    /// The token that lies ready. One that cannot be opened, after keys were changed, is none.
    async fn lent(&self, connection: ConnectionId) -> Result<Option<AccessToken>, Away> {
        let Some(sealed) = self.ephemeral.get(&entry(connection)).await? else {
            return Ok(None);
        };
        let plain = self
            .vault
            .open(&Owner::new("access", connection), &sealed)
            .ok();
        Ok(plain.map(|plain| AccessToken::new(String::from_utf8_lossy(&plain))))
    }
}

/// Whose a sealed grant is, for who seals all of them anew.
pub fn grant_owner(connection: ConnectionId) -> Owner {
    Owner::new("grant", connection)
}

fn entry(connection: ConnectionId) -> String {
    format!("access:{connection}")
}

/// Less than the stated life, so that a token does not run out on its way to the provider.
fn stored_life(lives: Duration) -> Duration {
    lives - (lives / 10).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_less_than_it_lives() {
        assert_eq!(
            stored_life(Duration::from_secs(1800)),
            Duration::from_secs(1740)
        );
        assert_eq!(
            stored_life(Duration::from_secs(100)),
            Duration::from_secs(90)
        );
        assert_eq!(stored_life(Duration::ZERO), Duration::ZERO);
    }
}

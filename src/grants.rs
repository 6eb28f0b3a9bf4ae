//! What an approval left us: the sealed grant in SQL, and the access token, sealed too and for no
//! longer than it lives, in the ephemeral store. The one place that gives out a live access token.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ephemeral::{Away, SharedEphemeral};
use crate::item::ConnectionId;
use crate::store::{self, Tx};
use crate::vault::{OpenError, Owner, Vault};

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

/// What a token endpoint gave out.
#[derive(Clone)]
pub struct Tokens {
    pub access: AccessToken,
    pub refresh: Option<SecretString>,
    /// How long the access token lives, where the provider says so.
    pub lives: Option<Duration>,
}

/// Why there is no access token to give.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("the approval has run out")]
    Ended,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Away(#[from] Away),
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

/// The durable part of a grant, as it is before sealing.
#[derive(Serialize, Deserialize)]
struct Durable<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    refresh: Option<std::borrow::Cow<'a, str>>,
    /// Kept where the provider names no lifetime: then the access token is the grant.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    access: Option<std::borrow::Cow<'a, str>>,
}

/// Keeps grants and lends access tokens.
pub struct Grants {
    ephemeral: SharedEphemeral,
    vault: Arc<Vault>,
}

impl Grants {
    pub fn new(ephemeral: SharedEphemeral, vault: Arc<Vault>) -> Self {
        Self { ephemeral, vault }
    }

    /// Writes what must survive of `tokens`, sealed, as part of the approval's transaction.
    pub async fn keep(
        &self,
        tx: &mut Tx,
        connection: ConnectionId,
        tokens: &Tokens,
    ) -> Result<(), GrantError> {
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
        let sealed = self.vault.seal(&Owner::new("grant", connection), &plain);
        Ok(tx.save_grant(connection, &sealed).await?)
    }

    /// Puts the access token where every process finds it, for no longer than it lives.
    pub async fn lend(&self, connection: ConnectionId, tokens: &Tokens) -> Result<(), GrantError> {
        let Some(lives) = tokens.lives else {
            return Ok(());
        };
        let owner = Owner::new("access", connection);
        let sealed = self.vault.seal(&owner, tokens.access.expose().as_bytes());
        Ok(self
            .ephemeral
            .put(&entry(connection), &sealed, stored_life(lives))
            .await?)
    }

    /// The access token that calls for this connection carry.
    pub async fn access_token(&self, connection: ConnectionId) -> Result<AccessToken, GrantError> {
        let sealed = self.ephemeral.get(&entry(connection)).await?;
        let sealed = sealed.ok_or(GrantError::Ended)?;
        let plain = self
            .vault
            .open(&Owner::new("access", connection), &sealed)?;
        Ok(AccessToken::new(String::from_utf8_lossy(&plain)))
    }
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

//! Disconnecting: out of sight at once, forgotten here, and revoked at the provider where that ends
//! nothing that somebody here still uses.

use std::sync::Arc;

use crate::client::Client;
use crate::grants::Grants;
use crate::item::ConnectionId;
use crate::providers::Providers;
use crate::store::{self, Left, SignIn, Store};

/// What became of the approval at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Revoked, and the provider says so when asked.
    Verified,
    /// Revoked, without a word of the provider's that proves it.
    Revoked,
    /// Another connection here uses the same account, whose approval it would end.
    Shared,
    /// Asked for, and not confirmed.
    Unconfirmed,
    /// Not asked for: the provider lets nobody end it but the person.
    Unasked,
}

/// What a disconnection did.
pub struct Receipt {
    pub left: Left,
    pub revocation: Revocation,
}

/// What disconnecting works with.
pub struct Exit<'a> {
    pub store: &'a Store,
    pub grants: &'a Arc<Grants>,
    pub client: &'a Client,
    pub providers: &'a Providers,
}

impl Exit<'_> {
    /// Disconnects; here it is done whatever the provider answers. `None` where there is no such
    /// connection.
    pub async fn disconnect(
        &self,
        sign_in: &SignIn,
        id: ConnectionId,
    ) -> store::Result<Option<Receipt>> {
        let (workspace, user) = (sign_in.workspace_id, sign_in.user_id);
        let Some(left) = self.store.leave_connection(workspace, user, id).await? else {
            return Ok(None);
        };
        // A renewal on its way ends first: what it brings is what has to be revoked.
        let _held = self.grants.hold(id).await;
        let revocation = self.revoke(id, &left).await?;
        tracing::info!(
            connection.id = id.0,
            provider = left.provider,
            ?revocation,
            "disconnected"
        );
        Ok(Some(Receipt { left, revocation }))
    }

    async fn revoke(&self, id: ConnectionId, left: &Left) -> store::Result<Revocation> {
        let sealed = self.store.take_grant(id).await?.unwrap_or_default();
        let tokens = self.grants.forget(id, &sealed).await;
        if self
            .store
            .is_account_in_use(&left.provider, &left.account_key)
            .await?
        {
            return Ok(Revocation::Shared);
        }
        if self
            .providers
            .describe(&left.provider)
            .is_some_and(|it| it.revoke_path.is_none())
        {
            return Ok(Revocation::Unasked);
        }
        let (Some(tokens), Some(provider)) = (tokens, self.providers.find(&left.provider)) else {
            return Ok(Revocation::Unconfirmed);
        };
        let oauth = provider.oauth(self.client);
        if !oauth.revoke(&tokens).await {
            return Ok(Revocation::Unconfirmed);
        }
        Ok(match oauth.is_revoked(&tokens).await {
            Some(true) => Revocation::Verified,
            Some(false) => Revocation::Unconfirmed,
            None => Revocation::Revoked,
        })
    }
}

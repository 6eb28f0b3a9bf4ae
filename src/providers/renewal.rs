//! Renewing grants at whatever provider they are from.

use async_trait::async_trait;
use secrecy::SecretString;

use super::Providers;
use crate::client::{Client, TokenError, retry_after};
use crate::grants::{RefreshFailure, Refresher, Tokens};

/// Asks the providers of this installation for new tokens.
pub struct Renewal {
    pub client: Client,
    pub providers: Providers,
}

#[async_trait]
impl Refresher for Renewal {
    async fn refresh(
        &self,
        provider: &str,
        refresh: &SecretString,
    ) -> Result<Tokens, RefreshFailure> {
        let Some(provider) = self.providers.find(provider) else {
            return Err(RefreshFailure::Passing {
                said: "this provider has no credentials here".into(),
                wait: None,
            });
        };
        let ends_grant = provider.description().ends_grant;
        provider
            .oauth(&self.client)
            .refresh(refresh)
            .await
            .map(|answer| answer.tokens)
            .map_err(|error| {
                let said = error.said();
                match error {
                    TokenError::Refused(answer) if ends_grant(&answer) => {
                        RefreshFailure::Terminal { said }
                    }
                    TokenError::Refused(answer) => RefreshFailure::Passing {
                        said,
                        wait: retry_after(&answer.headers),
                    },
                    TokenError::OutOfReach(_) => RefreshFailure::Passing { said, wait: None },
                }
            })
    }

    async fn discard(&self, provider: &str, tokens: &Tokens) {
        if let Some(provider) = self.providers.find(provider)
            && provider.description().revokes_one_grant
            && !provider.oauth(&self.client).revoke(tokens).await
        {
            tracing::warn!(
                provider = provider.slug(),
                "tokens that nobody uses could not be revoked"
            );
        }
    }
}

//! Where actix-session keeps sessions: its own Redis store, or our table.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use actix_session::storage::{
    LoadError, RedisSessionStore, SaveError, SessionKey, SessionStore, UpdateError,
    generate_session_key,
};
use actix_web::cookie::time::Duration;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::redis::RedisEphemeral;
use super::{Away, SharedEphemeral};
use crate::store::DEADLINE;

type State = HashMap<String, String>;

/// The session store of one process.
#[derive(Clone)]
pub enum Sessions {
    Shared(SharedEphemeral),
    Redis(Arc<RedisSessionStore>),
}

impl Sessions {
    /// Sessions as entries of the ephemeral store.
    pub fn in_store(store: SharedEphemeral) -> Self {
        Self::Shared(store)
    }

    /// Sessions in actix-session's own Redis store, over the same pool as the rest.
    pub async fn in_redis(redis: &RedisEphemeral) -> Result<Self, Away> {
        let store = RedisSessionStore::builder_pooled(redis.pool())
            .cache_keygen(|key| format!("tributary:{}", name(key)))
            .build()
            .await
            .map_err(|error| Away(error.to_string()))?;
        Ok(Self::Redis(Arc::new(store)))
    }
}

/// The id that the browser holds is stored nowhere: who reads the store cannot become anybody.
fn name(key: &str) -> String {
    format!("session:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(key)))
}

fn life(ttl: &Duration) -> std::time::Duration {
    (*ttl).try_into().unwrap_or_default()
}

/// Redis gets the same deadline as every other store call.
async fn within<T, E>(
    call: impl Future<Output = Result<T, E>>,
    late: impl FnOnce(anyhow::Error) -> E,
) -> Result<T, E> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(late(Away("Redis did not answer in time".into()).into())),
    }
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        match self {
            Self::Redis(store) => within(store.load(key), LoadError::Other).await,
            Self::Shared(store) => {
                let value = store.get(&name(key.as_ref())).await;
                let value = value.map_err(|away| LoadError::Other(away.into()))?;
                let state = value
                    .map(|bytes| serde_json::from_slice(&bytes))
                    .transpose();
                state.map_err(|error| LoadError::Deserialization(error.into()))
            }
        }
    }

    async fn save(&self, state: State, ttl: &Duration) -> Result<SessionKey, SaveError> {
        match self {
            Self::Redis(store) => within(store.save(state, ttl), SaveError::Other).await,
            Self::Shared(store) => {
                let key = generate_session_key();
                let bytes =
                    serde_json::to_vec(&state).map_err(|e| SaveError::Serialization(e.into()))?;
                let saved = store.put(&name(key.as_ref()), &bytes, life(ttl)).await;
                saved.map_err(|away| SaveError::Other(away.into()))?;
                Ok(key)
            }
        }
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        match self {
            Self::Redis(store) => within(store.update(key, state, ttl), UpdateError::Other).await,
            Self::Shared(store) => {
                let bytes =
                    serde_json::to_vec(&state).map_err(|e| UpdateError::Serialization(e.into()))?;
                let saved = store.put(&name(key.as_ref()), &bytes, life(ttl)).await;
                saved.map_err(|away| UpdateError::Other(away.into()))?;
                Ok(key)
            }
        }
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &Duration) -> anyhow::Result<()> {
        match self {
            Self::Redis(store) => within(store.update_ttl(key, ttl), |late| late).await,
            Self::Shared(store) => {
                let name = name(key.as_ref());
                if let Some(value) = store.get(&name).await? {
                    store.renew(&name, &value, life(ttl)).await?;
                }
                Ok(())
            }
        }
    }

    async fn delete(&self, key: &SessionKey) -> anyhow::Result<()> {
        match self {
            Self::Redis(store) => within(store.delete(key), |late| late).await,
            Self::Shared(store) => Ok(store.forget(&name(key.as_ref())).await?),
        }
    }
}

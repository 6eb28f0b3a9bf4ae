//! What expires: sessions, pending approvals, access tokens, leases. Anything here may be forgotten
//! at any moment, and nothing durable is lost.

mod redis;
mod sessions;
mod sql;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use redis::{RedisEphemeral, RedisLocation, connect as connect_redis};
pub use sessions::Sessions;
pub use sql::SqlEphemeral;

/// The store did not answer within its deadline, or said no. It is never taken for "not there".
#[derive(Debug, thiserror::Error)]
#[error("the ephemeral store is away: {0}")]
pub struct Away(pub String);

pub type Result<T> = std::result::Result<T, Away>;

/// A shared store of short-lived entries. Every call ends within the store's deadline.
#[async_trait]
pub trait Ephemeral: Send + Sync {
    /// Puts an entry, over any other of that name.
    async fn put(&self, key: &str, value: &[u8], life: Duration) -> Result<()>;

    /// The entry, if it is there and has not expired.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Gets an entry and removes it in one step: of any number of callers, one gets it.
    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Puts an entry only where none is. Whoever gets `true` holds it.
    async fn claim(&self, key: &str, value: &[u8], life: Duration) -> Result<bool>;

    /// Gives an entry a new life, if it still holds `value`.
    async fn renew(&self, key: &str, value: &[u8], life: Duration) -> Result<bool>;

    /// Removes an entry, if it still holds `value`.
    async fn release(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Removes an entry, whatever it holds.
    async fn forget(&self, key: &str) -> Result<()>;

    /// Counts one call against a budget that every process shares. Zero where it may be made now, else
    /// after how long it is worth asking again. Where nothing is shared, each process keeps to its own.
    async fn admit(&self, budget: &str, calls: usize, window: Duration) -> Result<Duration> {
        let _ = (budget, calls, window);
        Ok(Duration::ZERO)
    }

    /// Removes some entries that have expired and says how many; zero where the store does it itself.
    async fn sweep(&self) -> Result<u64>;

    /// Answers when the store can be reached.
    async fn ping(&self) -> Result<()>;
}

pub type SharedEphemeral = Arc<dyn Ephemeral>;

//! The ephemeral store as a table of the SQL database: the embedded default.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Away, Ephemeral, Result};
use crate::store::{self, Done, Store, on};

/// Rows removed in one step of a sweep, so that no writer waits long for it.
const SWEEP: i64 = 500;

pub struct SqlEphemeral {
    store: Arc<Store>,
}

impl SqlEphemeral {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

impl From<store::Error> for Away {
    fn from(error: store::Error) -> Self {
        Self(error.to_string())
    }
}

fn ms(life: Duration) -> i64 {
    i64::try_from(life.as_millis()).unwrap_or(i64::MAX / 4)
}

#[async_trait]
impl Ephemeral for SqlEphemeral {
    async fn put(&self, key: &str, value: &[u8], life: Duration) -> Result<()> {
        on!(self.store.writer(), db => sqlx::query(
            r#"INSERT INTO ephemeral ("key", value, expires_at)
               VALUES ($1, $2, (SELECT now FROM clock) + $3)
               ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"#)
            .bind(key).bind(value).bind(ms(life)).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(on!(self.store.reader(), db => sqlx::query_scalar(
            r#"SELECT value FROM ephemeral WHERE "key" = $1 AND expires_at > (SELECT now FROM clock)"#)
            .bind(key).fetch_optional(db).await)?)
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(on!(self.store.writer(), db => sqlx::query_scalar(
            r#"DELETE FROM ephemeral WHERE "key" = $1 AND expires_at > (SELECT now FROM clock)
               RETURNING value"#)
            .bind(key).fetch_optional(db).await)?)
    }

    async fn claim(&self, key: &str, value: &[u8], life: Duration) -> Result<bool> {
        let claimed = on!(self.store.writer(), db => sqlx::query(
            r#"INSERT INTO ephemeral ("key", value, expires_at)
               VALUES ($1, $2, (SELECT now FROM clock) + $3)
               ON CONFLICT ("key") DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
               WHERE ephemeral.expires_at <= (SELECT now FROM clock)"#)
            .bind(key).bind(value).bind(ms(life)).execute(db).await.map(Done::rows))?;
        Ok(claimed == 1)
    }

    async fn renew(&self, key: &str, value: &[u8], life: Duration) -> Result<bool> {
        let renewed = on!(self.store.writer(), db => sqlx::query(
            r#"UPDATE ephemeral SET expires_at = (SELECT now FROM clock) + $3
               WHERE "key" = $1 AND value = $2 AND expires_at > (SELECT now FROM clock)"#)
            .bind(key).bind(value).bind(ms(life)).execute(db).await.map(Done::rows))?;
        Ok(renewed == 1)
    }

    async fn release(&self, key: &str, value: &[u8]) -> Result<()> {
        on!(self.store.writer(), db => sqlx::query(
            r#"DELETE FROM ephemeral WHERE "key" = $1 AND value = $2"#)
            .bind(key).bind(value).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    async fn forget(&self, key: &str) -> Result<()> {
        on!(self.store.writer(), db => sqlx::query(r#"DELETE FROM ephemeral WHERE "key" = $1"#)
            .bind(key).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    async fn sweep(&self) -> Result<u64> {
        Ok(on!(self.store.writer(), db => sqlx::query(
            r#"DELETE FROM ephemeral WHERE "key" IN (
                 SELECT "key" FROM ephemeral WHERE expires_at <= (SELECT now FROM clock) LIMIT $1)"#)
            .bind(SWEEP).execute(db).await.map(Done::rows))?)
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.store.ping().await?)
    }
}

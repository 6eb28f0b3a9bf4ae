//! The processes that run on this database, and the keys they hold.

use std::time::Duration;

use super::db::{Done, on};
use super::{Result, Store};

/// A process that has said nothing for this long is gone.
const GONE: Duration = Duration::from_secs(45);
/// How often a process says that it is here.
pub const SAY_SO: Duration = Duration::from_secs(10);

impl Store {
    /// Notes that the process `id` runs and holds these keys.
    pub async fn say_instance(&self, id: &str, keys: &str) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "INSERT INTO instances (id, keys, seen_at) VALUES ($1, $2, (SELECT now FROM clock))
             ON CONFLICT (id) DO UPDATE SET keys = excluded.keys, seen_at = excluded.seen_at")
            .bind(id).bind(keys).execute(db).await.map(Done::rows))?;
        on!(self.pools.write, db => sqlx::query(
            "DELETE FROM instances WHERE seen_at < (SELECT now FROM clock) - $1")
            .bind(GONE.as_millis() as i64).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Notes that the process ends.
    pub async fn end_instance(&self, id: &str) -> Result<()> {
        on!(self.pools.write, db => sqlx::query("DELETE FROM instances WHERE id = $1")
            .bind(id).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// How many running processes do not hold the key of this id.
    pub async fn instances_without(&self, key: &str) -> Result<i64> {
        let all: Vec<String> = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT keys FROM instances WHERE seen_at >= (SELECT now FROM clock) - $1")
            .bind(GONE.as_millis() as i64).fetch_all(db).await)?;
        let lacks = |keys: &&String| keys.split(' ').all(|id| id != key);
        Ok(all.iter().filter(lacks).count() as i64)
    }
}

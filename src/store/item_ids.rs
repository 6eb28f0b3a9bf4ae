//! The ids of items. A connection takes them by the block, so that neighbours belong together, however
//! many connections import at once.

use super::Result;
use super::db::{Done, Either, Tx, within};
use crate::item::ConnectionId;

/// Ids in a block.
pub(super) const BLOCK: i64 = 4_096;

impl Tx {
    /// Ids for `n` new items of a connection, which is held.
    pub(super) async fn new_ids(&mut self, connection: ConnectionId, n: usize) -> Result<Vec<i64>> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let next: Option<i64> = within!(self, db => sqlx::query_scalar(
            "SELECT next FROM item_ids WHERE connection_id = $1")
            .bind(connection).fetch_optional(db).await)?;
        let mut next = next.unwrap_or_default();
        let mut ids = Vec::with_capacity(n);
        while ids.len() < n {
            // The one before was the last of its block.
            if next % BLOCK == 0 {
                next = self.new_block().await? * BLOCK;
            }
            ids.push(next);
            next += 1;
        }
        within!(self, db => sqlx::query(
            "INSERT INTO item_ids (connection_id, next) VALUES ($1, $2)
             ON CONFLICT (connection_id) DO UPDATE SET next = excluded.next")
            .bind(connection).bind(next).execute(db).await.map(Done::rows))?;
        Ok(ids)
    }

    /// A block that nobody has. Writers on PostgreSQL do not wait for each other over it, and one that
    /// is undone leaves its block unused.
    async fn new_block(&mut self) -> Result<i64> {
        let sql = match self.open {
            Either::Sqlite(_) => "UPDATE item_blocks SET last = last + 1 RETURNING last",
            Either::Postgres(_) => "SELECT nextval('item_blocks')",
        };
        within!(self, db => sqlx::query_scalar(sql).fetch_one(db).await)
    }
}

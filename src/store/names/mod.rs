//! Searching in names.
//!
//! Which names hold which pieces is worked out behind the imports, a block of neighbouring ids at a time:
//! a block's lists are a function of its names, so doing one twice, or anew after a crash, is always
//! right. A page that is stored only notes which blocks are due, and a search looks at every name of
//! those. What the lists lead to are candidates: the folded names decide, in the rows or, where many of a
//! block may fit, in the roster that is kept beside its lists.

mod find;
mod numbers;
mod pieces;
mod roster;

use sqlx::QueryBuilder;

use super::db::{Done, Tx, on, within};
use super::item_ids::BLOCK;
use super::{Result, Store};
use crate::item::{ConnectionId, fold, sort_key};

pub(super) use find::{Candidates, Found, Member};
use roster::{Times, Written};

/// How long a block must have been left alone: one that is being filled would be done again and again.
const QUIET_MS: i64 = 2_000;
/// Names folded anew in one step, so that no writer waits long for it.
const FOLDED: usize = 500;
/// Rosters erased in one step.
const ERASED: i64 = 50;

/// What a name is sorted by, and all of it folded where that is only its beginning.
pub(super) fn folded(name: &str) -> (String, Option<String>) {
    let folded = fold(name);
    let key = sort_key(&folded).to_owned();
    let whole = (key.len() < folded.len()).then_some(folded);
    (key, whole)
}

/// What is kept of a block's names.
struct Kept {
    /// By bucket.
    lists: Vec<Vec<u8>>,
    written: Written,
}

impl Kept {
    fn of(names: &[Row], first: i64) -> Self {
        let members: Vec<_> = names.iter().map(|name| name.member(first)).collect();
        Self {
            lists: pieces::lists(members.iter().map(|it| (it.at, it.name))),
            written: roster::write(&members),
        }
    }
}

impl Tx {
    /// Notes that the names of these items are to be listed anew.
    pub(super) async fn names_are_due(
        &mut self,
        connection: ConnectionId,
        ids: impl Iterator<Item = i64>,
    ) -> Result<()> {
        let mut blocks: Vec<i64> = ids.map(|id| id / BLOCK).collect();
        // Always in one order, so that two writers do not wait for each other.
        blocks.sort_unstable();
        blocks.dedup();
        if blocks.is_empty() {
            return Ok(());
        }
        within!(self, db => {
            let mut sql = QueryBuilder::new("INSERT INTO names_due (connection_id, block, at) ");
            sql.push_values(&blocks, |mut row, block| {
                row.push_bind(connection).push_bind(*block).push("(SELECT now FROM clock)");
            });
            sql.push(" ON CONFLICT (connection_id, block) DO UPDATE SET at = excluded.at");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct DueBlock {
    connection_id: ConnectionId,
    block: i64,
    at: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    connection_id: ConnectionId,
    kind: String,
    name: String,
    sort_name: String,
    folded: Option<String>,
    is_gone: bool,
    created_at: i64,
    modified_at: i64,
}

impl Row {
    fn member(&self, first: i64) -> roster::Member<'_, &str> {
        roster::Member {
            at: (self.id - first) as u16,
            kind: &self.kind,
            is_gone: self.is_gone,
            times: Times {
                created: self.created_at,
                modified: self.modified_at,
            },
            name: self.folded.as_deref().unwrap_or(&self.sort_name),
        }
    }
}

impl Store {
    /// Lists the names of one block that is due, and says whether there may be more to do.
    pub async fn list_some_names(&self) -> Result<bool> {
        let due: Option<DueBlock> = on!(self.pools.behind, db => sqlx::query_as(
            "SELECT connection_id, block, at FROM names_due WHERE at <= (SELECT now FROM clock) - $1
             ORDER BY at LIMIT 1").bind(QUIET_MS).fetch_optional(db).await)?;
        let Some(due) = due else { return Ok(false) };
        let names = self.names_of(due.connection_id, due.block).await?;
        if self.fold_anew(&names).await? {
            return Ok(true);
        }
        let first = due.block * BLOCK;
        let kept = tokio::task::spawn_blocking(move || Kept::of(&names, first));
        // A panic in there has been told already, and the block stays due.
        let Ok(kept) = kept.await else {
            return Ok(false);
        };
        self.keep(&due, &kept).await?;
        Ok(true)
    }

    /// How many blocks are still due.
    pub async fn names_left(&self) -> Result<i64> {
        on!(self.pools.behind, db => sqlx::query_scalar("SELECT COUNT(*) FROM names_due").fetch_one(db).await)
    }

    async fn names_of(&self, connection: ConnectionId, block: i64) -> Result<Vec<Row>> {
        let names: Vec<Row> = on!(self.pools.behind, db => sqlx::query_as(
            "SELECT id, connection_id, type AS kind, name, sort_name, folded, gone_at IS NOT NULL AS is_gone,
                created_at, modified_at
             FROM items WHERE id >= $1 AND id < $2")
            .bind(block * BLOCK).bind((block + 1) * BLOCK).fetch_all(db).await)?;
        Ok(names
            .into_iter()
            .filter(|name| name.connection_id == connection)
            .collect())
    }

    /// Folds names that were stored before names were folded, or folded otherwise than today.
    async fn fold_anew(&self, names: &[Row]) -> Result<bool> {
        let wrong = names.iter().filter_map(|it| {
            let (key, whole) = folded(&it.name);
            (key != it.sort_name || whole != it.folded).then_some((it, key, whole))
        });
        let wrong: Vec<(&Row, String, Option<String>)> = wrong.take(FOLDED).collect();
        if wrong.is_empty() {
            return Ok(false);
        }
        on!(self.pools.write, db => {
            let mut sql = QueryBuilder::new("UPDATE items SET sort_name = v.column2, folded = v.column3 FROM (");
            sql.push_values(&wrong, |mut row, (it, key, whole)| {
                row.push_bind(it.id).push_bind(key).push_bind(whole.as_deref()).push_bind(&it.name);
            });
            // A name that has been changed since has been folded with it.
            sql.push(") AS v WHERE items.id = v.column1 AND items.name = v.column4");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(true)
    }

    /// Keeps what was worked out of a block, unless its names have changed since they were read.
    async fn keep(&self, due: &DueBlock, kept: &Kept) -> Result<()> {
        let mut tx = self.begin_in_turn().await?;
        let still = within!(tx, db => sqlx::query(
            "DELETE FROM names_due WHERE connection_id = $1 AND block = $2 AND at = $3")
            .bind(due.connection_id).bind(due.block).bind(due.at).execute(db).await.map(Done::rows))?;
        if still == 0 {
            return Ok(());
        }
        within!(tx, db => {
            let mut sql = QueryBuilder::new("INSERT INTO name_pieces (connection_id, bucket, block, lists) ");
            sql.push_values((0..).zip(&kept.lists), |mut row, (bucket, lists): (i64, _)| {
                row.push_bind(due.connection_id).push_bind(bucket).push_bind(due.block).push_bind(lists);
            });
            sql.push(" ON CONFLICT (connection_id, bucket, block) DO UPDATE SET lists = excluded.lists");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        within!(tx, db => sqlx::query(
            "INSERT INTO name_rosters (connection_id, block, roster, times) VALUES ($1, $2, $3, $4)
             ON CONFLICT (connection_id, block) DO UPDATE SET roster = excluded.roster, times = excluded.times")
            .bind(due.connection_id).bind(due.block).bind(&kept.written.roster).bind(&kept.written.times).execute(db).await.map(Done::rows))?;
        tx.commit().await
    }

    /// Erases some of what was kept of a connection's names, and says whether anything was left.
    pub(super) async fn erase_some_names(&self, connection: ConnectionId) -> Result<bool> {
        let lists = on!(self.pools.write, db => sqlx::query(
            "DELETE FROM name_pieces WHERE connection_id = $1
             AND bucket = (SELECT MIN(bucket) FROM name_pieces WHERE connection_id = $1)")
            .bind(connection).execute(db).await.map(Done::rows))?;
        let rosters = on!(self.pools.write, db => sqlx::query(
            "DELETE FROM name_rosters WHERE connection_id = $1
             AND block IN (SELECT block FROM name_rosters WHERE connection_id = $1 LIMIT $2)")
            .bind(connection).bind(ERASED).execute(db).await.map(Done::rows))?;
        Ok(lists + rosters > 0)
    }
}

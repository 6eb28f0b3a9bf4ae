//! Searching in names.
//!
//! Which names hold which pieces is worked out behind the imports, a block of neighbouring ids at a time:
//! a block's lists are a function of its names, so doing one twice, or anew after a crash, is always
//! right. A page that is stored only notes which blocks are due, and a search looks at every name of
//! those. What the lists lead to are candidates: the folded names decide, in the rows or, where many are
//! only counted, in the roster that is kept beside each block's lists.

mod numbers;
mod pieces;
mod roster;

use std::collections::{BTreeMap, HashMap};

use sqlx::QueryBuilder;
use tokio::sync::OnceCell;

use super::db::{Done, Tx, on, within};
use super::list::Filters;
use super::sql::Sql;
use super::{Result, Store};
use crate::item::{ConnectionId, fold, sort_key};
use pieces::{BLOCK, BUCKETS};
use roster::Member;

/// How long a block must have been left alone: one that is being filled would be done again and again.
const QUIET_MS: i64 = 2_000;
/// Where a block's roster is, beside the values of its lists.
const ROSTER: u32 = BUCKETS;
/// Rosters read at once.
const ROSTERS: usize = 32;
/// Rows that are looked at in the time in which a roster is read.
const DENSE: usize = 12;
/// Names folded anew in one step, so that no writer waits long for it.
const FOLDED: usize = 500;

/// Items of which all are that fit, unless they were too many.
pub(super) struct Candidates {
    pub ids: Vec<i64>,
    pub whole: bool,
}

/// Where candidates are.
pub(super) struct Places {
    /// Those of blocks that are due.
    pub unlisted: Vec<i64>,
    /// Block by block, as they are counted in it.
    pub listed: Vec<(Block, Vec<u16>)>,
    pub whole: bool,
}

/// A block of one connection's ids.
pub(super) type Block = (ConnectionId, i64);

impl Places {
    /// Whether it takes less to read a block's roster than to look at the rows of those in it.
    pub fn are_dense(&self) -> bool {
        let listed: usize = self.listed.iter().map(|(_, these)| these.len()).sum();
        listed > DENSE * self.listed.len()
    }

    /// All of them.
    pub fn candidates(&self) -> Candidates {
        let id = |(block, these): &(Block, Vec<u16>)| {
            let first = block.1 * BLOCK;
            these
                .iter()
                .map(move |at| first + i64::from(*at))
                .collect::<Vec<_>>()
        };
        let listed = self.listed.iter().flat_map(id);
        Candidates {
            ids: self.unlisted.iter().copied().chain(listed).collect(),
            whole: self.whole,
        }
    }
}

/// What one question about the list has found in names: its rows and its counts look there once.
#[derive(Default)]
pub(super) struct Found(OnceCell<Places>);

impl Found {
    pub async fn places(&self, store: &Store, filters: &Filters) -> Result<&Places> {
        let (connections, words) = (&filters.connections, &filters.words);
        let places = || store.places(connections, words, store.reach.many);
        self.0.get_or_try_init(places).await
    }
}

/// What a name is sorted by, and all of it folded where that is only its beginning.
pub(super) fn folded(name: &str) -> (String, Option<String>) {
    let folded = fold(name);
    let key = sort_key(&folded).to_owned();
    let whole = (key.len() < folded.len()).then_some(folded);
    (key, whole)
}

/// A block's lists by bucket, and its roster behind them.
fn values(first: i64, names: Vec<Name>) -> Vec<Vec<u8>> {
    let mut pairs: Vec<(u16, String)> = Vec::with_capacity(names.len());
    let mut members = Vec::new();
    for it in names {
        let (at, name) = ((it.id - first) as u16, it.folded.unwrap_or(it.sort_name));
        if !it.is_gone {
            members.push(Member {
                at,
                kind: it.kind,
                name: name.clone(),
            });
        }
        pairs.push((at, name));
    }
    let mut values = pieces::lists(&pairs);
    values.push(roster::write(members));
    values
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
struct Name {
    id: i64,
    connection_id: ConnectionId,
    kind: String,
    name: String,
    sort_name: String,
    folded: Option<String>,
    is_gone: bool,
}

#[derive(sqlx::FromRow)]
struct Value {
    connection_id: ConnectionId,
    block: i64,
    bucket: i64,
    lists: Vec<u8>,
}

impl Store {
    /// Lists the names of one block that is due, and says whether there may be more to do.
    pub async fn list_some_names(&self) -> Result<bool> {
        let due: Option<DueBlock> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT connection_id, block, at FROM names_due WHERE at <= (SELECT now FROM clock) - $1
             ORDER BY at LIMIT 1").bind(QUIET_MS).fetch_optional(db).await)?;
        let Some(due) = due else { return Ok(false) };
        let names = self.names_of(due.connection_id, due.block).await?;
        if self.fold_anew(&names).await? {
            return Ok(true);
        }
        let first = due.block * BLOCK;
        let values = tokio::task::spawn_blocking(move || values(first, names));
        // A panic in there has been told already, and the block stays due.
        let Ok(values) = values.await else {
            return Ok(false);
        };
        self.write_values(&due, values).await?;
        Ok(true)
    }

    /// How many blocks are still due.
    pub async fn names_left(&self) -> Result<i64> {
        on!(self.pools.read, db => sqlx::query_scalar("SELECT COUNT(*) FROM names_due").fetch_one(db).await)
    }

    async fn names_of(&self, connection: ConnectionId, block: i64) -> Result<Vec<Name>> {
        let names: Vec<Name> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id, type AS kind, name, sort_name, folded, gone_at IS NOT NULL AS is_gone
             FROM items WHERE id >= $1 AND id < $2")
            .bind(block * BLOCK).bind((block + 1) * BLOCK).fetch_all(db).await)?;
        Ok(names
            .into_iter()
            .filter(|name| name.connection_id == connection)
            .collect())
    }

    /// Folds names that were stored before names were folded, or folded otherwise than today.
    async fn fold_anew(&self, names: &[Name]) -> Result<bool> {
        let wrong = names.iter().filter_map(|it| {
            let (key, whole) = folded(&it.name);
            (key != it.sort_name || whole != it.folded).then_some((it, key, whole))
        });
        let wrong: Vec<(&Name, String, Option<String>)> = wrong.take(FOLDED).collect();
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

    /// Writes a block's values, unless its names have changed since they were read.
    async fn write_values(&self, due: &DueBlock, values: Vec<Vec<u8>>) -> Result<()> {
        let mut tx = self.begin_in_turn().await?;
        let still = within!(tx, db => sqlx::query(
            "DELETE FROM names_due WHERE connection_id = $1 AND block = $2 AND at = $3")
            .bind(due.connection_id).bind(due.block).bind(due.at).execute(db).await.map(Done::rows))?;
        if still == 0 {
            return Ok(());
        }
        within!(tx, db => {
            let mut sql = QueryBuilder::new("INSERT INTO name_pieces (connection_id, bucket, block, lists) ");
            sql.push_values((0..).zip(&values), |mut row, (bucket, value): (i64, _)| {
                row.push_bind(due.connection_id).push_bind(bucket).push_bind(due.block).push_bind(value);
            });
            sql.push(" ON CONFLICT (connection_id, bucket, block) DO UPDATE SET lists = excluded.lists");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        tx.commit().await
    }

    /// Erases some of what a connection's names were listed in, and says whether anything was left.
    pub(super) async fn erase_some_lists(&self, connection: ConnectionId) -> Result<bool> {
        let erased = on!(self.pools.write, db => sqlx::query(
            "DELETE FROM name_pieces WHERE connection_id = $1
             AND bucket = (SELECT MIN(bucket) FROM name_pieces WHERE connection_id = $1)")
            .bind(connection).execute(db).await.map(Done::rows))?;
        Ok(erased > 0)
    }

    /// Where items are whose names may hold all the words, of which there is at least one. No further
    /// ones are looked for once there are more than `most`.
    async fn places(
        &self,
        connections: &[ConnectionId],
        words: &[String],
        most: usize,
    ) -> Result<Places> {
        // The blocks that are due first: one that is listed meanwhile is then seen twice, and not never.
        let due = self.blocks_due(connections).await?;
        let mut found = Places {
            unlisted: Vec::new(),
            listed: Vec::new(),
            whole: true,
        };
        for (connection, block) in &due {
            let ids = self.ids_of(*connection, *block).await?;
            found.unlisted.extend(ids);
            if found.unlisted.len() > most {
                found.whole = false;
                return Ok(found);
            }
        }
        let sought = pieces::sought(words);
        let mut blocks = self.values(connections, &sought).await?;
        blocks.retain(|block, _| due.binary_search(block).is_err());
        let mut n = found.unlisted.len();
        for (block, values) in blocks {
            let who = pieces::who_has(&sought, &values);
            n += who.len();
            if !who.is_empty() {
                found.listed.push((block, who));
            }
            if n > most {
                found.whole = false;
                break;
            }
        }
        Ok(found)
    }

    /// Counts by type those of these candidates that are not gone and fit, until there are more than
    /// `most`, and says whether all were looked at.
    pub(super) async fn count_listed(
        &self,
        listed: &[(Block, Vec<u16>)],
        fit: impl Fn(&str, &str) -> bool,
        most: i64,
    ) -> Result<(BTreeMap<String, i64>, bool)> {
        let mut counts = BTreeMap::new();
        let mut all = true;
        for listed in listed.chunks(ROSTERS) {
            if counts.values().sum::<i64>() > most {
                return Ok((counts, false));
            }
            let rosters = self.rosters(listed).await?;
            for (block, these) in listed {
                match rosters.get(block) {
                    Some(roster) => roster::count(roster, these, &fit, &mut counts),
                    // Erased since.
                    None => all = false,
                }
            }
        }
        Ok((counts, all))
    }

    async fn rosters(&self, of: &[(Block, Vec<u16>)]) -> Result<HashMap<Block, Vec<u8>>> {
        let mut sql = Sql::on(&self.pools.read);
        for (at, ((connection, block), _)) in of.iter().enumerate() {
            sql.push(if at == 0 { "" } else { " UNION ALL " });
            sql.push("SELECT connection_id, block, bucket, lists FROM name_pieces WHERE connection_id = ");
            sql.bind(connection.0).push(" AND bucket = ");
            sql.bind(i64::from(ROSTER))
                .push(" AND block = ")
                .bind(*block);
        }
        let values: Vec<Value> = sql.all(&self.pools.read).await?;
        let roster = |it: Value| ((it.connection_id, it.block), it.lists);
        Ok(values.into_iter().map(roster).collect())
    }

    async fn ids_of(&self, connection: ConnectionId, block: i64) -> Result<Vec<i64>> {
        let ids: Vec<(i64, ConnectionId)> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id FROM items WHERE id >= $1 AND id < $2")
            .bind(block * BLOCK).bind((block + 1) * BLOCK).fetch_all(db).await)?;
        let own = ids.into_iter().filter(|(_, its)| *its == connection);
        Ok(own.map(|(id, _)| id).collect())
    }

    async fn blocks_due(&self, connections: &[ConnectionId]) -> Result<Vec<(ConnectionId, i64)>> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT connection_id, block FROM names_due WHERE connection_id IN ");
        sql.bind_all(connections.iter().map(|id| id.0))
            .push(" ORDER BY connection_id, block");
        sql.all(&self.pools.read).await
    }

    /// The values in which these pieces are, by block and bucket.
    async fn values(
        &self,
        connections: &[ConnectionId],
        sought: &[u32],
    ) -> Result<BTreeMap<(ConnectionId, i64), BTreeMap<u32, Vec<u8>>>> {
        let mut buckets: Vec<u32> = sought.iter().map(|piece| pieces::bucket(*piece)).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let mut sql = Sql::on(&self.pools.read);
        sql.push(
            "SELECT connection_id, block, bucket, lists FROM name_pieces WHERE connection_id IN ",
        );
        sql.bind_all(connections.iter().map(|id| id.0))
            .push(" AND bucket IN ");
        sql.bind_all(buckets.into_iter().map(i64::from));
        let values: Vec<Value> = sql.all(&self.pools.read).await?;
        let mut blocks: BTreeMap<_, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
        for value in values {
            let block = blocks
                .entry((value.connection_id, value.block))
                .or_default();
            block.insert(value.bucket as u32, value.lists);
        }
        Ok(blocks)
    }
}

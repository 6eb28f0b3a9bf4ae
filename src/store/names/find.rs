//! What a search finds in names: candidates, and what the rosters tell of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::OnceCell;

use super::pieces;
use super::roster::{self, Written};
use crate::item::ConnectionId;
use crate::store::item_ids::BLOCK;
use crate::store::list::Filters;
use crate::store::list_sql::ALL;
use crate::store::sql::Sql;
use crate::store::{Result, Store};

/// Rows that are looked at in the time in which a roster is read.
const DENSE: usize = 40;
/// Rosters in one statement.
const ROSTERS: usize = 32;
/// Statements under way: what the first of them tells may be enough.
const UNDER_WAY: usize = 2;

/// What a roster tells of an item.
pub type Member<'a> = roster::Member<'a, roster::Name<'a>>;

/// A block of one connection's ids.
type Block = (ConnectionId, i64);

/// Items of which all are that fit, unless they were too many.
#[derive(Clone)]
pub struct Candidates {
    /// Those whose rows are looked at.
    pub ids: Vec<i64>,
    /// Those that rosters tell of.
    pub dense: Vec<InBlock>,
    pub whole: bool,
}

/// Candidates in one block, as they are counted in it.
#[derive(Clone)]
pub struct InBlock {
    block: Block,
    these: Vec<u16>,
}

impl InBlock {
    fn ids(&self) -> impl Iterator<Item = i64> {
        let first = self.block.1 * BLOCK;
        self.these.iter().map(move |at| first + i64::from(*at))
    }
}

impl Candidates {
    pub fn rows(ids: Vec<i64>, whole: bool) -> Self {
        Self {
            ids,
            dense: Vec::new(),
            whole,
        }
    }

    pub fn number(&self) -> usize {
        let dense = self.dense.iter().map(|it| it.these.len());
        self.ids.len() + dense.sum::<usize>()
    }

    /// What it takes to look at all of them, in rows.
    pub fn looks(&self) -> usize {
        self.ids.len() + DENSE * self.dense.len()
    }

    /// The same, all of them to be looked at in rows.
    pub fn in_rows(&self) -> Self {
        let dense = self.dense.iter().flat_map(InBlock::ids);
        Self::rows(self.ids.iter().copied().chain(dense).collect(), self.whole)
    }

    /// Those of one connection, by their blocks as far as those are not due.
    fn add_all(&mut self, of: ConnectionId, mut ids: Vec<i64>, due: &[Block]) {
        ids.sort_unstable();
        for ids in ids.chunk_by(|a, b| a / BLOCK == b / BLOCK) {
            let block = (of, ids[0] / BLOCK);
            if due.binary_search(&block).is_ok() {
                self.ids.extend(ids);
            } else {
                let these = ids.iter().map(|id| (id % BLOCK) as u16).collect();
                self.add(InBlock { block, these });
            }
        }
    }

    /// Those that are among the others too, which are looked at in rows.
    pub fn retain(&mut self, others: &Self) {
        let others: HashSet<i64> = others.ids.iter().copied().collect();
        self.ids.retain(|id| others.contains(id));
        for it in &mut self.dense {
            let first = it.block.1 * BLOCK;
            it.these
                .retain(|at| others.contains(&(first + i64::from(*at))));
        }
    }

    fn add(&mut self, found: InBlock) {
        if found.these.len() > DENSE {
            self.dense.push(found);
        } else {
            self.ids.extend(found.ids());
        }
    }
}

/// What one question about the list has found in names: its rows and its counts look there once.
#[derive(Default)]
pub struct Found(OnceCell<Candidates>);

impl Found {
    pub async fn candidates(&self, store: &Store, filters: &Filters) -> Result<&Candidates> {
        let (connections, words) = (&filters.connections, &filters.words);
        self.0
            .get_or_try_init(|| store.named(connections, words))
            .await
    }
}

/// The rosters of some blocks, for the candidates in them.
pub struct Rosters<'a> {
    of: &'a [InBlock],
    read: HashMap<Block, Written>,
}

impl Rosters<'_> {
    /// Each candidate that fits, with its id.
    pub fn each(&self, filters: &Filters, mut met: impl FnMut(i64, Member<'_>)) {
        for it in self.of {
            let Some(roster) = self.read.get(&it.block) else {
                continue;
            };
            let first = it.block.1 * BLOCK;
            roster::each(roster, &it.these, &filters.words, |member| {
                if filters.fit(&member) {
                    met(first + i64::from(member.at), member);
                }
            });
        }
    }

    /// Candidates that no roster tells of any more.
    pub fn missing(&self) -> impl Iterator<Item = i64> {
        let missing = |it: &&InBlock| !self.read.contains_key(&it.block);
        self.of.iter().filter(missing).flat_map(InBlock::ids)
    }
}

#[derive(sqlx::FromRow)]
struct Lists {
    connection_id: ConnectionId,
    block: i64,
    bucket: i64,
    lists: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct Roster {
    connection_id: ConnectionId,
    block: i64,
    roster: Vec<u8>,
    times: Option<Vec<u8>>,
}

impl Store {
    /// Items whose names may hold all the words, of which there is at least one.
    async fn named(&self, connections: &[ConnectionId], words: &[String]) -> Result<Candidates> {
        // The blocks that are due first: one that is listed meanwhile is then seen twice, and not never.
        let due = self.blocks_due(connections).await?;
        let mut found = Candidates::rows(Vec::new(), true);
        for block in &due {
            let ids = self.ids_of(*block).await?;
            found.ids.extend(ids.into_iter().flat_map(|(_, ids)| ids));
            if found.ids.len() > self.reach.many {
                found.whole = false;
                return Ok(found);
            }
        }
        let sought = pieces::sought(words);
        let mut blocks = self.lists(connections, &sought).await?;
        blocks.retain(|block, _| due.binary_search(block).is_err());
        for (block, lists) in blocks {
            let these = pieces::who_has(&sought, &lists);
            if !these.is_empty() {
                found.add(InBlock { block, these });
            }
        }
        // Counting has seen enough the sooner.
        found.dense.sort_by_key(|it| Reverse(it.these.len()));
        Ok(found)
    }

    async fn blocks_due(&self, connections: &[ConnectionId]) -> Result<Vec<Block>> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT connection_id, block FROM names_due WHERE connection_id IN ");
        sql.bind_all(connections.iter().map(|id| id.0))
            .push(" ORDER BY connection_id, block");
        sql.all(&self.pools.read).await
    }

    /// What stands in the parent that is asked for, unless that is more than `most`.
    pub(in crate::store) async fn children(
        &self,
        filters: &Filters,
        most: usize,
    ) -> Result<Candidates> {
        let due = self.blocks_due(&filters.connections).await?;
        let mut found = Candidates::rows(Vec::new(), true);
        for &gone in filters.gone_or_not() {
            let mut sql = Sql::on(&self.pools.read);
            filters.children(&mut sql, gone);
            sql.push(" LIMIT ").bind(most as i64 + 1);
            for (connection, ids) in sql.ids(&self.pools.read).await? {
                found.add_all(connection, ids, &due);
            }
        }
        found.whole = found.number() <= most;
        // In which container a parent stands is said in rows alone.
        let container = filters.parent.as_ref().and_then(|it| it.container.as_ref());
        Ok(match container {
            Some(_) => found.in_rows(),
            None => found,
        })
    }

    async fn ids_of(&self, (connection, block): Block) -> Result<Vec<(ConnectionId, Vec<i64>)>> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT * FROM (SELECT id, connection_id FROM items WHERE id >= ")
            .bind(block * BLOCK)
            .push(" AND id < ")
            .bind((block + 1) * BLOCK)
            .push(" LIMIT ")
            .bind(ALL)
            .push(") AS block WHERE connection_id = ")
            .bind(connection.0);
        sql.ids(&self.pools.read).await
    }

    /// The lists in which these pieces are, by block and bucket.
    async fn lists(
        &self,
        connections: &[ConnectionId],
        sought: &[u32],
    ) -> Result<BTreeMap<Block, BTreeMap<u32, Vec<u8>>>> {
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
        let mut blocks: BTreeMap<_, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
        for it in sql.all::<Lists>(&self.pools.read).await? {
            let block = blocks.entry((it.connection_id, it.block)).or_default();
            block.insert(it.bucket as u32, it.lists);
        }
        Ok(blocks)
    }

    /// The rosters of these blocks, some at a time, the next ones on their way.
    pub(in crate::store) fn rosters<'a>(
        &'a self,
        of: &'a [InBlock],
        with_times: bool,
    ) -> impl Stream<Item = Result<Rosters<'a>>> {
        stream::iter(of.chunks(ROSTERS))
            .map(move |of| self.some_rosters(of, with_times))
            .buffered(UNDER_WAY)
    }

    async fn some_rosters<'a>(&self, of: &'a [InBlock], with_times: bool) -> Result<Rosters<'a>> {
        let mut sql = Sql::on(&self.pools.read);
        let columns = match with_times {
            true => "SELECT connection_id, block, roster, times",
            false => "SELECT connection_id, block, roster, NULL AS times",
        };
        for (at, it) in of.iter().enumerate() {
            let (connection, block) = it.block;
            sql.push(if at == 0 { "" } else { " UNION ALL " })
                .push(columns)
                .push(" FROM name_rosters WHERE connection_id = ")
                .bind(connection.0)
                .push(" AND block = ")
                .bind(block);
        }
        let rosters: Vec<Roster> = sql.all(&self.pools.read).await?;
        let read = |it: Roster| {
            let written = Written {
                roster: it.roster,
                times: it.times.unwrap_or_default(),
            };
            ((it.connection_id, it.block), written)
        };
        let read = rosters.into_iter().map(read).collect();
        Ok(Rosters { of, read })
    }
}

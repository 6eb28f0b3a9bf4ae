//! Items: how pages of them are written.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use super::Result;
use super::changes::ChangeKind;
use super::db::{Done, Tx, within};
use super::names::folded;
use super::weeks::WeekNews;
use crate::item::{ConnectionId, Item, RunId};

/// Stands for "the provider has no time": a sort column is never null.
pub(super) const NO_TIME: i64 = i64::MIN;
/// Tells our locks on PostgreSQL from others; a connection's id is added.
const LOCKS: i64 = 0x6974_656d_0000_0000;
/// The most rows in one statement.
const ROWS: usize = 128;

/// What a page did to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
}

impl std::ops::AddAssign for PageCounts {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}

/// What makes an item the same one, within its connection.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key(item: &Item) -> Key<'_> {
    (&item.container, item.kind, &item.id)
}

/// A time as it is stored.
fn ms(time: Option<DateTime<Utc>>) -> i64 {
    time.map_or(NO_TIME, |time| time.timestamp_millis())
}

/// Changes when the record as it came changes, or what we make of it.
fn fingerprint(item: &Item) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(ms(item.created).to_be_bytes());
    hash.update(ms(item.modified).to_be_bytes());
    let parent = item.parent.as_ref();
    let parent = parent.map_or(["", "", ""], |it| [it.kind, &it.container, &it.id]);
    let record = match &item.substance {
        Some(substance) => ["", substance.as_str()],
        None => [item.url.as_deref().unwrap_or(""), item.raw.get()],
    };
    for text in [item.name.as_str()].into_iter().chain(parent).chain(record) {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hash.finalize()[..16].try_into().expect("16 of 32 bytes")
}

/// Rows by parts whose lengths are powers of two: a statement is prepared once for each length, and so
/// there are few of them, however many rows of a page have changed.
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rows.len().min(ROWS).checked_ilog2()?;
        let (part, rest) = rows.split_at(length);
        rows = rest;
        Some(part)
    })
}

/// A record on a page that is new or changed, and its row.
struct Write<'a> {
    id: i64,
    met: &'a Met<'a>,
}

/// A record on a page.
struct Met<'a> {
    place: i64,
    item: &'a Item,
    print: [u8; 16],
}

impl<'a> Met<'a> {
    /// What is on a page. A record that moved while the provider was paging stands on it twice: the later
    /// one counts.
    fn all(items: &'a [Item]) -> Vec<Self> {
        let page: BTreeMap<Key<'_>, &Item> = items.iter().map(|item| (key(item), item)).collect();
        let met = |(place, item)| Self {
            place,
            item,
            print: fingerprint(item),
        };
        (0..).zip(page.into_values()).map(met).collect()
    }
}

/// What there is of a record on a page.
#[derive(sqlx::FromRow)]
struct Stored {
    place: i64,
    id: i64,
    fingerprint: Vec<u8>,
    is_gone: bool,
    created_at: i64,
    modified_at: i64,
}

impl Tx {
    /// The items of a connection are written by one transaction at a time: two that come upon the same
    /// items and counts in different orders would wait for each other.
    pub(super) async fn hold_items(&mut self, connection: ConnectionId) -> Result<()> {
        self.hold(LOCKS + connection.0).await
    }

    /// Stores a page of items that `run` met. A record that is stored already as it is costs a mark
    /// that it was seen, and nothing else.
    pub async fn save_items(
        &mut self,
        connection: ConnectionId,
        run: RunId,
        items: &[Item],
    ) -> Result<PageCounts> {
        self.hold_items(connection).await?;
        let page = Met::all(items);
        let stored = self.stored(connection, &page).await?;
        let stored: HashMap<i64, Stored> = stored.into_iter().map(|it| (it.place, it)).collect();
        let mut counts = PageCounts::default();
        let mut fresh: BTreeMap<&str, i64> = BTreeMap::new();
        let (mut to_write, mut seen) = (Vec::new(), Vec::new());
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        let mut weeks = WeekNews::new();
        let unknown = page.len() - stored.len();
        let mut new_ids = self.new_ids(connection, unknown).await?.into_iter();
        for met in &page {
            let it = stored.get(&met.place);
            let id = match it {
                Some(it) => it.id,
                None => new_ids.next().expect("one for each that is unknown"),
            };
            match it.filter(|it| !it.is_gone) {
                Some(it) if it.fingerprint == met.print => {
                    counts.unchanged += 1;
                    seen.push(id);
                    continue;
                }
                Some(it) => {
                    counts.changed += 1;
                    changed.push(id);
                    weeks.take(it.created_at, it.modified_at);
                }
                None => {
                    counts.added += 1;
                    added.push(id);
                    *fresh.entry(met.item.kind).or_default() += 1;
                }
            }
            weeks.add(ms(met.item.created), ms(met.item.modified));
            to_write.push(Write { id, met });
        }
        self.mark_seen(run, &seen).await?;
        for part in parts(&to_write) {
            self.write(connection, run, part).await?;
            self.write_raws(part).await?;
        }
        let written = to_write.iter().map(|it| it.id);
        self.names_are_due(connection, written).await?;
        self.tell(connection, ChangeKind::Added, added);
        self.tell(connection, ChangeKind::Changed, changed);
        for (kind, fresh) in fresh {
            self.count(connection, kind, fresh).await?;
        }
        self.count_weeks(connection, weeks).await?;
        Ok(counts)
    }

    async fn stored(&mut self, connection: ConnectionId, page: &[Met<'_>]) -> Result<Vec<Stored>> {
        let mut stored = Vec::new();
        for part in parts(page) {
            stored.extend(within!(self, db => {
                let mut sql = QueryBuilder::new(
                    "SELECT met.column1 AS place, i.id, i.fingerprint, i.gone_at IS NOT NULL AS is_gone,
                        i.created_at, i.modified_at FROM (");
                sql.push_values(part, |mut row, met| {
                    row.push_bind(met.place).push_bind(&met.item.container).push_bind(met.item.kind)
                        .push_bind(&met.item.id);
                });
                // CROSS JOIN has SQLite take the page first, whatever it thinks of the table.
                sql.push(") met CROSS JOIN items i WHERE i.container = met.column2 AND i.type = met.column3
                    AND i.provider_id = met.column4 AND i.connection_id = ").push_bind(connection);
                sql.build_query_as::<Stored>().fetch_all(db).await
            })?);
        }
        Ok(stored)
    }

    pub(super) async fn mark_seen(&mut self, run: RunId, ids: &[i64]) -> Result<()> {
        for part in parts(ids) {
            within!(self, db => {
                let mut sql = QueryBuilder::new("UPDATE items SET seen_run = ");
                sql.push_bind(run).push(" WHERE id IN (");
                let mut list = sql.separated(", ");
                part.iter().for_each(|id| { list.push_bind(*id); });
                sql.push(")");
                sql.build().execute(db).await.map(Done::rows)
            })?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        connection: ConnectionId,
        run: RunId,
        items: &[Write<'_>],
    ) -> Result<()> {
        within!(self, db => {
            let mut sql = QueryBuilder::new(
                "INSERT INTO items (id, connection_id, container, type, provider_id, name, created_at,
                    modified_at, url, fingerprint, seen_run, parent_container, parent_kind, parent_id,
                    sort_name, folded) ");
            sql.push_values(items, |mut row, Write { id, met: Met { item, print, .. } }| {
                row.push_bind(*id).push_bind(connection).push_bind(&item.container).push_bind(item.kind)
                    .push_bind(&item.id).push_bind(&item.name).push_bind(ms(item.created))
                    .push_bind(ms(item.modified)).push_bind(&item.url).push_bind(&print[..])
                    .push_bind(run);
                let parent = item.parent.as_ref();
                row.push_bind(parent.map(|it| it.container.as_str())).push_bind(parent.map(|it| it.kind))
                    .push_bind(parent.map(|it| it.id.as_str()));
                let (sort_name, whole) = folded(&item.name);
                row.push_bind(sort_name).push_bind(whole);
            });
            // An answer that says less of a record, such as a search's, does not take its address away.
            sql.push(" ON CONFLICT (connection_id, container, type, provider_id) DO UPDATE SET
                name = excluded.name, created_at = excluded.created_at,
                modified_at = excluded.modified_at, url = COALESCE(excluded.url, items.url),
                fingerprint = excluded.fingerprint, seen_run = excluded.seen_run, gone_at = NULL,
                parent_container = excluded.parent_container, parent_kind = excluded.parent_kind,
                parent_id = excluded.parent_id, sort_name = excluded.sort_name, folded = excluded.folded");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(())
    }

    /// The records as they came.
    async fn write_raws(&mut self, items: &[Write<'_>]) -> Result<()> {
        within!(self, db => {
            let mut sql = QueryBuilder::new("INSERT INTO item_raws (item_id, raw) ");
            sql.push_values(items, |mut row, Write { id, met }| {
                row.push_bind(*id).push_bind(met.item.raw.get().as_bytes());
            });
            sql.push(" ON CONFLICT (item_id) DO UPDATE SET raw = excluded.raw");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(())
    }

    pub(super) async fn count(
        &mut self,
        connection: ConnectionId,
        kind: &str,
        fresh: i64,
    ) -> Result<()> {
        within!(self, db => sqlx::query(
            "INSERT INTO item_counts (connection_id, type, n) VALUES ($1, $2, $3)
             ON CONFLICT (connection_id, type) DO UPDATE SET n = item_counts.n + excluded.n")
            .bind(connection).bind(kind).bind(fresh).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

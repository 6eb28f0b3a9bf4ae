//! Items: how pages of them are written.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use super::Result;
use super::changes::ChangeKind;
use super::db::{Done, Tx, within};
use super::names::folded;
use crate::item::{ConnectionId, Item, RunId};

/// Stands for "the provider has no time": a sort column is never null.
pub(super) const NO_TIME: i64 = i64::MIN;
/// Rows in one statement. SQLite takes 32,766 parameters, and a row has fifteen.
const ROWS: usize = 1_000;

/// What a page did to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
}

/// What makes an item the same one, within its connection.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key(item: &Item) -> Key<'_> {
    (&item.container, item.kind, &item.id)
}

/// Changes when the record as it came changes, or what we make of it.
fn fingerprint(item: &Item) -> [u8; 16] {
    let mut hash = Sha256::new();
    let ms =
        |time: Option<DateTime<Utc>>| time.map_or(NO_TIME, |t| t.timestamp_millis()).to_be_bytes();
    hash.update(ms(item.created));
    hash.update(ms(item.modified));
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

#[derive(sqlx::FromRow)]
struct Stored {
    id: i64,
    container: String,
    kind: String,
    provider_id: String,
    fingerprint: Vec<u8>,
    is_gone: bool,
}

impl Tx {
    /// Stores a page of items that `run` met. A record that is stored already as it is costs a mark
    /// that it was seen, and nothing else.
    pub async fn save_items(
        &mut self,
        connection: ConnectionId,
        run: RunId,
        items: &[Item],
    ) -> Result<PageCounts> {
        // A record that moved while the provider was paging stands twice on a page: the later one counts.
        let page: BTreeMap<Key<'_>, &Item> = items.iter().map(|item| (key(item), item)).collect();
        let mut counts = PageCounts::default();
        let mut fresh_by_kind: BTreeMap<&str, i64> = BTreeMap::new();
        let page: Vec<(Key<'_>, &Item)> = page.into_iter().collect();
        for page in page.chunks(ROWS) {
            let stored = self.stored(connection, page).await?;
            let stored: HashMap<Key<'_>, &Stored> = stored
                .iter()
                .map(|row| {
                    (
                        (
                            row.container.as_str(),
                            row.kind.as_str(),
                            row.provider_id.as_str(),
                        ),
                        row,
                    )
                })
                .collect();
            let mut to_write = Vec::new();
            let mut known = HashSet::new();
            let mut seen = Vec::new();
            for (key, item) in page {
                let print = fingerprint(item);
                match stored.get(key).filter(|row| !row.is_gone) {
                    Some(row) if row.fingerprint == print => seen.push(row.id),
                    Some(row) => {
                        counts.changed += 1;
                        known.insert(row.id);
                        to_write.push((*item, print));
                    }
                    None => {
                        counts.added += 1;
                        *fresh_by_kind.entry(item.kind).or_default() += 1;
                        to_write.push((*item, print));
                    }
                }
            }
            counts.unchanged += seen.len() as i64;
            self.mark_seen(run, &seen).await?;
            let written = self.write(connection, run, &to_write).await?;
            let (changed, added): (Vec<i64>, Vec<i64>) =
                written.into_iter().partition(|id| known.contains(id));
            self.tell(connection, ChangeKind::Added, added);
            self.tell(connection, ChangeKind::Changed, changed);
        }
        for (kind, fresh) in fresh_by_kind {
            self.count(connection, kind, fresh).await?;
        }
        Ok(counts)
    }

    async fn stored(
        &mut self,
        connection: ConnectionId,
        page: &[(Key<'_>, &Item)],
    ) -> Result<Vec<Stored>> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        within!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT id, container, type AS kind, provider_id, fingerprint, gone_at IS NOT NULL AS is_gone FROM items
                 WHERE connection_id = ");
            sql.push_bind(connection).push(" AND (container, type, provider_id) IN (");
            sql.push_values(page, |mut row, (key, _)| {
                row.push_bind(key.0).push_bind(key.1).push_bind(key.2);
            });
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
    }

    pub(super) async fn mark_seen(&mut self, run: RunId, ids: &[i64]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        within!(self, db => {
            let mut sql = QueryBuilder::new("UPDATE items SET seen_run = ");
            sql.push_bind(run).push(" WHERE id IN (");
            let mut list = sql.separated(", ");
            ids.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(())
    }

    /// Writes items that are new or changed, and says which rows they are.
    async fn write(
        &mut self,
        connection: ConnectionId,
        run: RunId,
        items: &[(&Item, [u8; 16])],
    ) -> Result<Vec<i64>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let ms = |time: Option<DateTime<Utc>>| time.map_or(NO_TIME, |t| t.timestamp_millis());
        let written: Vec<(i64, String, String, String)> = within!(self, db => {
            let mut sql = QueryBuilder::new(
                "INSERT INTO items (connection_id, container, type, provider_id, name, created_at,
                    modified_at, url, fingerprint, seen_run, parent_container, parent_kind, parent_id,
                    sort_name, folded) ");
            sql.push_values(items, |mut row, (item, print)| {
                row.push_bind(connection).push_bind(&item.container).push_bind(item.kind)
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
                parent_id = excluded.parent_id, sort_name = excluded.sort_name, folded = excluded.folded
                RETURNING id, container, type, provider_id");
            sql.build_query_as().fetch_all(db).await
        })?;
        self.names_are_due(connection, written.iter().map(|(id, ..)| *id))
            .await?;
        let raws: HashMap<Key<'_>, &str> = items
            .iter()
            .map(|(item, _)| (key(item), item.raw.get()))
            .collect();
        within!(self, db => {
            let mut sql = QueryBuilder::new("INSERT INTO item_raws (item_id, raw) ");
            sql.push_values(&written, |mut row, (id, container, kind, provider_id)| {
                row.push_bind(*id).push_bind(raws[&(container.as_str(), kind.as_str(), provider_id.as_str())].as_bytes());
            });
            sql.push(" ON CONFLICT (item_id) DO UPDATE SET raw = excluded.raw");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(written.into_iter().map(|(id, ..)| id).collect())
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

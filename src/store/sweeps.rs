//! What its provider has no more: items that no listing named. They stay as tombstones, out of lists.

use std::collections::{BTreeMap, HashSet};

use sqlx::QueryBuilder;

use super::changes::ChangeKind;
use super::db::{Done, Tx, on, within};
use super::sources::key;
use super::weeks::WeekNews;
use super::{Cost, Error, Result, Store, now};
use crate::item::{ConnectionId, Parent, RunId};

/// Items looked at in one step.
const LOOK: i64 = 2_000;
/// Items that become tombstones in one transaction.
pub const DROPPED_AT_ONCE: usize = 500;
/// A run later than all: what a person decided to keep is missed by none.
const KEPT: RunId = RunId(i64::MAX);
/// A run before all: what a provider that was asked has no more.
const DENIED: RunId = RunId(0);
/// What only items of [`DENIED`] are absent from.
pub const FIRST: RunId = RunId(1);

/// A listing that was read to its end, and what it did not name is still to be looked for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DueSweep {
    pub name: String,
    pub stream: String,
}

impl DueSweep {
    /// The container of what it lists.
    pub fn key(&self) -> &str {
        key(&self.name, &self.stream)
    }
}

/// An item, as a sweep looks at it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Standing {
    pub id: i64,
    pub container: String,
    pub kind: String,
    pub provider_id: String,
    pub seen_run: RunId,
    pub is_gone: bool,
}

/// An item that has just become a tombstone.
#[derive(sqlx::FromRow)]
struct Dropped {
    id: i64,
    kind: String,
    container: String,
    provider_id: String,
    created_at: i64,
    modified_at: i64,
}

impl Standing {
    /// How items that stand in this one name it as their container.
    pub fn path(&self) -> String {
        path(&self.container, &self.provider_id)
    }
}

fn path(container: &str, id: &str) -> String {
    match container {
        "" => id.to_owned(),
        container => format!("{container}/{id}"),
    }
}

impl Store {
    /// The listings of a run that are still to be swept.
    pub async fn due_sweeps(&self, run: RunId) -> Result<Vec<DueSweep>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT name, stream FROM run_streams WHERE run_id = $1 AND sweep = 'due' ORDER BY name")
            .bind(run).fetch_all(db).await)
    }

    /// Whether its connection can have nothing from before a run.
    pub async fn is_first_run(&self, run: RunId) -> Result<bool> {
        on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT c.last_import_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM runs earlier WHERE earlier.connection_id = c.id AND earlier.id < r.id)
             FROM runs r JOIN connections c ON c.id = r.connection_id WHERE r.id = $1")
            .bind(run).fetch_one(db).await)
    }

    /// Some items of a connection by container, type and id, after this one; tombstones too.
    pub async fn standing(
        &self,
        connection: ConnectionId,
        after: Option<&Standing>,
    ) -> Result<Vec<Standing>> {
        let (container, kind, id) = after.map_or(("", "", ""), |it| {
            (&it.container, &it.kind, &it.provider_id)
        });
        on!(self.pools.behind, db => sqlx::query_as(
            "SELECT id, container, type AS kind, provider_id, seen_run, gone_at IS NOT NULL AS is_gone
             FROM items WHERE connection_id = $1 AND (container, type, provider_id) > ($2, $3, $4)
             ORDER BY container, type, provider_id LIMIT $5")
            .bind(connection).bind(container).bind(kind).bind(id).bind(LOOK).fetch_all(db).await)
    }

    /// These items, as they stand now.
    pub async fn standing_of(&self, ids: &[i64]) -> Result<Vec<Standing>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new(
                "SELECT id, container, type AS kind, provider_id, seen_run, gone_at IS NOT NULL AS is_gone
                 FROM items WHERE id IN (");
            let mut list = sql.separated(", ");
            ids.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
    }

    /// Makes tombstones of items that a listing of a run that is on did not name.
    pub async fn drop_absent(
        &self,
        connection: ConnectionId,
        run: RunId,
        source: &str,
        ids: &[i64],
    ) -> Result<()> {
        let mut tx = self.begin_in_turn().await?;
        let removed = tx.drop_items(connection, run, ids).await?;
        let noted = within!(tx, db => sqlx::query(
            "UPDATE run_streams SET removed = removed + $3 WHERE run_id = $1 AND name = $2
                AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND finished_at IS NULL)")
            .bind(run).bind(source).bind(removed).execute(db).await.map(Done::rows))?;
        match noted {
            1 => tx.commit().await,
            _ => Err(Error::Overtaken),
        }
    }

    /// Makes tombstones of items that this run and later ones have not met.
    pub async fn drop_items(
        &self,
        connection: ConnectionId,
        run: RunId,
        ids: &[i64],
    ) -> Result<()> {
        let mut tx = self.begin_in_turn().await?;
        tx.drop_items(connection, run, ids).await?;
        tx.commit().await
    }

    /// Keeps items that their provider has no more, until it names them again.
    pub async fn keep_items(&self, run: RunId, ids: &[i64]) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.note_met(run, ids, KEPT).await?;
        tx.commit().await
    }

    /// Notes that a listing was swept.
    pub async fn end_sweep(&self, run: RunId, source: &str) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE run_streams SET sweep = 'done' WHERE run_id = $1 AND name = $2")
            .bind(run).bind(source).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Notes what the provider said of items that it was asked about, and what the asking cost.
    /// [`Error::Overtaken`] where the run has ended.
    pub async fn note_answers(
        &self,
        run: RunId,
        source: &str,
        there: &[i64],
        gone: &[i64],
        cost: Cost,
    ) -> Result<()> {
        let mut tx = self.begin_in_turn().await?;
        tx.note_met(run, there, run).await?;
        tx.note_met(run, gone, DENIED).await?;
        let noted = within!(tx, db => sqlx::query(
            "UPDATE run_streams SET calls = calls + $3, waited_ms = waited_ms + $4
             WHERE run_id = $1 AND name = $2
                AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND finished_at IS NULL)")
            .bind(run).bind(source).bind(cost.calls).bind(cost.waited_ms)
            .execute(db).await.map(Done::rows))?;
        match noted {
            1 => tx.commit().await,
            _ => Err(Error::Overtaken),
        }
    }
}

impl Tx {
    /// Removes items that are shown to be at their provider no more, and says how many were there.
    pub async fn remove_items(&mut self, connection: ConnectionId, gone: &[Parent]) -> Result<i64> {
        let mut removed = 0;
        for gone in gone.chunks(DROPPED_AT_ONCE) {
            let ids: Vec<i64> = within!(self, db => {
                let mut sql = QueryBuilder::new("SELECT id FROM items WHERE connection_id = ");
                sql.push_bind(connection).push(" AND (container, type, provider_id) IN (");
                sql.push_values(gone, |mut row, key| {
                    row.push_bind(&key.container).push_bind(key.kind).push_bind(&key.id);
                });
                sql.push(")");
                sql.build_query_scalar().fetch_all(db).await
            })?;
            removed += self.drop_items(connection, KEPT, &ids).await?;
        }
        Ok(removed)
    }

    /// Makes tombstones of items that this run and later ones have not met, and says of how many.
    async fn drop_items(
        &mut self,
        connection: ConnectionId,
        run: RunId,
        ids: &[i64],
    ) -> Result<i64> {
        if ids.is_empty() {
            return Ok(0);
        }
        self.hold_items(connection).await?;
        let dropped: Vec<Dropped> = within!(self, db => {
            let mut sql = QueryBuilder::new("UPDATE items SET gone_at = ");
            sql.push_bind(now()).push(" WHERE gone_at IS NULL AND seen_run < ")
                .push_bind(run).push(" AND id IN (");
            let mut list = sql.separated(", ");
            ids.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(") RETURNING id, type AS kind, container, provider_id, created_at, modified_at");
            sql.build_query_as().fetch_all(db).await
        })?;
        for (kind, gone) in counted(dropped.iter().map(|it| &it.kind)) {
            self.count(connection, kind, -gone).await?;
        }
        let mut weeks = WeekNews::new();
        dropped
            .iter()
            .for_each(|it| weeks.take(it.created_at, it.modified_at));
        self.count_weeks(connection, weeks).await?;
        let paths = dropped
            .iter()
            .map(|it| path(&it.container, &it.provider_id));
        self.forget_listings(connection, &paths.collect()).await?;
        let ids = dropped.iter().map(|it| it.id);
        self.names_are_due(connection, ids.clone()).await?;
        self.tell(connection, ChangeKind::Deleted, ids);
        Ok(dropped.len() as i64)
    }

    /// Forgets when listings of what stood in these containers were read, and what was asked of them:
    /// if one comes back, all that is in it is to be read, for all of it went.
    async fn forget_listings(
        &mut self,
        connection: ConnectionId,
        containers: &HashSet<String>,
    ) -> Result<()> {
        for (table, name) in [("marks", "name"), ("removals", "source")] {
            let names: Vec<String> = within!(self, db => {
                QueryBuilder::new(format!("SELECT {name} FROM {table} WHERE connection_id = "))
                    .push_bind(connection).build_query_scalar().fetch_all(db).await
            })?;
            let within = |name: &String| {
                let key = name.split_once(':').map(|(_, key)| key);
                key.is_some_and(|key| containers.contains(key))
            };
            for name_of in names.iter().filter(|name| within(name)) {
                within!(self, db => {
                    QueryBuilder::new(format!("DELETE FROM {table} WHERE connection_id = "))
                        .push_bind(connection).push(format!(" AND {name} = ")).push_bind(name_of)
                        .build().execute(db).await.map(Done::rows)
                })?;
            }
        }
        Ok(())
    }

    /// Notes which run met items last, of those that `run` and later ones have not met.
    async fn note_met(&mut self, run: RunId, ids: &[i64], met_by: RunId) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        within!(self, db => {
            let mut sql = QueryBuilder::new("UPDATE items SET seen_run = ");
            sql.push_bind(met_by).push(" WHERE seen_run < ").push_bind(run).push(" AND id IN (");
            let mut list = sql.separated(", ");
            ids.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        Ok(())
    }
}

fn counted<'a>(kinds: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, i64> {
    let mut counted = BTreeMap::new();
    for kind in kinds {
        *counted.entry(kind.as_str()).or_default() += 1;
    }
    counted
}

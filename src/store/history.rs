//! What is left of runs that are over: their listings become sums, and in the end they go.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::QueryBuilder;

use super::db::{Done, Tx, on, within};
use super::{Result, Store};
use crate::item::RunId;

/// The newest runs of a connection, whose listings stay as they are.
const WHOLE: i64 = 3;
/// Listings of a run that are kept with the reason why something is missing.
const REASONS: i64 = 100;
/// Listings folded in one step, so that no writer waits long for it.
const STEP: usize = 500;
/// How long runs are kept, and how many are forgotten in one step.
const KEPT: TimeDelta = TimeDelta::days(365);
const FORGOTTEN: i64 = 10;

/// Makes one row of the named listings of each stream and end, or adds them to the one that is there.
const FOLD: &str = "INSERT INTO run_streams (run_id, name, stream, done, coverage, folded, total, fetched,
    added, changed, unchanged, removed, held, skipped, calls, waited_ms)
SELECT run_id, stream || ':*' || COALESCE(coverage, 'left'), stream, COUNT(CASE WHEN NOT done THEN 1 END) = 0,
    coverage, COUNT(*), CASE WHEN COUNT(total) = COUNT(*) THEN SUM(total) END, SUM(fetched), SUM(added),
    SUM(changed), SUM(unchanged), SUM(removed), SUM(held), SUM(skipped), SUM(calls), SUM(waited_ms)
FROM run_streams WHERE run_id = ";
const INTO_ONE: &str = ") GROUP BY run_id, stream, coverage
ON CONFLICT (run_id, name) DO UPDATE SET done = run_streams.done AND excluded.done,
    folded = run_streams.folded + excluded.folded, total = run_streams.total + excluded.total,
    fetched = run_streams.fetched + excluded.fetched, added = run_streams.added + excluded.added,
    changed = run_streams.changed + excluded.changed,
    unchanged = run_streams.unchanged + excluded.unchanged,
    removed = run_streams.removed + excluded.removed, held = run_streams.held + excluded.held,
    skipped = run_streams.skipped + excluded.skipped, calls = run_streams.calls + excluded.calls,
    waited_ms = run_streams.waited_ms + excluded.waited_ms";

impl Store {
    /// Folds some listings of a run that is over, where only their sums still say anything: neither of
    /// the newest of its connection, nor of its newest full one, nor of one that asks a person. Answers
    /// whether there may be more.
    pub async fn fold_some(&self) -> Result<bool> {
        let Some(run) = self.run_to_fold().await? else {
            return Ok(false);
        };
        let kept = self.reasons(run).await?;
        let mut tx = self.begin().await?;
        // Taken first, so that of several processes one folds and the others see what is left.
        let mine = within!(tx, db => sqlx::query("UPDATE runs SET folded = folded WHERE id = $1 AND NOT folded")
            .bind(run).execute(db).await.map(Done::rows))?;
        if mine == 1 && tx.fold(run, &kept).await? < STEP {
            within!(tx, db => sqlx::query("UPDATE runs SET folded = $2 WHERE id = $1")
                .bind(run).bind(true).execute(db).await.map(Done::rows))?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn run_to_fold(&self) -> Result<Option<RunId>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            r#"SELECT r.id FROM runs r WHERE r.finished_at IS NOT NULL AND NOT r.folded
                AND r.id < (SELECT n.id FROM runs n WHERE n.connection_id = r.connection_id
                    AND n.finished_at IS NOT NULL ORDER BY n.id DESC LIMIT 1 OFFSET $1)
                AND r.id <> COALESCE((SELECT MAX(f.id) FROM runs f WHERE f.connection_id = r.connection_id
                    AND f."full" AND f.state IN ('done', 'partial')), 0)
                AND NOT EXISTS (SELECT 1 FROM removals q WHERE q.run_id = r.id)
               ORDER BY r.id LIMIT 1"#)
            .bind(WHOLE - 1).fetch_optional(db).await)
    }

    /// The listings that say best what was missing.
    async fn reasons(&self, run: RunId) -> Result<Vec<String>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT name FROM run_streams WHERE run_id = $1 AND folded = 0
                AND coverage IN ('partial', 'unknown') ORDER BY coverage, name LIMIT $2")
            .bind(run).bind(REASONS).fetch_all(db).await)
    }

    /// Forgets a few runs that ended too long ago. A connection's newest are never folded, and only
    /// what is folded goes. Answers how many.
    pub async fn forget_old_runs(&self, now: DateTime<Utc>) -> Result<u64> {
        on!(self.pools.write, db => sqlx::query(
            "DELETE FROM runs WHERE id IN
                (SELECT id FROM runs WHERE folded AND finished_at < $1 ORDER BY finished_at LIMIT $2)")
            .bind((now - KEPT).timestamp_millis()).bind(FORGOTTEN).execute(db).await.map(Done::rows))
    }
}

impl Tx {
    /// Folds some listings of a run beside those that are kept, all in one: whatever a killed process
    /// leaves is counted once. Answers how many.
    async fn fold(&mut self, run: RunId, kept: &[String]) -> Result<usize> {
        let names: Vec<String> = within!(self, db => {
            let mut sql = QueryBuilder::new("SELECT name FROM run_streams WHERE folded = 0 AND run_id = ");
            sql.push_bind(run).push(" AND name NOT IN (''");
            kept.iter().for_each(|name| { sql.push(", ").push_bind(name.as_str()); });
            sql.push(") ORDER BY name LIMIT ").push_bind(STEP as i64);
            sql.build_query_scalar().fetch_all(db).await
        })?;
        for (before, after) in [
            (FOLD, INTO_ONE),
            ("DELETE FROM run_streams WHERE run_id = ", ")"),
        ] {
            within!(self, db => {
                let mut sql = QueryBuilder::new(before);
                sql.push_bind(run).push(" AND name IN (''");
                names.iter().for_each(|name| { sql.push(", ").push_bind(name.as_str()); });
                sql.push(after).build().execute(db).await.map(Done::rows)
            })?;
        }
        Ok(names.len())
    }
}

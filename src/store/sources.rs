//! The listings of a run: how far each has been read, and how much of it there is.

use sqlx::QueryBuilder;

use super::db::{Done, Tx, on, within};
use super::{Cost, Error, PageCounts, Result, Store};
use crate::item::RunId;

/// Listings laid out in one statement.
const ROWS: usize = 500;

/// One listing of a run, as it is to be read.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenSource {
    /// The stream, or the stream and which of its listings.
    pub name: String,
    pub stream: String,
    pub label: String,
    pub about: String,
    pub cursor: Option<String>,
    /// Records of it that could not be understood so far.
    pub skipped: i64,
    /// When it was last begun to be read to its end, with the same known of it as now.
    pub read_at: Option<i64>,
}

impl OpenSource {
    /// What tells several listings of one stream apart.
    pub fn key(&self) -> &str {
        key(&self.name, &self.stream)
    }
}

/// What of a listing's name tells several of one stream apart.
pub(super) fn key<'a>(name: &'a str, stream: &str) -> &'a str {
    let key = name.strip_prefix(stream);
    key.map_or("", |key| key.trim_start_matches(':'))
}

/// A listing that is to be read.
pub struct NewSource<'a> {
    pub stream: &'a str,
    pub key: &'a str,
    pub label: &'a str,
    pub about: &'a str,
}

impl NewSource<'_> {
    fn name(&self) -> String {
        match self.key {
            "" => self.stream.to_owned(),
            key => format!("{}:{key}", self.stream),
        }
    }
}

/// How much of a listing a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    Complete,
    Partial,
    /// It was read to its end, which proves nothing.
    Unknown,
}

impl Coverage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "complete" => Self::Complete,
            "unknown" => Self::Unknown,
            _ => Self::Partial,
        }
    }
}

/// How a listing ended.
pub struct Ended<'a> {
    pub coverage: Coverage,
    /// Why something is missing: a code for programs, a sentence for people.
    pub why: Option<(&'a str, &'a str)>,
    /// Whether what it did not name is to be looked for.
    pub sweep: bool,
}

/// A line of the coverage report.
#[derive(Clone, Debug)]
pub struct Covered {
    pub stream: String,
    pub label: String,
    pub fetched: i64,
    pub total: Option<i64>,
    pub coverage: Option<Coverage>,
    pub code: Option<String>,
    pub reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct CoveredRow {
    stream: String,
    label: String,
    fetched: i64,
    total: Option<i64>,
    coverage: Option<String>,
    code: Option<String>,
    reason: Option<String>,
}

/// One step of a listing: from the cursor it was at to the next, and what the page did.
pub struct Progress<'a> {
    pub run: RunId,
    pub source: &'a str,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub done: bool,
    pub counts: PageCounts,
    pub removed: i64,
    pub skipped: i64,
    pub total: Option<i64>,
    pub cost: Cost,
}

impl Tx {
    /// Moves a listing's cursor on, in the transaction that stores the page before it.
    /// [`Error::Overtaken`] where somebody else has moved it: then the page is theirs.
    pub async fn advance(&mut self, step: &Progress<'_>) -> Result<()> {
        let moved = within!(self, db => sqlx::query(
            r#"UPDATE run_streams SET "cursor" = $4, done = $5, fetched = fetched + $6, added = added + $7,
                changed = changed + $8, unchanged = unchanged + $9, skipped = skipped + $10,
                calls = calls + $11, waited_ms = waited_ms + $12, total = COALESCE($13, total),
                removed = removed + $14
               WHERE run_id = $1 AND name = $2 AND "cursor" IS NOT DISTINCT FROM $3 AND NOT done
                AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND finished_at IS NULL)"#)
            .bind(step.run).bind(step.source).bind(step.from).bind(step.to).bind(step.done)
            .bind(step.counts.added + step.counts.changed + step.counts.unchanged)
            .bind(step.counts.added).bind(step.counts.changed).bind(step.counts.unchanged)
            .bind(step.skipped).bind(step.cost.calls).bind(step.cost.waited_ms).bind(step.total)
            .bind(step.removed)
            .execute(db).await.map(Done::rows))?;
        if moved == 1 {
            Ok(())
        } else {
            Err(Error::Overtaken)
        }
    }

    /// Lays out listings that are to be read; those that are known already stay as they are.
    pub async fn open_sources(&mut self, run: RunId, sources: &[NewSource<'_>]) -> Result<()> {
        for sources in sources.chunks(ROWS) {
            within!(self, db => {
                let mut sql = QueryBuilder::new(
                    "INSERT INTO run_streams (run_id, name, stream, label, about, done) ");
                sql.push_values(sources, |mut row, source| {
                    row.push_bind(run).push_bind(source.name()).push_bind(source.stream)
                        .push_bind(source.label).push_bind(source.about).push_bind(false);
                });
                sql.push(" ON CONFLICT (run_id, name) DO NOTHING");
                sql.build().execute(db).await.map(Done::rows)
            })?;
        }
        Ok(())
    }

    /// Notes how a listing ended.
    pub async fn end_source(&mut self, run: RunId, source: &str, ended: &Ended<'_>) -> Result<()> {
        within!(self, db => sqlx::query(
            "UPDATE run_streams SET done = $3, coverage = $4, code = $5, reason = $6, sweep = $7
             WHERE run_id = $1 AND name = $2")
            .bind(run).bind(source).bind(true).bind(ended.coverage.as_str())
            .bind(ended.why.map(|why| why.0)).bind(ended.why.map(|why| why.1))
            .bind(ended.sweep.then_some("due"))
            .execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Remembers when a listing was begun to be read that was read to its end: later runs ask for what
    /// has changed since.
    pub async fn mark_source(&mut self, run: RunId, source: &str) -> Result<()> {
        within!(self, db => sqlx::query(
            "INSERT INTO marks (connection_id, name, read_at, about)
             SELECT r.connection_id, s.name, r.started_at, s.about
             FROM runs r JOIN run_streams s ON s.run_id = r.id
             WHERE r.id = $1 AND s.name = $2 AND r.started_at IS NOT NULL
             ON CONFLICT (connection_id, name)
             DO UPDATE SET read_at = excluded.read_at, about = excluded.about")
            .bind(run).bind(source).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

impl Store {
    /// Some listings of a run that are left to read.
    pub async fn sources_left(&self, run: RunId, limit: i64) -> Result<Vec<OpenSource>> {
        on!(self.pools.read, db => sqlx::query_as(
            r#"SELECT s.name, s.stream, s.label, s.about, s."cursor", s.skipped, m.read_at
               FROM run_streams s JOIN runs r ON r.id = s.run_id
               LEFT JOIN marks m ON m.connection_id = r.connection_id AND m.name = s.name
                   AND m.about = s.about
               WHERE s.run_id = $1 AND NOT s.done ORDER BY s.name LIMIT $2"#)
            .bind(run).bind(limit).fetch_all(db).await)
    }

    /// Has a listing be read from its beginning again, where it stands at this cursor.
    pub async fn restart_source(
        &self,
        run: RunId,
        source: &str,
        cursor: Option<&str>,
    ) -> Result<()> {
        let moved = on!(self.pools.write, db => sqlx::query(
            r#"UPDATE run_streams SET "cursor" = NULL
               WHERE run_id = $1 AND name = $2 AND "cursor" IS NOT DISTINCT FROM $3 AND NOT done"#)
            .bind(run).bind(source).bind(cursor).execute(db).await.map(Done::rows))?;
        if moved == 1 {
            Ok(())
        } else {
            Err(Error::Overtaken)
        }
    }

    /// Ends a listing by itself.
    pub async fn end_source(&self, run: RunId, source: &str, ended: &Ended<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.end_source(run, source, ended).await?;
        tx.commit().await
    }

    /// Notes what was spent on a listing without getting any further.
    pub async fn note_cost(&self, run: RunId, source: &str, cost: Cost) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE run_streams SET calls = calls + $3, waited_ms = waited_ms + $4
             WHERE run_id = $1 AND name = $2")
            .bind(run).bind(source).bind(cost.calls).bind(cost.waited_ms)
            .execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// What is missing or not known to be whole, listing by listing, the worst first; and of streams with
    /// few listings what is whole.
    pub async fn coverage(&self, run: RunId, limit: i64) -> Result<Vec<Covered>> {
        let rows: Vec<CoveredRow> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT stream, label, fetched, total, coverage, code, reason FROM run_streams WHERE run_id = $1
             ORDER BY CASE coverage WHEN 'partial' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END, stream, label, name
             LIMIT $2")
            .bind(run).bind(limit).fetch_all(db).await)?;
        let covered = |row: CoveredRow| Covered {
            stream: row.stream,
            label: row.label,
            fetched: row.fetched,
            total: row.total,
            coverage: row.coverage.as_deref().map(Coverage::parse),
            code: row.code,
            reason: row.reason,
        };
        Ok(rows.into_iter().map(covered).collect())
    }
}

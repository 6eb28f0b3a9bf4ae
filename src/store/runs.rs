//! Runs of the import, with the cursors they go on from.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::db::{Done, Tx, on, within};
use super::{Error, PageCounts, Result, Store, now, time};
use crate::item::{ConnectionId, RunId, WorkspaceId};

/// Why a run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Connect,
    Hand,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hand => "hand",
        }
    }
}

/// Where a run stands. `Queued` and `Running` are unfinished; the others are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Queued,
    Running,
    Done,
    Partial,
    Failed,
    Cancelled,
}

impl RunState {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    fn parse(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.unwrap_or(Self::Failed)
    }
}

/// A run as pages show it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub connection: ConnectionId,
    pub state: RunState,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub error_message: Option<String>,
    pub streams: Vec<StreamProgress>,
}

/// What a run has fetched of one stream.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StreamProgress {
    pub name: String,
    pub cursor: Option<String>,
    pub done: bool,
    pub fetched: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Records that could not be understood.
    pub skipped: i64,
    pub calls: i64,
}

#[derive(sqlx::FromRow)]
struct StreamRow {
    run_id: RunId,
    #[sqlx(flatten)]
    progress: StreamProgress,
}

/// A run that somebody has to drive.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct UnfinishedRun {
    pub id: RunId,
    pub connection_id: ConnectionId,
}

/// One step of a stream: from the cursor it was at to the next, and what the page did.
pub struct Progress<'a> {
    pub run: RunId,
    pub stream: &'a str,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub done: bool,
    pub counts: PageCounts,
    pub skipped: i64,
    pub cost: Cost,
}

/// Requests made and time waited since this was last noted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub calls: i64,
    pub waited_ms: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: RunId,
    connection_id: ConnectionId,
    state: String,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    error_message: Option<String>,
}

impl Row {
    fn into_run(self, streams: Vec<StreamProgress>) -> Run {
        Run {
            id: self.id,
            connection: self.connection_id,
            state: RunState::parse(&self.state),
            started_at: self.started_at.map(time),
            finished_at: self.finished_at.map(time),
            error_message: self.error_message,
            streams,
        }
    }
}

impl Tx {
    /// Asks for a run of the connection; one that is on already is kept, not doubled.
    pub async fn queue_run(
        &mut self,
        connection: ConnectionId,
        cause: Cause,
        full: bool,
    ) -> Result<RunId> {
        // The update changes nothing; it makes the database answer with the run that is on.
        within!(self, db => sqlx::query_scalar(
            r#"INSERT INTO runs (connection_id, cause, "full", state, created_at)
               VALUES ($1, $2, $3, 'queued', $4)
               ON CONFLICT (connection_id) WHERE finished_at IS NULL DO UPDATE SET cause = runs.cause
               RETURNING id"#)
            .bind(connection).bind(cause.as_str()).bind(full).bind(now()).fetch_one(db).await)
    }

    /// Moves a stream's cursor on, in the transaction that stores the page before it.
    /// [`Error::Overtaken`] where somebody else has moved it: then the page is theirs.
    pub async fn advance(&mut self, step: &Progress<'_>) -> Result<()> {
        let moved = within!(self, db => sqlx::query(
            r#"UPDATE run_streams SET "cursor" = $4, done = $5, fetched = fetched + $6, added = added + $7,
                changed = changed + $8, unchanged = unchanged + $9, skipped = skipped + $10,
                calls = calls + $11, waited_ms = waited_ms + $12
               WHERE run_id = $1 AND name = $2 AND "cursor" IS NOT DISTINCT FROM $3 AND NOT done
                AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND finished_at IS NULL)"#)
            .bind(step.run).bind(step.stream).bind(step.from).bind(step.to).bind(step.done)
            .bind(step.counts.added + step.counts.changed + step.counts.unchanged)
            .bind(step.counts.added).bind(step.counts.changed).bind(step.counts.unchanged)
            .bind(step.skipped).bind(step.cost.calls).bind(step.cost.waited_ms)
            .execute(db).await.map(Done::rows))?;
        if moved == 1 {
            Ok(())
        } else {
            Err(Error::Overtaken)
        }
    }
}

impl Store {
    /// Asks for a run by hand.
    pub async fn queue_run(
        &self,
        connection: ConnectionId,
        cause: Cause,
        full: bool,
    ) -> Result<RunId> {
        let mut tx = self.begin().await?;
        let run = tx.queue_run(connection, cause, full).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Runs that are not finished, oldest first: what an engine has to drive.
    pub async fn unfinished_runs(&self) -> Result<Vec<UnfinishedRun>> {
        // The order of the index that holds only these, so that finished ones are not scanned.
        let mut runs: Vec<UnfinishedRun> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id FROM runs WHERE finished_at IS NULL ORDER BY connection_id")
            .fetch_all(db).await)?;
        runs.sort_by_key(|run| run.id);
        Ok(runs)
    }

    /// Marks the run as begun and lays out its streams; what an earlier process did of it stays.
    /// `None` where the run has ended meanwhile.
    pub async fn begin_run(
        &self,
        run: RunId,
        streams: &[&str],
    ) -> Result<Option<Vec<StreamProgress>>> {
        let mut tx = self.begin().await?;
        let begun = within!(tx, db => sqlx::query(
            "UPDATE runs SET state = 'running', started_at = COALESCE(started_at, $2)
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(now()).execute(db).await.map(Done::rows))?;
        if begun == 0 {
            return Ok(None);
        }
        for stream in streams {
            within!(tx, db => sqlx::query(
                "INSERT INTO run_streams (run_id, name, done) VALUES ($1, $2, $3)
                 ON CONFLICT (run_id, name) DO NOTHING")
                .bind(run).bind(*stream).bind(false).execute(db).await.map(Done::rows))?;
        }
        tx.commit().await?;
        Ok(Some(
            self.streams_of(&[run])
                .await?
                .into_iter()
                .map(|(_, stream)| stream)
                .collect(),
        ))
    }

    /// Notes what was spent on a stream without getting any further.
    pub async fn note_cost(&self, run: RunId, stream: &str, cost: Cost) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE run_streams SET calls = calls + $3, waited_ms = waited_ms + $4
             WHERE run_id = $1 AND name = $2")
            .bind(run).bind(stream).bind(cost.calls).bind(cost.waited_ms)
            .execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Ends a run. Only one that reached its end is noted as the connection's last import.
    pub async fn finish_run(
        &self,
        run: RunId,
        state: RunState,
        error: Option<(&str, &str)>,
    ) -> Result<()> {
        let now = now();
        let mut tx = self.begin().await?;
        let ended = within!(tx, db => sqlx::query(
            "UPDATE runs SET state = $2, finished_at = $3, error_code = $4, error_message = $5
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(state.as_str()).bind(now).bind(error.map(|e| e.0)).bind(error.map(|e| e.1))
            .execute(db).await.map(Done::rows))?;
        if ended == 1 && state == RunState::Done {
            within!(tx, db => sqlx::query(
                "UPDATE connections SET last_import_at = $2
                 WHERE id = (SELECT connection_id FROM runs WHERE id = $1)")
                .bind(run).bind(now).execute(db).await.map(Done::rows))?;
        }
        tx.commit().await
    }

    /// The newest run of a connection.
    pub async fn latest_run(&self, connection: ConnectionId) -> Result<Option<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id, state, started_at, finished_at, error_message
             FROM runs WHERE connection_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(connection).fetch_all(db).await)?;
        Ok(self.with_streams(rows).await?.pop())
    }

    /// The newest run of each connection of a workspace.
    pub async fn latest_runs(&self, workspace: WorkspaceId) -> Result<Vec<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT r.id, r.connection_id, r.state, r.started_at, r.finished_at, r.error_message
             FROM connections c
             JOIN runs r ON r.id = (SELECT MAX(id) FROM runs WHERE connection_id = c.id)
             WHERE c.workspace_id = $1 AND c.disconnected_at IS NULL ORDER BY r.id")
            .bind(workspace).fetch_all(db).await)?;
        self.with_streams(rows).await
    }

    async fn with_streams(&self, rows: Vec<Row>) -> Result<Vec<Run>> {
        let ids: Vec<RunId> = rows.iter().map(|row| row.id).collect();
        let mut streams: HashMap<RunId, Vec<StreamProgress>> = HashMap::new();
        for (run, stream) in self.streams_of(&ids).await? {
            streams.entry(run).or_default().push(stream);
        }
        let run = |row: Row| {
            let streams = streams.remove(&row.id).unwrap_or_default();
            row.into_run(streams)
        };
        Ok(rows.into_iter().map(run).collect())
    }

    async fn streams_of(&self, runs: &[RunId]) -> Result<Vec<(RunId, StreamProgress)>> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<StreamRow> = on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new(
                r#"SELECT run_id, name, "cursor", done, fetched, added, changed, unchanged, skipped, calls
                   FROM run_streams WHERE run_id IN ("#);
            let mut list = sql.separated(", ");
            runs.iter().for_each(|run| { list.push_bind(*run); });
            sql.push(") ORDER BY run_id, name");
            sql.build_query_as().fetch_all(db).await
        })?;
        Ok(rows
            .into_iter()
            .map(|row| (row.run_id, row.progress))
            .collect())
    }
}

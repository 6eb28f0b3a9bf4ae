//! Runs of the import, with the cursors they go on from.

use chrono::{DateTime, Utc};

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
}

impl RunState {
    const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Partial,
        Self::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
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
    pub calls: i64,
    pub error_code: Option<String>,
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
    pub skipped: i64,
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
    /// Requests made and time waited since the last step.
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
    calls: i64,
    error_code: Option<String>,
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
            calls: self.calls,
            error_code: self.error_code,
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
        let queued: Option<RunId> = within!(self, db => sqlx::query_scalar(
            r#"INSERT INTO runs (connection_id, cause, "full", state, created_at)
               VALUES ($1, $2, $3, 'queued', $4)
               ON CONFLICT (connection_id) WHERE finished_at IS NULL DO NOTHING RETURNING id"#)
            .bind(connection).bind(cause.as_str()).bind(full).bind(now()).fetch_optional(db).await)?;
        if let Some(id) = queued {
            return Ok(id);
        }
        within!(self, db => sqlx::query_scalar(
            "SELECT id FROM runs WHERE connection_id = $1 AND finished_at IS NULL")
            .bind(connection).fetch_one(db).await)
    }

    /// Moves a stream's cursor on, in the transaction that stores the page before it.
    /// [`Error::Overtaken`] where somebody else has moved it: then the page is theirs.
    pub async fn advance(&mut self, step: &Progress<'_>) -> Result<()> {
        let moved = within!(self, db => sqlx::query(
            r#"UPDATE run_streams SET "cursor" = $4, done = $5, fetched = fetched + $6, added = added + $7,
                changed = changed + $8, unchanged = unchanged + $9, skipped = skipped + $10
               WHERE run_id = $1 AND name = $2 AND "cursor" IS NOT DISTINCT FROM $3 AND NOT done"#)
            .bind(step.run).bind(step.stream).bind(step.from).bind(step.to).bind(step.done)
            .bind(step.counts.added + step.counts.changed + step.counts.unchanged)
            .bind(step.counts.added).bind(step.counts.changed).bind(step.counts.unchanged)
            .bind(step.skipped).execute(db).await.map(Done::rows))?;
        if moved != 1 {
            return Err(Error::Overtaken);
        }
        within!(self, db => sqlx::query(
            "UPDATE runs SET calls = calls + $2, waited_ms = waited_ms + $3 WHERE id = $1 AND finished_at IS NULL")
            .bind(step.run).bind(step.calls).bind(step.waited_ms).execute(db).await.map(Done::rows))?;
        Ok(())
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
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id FROM runs WHERE finished_at IS NULL ORDER BY id")
            .fetch_all(db).await)
    }

    /// Marks the run as begun and lays out its streams; what an earlier process did of it stays.
    pub async fn begin_run(&self, run: RunId, streams: &[&str]) -> Result<Vec<StreamProgress>> {
        let mut tx = self.begin().await?;
        within!(tx, db => sqlx::query(
            "UPDATE runs SET state = 'running', started_at = COALESCE(started_at, $2)
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(now()).execute(db).await.map(Done::rows))?;
        for stream in streams {
            within!(tx, db => sqlx::query(
                "INSERT INTO run_streams (run_id, name, done) VALUES ($1, $2, $3)
                 ON CONFLICT (run_id, name) DO NOTHING")
                .bind(run).bind(*stream).bind(false).execute(db).await.map(Done::rows))?;
        }
        tx.commit().await?;
        self.stream_progress(run).await
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
        within!(tx, db => sqlx::query(
            "UPDATE runs SET state = $2, finished_at = $3, error_code = $4, error_message = $5
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(state.as_str()).bind(now).bind(error.map(|e| e.0)).bind(error.map(|e| e.1))
            .execute(db).await.map(Done::rows))?;
        if state == RunState::Done {
            within!(tx, db => sqlx::query(
                "UPDATE connections SET last_import_at = $2
                 WHERE id = (SELECT connection_id FROM runs WHERE id = $1)")
                .bind(run).bind(now).execute(db).await.map(Done::rows))?;
        }
        tx.commit().await
    }

    /// The newest run of a connection.
    pub async fn latest_run(&self, connection: ConnectionId) -> Result<Option<Run>> {
        let row: Option<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id, state, started_at, finished_at, calls, error_code, error_message
             FROM runs WHERE connection_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(connection).fetch_optional(db).await)?;
        let Some(row) = row else { return Ok(None) };
        let streams = self.stream_progress(row.id).await?;
        Ok(Some(row.into_run(streams)))
    }

    /// The unfinished runs of a workspace, at most one for each connection.
    pub async fn live_runs(&self, workspace: WorkspaceId) -> Result<Vec<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT r.id, r.connection_id, r.state, r.started_at, r.finished_at, r.calls, r.error_code,
                    r.error_message
             FROM runs r JOIN connections c ON c.id = r.connection_id
             WHERE c.workspace_id = $1 AND r.finished_at IS NULL ORDER BY r.id")
            .bind(workspace).fetch_all(db).await)?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let streams = self.stream_progress(row.id).await?;
            runs.push(row.into_run(streams));
        }
        Ok(runs)
    }

    async fn stream_progress(&self, run: RunId) -> Result<Vec<StreamProgress>> {
        on!(self.pools.read, db => sqlx::query_as(
            r#"SELECT name, "cursor", done, fetched, added, changed, unchanged, skipped
               FROM run_streams WHERE run_id = $1 ORDER BY name"#)
            .bind(run).fetch_all(db).await)
    }
}

//! Runs of the import, with the cursors they go on from.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::db::{Done, Tx, on, within};
use super::{NewSource, Result, Store, now, time};
use crate::item::{ConnectionId, RunId, WorkspaceId};

/// Why a run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Connect,
    Hand,
    Schedule,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hand => "hand",
            Self::Schedule => "schedule",
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

/// Calls made of those that a provider allows in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateUsed {
    pub used: i64,
    pub allowed: i64,
    pub window_ms: i64,
}

/// How a run fares with its provider just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Until when it waits for its provider.
    pub waiting_until: Option<DateTime<Utc>>,
    /// What it uses of the budget that is nearest to its end.
    pub rate: Option<RateUsed>,
}

/// A run as pages show it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub connection: ConnectionId,
    pub state: RunState,
    pub cause: String,
    pub full: bool,
    pub pulse: Pulse,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub streams: Vec<StreamProgress>,
}

/// What a run has of one stream, all its listings together.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StreamProgress {
    pub name: String,
    /// Its listings, and how many of them have been read as far as they could.
    pub sources: i64,
    pub done: i64,
    /// Listings of which something is missing, and those whose end proves nothing.
    pub partial: i64,
    pub unknown: i64,
    pub fetched: i64,
    /// How many items there are in all, where the provider says so of every listing.
    pub total: Option<i64>,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Items that were absent: dropped, or kept until a person has answered.
    pub removed: i64,
    pub held: i64,
    /// Records that could not be understood.
    pub skipped: i64,
    pub calls: i64,
    pub waited_ms: i64,
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
    cause: String,
    full: bool,
    waiting_until: Option<i64>,
    rate_used: Option<i64>,
    rate_allowed: Option<i64>,
    rate_window_ms: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    error_code: Option<String>,
    error_message: Option<String>,
}

const COLUMNS: &str = r#"SELECT r.id, r.connection_id, r.state, r.cause, r."full", r.waiting_until, r.rate_used,
    r.rate_allowed, r.rate_window_ms, r.started_at, r.finished_at, r.error_code, r.error_message "#;

impl Row {
    fn pulse(&self) -> Pulse {
        let told = (self.rate_used, self.rate_allowed, self.rate_window_ms);
        let rate = match told {
            (Some(used), Some(allowed), Some(window_ms)) => Some(RateUsed {
                used,
                allowed,
                window_ms,
            }),
            _ => None,
        };
        Pulse {
            waiting_until: self.waiting_until.map(time),
            rate,
        }
    }

    fn into_run(self, streams: Vec<StreamProgress>) -> Run {
        let pulse = self.pulse();
        Run {
            id: self.id,
            connection: self.connection_id,
            state: RunState::parse(&self.state),
            cause: self.cause,
            full: self.full,
            pulse,
            started_at: self.started_at.map(time),
            finished_at: self.finished_at.map(time),
            error_code: self.error_code,
            error_message: self.error_message,
            streams,
        }
    }
}

impl Tx {
    /// Asks for a run of the connection; one that is on already is kept, not doubled. Where it reads less
    /// than is asked for, it reads everything if it has not begun, and is followed by one that does if
    /// it has: its cursors are of lists of changes.
    pub async fn queue_run(
        &mut self,
        connection: ConnectionId,
        cause: Cause,
        full: bool,
    ) -> Result<RunId> {
        within!(self, db => sqlx::query_scalar(
            r#"INSERT INTO runs (connection_id, cause, "full", state, created_at)
               VALUES ($1, $2, $3, 'queued', $4)
               ON CONFLICT (connection_id) WHERE finished_at IS NULL DO UPDATE SET
                "full" = runs."full" OR (excluded."full" AND runs.state = 'queued'),
                then_full = runs.then_full OR (excluded."full" AND NOT runs."full" AND runs.state <> 'queued')
               RETURNING id"#)
            .bind(connection).bind(cause.as_str()).bind(full).bind(now()).fetch_one(db).await)
    }

    /// Queues the run of everything that was asked for while this one was on.
    async fn follow(&mut self, run: RunId) -> Result<()> {
        within!(self, db => sqlx::query(
            r#"INSERT INTO runs (connection_id, cause, "full", state, created_at)
               SELECT connection_id, $2, $3, 'queued', $4 FROM runs WHERE id = $1 AND then_full"#)
            .bind(run).bind(Cause::Hand.as_str()).bind(true).bind(now())
            .execute(db).await.map(Done::rows))?;
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
        // The order of the index that holds only these, so that finished ones are not scanned.
        let mut runs: Vec<UnfinishedRun> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, connection_id FROM runs WHERE finished_at IS NULL ORDER BY connection_id")
            .fetch_all(db).await)?;
        runs.sort_by_key(|run| run.id);
        Ok(runs)
    }

    /// Marks the run as begun and lays out the listings that it begins with; what an earlier process
    /// did of it stays. Answers whether it reads everything; `None` where it has ended meanwhile.
    pub async fn begin_run(&self, run: RunId, roots: &[NewSource<'_>]) -> Result<Option<bool>> {
        let mut tx = self.begin().await?;
        let full: Option<bool> = within!(tx, db => sqlx::query_scalar(
            r#"UPDATE runs SET state = 'running', started_at = COALESCE(started_at, $2)
               WHERE id = $1 AND finished_at IS NULL RETURNING "full""#)
            .bind(run).bind(now()).fetch_optional(db).await)?;
        if full.is_some() {
            tx.open_sources(run, roots).await?;
            tx.commit().await?;
        }
        Ok(full)
    }

    /// What a run has of each of its streams.
    pub async fn progress(&self, run: RunId) -> Result<Vec<StreamProgress>> {
        let streams = self.streams_of(&[run]).await?;
        Ok(streams.into_iter().map(|(_, progress)| progress).collect())
    }

    /// Notes how a run fares with its provider, for whichever process shows it.
    pub async fn note_pulse(&self, run: RunId, pulse: &Pulse) -> Result<()> {
        let until = pulse.waiting_until.map(|until| until.timestamp_millis());
        let rate = pulse.rate;
        on!(self.pools.write, db => sqlx::query(
            "UPDATE runs SET waiting_until = $2, rate_used = $3, rate_allowed = $4, rate_window_ms = $5
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(until).bind(rate.map(|rate| rate.used))
            .bind(rate.map(|rate| rate.allowed)).bind(rate.map(|rate| rate.window_ms))
            .execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Ends a run. One that got somewhere is noted as the connection's last import; the run that was
    /// asked for meanwhile follows, unless a person has had enough.
    pub async fn finish_run(
        &self,
        run: RunId,
        state: RunState,
        error: Option<(&str, &str)>,
    ) -> Result<()> {
        let now = now();
        let mut tx = self.begin().await?;
        let ended = within!(tx, db => sqlx::query(
            "UPDATE runs SET state = $2, finished_at = $3, error_code = $4, error_message = $5, waiting_until = NULL
             WHERE id = $1 AND finished_at IS NULL")
            .bind(run).bind(state.as_str()).bind(now).bind(error.map(|e| e.0)).bind(error.map(|e| e.1))
            .execute(db).await.map(Done::rows))?;
        if ended == 1 {
            let got_somewhere = matches!(state, RunState::Done | RunState::Partial);
            let failed = state == RunState::Failed;
            // The next one is planned by whoever looks next.
            within!(tx, db => sqlx::query(
                "UPDATE connections SET next_import_at = NULL,
                    last_import_at = CASE WHEN $3 THEN $2 ELSE last_import_at END,
                    failures = CASE WHEN $3 THEN 0 WHEN $4 THEN failures + 1 ELSE failures END
                 WHERE id = (SELECT connection_id FROM runs WHERE id = $1)")
                .bind(run).bind(now).bind(got_somewhere).bind(failed).execute(db).await.map(Done::rows))?;
            if state != RunState::Cancelled {
                tx.follow(run).await?;
            }
        }
        tx.commit().await
    }

    /// The newest run of a connection.
    pub async fn latest_run(&self, connection: ConnectionId) -> Result<Option<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS).push("FROM runs r WHERE r.connection_id = ").push_bind(connection)
                .push(" ORDER BY r.id DESC LIMIT 1").build_query_as().fetch_all(db).await
        })?;
        Ok(self.with_streams(rows).await?.pop())
    }

    /// What the last import of everything has cost in calls.
    pub async fn calls_of_full_run(&self, connection: ConnectionId) -> Result<Option<i64>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            r#"SELECT CAST(SUM(calls) AS BIGINT) FROM run_streams WHERE run_id =
                (SELECT MAX(id) FROM runs
                 WHERE connection_id = $1 AND "full" AND state IN ('done', 'partial'))"#)
            .bind(connection).fetch_one(db).await)
    }

    /// The newest run of each connection of a workspace.
    pub async fn latest_runs(&self, workspace: WorkspaceId) -> Result<Vec<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS).push(
                "FROM connections c
                 JOIN runs r ON r.id = (SELECT MAX(id) FROM runs WHERE connection_id = c.id)
                 WHERE c.disconnected_at IS NULL AND c.workspace_id = ").push_bind(workspace)
                .push(" ORDER BY r.id").build_query_as().fetch_all(db).await
        })?;
        self.with_streams(rows).await
    }

    /// One run of a connection of the workspace.
    pub async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Option<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS).push(
                "FROM runs r JOIN connections c ON c.id = r.connection_id
                 WHERE c.disconnected_at IS NULL AND r.id = ").push_bind(run)
                .push(" AND c.workspace_id = ").push_bind(workspace)
                .build_query_as().fetch_all(db).await
        })?;
        Ok(self.with_streams(rows).await?.pop())
    }

    /// The runs of a workspace, newest first, of one connection where one is named, before this one.
    pub async fn runs(
        &self,
        workspace: WorkspaceId,
        connection: Option<ConnectionId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Run>> {
        let rows: Vec<Row> = on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new(COLUMNS);
            sql.push(
                "FROM runs r JOIN connections c ON c.id = r.connection_id
                 WHERE c.disconnected_at IS NULL AND c.workspace_id = ").push_bind(workspace);
            if let Some(connection) = connection {
                sql.push(" AND r.connection_id = ").push_bind(connection);
            }
            if let Some(before) = before {
                sql.push(" AND r.id < ").push_bind(before);
            }
            sql.push(" ORDER BY r.id DESC LIMIT ").push_bind(limit as i64);
            sql.build_query_as().fetch_all(db).await
        })?;
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
                "SELECT run_id, stream AS name, CAST(SUM(n) AS BIGINT) AS sources,
                    CAST(SUM(CASE WHEN done THEN n ELSE 0 END) AS BIGINT) AS done,
                    CAST(SUM(CASE WHEN coverage = 'partial' THEN n ELSE 0 END) AS BIGINT) AS partial,
                    CAST(SUM(CASE WHEN coverage = 'unknown' THEN n ELSE 0 END) AS BIGINT) AS unknown,
                    CAST(SUM(fetched) AS BIGINT) AS fetched,
                    CASE WHEN COUNT(total) = COUNT(*) THEN CAST(SUM(total) AS BIGINT) END AS total,
                    CAST(SUM(added) AS BIGINT) AS added, CAST(SUM(changed) AS BIGINT) AS changed,
                    CAST(SUM(unchanged) AS BIGINT) AS unchanged, CAST(SUM(removed) AS BIGINT) AS removed,
                    CAST(SUM(held) AS BIGINT) AS held, CAST(SUM(skipped) AS BIGINT) AS skipped,
                    CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(waited_ms) AS BIGINT) AS waited_ms
                 FROM (SELECT CASE folded WHEN 0 THEN 1 ELSE folded END AS n, run_streams.*
                    FROM run_streams WHERE run_id IN (");
            let mut list = sql.separated(", ");
            runs.iter().for_each(|run| { list.push_bind(*run); });
            sql.push(")) AS listings GROUP BY run_id, stream ORDER BY run_id, stream");
            sql.build_query_as().fetch_all(db).await
        })?;
        Ok(rows
            .into_iter()
            .map(|row| (row.run_id, row.progress))
            .collect())
    }
}

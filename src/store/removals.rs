//! What people are asked before it is removed: so many items are absent from a listing that it may be the
//! listing that is wrong.

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::db::{Done, on, within};
use super::{Result, Store, now, time};
use crate::item::{ConnectionId, RunId, UserId, WorkspaceId};

/// What a person says of the items that a listing has no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Drop,
    Keep,
}

impl Answer {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "drop" => Some(Self::Drop),
            "keep" => Some(Self::Keep),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
        }
    }

    fn deed(self) -> Deed {
        match self {
            Self::Drop => Deed::DroppedAbsent,
            Self::Keep => Deed::KeptAbsent,
        }
    }
}

/// A question that waits for its answer.
#[derive(Clone, Debug)]
pub struct Question {
    pub source: String,
    pub stream: String,
    pub label: String,
    pub absent: i64,
    pub of: i64,
    pub asked_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    source: String,
    stream: String,
    label: String,
    absent: i64,
    of: i64,
    asked_at: i64,
}

impl From<Row> for Question {
    fn from(row: Row) -> Self {
        Self {
            source: row.source,
            stream: row.stream,
            label: row.label,
            absent: row.absent,
            of: row.of,
            asked_at: time(row.asked_at),
        }
    }
}

/// An answer that is still to be carried out.
#[derive(Clone, Debug)]
pub struct Answered {
    pub connection: ConnectionId,
    pub provider: String,
    pub source: String,
    pub stream: String,
    pub run: RunId,
    pub answer: Answer,
}

#[derive(sqlx::FromRow)]
struct AnsweredRow {
    connection_id: ConnectionId,
    provider: String,
    source: String,
    stream: String,
    run_id: RunId,
    answer: String,
}

impl AnsweredRow {
    fn read(self) -> Option<Answered> {
        Some(Answered {
            connection: self.connection_id,
            provider: self.provider,
            source: self.source,
            stream: self.stream,
            run: self.run_id,
            answer: Answer::parse(&self.answer)?,
        })
    }
}

impl Store {
    /// Asks before `absent` of so many items are removed, and ends the sweep with that. A question that
    /// an earlier run asked is asked anew.
    pub async fn hold_sweep(&self, run: RunId, source: &str, absent: i64, of: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        within!(tx, db => sqlx::query(
            "UPDATE run_streams SET sweep = 'done', held = $3 WHERE run_id = $1 AND name = $2")
            .bind(run).bind(source).bind(absent).execute(db).await.map(Done::rows))?;
        within!(tx, db => sqlx::query(
            r#"INSERT INTO removals (connection_id, source, stream, label, run_id, absent, "of", asked_at)
               SELECT r.connection_id, s.name, s.stream, s.label, r.id, $3, $4, $5
               FROM runs r JOIN run_streams s ON s.run_id = r.id WHERE r.id = $1 AND s.name = $2
               ON CONFLICT (connection_id, source) DO UPDATE SET run_id = excluded.run_id,
                label = excluded.label, absent = excluded.absent, "of" = excluded."of",
                asked_at = excluded.asked_at, answer = NULL"#)
            .bind(run).bind(source).bind(absent).bind(of).bind(now()).execute(db).await.map(Done::rows))?;
        tx.commit().await
    }

    /// Takes a question back, or notes that its answer was carried out: it was settled by this run.
    pub async fn settle_removal(
        &self,
        connection: ConnectionId,
        source: &str,
        run: RunId,
    ) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "DELETE FROM removals WHERE connection_id = $1 AND source = $2 AND run_id <= $3")
            .bind(connection).bind(source).bind(run).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// What is asked of a connection, the largest first.
    pub async fn questions(&self, connection: ConnectionId) -> Result<Vec<Question>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            r#"SELECT source, stream, label, absent, "of", asked_at FROM removals
               WHERE connection_id = $1 AND answer IS NULL ORDER BY absent DESC, source"#)
            .bind(connection).fetch_all(db).await)?;
        Ok(rows.into_iter().map(Question::from).collect())
    }

    /// Answers what is asked of a stream of the workspace's connection, or of one of its listings.
    /// False where nothing is asked.
    pub async fn answer_questions(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        connection: ConnectionId,
        stream: &str,
        answer: Answer,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let answered = within!(tx, db => sqlx::query(
            "UPDATE removals SET answer = $4
             WHERE connection_id = $2 AND (stream = $3 OR source = $3) AND answer IS NULL
                AND EXISTS (SELECT 1 FROM connections c WHERE c.id = $2 AND c.workspace_id = $1
                    AND c.disconnected_at IS NULL)")
            .bind(workspace).bind(connection).bind(stream).bind(answer.as_str())
            .execute(db).await.map(Done::rows))?;
        if answered > 0 {
            let named: Option<(String, String)> = within!(tx, db => sqlx::query_as(
                "SELECT account_name, provider FROM connections WHERE id = $1")
                .bind(connection).fetch_optional(db).await)?;
            let (name, provider) = named.unwrap_or_default();
            tx.note(Note {
                workspace,
                user: Some(user),
                deed: answer.deed(),
                subject: Some(&name),
                provider: Some(&provider),
            })
            .await?;
        }
        tx.commit().await?;
        Ok(answered > 0)
    }

    /// Answers that are still to be carried out.
    pub async fn answered(&self) -> Result<Vec<Answered>> {
        let rows: Vec<AnsweredRow> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT m.connection_id, c.provider, m.source, m.stream, m.run_id, m.answer
             FROM removals m JOIN connections c ON c.id = m.connection_id
             WHERE m.answer IS NOT NULL AND c.disconnected_at IS NULL ORDER BY m.connection_id, m.source")
            .fetch_all(db).await)?;
        Ok(rows.into_iter().filter_map(AnsweredRow::read).collect())
    }
}

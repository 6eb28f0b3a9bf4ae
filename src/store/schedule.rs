//! When connections are imported from by themselves.

use chrono::{DateTime, Utc};

use super::db::{Done, on, within};
use super::{Cause, Result, Store, time};
use crate::item::{ConnectionId, WorkspaceId};

/// Stands for "by hand only".
const NEVER: i64 = -1;

/// A connection that wants an import, or to be told when its next one is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Due {
    pub id: ConnectionId,
    pub provider: String,
    pub every_ms: Option<i64>,
    pub failures: i64,
    next_import_at: Option<i64>,
    full_at: Option<i64>,
}

impl Due {
    /// Whether its time has come; otherwise it has not been planned yet.
    pub fn is_planned(&self) -> bool {
        self.next_import_at.is_some()
    }

    /// When everything was last read, and not only what had changed.
    pub fn full_at(&self) -> Option<DateTime<Utc>> {
        self.full_at.map(time)
    }
}

/// Whether it is planned that a person does it.
pub(super) fn is_by_hand(ms: Option<i64>) -> bool {
    ms == Some(NEVER)
}

/// A planned time, as it is stored.
pub(super) fn planned(ms: Option<i64>) -> Option<DateTime<Utc>> {
    ms.filter(|ms| *ms != NEVER).map(time)
}

impl Store {
    /// Some working connections without an import that is on, whose next one is due or not planned.
    pub async fn due(&self, limit: i64) -> Result<Vec<Due>> {
        on!(self.pools.read, db => sqlx::query_as(
            r#"SELECT c.id, c.provider, c.every_ms, c.failures, c.next_import_at,
                (SELECT MAX(r.started_at) FROM runs r WHERE r.connection_id = c.id AND r."full"
                    AND r.state IN ('done', 'partial')) AS full_at
               FROM connections c
               WHERE c.disconnected_at IS NULL AND c.state = 'connected'
                AND (c.next_import_at IS NULL
                    OR c.next_import_at BETWEEN 0 AND (SELECT now FROM clock))
                AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.connection_id = c.id AND r.finished_at IS NULL)
               ORDER BY c.next_import_at LIMIT $1"#)
            .bind(limit).fetch_all(db).await)
    }

    /// Plans the next import; `None` for never.
    pub async fn plan_import(&self, id: ConnectionId, at: Option<DateTime<Utc>>) -> Result<()> {
        let at = at.map_or(NEVER, |at| at.timestamp_millis());
        on!(self.pools.write, db => sqlx::query(
            "UPDATE connections SET next_import_at = $2 WHERE id = $1 AND next_import_at IS NULL")
            .bind(id).bind(at).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Queues the import whose time has come. Of several processes that see it, one does.
    pub async fn queue_due(&self, due: &Due, full: bool) -> Result<()> {
        let mut tx = self.begin().await?;
        let mine = within!(tx, db => sqlx::query(
            "UPDATE connections SET next_import_at = NULL WHERE id = $1 AND next_import_at = $2")
            .bind(due.id).bind(due.next_import_at).execute(db).await.map(Done::rows))?;
        if mine == 1 {
            tx.queue_run(due.id, Cause::Schedule, full).await?;
        }
        tx.commit().await
    }

    /// How often a connection of the workspace is imported from: `None` as the installation has it,
    /// zero by hand only. False where it is not there.
    pub async fn set_every(
        &self,
        workspace: WorkspaceId,
        id: ConnectionId,
        every_ms: Option<i64>,
    ) -> Result<bool> {
        let set = on!(self.pools.write, db => sqlx::query(
            "UPDATE connections SET every_ms = $3, next_import_at = NULL
             WHERE workspace_id = $1 AND id = $2 AND disconnected_at IS NULL")
            .bind(workspace).bind(id).bind(every_ms).execute(db).await.map(Done::rows))?;
        Ok(set == 1)
    }
}

//! Connections.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::audit::{Deed, Note};
use super::db::{Done, Tx, on, within};
use super::grants::GrantLife;
use super::schedule::{is_by_hand, planned};
use super::{Result, Store, now, time};
use crate::item::{ConnectionId, UserId, WorkspaceId};

/// Whether a connection still works or wants a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    Connected,
    Reconnect,
}

impl ConnectionState {
    /// As it is stored, and as programs see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Reconnect => "reconnect",
        }
    }
}

/// One approved account, as the rest of the program sees it.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub workspace_id: WorkspaceId,
    pub provider: String,
    pub account_id: String,
    pub account_name: String,
    pub person: String,
    pub notes: String,
    pub scopes: Vec<String>,
    pub state: ConnectionState,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_import_at: Option<DateTime<Utc>>,
    pub items: i64,
    pub life: GrantLife,
    /// How often it is imported from: `None` as the installation has it, zero by hand only.
    pub every_ms: Option<i64>,
    /// `None` while nobody has planned it, and where it is by hand only.
    pub next_import_at: Option<DateTime<Utc>>,
    pub by_hand: bool,
}

/// Who approved: the user here, and the person as the provider names them.
pub struct Approver<'a> {
    pub user: UserId,
    /// Token host, provider and the provider's own id; `None` where it names nobody.
    pub subject: Option<&'a str>,
    pub email: Option<&'a str>,
    pub name: &'a str,
}

/// What an approval says about an account.
pub struct NewConnection<'a> {
    pub workspace: WorkspaceId,
    pub provider: &'a str,
    pub account_key: &'a str,
    pub account_id: &'a str,
    pub account_name: &'a str,
    pub approver: Approver<'a>,
    pub notes: &'a str,
    pub scopes: &'a [String],
}

/// A connection that has just been taken out of sight.
#[derive(sqlx::FromRow)]
pub struct Left {
    pub provider: String,
    pub account_key: String,
    pub account_name: String,
    pub items: i64,
}

/// Items erased in one step, so that no writer waits long for it.
const ERASED: i64 = 500;

/// Where an approval ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    pub connection: ConnectionId,
    /// False where the account was connected here already.
    pub fresh: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ConnectionId,
    workspace_id: WorkspaceId,
    provider: String,
    account_id: String,
    account_name: String,
    person: String,
    notes: String,
    scopes: String,
    state: String,
    reason: Option<String>,
    created_at: i64,
    last_import_at: Option<i64>,
    items: i64,
    renews: bool,
    renewed_at: Option<i64>,
    lapses_at: Option<i64>,
    every_ms: Option<i64>,
    next_import_at: Option<i64>,
}

impl From<Row> for Connection {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            provider: row.provider,
            account_id: row.account_id,
            account_name: row.account_name,
            person: row.person,
            notes: row.notes,
            scopes: row.scopes.split_whitespace().map(str::to_owned).collect(),
            state: match row.state.as_str() {
                "reconnect" => ConnectionState::Reconnect,
                _ => ConnectionState::Connected,
            },
            reason: row.reason,
            created_at: time(row.created_at),
            last_import_at: row.last_import_at.map(time),
            items: row.items,
            life: GrantLife {
                renews: row.renews,
                renewed_at: row.renewed_at.map(time),
                lapses_at: row.lapses_at.map(time),
            },
            every_ms: row.every_ms,
            next_import_at: planned(row.next_import_at),
            by_hand: is_by_hand(row.next_import_at),
        }
    }
}

const COLUMNS: &str = "SELECT c.id, c.workspace_id, c.provider, c.account_id, c.account_name, c.person, c.notes,
    c.scopes, c.state, c.reason, c.created_at, c.last_import_at,
    CAST(COALESCE((SELECT SUM(n) FROM item_counts k WHERE k.connection_id = c.id), 0) AS BIGINT) AS items,
    COALESCE(g.renews, FALSE) AS renews, g.updated_at AS renewed_at, g.lapses_at,
    c.every_ms, c.next_import_at
    FROM connections c LEFT JOIN grants g ON g.connection_id = c.id WHERE c.disconnected_at IS NULL AND ";

impl Tx {
    /// Adds the account to the workspace, or renews what is known of it where it stands there already.
    pub async fn approve(&mut self, new: &NewConnection<'_>) -> Result<Approval> {
        let now = now();
        let (connection, created_at): (ConnectionId, i64) = within!(self, db => sqlx::query_as(
            "INSERT INTO connections (workspace_id, provider, account_key, account_id, account_name,
                person, notes, scopes, state, created_at, approved_by, subject, subject_email)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'connected', $9, $10, $11, $12)
             ON CONFLICT (workspace_id, provider, account_key) WHERE disconnected_at IS NULL DO UPDATE SET
                account_id = excluded.account_id, account_name = excluded.account_name,
                approved_by = excluded.approved_by, subject = excluded.subject,
                subject_email = excluded.subject_email, person = excluded.person, notes = excluded.notes, scopes = excluded.scopes,
                state = 'connected', reason = NULL
             RETURNING id, created_at")
            .bind(new.workspace).bind(new.provider).bind(new.account_key).bind(new.account_id)
            .bind(new.account_name).bind(new.approver.name).bind(new.notes).bind(new.scopes.join(" ")).bind(now)
            .bind(new.approver.user).bind(new.approver.subject).bind(new.approver.email)
            .fetch_one(db).await)?;
        let fresh = created_at == now;
        self.note(Note {
            workspace: new.workspace,
            user: Some(new.approver.user),
            deed: if fresh {
                Deed::Connected
            } else {
                Deed::Reconnected
            },
            subject: Some(new.account_name),
            provider: Some(new.provider),
        })
        .await?;
        Ok(Approval { connection, fresh })
    }
}

impl Store {
    /// One connection of the workspace; another workspace's is not there.
    pub async fn connection(
        &self,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Option<Connection>> {
        let row: Option<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS)
                .push("c.workspace_id = ").push_bind(workspace)
                .push(" AND c.id = ").push_bind(id)
                .build_query_as().fetch_optional(db).await
        })?;
        Ok(row.map(Connection::from))
    }

    /// All connections of the workspace, oldest first.
    pub async fn connections(&self, workspace: WorkspaceId) -> Result<Vec<Connection>> {
        let rows: Vec<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS)
                .push("c.workspace_id = ").push_bind(workspace).push(" ORDER BY c.id")
                .build_query_as().fetch_all(db).await
        })?;
        Ok(rows.into_iter().map(Connection::from).collect())
    }

    /// One connection, for the engine, which works for all workspaces.
    pub async fn any_connection(&self, id: ConnectionId) -> Result<Option<Connection>> {
        let row: Option<Row> = on!(self.pools.read, db => {
            QueryBuilder::new(COLUMNS).push("c.id = ").push_bind(id)
                .build_query_as().fetch_optional(db).await
        })?;
        Ok(row.map(Connection::from))
    }

    /// Whether any workspace has this account of the provider.
    pub async fn is_account_in_use(&self, provider: &str, account_key: &str) -> Result<bool> {
        let n: i64 = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT COUNT(*) FROM connections WHERE provider = $1 AND account_key = $2 AND disconnected_at IS NULL")
            .bind(provider).bind(account_key).fetch_one(db).await)?;
        Ok(n > 0)
    }

    /// Takes a connection of the workspace out of sight for good and ends its import, in one step.
    /// `None` where it is not there, or not any more.
    pub async fn leave_connection(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        id: ConnectionId,
    ) -> Result<Option<Left>> {
        let mut tx = self.begin().await?;
        let now = now();
        let left: Option<Left> = within!(tx, db => sqlx::query_as(
            "UPDATE connections SET disconnected_at = $3
             WHERE workspace_id = $1 AND id = $2 AND disconnected_at IS NULL
             RETURNING provider, account_key, account_name,
                CAST(COALESCE((SELECT SUM(n) FROM item_counts k WHERE k.connection_id = connections.id), 0)
                    AS BIGINT) AS items")
            .bind(workspace).bind(id).bind(now).fetch_optional(db).await)?;
        let Some(left) = left else { return Ok(None) };
        within!(tx, db => sqlx::query(
            "UPDATE runs SET state = 'cancelled', finished_at = $2 WHERE connection_id = $1 AND finished_at IS NULL")
            .bind(id).bind(now).execute(db).await.map(Done::rows))?;
        tx.note(Note {
            workspace,
            user: Some(user),
            deed: Deed::Disconnected,
            subject: Some(&left.account_name),
            provider: Some(&left.provider),
        })
        .await?;
        tx.tell_removed(id);
        tx.commit().await?;
        Ok(Some(left))
    }

    /// The connection of an account that stands in the workspace already.
    pub async fn connection_of_account(
        &self,
        workspace: WorkspaceId,
        provider: &str,
        account_key: &str,
    ) -> Result<Option<ConnectionId>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT id FROM connections
             WHERE workspace_id = $1 AND provider = $2 AND account_key = $3 AND disconnected_at IS NULL")
            .bind(workspace).bind(provider).bind(account_key).fetch_optional(db).await)
    }

    /// Erases some of what disconnected connections have left, and says whether there is more.
    pub async fn erase_some(&self) -> Result<bool> {
        let leaving: Option<ConnectionId> = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT id FROM connections WHERE disconnected_at IS NOT NULL ORDER BY disconnected_at LIMIT 1")
            .fetch_optional(db).await)?;
        let Some(id) = leaving else { return Ok(false) };
        let erased = on!(self.pools.write, db => sqlx::query(
            "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE connection_id = $1 LIMIT $2)")
            .bind(id).bind(ERASED).execute(db).await.map(Done::rows))?;
        if erased == 0 && !self.erase_some_names(id).await? {
            on!(self.pools.write, db => sqlx::query("DELETE FROM connections WHERE id = $1")
                .bind(id).execute(db).await.map(Done::rows))?;
        }
        Ok(true)
    }
}

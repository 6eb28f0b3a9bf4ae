//! Keys that programs ask with.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::db::{Done, on, within};
use super::{Result, SignIn, Store, now, time};
use crate::item::{KeyId, UserId, WorkspaceId};

/// How exactly `used_at` is kept; a write for every request would be waste.
const USED_STEP: Duration = Duration::from_secs(60);

/// A key that somebody makes.
pub struct NewKey<'a> {
    pub name: &'a str,
    pub hash: &'a [u8],
    /// What it is good for, with blanks between.
    pub scopes: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key, as its workspace sees it.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    pub person: String,
    pub scopes: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: KeyId,
    name: String,
    person: String,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            person: row.person,
            scopes: row.scopes,
            created_at: time(row.created_at),
            expires_at: row.expires_at.map(time),
            used_at: row.used_at.map(time),
            revoked_at: row.revoked_at.map(time),
        }
    }
}

/// A key that is good, with all that a request wants to know about it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LiveKey {
    pub id: KeyId,
    pub workspace_id: WorkspaceId,
    pub user_id: UserId,
    pub scopes: String,
    used_at: Option<i64>,
}

impl Store {
    /// Keeps a key that somebody made for their workspace.
    pub async fn add_key(&self, maker: &SignIn, new: &NewKey<'_>) -> Result<KeyId> {
        let mut tx = self.begin().await?;
        let id = within!(tx, db => sqlx::query_scalar(
            "INSERT INTO api_keys (workspace_id, user_id, name, hash, scopes, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id")
            .bind(maker.workspace_id).bind(maker.user_id).bind(new.name).bind(new.hash).bind(new.scopes)
            .bind(now()).bind(new.expires_at.map(|at| at.timestamp_millis())).fetch_one(db).await)?;
        tx.note(of_key(maker, Deed::MadeKey, new.name)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The keys of a workspace, newest first.
    pub async fn keys(&self, workspace: WorkspaceId) -> Result<Vec<ApiKey>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT k.id, k.name, u.name AS person, k.scopes, k.created_at, k.expires_at, k.used_at, k.revoked_at
             FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.workspace_id = $1 ORDER BY k.id DESC")
            .bind(workspace).fetch_all(db).await)?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// Ends a key of the workspace for good. False where there is none that is good.
    pub async fn revoke_key(&self, by: &SignIn, id: KeyId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let name: Option<String> = within!(tx, db => sqlx::query_scalar(
            "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND workspace_id = $2 AND revoked_at IS NULL
             RETURNING name")
            .bind(id).bind(by.workspace_id).bind(now()).fetch_optional(db).await)?;
        let Some(name) = name else { return Ok(false) };
        tx.note(of_key(by, Deed::RevokedKey, &name)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The key of this hash, if it is good at `at` and its maker still belongs to the workspace.
    pub async fn live_key(&self, hash: &[u8], at: DateTime<Utc>) -> Result<Option<LiveKey>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT k.id, k.workspace_id, k.user_id, k.scopes, k.used_at FROM api_keys k
             JOIN members m ON m.workspace_id = k.workspace_id AND m.user_id = k.user_id
             WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)")
            .bind(hash).bind(at.timestamp_millis()).fetch_optional(db).await)
    }

    /// Notes that a key was used, in steps of a minute.
    pub async fn key_used(&self, key: &LiveKey, at: DateTime<Utc>) -> Result<()> {
        let step = chrono::TimeDelta::from_std(USED_STEP).expect("a minute");
        if key.used_at.is_some_and(|used| at - time(used) < step) {
            return Ok(());
        }
        on!(self.pools.write, db => sqlx::query("UPDATE api_keys SET used_at = $2 WHERE id = $1")
            .bind(key.id).bind(at.timestamp_millis()).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

fn of_key<'a>(who: &SignIn, deed: Deed, name: &'a str) -> Note<'a> {
    Note {
        workspace: who.workspace_id,
        user: Some(who.user_id),
        deed,
        subject: Some(name),
        provider: None,
    }
}

//! Who signs in: people, the identities that they come with, and their sign-ins.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::db::{Done, Tx, on, within};
use super::{Error, Result, Store, now, time};
use crate::item::{IdentityId, SignInId, UserId, WorkspaceId};

/// A sign-in ends when it has not been used for this long …
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// … and at this age in any case.
pub const LONGEST_SIGN_IN: Duration = Duration::from_secs(30 * 24 * 3600);
/// How exactly `seen_at` is kept; a write for every page would be waste.
const SEEN_STEP: Duration = Duration::from_secs(600);

/// A person as a provider names them.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Token host, provider and the provider's own id for the person.
    pub subject: String,
    pub provider: &'static str,
    /// The account they approved for, as `SIGN_IN_ALLOW` names it.
    pub account_id: String,
    pub email: Option<String>,
}

/// Somebody who has never been here.
pub struct NewPerson<'a> {
    pub name: &'a str,
    pub workspace: &'a str,
    pub identity: &'a Identity,
}

/// A live sign-in, with all that a request wants to know about who is there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SignIn {
    pub id: SignInId,
    pub identity_id: IdentityId,
    pub user_id: UserId,
    pub workspace_id: WorkspaceId,
    pub person: String,
    pub workspace: String,
    pub provider: String,
    pub account_id: String,
    pub email: Option<String>,
    seen_at: i64,
}

impl SignIn {
    pub fn seen_at(&self) -> DateTime<Utc> {
        time(self.seen_at)
    }
}

/// One of a person's live sign-ins, as they see it.
pub struct OwnSignIn {
    pub id: SignInId,
    pub provider: String,
    pub workspace: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct OwnRow {
    id: SignInId,
    provider: String,
    workspace: String,
    created_at: i64,
    seen_at: i64,
}

#[derive(sqlx::FromRow)]
struct IdentityRow {
    id: IdentityId,
    workspace_id: WorkspaceId,
}

impl Tx {
    /// The identity and the first workspace of a person who was here before; what their provider now
    /// says of them is kept.
    pub async fn known_person(
        &mut self,
        identity: &Identity,
    ) -> Result<Option<(IdentityId, WorkspaceId)>> {
        let row: Option<IdentityRow> = within!(self, db => sqlx::query_as(
            "UPDATE identities SET account_id = $2, email = COALESCE($3, email) WHERE subject = $1
             RETURNING id, (SELECT MIN(workspace_id) FROM members WHERE members.user_id = identities.user_id)
                AS workspace_id")
            .bind(&identity.subject).bind(&identity.account_id).bind(&identity.email)
            .fetch_optional(db).await)?;
        Ok(row.map(|row| (row.id, row.workspace_id)))
    }

    /// Adds a person with a workspace of their own. [`Error::Overtaken`] where the same identity
    /// came in at the same moment.
    pub async fn add_person(&mut self, new: NewPerson<'_>) -> Result<(IdentityId, WorkspaceId)> {
        let now = now();
        let user: UserId = within!(self, db => sqlx::query_scalar(
            "INSERT INTO users (name, created_at) VALUES ($1, $2) RETURNING id")
            .bind(new.name).bind(now).fetch_one(db).await)?;
        let workspace: WorkspaceId = within!(self, db => sqlx::query_scalar(
            "INSERT INTO workspaces (name, created_at) VALUES ($1, $2) RETURNING id")
            .bind(new.workspace).bind(now).fetch_one(db).await)?;
        within!(self, db => sqlx::query(
            "INSERT INTO members (workspace_id, user_id, role) VALUES ($1, $2, 'owner')")
            .bind(workspace).bind(user).execute(db).await.map(Done::rows))?;
        let identity: Option<IdentityId> = within!(self, db => sqlx::query_scalar(
            "INSERT INTO identities (user_id, subject, provider, account_id, email, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO NOTHING RETURNING id")
            .bind(user).bind(&new.identity.subject).bind(new.identity.provider)
            .bind(&new.identity.account_id).bind(&new.identity.email).bind(now)
            .fetch_optional(db).await)?;
        Ok((identity.ok_or(Error::Overtaken)?, workspace))
    }

    pub async fn add_sign_in(
        &mut self,
        identity: IdentityId,
        workspace: WorkspaceId,
    ) -> Result<SignInId> {
        let now = now();
        within!(self, db => sqlx::query_scalar(
            "INSERT INTO sign_ins (identity_id, workspace_id, created_at, seen_at)
             VALUES ($1, $2, $3, $3) RETURNING id")
            .bind(identity).bind(workspace).bind(now).fetch_one(db).await)
    }
}

impl Store {
    /// The sign-in, if it is still live at `at` and its person still belongs to the workspace.
    pub async fn live_sign_in(&self, id: SignInId, at: DateTime<Utc>) -> Result<Option<SignIn>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT s.id, s.identity_id, i.user_id, s.workspace_id, u.name AS person, w.name AS workspace,
                    i.provider, i.account_id, i.email, s.seen_at
             FROM sign_ins s
             JOIN identities i ON i.id = s.identity_id
             JOIN users u ON u.id = i.user_id
             JOIN workspaces w ON w.id = s.workspace_id
             JOIN members m ON m.workspace_id = s.workspace_id AND m.user_id = i.user_id
             WHERE s.id = $1 AND s.ended_at IS NULL AND s.created_at > $2 AND s.seen_at > $3")
            .bind(id).bind((at - LONGEST_SIGN_IN).timestamp_millis()).bind((at - IDLE).timestamp_millis())
            .fetch_optional(db).await)
    }

    /// Notes that the sign-in was used, in steps of ten minutes.
    pub async fn sign_in_seen(&self, sign_in: &SignIn, at: DateTime<Utc>) -> Result<()> {
        if at - sign_in.seen_at() < chrono::TimeDelta::from_std(SEEN_STEP).expect("ten minutes") {
            return Ok(());
        }
        on!(self.pools.write, db => sqlx::query("UPDATE sign_ins SET seen_at = $2 WHERE id = $1")
            .bind(sign_in.id).bind(at.timestamp_millis()).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Ends a sign-in for good: no session that names it is live again.
    pub async fn end_sign_in(&self, id: SignInId) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE sign_ins SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(id).bind(now()).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// All live sign-ins of a person, the last used first.
    pub async fn own_sign_ins(&self, user: UserId, at: DateTime<Utc>) -> Result<Vec<OwnSignIn>> {
        let rows: Vec<OwnRow> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT s.id, i.provider, w.name AS workspace, s.created_at, s.seen_at
             FROM sign_ins s
             JOIN identities i ON i.id = s.identity_id
             JOIN workspaces w ON w.id = s.workspace_id
             WHERE i.user_id = $1 AND s.ended_at IS NULL AND s.created_at > $2 AND s.seen_at > $3
             ORDER BY s.seen_at DESC, s.id DESC")
            .bind(user).bind((at - LONGEST_SIGN_IN).timestamp_millis()).bind((at - IDLE).timestamp_millis())
            .fetch_all(db).await)?;
        let own = |row: OwnRow| OwnSignIn {
            id: row.id,
            provider: row.provider,
            workspace: row.workspace,
            created_at: time(row.created_at),
            seen_at: time(row.seen_at),
        };
        Ok(rows.into_iter().map(own).collect())
    }

    /// Ends every sign-in of a person, in whatever browser.
    pub async fn end_all_sign_ins(&self, user: UserId) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE sign_ins SET ended_at = $2 WHERE ended_at IS NULL
                AND identity_id IN (SELECT id FROM identities WHERE user_id = $1)")
            .bind(user).bind(now()).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

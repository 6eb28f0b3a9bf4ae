//! The audit trail: who did what, for the workspace it was done in.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::db::{Done, Tx, on, within};
use super::{Result, Store, now, time};
use crate::item::{UserId, WorkspaceId};

/// How long an entry is kept.
pub const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);
/// Entries forgotten in one step.
const STEP: i64 = 500;

/// Something that is worth remembering who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    SignedIn,
    SignedInByLink,
    SignedOut,
    SignedOutEverywhere,
    Connected,
    Reconnected,
    LostApproval,
    Disconnected,
    AddedWayIn,
    RemovedWayIn,
    DroppedAbsent,
    KeptAbsent,
    MadeKey,
    RevokedKey,
    RenamedWorkspace,
    Invited,
    Joined,
    ChangedRole,
    RemovedMember,
    /// By nobody where the host did it on the command line.
    Exported,
}

impl Deed {
    const ALL: [Self; 20] = [
        Self::SignedIn,
        Self::SignedInByLink,
        Self::SignedOut,
        Self::SignedOutEverywhere,
        Self::Connected,
        Self::Reconnected,
        Self::LostApproval,
        Self::Disconnected,
        Self::AddedWayIn,
        Self::RemovedWayIn,
        Self::DroppedAbsent,
        Self::KeptAbsent,
        Self::MadeKey,
        Self::RevokedKey,
        Self::RenamedWorkspace,
        Self::Invited,
        Self::Joined,
        Self::ChangedRole,
        Self::RemovedMember,
        Self::Exported,
    ];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignedInByLink => "signed_in_by_link",
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::Connected => "connected",
            Self::Reconnected => "reconnected",
            Self::LostApproval => "lost_approval",
            Self::Disconnected => "disconnected",
            Self::AddedWayIn => "added_way_in",
            Self::RemovedWayIn => "removed_way_in",
            Self::DroppedAbsent => "dropped_absent",
            Self::KeptAbsent => "kept_absent",
            Self::MadeKey => "made_key",
            Self::RevokedKey => "revoked_key",
            Self::RenamedWorkspace => "renamed_workspace",
            Self::Invited => "invited",
            Self::Joined => "joined",
            Self::ChangedRole => "changed_role",
            Self::RemovedMember => "removed_member",
            Self::Exported => "exported",
        }
    }

    /// `None` for what a newer Tributary wrote.
    fn from_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == text)
    }
}

/// An entry to be written.
pub struct Note<'a> {
    pub workspace: WorkspaceId,
    /// `None` where nobody did it.
    pub user: Option<UserId>,
    pub deed: Deed,
    /// What it was done to, by its name.
    pub subject: Option<&'a str>,
    pub provider: Option<&'a str>,
}

/// An entry, as it is read.
pub struct Noted {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub person: Option<String>,
    pub deed: Deed,
    pub subject: Option<String>,
    pub provider: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    at: i64,
    person: Option<String>,
    deed: String,
    subject: Option<String>,
    provider: Option<String>,
}

impl Row {
    fn read(self) -> Option<Noted> {
        Some(Noted {
            id: self.id,
            at: time(self.at),
            person: self.person,
            deed: Deed::from_str(&self.deed)?,
            subject: self.subject,
            provider: self.provider,
        })
    }
}

impl Tx {
    /// Writes an entry together with what it tells of.
    pub async fn note(&mut self, note: Note<'_>) -> Result<()> {
        within!(self, db => sqlx::query(
            "INSERT INTO audit (workspace_id, at, user_id, deed, subject, provider) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(note.workspace).bind(now()).bind(note.user).bind(note.deed.as_str())
            .bind(note.subject).bind(note.provider).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

impl Store {
    /// The entries of a workspace, newest first, those before `before` where one is named.
    pub async fn audit(
        &self,
        workspace: WorkspaceId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Noted>> {
        let rows: Vec<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT a.id, a.at, u.name AS person, a.deed, a.subject, a.provider
             FROM audit a LEFT JOIN users u ON u.id = a.user_id
             WHERE a.workspace_id = $1 AND a.id < $2 ORDER BY a.id DESC LIMIT $3")
            .bind(workspace).bind(before.unwrap_or(i64::MAX)).bind(limit).fetch_all(db).await)?;
        Ok(rows.into_iter().filter_map(Row::read).collect())
    }

    /// Forgets some entries that are too old, and says how many.
    pub async fn forget_old_audit(&self, at: DateTime<Utc>) -> Result<u64> {
        on!(self.pools.write, db => sqlx::query(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)")
            .bind((at - KEPT).timestamp_millis()).bind(STEP).execute(db).await.map(Done::rows))
    }
}

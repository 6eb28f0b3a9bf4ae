//! Who signs in: people, the identities that they come with, and their sign-ins.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::db::{Done, Tx, on, within};
use super::{Error, Result, Store, now, time};
use crate::item::{ConnectionId, IdentityId, SignInId, UserId, WorkspaceId};

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

/// Somebody who is known here, by one of their ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Known {
    pub user: UserId,
    pub identity: IdentityId,
    /// The workspace they saw last.
    pub workspace: WorkspaceId,
}

/// Somebody who has never been here.
pub struct NewPerson<'a> {
    pub name: &'a str,
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
    pub by_link: bool,
    pub workspace: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
}

/// One of a person's identities: a provider account that signs them in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WayIn {
    pub id: IdentityId,
    pub provider: String,
    pub account_id: String,
    pub email: Option<String>,
}

/// What the person who approved a connection is to signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayInState {
    /// The provider named nobody, or somebody else here approved.
    None,
    /// May become a way in of the one who asks.
    Free,
    Own,
    /// Signs another user in; it is never moved.
    Others,
}

#[derive(sqlx::FromRow)]
struct OwnRow {
    id: SignInId,
    provider: String,
    by_link: bool,
    workspace: String,
    created_at: i64,
    seen_at: i64,
}

#[derive(sqlx::FromRow)]
struct ApproverRow {
    mine: bool,
    named: bool,
    signs_in: Option<UserId>,
}

impl Tx {
    /// The person who was here before by this identity; what their provider now says of them is kept.
    pub async fn known_person(&mut self, identity: &Identity) -> Result<Option<Known>> {
        within!(self, db => sqlx::query_as(
            "UPDATE identities SET account_id = $2, email = COALESCE($3, email) WHERE subject = $1
             RETURNING user_id AS \"user\", id AS identity,
                COALESCE((SELECT s.workspace_id FROM sign_ins s
                        JOIN identities i ON i.id = s.identity_id
                        JOIN members m ON m.workspace_id = s.workspace_id AND m.user_id = i.user_id
                        WHERE i.user_id = identities.user_id ORDER BY s.seen_at DESC, s.id DESC LIMIT 1),
                    (SELECT MIN(workspace_id) FROM members WHERE members.user_id = identities.user_id)
                ) AS workspace")
            .bind(&identity.subject).bind(&identity.account_id).bind(&identity.email)
            .fetch_optional(db).await)
    }

    /// Adds a person with a workspace of their own. [`Error::Overtaken`] where the same identity
    /// came in at the same moment.
    pub async fn add_person(&mut self, new: NewPerson<'_>) -> Result<Known> {
        let now = now();
        let user: UserId = within!(self, db => sqlx::query_scalar(
            "INSERT INTO users (name, created_at) VALUES ($1, $2) RETURNING id")
            .bind(new.name).bind(now).fetch_one(db).await)?;
        let workspace = self.add_workspace(user, new.name).await?;
        let identity: Option<IdentityId> = within!(self, db => sqlx::query_scalar(
            "INSERT INTO identities (user_id, subject, provider, account_id, email, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO NOTHING RETURNING id")
            .bind(user).bind(&new.identity.subject).bind(new.identity.provider)
            .bind(&new.identity.account_id).bind(&new.identity.email).bind(now)
            .fetch_optional(db).await)?;
        let identity = identity.ok_or(Error::Overtaken)?;
        Ok(Known {
            user,
            identity,
            workspace,
        })
    }

    /// Signs somebody in, by their provider or by a link that the host made, and notes it.
    pub async fn add_sign_in(&mut self, who: Known, by_link: bool) -> Result<SignInId> {
        let id = within!(self, db => sqlx::query_scalar(
            "INSERT INTO sign_ins (identity_id, workspace_id, created_at, seen_at, by_link)
             VALUES ($1, $2, $3, $3, $4) RETURNING id")
            .bind(who.identity).bind(who.workspace).bind(now()).bind(by_link).fetch_one(db).await)?;
        let deed = if by_link {
            Deed::SignedInByLink
        } else {
            Deed::SignedIn
        };
        self.note(Note {
            workspace: who.workspace,
            user: Some(who.user),
            deed,
            subject: None,
            provider: None,
        })
        .await?;
        Ok(id)
    }
}

/// An entry about somebody's own coming and going.
fn own(sign_in: &SignIn, deed: Deed) -> Note<'static> {
    Note {
        workspace: sign_in.workspace_id,
        user: Some(sign_in.user_id),
        deed,
        subject: None,
        provider: None,
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
    pub async fn end_sign_in(&self, sign_in: &SignIn) -> Result<()> {
        let mut tx = self.begin().await?;
        let ended = within!(tx, db => sqlx::query(
            "UPDATE sign_ins SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(sign_in.id).bind(now()).execute(db).await.map(Done::rows))?;
        if ended > 0 {
            tx.note(own(sign_in, Deed::SignedOut)).await?;
        }
        tx.commit().await
    }

    /// All live sign-ins of a person, the last used first.
    pub async fn own_sign_ins(&self, user: UserId, at: DateTime<Utc>) -> Result<Vec<OwnSignIn>> {
        let rows: Vec<OwnRow> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT s.id, i.provider, s.by_link, w.name AS workspace, s.created_at, s.seen_at
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
            by_link: row.by_link,
            workspace: row.workspace,
            created_at: time(row.created_at),
            seen_at: time(row.seen_at),
        };
        Ok(rows.into_iter().map(own).collect())
    }

    /// Ends every sign-in of a person, in whatever browser.
    pub async fn end_all_sign_ins(&self, sign_in: &SignIn) -> Result<()> {
        let mut tx = self.begin().await?;
        within!(tx, db => sqlx::query(
            "UPDATE sign_ins SET ended_at = $2 WHERE ended_at IS NULL
                AND identity_id IN (SELECT id FROM identities WHERE user_id = $1)")
            .bind(sign_in.user_id).bind(now()).execute(db).await.map(Done::rows))?;
        tx.note(own(sign_in, Deed::SignedOutEverywhere)).await?;
        tx.commit().await
    }

    /// By whom a person can sign in, the oldest first.
    pub async fn ways_in(&self, user: UserId) -> Result<Vec<WayIn>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT id, provider, account_id, email FROM identities WHERE user_id = $1 ORDER BY id")
            .bind(user).fetch_all(db).await)
    }

    /// Who may be meant by a person's id, their name or one of their addresses, whatever its case.
    pub async fn people_called(&self, text: &str) -> Result<Vec<(UserId, String)>> {
        let id = text.parse::<UserId>().unwrap_or(UserId(0));
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT u.id, u.name FROM users u WHERE u.id = $1 OR LOWER(u.name) = $2
                OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND LOWER(i.email) = $2)
             ORDER BY u.id")
            .bind(id).bind(text.to_lowercase()).fetch_all(db).await)
    }

    /// The person behind one of their ways in, while it is one.
    pub async fn known_by(&self, identity: IdentityId) -> Result<Option<(Known, String)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            known: Known,
            name: String,
        }
        let row: Option<Row> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT i.user_id AS \"user\", i.id AS identity, MIN(m.workspace_id) AS workspace, u.name
             FROM identities i JOIN users u ON u.id = i.user_id JOIN members m ON m.user_id = i.user_id
             WHERE i.id = $1 GROUP BY i.user_id, i.id, u.name")
            .bind(identity).fetch_optional(db).await)?;
        Ok(row.map(|row| (row.known, row.name)))
    }

    /// Whether who approved a connection can sign this person in, or could.
    pub async fn way_in_of(&self, connection: ConnectionId, user: UserId) -> Result<WayInState> {
        let row: Option<ApproverRow> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT COALESCE(c.approved_by = $2, FALSE) AS mine, c.subject IS NOT NULL AS named,
                i.user_id AS signs_in
             FROM connections c LEFT JOIN identities i ON i.subject = c.subject WHERE c.id = $1")
            .bind(connection).bind(user).fetch_optional(db).await)?;
        Ok(match row {
            Some(ApproverRow {
                signs_in: Some(owner),
                ..
            }) if owner == user => WayInState::Own,
            Some(ApproverRow {
                mine: true,
                signs_in: Some(_),
                ..
            }) => WayInState::Others,
            Some(ApproverRow {
                mine: true,
                named: true,
                ..
            }) => WayInState::Free,
            _ => WayInState::None,
        })
    }

    /// Makes who approved a connection a way in of the person who approved it here. False where that
    /// identity is not free: it is never taken from anybody.
    pub async fn add_way_in(&self, sign_in: &SignIn, connection: ConnectionId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let added: Option<(String, String)> = within!(tx, db => sqlx::query_as(
            "INSERT INTO identities (user_id, subject, provider, account_id, email, created_at)
             SELECT c.approved_by, c.subject, c.provider, c.account_id, c.subject_email, $4 FROM connections c
             WHERE c.id = $1 AND c.workspace_id = $2 AND c.approved_by = $3 AND c.subject IS NOT NULL
                AND c.disconnected_at IS NULL
             ON CONFLICT (subject) DO NOTHING RETURNING provider, account_id")
            .bind(connection).bind(sign_in.workspace_id).bind(sign_in.user_id).bind(now())
            .fetch_optional(db).await)?;
        let Some((provider, account)) = added else {
            return Ok(false);
        };
        let note = own(sign_in, Deed::AddedWayIn);
        tx.note(Note {
            subject: Some(&account),
            provider: Some(&provider),
            ..note
        })
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a way in from a person, with the sign-ins that were made by it. False for the last one and
    /// for one that is not theirs.
    pub async fn remove_way_in(&self, sign_in: &SignIn, identity: IdentityId) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Two at once must not take the last two ways together.
        within!(tx, db => sqlx::query("UPDATE users SET name = name WHERE id = $1")
            .bind(sign_in.user_id).execute(db).await.map(Done::rows))?;
        let removed: Option<(String, String)> = within!(tx, db => sqlx::query_as(
            "DELETE FROM identities WHERE id = $1 AND user_id = $2
                AND EXISTS (SELECT 1 FROM identities o WHERE o.user_id = $2 AND o.id <> $1)
             RETURNING provider, account_id")
            .bind(identity).bind(sign_in.user_id).fetch_optional(db).await)?;
        let Some((provider, account)) = removed else {
            return Ok(false);
        };
        let note = own(sign_in, Deed::RemovedWayIn);
        tx.note(Note {
            subject: Some(&account),
            provider: Some(&provider),
            ..note
        })
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}

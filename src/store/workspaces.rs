//! Workspaces and who belongs to them.

use super::audit::{Deed, Note};
use super::db::{Done, Tx, on, within};
use super::{Result, SignIn, Store, now};
use crate::item::{UserId, WorkspaceId};

/// What somebody may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who belongs to it and what it is called is theirs to say.
    Owner,
    Member,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "owner" => Some(Self::Owner),
            "member" => Some(Self::Member),
            _ => None,
        }
    }
}

/// Somebody who belongs to a workspace.
#[derive(Clone, Debug)]
pub struct Member {
    pub user: UserId,
    pub name: String,
    pub role: Role,
}

/// A workspace that somebody belongs to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OwnWorkspace {
    pub id: WorkspaceId,
    pub name: String,
}

/// What became of a change of a member's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    NotThere,
    /// A workspace without an owner would be nobody's.
    LastOwner,
}

impl Store {
    /// Who belongs to a workspace, in the order in which they came to Tributary.
    pub async fn members(&self, workspace: WorkspaceId) -> Result<Vec<Member>> {
        let rows: Vec<(UserId, String, String)> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT u.id, u.name, m.role FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.workspace_id = $1 ORDER BY u.id")
            .bind(workspace).fetch_all(db).await)?;
        let member = |(user, name, role): (UserId, String, String)| Member {
            user,
            name,
            role: Role::parse(&role).unwrap_or(Role::Member),
        };
        Ok(rows.into_iter().map(member).collect())
    }

    /// What somebody may do in a workspace; `None` where they do not belong to it.
    pub async fn role(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<Role>> {
        let role: Option<String> = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT role FROM members WHERE workspace_id = $1 AND user_id = $2")
            .bind(workspace).bind(user).fetch_optional(db).await)?;
        Ok(role.map(|role| Role::parse(&role).unwrap_or(Role::Member)))
    }

    /// The workspaces that somebody belongs to.
    pub async fn own_workspaces(&self, user: UserId) -> Result<Vec<OwnWorkspace>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT w.id, w.name FROM members m JOIN workspaces w ON w.id = m.workspace_id
             WHERE m.user_id = $1 ORDER BY w.id")
            .bind(user).fetch_all(db).await)
    }

    /// Every workspace there is.
    pub async fn workspaces(&self) -> Result<Vec<OwnWorkspace>> {
        on!(self.pools.read, db => sqlx::query_as("SELECT id, name FROM workspaces ORDER BY id")
            .fetch_all(db).await)
    }

    /// The name of a workspace.
    pub async fn workspace_name(&self, workspace: WorkspaceId) -> Result<Option<String>> {
        on!(self.pools.read, db => sqlx::query_scalar("SELECT name FROM workspaces WHERE id = $1")
            .bind(workspace).fetch_optional(db).await)
    }

    pub async fn rename_workspace(&self, by: &SignIn, name: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        within!(tx, db => sqlx::query("UPDATE workspaces SET name = $2 WHERE id = $1")
            .bind(by.workspace_id).bind(name).execute(db).await.map(Done::rows))?;
        tx.note(of_workspace(by, Deed::RenamedWorkspace, name))
            .await?;
        tx.commit().await
    }

    /// Has this browser see another workspace of the same person. False where it is not theirs.
    pub async fn switch_workspace(&self, by: &SignIn, to: WorkspaceId) -> Result<bool> {
        let switched = on!(self.pools.write, db => sqlx::query(
            "UPDATE sign_ins SET workspace_id = $2 WHERE id = $1
                AND EXISTS (SELECT 1 FROM members WHERE workspace_id = $2 AND user_id = $3)")
            .bind(by.id).bind(to).bind(by.user_id).execute(db).await.map(Done::rows))?;
        Ok(switched == 1)
    }

    /// Notes that somebody was invited.
    pub async fn note_invitation(&self, by: &SignIn, role: Role) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.note(of_workspace(by, Deed::Invited, role.as_str()))
            .await?;
        tx.commit().await
    }

    /// Has somebody belong to a workspace and see it. Who does already keeps what they may do there.
    /// False where the workspace is not there any more, or whoever invited them is no owner of it now.
    pub async fn join_workspace(
        &self,
        who: &SignIn,
        workspace: WorkspaceId,
        role: Role,
        by: UserId,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let joined = within!(tx, db => sqlx::query(
            "INSERT INTO members (workspace_id, user_id, role) 
             SELECT workspace_id, $2, $3 FROM members WHERE workspace_id = $1 AND user_id = $4 AND role = 'owner'
             ON CONFLICT (workspace_id, user_id) DO NOTHING")
            .bind(workspace).bind(who.user_id).bind(role.as_str()).bind(by).execute(db).await.map(Done::rows))?;
        let seen = within!(tx, db => sqlx::query(
            "UPDATE sign_ins SET workspace_id = $2 WHERE id = $1
                AND EXISTS (SELECT 1 FROM members WHERE workspace_id = $2 AND user_id = $3)")
            .bind(who.id).bind(workspace).bind(who.user_id).execute(db).await.map(Done::rows))?;
        if joined == 1 {
            let note = of_workspace(who, Deed::Joined, role.as_str());
            tx.note(Note { workspace, ..note }).await?;
        }
        tx.commit().await?;
        Ok(seen == 1)
    }

    /// Changes what a member may do, or with `None` has them belong there no more.
    pub async fn change_member(
        &self,
        by: &SignIn,
        member: UserId,
        role: Option<Role>,
    ) -> Result<Changed> {
        let mut tx = self.begin().await?;
        // Two at once must not take the last two owners together.
        within!(tx, db => sqlx::query("UPDATE workspaces SET name = name WHERE id = $1")
            .bind(by.workspace_id).execute(db).await.map(Done::rows))?;
        let name: Option<String> = within!(tx, db => sqlx::query_scalar(
            "SELECT u.name FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.workspace_id = $1 AND m.user_id = $2")
            .bind(by.workspace_id).bind(member).fetch_optional(db).await)?;
        let Some(name) = name else {
            return Ok(Changed::NotThere);
        };
        let deed = match role {
            Some(role) => {
                within!(tx, db => sqlx::query(
                    "UPDATE members SET role = $3 WHERE workspace_id = $1 AND user_id = $2")
                    .bind(by.workspace_id).bind(member).bind(role.as_str())
                    .execute(db).await.map(Done::rows))?;
                Deed::ChangedRole
            }
            None => {
                tx.remove_member(by.workspace_id, member, &name).await?;
                Deed::RemovedMember
            }
        };
        let owners: i64 = within!(tx, db => sqlx::query_scalar(
            "SELECT COUNT(*) FROM members WHERE workspace_id = $1 AND role = 'owner'")
            .bind(by.workspace_id).fetch_one(db).await)?;
        if owners == 0 {
            return Ok(Changed::LastOwner);
        }
        tx.note(of_workspace(by, deed, &name)).await?;
        tx.commit().await?;
        Ok(Changed::Done)
    }
}

impl Tx {
    /// Their browsers see another workspace of theirs from now on; who has none gets one. Their keys end.
    async fn remove_member(
        &mut self,
        workspace: WorkspaceId,
        member: UserId,
        name: &str,
    ) -> Result<()> {
        within!(self, db => sqlx::query("DELETE FROM members WHERE workspace_id = $1 AND user_id = $2")
            .bind(workspace).bind(member).execute(db).await.map(Done::rows))?;
        within!(self, db => sqlx::query(
            "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND user_id = $2 AND revoked_at IS NULL")
            .bind(workspace).bind(member).bind(now()).execute(db).await.map(Done::rows))?;
        let left: Option<WorkspaceId> = within!(self, db => sqlx::query_scalar(
            "SELECT MIN(workspace_id) FROM members WHERE user_id = $1")
            .bind(member).fetch_one(db).await)?;
        let to = match left {
            Some(to) => to,
            None => self.add_workspace(member, name).await?,
        };
        within!(self, db => sqlx::query(
            "UPDATE sign_ins SET workspace_id = $3 WHERE workspace_id = $1
                AND identity_id IN (SELECT id FROM identities WHERE user_id = $2)")
            .bind(workspace).bind(member).bind(to).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Makes a workspace of somebody's own.
    pub(super) async fn add_workspace(&mut self, owner: UserId, name: &str) -> Result<WorkspaceId> {
        // Without the domain: an address is too long for a name that stands on every page.
        let name = format!("{}’s workspace", name.split('@').next().unwrap_or(name));
        let workspace: WorkspaceId = within!(self, db => sqlx::query_scalar(
            "INSERT INTO workspaces (name, created_at) VALUES ($1, $2) RETURNING id")
            .bind(name).bind(now()).fetch_one(db).await)?;
        within!(self, db => sqlx::query(
            "INSERT INTO members (workspace_id, user_id, role) VALUES ($1, $2, 'owner')")
            .bind(workspace).bind(owner).execute(db).await.map(Done::rows))?;
        Ok(workspace)
    }
}

fn of_workspace<'a>(who: &SignIn, deed: Deed, subject: &'a str) -> Note<'a> {
    Note {
        workspace: who.workspace_id,
        user: Some(who.user_id),
        deed,
        subject: Some(subject),
        provider: None,
    }
}

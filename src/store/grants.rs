//! Sealed grants, and the lease under which one of them is renewed.
//!
//! The lease stands in the grant's own row: who can take it has proven that the database can be
//! written, before the provider is asked for something that cannot be asked for twice.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::db::{Done, Tx, on, within};
use super::{Result, Store, now, time};
use crate::item::{ConnectionId, WorkspaceId};

/// What a grant lives on, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantLife {
    /// Whether there is something to renew it with.
    pub renews: bool,
    pub renewed_at: Option<DateTime<Utc>>,
    /// When it ends unless it is renewed before, where its provider names an end.
    pub lapses_at: Option<DateTime<Utc>>,
}

impl GrantLife {
    /// Whether its stated end has passed.
    pub fn is_over(&self, at: DateTime<Utc>) -> bool {
        self.lapses_at.is_some_and(|end| end <= at)
    }

    /// How much of its stated life has passed since it was last renewed, in hundredths.
    pub fn spent(&self, at: DateTime<Utc>) -> Option<i64> {
        let (since, end) = self.renewed_at.zip(self.lapses_at)?;
        let whole = (end - since).num_milliseconds().max(1);
        Some((at - since).num_milliseconds() * 100 / whole)
    }
}

/// A grant as it is written.
pub struct SealedGrant {
    pub sealed: Vec<u8>,
    pub renews: bool,
    pub lapses_at: Option<DateTime<Utc>>,
}

impl SealedGrant {
    fn lapses_ms(&self) -> Option<i64> {
        self.lapses_at.map(|at| at.timestamp_millis())
    }
}

/// What came of asking for the lease of a grant.
#[derive(Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours: the sealed grant, and the version that a swap has to name.
    Ours {
        sealed: Vec<u8>,
        version: i64,
        life: GrantLife,
    },
    /// Somebody else renews the grant right now.
    Taken,
    /// The last attempt failed; the next may be made after this time.
    TooEarly(Duration),
    /// There is no such grant, or it has ended.
    Gone,
}

/// What came of writing a renewed grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    Stored,
    /// A newer approval stands there; ours is an orphan.
    Overtaken,
}

#[derive(sqlx::FromRow)]
struct Leased {
    sealed: Vec<u8>,
    version: i64,
    renews: bool,
    updated_at: i64,
    lapses_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Standing {
    ended: bool,
    early_ms: i64,
}

impl Tx {
    /// Stores the grant of a new approval over whatever was there: the newer approval wins, and a
    /// renewal of the older one that is still on its way finds another version.
    pub async fn save_grant(
        &mut self,
        connection: ConnectionId,
        grant: &SealedGrant,
    ) -> Result<()> {
        within!(self, db => sqlx::query(
            "INSERT INTO grants (connection_id, sealed, version, updated_at, renews, lapses_at)
             VALUES ($1, $2, 1, $3, $4, $5)
             ON CONFLICT (connection_id) DO UPDATE SET
                sealed = excluded.sealed, renews = excluded.renews, lapses_at = excluded.lapses_at, version = grants.version + 1, updated_at = excluded.updated_at,
                lease_owner = NULL, lease_until = NULL, failures = 0, retry_at = NULL")
            .bind(connection).bind(&grant.sealed).bind(now()).bind(grant.renews).bind(grant.lapses_ms()).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

impl Store {
    /// Asks for the lease of a grant, by the database's clock.
    pub async fn lease_grant(
        &self,
        connection: ConnectionId,
        owner: &str,
        life: Duration,
    ) -> Result<Lease> {
        let leased: Option<Leased> = on!(self.pools.write, db => sqlx::query_as(
            "UPDATE grants SET lease_owner = $2, lease_until = (SELECT now FROM clock) + $3
             WHERE connection_id = $1
                AND COALESCE(lease_until, 0) <= (SELECT now FROM clock)
                AND COALESCE(retry_at, 0) <= (SELECT now FROM clock)
                AND EXISTS (SELECT 1 FROM connections c WHERE c.id = $1 AND c.state = 'connected')
             RETURNING sealed, version, renews, updated_at, lapses_at")
            .bind(connection).bind(owner).bind(ms(life)).fetch_optional(db).await)?;
        if let Some(leased) = leased {
            return Ok(Lease::Ours {
                sealed: leased.sealed,
                version: leased.version,
                life: GrantLife {
                    renews: leased.renews,
                    renewed_at: Some(time(leased.updated_at)),
                    lapses_at: leased.lapses_at.map(time),
                },
            });
        }
        let standing: Option<Standing> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT c.state <> 'connected' AS ended,
                    COALESCE(g.retry_at, 0) - (SELECT now FROM clock) AS early_ms
             FROM grants g JOIN connections c ON c.id = g.connection_id WHERE g.connection_id = $1")
            .bind(connection).fetch_optional(db).await)?;
        Ok(match standing {
            None | Some(Standing { ended: true, .. }) => Lease::Gone,
            Some(Standing {
                early_ms: early @ 1..,
                ..
            }) => Lease::TooEarly(Duration::from_millis(early as u64)),
            Some(_) => Lease::Taken,
        })
    }

    /// Writes a renewed grant over the version it was renewed from. The lease stays, until the access
    /// token is where others find it. May be repeated: a write that arrived without our hearing of it
    /// is recognised.
    pub async fn swap_grant(
        &self,
        connection: ConnectionId,
        version: i64,
        grant: &SealedGrant,
    ) -> Result<Swap> {
        let swapped = on!(self.pools.write, db => sqlx::query(
            "UPDATE grants SET sealed = $3, version = version + 1, updated_at = $4, renews = $5, lapses_at = $6,
                failures = 0, retry_at = NULL
             WHERE connection_id = $1 AND version = $2")
            .bind(connection).bind(version).bind(&grant.sealed).bind(now())
            .bind(grant.renews).bind(grant.lapses_ms()).execute(db).await.map(Done::rows))?;
        if swapped == 1 {
            return Ok(Swap::Stored);
        }
        let there: Option<Vec<u8>> = on!(self.pools.write, db => sqlx::query_scalar(
            "SELECT sealed FROM grants WHERE connection_id = $1").bind(connection).fetch_optional(db).await)?;
        Ok(if there.as_deref() == Some(grant.sealed.as_slice()) {
            Swap::Stored
        } else {
            Swap::Overtaken
        })
    }

    /// Gives the lease back.
    pub async fn release_grant(&self, connection: ConnectionId, owner: &str) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE grants SET lease_owner = NULL, lease_until = NULL WHERE connection_id = $1 AND lease_owner = $2")
            .bind(connection).bind(owner).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Gives the lease back after an attempt that failed but may succeed later: nobody asks again
    /// before `wait` has passed, doubled with each failure in a row.
    pub async fn postpone_grant(
        &self,
        connection: ConnectionId,
        owner: &str,
        wait: Duration,
        longest: Duration,
    ) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE grants SET lease_owner = NULL, lease_until = NULL, failures = failures + 1,
                retry_at = (SELECT now FROM clock) + CASE WHEN $3 * (failures + 1) > $4 THEN $4 ELSE $3 * (failures + 1) END
             WHERE connection_id = $1 AND lease_owner = $2")
            .bind(connection).bind(owner).bind(ms(wait)).bind(ms(longest)).execute(db).await.map(Done::rows))?;
        Ok(())
    }

    /// Notes that the provider has ended the grant of this version: the connection wants a person.
    /// False where a newer approval has come meanwhile, which then stands.
    pub async fn end_grant(
        &self,
        connection: ConnectionId,
        version: i64,
        reason: &str,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let ended: Option<(WorkspaceId, String, String)> = within!(tx, db => sqlx::query_as(
            "UPDATE connections SET state = 'reconnect', reason = $3
             WHERE id = $1 AND state = 'connected'
                AND EXISTS (SELECT 1 FROM grants g WHERE g.connection_id = $1 AND g.version = $2)
             RETURNING workspace_id, account_name, provider")
            .bind(connection).bind(version).bind(reason).fetch_optional(db).await)?;
        let Some((workspace, account, provider)) = ended else {
            return Ok(false);
        };
        tx.note(Note {
            workspace,
            user: None,
            deed: Deed::LostApproval,
            subject: Some(&account),
            provider: Some(&provider),
        })
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a grant out for good, under the lease or without, and gives what it was.
    pub async fn take_grant(&self, connection: ConnectionId) -> Result<Option<Vec<u8>>> {
        on!(self.pools.write, db => sqlx::query_scalar(
            "DELETE FROM grants WHERE connection_id = $1 RETURNING sealed")
            .bind(connection).fetch_optional(db).await)
    }

    /// The grants that want to be looked at before their stated life is over: those that can be renewed
    /// when half of it has passed, and those that have reached their end. The most urgent first.
    pub async fn grants_near_their_end(&self, limit: i64) -> Result<Vec<ConnectionId>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT g.connection_id FROM grants g JOIN connections c ON c.id = g.connection_id
             WHERE g.lapses_at IS NOT NULL AND c.state = 'connected' AND c.disconnected_at IS NULL
                AND (g.lapses_at <= (SELECT now FROM clock)
                    OR g.renews AND g.lapses_at - (SELECT now FROM clock) <= (SELECT now FROM clock) - g.updated_at)
                AND COALESCE(g.retry_at, 0) <= (SELECT now FROM clock)
             ORDER BY g.lapses_at LIMIT $1")
            .bind(limit).fetch_all(db).await)
    }

    /// The version of a grant, which changes whenever it is renewed or approved anew.
    pub async fn grant_version(&self, connection: ConnectionId) -> Result<Option<i64>> {
        on!(self.pools.read, db => sqlx::query_scalar("SELECT version FROM grants WHERE connection_id = $1")
            .bind(connection).fetch_optional(db).await)
    }

    /// Some sealed grants, in the order of their connections, after this one.
    pub async fn grants_after(
        &self,
        connection: ConnectionId,
        limit: i64,
    ) -> Result<Vec<(ConnectionId, Vec<u8>)>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT connection_id, sealed FROM grants WHERE connection_id > $1 ORDER BY connection_id LIMIT $2")
            .bind(connection).bind(limit).fetch_all(db).await)
    }

    /// Puts the same grant there under another seal. One that has been renewed meanwhile stays: it was
    /// sealed anew by that.
    pub async fn reseal_grant(
        &self,
        connection: ConnectionId,
        old: &[u8],
        new: &[u8],
    ) -> Result<()> {
        on!(self.pools.write, db => sqlx::query(
            "UPDATE grants SET sealed = $3 WHERE connection_id = $1 AND sealed = $2")
            .bind(connection).bind(old).bind(new).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

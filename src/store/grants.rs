//! Sealed grants, and the lease under which one of them is renewed.
//!
//! The lease stands in the grant's own row: who can take it has proven that the database can be
//! written, before the provider is asked for something that cannot be asked for twice.

use std::time::Duration;

use super::db::{Done, Tx, on, within};
use super::{Result, Store, now};
use crate::item::ConnectionId;

/// What came of asking for the lease of a grant.
#[derive(Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours: the sealed grant, and the version that a swap has to name.
    Ours { sealed: Vec<u8>, version: i64 },
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
}

#[derive(sqlx::FromRow)]
struct Standing {
    ended: bool,
    early_ms: i64,
}

impl Tx {
    /// Stores the grant of a new approval over whatever was there: the newer approval wins, and a
    /// renewal of the older one that is still on its way finds another version.
    pub async fn save_grant(&mut self, connection: ConnectionId, sealed: &[u8]) -> Result<()> {
        within!(self, db => sqlx::query(
            "INSERT INTO grants (connection_id, sealed, version, updated_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (connection_id) DO UPDATE SET
                sealed = excluded.sealed, version = grants.version + 1, updated_at = excluded.updated_at,
                lease_owner = NULL, lease_until = NULL, failures = 0, retry_at = NULL")
            .bind(connection).bind(sealed).bind(now()).execute(db).await.map(Done::rows))?;
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
             RETURNING sealed, version")
            .bind(connection).bind(owner).bind(ms(life)).fetch_optional(db).await)?;
        if let Some(Leased { sealed, version }) = leased {
            return Ok(Lease::Ours { sealed, version });
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
        sealed: &[u8],
    ) -> Result<Swap> {
        let swapped = on!(self.pools.write, db => sqlx::query(
            "UPDATE grants SET sealed = $3, version = version + 1, updated_at = $4, failures = 0, retry_at = NULL
             WHERE connection_id = $1 AND version = $2")
            .bind(connection).bind(version).bind(sealed).bind(now()).execute(db).await.map(Done::rows))?;
        if swapped == 1 {
            return Ok(Swap::Stored);
        }
        let there: Option<Vec<u8>> = on!(self.pools.write, db => sqlx::query_scalar(
            "SELECT sealed FROM grants WHERE connection_id = $1").bind(connection).fetch_optional(db).await)?;
        Ok(if there.as_deref() == Some(sealed) {
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
        let ended = on!(self.pools.write, db => sqlx::query(
            "UPDATE connections SET state = 'reconnect', reason = $3
             WHERE id = $1 AND state = 'connected'
                AND EXISTS (SELECT 1 FROM grants g WHERE g.connection_id = $1 AND g.version = $2)")
            .bind(connection).bind(version).bind(reason).execute(db).await.map(Done::rows))?;
        Ok(ended == 1)
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

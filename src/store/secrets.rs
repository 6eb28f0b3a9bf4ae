//! What the installation itself keeps sealed.

use super::db::{Done, on};
use super::{Result, Store};

impl Store {
    /// The sealed value of that name, if there is one.
    pub async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        on!(self.pools.read, db =>
            sqlx::query_scalar("SELECT sealed FROM secrets WHERE name = $1").bind(name).fetch_optional(db).await)
    }

    /// Keeps `sealed` under `name` unless something is there already, and answers what is there now.
    pub async fn secret_or_insert(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        on!(self.pools.write, db =>
            sqlx::query("INSERT INTO secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                .bind(name).bind(sealed).execute(db).await.map(Done::rows))?;
        on!(self.pools.write, db =>
            sqlx::query_scalar("SELECT sealed FROM secrets WHERE name = $1").bind(name).fetch_one(db).await)
    }

    /// Whether anything in this database has been sealed, so that a key must exist for it.
    pub async fn holds_sealed_rows(&self) -> Result<bool> {
        let n: i64 = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM secrets) + (SELECT COUNT(*) FROM grants)").fetch_one(db).await)?;
        Ok(n > 0)
    }

    /// The first bytes of everything sealed, each beginning once: they name the keys that are needed.
    pub async fn sealed_heads(&self, length: i32) -> Result<Vec<Vec<u8>>> {
        on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT SUBSTR(sealed, 1, $1) FROM secrets UNION SELECT SUBSTR(sealed, 1, $1) FROM grants")
            .bind(length).fetch_all(db).await)
    }

    /// All secrets, by name.
    pub async fn secrets(&self) -> Result<Vec<(String, Vec<u8>)>> {
        on!(self.pools.read, db =>
            sqlx::query_as("SELECT name, sealed FROM secrets ORDER BY name").fetch_all(db).await)
    }

    /// Puts the same secret there under another seal, unless somebody changed it meanwhile.
    pub async fn reseal_secret(&self, name: &str, old: &[u8], new: &[u8]) -> Result<()> {
        on!(self.pools.write, db =>
            sqlx::query("UPDATE secrets SET sealed = $3 WHERE name = $1 AND sealed = $2")
                .bind(name).bind(old).bind(new).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

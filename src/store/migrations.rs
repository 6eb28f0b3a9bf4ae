//! The schema's history. A migration is never edited once it has been released; a new one follows.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, PgPool, SqlSafeStr, SqliteConnection};

use super::Result;

/// Number, name, and the text for each database.
const ALL: [(i64, &str, &str, &str); 1] = [(
    1,
    "start",
    include_str!("../../migrations/sqlite/0001_start.sql"),
    include_str!("../../migrations/postgres/0001_start.sql"),
)];

/// sqlx takes no lock around SQLite migrations. Inside one immediate transaction its own ones become
/// savepoints: a second process that starts at the same moment waits, and then finds all done.
pub(super) async fn run_on_sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrator(|sqlite, _| sqlite).run(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// On PostgreSQL sqlx takes an advisory lock of its own.
pub(super) async fn run_on_postgres(pool: &PgPool) -> Result<()> {
    Ok(migrator(|_, postgres| postgres).run(pool).await?)
}

fn migrator(dialect: fn(&'static str, &'static str) -> &'static str) -> Migrator {
    let migrations = ALL.iter().map(|&(number, name, sqlite, postgres)| {
        let sql = dialect(sqlite, postgres).into_sql_str();
        Migration::new(number, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

//! The schema's history. A migration is never edited once it has been released; a new one follows.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, PgPool, SqlSafeStr, SqliteConnection};

use super::Result;

/// A migration's name, and its text for each database.
struct Step(&'static str, &'static str, &'static str);

macro_rules! step {
    ($name:literal) => {
        Step(
            $name,
            include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        )
    };
}

/// In their order; the first is number 1.
const ALL: [Step; 16] = [
    step!("0001_start"),
    step!("0002_audit"),
    step!("0003_ways_in"),
    step!("0004_lapse"),
    step!("0005_sources"),
    step!("0006_schedule"),
    step!("0007_sweeps"),
    step!("0008_keys"),
    step!("0009_progress"),
    step!("0010_wishes"),
    step!("0011_list"),
    step!("0012_changes"),
    step!("0013_weeks"),
    step!("0014_rosters"),
    step!("0015_rosters_apart"),
    step!("0016_item_blocks"),
];

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
    let migrations = ALL
        .iter()
        .zip(1..)
        .map(|(&Step(name, sqlite, postgres), number)| {
            let sql = dialect(sqlite, postgres).into_sql_str();
            let described = name.split_once('_').map_or(name, |(_, name)| name);
            Migration::new(number, described.into(), MigrationType::Simple, sql, false)
        });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_is_named_by_its_place() {
        for (Step(name, ..), number) in ALL.iter().zip(1..) {
            assert!(
                name.starts_with(&format!("{number:04}_")),
                "{name}: {number}"
            );
        }
    }
}

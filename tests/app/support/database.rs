//! A database of a test's own, of either kind, and a look into it past the store.

use std::path::PathBuf;

use sqlx::Row;
use tempfile::TempDir;
use tributary::store::{Location, Pool, Store};

use super::services::postgres_database;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

/// A database that nobody has opened yet.
pub struct Database {
    pub location: Location,
    folder: Option<TempDir>,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            location: Location::Sqlite(folder.path().join("tributary.db")),
            folder: Some(folder),
        }
    }

    pub async fn postgres() -> Self {
        let address = postgres_database().await;
        Self {
            location: address.parse().expect("a PostgreSQL address"),
            folder: None,
        }
    }

    pub async fn open(&self) -> Store {
        let store = Store::open(&self.location).await;
        store.unwrap_or_else(|error| panic!("the store opens: {error}"))
    }

    /// Everything that SQLite has written so far, its log included.
    pub fn bytes(&self) -> Vec<u8> {
        let folder = self.folder.as_ref().expect("a SQLite database").path();
        let files = std::fs::read_dir(folder).expect("the folder");
        let files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        let read = |file: &PathBuf| std::fs::read(file).expect("the file");
        files.iter().flat_map(read).collect()
    }
}

/// The number that a query gives in the database at this address, beside whoever uses it.
pub async fn number_at(url: &str, sql: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    let number = match url.strip_prefix("sqlite:") {
        Some(path) => {
            let options = SqliteConnectOptions::new().filename(path);
            let mut connection = options.connect().await.expect("SQLite opens");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        }
        None => {
            let mut connection = PgConnection::connect(url)
                .await
                .expect("PostgreSQL answers");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        }
    };
    number.expect("a number")
}

/// The text that a query gives in the SQLite file at this address.
pub async fn text_at(url: &str, sql: &'static str) -> String {
    let path = url.strip_prefix("sqlite:").expect("a file");
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("SQLite opens");
    let text = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    text.expect("a text")
}

/// Does something in the SQLite file at this address that the product has no words for.
pub async fn execute_at(url: &str, sql: &'static str) {
    let path = url.strip_prefix("sqlite:").expect("a file");
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("SQLite opens");
    sqlx::raw_sql(sql)
        .execute(&mut connection)
        .await
        .expect("done");
}

/// The number that a query of the test's own answers.
pub async fn number(pool: &Pool, sql: &'static str) -> i64 {
    let number = match pool {
        Pool::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        Pool::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
    };
    number.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The first column of each row, as bytes.
pub async fn column(pool: &Pool, sql: &'static str) -> Vec<Vec<u8>> {
    let column = match pool {
        Pool::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await,
        Pool::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await,
    };
    column.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Does something that the product has no words for.
pub async fn execute(pool: &Pool, sql: &'static str) {
    let done = match pool {
        Pool::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        Pool::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
    };
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The tables, indices and columns that there are, in words, sorted.
pub async fn schema(pool: &Pool) -> Vec<String> {
    let sqlite = "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master";
    let postgres = "SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'";
    let mut words: Vec<String> = match pool {
        Pool::Sqlite(pool) => {
            let rows = sqlx::query(sqlite).fetch_all(pool).await;
            rows.expect("a schema")
                .iter()
                .map(|row| row.get(0))
                .collect()
        }
        Pool::Postgres(pool) => {
            let rows = sqlx::query(postgres).fetch_all(pool).await;
            rows.expect("a schema")
                .iter()
                .map(|row| row.get(0))
                .collect()
        }
    };
    words.sort();
    words
}

/// Makes of each story one test on a database of either kind.
macro_rules! on_both_databases {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story($crate::support::database::Database::sqlite()).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story($crate::support::database::Database::postgres().await).await;
            })+
        }
    };
}

pub(crate) use on_both_databases;

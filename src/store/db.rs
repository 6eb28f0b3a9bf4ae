//! The two databases behind one set of queries.
//!
//! Each query is written once, with `$1` placeholders that both databases take, and compiled for each
//! driver by [`on!`] and [`within!`]. sqlx's own `Any` driver would do that at run time, for the price
//! of copying each value and of losing what only one database has, such as `BEGIN IMMEDIATE`.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Postgres, Sqlite, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::changes::News;
use super::{Error, Result, is_locked, migrations};

/// How long any call may take before the store counts as away.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How long SQLite waits for a lock. It must give up before the deadline does: a write that is still
/// waiting when its caller has been told that it failed may be done after all.
const LOCK_WAIT: Duration = Duration::from_millis(1_500);

/// How long a start waits for another process that is just setting up the same file.
const START_WAIT: Duration = Duration::from_secs(60);
const START_PAUSE: Duration = Duration::from_millis(20);

/// Readers of one process. Each keeps pages of its own, and on a few cores more of them only wait for
/// each other.
const READERS: u32 = 4;
/// Connections of one process to PostgreSQL.
const CONNECTIONS: u32 = 12;

/// Writes of work that nobody sits before, such as imports, that may be open or wait for a connection at
/// once. On SQLite a person's write stands behind one of them, however many there are.
const IN_TURN_ON_SQLITE: usize = 1;
const IN_TURN_ON_POSTGRES: usize = 4;

/// Rows of an answer that SQLite's thread may be ahead of who reads them, before it stops to wait.
const ROWS: usize = 1_024;

/// Pages of SQLite's log after which whoever ends a write carries them over to the file, and all who wait
/// to write wait for that. Long before, those who write in turn stand aside for it.
const LOG_PAGES: &str = "8000";
/// Writes in turn after which the log is carried over.
const ASIDE: u32 = 4;

/// Something that exists once for each database.
pub enum Either<S, P> {
    Sqlite(S),
    Postgres(P),
}

pub type Pool = Either<SqlitePool, PgPool>;

/// A write transaction. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    pub(super) open: Either<SqliteTx, Transaction<'static, Postgres>>,
    /// What the feed is to tell of it, written at its end.
    pub(super) news: Vec<News>,
    since: Instant,
    /// That of a write that queued behind its like.
    _turn: Option<OwnedSemaphorePermit>,
}

/// A transaction on SQLite's one writer. SQLite ends a transaction by itself when the disk is full or
/// fails, and sqlx's own would then wait on that connection for an end that has been; so one that was
/// not committed takes its connection with it, and the next begins on a new one.
pub struct SqliteTx {
    connection: PoolConnection<Sqlite>,
    committed: bool,
}

impl SqliteTx {
    async fn begin(pool: &SqlitePool) -> sqlx::Result<Self> {
        let connection = pool.acquire().await?;
        let mut tx = Self {
            connection,
            committed: false,
        };
        // A transaction that begins by reading could not be upgraded while another writes.
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut *tx.connection)
            .await?;
        Ok(tx)
    }

    async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::query("COMMIT").execute(&mut *self.connection).await?;
        self.committed = true;
        Ok(())
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.close_on_drop();
        }
    }
}

/// Runs `$query`, an awaited expression over the executor `$db`, on the pool behind `$pool`.
macro_rules! on {
    ($pool:expr, $db:ident => $query:expr) => {
        $crate::store::db::deadline(async {
            match &$pool {
                $crate::store::db::Either::Sqlite($db) => $query,
                $crate::store::db::Either::Postgres($db) => $query,
            }
        })
        .await
    };
}

/// Runs `$query`, an awaited expression over the executor `$db`, inside the transaction `$tx`.
macro_rules! within {
    ($tx:expr, $db:ident => $query:expr) => {
        $crate::store::db::deadline(async {
            match &mut $tx.open {
                $crate::store::db::Either::Sqlite(tx) => {
                    let $db = tx.connection();
                    $query
                }
                $crate::store::db::Either::Postgres(tx) => {
                    let $db = &mut **tx;
                    $query
                }
            }
        })
        .await
    };
}

pub(crate) use {on, within};

/// How many rows a statement touched, whichever driver says it.
pub trait Done {
    fn rows(self) -> u64;
}

impl Done for sqlx::sqlite::SqliteQueryResult {
    fn rows(self) -> u64 {
        self.rows_affected()
    }
}

impl Done for sqlx::postgres::PgQueryResult {
    fn rows(self) -> u64 {
        self.rows_affected()
    }
}

/// Gives a call its deadline and its error the store's own kind.
pub async fn deadline<T>(call: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer.map_err(Error::from),
        Err(_) => Err(Error::TimedOut),
    }
}

/// Where the data is, as `DATABASE_URL` says it.
#[derive(Clone, Debug)]
pub enum Location {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl FromStr for Location {
    type Err = String;

    fn from_str(url: &str) -> std::result::Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err("names no file; write sqlite:tributary.db".into()),
                _ if path.contains(['?', '#']) || path.contains(":memory:") => {
                    Err("must be a plain file name, without options".into())
                }
                _ => Ok(Self::Sqlite(path.into())),
            };
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return PgConnectOptions::from_str(url)
                .map(|options| Self::Postgres(Box::new(options)))
                .map_err(|_| {
                    "is not a PostgreSQL address; write postgres://user@host/database".into()
                });
        }
        Err("must begin with sqlite: or postgres:".into())
    }
}

/// Makes the file before SQLite does, which would let everybody on the machine read it. What SQLite
/// puts beside it takes its mode from it.
fn create_for_owner(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Pools to read from and one to write through.
///
/// SQLite has one writer at a time; with one connection for it, writers of this process queue here,
/// in order, and not in SQLite's busy loop. On PostgreSQL all are the same pool.
pub(super) struct Pools {
    pub read: Pool,
    pub write: Pool,
    /// For work that nobody waits for, which looks at everything once or carries the log over. Through the
    /// readers of pages it would fill the memory of each with what no page asks for.
    pub behind: Pool,
    turns: Arc<Semaphore>,
    /// Writes in turn so far.
    in_turn: AtomicU32,
}

impl Pools {
    pub async fn open(location: &Location) -> Result<Self> {
        match location {
            Location::Sqlite(path) => Self::open_sqlite(path).await,
            Location::Postgres(options) => Self::open_postgres(options).await,
        }
    }

    async fn open_sqlite(path: &PathBuf) -> Result<Self> {
        create_for_owner(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A grant that was written must be there after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(LOCK_WAIT)
            .row_buffer_size(ROWS)
            // What a statement of many rows might have to undo would go through a file of its own.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .disable_statement_logging();
        // Apart from the pools, whose connections must not wait that long, and open until they are: with
        // its last connection SQLite would take its log away, under whoever comes in at that moment.
        let mut start = start_sqlite(&options.clone().busy_timeout(START_WAIT)).await?;
        migrations::run_on_sqlite(&mut start).await?;
        let pool = |most, options| {
            let pool = SqlitePoolOptions::new().max_connections(most);
            pool.acquire_timeout(DEADLINE).connect_with(options)
        };
        let reading = options.clone().create_if_missing(false);
        let reading = reading.pragma("query_only", "on");
        let write = pool(1, options).await?;
        let read = pool(READERS, reading.clone()).await?;
        let behind = pool(1, reading).await?;
        start.close().await?;
        Ok(Self {
            read: Either::Sqlite(read),
            write: Either::Sqlite(write),
            behind: Either::Sqlite(behind),
            turns: Arc::new(Semaphore::new(IN_TURN_ON_SQLITE)),
            in_turn: AtomicU32::new(0),
        })
    }

    async fn open_postgres(options: &PgConnectOptions) -> Result<Self> {
        // Once without the pool, which would say of any trouble only that it waited in vain.
        deadline(async { options.connect().await?.close().await }).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(DEADLINE)
            .connect_with(options.clone().disable_statement_logging())
            .await?;
        migrations::run_on_postgres(&pool).await?;
        Ok(Self {
            read: Either::Postgres(pool.clone()),
            behind: Either::Postgres(pool.clone()),
            write: Either::Postgres(pool),
            turns: Arc::new(Semaphore::new(IN_TURN_ON_POSTGRES)),
            in_turn: AtomicU32::new(0),
        })
    }

    pub async fn begin(&self) -> Result<Tx> {
        deadline(async {
            let open = match &self.write {
                Either::Sqlite(pool) => Either::Sqlite(SqliteTx::begin(pool).await?),
                Either::Postgres(pool) => Either::Postgres(pool.begin().await?),
            };
            let since = Instant::now();
            Ok(Tx {
                open,
                news: Vec::new(),
                since,
                _turn: None,
            })
        })
        .await
    }

    /// The same in turn: those that began to wait first go first, and only so many stand in the way of
    /// others. To wait for one's turn takes as long as it takes; no store is away for that.
    pub async fn begin_in_turn(&self) -> Result<Tx> {
        if self.in_turn.fetch_add(1, Ordering::Relaxed) % ASIDE == ASIDE - 1 {
            self.carry_over().await;
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let tx = self.begin().await?;
        Ok(Tx { _turn: turn, ..tx })
    }

    /// Carries SQLite's log over to the file while nobody writes in turn. Others may write meanwhile; the
    /// log begins anew with the next write once all of it is carried over.
    async fn carry_over(&self) {
        let Either::Sqlite(pool) = &self.behind else {
            return;
        };
        let _turn = self.turns.acquire().await;
        let done = deadline(sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(pool)).await;
        if let Err(error) = done {
            tracing::debug!(%error, "the log was not carried over yet");
        }
    }

    pub async fn close(&self) {
        for pool in [&self.read, &self.behind, &self.write] {
            match pool {
                Either::Sqlite(pool) => pool.close().await,
                Either::Postgres(pool) => pool.close().await,
            }
        }
    }
}

/// The first connection of a process. While another is turning a fresh file's log on, SQLite says
/// "locked" at once, whatever its busy time-out: it has read already and could not go back to waiting.
async fn start_sqlite(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let start = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_locked(&error) && start.elapsed() < START_WAIT => {
                tokio::time::sleep(START_PAUSE).await;
            }
            connected => return Ok(connected?),
        }
    }
}

impl Tx {
    /// On PostgreSQL, waits until no other transaction holds this number, and holds it to its end. SQLite
    /// has one writer anyway.
    pub(super) async fn hold(&mut self, number: i64) -> Result<()> {
        if let Either::Postgres(tx) = &mut self.open {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(number);
            let asked = Instant::now();
            deadline(lock.execute(&mut **tx)).await?;
            // As long as it waited, it was in nobody's way.
            self.since += asked.elapsed();
        }
        Ok(())
    }

    pub async fn commit(self) -> Result<()> {
        self.finish().await.map(drop)
    }

    /// Commits, and says how long others may have waited for it.
    pub async fn finish(mut self) -> Result<Duration> {
        self.write_news().await?;
        deadline(async {
            match self.open {
                Either::Sqlite(tx) => tx.commit().await,
                Either::Postgres(tx) => tx.commit().await,
            }
        })
        .await?;
        let took = self.since.elapsed();
        tracing::trace!(duration_ms = took.as_millis() as u64, "written");
        Ok(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_has_ended_by_itself_is_not_the_end_of_writing() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("t.db"));
        let pools = Pools::open(&location).await.unwrap();
        let insert = "INSERT OR ROLLBACK INTO secrets (name, sealed) VALUES ('a', x'00')";
        let mut tx = pools.begin().await.unwrap();
        let first = within!(tx, db => sqlx::query(insert).execute(db).await.map(Done::rows));
        assert!(first.is_ok());
        // As on a full disk: the transaction is over, though nobody asked for its end.
        let second = within!(tx, db => sqlx::query(insert).execute(db).await.map(Done::rows));
        assert!(second.is_err());
        drop(tx);
        for _ in 0..3 {
            let mut tx = pools.begin().await.unwrap();
            within!(tx, db => sqlx::query("DELETE FROM secrets").execute(db).await.map(Done::rows))
                .unwrap();
            tx.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn however_much_is_written_in_turn_the_log_is_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("t.db"));
        let pools = Pools::open(&location).await.unwrap();
        let insert = "INSERT INTO secrets (name, sealed) VALUES ($1, randomblob(500000))";
        for name in 0..10 * i64::from(ASIDE) {
            let mut tx = pools.begin_in_turn().await.unwrap();
            within!(tx, db => sqlx::query(insert).bind(name.to_string()).execute(db).await.map(Done::rows))
                .unwrap();
            tx.commit().await.unwrap();
        }
        let log = std::fs::metadata(folder.path().join("t.db-wal")).unwrap();
        let few = u64::from(ASIDE + 2) * 500_000;
        assert!(log.len() < few, "{} bytes", log.len());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_database_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let pools = Pools::open(&Location::Sqlite(folder.path().join("t.db")))
            .await
            .unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
        }
        pools.close().await;
    }
}

//! What must survive: SQL, on SQLite or PostgreSQL alike. One file for each thing that is kept.

mod audit;
mod changes;
mod connections;
mod counts;
pub(crate) mod db;
mod grants;
mod history;
mod instances;
mod item;
mod item_ids;
mod items;
mod keys;
mod list;
mod list_filters;
mod list_sql;
mod marks;
mod migrations;
mod names;
mod paths;
mod people;
mod removals;
mod runs;
mod schedule;
mod secrets;
mod sources;
mod sql;
mod sweeps;
mod weeks;
mod workspaces;

use chrono::{DateTime, Utc};

pub use audit::{Deed, KEPT as AUDIT_KEPT, Note, Noted};
pub use changes::{Change, ChangeKind, Feed, KEPT as CHANGES_KEPT};
pub use connections::{Approval, Approver, Connection, ConnectionState, Left, NewConnection};
pub use counts::{Count, Counts, KindCount};
pub use db::{DEADLINE, Location, Pool, Tx};
pub(crate) use db::{Done, on};
pub use grants::{GrantLife, Lease, SealedGrant, Swap};
pub use instances::SAY_SO;
pub use item::{Child, ItemKey, Whole};
pub use items::PageCounts;
pub use keys::{ApiKey, LiveKey, NewKey};
pub use list::{Above, Filters, ListQuery, ListRow, Mark, Sort, SortBy, Span};
pub use marks::Reach;
pub use people::{
    Identity, Known, LONGEST_SIGN_IN, NewPerson, OwnSignIn, SignIn, WayIn, WayInState,
};
pub use removals::{Answer, Answered, Question};
pub use runs::{Cause, Cost, Pulse, RateUsed, Run, RunState, StreamProgress, UnfinishedRun};
pub use schedule::Due;
pub use sources::{Coverage, Covered, Ended, NewSource, OpenSource, Progress};
pub use sweeps::{DROPPED_AT_ONCE, DueSweep, FIRST, Standing};
pub use weeks::{Week, WeekCount};
pub use workspaces::{Changed, Member, OwnWorkspace, Role};

pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the store, split by whether trying again can help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database did not answer within {} s", DEADLINE.as_secs())]
    TimedOut,
    #[error("the database cannot be reached: {0}")]
    Away(#[source] sqlx::Error),
    #[error("the database refused a query: {0}")]
    Refused(#[source] sqlx::Error),
    #[error("the database could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Somebody else changed the row first.
    #[error("the row was changed meanwhile")]
    Overtaken,
}

impl Error {
    /// Whether the store is away, rather than the query wrong.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Away(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let away = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(answer) => answer.code().is_some_and(|code| means_away(&code)),
            _ => false,
        };
        if away {
            Self::Away(error)
        } else {
            Self::Refused(error)
        }
    }
}

const BUSY: u32 = 5;

/// Whether another connection holds the SQLite file.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|answer| answer.code());
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == BUSY)
}

/// PostgreSQL's SQLSTATEs have five characters; SQLite's codes are numbers, the kind in the low byte.
fn means_away(code: &str) -> bool {
    const LOCKED: u32 = 6;
    const READ_ONLY: u32 = 8;
    const IO: u32 = 10;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    match code.len() {
        // Connection lost, undone in favour of another, out of resources, told to stop, or a standby that
        // takes no writes.
        5 => {
            ["08", "40", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class))
                || code == "25006"
        }
        _ => code.parse::<u32>().is_ok_and(|code| {
            [BUSY, LOCKED, READ_ONLY, IO, FULL, CANNOT_OPEN].contains(&(code & 0xff))
        }),
    }
}

/// The SQL store of one installation.
pub struct Store {
    pools: db::Pools,
    reach: Reach,
}

impl Store {
    /// Opens the database, made on first use, and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self> {
        let pools = db::Pools::open(location).await?;
        let reach = Reach::default();
        Ok(Self { pools, reach })
    }

    /// The same store, whose lists take their ways at other sizes.
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Begins a write; what is done in it is there whole or not at all.
    pub async fn begin(&self) -> Result<Tx> {
        self.pools.begin().await
    }

    /// Begins a write that nobody sits before: many of them queue here and not in everybody's way.
    pub async fn begin_in_turn(&self) -> Result<Tx> {
        self.pools.begin_in_turn().await
    }

    /// Answers when the database can be read.
    pub async fn ping(&self) -> Result<()> {
        let _: i64 = on!(self.pools.read, db => sqlx::query_scalar("SELECT now FROM clock").fetch_one(db).await)?;
        Ok(())
    }

    /// The pool that reads, for what else is kept in the same database.
    pub fn reader(&self) -> &Pool {
        &self.pools.read
    }

    /// The pool that writes, for what else is kept in the same database.
    pub fn writer(&self) -> &Pool {
        &self.pools.write
    }

    pub async fn close(&self) {
        self.pools.close().await;
    }
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn now() -> i64 {
    Utc::now().timestamp_millis()
}

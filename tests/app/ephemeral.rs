//! What expires: one set of stories for the table in SQLite, the one in PostgreSQL, and Redis.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_session::storage::{SessionKey, SessionStore};
use actix_web::cookie::time::Duration as Ttl;
use futures_util::future::{BoxFuture, join_all};
use tributary::ephemeral::{
    Away, RedisLocation, Sessions, SharedEphemeral, SqlEphemeral, connect_redis,
};
use tributary::store::Store;

use crate::support::app::until;
use crate::support::database::{Database, column, execute, number};
use crate::support::services::Redis;

/// Over before anybody looks.
const INSTANT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);
/// Far more than any deadline of the store, far less than for ever.
const GENEROUS: Duration = Duration::from_secs(30);
/// Callers that want the same thing at the same moment.
const CROWD: usize = 16;

/// Makes of each story one test on each of the three.
macro_rules! on_each {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(super::Home::sqlite().await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(super::Home::postgres().await).await;
            })+
        }

        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(super::Home::redis().await).await;
            })+
        }
    };
}

on_each! {
    an_entry_is_there_until_it_is_forgotten,
    an_entry_put_over_another_replaces_its_value_and_its_life,
    an_expired_entry_is_gone_for_every_question,
    of_many_who_take_an_entry_one_gets_it,
    of_many_who_claim_a_name_one_holds_it,
    of_many_who_claim_an_expired_name_one_holds_it,
    a_claim_is_free_again_when_it_runs_out_or_is_given_up,
    only_who_holds_an_entry_renews_or_releases_it,
    any_bytes_come_back_as_they_were_put,
    a_session_is_kept_updated_and_deleted,
    a_session_that_ran_out_is_gone,
    a_session_that_is_given_less_time_runs_out_sooner,
    the_id_that_the_browser_holds_stands_nowhere_in_the_store,
}

/// An ephemeral store and what it stands on.
struct Home {
    store: SharedEphemeral,
    sessions: Sessions,
    ground: Ground,
}

enum Ground {
    Sql(Arc<Store>, Database),
    Redis(Redis),
}

impl Home {
    async fn sqlite() -> Self {
        Self::sql(Database::sqlite()).await
    }

    async fn postgres() -> Self {
        Self::sql(Database::postgres().await).await
    }

    async fn sql(database: Database) -> Self {
        let sql = Arc::new(database.open().await);
        let store: SharedEphemeral = Arc::new(SqlEphemeral::new(Arc::clone(&sql)));
        Self {
            sessions: Sessions::in_store(Arc::clone(&store)),
            store,
            ground: Ground::Sql(sql, database),
        }
    }

    async fn redis() -> Self {
        let server = Redis::start().await;
        let (store, sessions) = on_redis_at(&server.url()).await;
        Self {
            store,
            sessions,
            ground: Ground::Redis(server),
        }
    }

    /// All that the store holds, names and values, as it would be found by who reads it.
    async fn everything(&self) -> Vec<u8> {
        match &self.ground {
            Ground::Sql(sql, database) => {
                let names = r#"SELECT CAST("key" AS BYTEA) FROM ephemeral"#;
                let values = "SELECT value FROM ephemeral";
                match sql.reader() {
                    tributary::store::Pool::Sqlite(_) => database.bytes(),
                    postgres => {
                        let mut all = column(postgres, names).await;
                        all.extend(column(postgres, values).await);
                        all.concat()
                    }
                }
            }
            Ground::Redis(server) => server.everything().await,
        }
    }
}

async fn on_redis_at(url: &str) -> (SharedEphemeral, Sessions) {
    let location: RedisLocation = url.parse().expect("an address");
    let redis = connect_redis(&location).expect("a pool");
    let sessions = Sessions::in_redis(&redis).await.expect("sessions");
    (Arc::new(redis), sessions)
}

async fn get(home: &Home, key: &str) -> Option<Vec<u8>> {
    home.store.get(key).await.expect("an answer")
}

async fn put(home: &Home, key: &str, value: &[u8], life: Duration) {
    home.store.put(key, value, life).await.expect("it is kept");
}

async fn gone(home: &Home, key: &str) {
    until("the entry has expired", async || {
        get(home, key).await.is_none()
    })
    .await;
}

async fn an_entry_is_there_until_it_is_forgotten(home: Home) {
    assert_eq!(get(&home, "a").await, None);
    put(&home, "a", b"1", LONG).await;
    put(&home, "b", b"2", LONG).await;
    assert_eq!(get(&home, "a").await.as_deref(), Some(&b"1"[..]));
    home.store.forget("a").await.expect("forgotten");
    home.store.forget("a").await.expect("nothing to forget");
    assert_eq!(get(&home, "a").await, None);
    assert_eq!(get(&home, "b").await.as_deref(), Some(&b"2"[..]));
}

async fn an_entry_put_over_another_replaces_its_value_and_its_life(home: Home) {
    put(&home, "a", b"1", INSTANT).await;
    put(&home, "a", b"2", LONG).await;
    put(&home, "b", b"1", LONG).await;
    put(&home, "b", b"2", INSTANT).await;
    gone(&home, "b").await;
    assert_eq!(get(&home, "a").await.as_deref(), Some(&b"2"[..]));
}

async fn an_expired_entry_is_gone_for_every_question(home: Home) {
    for key in ["get", "take", "renew", "claim", "release"] {
        put(&home, key, b"1", INSTANT).await;
    }
    for key in ["get", "take", "renew", "claim", "release"] {
        gone(&home, key).await;
    }
    let store = &home.store;
    assert_eq!(store.take("take").await.expect("an answer"), None);
    assert!(!store.renew("renew", b"1", LONG).await.expect("an answer"));
    assert_eq!(get(&home, "renew").await, None);
    assert!(store.claim("claim", b"2", LONG).await.expect("an answer"));
    assert_eq!(get(&home, "claim").await.as_deref(), Some(&b"2"[..]));
    store.release("release", b"1").await.expect("an answer");
}

async fn of_many_who_take_an_entry_one_gets_it(home: Home) {
    put(&home, "state", b"1", LONG).await;
    let all = join_all((0..CROWD).map(|_| home.store.take("state"))).await;
    let got = all.into_iter().filter_map(|one| one.expect("an answer"));
    assert_eq!(got.collect::<Vec<_>>(), [b"1"]);
    assert_eq!(get(&home, "state").await, None);
}

/// How many of a crowd get the claim, with the value that was put by the one who did.
async fn claimed_by(home: &Home, key: &str) -> Vec<usize> {
    let claim = async |who: usize| {
        let value = [u8::try_from(who).expect("a small number")];
        home.store.claim(key, &value, LONG).await
    };
    let all = join_all((0..CROWD).map(claim)).await;
    let all = all.into_iter().enumerate();
    all.filter_map(|(who, held)| held.expect("an answer").then_some(who))
        .collect()
}

async fn of_many_who_claim_a_name_one_holds_it(home: Home) {
    let holders = claimed_by(&home, "lease").await;
    assert_eq!(holders.len(), 1);
    let value = get(&home, "lease").await.expect("the holder's value");
    assert_eq!(usize::from(value[0]), holders[0]);
}

async fn of_many_who_claim_an_expired_name_one_holds_it(home: Home) {
    put(&home, "lease", b"old", INSTANT).await;
    gone(&home, "lease").await;
    assert_eq!(claimed_by(&home, "lease").await.len(), 1);
}

async fn a_claim_is_free_again_when_it_runs_out_or_is_given_up(home: Home) {
    let store = &home.store;
    let claim = async |key: &str, life| store.claim(key, b"1", life).await.expect("an answer");
    assert!(claim("short", INSTANT).await);
    until("the claim has run out", async || claim("short", LONG).await).await;

    assert!(claim("given up", LONG).await);
    assert!(!claim("given up", LONG).await, "not even for its holder");
    store.release("given up", b"1").await.expect("an answer");
    assert!(claim("given up", LONG).await);
}

async fn only_who_holds_an_entry_renews_or_releases_it(home: Home) {
    let store = &home.store;
    put(&home, "lease", b"mine", LONG).await;
    assert!(
        !store
            .renew("lease", b"theirs", INSTANT)
            .await
            .expect("an answer")
    );
    assert!(!store.renew("lease", b"", INSTANT).await.expect("an answer"));
    assert!(!store.renew("none", b"mine", LONG).await.expect("an answer"));
    store.release("lease", b"theirs").await.expect("an answer");
    assert_eq!(get(&home, "lease").await.as_deref(), Some(&b"mine"[..]));

    assert!(
        store
            .renew("lease", b"mine", INSTANT)
            .await
            .expect("an answer")
    );
    gone(&home, "lease").await;
    put(&home, "lease", b"mine", LONG).await;
    store.release("lease", b"mine").await.expect("an answer");
    assert_eq!(get(&home, "lease").await, None);
}

async fn any_bytes_come_back_as_they_were_put(home: Home) {
    let store = &home.store;
    let all: Vec<u8> = (0..=255).chain([0, 0xff, b'\r', b'\n']).collect();
    for value in [all.as_slice(), b"", &vec![0; 100_000]] {
        put(&home, "a", value, LONG).await;
        assert_eq!(get(&home, "a").await.as_deref(), Some(value));
        assert!(store.renew("a", value, LONG).await.expect("an answer"));
        assert_eq!(
            store.take("a").await.expect("an answer").as_deref(),
            Some(value)
        );
        assert!(store.claim("a", value, LONG).await.expect("an answer"));
        store.release("a", value).await.expect("an answer");
        assert_eq!(get(&home, "a").await, None);
    }
}

fn state(value: &str) -> HashMap<String, String> {
    HashMap::from([("marker".to_owned(), value.to_owned())])
}

async fn load(home: &Home, key: &SessionKey) -> Option<HashMap<String, String>> {
    home.sessions.load(key).await.expect("an answer")
}

/// The key as another request brings it.
fn again(key: &SessionKey) -> SessionKey {
    key.as_ref().to_owned().try_into().expect("a key")
}

async fn a_session_is_kept_updated_and_deleted(home: Home) {
    let hour = Ttl::hours(1);
    let sessions = &home.sessions;
    let one = sessions.save(state("1"), &hour).await.expect("saved");
    let two = sessions.save(state("2"), &hour).await.expect("saved");
    assert_ne!(one.as_ref(), two.as_ref());
    assert_eq!(load(&home, &one).await, Some(state("1")));

    let same = sessions.update(again(&one), state("1b"), &hour).await;
    assert_eq!(same.expect("updated").as_ref(), one.as_ref());
    assert_eq!(load(&home, &one).await, Some(state("1b")));
    assert_eq!(load(&home, &two).await, Some(state("2")));

    sessions.delete(&one).await.expect("deleted");
    assert_eq!(load(&home, &one).await, None);
    assert_eq!(load(&home, &two).await, Some(state("2")));
}

async fn a_session_that_ran_out_is_gone(home: Home) {
    let second = Ttl::seconds(1);
    let short = home
        .sessions
        .save(state("1"), &second)
        .await
        .expect("saved");
    until("the session is gone", async || {
        load(&home, &short).await.is_none()
    })
    .await;
}

async fn a_session_that_is_given_less_time_runs_out_sooner(home: Home) {
    let (hour, second) = (Ttl::hours(1), Ttl::seconds(1));
    let sessions = &home.sessions;
    let one = sessions.save(state("1"), &hour).await.expect("saved");
    let two = sessions.save(state("2"), &hour).await.expect("saved");
    sessions
        .update_ttl(&one, &second)
        .await
        .expect("given less");
    sessions
        .update(again(&two), state("2"), &second)
        .await
        .expect("given less");
    for key in [one, two] {
        until("the session is gone", async || {
            load(&home, &key).await.is_none()
        })
        .await;
    }
}

async fn the_id_that_the_browser_holds_stands_nowhere_in_the_store(home: Home) {
    let hour = Ttl::hours(1);
    let marker = "a-session-that-can-be-found";
    let key = home
        .sessions
        .save(state(marker), &hour)
        .await
        .expect("saved");
    let key = home.sessions.update(key, state(marker), &hour).await;
    let key = key.expect("updated");
    let everything = home.everything().await;
    let holds = |text: &str| everything.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds(marker), "the search finds what is there");
    assert!(!holds(key.as_ref()), "the id stands in the store");
}

// What only one of them has.

async fn a_sweep_removes_what_has_expired_and_nothing_else(home: Home) {
    let Ground::Sql(sql, _) = &home.ground else {
        unreachable!("made of SQL above")
    };
    put(&home, "lives", b"1", LONG).await;
    put(&home, "over", b"1", INSTANT).await;
    gone(&home, "over").await;
    assert_eq!(home.store.sweep().await.expect("an answer"), 1);
    assert_eq!(home.store.sweep().await.expect("an answer"), 0);
    assert_eq!(get(&home, "lives").await.as_deref(), Some(&b"1"[..]));

    // More than one step's worth: no single step takes all, and together they do.
    execute(
        sql.writer(),
        r#"INSERT INTO ephemeral ("key", value, expires_at)
           WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
           SELECT 'over' || i, (SELECT value FROM ephemeral LIMIT 1), 0 FROM n"#,
    )
    .await;
    let mut removed = 0;
    loop {
        let step = home.store.sweep().await.expect("an answer");
        assert!(step < 1200, "one step took everything");
        removed += step;
        if step == 0 {
            break;
        }
    }
    assert_eq!(removed, 1200);
    assert_eq!(
        number(sql.reader(), "SELECT COUNT(*) FROM ephemeral").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_sqlite_removes_what_has_expired_and_nothing_else() {
    a_sweep_removes_what_has_expired_and_nothing_else(Home::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_postgres_removes_what_has_expired_and_nothing_else() {
    a_sweep_removes_what_has_expired_and_nothing_else(Home::postgres().await).await;
}

/// Every call that there is, each under its name.
fn every_call(store: &SharedEphemeral) -> Vec<(&'static str, BoxFuture<'_, Result<(), Away>>)> {
    fn only<'a, T: 'a>(
        call: impl Future<Output = Result<T, Away>> + Send + 'a,
    ) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async { call.await.map(drop) })
    }
    vec![
        ("put", only(store.put("a", b"1", LONG))),
        ("get", only(store.get("a"))),
        ("take", only(store.take("a"))),
        ("claim", only(store.claim("a", b"1", LONG))),
        ("renew", only(store.renew("a", b"1", LONG))),
        ("release", only(store.release("a", b"1"))),
        ("forget", only(store.forget("a"))),
        ("ping", only(store.ping())),
    ]
}

/// Every call says that the store is away, and says so in time.
async fn all_away(store: &SharedEphemeral, sessions: &Sessions) {
    let start = Instant::now();
    let hour = Ttl::hours(1);
    let key = || SessionKey::try_from("k".repeat(64)).expect("a key");
    let of_store = async {
        for (name, answer) in join_all(
            every_call(store)
                .into_iter()
                .map(async |(name, call)| (name, call.await)),
        )
        .await
        {
            assert!(answer.is_err(), "{name} did not notice");
        }
    };
    let known = key();
    let (_, load, save, update, longer, delete) = tokio::join!(
        of_store,
        sessions.load(&known),
        sessions.save(state("1"), &hour),
        sessions.update(key(), state("1"), &hour),
        sessions.update_ttl(&known, &hour),
        sessions.delete(&known),
    );
    assert!(load.is_err(), "an unreachable session is taken for none");
    assert!(save.is_err() && update.is_err() && longer.is_err() && delete.is_err());
    assert!(start.elapsed() < GENEROUS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_stopped_is_away_and_serves_again_when_it_is_back() {
    let mut server = Redis::start().await;
    let (store, sessions) = on_redis_at(&server.url()).await;
    let warm = join_all((0..CROWD).map(|_| store.ping())).await;
    assert!(warm.iter().all(Result::is_ok), "every connection is in use");
    server.stop();
    all_away(&store, &sessions).await;

    server.again().await;
    until("Redis answers again", async || store.ping().await.is_ok()).await;
    for (name, call) in every_call(&store) {
        call.await.unwrap_or_else(|away| panic!("{name}: {away}"));
    }
    let key = sessions.save(state("1"), &Ttl::hours(1)).await;
    let key = key.expect("saved");
    assert_eq!(sessions.load(&key).await.expect("loaded"), Some(state("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_never_answers_is_away_within_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("a port").port();
    let (store, sessions) = on_redis_at(&format!("redis://127.0.0.1:{port}")).await;
    all_away(&store, &sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_held_by_another_writer_is_away_and_not_empty() {
    let database = Database::sqlite();
    let other = database.open().await;
    let home = Home::sql(database).await;
    put(&home, "a", b"1", LONG).await;
    let holding = other.begin().await.expect("a transaction");
    let start = Instant::now();
    let taken = home.store.take("a").await;
    assert!(taken.is_err(), "{taken:?}");
    assert!(start.elapsed() < GENEROUS);
    holding.commit().await.expect("a commit");
    let taken = home.store.take("a").await.expect("an answer");
    assert_eq!(taken.as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_redis_share_its_budgets() {
    let home = Home::redis().await;
    let Ground::Redis(server) = &home.ground else {
        unreachable!("made of Redis above")
    };
    let (other, _) = on_redis_at(&server.url()).await;
    let admit = async |store: &SharedEphemeral, budget: &str, window| {
        store.admit(budget, 3, window).await.expect("an answer")
    };
    let all = join_all((0..8).map(|n| {
        let store = if n % 2 == 0 { &home.store } else { &other };
        admit(store, "calls", LONG)
    }))
    .await;
    assert_eq!(all.iter().filter(|wait| wait.is_zero()).count(), 3);
    assert!(all.iter().all(|wait| *wait <= LONG));
    assert!(
        admit(&other, "searches", LONG).await.is_zero(),
        "a budget of its own"
    );

    let short = Duration::from_millis(30);
    for _ in 0..3 {
        admit(&home.store, "short", short).await;
    }
    until("the window has moved on", async || {
        admit(&other, "short", short).await.is_zero()
    })
    .await;
}

//! A grant is renewed once, however many want it, and is never lost once the provider's answer is
//! stored. Thousands of seeded runs against a provider that rotates its tokens without grace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::{ExposeSecret, SecretString};
use tributary::ephemeral::{SharedEphemeral, SqlEphemeral};
use tributary::grants::{
    AccessToken, GrantError, Grants, GrantsParts, RefreshFailure, Refresher, Times, Tokens,
};
use tributary::item::ConnectionId;
use tributary::store::{
    Approver, Connection, ConnectionState, Identity, NewConnection, NewPerson, Store,
};
use tributary::vault::{Key, KeyRing, Vault};

use crate::support::database::execute;
use crate::support::services::{Redis, postgres_database};

/// Short pauses between attempts; room enough for an answer on a machine that is busy with others.
const TIMES: Times = Times {
    answer: Duration::from_secs(20),
    lease: Duration::from_secs(30),
    pause: Duration::from_millis(4),
    longest_pause: Duration::from_millis(20),
    look: Duration::from_millis(2),
};

/// Of a process that will be killed: others go on when its lease has run out.
const DOOMED: Times = Times {
    answer: Duration::from_millis(60),
    lease: Duration::from_millis(120),
    ..TIMES
};

/// What the provider does with the next request for a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Slow(Duration),
    Limited,
    Broken,
    /// It rotates the token, and the answer never arrives.
    Cut,
    Refuses,
}

/// A provider's view of one grant.
struct Ledger {
    refresh: String,
    access: String,
    rotations: u32,
    requests: u32,
    mood: Mood,
    /// How long the refresh token lives unused, where the provider says so.
    unused_life: Option<Duration>,
    /// Whether an answer was lost on its way, so that nobody can know the token that counts.
    lost: bool,
}

/// A provider that rotates both tokens with each refresh; the old ones die at once.
#[derive(Default)]
struct Rotating(Mutex<HashMap<String, Ledger>>);

impl Rotating {
    fn with<T>(&self, account: &str, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(
            self.0
                .lock()
                .unwrap()
                .get_mut(account)
                .expect("the account is known"),
        )
    }

    fn open(&self, account: &str) -> Tokens {
        let ledger = Ledger {
            refresh: format!("{account}.r0"),
            access: format!("{account}.a0"),
            rotations: 0,
            requests: 0,
            mood: Mood::Good,
            lost: false,
            unused_life: None,
        };
        let tokens = tokens(&ledger);
        self.0.lock().unwrap().insert(account.into(), ledger);
        tokens
    }

    fn accepts(&self, account: &str, token: &AccessToken) -> bool {
        self.with(account, |ledger| ledger.access == token.expose())
    }
}

fn tokens(ledger: &Ledger) -> Tokens {
    Tokens {
        access: AccessToken::new(ledger.access.as_str()),
        refresh: Some(ledger.refresh.as_str().into()),
        lives: Some(Duration::from_secs(3_600)),
        refresh_lives: ledger.unused_life,
    }
}

#[async_trait]
impl Refresher for Rotating {
    async fn refresh(&self, _: &str, refresh: &SecretString) -> Result<Tokens, RefreshFailure> {
        let account = refresh
            .expose_secret()
            .split('.')
            .next()
            .unwrap()
            .to_owned();
        let mood = self.with(&account, |ledger| {
            ledger.requests += 1;
            ledger.mood
        });
        let passing = |said: &str| {
            Err(RefreshFailure::Passing {
                said: said.into(),
                wait: None,
            })
        };
        match mood {
            Mood::Limited => return passing("429"),
            Mood::Broken => return passing("500"),
            Mood::Refuses => {
                return Err(RefreshFailure::Terminal {
                    said: "revoked".into(),
                });
            }
            Mood::Slow(time) => tokio::time::sleep(time).await,
            Mood::Good | Mood::Cut => tokio::task::yield_now().await,
        }
        let answer = self.with(&account, |ledger| {
            if ledger.refresh != refresh.expose_secret() {
                return Err(RefreshFailure::Terminal {
                    said: "invalid_grant".into(),
                });
            }
            ledger.rotations += 1;
            ledger.refresh = format!("{account}.r{}", ledger.rotations);
            ledger.access = format!("{account}.a{}", ledger.rotations);
            Ok(tokens(ledger))
        });
        if mood == Mood::Cut {
            self.with(&account, |ledger| ledger.lost = true);
            return passing("connection reset");
        }
        // The way back takes a while, too.
        tokio::task::yield_now().await;
        answer
    }

    async fn discard(&self, _: &str, _: &Tokens) {}
}

/// One database, and the provider.
struct World {
    store: Arc<Store>,
    ephemeral: SharedEphemeral,
    vault: Arc<Vault>,
    provider: Arc<Rotating>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn on(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("t.db").display()));
        let store = Arc::new(Store::open(&url.parse().unwrap()).await.unwrap());
        Self {
            ephemeral: Arc::new(SqlEphemeral::new(Arc::clone(&store))),
            store,
            vault: Arc::new(Vault::new(KeyRing::new(vec![Key::random()]).unwrap())),
            provider: Arc::default(),
            _folder: folder,
        }
    }

    /// PostgreSQL, and Redis for what may be forgotten.
    async fn at_scale(redis: &Redis) -> Self {
        let location = redis.url().parse().expect("an address");
        let ephemeral = tributary::ephemeral::connect_redis(&location).expect("Redis");
        Self {
            ephemeral: Arc::new(ephemeral),
            ..Self::on(Some(postgres_database().await)).await
        }
    }

    /// One process that keeps grants.
    fn process(&self) -> Arc<Grants> {
        self.process_with(TIMES)
    }

    fn process_with(&self, times: Times) -> Arc<Grants> {
        Grants::new(GrantsParts {
            store: Arc::clone(&self.store),
            ephemeral: Arc::clone(&self.ephemeral),
            vault: Arc::clone(&self.vault),
            refresher: Arc::clone(&self.provider) as Arc<dyn Refresher>,
            times,
        })
    }

    /// A connection with a grant and an access token that has expired.
    async fn expired(&self, account: &str) -> ConnectionId {
        self.expired_with(account, None).await
    }

    /// The same of a grant that ends when it is not used for this long.
    async fn expired_with(&self, account: &str, unused_life: Option<Duration>) -> ConnectionId {
        let mut tokens = self.provider.open(account);
        self.provider
            .with(account, |ledger| ledger.unused_life = unused_life);
        tokens.refresh_lives = unused_life;
        let identity = Identity {
            subject: format!("host/test/{account}"),
            provider: "test",
            account_id: account.into(),
            email: None,
        };
        let mut tx = self.store.begin().await.unwrap();
        let person = NewPerson {
            name: account,
            identity: &identity,
        };
        let who = tx.add_person(person).await.unwrap();
        let approval = tx
            .approve(&NewConnection {
                workspace: who.workspace,
                provider: "test",
                account_key: account,
                account_id: account,
                account_name: account,
                approver: Approver {
                    user: who.user,
                    subject: None,
                    email: None,
                    name: account,
                },
                notes: "",
                scopes: &[],
            })
            .await
            .unwrap();
        self.process()
            .keep(&mut tx, approval.connection, &tokens)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        approval.connection
    }

    async fn connection(&self, connection: ConnectionId) -> Connection {
        let known = self.store.any_connection(connection).await.unwrap();
        known.expect("the connection is there")
    }

    /// Moves the last renewal or approval of the grant so many seconds into the past, and forgets that an
    /// attempt failed.
    async fn age(&self, connection: ConnectionId, seconds: i64) {
        let Connection { life, .. } = self.connection(connection).await;
        let (since, end) = life.renewed_at.zip(life.lapses_at).expect("a stated life");
        let moved = chrono::Utc::now() - chrono::TimeDelta::seconds(seconds);
        let sql = format!(
            "UPDATE grants SET updated_at = {}, lapses_at = {}, retry_at = NULL WHERE connection_id = {connection}",
            moved.timestamp_millis(),
            (moved + (end - since)).timestamp_millis(),
        );
        execute(self.store.writer(), sql.leak()).await;
    }

    async fn state(&self, connection: ConnectionId) -> ConnectionState {
        self.store
            .any_connection(connection)
            .await
            .unwrap()
            .unwrap()
            .state
    }
}

/// Asks until there is a token or the grant has ended, as calls of an import do.
async fn token_or_end(grants: &Arc<Grants>, connection: ConnectionId) -> Option<AccessToken> {
    for _ in 0..2_000 {
        match grants.access_token(connection).await {
            Ok(token) => return Some(token),
            Err(GrantError::Ended) => return None,
            Err(GrantError::Passing { wait, .. }) => {
                tokio::time::sleep(wait.unwrap_or(TIMES.look)).await
            }
            Err(GrantError::Store(error)) if error.is_away() => {
                tokio::time::sleep(TIMES.look).await
            }
            Err(GrantError::Away(_)) => tokio::time::sleep(TIMES.look).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("neither a token nor an end");
}

/// Eight tasks in two processes meet an expired token at once.
async fn eight_at_once(world: &World, connection: ConnectionId) -> Vec<Option<AccessToken>> {
    let processes = [world.process(), world.process()];
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let grants = Arc::clone(&processes[n % 2]);
            tokio::spawn(async move { token_or_end(&grants, connection).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn one_refresh_for_all(world: &World, account: &str, mood: Mood) {
    let connection = world.expired(account).await;
    world.provider.with(account, |ledger| ledger.mood = mood);
    for answer in eight_at_once(world, connection).await {
        let token = answer.unwrap_or_else(|| panic!("{account} lost its grant in {mood:?}"));
        assert!(
            world.provider.accepts(account, &token),
            "{account} got a dead token"
        );
    }
    let (rotations, requests) = world.provider.with(account, |l| (l.rotations, l.requests));
    assert_eq!((rotations, requests), (1, 1), "{account} in {mood:?}");
}

/// Faults that pass: nothing is rotated, nobody's connection is marked, and afterwards one refresh.
async fn a_fault_that_passes(world: &World, account: &str, mood: Mood) {
    let connection = world.expired(account).await;
    world.provider.with(account, |ledger| ledger.mood = mood);
    let grants = world.process();
    assert!(matches!(
        grants.access_token(connection).await,
        Err(GrantError::Passing { .. })
    ));
    // While it is too early, nobody asks.
    let asked = world.provider.with(account, |ledger| ledger.requests);
    assert_eq!(asked, 1);
    assert_eq!(world.state(connection).await, ConnectionState::Connected);
    world
        .provider
        .with(account, |ledger| ledger.mood = Mood::Good);
    assert!(
        eight_at_once(world, connection)
            .await
            .into_iter()
            .all(|token| token.is_some())
    );
    assert_eq!(
        world.provider.with(account, |ledger| ledger.rotations),
        1,
        "{account}"
    );
}

/// The answer is lost on its way after the provider has rotated: the grant cannot be saved, and says so.
async fn a_lost_answer_wants_a_person(world: &World, account: &str) {
    let connection = world.expired(account).await;
    world
        .provider
        .with(account, |ledger| ledger.mood = Mood::Cut);
    let grants = world.process();
    assert!(grants.access_token(connection).await.is_err());
    world
        .provider
        .with(account, |ledger| ledger.mood = Mood::Good);
    assert!(token_or_end(&grants, connection).await.is_none());
    assert_eq!(world.state(connection).await, ConnectionState::Reconnect);
}

/// The process that renews is killed at some moment: another goes on. A grant is lost only where the
/// provider had answered and the answer was not stored yet, and then the connection says so.
async fn the_holder_is_killed(world: &World, account: &str, seed: &mut StdRng) {
    let connection = world.expired(account).await;
    let slow = seed.random_bool(0.5);
    let mood = if slow {
        Mood::Slow(Duration::from_millis(seed.random_range(0..4)))
    } else {
        Mood::Good
    };
    world.provider.with(account, |ledger| ledger.mood = mood);
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let holder = world.process_with(DOOMED);
    doomed.spawn(async move { holder.access_token(connection).await.map(drop) });
    tokio::time::sleep(Duration::from_micros(seed.random_range(0..6_000))).await;
    doomed.shutdown_background();
    world
        .provider
        .with(account, |ledger| ledger.mood = Mood::Good);

    let answer = token_or_end(&world.process(), connection).await;
    match answer {
        Some(token) => {
            assert!(
                world.provider.accepts(account, &token),
                "{account} got a dead token"
            );
            assert_eq!(world.state(connection).await, ConnectionState::Connected);
        }
        None => {
            let rotated = world.provider.with(account, |ledger| ledger.rotations);
            assert!(
                rotated > 0,
                "{account} lost a grant that the provider had not rotated"
            );
            assert_eq!(world.state(connection).await, ConnectionState::Reconnect);
        }
    }
}

/// The access token is forgotten in the middle: what was waited for is handed on all the same.
async fn the_store_forgets_in_the_middle(world: &World, account: &str, seed: &mut StdRng) {
    let connection = world.expired(account).await;
    world.provider.with(account, |ledger| {
        ledger.mood = Mood::Slow(Duration::from_millis(2))
    });
    let grants = world.process();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let grants = Arc::clone(&grants);
            tokio::spawn(async move { grants.access_token(connection).await.map(drop) })
        })
        .collect();
    let ephemeral = Arc::clone(&world.ephemeral);
    let until = Duration::from_micros(seed.random_range(0..8_000));
    let flush = tokio::spawn(async move {
        let start = std::time::Instant::now();
        while start.elapsed() < until {
            ephemeral
                .forget(&format!("access:{connection}"))
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
    });
    for task in tasks {
        assert!(task.await.unwrap().is_ok(), "{account}");
    }
    flush.await.unwrap();
    assert_eq!(
        world.provider.with(account, |ledger| ledger.rotations),
        1,
        "{account}"
    );
}

async fn runs(world: World, count: u32) {
    let mut seed = StdRng::seed_from_u64(20_261_121);
    for run in 0..count {
        let account = format!("run{run}");
        match run % 8 {
            0 => one_refresh_for_all(&world, &account, Mood::Good).await,
            1 => {
                let time = Duration::from_millis(seed.random_range(0..50));
                one_refresh_for_all(&world, &account, Mood::Slow(time)).await;
            }
            2 => a_fault_that_passes(&world, &account, Mood::Limited).await,
            3 => a_fault_that_passes(&world, &account, Mood::Broken).await,
            4 => a_lost_answer_wants_a_person(&world, &account).await,
            5 => the_store_forgets_in_the_middle(&world, &account, &mut seed).await,
            _ => the_holder_is_killed(&world, &account, &mut seed).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_renewals_with_faults_lose_nothing_that_was_stored() {
    // Side by side, for most of a run is waiting.
    futures_util::future::join_all(
        (0..10).map(|_| async { runs(World::on(None).await, 1_000).await }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_on_postgres_keep_the_same_promises() {
    runs(World::on(Some(postgres_database().await)).await, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_on_postgres_and_redis_keep_them_too() {
    let redis = Redis::start().await;
    runs(World::at_scale(&redis).await, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_the_provider_ended_says_reconnect_and_is_not_asked_for_again() {
    let world = World::on(None).await;
    let connection = world.expired("ended").await;
    world
        .provider
        .with("ended", |ledger| ledger.mood = Mood::Refuses);
    assert!(
        eight_at_once(&world, connection)
            .await
            .iter()
            .all(Option::is_none)
    );
    assert_eq!(world.provider.with("ended", |ledger| ledger.requests), 1);
    let shown = world
        .store
        .any_connection(connection)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (shown.state, shown.reason.as_deref()),
        (ConnectionState::Reconnect, Some("revoked"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_once_and_a_newer_one_is_kept() {
    let world = World::on(None).await;
    let connection = world.expired("refused").await;
    let grants = world.process();
    let old = grants.access_token(connection).await.unwrap();
    let new = grants.replaced_token(connection, &old).await.unwrap();
    assert!(old != new && world.provider.accepts("refused", &new));
    // A call that was in flight with the old one gets the new one, and nobody is asked again.
    assert!(grants.replaced_token(connection, &old).await.unwrap() == new);
    assert_eq!(world.provider.with("refused", |ledger| ledger.rotations), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_approval_wins_over_a_renewal_on_its_way() {
    let world = World::on(None).await;
    let connection = world.expired("newer").await;
    world.provider.with("newer", |ledger| {
        ledger.mood = Mood::Slow(Duration::from_millis(40))
    });
    let grants = world.process();
    let renewal = {
        let grants = Arc::clone(&grants);
        tokio::spawn(async move { grants.access_token(connection).await.map(drop) })
    };
    crate::support::app::until("the provider is asked", async || {
        world.provider.with("newer", |ledger| ledger.requests) == 1
    })
    .await;
    let approved = Tokens {
        access: AccessToken::new("newer.approved"),
        refresh: Some("newer.approved-refresh".into()),
        lives: Some(Duration::from_secs(3_600)),
        refresh_lives: None,
    };
    let mut tx = world.store.begin().await.unwrap();
    grants.keep(&mut tx, connection, &approved).await.unwrap();
    tx.commit().await.unwrap();
    grants.lend(connection, &approved).await.unwrap();
    assert!(renewal.await.unwrap().is_err());
    assert_eq!(
        grants.access_token(connection).await.unwrap().expose(),
        "newer.approved"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_would_end_from_disuse_is_renewed_once_in_time() {
    let world = World::on(None).await;
    let connection = world
        .expired_with("idle", Some(Duration::from_secs(60)))
        .await;
    let (one, other) = (world.process(), world.process());
    one.keep_alive().await.unwrap();
    let requests = || world.provider.with("idle", |ledger| ledger.requests);
    assert_eq!(requests(), 0, "most of its life is still to come");

    world.age(connection, 31).await;
    let (first, second) = tokio::join!(one.keep_alive(), other.keep_alive());
    first.and(second).unwrap();
    assert_eq!(requests(), 1);
    let life = world.connection(connection).await.life;
    assert!(
        life.renews
            && life
                .spent(chrono::Utc::now())
                .is_some_and(|spent| spent < 50)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_past_its_stated_end_is_not_hoped_for_any_longer() {
    let world = World::on(None).await;
    let connection = world
        .expired_with("lapsed", Some(Duration::from_secs(60)))
        .await;
    world
        .provider
        .with("lapsed", |ledger| ledger.mood = Mood::Broken);
    world.age(connection, 31).await;
    world.process().keep_alive().await.unwrap();
    assert_eq!(world.state(connection).await, ConnectionState::Connected);
    world.age(connection, 61).await;
    world.process().keep_alive().await.unwrap();
    assert_eq!(world.state(connection).await, ConnectionState::Reconnect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stated_end_that_a_grant_has_outlived_counts_no_more() {
    let world = World::on(None).await;
    let connection = world
        .expired_with("outlived", Some(Duration::from_secs(60)))
        .await;
    // From here on the provider names no end.
    world
        .provider
        .with("outlived", |ledger| ledger.unused_life = None);
    world.age(connection, 31).await;
    world.process().keep_alive().await.unwrap();
    let life = world.connection(connection).await.life;
    assert!(life.lapses_at.is_some(), "the end that was known");

    world.age(connection, 61).await;
    world.process().keep_alive().await.unwrap();
    world.process().keep_alive().await.unwrap();
    assert_eq!(world.state(connection).await, ConnectionState::Connected);
    assert_eq!(world.connection(connection).await.life.lapses_at, None);
    let requests = world.provider.with("outlived", |ledger| ledger.requests);
    assert_eq!(requests, 2, "nothing is left to be in time for");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_grant_out_waits_for_a_renewal_on_its_way() {
    let world = World::on(None).await;
    let connection = world.expired("leaving").await;
    world.provider.with("leaving", |ledger| {
        ledger.mood = Mood::Slow(Duration::from_millis(40))
    });
    let (renewing, leaving) = (world.process(), world.process());
    let renewal = tokio::spawn(async move { renewing.access_token(connection).await.map(drop) });
    crate::support::app::until("the provider is asked", async || {
        world.provider.with("leaving", |ledger| ledger.requests) == 1
    })
    .await;
    let _held = leaving.hold(connection).await;
    let sealed = world.store.take_grant(connection).await.unwrap().unwrap();
    let tokens = leaving.forget(connection, &sealed).await.unwrap();
    assert!(
        world.provider.accepts("leaving", &tokens.access),
        "the renewed one"
    );
    renewal.await.unwrap().unwrap();
}

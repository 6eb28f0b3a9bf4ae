//! What is left of imports that are long over, on SQLite and on PostgreSQL alike.

use chrono::{TimeDelta, Utc};
use tributary::item::{ConnectionId, RunId};
use tributary::store::{Cause, Coverage, RunState, Store, StreamProgress};

use crate::store::{begin_run, importing};
use crate::support::database::{Database, execute, number, on_both_databases};

on_both_databases! {
    a_folded_run_says_in_all_what_its_listings_said,
    however_many_fold_at_once_each_listing_is_counted_once,
    the_newest_runs_and_the_newest_full_one_keep_their_listings,
    a_run_that_still_asks_a_person_keeps_its_listings,
    runs_of_long_ago_go_and_the_newest_never,
}

/// Twelve hundred listings of one stream, beside the one that a run begins with.
const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
    INSERT INTO run_streams (run_id, name, stream, label, done, coverage, reason, total, fetched, added,
        changed, unchanged, removed, held, skipped, calls, waited_ms)
    SELECT (SELECT MIN(id) FROM runs), 'pages:' || i, 'pages', 'Page ' || i, TRUE,
        CASE i % 8 WHEN 0 THEN 'partial' WHEN 1 THEN 'unknown' ELSE 'complete' END,
        CASE WHEN i % 8 < 2 THEN 'because of ' || i END, i, i, 1, 2, i - 3, 4, 5, 6, 7, 8 FROM n";

async fn finish(store: &Store, run: RunId) {
    let finished = store.finish_run(run, RunState::Done, None).await;
    finished.expect("it ends");
}

/// So many further runs that ask only for changes.
async fn runs_after(store: &Store, connection: ConnectionId, n: usize) {
    for _ in 0..n {
        let run = store.queue_run(connection, Cause::Schedule, false).await;
        finish(store, run.expect("a run")).await;
    }
}

/// A run of many listings, with as many after it as make it old.
async fn long_over(store: &Store) -> RunId {
    let (connection, run) = importing(store, "ada").await;
    execute(store.writer(), MANY).await;
    finish(store, run).await;
    let full = begin_run(store, connection).await;
    finish(store, full).await;
    runs_after(store, connection, 2).await;
    run
}

async fn fold_all(store: &Store) -> u32 {
    let mut steps = 0;
    while store.fold_some().await.expect("a step") {
        steps += 1;
        assert!(steps < 100, "folding does not end");
    }
    steps
}

async fn told(store: &Store, run: RunId) -> Vec<String> {
    let streams: Vec<StreamProgress> = store.progress(run).await.expect("an answer");
    streams.iter().map(|it| format!("{it:?}")).collect()
}

async fn listings(store: &Store) -> i64 {
    number(store.reader(), "SELECT COUNT(*) FROM run_streams").await
}

async fn a_folded_run_says_in_all_what_its_listings_said(at: Database) {
    let store = at.open().await;
    let run = long_over(&store).await;
    let before = told(&store, run).await;
    assert!(fold_all(&store).await > 1, "in steps");
    assert_eq!(told(&store, run).await, before);

    let lines = store.coverage(run, 1_000).await.expect("a report");
    let (kept, folded): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.folded == 0);
    assert_eq!(kept.len(), 100);
    let says_why = |line: &&tributary::store::Covered| {
        line.coverage == Some(Coverage::Partial)
            && line
                .reason
                .as_deref()
                .is_some_and(|why| why.starts_with("because of "))
    };
    assert!(kept.iter().all(says_why), "{kept:?}");
    let of = |coverage| {
        let lines = folded.iter().filter(move |line| line.coverage == coverage);
        lines
            .map(|line| (line.stream.as_str(), line.folded))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Some(Coverage::Partial)), [("pages", 50)]);
    assert_eq!(of(Some(Coverage::Unknown)), [("pages", 150)]);
    assert_eq!(of(Some(Coverage::Complete)), [("pages", 900)]);
    assert_eq!(of(None), [("contacts", 1)], "what was never read");

    let rows = listings(&store).await;
    assert_eq!(fold_all(&store).await, 0);
    assert_eq!(
        (told(&store, run).await, listings(&store).await),
        (before, rows)
    );
}

async fn however_many_fold_at_once_each_listing_is_counted_once(at: Database) {
    let store = at.open().await;
    let run = long_over(&store).await;
    let before = told(&store, run).await;
    tokio::join!(fold_all(&store), fold_all(&store), fold_all(&store));
    assert_eq!(told(&store, run).await, before);
}

async fn the_newest_runs_and_the_newest_full_one_keep_their_listings(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "ada").await;
    execute(store.writer(), MANY).await;
    let rows = listings(&store).await;
    assert!(!store.fold_some().await.expect("a step"), "it is on");
    finish(&store, run).await;
    runs_after(&store, connection, 2).await;
    assert!(
        !store.fold_some().await.expect("a step"),
        "it is among the newest"
    );
    runs_after(&store, connection, 20).await;
    fold_all(&store).await;
    assert_eq!(listings(&store).await, rows, "it is the newest full one");
    finish(&store, begin_run(&store, connection).await).await;
    fold_all(&store).await;
    assert!(listings(&store).await < 200, "another one is");
}

async fn a_run_that_still_asks_a_person_keeps_its_listings(at: Database) {
    let store = at.open().await;
    long_over(&store).await;
    let rows = listings(&store).await;
    let asked = "INSERT INTO removals (connection_id, source, stream, label, run_id, absent, \"of\", asked_at)
        SELECT connection_id, 'pages', 'pages', '', id, 5, 9, 1 FROM runs ORDER BY id LIMIT 1";
    execute(store.writer(), asked).await;
    fold_all(&store).await;
    assert_eq!(listings(&store).await, rows);
    execute(store.writer(), "DELETE FROM removals").await;
    fold_all(&store).await;
    assert!(listings(&store).await < 200);
}

async fn runs_of_long_ago_go_and_the_newest_never(at: Database) {
    let store = at.open().await;
    let (connection, full) = importing(&store, "ada").await;
    finish(&store, full).await;
    runs_after(&store, connection, 30).await;
    let forget = async |days| {
        let then = Utc::now() + TimeDelta::days(days);
        while store.forget_old_runs(then).await.expect("a step") > 0 {}
        number(store.reader(), "SELECT COUNT(*) FROM runs").await
    };
    assert_eq!(
        forget(400).await,
        31,
        "what has not been folded is still told of"
    );
    fold_all(&store).await;
    assert_eq!(forget(364).await, 31);
    assert_eq!(forget(366).await, 4);
    let calls = store
        .calls_of_full_run(connection)
        .await
        .expect("an answer");
    assert_eq!(calls, Some(0), "the full one is there");
}

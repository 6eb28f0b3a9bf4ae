//! The change feed: nothing is missed, whoever writes beside whom, and what is too old is said to be.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use tributary::item::{ConnectionId, Item, RunId, UserId, WorkspaceId};
use tributary::store::{CHANGES_KEPT, Change, Store};

use crate::store::{account, approve, begin_run, contact, importing, save};
use crate::support::app::until;
use crate::support::database::{Database, execute, number, on_both_databases};

on_both_databases! {
    what_becomes_of_an_item_is_told_in_order_and_what_stays_is_not,
    a_removed_connection_is_told_and_nothing_more_of_what_was_in_it,
    what_is_too_old_is_forgotten_and_who_has_not_come_that_far_is_told,
    a_page_that_is_not_committed_is_not_told,
    a_reader_beside_several_writers_misses_nothing,
    an_answer_without_changes_is_the_last_one,
    two_that_meet_the_same_items_in_different_orders_both_get_through,
}

/// One workspace, with as many connections.
async fn workspace(store: &Store, connections: usize) -> (WorkspaceId, Vec<(ConnectionId, RunId)>) {
    let mut all = vec![importing(store, "h/hubspot/1").await];
    let first = store.any_connection(all[0].0).await.expect("an answer");
    let workspace = first.expect("it is there").workspace_id;
    for n in 1..connections {
        let key = format!("more {n}");
        let connection = approve(store, &account(workspace, &key)).await.connection;
        all.push((connection, begin_run(store, connection).await));
    }
    (workspace, all)
}

/// The feed behind a change to its end, so many at a time.
async fn follow(
    store: &Store,
    workspace: WorkspaceId,
    after: impl Into<Option<i64>>,
    limit: usize,
) -> Vec<Change> {
    let mut all = Vec::new();
    let mut last = after.into();
    loop {
        let feed = store.changes(workspace, last, limit).await;
        let feed = feed.expect("an answer").expect("all is kept");
        assert!(feed.changes.len() <= limit && Some(feed.last) >= last);
        if Some(feed.last) == last {
            return all;
        }
        last = Some(feed.last);
        all.extend(feed.changes);
    }
}

fn in_words(changes: &[Change]) -> Vec<String> {
    let word = |change: &Change| {
        let item = change.item.as_ref();
        let id = item.map_or("", |item| item.provider_id.as_str());
        format!("{} {id}", change.kind.as_str())
    };
    changes.iter().map(word).collect()
}

fn renamed(id: &str, name: &str) -> Item {
    Item {
        name: name.into(),
        ..contact(id)
    }
}

async fn id_of(store: &Store, sql: &'static str) -> i64 {
    number(store.reader(), sql).await
}

async fn what_becomes_of_an_item_is_told_in_order_and_what_stays_is_not(at: Database) {
    let store = at.open().await;
    let (workspace, all) = workspace(&store, 1).await;
    let (connection, run) = all[0];
    save(&store, connection, run, &[contact("a"), contact("b")]).await;
    save(
        &store,
        connection,
        run,
        &[contact("a"), renamed("b", "Bob")],
    )
    .await;
    let b = id_of(&store, "SELECT id FROM items WHERE provider_id = 'b'").await;
    store
        .drop_items(connection, RunId(run.0 + 1), &[b])
        .await
        .expect("dropped");
    let feed = follow(&store, workspace, None, 1).await;
    let words = in_words(&feed);
    assert_eq!(
        words[..2].iter().collect::<BTreeSet<_>>().len(),
        2,
        "{words:?}"
    );
    assert!(words[..2].iter().all(|word| word.starts_with("added ")));
    assert_eq!(words[2..], ["changed b", "deleted b"]);
    // As it is now, whatever it was then.
    let b = feed[2].item.as_ref().expect("an item");
    assert!(b.name == "Bob" && b.gone.is_some());

    let last = feed[3].seq;
    save(&store, connection, run, &[renamed("b", "Bob")]).await;
    assert_eq!(
        in_words(&follow(&store, workspace, last, 50).await),
        ["added b"]
    );
    assert!(
        follow(&store, WorkspaceId(workspace.0 + 1), None, 50)
            .await
            .is_empty()
    );
}

async fn a_removed_connection_is_told_and_nothing_more_of_what_was_in_it(at: Database) {
    let store = at.open().await;
    let (workspace, all) = workspace(&store, 2).await;
    for (connection, run) in &all {
        save(&store, *connection, *run, &[contact("a"), contact("b")]).await;
    }
    let (gone, _) = all[0];
    let left = store.leave_connection(workspace, UserId(1), gone).await;
    assert!(left.expect("an answer").is_some());
    for erased in [false, true] {
        if erased {
            while store.erase_some().await.expect("erased") {}
        }
        let feed = follow(&store, workspace, None, 50).await;
        assert_eq!(feed.len(), 3, "{feed:?}");
        assert_eq!(in_words(&feed[2..]), ["connection_removed "]);
        assert_eq!(feed[2].connection, gone);
        assert!(feed[..2].iter().all(|change| change.connection == all[1].0));
    }
}

async fn an_answer_without_changes_is_the_last_one(at: Database) {
    let store = at.open().await;
    let (workspace, all) = workspace(&store, 1).await;
    let (connection, run) = all[0];
    for page in 0..7 {
        let page: Vec<Item> = (0..1_000).map(|n| contact(page * 1_000 + n)).collect();
        save(&store, connection, run, &page).await;
    }
    let left = store
        .leave_connection(workspace, UserId(1), connection)
        .await;
    assert!(left.expect("an answer").is_some());
    let feed = store.changes(workspace, None, 50).await.expect("an answer");
    let feed = feed.expect("all is kept");
    assert_eq!(in_words(&feed.changes), ["connection_removed "]);
}

async fn two_that_meet_the_same_items_in_different_orders_both_get_through(at: Database) {
    const PAGES: usize = 30;
    let store = Arc::new(at.open().await);
    let (_, all) = workspace(&store, 1).await;
    let (connection, run) = all[0];
    for round in 0..5 {
        let names = |n: usize| renamed(&n.to_string(), &format!("in round {round}"));
        let pages: Vec<Vec<Item>> = (0..PAGES).map(|n| vec![names(n)]).collect();
        let there = save_all(&store, connection, run, pages.iter());
        let back = save_all(&store, connection, run, pages.iter().rev());
        tokio::join!(there, back);
    }
}

/// Several pages in one transaction.
async fn save_all(
    store: &Store,
    connection: ConnectionId,
    run: RunId,
    pages: impl Iterator<Item = &Vec<Item>>,
) {
    let mut tx = store.begin_in_turn().await.expect("a transaction");
    for page in pages {
        let saved = tx.save_items(connection, run, page).await;
        saved.expect("a page");
    }
    tx.commit().await.expect("a commit");
}

async fn what_is_too_old_is_forgotten_and_who_has_not_come_that_far_is_told(at: Database) {
    let store = at.open().await;
    let (ours, all) = workspace(&store, 1).await;
    let (other, other_run) = importing(&store, "h/hubspot/2").await;
    let theirs = store.any_connection(other).await.expect("an answer");
    let theirs = theirs.expect("it is there").workspace_id;
    let nothing = store.changes(ours, None, 50).await.expect("an answer");
    let before_all = nothing.expect("all is kept").last;
    let page: Vec<Item> = (0..1_200).map(contact).collect();
    save(&store, other, other_run, &[contact("old")]).await;
    save(&store, all[0].0, all[0].1, &page).await;
    let feed = follow(&store, ours, None, 500).await;
    let now = Utc::now();
    let kept = TimeDelta::from_std(CHANGES_KEPT).expect("thirty days");
    assert_eq!(store.forget_old_changes(now).await.expect("done"), 0);
    // All but the last are of another month.
    execute(
        store.writer(),
        "UPDATE changes SET at = 0 WHERE seq < (SELECT MAX(seq) FROM changes)",
    )
    .await;
    let mut steps = 0;
    while store.forget_old_changes(now).await.expect("done") > 0 {
        steps += 1;
    }
    assert!(steps > 1, "in steps");
    let changes = async |workspace, after: i64| {
        store
            .changes(workspace, Some(after), 50)
            .await
            .expect("an answer")
    };
    let [.., before, last] = feed.as_slice() else {
        panic!("changes");
    };
    assert!(changes(ours, feed[0].seq).await.is_none());
    assert!(changes(ours, before.seq - 1).await.is_none());
    let behind = changes(ours, before.seq).await.expect("nothing is missed");
    assert_eq!(behind.changes.len(), 1);
    assert!(changes(ours, before_all).await.is_none());
    assert_eq!(follow(&store, ours, None, 50).await.len(), 1);
    // What was forgotten of one workspace is not held against another.
    assert!(changes(theirs, last.seq).await.is_some());
    assert!(changes(theirs, feed[0].seq).await.is_some());
    store
        .forget_old_changes(now + kept * 2)
        .await
        .expect("done");
    assert!(changes(ours, before.seq).await.is_none());
    assert!(changes(ours, last.seq).await.is_some());
    let fresh = store.changes(ours, None, 50).await.expect("an answer");
    let fresh = fresh.expect("nothing is kept").last;
    assert!(
        changes(ours, fresh).await.is_some(),
        "it has missed nothing"
    );
    // A number is not given again.
    save(&store, all[0].0, all[0].1, &[contact("new")]).await;
    let new = follow(&store, ours, last.seq, 50).await;
    assert_eq!(in_words(&new), ["added new"]);
}

async fn a_page_that_is_not_committed_is_not_told(at: Database) {
    let store = at.open().await;
    let (workspace, all) = workspace(&store, 1).await;
    let mut tx = store.begin().await.expect("a transaction");
    let saved = tx.save_items(all[0].0, all[0].1, &[contact("a")]).await;
    saved.expect("a page");
    drop(tx);
    assert!(follow(&store, workspace, None, 50).await.is_empty());
}

async fn a_reader_beside_several_writers_misses_nothing(at: Database) {
    const PAGES: usize = 25;
    let store = Arc::new(at.open().await);
    let (workspace, all) = workspace(&store, 4).await;
    let writers: Vec<_> = all
        .iter()
        .map(|&(connection, run)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for page in 0..PAGES {
                    let page: Vec<Item> = (0..4).map(|n| contact(page * 4 + n)).collect();
                    save(&store, connection, run, &page).await;
                }
            })
        })
        .collect();
    let mut seen: Vec<Change> = Vec::new();
    until("everything is told", async || {
        let writing = writers.iter().any(|writer| !writer.is_finished());
        let last = seen.last().map_or(0, |change| change.seq);
        seen.extend(follow(&store, workspace, last, 7).await);
        !writing
    })
    .await;
    let last = seen.last().map_or(0, |change| change.seq);
    seen.extend(follow(&store, workspace, last, 7).await);
    let items = seen
        .iter()
        .map(|change| change.item.as_ref().expect("an item").id);
    assert_eq!(items.collect::<BTreeSet<_>>().len(), 4 * PAGES * 4);
    assert_eq!(seen.len(), 4 * PAGES * 4, "each once");
}

/// On PostgreSQL, for SQLite has one writer: the first of two transactions gets its number and is then
/// kept from its end, while the second comes to its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_with_a_lower_number_is_never_seen_after_one_with_a_higher() {
    const WAITING: &str =
        "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let at = Database::postgres().await;
    let store = Arc::new(at.open().await);
    let (workspace, all) = workspace(&store, 2).await;
    let slow = format!(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.connection_id = {}) EXECUTE FUNCTION wait()",
        all[0].0
    );
    execute(store.writer(), slow.leak()).await;
    let tributary::store::Pool::Postgres(pool) = store.writer() else {
        panic!("PostgreSQL");
    };
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock(4711)")
        .execute(&mut *held)
        .await
        .expect("held");

    let write = |(connection, run): (ConnectionId, RunId)| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { save(&store, connection, run, &[contact("a")]).await })
    };
    let first = write(all[0]);
    until("the first waits for its end", async || {
        number(store.reader(), WAITING).await == 1
    })
    .await;
    let second = write(all[1]);
    until("the second waits for the first, or is done", async || {
        second.is_finished() || number(store.reader(), WAITING).await == 2
    })
    .await;
    let mut seen = follow(&store, workspace, None, 50).await;
    held.rollback().await.expect("let go");
    first.await.expect("done");
    second.await.expect("done");
    let last = seen.last().map_or(0, |change| change.seq);
    seen.extend(follow(&store, workspace, last, 50).await);
    assert_eq!(seen.len(), 2, "one was missed");
}

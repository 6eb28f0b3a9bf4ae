//! What was created and changed in each week: counted as items are written, shown on the dashboard.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{TimeDelta, Utc};
use tributary::item::{ConnectionId, Item, RunId};
use tributary::store::{Store, Week};

use crate::list::Dice;
use crate::store::{account, approve, at_ms, begin_run, contact, key_of, save, sign_in};
use crate::support::database::{Database, execute, number, on_both_databases};

on_both_databases! {
    whatever_comes_changes_and_goes_the_weeks_are_those_of_the_items_there_are,
    weeks_from_before_they_were_counted_are_counted_when_the_database_is_opened,
    a_workspace_sees_the_weeks_of_its_own_connections_alone,
}

/// Where the counts of weeks and those of the items that are there part; of recent weeks, but not of the
/// oldest that are kept, for which time goes on meanwhile.
const WRONG: &str = "
    WITH weeks AS (
        SELECT connection_id, (created_at + 259200000) / 604800000 AS created,
            (modified_at + 259200000) / 604800000 AS changed
        FROM items WHERE gone_at IS NULL
    ), met AS (
        SELECT connection_id, created AS week, 1 AS created, 0 AS changed FROM weeks
        UNION ALL SELECT connection_id, changed, 0, 1 FROM weeks WHERE changed > created
        UNION ALL SELECT connection_id, week, -created, -changed FROM item_weeks
    )
    SELECT COUNT(*) FROM (
        SELECT connection_id, week FROM met
        WHERE week > (SELECT (now + 259200000) / 604800000 - 20 FROM clock)
        GROUP BY connection_id, week HAVING SUM(created) <> 0 OR SUM(changed) <> 0) AS wrong";

/// Some recent, some long ago, some ahead of our clock, some unknown.
fn some_time(dice: &mut Dice) -> Option<i64> {
    let days = match dice.roll(8) {
        0 => return None,
        1 => 400 + dice.roll(400) as i64,
        2 => -(dice.roll(20) as i64),
        _ => dice.roll(100) as i64,
    };
    Some((Utc::now() - TimeDelta::days(days)).timestamp_millis())
}

fn some_item(dice: &mut Dice, id: usize) -> Item {
    Item {
        created: some_time(dice).and_then(at_ms),
        modified: some_time(dice).and_then(at_ms),
        name: format!("{}", dice.roll(1_000)),
        ..contact(id)
    }
}

async fn two_connections(store: &Store) -> Vec<(ConnectionId, RunId)> {
    let workspace = sign_in(store, "h/hubspot/1").await.workspace;
    let mut both = Vec::new();
    for key in ["a", "b"] {
        let connection = approve(store, &account(workspace, key)).await.connection;
        both.push((connection, begin_run(store, connection).await));
    }
    both
}

async fn remove(store: &Store, connection: ConnectionId, items: &[Item]) {
    let gone: Vec<_> = items.iter().map(key_of).collect();
    let mut tx = store.begin().await.expect("a transaction");
    tx.remove_items(connection, &gone).await.expect("removed");
    tx.commit().await.expect("a commit");
}

/// Adds, changes, brings back and removes items of one of these connections.
async fn go_on(store: &Store, connections: &[(ConnectionId, RunId)], dice: &mut Dice) {
    let (connection, run) = *dice.pick(connections);
    let some: BTreeSet<usize> = (0..=dice.roll(40)).map(|_| dice.roll(120)).collect();
    let page: Vec<Item> = some.into_iter().map(|id| some_item(dice, id)).collect();
    if dice.roll(3) == 0 {
        remove(store, connection, &page).await;
    } else {
        save(store, connection, run, &page).await;
    }
}

async fn whatever_comes_changes_and_goes_the_weeks_are_those_of_the_items_there_are(at: Database) {
    let store = at.open().await;
    let connections = two_connections(&store).await;
    let mut dice = Dice(7);
    for _ in 0..60 {
        go_on(&store, &connections, &mut dice).await;
        assert_eq!(number(store.reader(), WRONG).await, 0);
    }
    let counted = "SELECT COUNT(*) FROM item_weeks WHERE created > 0 AND changed > 0";
    assert!(number(store.reader(), counted).await > 20);
    let old = "SELECT COUNT(*) FROM item_weeks
        WHERE week < (SELECT (now + 259200000) / 604800000 - 27 FROM clock)";
    assert_eq!(
        number(store.reader(), old).await,
        0,
        "old weeks are not kept"
    );
    let gone = "SELECT COUNT(*) FROM items WHERE gone_at IS NOT NULL";
    assert!(number(store.reader(), gone).await > 20);
    // What a listing does not name goes another way than what is shown to be gone.
    let (connection, run) = connections[0];
    let ids: Vec<i64> = (1..400).collect();
    let dropped = store.drop_items(connection, RunId(run.0 + 1), &ids).await;
    dropped.expect("dropped");
    assert_eq!(number(store.reader(), WRONG).await, 0);
}

async fn weeks_from_before_they_were_counted_are_counted_when_the_database_is_opened(at: Database) {
    let store = at.open().await;
    let connections = two_connections(&store).await;
    let mut dice = Dice(11);
    for _ in 0..20 {
        go_on(&store, &connections, &mut dice).await;
    }
    let before = "DROP TABLE item_weeks; DELETE FROM _sqlx_migrations WHERE version = 13";
    execute(store.writer(), before).await;
    store.close().await;
    let store = at.open().await;
    assert_eq!(number(store.reader(), WRONG).await, 0);
    assert!(number(store.reader(), "SELECT COUNT(*) FROM item_weeks").await > 20);
    for _ in 0..20 {
        go_on(&store, &connections, &mut dice).await;
    }
    assert_eq!(number(store.reader(), WRONG).await, 0);
}

async fn a_workspace_sees_the_weeks_of_its_own_connections_alone(at: Database) {
    let store = at.open().await;
    let now = Utc::now();
    let this = Week::of(now);
    let mut own = BTreeMap::new();
    for (subject, items) in [("h/hubspot/1", 2), ("h/hubspot/2", 3)] {
        let workspace = sign_in(&store, subject).await.workspace;
        let new = account(workspace, subject);
        let connection = approve(&store, &new).await.connection;
        let run = begin_run(&store, connection).await;
        let item = |id| Item {
            created: Some(now - TimeDelta::weeks(1)),
            modified: Some(now),
            ..contact(id)
        };
        let page: Vec<Item> = (0..items).map(item).collect();
        save(&store, connection, run, &page).await;
        own.insert(items, workspace);
    }
    for (items, workspace) in own {
        let weeks = store.weeks(workspace, this.back(1), this.back(-1)).await;
        let mut weeks = weeks.expect("weeks");
        weeks.sort_by_key(|it| it.week);
        let counts = weeks.iter().map(|it| (it.created, it.changed));
        assert_eq!(counts.collect::<Vec<_>>(), [(items, 0), (0, items)]);
        let weeks = store.weeks(workspace, this.back(9), this.back(2)).await;
        assert!(weeks.expect("no weeks").is_empty());
    }
}

//! What survives: each story is told once and holds on SQLite and on PostgreSQL.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tributary::item::{
    ConnectionId, IdentityId, Item, Parent, RunId, SignInId, UserId, WorkspaceId,
};
use tributary::store::{
    Answer, Approval, Approver, Cause, ConnectionState, Cost, Coverage, DEADLINE, Ended, Error,
    FIRST, Filters, Identity, ListQuery, ListRow, Location, Mark, NewConnection, NewPerson,
    NewSource, PageCounts, Progress, RunState, SealedGrant, SignIn, Sort, Store, Tx,
};

use crate::support::database::{Database, column, execute, number, on_both_databases, schema};

/// Far more than any deadline of the store, far less than for ever.
const GENEROUS: Duration = Duration::from_secs(30);

on_both_databases! {
    stores_that_open_a_fresh_database_together_all_find_the_schema_once,
    opening_a_database_again_changes_nothing,
    a_transaction_that_is_not_committed_leaves_nothing,
    a_person_is_known_again_by_their_subject_and_never_by_their_email,
    what_a_provider_now_says_of_a_person_is_kept,
    first_sign_ins_of_one_person_at_once_make_one_person,
    a_sign_in_that_is_not_used_for_a_week_is_over,
    a_sign_in_is_over_after_thirty_days_however_much_it_is_used,
    an_ended_sign_in_is_over_for_good,
    who_is_no_longer_a_member_is_not_signed_in,
    an_account_approved_again_is_the_same_connection_brought_up_to_date,
    an_import_that_is_due_is_queued_once_whoever_sees_it,
    one_account_in_two_workspaces_is_two_connections,
    a_workspace_never_sees_a_connection_of_another,
    a_run_that_is_on_is_kept_and_not_doubled,
    who_asks_for_everything_gets_it_whatever_run_is_on,
    only_a_run_that_reached_its_end_counts_as_the_last_import,
    a_finished_run_stays_as_it_ended,
    a_page_says_what_it_added_changed_and_left,
    a_page_of_thousands_is_stored_whole,
    a_record_that_stands_twice_on_a_page_counts_once_and_the_later_one_stays,
    a_record_is_one_by_container_type_and_id_within_its_connection,
    an_unchanged_record_is_marked_as_seen_and_not_written_again,
    the_record_as_it_came_is_kept_byte_for_byte,
    a_page_and_the_cursor_behind_it_are_stored_together_or_not_at_all,
    a_stream_that_is_done_does_not_move,
    a_run_that_begins_again_goes_on_where_it_was,
    a_listing_of_which_something_else_is_known_has_not_been_read_yet,
    what_is_gone_is_out_of_the_list_until_it_is_met_again,
    what_a_run_has_met_is_not_removed_with_the_rest,
    what_a_provider_was_asked_about_is_told_apart_from_what_it_was_not,
    what_was_read_of_a_container_is_forgotten_with_it,
    a_question_is_asked_anew_by_a_later_run_and_answered_once,
    a_deleted_connection_takes_along_what_hangs_on_it,
    the_list_is_newest_first_over_several_connections,
    walking_the_list_gives_every_item_once_whatever_the_step,
    a_list_over_hundreds_of_connections_is_one_list,
    the_first_of_two_sealed_secrets_of_one_name_stays,
}

fn identity(subject: &str, email: &str) -> Identity {
    Identity {
        subject: subject.into(),
        provider: "hubspot",
        account_id: "1".into(),
        email: Some(email.into()),
    }
}

/// Signs somebody in as an approval does, in one transaction.
async fn try_sign_in(store: &Store, who: &Identity) -> Result<Person, Error> {
    let mut tx = store.begin().await?;
    let known = match tx.known_person(who).await? {
        Some(known) => known,
        None => {
            let new = NewPerson {
                name: "Ada",
                identity: who,
            };
            tx.add_person(new).await?
        }
    };
    let sign_in = tx.add_sign_in(known, false).await?;
    tx.commit().await?;
    Ok(Person {
        identity: known.identity,
        workspace: known.workspace,
        sign_in,
    })
}

pub(crate) struct Person {
    identity: IdentityId,
    pub(crate) workspace: WorkspaceId,
    sign_in: SignInId,
}

pub(crate) async fn sign_in(store: &Store, subject: &str) -> Person {
    let who = identity(subject, "ada@x.test");
    try_sign_in(store, &who).await.expect("a sign-in")
}

async fn live(store: &Store, id: SignInId, at: DateTime<Utc>) -> Option<SignIn> {
    store.live_sign_in(id, at).await.expect("an answer")
}

pub(crate) fn account(workspace: WorkspaceId, key: &str) -> NewConnection<'_> {
    NewConnection {
        workspace,
        provider: "hubspot",
        account_key: key,
        account_id: "42",
        account_name: "Office",
        approver: Approver {
            // Whoever signed in first.
            user: UserId(1),
            subject: None,
            email: None,
            name: "Ada",
        },
        notes: "",
        scopes: &[],
    }
}

fn sealed_grant() -> SealedGrant {
    SealedGrant {
        sealed: b"sealed".to_vec(),
        renews: true,
        lapses_at: None,
    }
}

pub(crate) async fn approve(store: &Store, new: &NewConnection<'_>) -> Approval {
    let mut tx = store.begin().await.expect("a transaction");
    let approval = tx.approve(new).await.expect("an approval");
    tx.commit().await.expect("a commit");
    approval
}

/// A connection of somebody, with a run that has begun to read contacts.
pub(crate) async fn importing(store: &Store, subject: &str) -> (ConnectionId, RunId) {
    let workspace = sign_in(store, subject).await.workspace;
    let connection = approve(store, &account(workspace, subject))
        .await
        .connection;
    (connection, begin_run(store, connection).await)
}

pub(crate) async fn begin_run(store: &Store, connection: ConnectionId) -> RunId {
    let run = store.queue_run(connection, Cause::Hand, true).await;
    let run = run.expect("a run");
    store
        .begin_run(run, &[root("contacts")])
        .await
        .expect("it begins");
    run
}

fn root(stream: &str) -> NewSource<'_> {
    NewSource {
        stream,
        key: "",
        label: "",
        about: "",
    }
}

/// Where the listings stand that are left.
async fn cursors(store: &Store, run: RunId) -> Vec<Option<String>> {
    let left = store.sources_left(run, 10).await.expect("an answer");
    left.into_iter().map(|source| source.cursor).collect()
}

/// A contact as an adapter hands it over; what matters to a test is changed from there.
pub(crate) fn contact(id: impl std::fmt::Display) -> Item {
    Item {
        container: String::new(),
        kind: "contact",
        id: id.to_string(),
        name: format!("Contact {id}"),
        created: None,
        modified: DateTime::from_timestamp_millis(1_700_000_000_000),
        url: None,
        parent: None,
        substance: None,
        raw: raw(&format!(r#"{{"id":"{id}"}}"#)),
    }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).expect("JSON")
}

pub(crate) fn at_ms(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}

fn counts(added: i64, changed: i64, unchanged: i64) -> PageCounts {
    PageCounts {
        added,
        changed,
        unchanged,
    }
}

/// Stores a page and nothing else.
pub(crate) async fn save(
    store: &Store,
    connection: ConnectionId,
    run: RunId,
    page: &[Item],
) -> PageCounts {
    let mut tx = store.begin().await.expect("a transaction");
    let counts = tx.save_items(connection, run, page).await.expect("a page");
    tx.commit().await.expect("a commit");
    counts
}

fn step<'a>(run: RunId, from: Option<&'a str>, to: Option<&'a str>) -> Progress<'a> {
    Progress {
        run,
        source: "contacts",
        total: None,
        from,
        to,
        done: to.is_none(),
        counts: counts(1, 0, 0),
        removed: 0,
        skipped: 0,
        cost: Cost {
            calls: 1,
            waited_ms: 0,
        },
    }
}

async fn items_of(store: &Store, connection: ConnectionId) -> i64 {
    let connection = store.any_connection(connection).await.expect("an answer");
    connection.expect("it is there").items
}

/// The list from its start to its end, `limit` rows at a time.
async fn walk(store: &Store, connections: &[ConnectionId], limit: usize) -> Vec<ListRow> {
    let mut rows: Vec<ListRow> = Vec::new();
    let mut after: Option<Mark> = None;
    loop {
        let filters = Filters {
            connections: connections.to_vec(),
            ..Filters::default()
        };
        let query = ListQuery {
            filters,
            sort: Sort::default(),
            after,
            limit,
        };
        let span = store.list(&query).await.expect("a part of the list");
        assert!(span.rows.len() <= limit);
        rows.extend(span.rows);
        after = span.next;
        if after.is_none() {
            return rows;
        }
        assert!(rows.len() < 100_000, "the list does not end");
    }
}

fn names(rows: &[ListRow]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

async fn stores_that_open_a_fresh_database_together_all_find_the_schema_once(at: Database) {
    let stores = join_all((0..4).map(|_| Store::open(&at.location))).await;
    for (n, store) in stores.iter().enumerate() {
        let store = store.as_ref().unwrap_or_else(|error| panic!("{error}"));
        sign_in(store, &format!("h/hubspot/{n}")).await;
    }
    let last = stores.last().expect("four").as_ref().expect("a store");
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT version) FROM _sqlx_migrations";
    assert_eq!(number(last.reader(), twice).await, 0);
    assert_eq!(number(last.reader(), "SELECT COUNT(*) FROM users").await, 4);
}

async fn opening_a_database_again_changes_nothing(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await;
    let before = schema(store.reader()).await;
    assert!(before.iter().any(|words| words.contains("run_streams")));
    let migrations = "SELECT COUNT(*) FROM _sqlx_migrations";
    let steps = number(store.reader(), migrations).await;
    store.close().await;

    let store = at.open().await;
    assert_eq!(schema(store.reader()).await, before);
    assert!(live(&store, ada.sign_in, Utc::now()).await.is_some());
    assert_eq!(number(store.reader(), migrations).await, steps);
}

async fn a_transaction_that_is_not_committed_leaves_nothing(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let mut tx = store.begin().await.expect("a transaction");
    tx.save_items(connection, run, &[contact(1)])
        .await
        .expect("a page");
    tx.save_grant(connection, &sealed_grant())
        .await
        .expect("a grant");
    drop(tx);

    // The next write is not held up by the one that was dropped, and does not find it.
    assert_eq!(
        save(&store, connection, run, &[contact(1)]).await,
        counts(1, 0, 0)
    );
    assert_eq!(
        number(store.reader(), "SELECT COUNT(*) FROM grants").await,
        0
    );
    assert_eq!(items_of(&store, connection).await, 1);
}

async fn a_person_is_known_again_by_their_subject_and_never_by_their_email(at: Database) {
    let store = at.open().await;
    let ada = try_sign_in(&store, &identity("h/hubspot/1", "ada@x.test")).await;
    let again = try_sign_in(&store, &identity("h/hubspot/1", "moved@y.test")).await;
    let other = try_sign_in(&store, &identity("h/hubspot/2", "ada@x.test")).await;
    let (ada, again, other) = (ada.expect("in"), again.expect("in"), other.expect("in"));

    assert_eq!(
        (again.identity, again.workspace),
        (ada.identity, ada.workspace)
    );
    assert_ne!(again.sign_in, ada.sign_in);
    assert_ne!(other.identity, ada.identity);
    assert_ne!(other.workspace, ada.workspace);
    let now = Utc::now();
    let ada = live(&store, ada.sign_in, now).await.expect("live");
    let other = live(&store, other.sign_in, now).await.expect("live");
    assert_ne!(ada.user_id, other.user_id);
}

async fn what_a_provider_now_says_of_a_person_is_kept(at: Database) {
    let store = at.open().await;
    sign_in(&store, "h/hubspot/1").await;
    let moved = Identity {
        account_id: "2".into(),
        ..identity("h/hubspot/1", "moved@y.test")
    };
    let silent = Identity {
        email: None,
        ..moved.clone()
    };
    for said in [moved, silent] {
        let ada = try_sign_in(&store, &said).await.expect("a sign-in");
        let ada = live(&store, ada.sign_in, Utc::now()).await.expect("live");
        assert_eq!(ada.account_id, "2");
        assert_eq!(ada.email.as_deref(), Some("moved@y.test"));
        assert_eq!(
            (ada.person.as_str(), ada.provider.as_str()),
            ("Ada", "hubspot")
        );
    }
}

async fn first_sign_ins_of_one_person_at_once_make_one_person(at: Database) {
    let store = at.open().await;
    let who = identity("h/hubspot/1", "ada@x.test");
    let all = join_all((0..8).map(async |_| match try_sign_in(&store, &who).await {
        Err(Error::Overtaken) => try_sign_in(&store, &who).await,
        first => first,
    }))
    .await;
    let all: Vec<Person> = all.into_iter().map(|one| one.expect("in")).collect();

    assert!(all.iter().all(|one| one.identity == all[0].identity));
    assert!(all.iter().all(|one| one.workspace == all[0].workspace));
    for count in [
        "SELECT COUNT(*) FROM users",
        "SELECT COUNT(*) FROM identities",
        "SELECT COUNT(*) FROM workspaces",
    ] {
        assert_eq!(number(store.reader(), count).await, 1, "{count}");
    }
    assert_eq!(
        number(store.reader(), "SELECT COUNT(*) FROM sign_ins").await,
        8
    );
}

async fn a_sign_in_that_is_not_used_for_a_week_is_over(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.sign_in;
    let now = Utc::now();
    let week = TimeDelta::days(7);
    let minute = TimeDelta::minutes(1);
    let seen = live(&store, ada, now + week - minute).await.expect("live");
    assert!(live(&store, ada, now + week + minute).await.is_none());

    let used = now + TimeDelta::days(3);
    store.sign_in_seen(&seen, used).await.expect("noted");
    assert!(live(&store, ada, now + week + minute).await.is_some());
    assert!(live(&store, ada, used + week - minute).await.is_some());
    assert!(live(&store, ada, used + week + minute).await.is_none());
}

async fn a_sign_in_is_over_after_thirty_days_however_much_it_is_used(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.sign_in;
    let start = Utc::now();
    for day in 1..30 {
        let day = start + TimeDelta::days(day);
        let seen = live(&store, ada, day).await.expect("live");
        store.sign_in_seen(&seen, day).await.expect("noted");
    }
    let end = start + TimeDelta::days(30);
    assert!(
        live(&store, ada, end - TimeDelta::minutes(1))
            .await
            .is_some()
    );
    assert!(
        live(&store, ada, end + TimeDelta::minutes(1))
            .await
            .is_none()
    );
}

async fn an_ended_sign_in_is_over_for_good(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.sign_in;
    let other = sign_in(&store, "h/hubspot/1").await.sign_in;
    let now = Utc::now();
    let in_flight = live(&store, ada, now).await.expect("live");
    store.end_sign_in(&in_flight).await.expect("ended");
    assert!(live(&store, ada, now).await.is_none());

    // A request that was let in before does not bring it back.
    let later = now + TimeDelta::days(1);
    store.sign_in_seen(&in_flight, later).await.expect("noted");
    store.end_sign_in(&in_flight).await.expect("ended twice");
    assert!(live(&store, ada, later).await.is_none());
    assert!(
        live(&store, other, now).await.is_some(),
        "the other browser stays"
    );
}

async fn who_is_no_longer_a_member_is_not_signed_in(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.sign_in;
    execute(store.writer(), "DELETE FROM members").await;
    assert!(live(&store, ada, Utc::now()).await.is_none());
}

async fn an_account_approved_again_is_the_same_connection_brought_up_to_date(at: Database) {
    let store = at.open().await;
    let workspace = sign_in(&store, "h/hubspot/1").await.workspace;
    let first = approve(&store, &account(workspace, "42")).await;
    assert!(first.fresh);
    execute(
        store.writer(),
        "UPDATE connections SET state = 'reconnect', reason = 'ended'",
    )
    .await;
    let scopes = ["contacts.read".to_owned(), "oauth".to_owned()];
    let renamed = NewConnection {
        account_name: "Office, renamed",
        approver: Approver {
            name: "Bo",
            ..account(workspace, "42").approver
        },
        notes: "eu1",
        scopes: &scopes,
        ..account(workspace, "42")
    };
    let second = approve(&store, &renamed).await;

    assert_eq!(second.connection, first.connection);
    assert!(!second.fresh);
    let all = store.connections(workspace).await.expect("an answer");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].account_name, "Office, renamed");
    assert_eq!(
        (all[0].person.as_str(), all[0].notes.as_str()),
        ("Bo", "eu1")
    );
    assert_eq!(all[0].scopes, scopes);
    assert_eq!(all[0].state, ConnectionState::Connected);
    assert_eq!(all[0].reason, None);
}

async fn an_import_that_is_due_is_queued_once_whoever_sees_it(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    assert!(
        store.due(9).await.expect("an answer").is_empty(),
        "one is on"
    );
    store
        .finish_run(run, RunState::Failed, None)
        .await
        .expect("ended");
    let unplanned = store.due(9).await.expect("an answer");
    assert!(!unplanned[0].is_planned());
    assert_eq!(unplanned[0].failures, 1);
    let past = Some(Utc::now() - TimeDelta::seconds(1));
    store.plan_import(connection, past).await.expect("planned");

    let due = store.due(9).await.expect("an answer");
    assert!(due[0].is_planned());
    let (first, second) = tokio::join!(
        store.queue_due(&due[0], false),
        store.queue_due(&due[0], true)
    );
    first.and(second).expect("queued");
    assert_eq!(store.unfinished_runs().await.expect("an answer").len(), 1);
    // Whoever saw it long ago queues no second one after the first has ended.
    let run = store.unfinished_runs().await.expect("an answer")[0].id;
    store
        .finish_run(run, RunState::Done, None)
        .await
        .expect("ended");
    store.queue_due(&due[0], false).await.expect("nothing");
    assert!(store.unfinished_runs().await.expect("an answer").is_empty());

    store.plan_import(connection, None).await.expect("never");
    assert!(store.due(9).await.expect("an answer").is_empty());
}

async fn one_account_in_two_workspaces_is_two_connections(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.workspace;
    let bo = sign_in(&store, "h/hubspot/2").await.workspace;
    let of_ada = approve(&store, &account(ada, "42")).await;
    let of_bo = approve(&store, &account(bo, "42")).await;
    assert_ne!(of_ada.connection, of_bo.connection);
    assert!(of_ada.fresh && of_bo.fresh);
}

async fn a_workspace_never_sees_a_connection_of_another(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await.workspace;
    let bo = sign_in(&store, "h/hubspot/2").await.workspace;
    let of_ada = approve(&store, &account(ada, "42")).await.connection;
    let of_bo = approve(&store, &account(bo, "43")).await.connection;
    for id in [of_ada, of_bo] {
        store.queue_run(id, Cause::Hand, true).await.expect("a run");
    }

    let ids = |all: Vec<tributary::store::Connection>| all.iter().map(|c| c.id).collect::<Vec<_>>();
    assert_eq!(ids(store.connections(ada).await.expect("all")), [of_ada]);
    assert_eq!(ids(store.connections(bo).await.expect("all")), [of_bo]);
    assert!(
        store
            .connection(ada, of_bo)
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(
        store
            .connection(ada, of_ada)
            .await
            .expect("an answer")
            .is_some()
    );
    let runs = store.latest_runs(ada).await.expect("an answer");
    assert_eq!(
        runs.iter().map(|run| run.connection).collect::<Vec<_>>(),
        [of_ada]
    );
}

async fn a_run_that_is_on_is_kept_and_not_doubled(at: Database) {
    let store = at.open().await;
    let workspace = sign_in(&store, "h/hubspot/1").await.workspace;
    let one = approve(&store, &account(workspace, "1")).await.connection;
    let two = approve(&store, &account(workspace, "2")).await.connection;
    let asked = join_all((0..8).map(|_| store.queue_run(one, Cause::Hand, true))).await;
    let asked: BTreeSet<RunId> = asked.into_iter().map(|run| run.expect("a run")).collect();
    assert_eq!(asked.len(), 1);
    let first = *asked.first().expect("a run");
    let other = store
        .queue_run(two, Cause::Hand, true)
        .await
        .expect("a run");
    assert_ne!(other, first);

    store
        .begin_run(first, &[root("contacts")])
        .await
        .expect("begun");
    let during = store.queue_run(one, Cause::Hand, false).await;
    assert_eq!(during.expect("a run"), first);
    store
        .finish_run(first, RunState::Done, None)
        .await
        .expect("finished");
    let next = store
        .queue_run(one, Cause::Hand, true)
        .await
        .expect("a run");
    assert_ne!(next, first);
    let unfinished = store.unfinished_runs().await.expect("an answer");
    let unfinished: Vec<RunId> = unfinished.iter().map(|run| run.id).collect();
    assert_eq!(unfinished, [other, next], "oldest first");
}

async fn who_asks_for_everything_gets_it_whatever_run_is_on(at: Database) {
    let store = at.open().await;
    let (connection, first) = importing(&store, "h/hubspot/1").await;
    let end = async |run, state| {
        let ended = store.finish_run(run, state, None).await;
        ended.expect("finished");
    };
    let ask = async |full| {
        let run = store.queue_run(connection, Cause::Schedule, full).await;
        run.expect("a run")
    };
    let begin = async |run| {
        let begun = store.begin_run(run, &[root("contacts")]).await;
        begun.expect("an answer")
    };
    let queued = async || {
        let runs = store.unfinished_runs().await.expect("an answer");
        runs.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    // Nothing follows a run that reads everything itself.
    assert_eq!(ask(true).await, first);
    end(first, RunState::Done).await;
    assert_eq!(queued().await, []);

    let waiting = ask(false).await;
    assert_eq!((ask(true).await, ask(false).await), (waiting, waiting));
    assert_eq!(begin(waiting).await, Some(true), "it has read nothing yet");
    end(waiting, RunState::Done).await;
    assert_eq!(begin(waiting).await, None);
    assert_eq!(queued().await, []);

    let begun = ask(false).await;
    assert_eq!(begin(begun).await, Some(false));
    assert_eq!((ask(true).await, ask(true).await), (begun, begun));
    assert_eq!(begin(begun).await, Some(false), "it goes on as it began");
    end(begun, RunState::Failed).await;
    end(begun, RunState::Failed).await;
    let [follows] = queued().await[..] else {
        panic!("one run follows")
    };
    assert_eq!(begin(follows).await, Some(true));
    end(follows, RunState::Done).await;

    let stopped = ask(false).await;
    begin(stopped).await;
    ask(true).await;
    end(stopped, RunState::Cancelled).await;
    assert_eq!(queued().await, [], "who cancels has had enough");
}

async fn only_a_run_that_reached_its_end_counts_as_the_last_import(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let error = Some(("refused", "It said no."));
    let failed = store.finish_run(run, RunState::Failed, error).await;
    failed.expect("finished");
    let seen = store.any_connection(connection).await.expect("an answer");
    assert_eq!(seen.expect("there").last_import_at, None);
    let latest = store.latest_run(connection).await.expect("an answer");
    let latest = latest.expect("a run");
    assert_eq!(latest.state, RunState::Failed);
    assert_eq!(latest.error_message.as_deref(), Some("It said no."));

    let run = begin_run(&store, connection).await;
    store
        .finish_run(run, RunState::Done, None)
        .await
        .expect("finished");
    let seen = store.any_connection(connection).await.expect("an answer");
    assert!(seen.expect("there").last_import_at.is_some());
}

async fn a_finished_run_stays_as_it_ended(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    store
        .finish_run(run, RunState::Done, None)
        .await
        .expect("finished");
    let ended = store.latest_run(connection).await.expect("an answer");
    // As by a process that lost its lease and does not know it yet.
    store
        .begin_run(run, &[root("contacts")])
        .await
        .expect("begun");
    let error = Some(("refused", "It said no."));
    let late = store.finish_run(run, RunState::Failed, error).await;
    late.expect("an answer");

    let latest = store.latest_run(connection).await.expect("an answer");
    let (latest, ended) = (latest.expect("a run"), ended.expect("a run"));
    assert_eq!(latest.state, RunState::Done);
    assert_eq!(latest.finished_at, ended.finished_at);
}

async fn a_page_says_what_it_added_changed_and_left(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let company = || Item {
        kind: "company",
        ..contact(9)
    };
    let first = [contact(1), contact(2), contact(3), company()];
    assert_eq!(save(&store, connection, run, &first).await, counts(4, 0, 0));
    assert_eq!(items_of(&store, connection).await, 4);

    // Each thing that is shown or kept makes a record another one when it changes.
    let renamed = Item {
        name: "Ada".into(),
        ..contact(1)
    };
    let moved = Item {
        modified: at_ms(5),
        ..contact(2)
    };
    let reworded = Item {
        raw: raw(r#"{ "id":"3"}"#),
        ..contact(3)
    };
    let linked = Item {
        url: Some("https://x.test".into()),
        ..company()
    };
    let second = [renamed, moved, reworded, linked, contact(4)];
    assert_eq!(
        save(&store, connection, run, &second).await,
        counts(1, 4, 0)
    );
    assert_eq!(
        save(&store, connection, run, &second).await,
        counts(0, 0, 5)
    );
    assert_eq!(save(&store, connection, run, &[]).await, counts(0, 0, 0));
    assert_eq!(items_of(&store, connection).await, 5);
    let rows = "SELECT COUNT(*) FROM items";
    assert_eq!(number(store.reader(), rows).await, 5);
    let listed = walk(&store, &[connection], 50).await;
    assert!(names(&listed).contains(&"Ada"));
}

async fn a_page_of_thousands_is_stored_whole(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let page: Vec<Item> = (0..2_500).map(contact).collect();
    assert_eq!(
        save(&store, connection, run, &page).await,
        counts(2_500, 0, 0)
    );
    assert_eq!(
        save(&store, connection, run, &page).await,
        counts(0, 0, 2_500)
    );
    assert_eq!(items_of(&store, connection).await, 2_500);
}

async fn a_record_that_stands_twice_on_a_page_counts_once_and_the_later_one_stays(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let later = Item {
        name: "Later".into(),
        ..contact(1)
    };
    let page = [contact(1), contact(2), later];
    assert_eq!(save(&store, connection, run, &page).await, counts(2, 0, 0));
    assert_eq!(items_of(&store, connection).await, 2);
    let mut names: Vec<String> = walk(&store, &[connection], 9)
        .await
        .into_iter()
        .map(|row| row.name)
        .collect();
    names.sort();
    assert_eq!(names, ["Contact 2", "Later"]);
}

async fn a_record_is_one_by_container_type_and_id_within_its_connection(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let (other, other_run) = importing(&store, "h/hubspot/2").await;
    let elsewhere = Item {
        container: "app1/tbl1".into(),
        ..contact(1)
    };
    let company = Item {
        kind: "company",
        ..contact(1)
    };
    let page = [contact(1), elsewhere, company];
    assert_eq!(save(&store, connection, run, &page).await, counts(3, 0, 0));
    assert_eq!(save(&store, other, other_run, &page).await, counts(3, 0, 0));
    assert_eq!(items_of(&store, connection).await, 3);
    assert_eq!(walk(&store, &[connection], 9).await.len(), 3);
}

async fn an_unchanged_record_is_marked_as_seen_and_not_written_again(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    save(&store, connection, run, &[contact(1)]).await;
    // What is written again would lose these marks.
    execute(store.writer(), "UPDATE items SET name = 'marked'").await;
    execute(store.writer(), "DELETE FROM item_raws").await;
    store
        .finish_run(run, RunState::Done, None)
        .await
        .expect("finished");
    let next = begin_run(&store, connection).await;

    assert_eq!(
        save(&store, connection, next, &[contact(1)]).await,
        counts(0, 0, 1)
    );
    assert_eq!(names(&walk(&store, &[connection], 9).await), ["marked"]);
    assert_eq!(
        number(store.reader(), "SELECT COUNT(*) FROM item_raws").await,
        0
    );
    assert_eq!(
        number(store.reader(), "SELECT seen_run FROM items").await,
        next.0
    );
}

async fn the_record_as_it_came_is_kept_byte_for_byte(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let as_it_came = [
        "{ \"b\" :1e400,\r\n\t\"a\":\"\\u0000\\ud83d\\ude00 é\u{2028}\", \"a\":2.50}",
        r#"{"id":12345678901234567890123456789012345678901234567890}"#,
    ];
    let with = |json: &str| Item {
        raw: raw(json),
        ..contact(1)
    };
    for json in as_it_came {
        save(&store, connection, run, &[with(json)]).await;
        let kept = column(store.reader(), "SELECT raw FROM item_raws").await;
        assert_eq!(kept, [json.as_bytes()]);
    }
}

/// Stores one item together with a step of the stream, as an import does.
async fn save_step(
    store: &Store,
    connection: ConnectionId,
    item: Item,
    step: &Progress<'_>,
) -> Result<(), Error> {
    let mut tx: Tx = store.begin().await?;
    tx.save_items(connection, step.run, &[item]).await?;
    tx.advance(step).await?;
    tx.commit().await
}

async fn a_page_and_the_cursor_behind_it_are_stored_together_or_not_at_all(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let first = step(run, None, Some("2"));
    save_step(&store, connection, contact(1), &first)
        .await
        .expect("stored");

    // Somebody else's page from where the stream no longer is, first page and later ones alike.
    for from in [None, Some("1")] {
        let stale = step(run, from, Some("3"));
        let overtaken = save_step(&store, connection, contact(2), &stale).await;
        assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    }
    assert_eq!(names(&walk(&store, &[connection], 9).await), ["Contact 1"]);
    assert_eq!(items_of(&store, connection).await, 1);

    let second = step(run, Some("2"), Some("3"));
    save_step(&store, connection, contact(2), &second)
        .await
        .expect("stored");
    let latest = store.latest_run(connection).await.expect("an answer");
    let latest = latest.expect("a run");
    assert_eq!((latest.streams[0].fetched, latest.streams[0].calls), (2, 2));
    assert_eq!(cursors(&store, run).await, [Some("3".to_owned())]);
}

async fn a_stream_that_is_done_does_not_move(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    save_step(&store, connection, contact(1), &step(run, None, None))
        .await
        .expect("stored");
    let after_the_end = step(run, None, Some("2"));
    let overtaken = save_step(&store, connection, contact(2), &after_the_end).await;
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    assert_eq!(items_of(&store, connection).await, 1);
}

async fn a_run_that_begins_again_goes_on_where_it_was(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let started = store.latest_run(connection).await.expect("an answer");
    save_step(&store, connection, contact(1), &step(run, None, Some("2")))
        .await
        .expect("stored");
    store.close().await;

    let store = at.open().await;
    let begun = store.begin_run(run, &[root("contacts")]).await;
    assert_eq!(begun.expect("an answer"), Some(true));
    assert_eq!(cursors(&store, run).await, [Some("2".to_owned())]);
    let latest = store.latest_run(connection).await.expect("an answer");
    let (latest, started) = (latest.expect("a run"), started.expect("a run"));
    assert_eq!((latest.id, latest.state), (run, RunState::Running));
    assert_eq!(latest.started_at, started.started_at);
}

/// A run that reads this listing whole, and whether it had been read before.
async fn read_before(store: &Store, connection: ConnectionId, about: &str) -> bool {
    let run = store.queue_run(connection, Cause::Hand, false).await;
    let run = run.expect("a run");
    let source = NewSource {
        about,
        ..root("records")
    };
    store.begin_run(run, &[source]).await.expect("it begins");
    let left = store.sources_left(run, 10).await.expect("an answer");
    let ended = Ended {
        coverage: Coverage::Complete,
        why: None,
        sweep: false,
    };
    let mut tx = store.begin().await.expect("a transaction");
    tx.end_source(run, "records", &ended).await.expect("stored");
    tx.mark_source(run, "records").await.expect("stored");
    tx.commit().await.expect("a commit");
    store
        .finish_run(run, RunState::Done, None)
        .await
        .expect("stored");
    left[0].read_at.is_some()
}

async fn a_listing_of_which_something_else_is_known_has_not_been_read_yet(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let finished = store.finish_run(run, RunState::Done, None).await;
    finished.expect("stored");
    let mut before = Vec::new();
    for about in ["named by A", "named by A", "named by B", "named by B"] {
        before.push(read_before(&store, connection, about).await);
    }
    assert_eq!(before, [false, true, false, true]);
}

pub(crate) fn key_of(item: &Item) -> Parent {
    Parent {
        container: item.container.clone(),
        kind: item.kind,
        id: item.id.clone(),
    }
}

async fn what_is_gone_is_out_of_the_list_until_it_is_met_again(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    save(&store, connection, run, &[contact(1), contact(2)]).await;
    let gone = [key_of(&contact(1)), key_of(&contact(9))];
    for removed in [1, 0] {
        let mut tx = store.begin().await.expect("a transaction");
        let said = tx.remove_items(connection, &gone).await.expect("removed");
        tx.commit().await.expect("a commit");
        assert_eq!(said, removed, "nothing is removed twice");
    }
    assert_eq!(names(&walk(&store, &[connection], 10).await), ["Contact 2"]);
    assert_eq!(items_of(&store, connection).await, 1);
    // It is as it was, and yet it is new.
    let met = save(&store, connection, run, &[contact(1), contact(2)]).await;
    assert_eq!(met, counts(1, 0, 1));
    assert_eq!(items_of(&store, connection).await, 2);
    assert_eq!(walk(&store, &[connection], 10).await.len(), 2);
}

/// The ids of all items, and which of them a run has not met.
pub(crate) async fn absent(
    store: &Store,
    connection: ConnectionId,
    run: RunId,
) -> (Vec<i64>, Vec<i64>) {
    let mut all = Vec::new();
    let mut absent = Vec::new();
    let mut last = None;
    loop {
        let items = store
            .standing(connection, last.as_ref())
            .await
            .expect("an answer");
        all.extend(items.iter().map(|it| it.id));
        let unmet = items.iter().filter(|it| it.seen_run < run && !it.is_gone);
        absent.extend(unmet.map(|it| it.id));
        match items.into_iter().next_back() {
            None => return (all, absent),
            some => last = some,
        }
    }
}

async fn what_a_run_has_met_is_not_removed_with_the_rest(at: Database) {
    let store = at.open().await;
    let (connection, first) = importing(&store, "h/hubspot/1").await;
    let page: Vec<Item> = (0..4_500).map(contact).collect();
    save(&store, connection, first, &page).await;
    let done = store.finish_run(first, RunState::Done, None).await;
    done.expect("finished");
    let run = begin_run(&store, connection).await;
    save(&store, connection, run, &page[..4_400]).await;
    let (all, unmet) = absent(&store, connection, run).await;
    assert_eq!((all.len(), unmet.len()), (4_500, 100));
    let kept = store.keep_items(run, &unmet[..10]).await;
    kept.expect("kept");
    store
        .drop_absent(connection, run, "contacts", &all[..500])
        .await
        .expect("dropped");
    store
        .drop_absent(connection, run, "contacts", &unmet)
        .await
        .expect("dropped");
    assert_eq!(items_of(&store, connection).await, 4_410);
    assert_eq!(walk(&store, &[connection], 1_000).await.len(), 4_410);
    // Once the run has ended, as by a person, nothing goes any more.
    let done = store.finish_run(run, RunState::Cancelled, None).await;
    done.expect("finished");
    let late = store
        .drop_absent(connection, run, "contacts", &all[..1])
        .await;
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
}

async fn what_a_provider_was_asked_about_is_told_apart_from_what_it_was_not(at: Database) {
    let store = at.open().await;
    let (connection, first) = importing(&store, "h/hubspot/1").await;
    let page: Vec<Item> = (0..6).map(contact).collect();
    save(&store, connection, first, &page).await;
    let done = store.finish_run(first, RunState::Done, None).await;
    done.expect("finished");
    let run = begin_run(&store, connection).await;
    save(&store, connection, run, &page[..1]).await;
    let (all, unmet) = absent(&store, connection, run).await;
    assert_eq!(unmet.len(), 5);
    let cost = Cost::default();
    // The first was met meanwhile, whatever was said before.
    let (there, gone) = (&unmet[..2], [all[0], unmet[2]]);
    let noted = store
        .note_answers(run, "contacts", there, &gone, cost)
        .await;
    noted.expect("noted");
    assert_eq!(absent(&store, connection, run).await.1, unmet[2..]);
    assert_eq!(absent(&store, connection, FIRST).await.1, [unmet[2]]);
    let dropped = store.drop_items(connection, FIRST, &all).await;
    dropped.expect("dropped");
    assert_eq!(items_of(&store, connection).await, 5);
    let done = store.finish_run(run, RunState::Cancelled, None).await;
    done.expect("finished");
    let late = store.note_answers(run, "contacts", &unmet, &[], cost).await;
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
}

async fn what_was_read_of_a_container_is_forgotten_with_it(at: Database) {
    let store = at.open().await;
    let (connection, first) = importing(&store, "h/hubspot/1").await;
    let names = ["within:7", "within:70", "contacts"];
    let within = |key| NewSource {
        key,
        ..root("within")
    };
    let mut tx = store.begin().await.expect("a transaction");
    let opened = tx.open_sources(first, &[within("7"), within("70")]).await;
    opened.expect("opened");
    for name in names {
        tx.mark_source(first, name).await.expect("marked");
    }
    tx.commit().await.expect("a commit");
    for name in names {
        store.hold_sweep(first, name, 1, 1).await.expect("asked");
    }
    save(&store, connection, first, &[contact(7), contact(8)]).await;
    let done = store.finish_run(first, RunState::Done, None).await;
    done.expect("finished");

    let run = begin_run(&store, connection).await;
    let (_, unmet) = absent(&store, connection, run).await;
    let dropped = store.drop_absent(connection, run, "contacts", &unmet).await;
    dropped.expect("dropped");
    let mut tx = store.begin().await.expect("a transaction");
    let opened = tx.open_sources(run, &[within("7"), within("70")]).await;
    opened.expect("opened");
    tx.commit().await.expect("a commit");
    let left = store.sources_left(run, 10).await.expect("an answer");
    let read: Vec<(&str, bool)> = left
        .iter()
        .map(|it| (it.name.as_str(), it.read_at.is_some()))
        .collect();
    let expected = [("contacts", true), ("within:7", false), ("within:70", true)];
    assert_eq!(read, expected);
    let asked = store.questions(connection).await.expect("an answer");
    let asked: Vec<&str> = asked.iter().map(|it| it.source.as_str()).collect();
    assert_eq!(asked, ["contacts", "within:70"]);
}

async fn a_question_is_asked_anew_by_a_later_run_and_answered_once(at: Database) {
    let store = at.open().await;
    let ada = sign_in(&store, "h/hubspot/1").await;
    let bob = sign_in(&store, "h/hubspot/2").await;
    let of_ada = account(ada.workspace, "1");
    let connection = approve(&store, &of_ada).await.connection;
    for absent in [30, 40] {
        let run = begin_run(&store, connection).await;
        store
            .hold_sweep(run, "contacts", absent, 50)
            .await
            .expect("asked");
        store
            .finish_run(run, RunState::Done, None)
            .await
            .expect("finished");
    }
    let asked = store.questions(connection).await.expect("an answer");
    assert_eq!(
        asked
            .iter()
            .map(|it| (it.absent, it.of))
            .collect::<Vec<_>>(),
        [(40, 50)]
    );
    let answer = async |workspace, stream| {
        let user = UserId(1);
        let said = store.answer_questions(workspace, user, connection, stream, Answer::Drop);
        said.await.expect("an answer")
    };
    assert!(!answer(bob.workspace, "contacts").await, "it is not theirs");
    assert!(!answer(ada.workspace, "deals").await);
    assert!(answer(ada.workspace, "contacts").await);
    assert!(!answer(ada.workspace, "contacts").await);
    let answered = store.answered().await.expect("an answer");
    let [answered] = &answered[..] else {
        panic!("one answer: {answered:?}")
    };
    assert_eq!(
        (answered.connection, answered.answer),
        (connection, Answer::Drop)
    );
    // A run that was on when it was answered does not ask again.
    let run = begin_run(&store, connection).await;
    let held = store.hold_sweep(run, "contacts", 40, 50).await;
    held.expect("kept");
    let asked = store.questions(connection).await.expect("an answer");
    assert!(asked.is_empty(), "{asked:?}");
    // What an earlier run would say of it is too late.
    let early = RunId(answered.run.0 - 1);
    for (run, left) in [(early, 1), (answered.run, 0)] {
        store
            .settle_removal(connection, "contacts", run)
            .await
            .expect("settled");
        assert_eq!(store.answered().await.expect("an answer").len(), left);
    }
}

async fn a_deleted_connection_takes_along_what_hangs_on_it(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    save(&store, connection, run, &[contact(1)]).await;
    let mut tx = store.begin().await.expect("a transaction");
    tx.save_grant(connection, &sealed_grant())
        .await
        .expect("a grant");
    tx.commit().await.expect("a commit");
    execute(store.writer(), "DELETE FROM connections").await;
    for count in [
        "SELECT COUNT(*) FROM grants",
        "SELECT COUNT(*) FROM runs",
        "SELECT COUNT(*) FROM run_streams",
        "SELECT COUNT(*) FROM items",
        "SELECT COUNT(*) FROM item_raws",
        "SELECT COUNT(*) FROM item_counts",
        "SELECT COUNT(*) FROM item_weeks",
    ] {
        assert_eq!(number(store.reader(), count).await, 0, "{count}");
    }
}

async fn the_list_is_newest_first_over_several_connections(at: Database) {
    let store = at.open().await;
    let (one, run_one) = importing(&store, "h/hubspot/1").await;
    let (two, run_two) = importing(&store, "h/hubspot/2").await;
    let (foreign, run_foreign) = importing(&store, "h/hubspot/3").await;
    let named = |name: &str, modified| Item {
        name: name.into(),
        modified,
        ..contact(name)
    };
    let page = [
        named("old", at_ms(1_000)),
        named("timeless", None),
        named("newest", at_ms(9_000)),
    ];
    save(&store, one, run_one, &page).await;
    let before_1970 = named("ancient", at_ms(-1));
    save(
        &store,
        two,
        run_two,
        &[named("middle", at_ms(5_000)), before_1970],
    )
    .await;
    save(
        &store,
        foreign,
        run_foreign,
        &[named("foreign", at_ms(7_000))],
    )
    .await;

    let rows = walk(&store, &[one, two], 50).await;
    assert_eq!(
        names(&rows),
        ["newest", "middle", "old", "ancient", "timeless"]
    );
    assert_eq!(rows[0].modified, at_ms(9_000));
    assert_eq!((rows[0].connection, rows[1].connection), (one, two));
    assert_eq!(rows[3].modified, at_ms(-1));
    assert_eq!((rows[4].modified, rows[4].created), (None, None));
    assert_eq!(names(&walk(&store, &[foreign], 50).await), ["foreign"]);
    assert!(walk(&store, &[], 50).await.is_empty());
}

async fn walking_the_list_gives_every_item_once_whatever_the_step(at: Database) {
    let store = at.open().await;
    let (one, run_one) = importing(&store, "h/hubspot/1").await;
    let (two, run_two) = importing(&store, "h/hubspot/2").await;
    // Many share a time, across connections too, and some have none.
    let page = |from: i64| -> Vec<Item> {
        let modified = |n: i64| if n % 5 == 0 { None } else { at_ms(n % 3) };
        let item = |n: i64| Item {
            modified: modified(n),
            ..contact(n)
        };
        (from..from + 20).map(item).collect()
    };
    save(&store, one, run_one, &page(0)).await;
    save(&store, two, run_two, &page(100)).await;

    let whole = walk(&store, &[one, two], 200).await;
    assert_eq!(whole.len(), 40);
    assert_eq!(names(&whole).into_iter().collect::<BTreeSet<_>>().len(), 40);
    for limit in [1, 2, 3, 7, 39, 40, 41] {
        let walked = walk(&store, &[one, two], limit).await;
        assert_eq!(names(&walked), names(&whole), "{limit} at a time");
    }
}

async fn a_list_over_hundreds_of_connections_is_one_list(at: Database) {
    let store = at.open().await;
    let (first, run) = importing(&store, "h/hubspot/1").await;
    let workspace = store.any_connection(first).await.expect("an answer");
    let workspace = workspace.expect("there").workspace_id;
    let mut tx = store.begin().await.expect("a transaction");
    let mut all = Vec::new();
    for n in 0..250 {
        let key = n.to_string();
        let approval = tx.approve(&account(workspace, &key)).await;
        let connection = approval.expect("an approval").connection;
        let item = Item {
            // Neighbours in time stand in connections that are far apart.
            modified: at_ms((n * 101) % 250),
            ..contact(n)
        };
        tx.save_items(connection, run, &[item]).await.expect("kept");
        all.push(connection);
    }
    tx.commit().await.expect("a commit");

    let rows = walk(&store, &all, 40).await;
    assert_eq!(rows.len(), 250);
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.modified)));
}

async fn the_first_of_two_sealed_secrets_of_one_name_stays(at: Database) {
    let store = at.open().await;
    assert_eq!(store.secret("cookie-key").await.expect("an answer"), None);
    assert!(!store.holds_sealed_rows().await.expect("an answer"));
    let first = store.secret_or_insert("cookie-key", b"first").await;
    assert_eq!(first.expect("kept"), b"first");
    let second = store.secret_or_insert("cookie-key", b"second").await;
    assert_eq!(second.expect("kept"), b"first");
    assert!(store.holds_sealed_rows().await.expect("an answer"));
}

// What only one of the two has.

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_the_second_of_two_first_sign_ins_is_told_that_it_was_overtaken() {
    let at = Database::postgres().await;
    let store = at.open().await;
    let who = identity("h/hubspot/1", "ada@x.test");
    let new = || NewPerson {
        name: "Ada",
        identity: &who,
    };
    let mut first = store.begin().await.expect("a transaction");
    let mut second = store.begin().await.expect("a transaction");
    assert!(
        second
            .known_person(&who)
            .await
            .expect("an answer")
            .is_none()
    );
    first.add_person(new()).await.expect("the first");
    let (overtaken, committed) = tokio::join!(second.add_person(new()), first.commit());
    committed.expect("a commit");
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_writes_ahead_in_full_and_holds_references_on_every_pool() {
    let at = Database::sqlite();
    let store = at.open().await;
    for pool in [store.reader(), store.writer()] {
        let mode = "SELECT CAST(journal_mode AS BLOB) FROM pragma_journal_mode";
        assert_eq!(column(pool, mode).await, [b"wal"]);
        assert_eq!(
            number(pool, "SELECT foreign_keys FROM pragma_foreign_keys").await,
            1
        );
        assert_eq!(
            number(pool, "SELECT synchronous FROM pragma_synchronous").await,
            2
        );
    }
    let reads_only = "SELECT query_only FROM pragma_query_only";
    assert_eq!(number(store.reader(), reads_only).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_second_writer_waits_and_then_counts_the_database_as_away() {
    let at = Database::sqlite();
    let (one, two) = (at.open().await, at.open().await);
    let holding = one.begin().await.expect("a transaction");
    let start = Instant::now();
    let refused = two.begin().await.map(drop).expect_err("it is held");
    assert!(refused.is_away(), "{refused:?}");
    assert!(start.elapsed() < GENEROUS);
    // Readers are not held up.
    two.ping().await.expect("an answer");

    // Who gave up left no claim behind, for itself or for others.
    holding.commit().await.expect("a commit");
    sign_in(&two, "h/hubspot/1").await;
    sign_in(&one, "h/hubspot/1").await;
}

/// The two locks that a process which sets up a file goes through: SQLite reports the first at once,
/// whatever patience a connection was given, for it comes in the middle of turning the log on.
#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_that_another_process_is_setting_up_is_waited_for() {
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let at = Database::sqlite();
        let Location::Sqlite(path) = &at.location else {
            unreachable!("made of SQLite above")
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(DEADLINE);
        let connect = async || options.connect().await.expect("a connection");
        let (mut first, mut late) = (connect().await, connect().await);
        let setting_up = first.begin_with(lock).await.expect("held");
        let meanwhile = async {
            // An ordinary call gives up on it, and who starts does not.
            let refused = late.begin_with("BEGIN IMMEDIATE").await.map(drop);
            assert!(refused.is_err(), "nothing was held");
            setting_up.rollback().await.expect("given up");
        };
        let (opened, ()) = tokio::join!(Store::open(&at.location), meanwhile);
        opened.unwrap_or_else(|error| panic!("{lock}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_never_answers_is_away_within_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("a port").port();
    let address = format!("postgres://nobody@127.0.0.1:{port}/none");
    let location: Location = address.parse().expect("an address");
    let start = Instant::now();
    let away = Store::open(&location).await.map(drop).expect_err("silence");
    assert!(away.is_away(), "{away:?}");
    assert!(start.elapsed() < GENEROUS);
}

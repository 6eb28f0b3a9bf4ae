//! How many a search finds: in rosters of names where much may fit, in rows where little may. Both say
//! the same, on both databases.

use std::collections::BTreeMap;

use tributary::item::{ConnectionId, Item, RunId, fold, words};
use tributary::store::{Count, Counts, Filters, ListQuery, RunState, Sort, Store};

use crate::list::list_all_names;
use crate::store::{absent, begin_run, contact, importing, key_of, save};
use crate::support::database::{Database, execute, number, on_both_databases};

on_both_databases! {
    rosters_and_rows_give_the_same_counts,
    connections_that_share_a_block_are_told_apart,
    a_block_is_one_connections_own_and_the_next_begins_where_it_ends,
    rosters_of_many_connections_are_counted_together,
    only_a_search_that_much_may_fit_asks_rosters,
    what_has_gone_is_not_counted_and_what_comes_back_is,
    a_changed_name_is_counted_as_the_new_one_at_once,
    a_chosen_type_leaves_the_counts_of_the_others_as_they_are,
    no_count_is_less_than_what_the_page_shows,
}

const NAMES: [&str; 10] = [
    "Anna Smith",
    // Has every piece of "annabel", and yet not the word.
    "Ann Abel",
    "Annabel Smith",
    "ÁNNA",
    "王小明",
    "王",
    // Folds to what has a blank.
    "L´Oréal",
    "L Occitane",
    "Bob",
    "",
];
const SEARCHES: [&str; 15] = [
    "a",
    "王",
    "an",
    "小明",
    "ann",
    "王小明",
    "anna",
    "ANNABEL",
    "smith anna",
    "ann b",
    "a a",
    "王 明",
    "l´oréal",
    "l oreal",
    "nowhere",
];
const KINDS: [&str; 3] = ["contact", "company", "deal"];

/// A connection, the run that reads it, and what is in it.
struct Account {
    connection: ConnectionId,
    run: RunId,
    items: Vec<Item>,
}

impl Account {
    async fn new(store: &Store, name: &str) -> Self {
        let (connection, run) = importing(store, &format!("h/hubspot/{name}")).await;
        Self {
            connection,
            run,
            items: Vec::new(),
        }
    }

    async fn import(&mut self, store: &Store, items: Vec<Item>) {
        save(store, self.connection, self.run, &items).await;
        self.items.extend(items);
    }
}

/// An item of every name in every type, and that some times.
fn some_of_each(ids: std::ops::Range<usize>) -> Vec<Item> {
    let item = |n: usize| Item {
        kind: KINDS[n % KINDS.len()],
        name: NAMES[n % NAMES.len()].to_owned(),
        ..contact(n)
    };
    ids.map(item).collect()
}

fn annas(kind: &'static str, n: usize) -> Vec<Item> {
    let item = |n: usize| Item {
        kind,
        name: format!("Anna {n}"),
        ..contact(n)
    };
    (0..n).map(item).collect()
}

fn search(connections: &[ConnectionId], q: &str) -> Filters {
    Filters {
        connections: connections.to_vec(),
        words: words(q),
        ..Filters::default()
    }
}

/// How many there are of each type, of which there are no more.
fn exact(counts: Counts) -> BTreeMap<String, i64> {
    assert!(!counts.total().or_more, "{counts:?}");
    let by_kind = counts.by_kind.into_iter().map(|(kind, it)| (kind, it.n));
    by_kind.filter(|(_, n)| *n > 0).collect()
}

async fn counted(store: &Store, filters: &Filters) -> BTreeMap<String, i64> {
    exact(store.counts(filters).await.expect("counts"))
}

fn each<const N: usize>(counts: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counts.map(|(kind, n)| (kind.to_owned(), n)).into()
}

/// At once, and when all names are listed.
async fn now_and_listed(store: &Store, filters: &Filters, expected: BTreeMap<String, i64>) {
    assert_eq!(counted(store, filters).await, expected, "at once");
    list_all_names(store).await;
    assert_eq!(counted(store, filters).await, expected, "listed");
}

/// What a search finds, by a look at each name there is.
fn model(accounts: &[&Account], q: &str) -> BTreeMap<String, i64> {
    let words = words(q);
    let mut counts = BTreeMap::new();
    for item in accounts.iter().flat_map(|account| &account.items) {
        let name = fold(&item.name);
        if words.iter().all(|word| name.contains(word)) {
            *counts.entry(item.kind.to_owned()).or_default() += 1;
        }
    }
    counts
}

async fn agree(store: &Store, accounts: &[&Account]) {
    let connections: Vec<ConnectionId> = accounts.iter().map(|it| it.connection).collect();
    for q in SEARCHES {
        let expected = model(accounts, q);
        let filters = search(&connections, q);
        assert_eq!(counted(store, &filters).await, expected, "{q}");
        for kind in KINDS {
            let of_kind = Filters {
                kind: Some(kind.to_owned()),
                ..filters.clone()
            };
            let n = counted(store, &of_kind).await.values().sum::<i64>();
            let expected = expected.get(kind).copied().unwrap_or_default();
            assert_eq!(n, expected, "{kind}: {q}");
        }
    }
}

async fn rosters_and_rows_give_the_same_counts(at: Database) {
    let store = at.open().await;
    let mut alone = Account::new(&store, "1").await;
    alone.import(&store, some_of_each(0..400)).await;
    list_all_names(&store).await;
    agree(&store, &[&alone]).await;
    // Two more that import at once.
    let mut first = Account::new(&store, "2").await;
    let mut second = Account::new(&store, "3").await;
    for n in 0..10 {
        let ids = n * 250..(n + 1) * 250;
        first.import(&store, some_of_each(ids.clone())).await;
        second.import(&store, some_of_each(ids)).await;
    }
    // Of these, only the first is listed.
    agree(&store, &[&alone, &second]).await;
    list_all_names(&store).await;
    agree(&store, &[&first]).await;
    agree(&store, &[&first, &second]).await;
    execute(store.writer(), "DELETE FROM name_rosters").await;
    agree(&store, &[&first, &second]).await;
}

/// As blocks were before each was one connection's own.
async fn connections_that_share_a_block_are_told_apart(at: Database) {
    let store = at.open().await;
    let mut first = Account::new(&store, "1").await;
    let mut second = Account::new(&store, "2").await;
    first.import(&store, some_of_each(0..300)).await;
    second.import(&store, some_of_each(100..350)).await;
    let share = "DELETE FROM item_raws;
        UPDATE items SET id = 4096000 + 2 * (id % 4096) + connection_id % 2;
        DELETE FROM names_due;
        INSERT INTO names_due (connection_id, block, at)
            SELECT DISTINCT connection_id, id / 4096, CAST(0 AS BIGINT) FROM items";
    execute(store.writer(), share).await;
    let blocks = "SELECT COUNT(DISTINCT block) FROM names_due";
    assert_eq!(number(store.reader(), blocks).await, 1);
    for _ in 0..2 {
        for accounts in [&[&first][..], &[&second], &[&first, &second]] {
            agree(&store, accounts).await;
        }
        list_all_names(&store).await;
    }
}

async fn a_block_is_one_connections_own_and_the_next_begins_where_it_ends(at: Database) {
    let store = at.open().await;
    let mut first = Account::new(&store, "1").await;
    let mut second = Account::new(&store, "2").await;
    for n in 0..5 {
        let ids = n * 1_000..(n + 1) * 1_000;
        first.import(&store, some_of_each(ids.clone())).await;
        second.import(&store, some_of_each(ids)).await;
    }
    let shared = "SELECT COUNT(*) FROM (SELECT id / 4096 FROM items
        GROUP BY id / 4096 HAVING COUNT(DISTINCT connection_id) > 1) AS shared";
    assert_eq!(number(store.reader(), shared).await, 0);
    let blocks = "SELECT COUNT(DISTINCT id / 4096) FROM items";
    assert_eq!(number(store.reader(), blocks).await, 4);
    list_all_names(&store).await;
    agree(&store, &[&first, &second]).await;
}

async fn rosters_of_many_connections_are_counted_together(at: Database) {
    let store = at.open().await;
    let mut accounts = Vec::new();
    for n in 0..40 {
        let mut account = Account::new(&store, &n.to_string()).await;
        account.import(&store, annas("contact", 45)).await;
        accounts.push(account.connection);
    }
    let all = each([("contact", 1_800)]);
    now_and_listed(&store, &search(&accounts, "anna"), all).await;
}

async fn only_a_search_that_much_may_fit_asks_rosters(at: Database) {
    let store = at.open().await;
    let mut account = Account::new(&store, "1").await;
    account.import(&store, annas("contact", 60)).await;
    list_all_names(&store).await;
    // As nobody would write it, to see who reads it.
    execute(store.writer(), "UPDATE name_rosters SET roster = ''").await;
    let [many, few] = ["anna", "anna 39"].map(|q| search(&[account.connection], q));
    assert_eq!(counted(&store, &many).await, each([]));
    assert_eq!(counted(&store, &few).await, each([("contact", 1)]));
}

async fn what_has_gone_is_not_counted_and_what_comes_back_is(at: Database) {
    let store = at.open().await;
    let mut account = Account::new(&store, "1").await;
    let mut other = Account::new(&store, "2").await;
    account.import(&store, annas("contact", 80)).await;
    other.import(&store, annas("deal", 50)).await;
    let both = search(&[account.connection, other.connection], "anna");
    let left = |n| each([("contact", n), ("deal", 50)]);
    now_and_listed(&store, &both, left(80)).await;

    let done = store.finish_run(account.run, RunState::Done, None).await;
    done.expect("finished");
    let run = begin_run(&store, account.connection).await;
    save(&store, account.connection, run, &account.items[..75]).await;
    let (_, unmet) = absent(&store, account.connection, run).await;
    let swept = store.drop_absent(account.connection, run, "contacts", &unmet);
    swept.await.expect("dropped");
    now_and_listed(&store, &both, left(75)).await;

    let gone: Vec<_> = account.items[..2].iter().map(key_of).collect();
    let mut tx = store.begin().await.expect("a transaction");
    let removed = tx.remove_items(account.connection, &gone).await;
    assert_eq!(removed.expect("removed"), 2);
    tx.commit().await.expect("a commit");
    now_and_listed(&store, &both, left(73)).await;

    save(&store, account.connection, run, &account.items).await;
    now_and_listed(&store, &both, left(80)).await;
}

async fn a_changed_name_is_counted_as_the_new_one_at_once(at: Database) {
    let store = at.open().await;
    let mut account = Account::new(&store, "1").await;
    account.import(&store, annas("contact", 100)).await;
    let old = search(&[account.connection], "anna");
    let new = search(&[account.connection], "berta");
    now_and_listed(&store, &old, each([("contact", 100)])).await;
    let renamed = |n| Item {
        name: "Berta".into(),
        ..contact(n)
    };
    let renamed: Vec<Item> = (0..20).map(renamed).collect();
    save(&store, account.connection, account.run, &renamed).await;
    for _ in 0..2 {
        assert_eq!(counted(&store, &old).await, each([("contact", 80)]));
        assert_eq!(counted(&store, &new).await, each([("contact", 20)]));
        list_all_names(&store).await;
    }
}

async fn a_chosen_type_leaves_the_counts_of_the_others_as_they_are(at: Database) {
    let store = at.open().await;
    let mut account = Account::new(&store, "1").await;
    account.import(&store, some_of_each(0..240)).await;
    let deals = |q| ListQuery {
        filters: Filters {
            kind: Some("deal".into()),
            ..search(&[account.connection], q)
        },
        sort: Sort::default(),
        after: None,
        limit: 200,
    };
    for _ in 0..2 {
        // Nothing, much and little that fits.
        for q in ["", "anna", "nowhere"] {
            let answer = store.list_and_counts(&deals(q)).await;
            let (span, counts) = answer.expect("a list and its counts");
            let expected = model(&[&account], q);
            assert!(span.rows.iter().all(|row| row.kind == "deal"));
            let deals = expected.get("deal").copied().unwrap_or_default();
            assert_eq!(span.rows.len() as i64, deals, "{q}");
            assert_eq!(exact(counts), expected, "{q}");
        }
        list_all_names(&store).await;
    }
}

/// More than are counted one by one, with what is sought behind them.
async fn no_count_is_less_than_what_the_page_shows(at: Database) {
    let store = at.open().await;
    let mut account = Account::new(&store, "1").await;
    for first in (0..11_000).step_by(1_000) {
        let filler = |n: usize| Item {
            name: "Filler".into(),
            ..contact(first + n)
        };
        account
            .import(&store, (0..1_000).map(filler).collect())
            .await;
    }
    let sought = |kind, id| Item {
        kind,
        name: "Anna".into(),
        ..contact(id)
    };
    let annas = [("contact", 11_000), ("contact", 11_001), ("deal", 11_002)];
    account
        .import(&store, annas.map(|(kind, id)| sought(kind, id)).into())
        .await;
    let shown = async |kind: Option<&str>, limit| {
        let query = ListQuery {
            filters: Filters {
                kind: kind.map(str::to_owned),
                ..search(&[account.connection], "anna")
            },
            ..ListQuery::newest(account.connection, limit)
        };
        store.list_and_counts(&query).await.expect("a page").1
    };
    let all = each([("contact", 2), ("deal", 1)]);
    assert_eq!(exact(shown(None, 50).await), all, "the whole list");
    let some = shown(None, 2).await;
    assert!(some.total().n >= 2 && some.total().or_more, "{some:?}");
    let of_deals = shown(Some("deal"), 50).await;
    assert_eq!(
        of_deals.of("deal"),
        Count {
            n: 1,
            or_more: false
        }
    );
    assert!(of_deals.total().or_more && of_deals.of("contact").or_more);
    let of_companies = shown(Some("company"), 50).await;
    assert_eq!(of_companies.of("company"), Count::default());
    list_all_names(&store).await;
    assert_eq!(exact(shown(None, 2).await), all);
}

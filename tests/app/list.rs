//! The list against a plain model of it: every filter, order and search, alone and together, on both
//! databases.

use std::collections::BTreeMap;

use tributary::item::{ConnectionId, Item, Parent, RunId, fold, words};
use tributary::store::{Above, Count, Filters, ListQuery, ListRow, Reach, Sort, SortBy, Store};

use crate::store::{at_ms, contact, importing, save};
use crate::support::database::{Database, execute, number, on_both_databases};

on_both_databases! {
    any_filters_and_order_give_what_a_plain_model_gives,
    every_way_to_a_list_gives_the_same_list,
    names_are_found_whatever_their_script_case_and_accents,
    what_means_something_in_a_pattern_is_searched_for_as_it_is,
    a_name_is_found_before_it_is_listed_and_by_its_new_name_after_a_change,
    a_walk_by_creation_gives_each_item_once_while_others_come_and_change,
    names_from_before_they_were_folded_are_folded_behind_the_start,
    a_disconnected_account_leaves_no_names_behind,
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

const NAMES: [&str; 20] = [
    "Ada Lovelace",
    "ada lovelace",
    "ÁDA",
    "Straße 7",
    "STRASSE 8",
    "İstanbul",
    "ısparta",
    "Σίσυφος",
    "王小明",
    "王",
    "한국",
    "Ｔｏｋｙｏ",
    "100% sure",
    "a_b",
    "back\\slash",
    "👩‍💻 dev",
    "",
    "Zoë",
    "zoe and ada",
    "an",
];
const SEARCHES: [&str; 23] = [
    "a",
    "ada",
    "ADA lov",
    "ss",
    "straße",
    "i",
    "IS",
    "σισ",
    "王",
    "小",
    "한",
    "국",
    "tokyo",
    "%",
    "_",
    "\\",
    "👩",
    "zoe",
    "e a",
    "lovelace ada",
    "nothing has this",
    "\u{301}",
    "contact 1",
];
const KINDS: [&str; 3] = ["contact", "company", "deal"];

/// An item as the model keeps it.
#[derive(Clone)]
struct Kept {
    connection: ConnectionId,
    item: Plain,
    /// Its id in the store.
    row: i64,
    gone: bool,
}

#[derive(Clone, PartialEq)]
struct Plain {
    id: String,
    kind: &'static str,
    name: String,
    created: Option<i64>,
    modified: Option<i64>,
    parent: Option<(String, String)>,
}

impl Plain {
    fn item(&self) -> Item {
        let parent = self.parent.clone().map(|(container, id)| Parent {
            container,
            kind: "company",
            id,
        });
        Item {
            kind: self.kind,
            name: self.name.clone(),
            created: self.created.and_then(at_ms),
            modified: self.modified.and_then(at_ms),
            parent,
            ..contact(&self.id)
        }
    }
}

fn plain(dice: &mut Dice, id: usize) -> Plain {
    let time = |dice: &mut Dice| (dice.roll(6) > 0).then_some(dice.roll(40) as i64 * 1_000 - 5_000);
    let name = match dice.roll(3) {
        0 => format!("Contact {id}"),
        // Longer than a sort key, and alike up to its end.
        1 if dice.roll(5) == 0 => format!("{} {id}", "long ".repeat(20)),
        _ => (*dice.pick(&NAMES)).to_owned(),
    };
    let parent = match dice.roll(3) {
        0 => None,
        n => Some((["", "base"][n - 1].to_owned(), format!("p{}", dice.roll(4)))),
    };
    Plain {
        id: id.to_string(),
        kind: dice.pick::<&str>(&KINDS),
        name,
        created: time(dice),
        modified: time(dice),
        parent,
    }
}

/// What the list should be, by looking at everything.
fn model(kept: &[Kept], filters: &Filters, sort: Sort) -> Vec<String> {
    let mut fitting: Vec<&Kept> = kept.iter().filter(|it| fits(it, filters)).collect();
    fitting.sort_by_key(|it| {
        let time = match sort.by {
            SortBy::Name => Some(0),
            SortBy::Created => it.item.created,
            SortBy::Modified => it.item.modified,
        };
        // What has no time is last either way; the rest is turned round, ties too.
        let turn = |n: i64| if sort.descending { -n } else { n };
        (time.is_none(), time.map(turn), turn(it.row))
    });
    if sort.by == SortBy::Name {
        let key = |it: &&Kept| {
            (
                fold(&it.item.name).chars().take(64).collect::<String>(),
                it.row,
            )
        };
        fitting.sort_by_key(key);
        if sort.descending {
            fitting.reverse();
        }
    }
    fitting.iter().map(|it| it.item.id.clone()).collect()
}

fn fits(it: &Kept, filters: &Filters) -> bool {
    let parent = |above: &Above| {
        it.item.parent.as_ref().is_some_and(|(container, id)| {
            *id == above.id
                && above
                    .container
                    .as_ref()
                    .is_none_or(|wanted| wanted == container)
        })
    };
    filters.connections.contains(&it.connection)
        && filters
            .kind
            .as_ref()
            .is_none_or(|kind| kind == it.item.kind)
        && filters
            .words
            .iter()
            .all(|word| fold(&it.item.name).contains(word))
        && filters.parent.as_ref().is_none_or(parent)
        && filters
            .modified_since
            .is_none_or(|since| it.item.modified.and_then(at_ms) >= Some(since))
        && (filters.gone || !it.gone)
}

fn question(dice: &mut Dice, connections: &[ConnectionId]) -> (Filters, Sort) {
    let often = |dice: &mut Dice| dice.roll(3) == 0;
    let filters = Filters {
        connections: connections
            .iter()
            .copied()
            .filter(|_| dice.roll(4) > 0)
            .collect(),
        kind: often(dice).then(|| (*dice.pick(&KINDS)).to_owned()),
        words: if often(dice) {
            words(dice.pick::<&str>(&SEARCHES))
        } else {
            Vec::new()
        },
        parent: often(dice).then(|| Above {
            id: format!("p{}", dice.roll(5)),
            container: often(dice).then(|| "base".to_owned()),
        }),
        modified_since: often(dice)
            .then(|| at_ms(dice.roll(40) as i64 * 1_000 - 5_000))
            .flatten(),
        gone: often(dice),
    };
    let by = *dice.pick(&[SortBy::Name, SortBy::Created, SortBy::Modified]);
    (
        filters,
        Sort {
            by,
            descending: dice.roll(2) == 0,
        },
    )
}

async fn walk(store: &Store, filters: &Filters, sort: Sort, limit: usize) -> Vec<ListRow> {
    let mut query = ListQuery {
        filters: filters.clone(),
        sort,
        after: None,
        limit,
    };
    let mut rows = Vec::new();
    loop {
        let span = store.list(&query).await.expect("a part of the list");
        assert!(span.rows.len() <= limit);
        rows.extend(span.rows);
        query.after = span.next;
        if query.after.is_none() {
            return rows;
        }
        assert!(rows.len() < 100_000, "the list does not end");
    }
}

/// Waits for nothing: blocks count as quiet at once.
pub(crate) async fn list_all_names(store: &Store) {
    loop {
        execute(store.writer(), "UPDATE names_due SET at = 0").await;
        if !store.list_some_names().await.expect("an answer") {
            return;
        }
    }
}

struct World {
    store: Store,
    connections: Vec<(ConnectionId, RunId)>,
    kept: Vec<Kept>,
    dice: Dice,
}

impl World {
    async fn new(at: &Database) -> Self {
        Self::reaching(at, Reach::default()).await
    }

    async fn reaching(at: &Database, reach: Reach) -> Self {
        let store = at.open().await.reaching(reach);
        let mut connections = Vec::new();
        for n in 0..3 {
            connections.push(importing(&store, &format!("h/hubspot/{n}")).await);
        }
        Self {
            store,
            connections,
            kept: Vec::new(),
            dice: Dice(7),
        }
    }

    async fn import(&mut self, items: usize) {
        for id in self.kept.len()..self.kept.len() + items {
            let (connection, run) = *self.dice.pick(&self.connections);
            let item = plain(&mut self.dice, id);
            save(&self.store, connection, run, &[item.item()]).await;
            let latest = "SELECT id FROM items
                WHERE CAST(provider_id AS BIGINT) = (SELECT COUNT(*) - 1 FROM items)";
            let row = number(self.store.reader(), latest).await;
            self.kept.push(Kept {
                connection,
                item,
                row,
                gone: false,
            });
        }
    }

    /// Some get another name or time, as the next import would find them.
    async fn change(&mut self, items: usize) {
        for _ in 0..items {
            let at = self.dice.roll(self.kept.len());
            let fresh = plain(&mut self.dice, at);
            let it = &mut self.kept[at];
            if it.gone {
                continue;
            }
            it.item = Plain {
                kind: it.item.kind,
                ..fresh
            };
            let (connection, run) = *self
                .connections
                .iter()
                .find(|(id, _)| *id == it.connection)
                .expect("its own");
            save(&self.store, connection, run, &[it.item.item()]).await;
        }
    }

    /// Every fifth is gone at its provider.
    async fn lose(&mut self) {
        let gone = "UPDATE items SET gone_at = 1 WHERE id % 5 = 0;
            DELETE FROM item_counts;
            INSERT INTO item_counts (connection_id, type, n)
                SELECT connection_id, type, SUM(CASE WHEN gone_at IS NULL THEN 1 ELSE 0 END)
                FROM items GROUP BY connection_id, type";
        execute(self.store.writer(), gone).await;
        let everything = Filters {
            connections: self.all(),
            gone: true,
            ..Filters::default()
        };
        for row in walk(&self.store, &everything, Sort::default(), 200).await {
            let at: usize = row.provider_id.parse().expect("a number");
            self.kept[at].gone = row.gone.is_some();
        }
        assert!(self.kept.iter().any(|it| it.gone) && self.kept.iter().any(|it| !it.gone));
    }

    fn all(&self) -> Vec<ConnectionId> {
        self.connections.iter().map(|(id, _)| *id).collect()
    }

    async fn agrees(&mut self, questions: usize) {
        for _ in 0..questions {
            let all = self.all();
            let (filters, sort) = question(&mut self.dice, &all);
            let expected = model(&self.kept, &filters, sort);
            let limit = *self.dice.pick(&[1, 3, 10, 50, 200]);
            let rows = walk(&self.store, &filters, sort, limit.max(expected.len() / 8)).await;
            let found: Vec<String> = rows.into_iter().map(|row| row.provider_id).collect();
            assert_eq!(found, expected, "{filters:?} {sort:?}");
            let counts = self.store.counts(&filters).await.expect("counts");
            let mut by_kind: BTreeMap<String, Count> = BTreeMap::new();
            for it in self.kept.iter().filter(|it| fits(it, &filters)) {
                by_kind.entry(it.item.kind.to_owned()).or_default().n += 1;
            }
            // Of names whose lists are not read to their end, only some are counted.
            if counts.or_more {
                continue;
            }
            let counts: BTreeMap<_, _> = counts
                .by_kind
                .into_iter()
                .filter(|(_, count)| count.n > 0)
                .collect();
            assert_eq!(counts, by_kind, "{filters:?}");
        }
    }
}

async fn any_filters_and_order_give_what_a_plain_model_gives(at: Database) {
    let mut world = World::new(&at).await;
    world.import(300).await;
    world.agrees(60).await;
    list_all_names(&world.store).await;
    world.agrees(120).await;
    world.lose().await;
    world.change(40).await;
    world.agrees(60).await;
    list_all_names(&world.store).await;
    world.agrees(120).await;
}

/// As a list of a million is found, tried on a few hundred.
async fn every_way_to_a_list_gives_the_same_list(at: Database) {
    let few = |few, steps, many| Reach { few, steps, many };
    let mut world = World::reaching(&at, few(0, 0, 0)).await;
    world.import(300).await;
    list_all_names(&world.store).await;
    world.lose().await;
    world.change(40).await;
    let ways = [
        few(0, 0, 0),
        few(0, 1, 0),
        few(0, 20, 0),
        few(0, 20, 10_000),
        few(10, 50, 100),
        few(0, 100_000, 0),
    ];
    for reach in ways {
        world.store = world.store.reaching(reach);
        world.agrees(50).await;
    }
    list_all_names(&world.store).await;
    for reach in ways {
        world.store = world.store.reaching(reach);
        world.agrees(50).await;
    }
}

/// A store with these names, and the connection they are in.
async fn with_names(at: &Database, names: &[&str]) -> (Store, ConnectionId) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let item = |(n, name): (usize, &&str)| Item {
        name: (*name).to_owned(),
        ..contact(n)
    };
    let page: Vec<Item> = names.iter().enumerate().map(item).collect();
    save(&store, connection, run, &page).await;
    (store, connection)
}

async fn search(store: &Store, connection: ConnectionId, q: &str) -> Vec<String> {
    let filters = Filters {
        connections: vec![connection],
        words: words(q),
        ..Filters::default()
    };
    let sort = Sort {
        by: SortBy::Name,
        descending: false,
    };
    walk(store, &filters, sort, 3)
        .await
        .into_iter()
        .map(|row| row.name)
        .collect()
}

async fn names_are_found_whatever_their_script_case_and_accents(at: Database) {
    let (store, connection) = with_names(&at, &NAMES).await;
    for listed in [false, true] {
        if listed {
            list_all_names(&store).await;
            assert_eq!(
                number(store.reader(), "SELECT COUNT(*) FROM names_due").await,
                0
            );
        }
        for (q, found) in [
            (
                "ádá",
                vec!["Ada Lovelace", "ada lovelace", "ÁDA", "zoe and ada"],
            ),
            ("VELA", vec!["Ada Lovelace", "ada lovelace"]),
            ("lovelace ada", vec!["Ada Lovelace", "ada lovelace"]),
            ("strasse", vec!["Straße 7", "STRASSE 8"]),
            ("i̇ST", vec!["İstanbul"]),
            ("ISP", vec!["ısparta"]),
            ("ΣΊΣΥΦΟΣ", vec!["Σίσυφος"]),
            ("王", vec!["王", "王小明"]),
            ("小明", vec!["王小明"]),
            ("한", vec!["한국"]),
            ("kyo", vec!["Ｔｏｋｙｏ"]),
            ("💻", vec!["👩‍💻 dev"]),
            ("ZOË", vec!["zoe and ada", "Zoë"]),
            ("zoe zoë", vec!["zoe and ada", "Zoë"]),
            ("nowhere", vec![]),
        ] {
            let mut found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            let mut seen = search(&store, connection, q).await;
            found.sort();
            seen.sort();
            assert_eq!(seen, found, "{q}, listed: {listed}");
        }
    }
}

async fn what_means_something_in_a_pattern_is_searched_for_as_it_is(at: Database) {
    let (store, connection) = with_names(
        &at,
        &["100% sure", "a_b", "back\\slash", "axb", "'; --", "<b>"],
    )
    .await;
    list_all_names(&store).await;
    for (q, found) in [
        ("%", "100% sure"),
        ("a_b", "a_b"),
        ("\\", "back\\slash"),
        ("';", "'; --"),
        ("<B>", "<b>"),
    ] {
        assert_eq!(search(&store, connection, q).await, [found], "{q}");
    }
}

async fn a_name_is_found_before_it_is_listed_and_by_its_new_name_after_a_change(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let called = |name: &str| Item {
        name: name.into(),
        ..contact(1)
    };
    save(&store, connection, run, &[called("First")]).await;
    assert_eq!(search(&store, connection, "irs").await, ["First"]);
    list_all_names(&store).await;
    save(&store, connection, run, &[called("Second")]).await;
    for _ in 0..2 {
        assert_eq!(search(&store, connection, "irs").await, [""; 0]);
        assert_eq!(search(&store, connection, "eco").await, ["Second"]);
        list_all_names(&store).await;
    }
}

async fn a_walk_by_creation_gives_each_item_once_while_others_come_and_change(at: Database) {
    let mut world = World::new(&at).await;
    world.import(60).await;
    for descending in [false, true] {
        let there: Vec<String> = (0..world.kept.len()).map(|id| id.to_string()).collect();
        let created: Vec<Option<i64>> = world.kept.iter().map(|it| it.item.created).collect();
        let filters = Filters {
            connections: world.all(),
            ..Filters::default()
        };
        let sort = Sort {
            by: SortBy::Created,
            descending,
        };
        let mut query = ListQuery {
            filters,
            sort,
            after: None,
            limit: 7,
        };
        let mut seen: Vec<String> = Vec::new();
        loop {
            let span = world.store.list(&query).await.expect("a part");
            seen.extend(span.rows.into_iter().map(|row| row.provider_id));
            query.after = span.next;
            if query.after.is_none() {
                break;
            }
            world.import(2).await;
            // Everything about an item may change but when it was made.
            let at = world.dice.roll(there.len());
            let fresh = plain(&mut world.dice, at);
            let it = &mut world.kept[at];
            it.item = Plain {
                created: created[at],
                kind: it.item.kind,
                ..fresh
            };
            let (connection, run) = *world
                .connections
                .iter()
                .find(|(id, _)| *id == it.connection)
                .expect("its own");
            save(&world.store, connection, run, &[it.item.item()]).await;
        }
        for id in there {
            assert_eq!(seen.iter().filter(|it| **it == id).count(), 1, "{id}");
        }
    }
}

async fn names_from_before_they_were_folded_are_folded_behind_the_start(at: Database) {
    let (store, connection) = with_names(&at, &["Beta", "ámber", &"Long ".repeat(30)]).await;
    // As the step of the schema's history leaves them that brought the folded names.
    execute(
        store.writer(),
        "UPDATE items SET sort_name = '', folded = NULL",
    )
    .await;
    list_all_names(&store).await;
    let sort = Sort {
        by: SortBy::Name,
        descending: false,
    };
    let filters = Filters {
        connections: vec![connection],
        ..Filters::default()
    };
    let rows = walk(&store, &filters, sort, 10).await;
    assert_eq!(rows[0].name, "ámber");
    assert_eq!(rows[1].name, "Beta");
    assert_eq!(search(&store, connection, "long").await.len(), 1);
    let unfolded = "SELECT COUNT(*) FROM items WHERE sort_name = ''";
    assert_eq!(number(store.reader(), unfolded).await, 0);
}

async fn a_disconnected_account_leaves_no_names_behind(at: Database) {
    let (store, connection) = with_names(&at, &["Beta"]).await;
    list_all_names(&store).await;
    assert!(number(store.reader(), "SELECT COUNT(*) FROM name_pieces").await > 0);
    execute(store.writer(), "UPDATE connections SET disconnected_at = 1").await;
    while store.erase_some().await.expect("a step") {}
    assert_eq!(
        number(store.reader(), "SELECT COUNT(*) FROM name_pieces").await,
        0
    );
    assert!(
        store
            .any_connection(connection)
            .await
            .expect("an answer")
            .is_none()
    );
}

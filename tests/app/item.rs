//! One item: its page, what stands beside the list, and what stands in what.

use reqwest::StatusCode;
use tributary::item::{Item, Parent, WorkspaceId};
use tributary::store::{Above, ItemKey, ListQuery, ListRow};

use crate::store::{contact, importing, save};
use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::browser::{Browser, Look};
use crate::support::database::{Database, on_both_databases};
use crate::support::visitor::Visitor;

on_both_databases! {
    the_way_up_ends_before_it_comes_round,
    of_a_very_long_way_up_the_last_steps_are_shown,
    an_item_is_found_in_whatever_container_it_stands,
    what_something_stands_in_has_a_name_or_else_its_id,
}

fn within(parent: impl ToString, id: impl std::fmt::Display) -> Item {
    let parent = Parent {
        container: String::new(),
        kind: "contact",
        id: parent.to_string(),
    };
    Item {
        parent: Some(parent),
        ..contact(id)
    }
}

/// What each item stands in, by their ids, outermost first; told of all at once and of each alone.
async fn ways_up(at: &Database, page: &[Item]) -> Vec<(String, Vec<String>)> {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    save(&store, connection, run, page).await;
    let list = store.list(&ListQuery::newest(connection, page.len())).await;
    let rows = list.expect("a list").rows;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut paths = store.paths(&ids).await.expect("paths");
    let mut ways = Vec::new();
    for row in rows {
        let above = store.above(&row).await.expect("what is above");
        let names: Vec<String> = above.iter().map(|row| row.name.clone()).collect();
        assert_eq!(paths.remove(&row.id).unwrap_or_default(), names);
        let ids = above.into_iter().map(|row: ListRow| row.provider_id);
        ways.push((row.provider_id, ids.collect()));
    }
    ways.sort();
    ways
}

async fn the_way_up_ends_before_it_comes_round(at: Database) {
    let page = [
        contact("a"),
        within("a", "b"),
        within("b", "c"),
        within("itself", "itself"),
        within("nowhere", "lost"),
        within("ring 2", "ring 1"),
        within("ring 1", "ring 2"),
        within("ring 1", "under the ring"),
    ];
    let expected = [
        ("a", vec![]),
        ("b", vec!["a"]),
        ("c", vec!["a", "b"]),
        ("itself", vec![]),
        ("lost", vec![]),
        ("ring 1", vec!["ring 2"]),
        ("ring 2", vec!["ring 1"]),
        ("under the ring", vec!["ring 2", "ring 1"]),
    ];
    let ways = ways_up(&at, &page).await;
    assert_eq!(ways.len(), expected.len());
    for (way, (id, above)) in ways.iter().zip(expected) {
        let above = above.into_iter().map(str::to_owned).collect();
        assert_eq!(*way, (id.to_owned(), above));
    }
}

async fn of_a_very_long_way_up_the_last_steps_are_shown(at: Database) {
    let page: Vec<Item> = (1..100).map(|n| within(n - 1, n)).collect();
    let ways = ways_up(&at, &page).await;
    let (id, way) = ways.last().expect("the deepest");
    let last: Vec<String> = (39..99).map(|n| n.to_string()).collect();
    assert_eq!((id.as_str(), way), ("99", &last));
}

async fn an_item_is_found_in_whatever_container_it_stands(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let known = store.any_connection(connection).await.expect("an answer");
    let workspace = known.expect("it is there").workspace_id;
    let all: Vec<Item> = ["c", "a", "b"]
        .map(|container| Item {
            container: container.into(),
            ..contact("1")
        })
        .into();
    save(&store, connection, run, &all).await;
    let found = async |workspace, id, container| {
        let key = ItemKey {
            connection,
            kind: "contact",
            id,
            container,
        };
        let item = store.item(workspace, &key).await.expect("an answer");
        item.map(|it| it.row.container)
    };
    assert_eq!(found(workspace, "1", None).await.as_deref(), Some("a"));
    for container in ["a", "b", "c"] {
        let there = found(workspace, "1", Some(container)).await;
        assert_eq!(there.as_deref(), Some(container));
    }
    for (id, container) in [("2", None), ("1", Some("d")), ("1", Some(""))] {
        assert_eq!(found(workspace, id, container).await, None);
    }
    let other = WorkspaceId(workspace.0 + 1);
    assert_eq!(found(other, "1", None).await, None);
    assert_eq!(found(other, "1", Some("a")).await, None);
    let first = Parent {
        container: "a".into(),
        kind: "contact",
        id: "1".into(),
    };
    let mut tx = store.begin().await.expect("a transaction");
    tx.remove_items(connection, &[first]).await.expect("gone");
    tx.commit().await.expect("kept");
    assert_eq!(found(workspace, "1", None).await.as_deref(), Some("b"));
    assert_eq!(found(workspace, "1", Some("a")).await.as_deref(), Some("a"));
}

async fn what_something_stands_in_has_a_name_or_else_its_id(at: Database) {
    let store = at.open().await;
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let inside = |container: &str, id: &str| Item {
        parent: Some(Parent {
            container: container.into(),
            kind: "contact",
            id: "lost".into(),
        }),
        ..contact(id)
    };
    let named = Item {
        container: "b".into(),
        name: "Ada".into(),
        ..contact("1")
    };
    save(&store, connection, run, &[named, inside("a", "2")]).await;
    let name = async |id: &str, container: Option<&str>| {
        let above = Above {
            id: id.into(),
            container: container.map(str::to_owned),
        };
        let name = store.name_above(&[connection], &above).await;
        name.expect("an answer")
    };
    let told = |name: &str| Some(name.to_owned());
    assert_eq!(name("1", None).await, told("Ada"));
    assert_eq!(name("1", Some("b")).await, told("Ada"));
    assert_eq!(name("1", Some("a")).await, None);
    assert_eq!(name("lost", None).await, told("lost"));
    assert_eq!(name("lost", Some("a")).await, told("lost"));
    assert_eq!(name("lost", Some("b")).await, None);
    assert_eq!(name("nobody", None).await, None);
    let left = Parent {
        container: String::new(),
        kind: "contact",
        id: "2".into(),
    };
    let mut tx = store.begin().await.expect("a transaction");
    tx.remove_items(connection, &[left]).await.expect("gone");
    tx.commit().await.expect("kept");
    assert_eq!(name("lost", None).await, told("lost"));
}

/// An application with an account of this provider that was imported.
async fn with(slug: &str, stores: &Stores) -> (App, tributary::sandbox::Sandbox, Visitor) {
    let rate = format!("{}_RATE", slug.to_uppercase());
    let start = Start::on(stores).with(&rate, "off");
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(100_000));
    let app = start.provider_at(slug, &sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(slug, "small").await;
    ada.imported(&connection).await;
    (app, sandbox, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_of_a_list_has_a_page_that_says_where_it_stands() {
    for slug in ["hubspot", "notion", "airtable"] {
        let stores = Stores::embedded();
        let (_app, _sandbox, mut ada) = with(slug, &stores).await;
        let list = ada.get("/items?limit=200").await;
        let pages = list.attributes("table.list a.name", "href");
        assert!(pages.len() > 50);
        for page in pages.iter().step_by(7) {
            let seen = ada.get(page).await;
            assert_eq!(seen.status, StatusCode::OK, "{page}");
            assert!(seen.count("nav.crumbs a") >= 1, "{page}");
            assert!(!seen.texts("#raw")[0].is_empty(), "{page}");
        }
        let nowhere = pages[0].replace("/items/1/", "/items/2/");
        assert_eq!(ada.get(&nowhere).await.status, StatusCode::NOT_FOUND);
    }
}

/// What is in the first of these levels that is not empty.
async fn first_that_holds(
    css: &str,
    attribute: &str,
    levels: &[String],
    ada: &mut Visitor,
) -> Vec<String> {
    for level in levels {
        let held = ada.fragment(level).await.attributes(css, attribute);
        if !held.is_empty() {
            return held;
        }
    }
    panic!("all of {levels:?} are empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_walked_level_by_level_from_a_root_to_a_record() {
    let stores = Stores::embedded();
    let (_app, _sandbox, mut ada) = with("airtable", &stores).await;
    let page = ada.get("/connections/1").await;
    let bases = page.attributes("ul.level > li > details", "hx-get");
    assert_eq!(bases.len(), 4);
    let tables = first_that_holds("ul.level > li > details", "hx-get", &bases, &mut ada).await;
    let records = first_that_holds("ul.level > li > a", "href", &tables, &mut ada).await;
    let record = ada.get(&records[0]).await;
    // The account, its base, its table.
    assert_eq!(record.count("nav.crumbs a"), 3);
}

/// Opens an item from the list, and what stands in it.
async fn looks_at_an_item(look: Look, name: &str) {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("NOTION_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(100_000));
    let app = start.provider_at("notion", &sandbox.url()).go().await;
    let scripts = look.scripts;
    let browser = Browser::open(look).await;
    browser.goto(&app.url).await;
    browser.press("Connect Notion").await;
    browser.choose("account", "small").await;
    browser.press("Approve").await;
    browser.see("Import finished").await;
    browser.screenshot(&format!("{name}-1-connection")).await;
    browser
        .goto(&format!("{}/items?type=database", app.url))
        .await;
    browser.press_in("table.list", "Tasks").await;
    browser.see_at("#item-name").await;
    browser.screenshot(&format!("{name}-2-item")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    let is_beside = browser.count("#beside article").await == 1;
    assert_eq!(
        is_beside, scripts,
        "without scripts it is a page of its own"
    );
    if scripts {
        browser.press_in("#beside", "Close").await;
        browser.see_count("#beside article", 0).await;
        goes_back_from_an_item_to_the_list(&browser, &app).await;
    }
    app.stop().await;
    sandbox.stop().await;
}

/// The list is then as it was, with what was loaded to it.
async fn goes_back_from_an_item_to_the_list(browser: &Browser, app: &App) {
    browser.goto(&format!("{}/items?limit=10", app.url)).await;
    let list = browser.url().await;
    browser.press_at("#more").await;
    browser.see_count("table.list th.c-name", 20).await;
    browser.press_at("tr:nth-child(15) a.name").await;
    browser.see_at("#item-name").await;
    assert_eq!(browser.url().await, list);
    browser.back().await;
    browser.see_count("#beside article", 0).await;
    assert_eq!(browser.count("table.list th.c-name").await, 20);
    assert_eq!(browser.url().await, list);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_an_item_opens_beside_the_list() {
    looks_at_an_item(Look::default(), "item").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_an_item_is_a_page() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    looks_at_an_item(look, "item-phone").await;
}

//! Nothing secret that was issued lies about in the clear: not in the logs at any level, not in any store,
//! not on a page.

use std::process::Command;

use crate::stand_in::{CODE, FIRST, REFRESH, SECOND, StandIn, Way};
use crate::support::app::{CLIENT_ID, CLIENT_SECRET, Stores};
use crate::support::program::Host;
use crate::support::services::given;
use crate::support::visitor::Visitor;

fn is_in(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

/// What each store holds, as whoever steals it would read it. Before the program ends, for with it SQLite
/// takes its log into the file.
async fn stolen(stores: &Stores, host: &Host) -> Vec<(String, Vec<u8>)> {
    let read = |file: &String| std::fs::read(host.work().join(file)).expect("the file");
    let files = host.files();
    let files = files.iter().filter(|file| file.starts_with("tributary.db"));
    let mut places: Vec<_> = files.map(|file| (file.clone(), read(file))).collect();
    if let Some(redis) = &stores.redis {
        places.push(("Redis".into(), redis.everything().await));
        let dump = format!("{}/pg_dump", given("TEST_PG_BIN"));
        let dump = Command::new(dump)
            .args(["--inserts", &stores.settings[0].1])
            .output();
        let dump = dump.expect("pg_dump runs");
        assert!(
            dump.status.success(),
            "{}",
            String::from_utf8_lossy(&dump.stderr)
        );
        places.push(("pg_dump".into(), dump.stdout));
    }
    places
}

async fn what_was_issued_is_found_nowhere(
    stores: Stores,
    host: Host,
    key: impl AsyncFn(&Host) -> String,
) {
    // It refuses the first token in the middle, so that a refresh is among what happens.
    let hubspot = StandIn::start(Way::Refusing);
    let host = host
        .with("LOG", "trace")
        .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
        .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET)
        .with("HUBSPOT_AUTH_URL", &hubspot.url)
        .with("HUBSPOT_API_URL", &hubspot.url);
    let mut program = host.start(&["serve"]);
    let url = program.line_after("Tributary: ").await;
    let mut ada = Visitor::of(&url);
    let to = ada.post("/integrations/hubspot/authorize", &[]).await;
    let to = to.location().to_owned();
    let callback = ada.get(&to).await.location().to_owned();
    assert!(callback.contains(CODE));
    let state = callback.split("state=").nth(1).expect("a state").to_owned();
    let connection = ada.get(&callback).await.location().to_owned();
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    let cookie = ada.cookie.clone().expect("a cookie");
    let cookie = cookie.split_once('=').expect("a cookie").1.to_owned();
    let key = key(&host).await;
    // One link that is used and one that waits.
    let public = host.with("PUBLIC_URL", &url);
    let mut links = Vec::new();
    for _ in 0..2 {
        let made = public.run(&["sign-in-link", "1"]).await;
        let link = made.stdout.first().expect("a link").clone();
        links.push(link.rsplit('/').next().expect("a token").to_owned());
    }
    Visitor::of(&url)
        .post(&format!("/sign-in/{}", links[0]), &[])
        .await;

    let mut places = stolen(&stores, &public).await;
    let held =
        |places: &[(String, Vec<u8>)], what| places.iter().any(|(_, bytes)| is_in(bytes, what));
    assert!(held(&places, "Person 3"), "the search finds what is there");
    for path in [
        connection.as_str(),
        "/",
        "/items",
        "/sessions",
        "/audit",
        &callback,
    ] {
        let page = ada.get(path).await;
        places.push((format!("page {path}"), page.body.into_bytes()));
    }
    let ended = program.stopped().await;
    assert!(ended.stderr.len() > 10_000, "everything is logged");
    places.push(("log".into(), ended.stderr.into_bytes()));

    let issued = [
        CLIENT_SECRET,
        CODE,
        FIRST,
        SECOND,
        REFRESH,
        &state,
        &cookie,
        key.trim(),
    ];
    for (place, bytes) in &places {
        for secret in issued.into_iter().chain(links.iter().map(String::as_str)) {
            // The callback's own address holds the code and the state; its page must not.
            assert!(!is_in(bytes, secret), "{secret} stands in {place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_is_found_in_no_log_no_file_and_no_page() {
    let key = async |host: &Host| {
        std::fs::read_to_string(host.work().join("tributary.keys")).expect("the key file")
    };
    let host = Host::on_a_free_port();
    what_was_issued_is_found_nowhere(Stores::embedded(), host, key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_is_found_in_no_dump_and_not_in_redis() {
    let stores = Stores::scaled().await;
    let settings = stores.settings.iter();
    let host = settings.fold(Host::on_a_free_port(), |host, (name, value)| {
        host.with(name, value)
    });
    let key = stores.settings[2].1.clone();
    what_was_issued_is_found_nowhere(stores, host, async |_: &Host| key.clone()).await;
}

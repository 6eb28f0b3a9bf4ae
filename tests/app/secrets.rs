//! Nothing secret that was issued lies about in the clear: not in the logs at any level, not in the
//! database, not on a page.

use crate::stand_in::{CODE, FIRST, REFRESH, SECOND, StandIn, Way};
use crate::support::app::{CLIENT_ID, CLIENT_SECRET};
use crate::support::program::Host;
use crate::support::visitor::Visitor;

fn is_in(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_is_found_in_no_log_no_file_and_no_page() {
    // It refuses the first token in the middle, so that a refresh is among what happens.
    let hubspot = StandIn::start(Way::Refusing);
    let host = Host::on_a_free_port()
        .with("LOG", "trace")
        .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
        .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET)
        .with("HUBSPOT_AUTH_URL", &hubspot.url)
        .with("HUBSPOT_API_URL", &hubspot.url);
    let mut program = host.start(&["serve"]);
    let url = program.line_after("Tributary: ").await;
    let mut ada = Visitor::of(&url);
    let to = ada
        .post("/integrations/hubspot/authorize", &[])
        .await
        .location()
        .to_owned();
    let callback = ada.get(&to).await.location().to_owned();
    assert!(callback.contains(CODE));
    let state = callback.split("state=").nth(1).expect("a state").to_owned();
    let connection = ada.get(&callback).await.location().to_owned();
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    let cookie = ada.cookie.clone().expect("a cookie");
    let cookie = cookie.split_once('=').expect("a cookie").1.to_owned();
    let key = std::fs::read_to_string(host.work().join("tributary.keys")).expect("the key file");

    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for path in [connection.as_str(), "/", "/items", "/sessions", &callback] {
        places.push((
            format!("page {path}"),
            ada.get(path).await.body.into_bytes(),
        ));
    }
    // Before the end, for with it SQLite takes its log into the file.
    for file in host
        .files()
        .into_iter()
        .filter(|file| file.starts_with("tributary.db"))
    {
        let bytes = std::fs::read(host.work().join(&file)).expect("the file");
        places.push((file, bytes));
    }
    let ended = program.stopped().await;
    assert!(ended.stderr.len() > 10_000, "everything is logged");
    places.push(("log".into(), ended.stderr.into_bytes()));

    let secrets = [
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
        for secret in secrets {
            // The callback's own address holds the code and the state; its page must not.
            assert!(!is_in(bytes, secret), "{secret} stands in {place}");
        }
    }
    assert!(
        places
            .iter()
            .any(|(place, bytes)| place.starts_with("tributary.db") && is_in(bytes, "Person 3"))
    );
}

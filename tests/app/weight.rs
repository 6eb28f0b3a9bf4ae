//! What a page costs over the wire, with all it brings along.

use std::collections::BTreeSet;

use reqwest::header::{ACCEPT_ENCODING, COOKIE};
use scraper::{Html, Selector};

use crate::support::tour::Tour;
use crate::support::visitor::Visitor;

/// Of a page in all, compressed as it is served.
const MOST: usize = 100_000;

/// What makes a browser fetch something, and the attribute that says from where.
const FETCHES: [(&str, &str); 7] = [
    ("link", "href"),
    ("script", "src"),
    ("img", "src"),
    ("use", "href"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
];

fn fetched(page: &str) -> BTreeSet<String> {
    let page = Html::parse_document(page);
    let of = |(css, name): (&str, &str)| {
        let selector = Selector::parse(css).expect("a selector");
        let found = page.select(&selector).filter_map(|it| it.attr(name));
        let without_place = |it: &str| it.split('#').next().unwrap_or(it).to_owned();
        found.map(without_place).collect::<Vec<_>>()
    };
    FETCHES.into_iter().flat_map(of).collect()
}

/// The bytes that come for an address, still compressed.
async fn weigh(http: &reqwest::Client, who: &Visitor, address: &str) -> usize {
    let url = reqwest::Url::parse(&who.app).and_then(|app| app.join(address));
    let mut request = http
        .get(url.expect("an address"))
        .header(ACCEPT_ENCODING, "br, gzip");
    if let Some(cookie) = &who.cookie {
        request = request.header(COOKIE, cookie);
    }
    let answer = request.send().await.expect("an answer");
    answer.bytes().await.expect("the whole of it").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_weighs_under_a_hundred_kilobytes_and_comes_from_one_host() {
    let mut tour = Tour::begin().await;
    let http = reqwest::Client::builder().no_proxy().no_gzip().build();
    let http = http.expect("a client");
    let mut stops = tour.calm().await;
    stops.extend(tour.importing().await);
    for mut stop in stops {
        let page = stop.who.get(&stop.address).await;
        let parts = fetched(&page.body);
        assert!(!parts.is_empty(), "{}", stop.name);
        let base = if stop.address.starts_with('/') {
            ""
        } else {
            &stop.address
        };
        let mut sum = weigh(&http, &stop.who, &stop.address).await;
        for part in parts {
            assert!(
                part.starts_with('/') && !part.starts_with("//"),
                "{}: {part}",
                stop.name
            );
            let from = match reqwest::Url::parse(base) {
                Ok(base) => base.join(&part).expect("an address").to_string(),
                Err(_) => part,
            };
            let file = stop.who.get(&from).await;
            assert!(file.status.is_success(), "{}: {from}", stop.name);
            for word in ["@import", "url(http", "url(//"] {
                assert!(!file.body.contains(word), "{from} has {word}");
            }
            sum += weigh(&http, &stop.who, &from).await;
        }
        assert!(sum < MOST, "{} weighs {sum}", stop.name);
    }
}

//! How long pages and sign-ins take while an import runs without limit.

use std::time::{Duration, Instant};

use super::Bar;
use super::import::{ACCOUNT, NO_LIMIT};
use super::processes::{Pair, Served};
use super::visitor::Visitor;

const CONTACTS: u32 = 300_000;
/// As often as people come: a page every so often, and somebody who signs in.
const PAUSE: Duration = Duration::from_millis(20);
const PAGES: [&str; 3] = ["/", "/items", "/items?sort=created"];

pub async fn measure() -> Vec<Bar> {
    let pair = Pair::new(CONTACTS, None);
    let served = pair.serve(NO_LIMIT);
    let mut visitor = Visitor::of(&served);
    let import = visitor.connect(ACCOUNT).await;
    let mut reader = visitor.clone();
    let (pages, sign_ins) = tokio::select! {
        _ = visitor.imported(&import) => panic!("the import ended before enough was asked"),
        times = async { tokio::join!(pages(&mut reader), sign_ins(&served)) } => times,
    };
    println!(
        "while an import runs: {} pages, {} sign-ins",
        pages.len(),
        sign_ins.len()
    );
    vec![
        Bar::at_most("99 of 100 pages within", 100.0, nearly_all(pages), " ms"),
        Bar::at_most(
            "99 of 100 sign-ins within",
            100.0,
            nearly_all(sign_ins),
            " ms",
        ),
    ]
}

async fn pages(reader: &mut Visitor) -> Vec<f64> {
    let mut times = Vec::new();
    for path in PAGES.iter().cycle().take(200) {
        let start = Instant::now();
        let answer = reader.get(path).await;
        assert!(answer.status().is_success(), "{answer:?}");
        answer.bytes().await.expect("a page");
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    times
}

/// From the return of the provider's consent page until the browser is sent on, signed in: what is
/// asked of the provider in between is part of it.
async fn sign_ins(served: &Served) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..100 {
        let mut somebody = Visitor::of(served);
        let callback = somebody.approve("empty").await;
        let start = Instant::now();
        let answer = somebody.get(&callback).await;
        assert!(answer.status().is_redirection(), "{answer:?}");
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    times
}

/// The time that 99 of 100 keep to.
fn nearly_all(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * 99).div_ceil(100) - 1]
}

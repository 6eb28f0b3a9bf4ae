//! The program is killed in the middle of an import, again and again: it goes on by itself, loses nothing
//! and asks for hardly anything twice.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use tributary::sandbox::Sandbox;

use crate::support::app::{CLIENT_ID, CLIENT_SECRET, sandbox_for, until_within};
use crate::support::program::{Host, Program};
use crate::support::visitor::Visitor;

const CONTACTS: u32 = 4_000;
/// It is killed once so many records have come.
const KILLS: [i64; 3] = [300, 1_500, 3_000];
/// Two pages on their way in each of HubSpot's three lists, and what a start may ask for besides.
const LOST_BY_A_KILL: u64 = 3 * 2 + 4;
/// The lease of whoever was killed has to end each time.
const LONG: Duration = Duration::from_secs(300);

/// A program on a host of its own, and the provider that it imports from.
struct World {
    host: Host,
    sandbox: Sandbox,
}

impl World {
    fn new() -> Self {
        // The same address after each start.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen = free.local_addr().expect("an address");
        let sandbox = sandbox_for(&[listen.port()], |options| {
            options.contacts = Some(CONTACTS);
            options.rate = Some(1_000_000);
        });
        let host = Host::new()
            .with("LISTEN", listen.to_string())
            .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
            .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET)
            .with("HUBSPOT_AUTH_URL", sandbox.url())
            .with("HUBSPOT_API_URL", sandbox.url())
            .with("HUBSPOT_RATE", "off");
        Self { host, sandbox }
    }

    /// The program, once it answers, and where.
    async fn start(&self) -> (Program, String) {
        let mut program = self.host.start(&["serve"]);
        let url = program.line_after("Tributary: ").await;
        (program, url)
    }

    /// Imports an account, however often it is killed, and what is in the list then.
    async fn import(&self, kills: &[i64]) -> Vec<String> {
        let (mut program, url) = self.start().await;
        let mut ada = Visitor::of(&url);
        ada.connect("100k").await;
        for kill in kills {
            until_within(LONG, "so many have come", async || {
                fetched(&import(&mut ada).await) >= *kill
            })
            .await;
            let before = import(&mut ada).await;
            assert!(before["finished_at"].is_null(), "{before}");
            drop(program);
            (program, _) = self.start().await;
        }
        until_within(LONG, "the import has ended", async || {
            !import(&mut ada).await["finished_at"].is_null()
        })
        .await;
        let told = import(&mut ada).await;
        assert_eq!(told["state"], "done", "{told}");
        assert_eq!(told["added"], fetched(&told), "{told}");
        let mut names = ada.all_names("/items?limit=200").await;
        names.sort_unstable();
        drop(program);
        names
    }
}

/// The one import there is.
async fn import(visitor: &mut Visitor) -> Value {
    let mut told = visitor.get("/api/v1/imports").await.json();
    let imports = told["imports"].as_array_mut().expect("imports");
    assert_eq!(imports.len(), 1, "it is one import, whatever happens");
    imports.remove(0)
}

fn fetched(import: &Value) -> i64 {
    let streams = import["streams"].as_array().expect("streams");
    let fetched = |stream: &Value| stream["fetched"].as_i64().expect("a number");
    streams.iter().map(fetched).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_again_and_again_goes_on_by_itself_and_loses_nothing() {
    let (whole, killed) = (World::new(), World::new());
    let all = whole.import(&[]).await;
    assert!(all.len() > CONTACTS as usize);
    assert!(killed.import(&KILLS).await == all, "not the same items");
    let more = killed.sandbox.calls() - whole.sandbox.calls();
    let most = LOST_BY_A_KILL * KILLS.len() as u64;
    assert!(more <= most, "{more} calls more than without");
}

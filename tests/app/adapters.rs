//! What every provider keeps, whatever its dialect: one suite over each of them, and over one that does not
//! come with the program.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;
use tributary::client::{Answer, FailureKind};
use tributary::providers::{self, Description, Pkce, Provider};
use tributary::sandbox::{self, Account, Edit, Fault, Sandbox, Span, Turn};

use crate::ledger::{Ledger, LedgerServer};
use crate::support::app::{App, Start, Stores, sandbox_for, until};
use crate::support::visitor::{Seen, Visitor};

/// A provider that an application is tried against.
struct Ground {
    it: &'static Description,
    stores: Stores,
    app: App,
    place: Place,
}

/// What plays the provider.
enum Place {
    Sandbox(Sandbox, sandbox::Provider, &'static str),
    Ledger(LedgerServer),
}

/// Every provider that comes with the program, and the one that does not.
static WITH_LEDGER: &[&dyn Provider] = &[&Ledger];

const LEDGER_ENTRIES: usize = 40;

impl Ground {
    /// The provider of that name, and the kind of record that its dial changes.
    async fn of(slug: &str) -> Self {
        Self::holding(slug, None).await
    }

    /// The same, with so many records of the provider's main kind.
    async fn holding(slug: &str, records: Option<u32>) -> Self {
        let stores = Stores::embedded();
        // What is tried here is not the pace.
        let start = Start::on(&stores).with(&rate(slug), "off");
        if slug == "ledger" {
            let entries = records.map_or(LEDGER_ENTRIES, |records| records as usize);
            let ledger = LedgerServer::start(entries);
            let start = start
                .with_providers(WITH_LEDGER)
                .provider_at(slug, &ledger.url);
            return Self {
                it: Ledger.description(),
                app: start.go().await,
                place: Place::Ledger(ledger),
                stores,
            };
        }
        let sandbox = sandbox_for(&[start.port()], |options| {
            options.rate = Some(1_000_000);
            options.contacts = records;
        });
        let (provider, kind) = match slug {
            "hubspot" => (sandbox::Provider::HubSpot, "contacts"),
            "notion" => (sandbox::Provider::Notion, "pages"),
            _ => (sandbox::Provider::Airtable, "records"),
        };
        let it = providers::ALL.iter().map(|known| known.description());
        Self {
            it: it
                .into_iter()
                .find(|it| it.slug == slug)
                .expect("a provider"),
            app: start.provider_at(slug, &sandbox.url()).go().await,
            place: Place::Sandbox(sandbox, provider, kind),
            stores,
        }
    }

    /// Somebody whose account is connected and read.
    async fn connected(&self) -> (Visitor, String, Seen) {
        let mut ada = Visitor::of(&self.app.url);
        let connection = ada.connect_to(self.it.slug, "small").await;
        let page = ada.imported(&connection).await;
        (ada, connection, page)
    }

    async fn import_again(&self, ada: &mut Visitor, connection: &str, full: &str) -> Seen {
        let id = connection.rsplit('/').next().expect("an id");
        let form = [("connection", id), ("full", full)];
        let path = format!("/integrations/{}/load", self.it.slug);
        assert_eq!(ada.post(&path, &form).await.status, StatusCode::SEE_OTHER);
        ada.imported(connection).await
    }

    fn calls(&self) -> u64 {
        match &self.place {
            Place::Sandbox(sandbox, ..) => sandbox.calls(),
            Place::Ledger(ledger) => ledger.book().calls,
        }
    }

    fn token_requests(&self) -> u64 {
        match &self.place {
            Place::Sandbox(sandbox, ..) => sandbox.token_requests(),
            Place::Ledger(ledger) => ledger.book().token_requests,
        }
    }

    fn turn(&self, turn: Turn) {
        match &self.place {
            Place::Sandbox(sandbox, provider, _) => sandbox.dial(*provider, Account::Small, turn),
            Place::Ledger(_) => unreachable!("it has no dial"),
        }
    }

    fn expire_access_tokens(&self) {
        match &self.place {
            Place::Sandbox(..) => self.turn(Turn::ExpireTokens),
            Place::Ledger(ledger) => ledger.book().refuses_access = true,
        }
    }

    fn revoke(&self) {
        match &self.place {
            Place::Sandbox(..) => self.turn(Turn::Revoke),
            Place::Ledger(ledger) => ledger.book().revoked = true,
        }
    }

    fn change_and_add(&self, changed: u32, added: u32) {
        match &self.place {
            Place::Sandbox(_, _, kind) => {
                self.turn(Turn::Records(kind, Edit::Change(changed)));
                self.turn(Turn::Records(kind, Edit::Add(added)));
            }
            Place::Ledger(ledger) => {
                let mut book = ledger.book();
                book.change(changed as usize);
                book.add(added as usize);
            }
        }
    }

    fn delete(&self, count: u32) {
        match &self.place {
            Place::Sandbox(_, _, kind) => self.turn(Turn::Records(kind, Edit::Delete(count))),
            Place::Ledger(ledger) => ledger.book().delete(count as usize),
        }
    }

    /// Has the next calls fail in a way that passes.
    fn stumble(&self, fault: Fault) {
        match &self.place {
            Place::Sandbox(..) => self.turn(Turn::Fail(fault, Span::Requests(2))),
            Place::Ledger(ledger) => ledger.book().troubles = vec![502, 429],
        }
    }
}

/// The setting for its pace.
fn rate(slug: &str) -> String {
    format!("{}_RATE", slug.to_uppercase())
}

fn figures(page: &Seen) -> Vec<u64> {
    let counted = page.texts(".figures dd");
    let number = |text: &String| text.replace(',', "").parse().expect("a number");
    counted[..3].iter().map(number).collect()
}

/// What the page says of an import that reached the end of every list.
fn is_finished(page: &Seen) {
    assert_eq!(
        page.texts(".run h2"),
        ["Import finished"],
        "{}",
        page.text()
    );
}

async fn asks_at_authorize_for_what_its_description_says(ground: Ground) {
    let it = ground.it;
    let mut ada = Visitor::of(&ground.app.url);
    let path = format!("/integrations/{}/authorize", it.slug);
    let to = ada.post(&path, &[]).await.location().to_owned();
    let to = url::Url::parse(&to).expect("an address");
    let asked = |name: &str| {
        let mut pairs = to.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(to.path(), it.authorize_path);
    assert_eq!(asked("response_type").as_deref(), Some("code"));
    assert!(asked("state").is_some_and(|state| state.len() >= 32));
    let callback = format!("{}/integrations/{}/oauth2callback", ground.app.url, it.slug);
    assert_eq!(asked("redirect_uri"), Some(callback));
    for (name, value) in it.authorize_with {
        assert_eq!(asked(name).as_deref(), Some(*value), "{name}");
    }
    let scopes = [asked("scope"), asked("optional_scope")]
        .into_iter()
        .flatten();
    let scopes = scopes.collect::<Vec<_>>().join(" ");
    let wanted: HashSet<_> = it.scopes.iter().map(|scope| scope.name).collect();
    assert_eq!(scopes.split_whitespace().collect::<HashSet<_>>(), wanted);
    assert_eq!(asked("code_challenge").is_some(), it.pkce != Pkce::Off);
}

async fn is_declined_without_a_trace(ground: Ground) {
    let slug = ground.it.slug;
    let mut ada = Visitor::of(&ground.app.url);
    let callback = ada.consent_with(slug, &[], "small", "decline").await;
    let home = format!("/?declined={slug}");
    assert_eq!(ada.get(&callback).await.location(), home);
    assert!(
        ada.get(&home)
            .await
            .text()
            .contains("not connected: you declined")
    );
    assert_eq!(ground.token_requests(), 0);
}

async fn is_read_to_the_end_of_every_list_and_nothing_twice(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    is_finished(&page);
    let all = page.count_of(".sum b") as usize;
    assert!(all >= LEDGER_ENTRIES, "{all}");
    assert_eq!(ada.all_names("/items").await.len(), all);
    // What two lists name is stored once.
    assert_eq!(figures(&page)[..2], [all as u64, 0]);
    // Read again as a whole, all of it is as it was.
    let again = ground.import_again(&mut ada, &connection, "1").await;
    is_finished(&again);
    assert_eq!(figures(&again)[..2], [0, 0], "{}", again.text());
    assert_eq!(again.count_of(".sum b") as usize, all);
}

async fn goes_on_from_its_cursors_after_a_stop(ground: Ground) {
    let mut ada = Visitor::of(&ground.app.url);
    let connection = ada.connect_to(ground.it.slug, "small").await;
    let Ground {
        it,
        stores,
        app,
        place,
    } = ground;
    app.stop().await;
    let url = match &place {
        Place::Sandbox(sandbox, ..) => sandbox.url(),
        Place::Ledger(ledger) => ledger.url.clone(),
    };
    let start = Start::on(&stores).with(&rate(it.slug), "off");
    let start = match &place {
        Place::Sandbox(..) => start,
        Place::Ledger(_) => start.with_providers(WITH_LEDGER),
    };
    let app = start.provider_at(it.slug, &url).go().await;
    let mut ada = ada.at(&app.url);
    let page = ada.imported(&connection).await;
    is_finished(&page);
    let all = page.count_of(".sum b");
    assert_eq!(figures(&page)[..2], [all, 0], "each was stored once");
    assert_eq!(ada.all_names("/items").await.len() as u64, all);
}

async fn renews_an_expired_token_once(ground: Ground) {
    let (mut ada, connection, _) = ground.connected().await;
    let before = ground.token_requests();
    ground.expire_access_tokens();
    is_finished(&ground.import_again(&mut ada, &connection, "1").await);
    assert_eq!(ground.token_requests() - before, 1);
    // What came with it works the next time too.
    ground.expire_access_tokens();
    is_finished(&ground.import_again(&mut ada, &connection, "1").await);
    assert_eq!(ground.token_requests() - before, 2);
}

async fn says_reconnect_when_its_grant_has_ended_and_keeps_the_items(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    ground.revoke();
    let page = ground.import_again(&mut ada, &connection, "1").await;
    let buttons = page.texts("main button");
    assert!(buttons.contains(&"Reconnect".to_owned()), "{}", page.text());
    assert_eq!(page.count_of(".sum b"), all);
    let id = connection.rsplit('/').next().expect("an id").to_owned();
    let form = [("connection", id.as_str())];
    let slug = ground.it.slug;
    let callback = ada.consent_with(slug, &form, "small", "approve").await;
    assert_eq!(ada.get(&callback).await.location(), connection);
    is_finished(&ada.imported(&connection).await);
}

async fn is_left_with_a_receipt_that_says_what_became_of_the_approval(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    let receipt = ada.post(&format!("{connection}/disconnect"), &[]).await;
    let said = receipt.text();
    assert!(said.contains(&format!("{all} items removed")), "{said}");
    let it = ground.it;
    match (it.revoke_path, it.introspect_path) {
        (Some(_), Some(_)) => assert!(said.contains("confirms that it is good no more"), "{said}"),
        (Some(_), None) => assert!(said.contains("was revoked"), "{said}"),
        (None, _) => assert!(!said.contains("was revoked"), "{said}"),
    }
    let links = receipt.attributes("main a", "href");
    if let Some(there) = it.approvals_url {
        assert!(links.iter().any(|link| link == there), "{links:?}");
    }
    assert_eq!(ada.get(&connection).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.all_names("/items").await.len(), 0);
}

async fn finds_what_has_changed(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    ground.change_and_add(3, 2);
    let page = ground.import_again(&mut ada, &connection, "").await;
    is_finished(&page);
    // What stands above a changed record may count as changed with it.
    let [added, changed, _] = figures(&page)[..] else {
        panic!("three numbers")
    };
    assert!(added == 2 && (3..=6).contains(&changed), "{}", page.text());
    assert_eq!(page.count_of(".sum b"), all + 2);
}

async fn removes_what_is_gone_with_the_next_whole_import(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    ground.delete(2);
    // What asks for changes only cannot miss anything.
    is_finished(&ground.import_again(&mut ada, &connection, "").await);
    let page = ground.import_again(&mut ada, &connection, "1").await;
    is_finished(&page);
    let left = page.count_of(".sum b");
    assert!(left < all, "{left} of {all}");
    assert_eq!(ada.all_names("/items").await.len() as u64, left);
    assert!(!page.text().contains("That is a lot at once"));
    // Another one has nothing left to remove.
    let page = ground.import_again(&mut ada, &connection, "1").await;
    assert_eq!(page.count_of(".sum b"), left);
}

/// An account that has lost most of what it had, and was read again.
async fn after_a_great_loss(ground: &Ground) -> (Visitor, String, Seen) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    ground.delete(u32::MAX);
    let page = ground.import_again(&mut ada, &connection, "1").await;
    is_finished(&page);
    assert_eq!(page.count_of(".sum b"), all, "nothing goes unasked");
    assert!(
        page.text().contains("That is a lot at once"),
        "{}",
        page.text()
    );
    (ada, connection, page)
}

/// Answers everything that the page asks.
async fn answer(ada: &mut Visitor, connection: &str, page: &Seen, answer: &str) {
    for stream in page.attributes("input[name=stream]", "value") {
        let form = [("stream", stream.as_str()), ("answer", answer)];
        let answered = ada.post(&format!("{connection}/removals"), &form).await;
        assert_eq!(answered.location(), connection);
        // An answer is given once.
        let again = ada.post(&format!("{connection}/removals"), &form).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

async fn removes_much_only_after_a_yes(ground: Ground) {
    let (mut ada, connection, page) = after_a_great_loss(&ground).await;
    let all = page.count_of(".sum b");
    let asked = page.texts("button[value=drop]");
    let numbers = asked.iter().flat_map(|text| text.split(' ').nth(1));
    let asked: u64 = numbers
        .map(|text| text.replace(',', "").parse::<u64>().expect("a number"))
        .sum();
    let left = all - asked;
    answer(&mut ada, &connection, &page, "drop").await;
    until("they are removed", async || {
        ada.get(&connection).await.count_of(".sum b") == left
    })
    .await;
    // The next whole import finds nothing more that is gone.
    let page = ground.import_again(&mut ada, &connection, "1").await;
    assert_eq!(page.count_of(".sum b"), left);
    assert!(
        !page.text().contains("That is a lot at once"),
        "{}",
        page.text()
    );
}

async fn keeps_what_is_gone_when_told_to_and_does_not_ask_again(ground: Ground) {
    let (mut ada, connection, page) = after_a_great_loss(&ground).await;
    let all = page.count_of(".sum b");
    answer(&mut ada, &connection, &page, "keep").await;
    let page = ground.import_again(&mut ada, &connection, "1").await;
    assert_eq!(page.count_of(".sum b"), all);
    assert!(
        !page.text().contains("That is a lot at once"),
        "{}",
        page.text()
    );
}

/// More than any search of theirs gives.
const MANY: u32 = 10_250;

async fn never_calls_a_capped_list_complete(ground: Ground) {
    let ground = Ground::holding(ground.it.slug, Some(MANY)).await;
    let (mut ada, connection, page) = ground.connected().await;
    has_all_or_says_so(&page, page.count_of(".sum b"));
    // Where whole lists are without a cap, a search for changes may have one.
    let roots = ground.it.streams.iter().filter(|stream| stream.root);
    if roots.into_iter().all(|stream| stream.exhaustive) {
        ground.change_and_add(MANY, 0);
        let page = ground.import_again(&mut ada, &connection, "").await;
        has_all_or_says_so(&page, figures(&page).iter().sum());
    }
}

fn has_all_or_says_so(page: &Seen, got: u64) {
    let said = page.text();
    match page.texts(".run h2").first().map(String::as_str) {
        Some("Import finished") => assert!(got >= u64::from(MANY), "{got}: {said}"),
        Some("Import incomplete") => {
            assert!(said.contains("Not all of it could be read"), "{said}")
        }
        other => panic!("{other:?}: {said}"),
    }
}

/// A refusal in the words of a provider.
fn refusal(slug: &str, status: u16, headers: HeaderMap) -> Answer {
    let body = match slug {
        "hubspot" => json!({"status": "error", "category": "SOME", "message": "Said."}),
        "notion" => {
            json!({"object": "error", "status": status, "code": "some", "message": "Said."})
        }
        _ => json!({"error": {"type": "SOME", "message": "Said."}}),
    };
    Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: body.to_string().into(),
    }
}

async fn tells_each_kind_of_refusal_apart(ground: Ground) {
    use FailureKind::{Forbidden, Limited, NotFound, Passing, Unauthorized};
    let read = ground.it.dialect.read_failure;
    for (status, kind) in [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (429, Limited),
        (500, Passing),
        (502, Passing),
        (503, Passing),
        (504, Passing),
    ] {
        let failure = read(&refusal(ground.it.slug, status, HeaderMap::new()));
        assert_eq!(failure.kind, kind, "{status}");
        assert!(!failure.said.is_empty());
    }
    let later = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("77"))]);
    let limited = read(&refusal(ground.it.slug, 429, later));
    assert_eq!(limited.wait, Some(Duration::from_secs(77)), "it is obeyed");
}

async fn gets_over_faults_that_pass(ground: Ground) {
    let (mut ada, connection, page) = ground.connected().await;
    let all = page.count_of(".sum b");
    let whole = ground.calls();
    for fault in [Fault::BadGateway, Fault::Cut] {
        ground.stumble(fault);
        let before = ground.calls();
        let page = ground.import_again(&mut ada, &connection, "1").await;
        is_finished(&page);
        assert_eq!(
            (figures(&page)[..2].to_vec(), page.count_of(".sum b")),
            (vec![0, 0], all)
        );
        assert!(
            ground.calls() - before <= whole + 4,
            "{} calls",
            ground.calls() - before
        );
    }
}

/// Each rule, tried on each provider.
macro_rules! keep {
    ($($rule:ident),+ $(,)?) => {
        keep! { @on hubspot "hubspot" $($rule)+ }
        keep! { @on notion "notion" $($rule)+ }
        keep! { @on airtable "airtable" $($rule)+ }
        keep! { @on ledger "ledger" $($rule)+ }
    };
    (@on $name:ident $slug:literal $($rule:ident)+) => {
        mod $name {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                super::$rule(super::Ground::of($slug).await).await;
            })+
        }
    };
}

keep! {
    asks_at_authorize_for_what_its_description_says,
    is_declined_without_a_trace,
    is_read_to_the_end_of_every_list_and_nothing_twice,
    goes_on_from_its_cursors_after_a_stop,
    renews_an_expired_token_once,
    says_reconnect_when_its_grant_has_ended_and_keeps_the_items,
    is_left_with_a_receipt_that_says_what_became_of_the_approval,
    finds_what_has_changed,
    removes_what_is_gone_with_the_next_whole_import,
    removes_much_only_after_a_yes,
    keeps_what_is_gone_when_told_to_and_does_not_ask_again,
    never_calls_a_capped_list_complete,
    tells_each_kind_of_refusal_apart,
    gets_over_faults_that_pass,
}

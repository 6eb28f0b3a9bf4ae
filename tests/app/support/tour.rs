//! Every page there is, in every state that looks different, and who sees it so.

use std::time::Duration;

use tributary::sandbox::{Account, Edit, Provider, Sandbox, Turn};

use super::app::{App, CLIENT_ID, CLIENT_SECRET, PROVIDERS, Start, Stores, sandbox_for, until};
use super::program::Host;
use super::visitor::{Seen, Visitor, WATCHED};

/// One page, and what is done on it before it is looked at.
pub struct Stop {
    pub name: &'static str,
    pub who: Visitor,
    pub address: String,
    pub then: &'static [Act],
}

/// What a person does on a page.
pub enum Act {
    Press(&'static str),
    Fill(&'static str, &'static str),
    /// Waits until it is there.
    See(&'static str),
}

use Act::{Fill, Press, See};

/// Pages that only need to be asked for, as seen by somebody with three accounts.
const PLAIN: [(&str, &str); 15] = [
    ("dashboard", "/"),
    ("items", "/items"),
    ("filtered", "/items?provider=notion&type=page&q=e"),
    ("nothing matches", "/items?q=no+such+thing"),
    ("with removed", "/items?gone=1"),
    ("by name", "/items?sort=name&limit=5"),
    ("of HubSpot", "/connections/1"),
    ("of Notion", "/connections/2"),
    ("history", "/connections/1/imports"),
    ("report", "/imports/1"),
    ("sign-ins", "/sessions"),
    ("audit trail", "/audit"),
    ("error 404", "/nowhere"),
    ("error 400", "/items?limit=0"),
    ("after declining", "/?declined=hubspot"),
];

/// Pages on which something is done first.
const ACTED: [(&str, &str, &[Act]); 7] = [
    (
        "item beside the list",
        "/items?type=database",
        &[Press("table.list a.name"), See("#item-name[data-met]")],
    ),
    (
        "item beside a connection",
        "/connections/1",
        &[Press("table.list a.name"), See("#item-name[data-met]")],
    ),
    (
        "tree",
        "/connections/3",
        &[
            Press(".tree > .level > li:nth-child(2) summary"),
            See(".below .level"),
        ],
    ),
    (
        "details",
        "/connections/3",
        &[Press(".details > summary"), See("#every")],
    ),
    (
        "keys",
        "/keys",
        &[
            Fill("name", "Nightly report"),
            Press(".form button"),
            See("[data-api-key]"),
        ],
    ),
    (
        "key refused",
        "/keys",
        &[
            Fill("name", "  "),
            Press(".form button"),
            See("#name-problem"),
        ],
    ),
    (
        "workspace",
        "/workspace",
        &[
            Press("form[action='/workspace/invites'] button"),
            See("[data-invitation]"),
        ],
    ),
];

/// An application whose pages are gone through.
pub struct Tour {
    pub app: App,
    sandbox: Sandbox,
    stores: Stores,
    ada: Visitor,
}

impl Tour {
    /// With somebody who has connected an account of every provider.
    pub async fn begin() -> Self {
        let stores = Stores::embedded();
        let start = Start::on(&stores).with("NOTION_RATE", "off");
        let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(100_000));
        let at_sandbox = |start: Start, slug: &&str| start.provider_at(slug, &sandbox.url());
        let app = PROVIDERS.iter().fold(start, at_sandbox).go().await;
        let mut ada = Visitor::of(&app.url);
        for slug in PROVIDERS {
            let connection = ada.connect_to(slug, "small").await;
            ada.imported(&connection).await;
        }
        Self {
            app,
            sandbox,
            stores,
            ada,
        }
    }

    fn stop(&self, name: &'static str, address: impl Into<String>) -> Stop {
        Stop {
            name,
            who: self.ada.clone(),
            address: address.into(),
            then: &[],
        }
    }

    /// Everything while nothing goes on.
    pub async fn calm(&mut self) -> Vec<Stop> {
        let mut stops = self.as_guest().await;
        stops.extend(PLAIN.map(|(name, address)| self.stop(name, address)));
        let acted = |(name, address, then)| Stop {
            then,
            ..self.stop(name, address)
        };
        stops.extend(ACTED.map(acted));
        let list = self.ada.get("/items?type=database").await;
        let item = list.attribute("table.list a.name", "href").expect("one");
        stops.push(Stop {
            then: &[Press(".raw > summary"), See("#raw")],
            ..self.stop("item", item)
        });
        stops.extend(self.as_newcomer().await);
        stops
    }

    /// What somebody sees who is not signed in, the sandbox's pages among it.
    async fn as_guest(&mut self) -> Vec<Stop> {
        let form = [("role", "member")];
        let invited = self.ada.post("/workspace/invites", &form).await;
        let invitation = invited.texts("[data-invitation]").remove(0);
        let mut guest = Visitor::of(&self.app.url);
        let asked = guest.post("/integrations/hubspot/authorize", &[]).await;
        let refused = asked.location().replace(CLIENT_ID, "nobody");
        let stops = [
            ("welcome", "/".to_owned()),
            ("errors", "/docs/errors".to_owned()),
            ("invitation", invitation),
            ("sign-in link", self.sign_in_link().await),
            ("consent", asked.location().to_owned()),
            ("consent refused", refused),
            ("dial", self.sandbox.url()),
        ];
        let stop = |(name, address)| Stop {
            name,
            who: Visitor::of(&self.app.url),
            address,
            then: &[],
        };
        stops.map(stop).into()
    }

    async fn sign_in_link(&self) -> String {
        let host = Host::new()
            .with("DATABASE_URL", &self.stores.settings[0].1)
            .with("PUBLIC_URL", &self.app.url)
            .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
            .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET);
        let mut made = host.run(&["sign-in-link", "1"]).await;
        made.stdout.remove(0)
    }

    /// What somebody sees who has nothing connected.
    async fn as_newcomer(&self) -> Vec<Stop> {
        let mut bob = Visitor::of(&self.app.url);
        let connection = bob.connect("empty").await;
        bob.imported(&connection).await;
        let gone = bob.post(&format!("{connection}/disconnect"), &[]).await;
        assert!(gone.text().contains("Disconnected"), "{}", gone.text());
        let stop = |(name, address)| Stop {
            who: bob.clone(),
            ..self.stop(name, address)
        };
        [("nothing connected", "/"), ("nothing to list", "/items")]
            .map(stop)
            .into()
    }

    async fn import(&mut self, id: u32, slug: &str, full: &str) {
        let id = id.to_string();
        let form = [("connection", id.as_str()), ("full", full)];
        let path = format!("/integrations/{slug}/load");
        self.ada.post(&path, &form).await.location();
    }

    async fn until_watched(&mut self, path: &str, is_on: bool) -> Seen {
        let mut last = self.ada.get(path).await;
        until("the import is seen", async || {
            last = self.ada.get(path).await;
            (last.count(WATCHED) > 0) == is_on
        })
        .await;
        last
    }

    /// What is different while imports are on; they are begun anew where they have ended.
    pub async fn importing(&mut self) -> Vec<Stop> {
        let slow = Turn::Slow(Duration::from_secs(8));
        for (at, slug) in (1..).zip(PROVIDERS) {
            let provider =
                [Provider::HubSpot, Provider::Notion, Provider::Airtable][at as usize - 1];
            self.sandbox.dial(provider, Account::Small, slow);
            self.import(at, slug, "1").await;
        }
        let page = self.until_watched("/connections/1", true).await;
        let report = page.attribute(".run-head a", "href").expect("a report");
        vec![
            self.stop("dashboard, importing", "/"),
            self.stop("connection, importing", "/connections/1"),
            self.stop("report, importing", report),
        ]
    }

    /// What waits for a person: an answer about many removals, and a new approval.
    pub async fn in_trouble(&mut self) -> Vec<Stop> {
        for provider in [Provider::HubSpot, Provider::Notion, Provider::Airtable] {
            self.sandbox.dial(provider, Account::Small, Turn::Calm);
        }
        for path in ["/connections/1", "/connections/2", "/connections/3"] {
            self.until_watched(path, false).await;
        }
        let loss = Turn::Records("contacts", Edit::Delete(u32::MAX));
        self.sandbox.dial(Provider::HubSpot, Account::Small, loss);
        self.import(1, "hubspot", "1").await;
        self.until_watched("/connections/1", false).await;
        self.sandbox
            .dial(Provider::Notion, Account::Small, Turn::Revoke);
        self.import(2, "notion", "").await;
        self.until_watched("/connections/2", false).await;
        vec![
            self.stop("dashboard, in trouble", "/"),
            self.stop("a question", "/connections/1"),
            self.stop("reconnect", "/connections/2"),
            self.stop("items, reconnect", "/items"),
        ]
    }
}

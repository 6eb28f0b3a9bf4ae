//! The application as a test starts it: the same function, its own stores, the sandbox as HubSpot.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tributary::providers::{self, Provider};
use tributary::sandbox::{self, Options, Sandbox};
use tributary::server::{self, Running};
use tributary::settings::{Settings, Variables};
use tributary::vault::Key;

use super::services::{Redis, postgres_database};

pub const CLIENT_ID: &str = "test-client";
/// With what a form would write otherwise.
pub const CLIENT_SECRET: &str = "test-secret-c0ffee+%/=&";
/// Those that the sandbox plays.
pub const PROVIDERS: [&str; 3] = ["hubspot", "notion", "airtable"];

/// Waits for a condition, and gives up with its name.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(Duration::from_secs(60), what, condition).await;
}

/// The same, for what takes its time.
pub async fn until_within(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Stores that one or several applications share.
pub struct Stores {
    folder: TempDir,
    pub redis: Option<Redis>,
    pub settings: Vec<(String, String)>,
}

impl Stores {
    /// One file, nothing else.
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite:{}", folder.path().join("tributary.db").display());
        Self {
            folder,
            redis: None,
            settings: vec![("DATABASE_URL".into(), database)],
        }
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// PostgreSQL and Redis.
    pub async fn scaled() -> Self {
        let redis = Redis::start().await;
        let settings = vec![
            ("DATABASE_URL".into(), postgres_database().await),
            ("REDIS_URL".into(), redis.url()),
            ("TRIBUTARY_KEYS".into(), Key::random().to_text().to_string()),
        ];
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            redis: Some(redis),
            settings,
        }
    }
}

/// An application that answers.
pub struct App {
    pub url: String,
    running: Running,
}

/// How an application is started.
pub struct Start {
    listener: TcpListener,
    pairs: Vec<(String, String)>,
    providers: &'static [&'static dyn Provider],
}

impl Start {
    /// On these stores, on a free port, with no provider yet.
    pub fn on(stores: &Stores) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self {
            listener,
            pairs: stores.settings.clone(),
            providers: providers::ALL,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.into(), value.into()));
        self
    }

    /// Of a program that knows other providers.
    pub fn with_providers(self, providers: &'static [&'static dyn Provider]) -> Self {
        Self { providers, ..self }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("a port").port()
    }

    /// With HubSpot at this address.
    pub fn hubspot_at(self, url: &str) -> Self {
        self.provider_at("hubspot", url)
    }

    /// With this provider at this address.
    pub fn provider_at(self, slug: &str, url: &str) -> Self {
        let name = |suffix| format!("{}_{suffix}", slug.to_uppercase());
        self.with(&name("CLIENT_ID"), CLIENT_ID)
            .with(&name("CLIENT_SECRET"), CLIENT_SECRET)
            .with(&name("AUTH_URL"), url)
            .with(&name("API_URL"), url)
    }

    /// Under the name of another application's address, as behind a load balancer.
    pub fn beside(self, app: &App) -> Self {
        let url = app.url.clone();
        self.with("PUBLIC_URL", &url)
    }

    pub async fn go(self) -> App {
        let port = self.port();
        let pairs = self
            .pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let variables = Variables::from_pairs(pairs);
        let settings = Settings::read_for(&variables, self.providers)
            .unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let running = server::start(settings, self.listener)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        App {
            url: format!("http://localhost:{port}"),
            running,
        }
    }
}

impl App {
    /// An application on these stores and a sandbox that it takes for this provider.
    pub async fn with_provider(
        slug: &str,
        stores: &Stores,
        change: impl FnOnce(&mut Options),
    ) -> (Self, Sandbox) {
        let start = Start::on(stores);
        let sandbox = sandbox_for(&[start.port()], change);
        (start.provider_at(slug, &sandbox.url()).go().await, sandbox)
    }

    /// An application on these stores and a sandbox that it takes for HubSpot.
    pub async fn with_sandbox(stores: &Stores) -> (Self, Sandbox) {
        Self::with_sandbox_of(stores, |_| {}).await
    }

    pub async fn with_sandbox_of(
        stores: &Stores,
        change: impl FnOnce(&mut Options),
    ) -> (Self, Sandbox) {
        Self::with_provider("hubspot", stores, change).await
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// A sandbox in which applications on these ports are registered.
pub fn sandbox_for(ports: &[u16], change: impl FnOnce(&mut Options)) -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let callbacks = |port: &u16| {
        let port = *port;
        PROVIDERS
            .map(move |slug| format!("http://localhost:{port}/integrations/{slug}/oauth2callback"))
    };
    let mut options = Options {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
        redirect_uris: ports.iter().flat_map(callbacks).collect(),
        ..Options::at(listener)
    };
    change(&mut options);
    sandbox::start(options).expect("the sandbox starts")
}

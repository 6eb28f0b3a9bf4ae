//! Builds the application from its settings and runs it: what the program starts and what tests start.

mod chores;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::Key as CookieKey;
use actix_web::dev::ServerHandle;
use actix_web::{HttpServer, web::Data};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use chores::Tools;

use crate::client::{Client, Paces};
use crate::ephemeral::{
    self, Away, Ephemeral, RedisEphemeral, RedisLocation, Sessions, SharedEphemeral, SqlEphemeral,
};
use crate::grants::{Grants, GrantsParts, Times};
use crate::import::{Engine, EngineParts};
use crate::providers::{Configured, Providers, Renewal};
use crate::settings::{Keys, Settings};
use crate::store::{self, Location, Store};
use crate::vault::{self, KeyFileError, KeyId, OpenError, Owner, Vault};
use crate::web::{self, App, Rate};

/// How long requests in flight may take to finish when we are told to stop.
const FINISH: u64 = 20;
/// How long renewals on their way are waited for: an answer that is not kept may be the grant's end.
const SETTLE: Duration = Duration::from_secs(20);
/// The name of the cookie's key among the sealed secrets.
const COOKIE_KEY: &str = "cookie-key";

/// Why the application did not start, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "LISTEN: {0} cannot be listened on ({1}). Choose another with LISTEN, or end what uses it."
    )]
    Listen(SocketAddr, io::Error),
    #[error(
        "DATABASE_URL: {0}. See that the database is there, may be written, and is named right."
    )]
    Store(#[from] store::Error),
    #[error("REDIS_URL: {0}. See that Redis runs and that this address is right.")]
    Ephemeral(#[from] Away),
    #[error("{0}. Put the file back, or set TRIBUTARY_KEYS to the key that was in it.")]
    KeyFile(#[from] KeyFileError),
    #[error(
        "The sealing keys do not fit this database: {0}. Add the key that sealed it to TRIBUTARY_KEYS \
         or to the key file; without it nothing sealed can be opened."
    )]
    Key(#[from] OpenError),
    #[error(
        "The sealing keys do not fit this database: it holds what was sealed with {0}, which is not in the \
         key ring. Add it to TRIBUTARY_KEYS or to the key file; without it nothing sealed can be opened."
    )]
    KeysLacking(String),
    #[error("the server could not be started ({0})")]
    Server(io::Error),
}

/// The application, running.
pub struct Running {
    pub public_url: Url,
    pub providers: Providers,
    engine: Arc<Engine>,
    grants: Arc<Grants>,
    store: Arc<Store>,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    ending: CancellationToken,
    instance: String,
}

/// Listens, so that the port is known before anything depends on it.
pub fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen(address, error))
}

/// What the settings say, opened.
pub struct Stores {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub sessions: Sessions,
    pub vault: Arc<Vault>,
}

impl Stores {
    pub async fn open(settings: &Settings) -> Result<Self, StartError> {
        let (store, vault) = open_database(settings).await?;
        let store = Arc::new(store);
        let (ephemeral, sessions): (SharedEphemeral, Sessions) = match &settings.redis {
            Some(location) => {
                let redis = reach_redis(location).await?;
                let sessions = Sessions::in_redis(&redis).await?;
                (Arc::new(redis), sessions)
            }
            None => {
                let shared: SharedEphemeral = Arc::new(SqlEphemeral::new(Arc::clone(&store)));
                (Arc::clone(&shared), Sessions::in_store(shared))
            }
        };
        Ok(Self {
            store,
            ephemeral,
            sessions,
            vault: Arc::new(vault),
        })
    }
}

/// The database, with keys that have been seen to open what is sealed in it.
pub async fn open_database(settings: &Settings) -> Result<(Store, Vault), StartError> {
    let store = Store::open(&settings.database).await?;
    let ring = match &settings.keys {
        Keys::Ring(ring) => ring.clone(),
        Keys::File(path) => {
            let may_create = !store.holds_sealed_rows().await?;
            vault::open_key_file(path, may_create)?
        }
    };
    let vault = Vault::new(ring);
    let lacking = vault.lacking(&store.sealed_heads(vault::KEY_HEAD as i32).await?);
    if !lacking.is_empty() {
        return Err(StartError::KeysLacking(in_words(&lacking)));
    }
    // The cookie's key is the canary: a key of the right name that does not open it is the wrong one.
    if let Some(sealed) = store.secret(COOKIE_KEY).await? {
        vault.open(&cookie_key_owner(), &sealed)?;
    }
    Ok((store, vault))
}

fn in_words(keys: &[KeyId]) -> String {
    let ids: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    match ids.as_slice() {
        [one] => format!("key {one}"),
        several => format!("the keys {}", several.join(", ")),
    }
}

/// Redis, once it has answered.
pub async fn reach_redis(location: &RedisLocation) -> Result<RedisEphemeral, StartError> {
    let redis = ephemeral::connect_redis(location)?;
    redis.ping().await?;
    Ok(redis)
}

fn cookie_key_owner() -> Owner {
    Owner::new("secret", COOKIE_KEY)
}

/// The key of the session cookie: random, sealed, made once, the same for every process.
async fn cookie_key(store: &Store, vault: &Vault) -> Result<CookieKey, StartError> {
    let fresh = vault.seal(&cookie_key_owner(), vault::random::<64>().as_slice());
    let sealed = store.secret_or_insert(COOKIE_KEY, &fresh).await?;
    let key = vault.open(&cookie_key_owner(), &sealed)?;
    CookieKey::try_from(key.as_slice()).map_err(|_| StartError::Key(OpenError::Damaged))
}

/// Where browsers reach us, where the host has not said so.
pub fn public_url(settings: &Settings, port: u16) -> Url {
    let default = || Url::parse(&format!("http://localhost:{port}")).expect("a valid address");
    settings.public_url.clone().unwrap_or_else(default)
}

/// Opens the stores, starts the import engine, and answers on `listener`.
pub async fn start(settings: Settings, listener: TcpListener) -> Result<Running, StartError> {
    let stores = Stores::open(&settings).await?;
    let cookie_key = cookie_key(&stores.store, &stores.vault).await?;
    let port = listener.local_addr().map_err(StartError::Server)?.port();
    let public_url = public_url(&settings, port);
    let providers: Vec<Configured> = settings
        .providers
        .iter()
        .map(|provider| provider.clone().at(&public_url))
        .collect();
    let client = Client::new(
        providers
            .iter()
            .flat_map(|provider| [&provider.auth_url, &provider.api_url]),
    );
    let providers = Providers::new(settings.known, providers);
    let grants = Grants::new(GrantsParts {
        store: Arc::clone(&stores.store),
        ephemeral: Arc::clone(&stores.ephemeral),
        vault: Arc::clone(&stores.vault),
        refresher: Arc::new(Renewal {
            client: client.clone(),
            providers: providers.clone(),
        }),
        times: Times::default(),
    });
    let settling = Arc::clone(&grants);
    let engine = Engine::start(EngineParts {
        store: Arc::clone(&stores.store),
        ephemeral: Arc::clone(&stores.ephemeral),
        grants: Arc::clone(&grants),
        client: client.clone(),
        providers: providers.clone(),
        paces: Arc::new(Paces::shared(Arc::clone(&stores.ephemeral))),
        every: settings.import_every,
    });
    let ending = CancellationToken::new();
    let instance = format!("{:016x}", u64::from_be_bytes(*vault::random::<8>()));
    let eraser = Arc::new(Notify::new());
    let tools = Tools {
        store: Arc::clone(&stores.store),
        ephemeral: Arc::clone(&stores.ephemeral),
        grants: Arc::clone(&grants),
        eraser: Arc::clone(&eraser),
        instance: instance.clone(),
        keys: stores.vault.key_ids(),
    };
    chores::begin(tools, &ending);
    let app = Data::new(App {
        store: Arc::clone(&stores.store),
        ephemeral: stores.ephemeral,
        sessions: stores.sessions,
        vault: stores.vault,
        grants,
        client,
        providers: providers.clone(),
        engine: Arc::clone(&engine),
        public_url: public_url.clone(),
        allow: settings.allow.clone(),
        cookie_key,
        connect_rate: Rate::new(settings.connect_rate),
        api_rate: Rate::new(settings.api_rate),
        proxies: settings.proxies.clone(),
        eraser,
        streams: Arc::default(),
        closing: ending.clone(),
    });
    let server = HttpServer::new(move || web::site(app.clone()))
        .listen(listener)
        .map_err(StartError::Server)?
        // A page goes out in several parts, the last of which must not wait for the others' arrival.
        .tcp_nodelay(true)
        .disable_signals()
        .shutdown_timeout(FINISH)
        .run();
    Ok(Running {
        public_url,
        providers,
        engine,
        grants: settling,
        store: stores.store,
        handle: server.handle(),
        server: tokio::spawn(server),
        ending,
        instance,
    })
}

impl Running {
    /// Stops: imports at the end of a page, requests in flight when they are answered. In that order,
    /// for connections to the stores may have been opened by the threads that answer requests.
    pub async fn stop(self) {
        self.engine.stop().await;
        if tokio::time::timeout(SETTLE, self.grants.settle())
            .await
            .is_err()
        {
            tracing::error!("a renewal was still on its way");
        }
        self.ending.cancel();
        if let Err(error) = self.store.end_instance(&self.instance).await {
            tracing::debug!(%error, "this process could not say that it ends");
        }
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.server.await {
            tracing::error!(%error, "the server ended with an error");
        }
        if tokio::time::timeout(store::DEADLINE, self.store.close())
            .await
            .is_err()
        {
            tracing::debug!("the database was not closed in time");
        }
    }
}

/// Where the data is, in words that hold no password.
pub fn place(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => format!("SQLite file {}", path.display()),
        Location::Postgres(options) => format!("PostgreSQL at {}", options.get_host()),
    }
}

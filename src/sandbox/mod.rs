//! A server that plays the providers, so that everything can be tried without an account of one's
//! own.
//!
//! It shares no code with the adapters that talk to the real providers: were both built from the
//! same understanding, a misreading would agree with itself. What all providers need (accounts to
//! choose, consent pages, codes and tokens) stands here; the dialect of each has a folder of its
//! own.

mod accounts;
mod airtable;
mod dial;
mod dial_page;
mod grants;
mod hubspot;
mod mishap;
mod notion;
mod overlay;
mod page;
mod params;
mod people;
mod tokens;
mod world;

#[cfg(test)]
mod testing;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use tokio::task::JoinHandle;

pub use accounts::Account;
pub use dial::{Edit, Fault, Provider, Span, Turn};
use world::World;

/// What a sandbox is started with.
pub struct Options {
    /// Where to answer, bound by the caller, who may want to know the port before anything runs.
    pub listener: TcpListener,
    /// The one app that may ask for consent.
    pub client_id: String,
    pub client_secret: String,
    /// Compared letter by letter, as the providers do.
    pub redirect_uris: Vec<String>,
    /// How long an access token lives, in place of each provider's own time.
    pub token_life: Option<Duration>,
    /// Requests one account may make within `window`, in place of all of the providers' own numbers.
    pub rate: Option<u32>,
    pub window: Option<Duration>,
    /// Gives every account but the empty one so many items of the provider's main kind: HubSpot's
    /// contacts, to which the numbers of the other kinds are in proportion.
    pub contacts: Option<u32>,
}

impl Options {
    /// A sandbox on `listener` that keeps to the provider's own numbers and knows no app yet.
    pub fn at(listener: TcpListener) -> Self {
        Self {
            listener,
            client_id: String::new(),
            client_secret: String::new(),
            redirect_uris: Vec::new(),
            token_life: None,
            rate: None,
            window: None,
            contacts: None,
        }
    }
}

/// A running sandbox.
pub struct Sandbox {
    address: SocketAddr,
    world: web::Data<World>,
    server: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

/// Starts a sandbox; must be called within a tokio runtime.
pub fn start(options: Options) -> io::Result<Sandbox> {
    let address = options.listener.local_addr()?;
    let (listener, world) = World::found(options);
    let world = web::Data::new(world);
    let shared = world.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .configure(page::routes)
            .configure(dial_page::routes)
            .configure(airtable::routes)
            .configure(hubspot::routes)
            .configure(notion::routes)
            .default_service(web::to(hubspot::unknown_route))
    })
    // One worker is plenty for one integration, and leaves the machine to whoever is being tried.
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(Sandbox {
        address,
        world,
        server: server.handle(),
        task: tokio::spawn(server),
    })
}

impl Sandbox {
    /// Where it answers, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops at once, without waiting for open connections.
    pub async fn stop(self) {
        self.server.stop(false).await;
        // The server's own end has nothing to tell: it was asked to stop.
        let _ = self.task.await;
    }

    /// How many API requests were answered, refused ones included; token requests are not among
    /// them.
    pub fn calls(&self) -> u64 {
        self.world.calls.sum()
    }

    /// Those of one provider.
    pub fn calls_of(&self, provider: Provider) -> u64 {
        self.world.calls.of(provider).get()
    }

    /// How many requests the token endpoints answered, refused ones included.
    pub fn token_requests(&self) -> u64 {
        self.world.token_requests.get()
    }

    /// Turns the fault dial for one account of a provider, as the page of the sandbox does.
    pub fn dial(&self, provider: Provider, account: Account, turn: Turn) {
        self.world.turn(provider, account, turn);
    }

    /// Makes every access token given so far an expired one; refreshing brings a good one.
    pub fn expire_access_tokens(&self) {
        self.dial_all(Turn::ExpireTokens);
    }

    /// Ends every grant given so far, as if the app had been uninstalled everywhere.
    pub fn revoke_all(&self) {
        self.dial_all(Turn::Revoke);
    }

    fn dial_all(&self, turn: Turn) {
        for provider in Provider::ALL {
            for account in Account::ALL {
                self.dial(provider, account, turn);
            }
        }
    }
}

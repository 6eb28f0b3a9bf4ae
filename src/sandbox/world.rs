use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;

use super::Options;
use super::accounts::Account;
use super::airtable::Airtable;
use super::dial::{Dial, Provider, Turn};
use super::grants::Grants;
use super::hubspot::HubSpot;
use super::notion::Notion;

/// Everything the requests of one sandbox share.
pub struct World {
    pub client: Client,
    pub calls: Calls,
    pub dial: Dial,
    pub token_requests: Counter,
    pub airtable: Airtable,
    pub hubspot: HubSpot,
    pub notion: Notion,
    contacts: Option<u32>,
}

/// The app that is registered with the sandbox.
pub struct Client {
    pub id: String,
    pub secret: String,
    pub redirect_uris: Vec<String>,
}

impl World {
    /// Parts the listener, which the server takes, from what the requests share.
    pub fn found(options: Options) -> (TcpListener, World) {
        let airtable = Airtable::new(&options);
        let hubspot = HubSpot::new(&options);
        let notion = Notion::new(&options);
        let world = World {
            client: Client {
                id: options.client_id,
                secret: options.client_secret,
                redirect_uris: options.redirect_uris,
            },
            calls: Calls::default(),
            dial: Dial::default(),
            token_requests: Counter::default(),
            airtable,
            hubspot,
            notion,
            contacts: options.contacts,
        };
        (options.listener, world)
    }

    /// A provider's codes and tokens.
    fn grants(&self, provider: Provider) -> &Grants {
        match provider {
            Provider::HubSpot => &self.hubspot.grants,
            Provider::Notion => &self.notion.grants,
            Provider::Airtable => &self.airtable.grants,
        }
    }

    /// Turns the dial for an account.
    pub fn turn(&self, provider: Provider, account: Account, turn: Turn) {
        let now = Utc::now();
        match turn {
            Turn::ExpireTokens => self.grants(provider).expire_access_tokens(account, now),
            Turn::Revoke => self.grants(provider).end(account, now),
            _ => self.dial.turn(provider, account, turn, now),
        }
    }

    /// How many items an account holds here.
    pub fn size(&self, account: Account) -> u32 {
        match (account, self.contacts) {
            (Account::Empty, _) | (_, None) => account.profile().items,
            (_, Some(contacts)) => contacts,
        }
    }
}

/// API requests, counted by provider.
#[derive(Default)]
pub struct Calls([Counter; Provider::ALL.len()]);

impl Calls {
    pub fn of(&self, provider: Provider) -> &Counter {
        &self.0[provider as usize]
    }

    pub fn sum(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }
}

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more and says how many that makes.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

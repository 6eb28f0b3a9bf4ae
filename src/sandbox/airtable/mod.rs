//! Airtable's dialect: its paths, its shapes, its limits and its ways of failing.

mod ask;
mod authorize;
mod columns;
mod errors;
mod faults;
mod formula;
mod gate;
mod ids;
mod iterators;
mod limits;
mod listing;
mod meta;
mod odd_names;
mod order;
mod plans;
mod records;
mod rotation;
mod rows;
mod scopes;
mod shape;
mod token;
mod workspace;

#[cfg(test)]
mod testing;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::middleware::from_fn;
use actix_web::web;

use super::Options;
use super::accounts::Account;
use super::dial::Provider;
use super::grants::Grants;
use super::world::{Counter, World};
use errors::ApiError;
use iterators::Iterators;
use limits::{Group, Limits};
use rotation::Rotation;
use workspace::Workspace;

/// What Airtable allows each base.
const RATE: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);

/// How long an access token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// How long a code waits to be fetched.
const CODE_LIFE: Duration = Duration::from_secs(600);

/// Records of the account that has one table of 10,250.
const TEN_THOUSAND: u32 = 12_500;

/// What Airtable's part of the sandbox remembers.
pub struct Airtable {
    pub grants: Grants,
    rotation: Rotation,
    limits: Mutex<Limits>,
    iterators: Iterators,
    records: Option<u32>,
    /// Requests to bases of the account that fails now and then.
    rough: Counter,
    /// Listings of the tables there that are forgotten every other time.
    listings: Counter,
}

impl Airtable {
    pub fn new(options: &Options) -> Airtable {
        let life = options.token_life.unwrap_or(TOKEN_LIFE);
        let grants = Grants::new("airtable", &options.client_secret, life);
        Airtable {
            grants: grants.with_code_life(CODE_LIFE),
            rotation: Rotation::default(),
            limits: Mutex::new(Limits::new(
                options.rate.unwrap_or(RATE),
                options.window.unwrap_or(WINDOW),
            )),
            iterators: Iterators::default(),
            records: options.contacts,
            rough: Counter::default(),
            listings: Counter::default(),
        }
    }

    /// How many records there are in all tables of an account, before the dial is turned.
    fn records(&self, account: Account) -> u32 {
        match (account, self.records) {
            (Account::Empty, _) => 0,
            (_, Some(records)) => records,
            (Account::TenThousand, None) => TEN_THOUSAND,
            (_, None) => account.profile().items,
        }
    }

    /// Counts a request against the limits of its person and of its group.
    fn admit(&self, account: Account, group: Group, now: Instant) -> bool {
        let mut limits = self.limits();
        limits.admit(Group::User(account), now) && limits.admit(group, now)
    }

    fn lock(&self, group: Group, now: Instant) {
        self.limits().lock(group, now);
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// What an account has at Airtable by now.
    fn workspace(&self, account: Account) -> Workspace {
        let kind = Provider::Airtable.kinds()[0];
        let overlay = self.dial.overlay(Provider::Airtable, account, kind);
        Workspace::of(account, self.airtable.records(account), overlay)
    }
}

/// Everything Airtable answers.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/oauth2")
                .service(
                    web::resource("/v1/authorize")
                        .get(authorize::ask)
                        .post(authorize::decide),
                )
                .route("/v1/token", web::post().to(token::token))
                .default_service(web::to(unknown_route)),
        )
        .service(
            web::scope("/v0")
                .service(
                    web::scope("/meta")
                        .route("/whoami", web::get().to(meta::whoami))
                        .route("/bases", web::get().to(meta::bases))
                        .route("/bases/{base}/tables", web::get().to(meta::tables))
                        .default_service(web::to(unknown_route)),
                )
                .service(
                    // Old clients put a slash behind the table.
                    web::resource(["/{base}/{table}", "/{base}/{table}/"]).get(records::list),
                )
                .route(
                    "/{base}/{table}/listRecords",
                    web::post().to(records::list_by_post),
                )
                .route("/{base}/{table}/{record}", web::get().to(records::read))
                .default_service(web::to(unknown_route))
                .wrap(from_fn(faults::stumble))
                .wrap(from_fn(gate::gate)),
        );
}

async fn unknown_route() -> ApiError {
    errors::no_such_path()
}

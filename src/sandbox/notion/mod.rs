//! Notion's dialect: its paths, its shapes, its limits and its ways of failing.

mod app;
mod authorize;
mod block_objects;
mod blocks;
mod cases;
mod content;
mod cursor;
mod errors;
mod faults;
mod filter;
mod gate;
mod ids;
mod latest;
mod layout;
mod limits;
mod listing;
mod objects;
mod order;
mod properties;
mod query;
mod retrieve;
mod search;
mod titles;
mod token;
mod token_info;
mod users;
mod versions;
mod workspace;

#[cfg(test)]
mod testing;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::middleware::from_fn;
use actix_web::{Resource, Route, web};

use super::Options;
use super::accounts::Account;
use super::grants::Grants;
use super::tokens::Token;
use super::world::Counter;
use errors::ApiError;
use limits::Limits;

/// What a connection may do in the smaller plans.
const RATE: u32 = 180;
const WINDOW: Duration = Duration::from_secs(60);

/// What Notion's part of the sandbox remembers.
pub struct Notion {
    pub grants: Grants,
    limits: Mutex<Limits>,
    /// When the refresh tokens that were used up had been given out.
    spent: Mutex<HashSet<i64>>,
    /// When the access tokens that have searched before had been given out.
    searched: Mutex<HashSet<i64>>,
    /// Requests of the account that fails now and then.
    rough: Counter,
}

impl Notion {
    pub fn new(options: &Options) -> Notion {
        Notion {
            grants: Grants::new("notion", &options.client_secret, token::TOKEN_LIFE),
            limits: Mutex::new(Limits::new(
                options.rate.unwrap_or(RATE),
                options.window.unwrap_or(WINDOW),
            )),
            spent: Mutex::default(),
            searched: Mutex::default(),
            rough: Counter::default(),
        }
    }

    /// Counts a request of a connection against its limit; an error is how long to wait.
    fn admit(&self, account: Account) -> Result<(), Duration> {
        hold(&self.limits).admit(account, Instant::now())
    }

    /// Uses a refresh token up; says whether it was still good.
    fn spend(&self, token: &Token) -> bool {
        hold(&self.spent).insert(token.issued)
    }

    /// Notes that a token searches; says whether it does so for the first time.
    fn is_first_search(&self, token: &Token) -> bool {
        hold(&self.searched).insert(token.issued)
    }

    fn is_spent(&self, token: &Token) -> bool {
        hold(&self.spent).contains(&token.issued)
    }
}

/// A sandbox goes on after a panic in one request: what the lock guards is whole after every
/// statement.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything Notion answers.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/v1/oauth")
                .service(
                    path("/authorize", web::get().to(authorize::ask))
                        .route(web::post().to(authorize::decide)),
                )
                .service(path("/token", web::post().to(token::token)))
                .service(path("/introspect", web::post().to(token_info::introspect)))
                .service(path("/revoke", web::post().to(token_info::revoke)))
                .default_service(web::to(no_such_url)),
        )
        .service(
            web::scope("/v1")
                .service(path("/users/me", web::get().to(users::me)))
                .service(path("/users", web::get().to(users::everybody)))
                .service(path("/search", web::post().to(search::search)))
                .service(path("/pages/{id}", web::get().to(retrieve::page)))
                .service(path("/databases/{id}", web::get().to(retrieve::database)))
                .service(path("/data_sources/{id}", web::get().to(retrieve::source)))
                .service(path(
                    "/data_sources/{id}/query",
                    web::post().to(query::query),
                ))
                .service(path("/blocks/{id}", web::get().to(block_objects::one)))
                .service(path(
                    "/blocks/{id}/children",
                    web::get().to(block_objects::children),
                ))
                .default_service(web::to(no_such_url))
                .wrap(from_fn(faults::stumble))
                .wrap(from_fn(gate::weather)),
        );
}

/// A path that knows one method; to Notion the others make another path, which does not exist.
fn path(pattern: &str, route: Route) -> Resource {
    web::resource(pattern)
        .route(route)
        .default_service(web::to(no_such_url))
}

async fn no_such_url() -> ApiError {
    errors::invalid_url()
}

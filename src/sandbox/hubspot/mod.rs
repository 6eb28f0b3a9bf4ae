//! HubSpot's dialect: its paths, its shapes, its limits and its ways of failing.

mod account_info;
mod associations;
mod authorize;
mod cases;
mod errors;
mod faults;
mod fields;
mod gate;
mod kind;
mod limits;
mod links;
mod objects;
mod portal;
mod query;
mod record;
mod records;
mod scopes;
mod search;
mod token;
mod token_info;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, web};

use super::Options;
use super::accounts::Account;
use super::grants::Grants;
use super::world::Counter;
use errors::ApiError;
use limits::{Budget, Limits, Verdict};

/// How long an access token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(1800);

/// What HubSpot's part of the sandbox remembers.
pub struct HubSpot {
    pub grants: Grants,
    /// One for each budget.
    limits: [Mutex<Limits>; Budget::ALL.len()],
    /// Requests for records of the account that fails now and then.
    rough: Counter,
}

impl HubSpot {
    pub fn new(options: &Options) -> HubSpot {
        HubSpot {
            grants: Grants::new(
                "hubspot",
                &options.client_secret,
                options.token_life.unwrap_or(TOKEN_LIFE),
            ),
            limits: Budget::ALL.map(|budget| {
                Mutex::new(Limits::new(
                    options.rate.unwrap_or(budget.rate()),
                    options.window.unwrap_or(budget.window()),
                ))
            }),
            rough: Counter::default(),
        }
    }

    /// Counts a request of an account against one of its limits.
    fn admit(&self, budget: Budget, account: Account) -> Verdict {
        let limits = &self.limits[budget as usize];
        let mut limits = limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.admit(account, Instant::now())
    }
}

/// Everything HubSpot answers.
///
/// Dated versions are what HubSpot advises; the older spellings are still what most clients call,
/// and mean the same.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/oauth")
                .service(
                    web::resource(["/authorize", r"/{hub:\d+}/authorize"])
                        .get(authorize::ask)
                        .post(authorize::decide),
                )
                .route(
                    "/{v:2026-03|2026-09|v3|v1}/token",
                    web::post().to(token::token),
                )
                .route(
                    "/{v:2026-03|2026-09|v3}/token/introspect",
                    web::post().to(token_info::introspect),
                )
                .route(
                    "/{v:2026-03|2026-09|v3}/token/revoke",
                    web::post().to(token_info::revoke),
                )
                .route(
                    "/v1/access-tokens/{token}",
                    web::get().to(token_info::access_token),
                )
                .service(
                    web::resource("/v1/refresh-tokens/{token}")
                        .get(token_info::refresh_token)
                        .delete(token_info::delete_refresh_token),
                ),
        )
        .service(
            web::scope("/account-info")
                .route(
                    "/{v:2026-03|2026-09|v3}/details",
                    web::get().to(account_info::details),
                )
                .wrap(from_fn(gate::gate)),
        )
        .service(
            web::scope("/appinstalls")
                .route(
                    "/{v:2026-03|2026-09|v3}/external-install",
                    web::delete().to(token_info::uninstall),
                )
                .wrap(from_fn(gate::gate)),
        )
        .service(
            web::scope("/crm")
                .service(web::scope("/objects/{v:2026-03|2026-09}").configure(object_routes))
                .service(web::scope("/{v:v3|v4}/objects").configure(object_routes))
                .route(
                    "/associations/{v:2026-03|2026-09}/{kind}/{to}/batch/read",
                    web::post().to(associations::batch_read),
                )
                .route(
                    "/{v:v4}/associations/{kind}/{to}/batch/read",
                    web::post().to(associations::batch_read),
                )
                .wrap(from_fn(faults::stumble))
                .wrap(from_fn(gate::gate)),
        );
}

fn object_routes(config: &mut web::ServiceConfig) {
    config
        .route("/{kind}", web::get().to(objects::list))
        .route("/{kind}/batch/read", web::post().to(objects::batch_read))
        .route("/{kind}/search", web::post().to(search::search))
        .route("/{kind}/{id}", web::get().to(objects::read))
        .route(
            "/{kind}/{id}/associations/{to}",
            web::get().to(associations::list),
        );
}

/// The answer to a path nobody knows.
pub async fn unknown_route(request: HttpRequest) -> ApiError {
    errors::no_such_path(request.path())
}

//! HubSpot's dialect: its paths, its shapes, its limits and its ways of failing.

mod account_info;
mod authorize;
mod cases;
mod contact_data;
mod contacts;
mod errors;
mod faults;
mod gate;
mod limits;
mod portal;
mod record;
mod scopes;
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
use limits::{Limits, Verdict};

/// What HubSpot grants a marketplace app per installing account.
const RATE: u32 = 110;
const WINDOW: Duration = Duration::from_secs(10);

/// How long an access token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(1800);

/// What HubSpot's part of the sandbox remembers.
pub struct HubSpot {
    pub grants: Grants,
    limits: Mutex<Limits>,
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
            limits: Mutex::new(Limits::new(
                options.rate.unwrap_or(RATE),
                options.window.unwrap_or(WINDOW),
            )),
            rough: Counter::default(),
        }
    }

    /// Counts a request of an account against its limit.
    fn admit(&self, account: Account) -> Verdict {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
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
                .service(
                    web::scope("/objects/{v:2026-03|2026-09}/{kind:contacts|0-1}")
                        .configure(contact_routes),
                )
                .service(web::scope("/v3/objects/{kind:contacts|0-1}").configure(contact_routes))
                .wrap(from_fn(faults::stumble))
                .wrap(from_fn(gate::gate)),
        );
}

fn contact_routes(config: &mut web::ServiceConfig) {
    config
        .route("", web::get().to(contacts::list))
        .route("/batch/read", web::post().to(contacts::batch_read))
        .route("/{id}", web::get().to(contacts::read));
}

/// The answer to a path nobody knows.
pub async fn unknown_route(request: HttpRequest) -> ApiError {
    errors::no_such_path(request.path())
}

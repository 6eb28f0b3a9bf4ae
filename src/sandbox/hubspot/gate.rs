use std::future::{Ready, ready};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use chrono::Utc;

use super::errors::{self, ApiError};
use super::limits::{Budget, Verdict};
use super::portal::portal;
use super::token::read;
use crate::sandbox::dial::Provider;
use crate::sandbox::grants::Standing;
use crate::sandbox::mishap;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::World;

const MAX: HeaderName = HeaderName::from_static("x-hubspot-ratelimit-max");
const REMAINING: HeaderName = HeaderName::from_static("x-hubspot-ratelimit-remaining");
const INTERVAL: HeaderName = HeaderName::from_static("x-hubspot-ratelimit-interval-milliseconds");

/// Where whatever stands in front of the API gives up reading, such as after very many properties.
const LONGEST_QUERY: usize = 8_000;

/// Whoever a request was made for, as the gate let it through.
#[derive(Clone)]
pub struct Caller {
    pub token: Token,
}

impl Caller {
    /// Refuses what the person has not agreed to.
    pub fn must_have(&self, scope: &str) -> Result<(), ApiError> {
        if self.token.scopes.iter().any(|granted| granted == scope) {
            return Ok(());
        }
        let named = portal(self.token.account).names_scopes;
        Err(errors::missing_scope(named.then_some(scope)))
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get()
                .cloned()
                .ok_or_else(errors::no_credentials),
        )
    }
}

/// Stands before every API path: counts, asks for a good token, holds each account to its limit.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(world) = request.app_data::<web::Data<World>>().cloned() else {
        return Ok(request.into_response(errors::internal().error_response()));
    };
    world.calls.of(Provider::HubSpot).next();
    if request.query_string().len() > LONGEST_QUERY {
        return Ok(request.into_response(errors::too_long()));
    }
    let caller = match caller(&request, &world) {
        Ok(caller) => caller,
        Err(error) => return Ok(request.into_response(error.error_response())),
    };
    let budget = Budget::of(request.path());
    let verdict = world.hubspot.admit(budget, caller.token.account);
    let whose = (Provider::HubSpot, caller.token.account);
    request.extensions_mut().insert(caller);
    let refusal = errors::too_many(budget).error_response();
    let mut response = if verdict.admitted {
        // HubSpot does not tell how long to wait.
        mishap::answer(&world, whose, request, next, |_| refusal).await?
    } else {
        request.into_response(refusal)
    };
    if budget != Budget::Search {
        tell(&verdict, response.headers_mut());
    }
    Ok(response)
}

fn caller(request: &ServiceRequest, world: &World) -> Result<Caller, ApiError> {
    let (grants, now) = (&world.hubspot.grants, Utc::now());
    let token = bearer(request.headers())
        .and_then(|text| read(grants, text))
        .filter(|token| token.kind == Use::Access)
        .ok_or_else(errors::no_credentials)?;
    match grants.standing(&token, now) {
        Standing::Good => Ok(Caller { token }),
        Standing::Expired(at) => Err(errors::expired(at, now)),
        Standing::Revoked => Err(errors::no_credentials()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn tell(verdict: &Verdict, headers: &mut HeaderMap) {
    headers.insert(MAX, verdict.max.into());
    headers.insert(REMAINING, verdict.remaining.into());
    headers.insert(INTERVAL, HeaderValue::from(verdict.interval_ms));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::token::new_access_token;
    use crate::sandbox::Options;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::testing::{options, visit};

    const CONTACTS: &str = "/crm/objects/2026-09/contacts?limit=1";

    #[tokio::test]
    async fn without_a_good_token_there_is_no_answer() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("small").await;
        for bad in ["", "nonsense", &*refresh, &access[..access.len() - 1]] {
            let answer = visit.read(CONTACTS, bad).await;
            assert_eq!(answer.status, 401);
            assert_eq!(answer.json()["category"], "INVALID_AUTHENTICATION");
            assert!(answer.headers.contains_key("x-hubspot-auth-failure"));
        }
        assert_eq!(visit.get(CONTACTS).await.status, 401);
    }

    #[tokio::test]
    async fn an_expired_token_is_told_apart_and_a_refreshed_one_is_good() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("small").await;
        visit.sandbox.expire_access_tokens();
        let answer = visit.read(CONTACTS, &access).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["category"], "EXPIRED_AUTHENTICATION");
        assert!(
            answer.json()["context"]["expire time"][0]
                .as_str()
                .unwrap()
                .ends_with('Z')
        );
        let tokens = visit.refresh(&refresh).await.json();
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(visit.read(CONTACTS, access).await.status, 200);
    }

    #[tokio::test]
    async fn a_missing_scope_is_named() {
        let visit = visit(options());
        let grants = &visit.sandbox.world.hubspot.grants;
        let scopes = ["oauth".to_owned()];
        let access = new_access_token(grants, Account::Small, &scopes, chrono::Utc::now());
        let answer = visit.read(CONTACTS, &access).await;
        assert_eq!(answer.status, 403);
        let body = answer.json();
        assert_eq!(body["category"], "MISSING_SCOPES");
        let named = &body["errors"][0]["context"]["requiredGranularScopes"][0];
        assert_eq!(named, "crm.objects.contacts.read");
    }

    #[tokio::test]
    async fn one_account_does_not_say_which_scope_is_missing() {
        let visit = visit(options());
        let (access, _) = visit.connect("faults").await;
        let answer = visit.read("/crm/v3/objects/deals", &access).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json()["category"], "MISSING_SCOPES");
        assert_eq!(answer.json().get("errors"), None);
    }

    #[tokio::test]
    async fn an_endless_address_is_refused_in_html() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let path = format!("{CONTACTS}&properties={}", "name,".repeat(1_700));
        let answer = visit.read(&path, &access).await;
        assert_eq!(answer.status, 414);
        assert!(answer.header("content-type").starts_with("text/html"));
    }

    #[tokio::test]
    async fn the_limit_is_told_and_kept_for_each_account() {
        let window = Duration::from_secs(3600);
        let visit = visit(Options {
            rate: Some(2),
            window: Some(window),
            ..options()
        });
        let (access, _) = visit.connect("small").await;
        let first = visit.read(CONTACTS, &access).await;
        assert_eq!(first.header("x-hubspot-ratelimit-max"), "2");
        assert_eq!(first.header("x-hubspot-ratelimit-remaining"), "1");
        assert_eq!(
            first.header("x-hubspot-ratelimit-interval-milliseconds"),
            "3600000"
        );
        assert_eq!(visit.read(CONTACTS, &access).await.status, 200);
        let third = visit.read(CONTACTS, &access).await;
        assert_eq!(third.status, 429);
        assert_eq!(third.json()["policyName"], "TEN_SECONDLY_ROLLING");
        assert_eq!(third.json()["errorType"], "RATE_LIMIT");
        assert!(!third.headers.contains_key("retry-after"));
        let (other, _) = visit.connect("empty").await;
        assert_eq!(visit.read(CONTACTS, &other).await.status, 200);
        assert_eq!(visit.sandbox.calls(), 4);
    }

    #[tokio::test]
    async fn an_unknown_path_is_answered_in_json() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        for path in [
            "/crm/objects/2026-09/unicorns",
            "/no/such/path",
            "/oauth/nothing",
        ] {
            let answer = visit.read(path, &access).await;
            assert_eq!(answer.status, 404);
            assert_eq!(answer.json()["status"], "error");
        }
    }
}

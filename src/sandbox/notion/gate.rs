use std::future::{Ready, ready};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use chrono::Utc;

use super::errors::{self, ApiError, Limit};
use super::faults::Quirk;
use super::token::read;
use super::versions::Version;
use super::workspace::odd;
use crate::sandbox::accounts::Account;
use crate::sandbox::dial::Provider;
use crate::sandbox::grants::Standing;
use crate::sandbox::mishap;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::World;

/// Whoever a request was made for.
///
/// A handler that takes one is reached only by requests that may be answered. As it is taken after
/// the route is found and before the body is looked at, everything is checked in Notion's order:
/// address, token, limit, version, body.
pub struct Caller {
    pub account: Account,
    pub version: Version,
    /// Its scopes are the ways in which the connection is unlike the usual one.
    pub token: Token,
    /// What is odd about the answer to this one request.
    pub quirk: Option<Quirk>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, ApiError> {
    let world = request
        .app_data::<web::Data<World>>()
        .ok_or_else(errors::internal)?;
    let token = token(request, world)?;
    refuse_odd(&token.scopes)?;
    world.notion.admit(token.account).map_err(|wait| {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        errors::rate_limited(Limit::Connection, seconds)
    })?;
    Ok(Caller {
        account: token.account,
        version: version(request)?,
        token,
        quirk: request.extensions().get().copied(),
    })
}

/// Some connections are made to be refused.
fn refuse_odd(oddities: &[String]) -> Result<(), ApiError> {
    if odd::is(oddities, odd::BLOCKED) {
        return Err(errors::blocked());
    }
    if odd::is(oddities, odd::EXHAUSTED) {
        return Err(errors::rate_limited(Limit::Workspace, 3_600));
    }
    Ok(())
}

/// The good token that a request carries.
pub fn token(request: &HttpRequest, world: &World) -> Result<Token, ApiError> {
    let header = request.headers().get(AUTHORIZATION);
    let header = header.ok_or_else(errors::unauthorized)?;
    let (scheme, text) = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .ok_or_else(errors::not_a_bearer)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(errors::not_a_bearer());
    }
    read(&world.notion, text.trim())
        .filter(|token| token.kind == Use::Access)
        .filter(|token| world.notion.grants.standing(token, Utc::now()) == Standing::Good)
        .ok_or_else(errors::unauthorized)
}

fn version(request: &HttpRequest) -> Result<Version, ApiError> {
    let header = request.headers().get("notion-version");
    let given = header.map(|value| value.to_str().unwrap_or_default());
    given
        .and_then(Version::parse)
        .ok_or_else(|| errors::missing_version(given))
}

/// Stands before every path of the API: counts, and lets happen what the dial is turned to.
pub async fn weather(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(world) = request.app_data::<web::Data<World>>().cloned() else {
        return Ok(request.into_response(errors::internal().error_response()));
    };
    world.calls.of(Provider::Notion).next();
    // Without a good token the path itself says what is wrong.
    let Ok(token) = token(request.request(), &world) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let too_many = |seconds: Option<u64>| {
        errors::rate_limited(Limit::Connection, seconds.unwrap_or(1)).error_response()
    };
    let whose = (Provider::Notion, token.account);
    mishap::answer(&world, whose, request, next, too_many).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::notion::testing::{VERSION, notion, notion_with};
    use crate::sandbox::testing::{Answer, options};
    use crate::sandbox::{Fault, Span, Turn};

    const ME: &str = "/v1/users/me";

    fn code(answer: &Answer) -> String {
        let body = answer.json();
        assert_eq!(body["object"], "error");
        assert_eq!(body["status"], answer.status.as_u16());
        assert_eq!(body["request_id"], *answer.header("x-notion-request-id"));
        body["code"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn without_a_good_token_there_is_no_answer() {
        let notion = notion(options());
        let (access, refresh) = notion.connect("small").await;
        for bad in ["", "nonsense", &*refresh, &access[..access.len() - 1]] {
            let answer = notion.read(ME, bad).await;
            assert_eq!(answer.status, 401);
            assert_eq!(code(&answer), "unauthorized");
        }
        assert_eq!(notion.visit.get(ME).await.status, 401);
        let basic = [("authorization", "Basic eDp5".to_owned())];
        let answer = notion.with_headers("GET", ME, &basic, None).await.unwrap();
        assert_ne!(answer.json()["message"], "API token is invalid.");
    }

    #[tokio::test]
    async fn expired_and_revoked_look_the_same_and_only_the_first_can_be_refreshed() {
        let notion = notion(options());
        let (access, refresh) = notion.connect("small").await;
        let sandbox = &notion.visit.sandbox;
        sandbox.dial(Provider::Notion, Account::Small, Turn::ExpireTokens);
        assert_eq!(code(&notion.read(ME, &access).await), "unauthorized");
        let tokens = notion.refresh(&refresh).await.json();
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(notion.read(ME, access).await.status, 200);
        sandbox.dial(Provider::Notion, Account::Small, Turn::Revoke);
        assert_eq!(code(&notion.read(ME, access).await), "unauthorized");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(
            notion.refresh(refresh).await.json()["error"],
            "invalid_grant"
        );
    }

    #[tokio::test]
    async fn address_token_version_and_body_are_checked_in_this_order() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let token = |token: &str| ("authorization", format!("Bearer {token}"));
        let version = |version: &str| ("notion-version", version.to_owned());
        let ask = async |path: &str, headers: &[(&str, String)]| {
            let answer = notion.with_headers("POST", path, headers, Some("{")).await;
            code(&answer.unwrap())
        };
        let wrong = [token("x"), version("1999-01-01")];
        assert_eq!(ask("/v1/unicorns", &wrong).await, "invalid_request_url");
        assert_eq!(ask(ME, &wrong).await, "invalid_request_url");
        assert_eq!(ask("/v1/search", &wrong).await, "unauthorized");
        let right = [token(&access), version("1999-01-01")];
        assert_eq!(ask("/v1/search", &right).await, "missing_version");
        assert_eq!(ask("/v1/search", &right[..1]).await, "missing_version");
        let right = [token(&access), version(VERSION)];
        assert_eq!(ask("/v1/search", &right).await, "invalid_json");
    }

    #[tokio::test]
    async fn a_connection_has_so_many_requests_a_window() {
        let notion = notion_with(|options| {
            options.rate = Some(2);
            options.window = Some(Duration::from_secs(3600));
        });
        let (access, _) = notion.connect("small").await;
        for _ in 0..2 {
            assert_eq!(notion.read(ME, &access).await.status, 200);
        }
        let third = notion.read(ME, &access).await;
        assert_eq!(code(&third), "rate_limited");
        let wait: u64 = third.header("retry-after").parse().unwrap();
        assert!((3_500..=3_600).contains(&wait));
        let more = &third.json()["additional_data"];
        assert_eq!(more["retry_after"], wait.to_string());
        assert_eq!(more["rate_limit_reason"], "public_api_request_rate_limit");
        let (other, _) = notion.connect("empty").await;
        assert_eq!(notion.read(ME, &other).await.status, 200);
        assert_eq!(notion.visit.sandbox.calls_of(Provider::Notion), 4);
    }

    #[tokio::test]
    async fn a_test_can_ask_for_connections_that_are_refused() {
        let notion = notion(options());
        for (word, wait, reason) in [
            ("blocked", "", "public_api_request_blocked"),
            ("exhausted", "3600", "public_api_space_request_rate_limit"),
        ] {
            let tokens = notion.tokens("small", &[("sandbox", word)]).await;
            let access = tokens["access_token"].as_str().unwrap();
            let answer = notion.read(ME, access).await;
            assert_eq!(code(&answer), "rate_limited");
            assert_eq!(answer.header("retry-after"), wait);
            let more = &answer.json()["additional_data"];
            assert_eq!(more["rate_limit_reason"], reason);
        }
    }

    #[tokio::test]
    async fn the_dial_can_refuse_and_says_how_long() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let span = Span::Lasting(Duration::from_secs(60));
        let turn = Turn::Fail(Fault::TooMany, span);
        let sandbox = &notion.visit.sandbox;
        sandbox.dial(Provider::Notion, Account::Small, turn);
        let answer = notion.read(ME, &access).await;
        assert_eq!(code(&answer), "rate_limited");
        assert!(["59", "60"].contains(&answer.header("retry-after")));
        sandbox.dial(Provider::Notion, Account::Small, Turn::Calm);
        assert_eq!(notion.read(ME, &access).await.status, 200);
    }
}

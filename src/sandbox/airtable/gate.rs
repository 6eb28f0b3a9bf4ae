use std::future::{Ready, ready};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use chrono::Utc;

use super::errors::{self, ApiError};
use super::limits::Group;
use super::token::read;
use crate::sandbox::accounts::Account;
use crate::sandbox::dial::Provider;
use crate::sandbox::grants::Standing;
use crate::sandbox::mishap;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::World;

/// Whoever a request was made for, as the gate let it through.
#[derive(Clone)]
pub struct Caller {
    pub token: Token,
    /// What the request counts for, beside its person.
    pub group: Group,
}

impl Caller {
    /// Refuses what the person has not agreed to; which scope is missing is not told.
    pub fn must_have(&self, scope: &str) -> Result<(), ApiError> {
        if self.token.scopes.iter().any(|granted| granted == scope) {
            return Ok(());
        }
        Err(errors::not_permitted())
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get().cloned();
        ready(caller.ok_or_else(errors::no_token))
    }
}

/// Stands before every API path: counts, asks for a good token, holds each base and each person to
/// their limits.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(world) = request.app_data::<web::Data<World>>().cloned() else {
        return Ok(request.into_response(errors::internal().error_response()));
    };
    world.calls.of(Provider::Airtable).next();
    let caller = match caller(&request, &world) {
        Ok(caller) => caller,
        Err(error) => return Ok(request.into_response(error.error_response())),
    };
    let account = caller.token.account;
    if !world
        .airtable
        .admit(account, caller.group.clone(), Instant::now())
    {
        return Ok(request.into_response(errors::too_many().error_response()));
    }
    request.extensions_mut().insert(caller);
    // Airtable does not tell how long to wait.
    let too_many = |_| errors::too_many().error_response();
    let whose = (Provider::Airtable, account);
    mishap::answer(&world, whose, request, next, too_many).await
}

fn caller(request: &ServiceRequest, world: &World) -> Result<Caller, ApiError> {
    let airtable = &world.airtable;
    let text = bearer(request.headers()).ok_or_else(errors::no_token)?;
    let token = read(&airtable.grants, text)
        .filter(|token| token.kind == Use::Access)
        .filter(|token| airtable.grants.standing(token, Utc::now()) == Standing::Good)
        .filter(|token| !airtable.rotation.is_replaced(token.issued))
        .ok_or_else(errors::bad_token)?;
    let group = group(token.account, request.path());
    Ok(Caller { token, group })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Questions about bases are counted together, questions to a base by base.
fn group(account: Account, path: &str) -> Group {
    match path.split('/').nth(2) {
        Some(base) if base != "meta" => Group::Base(account, base.to_owned()),
        _ => Group::Metadata(account),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{connect, connect_with, first_table, refresh};
    use crate::sandbox::testing::{options, visit};
    use crate::sandbox::{Account, Fault, Options, Provider, Span, Turn};

    const WHOAMI: &str = "/v0/meta/whoami";
    const BASES: &str = "/v0/meta/bases";

    #[tokio::test]
    async fn without_a_good_token_there_is_no_answer() {
        let visit = visit(options());
        let (access, refresh_token) = connect(&visit, "small").await;
        let (hubspots, _) = visit.connect("small").await;
        for bad in [
            "nonsense",
            &*refresh_token,
            &access[..access.len() - 1],
            &hubspots,
        ] {
            let answer = visit.read(WHOAMI, bad).await;
            assert_eq!(answer.status, 401);
            assert_eq!(answer.json()["error"]["type"], "UNAUTHORIZED");
        }
        let answer = visit.get(WHOAMI).await;
        assert_eq!(answer.json()["error"]["type"], "AUTHENTICATION_REQUIRED");
        assert_eq!(answer.status, 401);
    }

    #[tokio::test]
    async fn an_expired_token_is_not_told_apart_and_a_refreshed_one_is_good() {
        let visit = visit(options());
        let (access, refresh_token) = connect(&visit, "small").await;
        visit.sandbox.expire_access_tokens();
        let answer = visit.read(WHOAMI, &access).await;
        assert_eq!(answer.json()["error"]["type"], "UNAUTHORIZED");
        let tokens = refresh(&visit, &refresh_token).await.json();
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(visit.read(WHOAMI, access).await.status, 200);
    }

    #[tokio::test]
    async fn a_missing_scope_is_refused_without_being_named() {
        let visit = visit(options());
        let access = connect_with(&visit, "small", "user.email:read").await;
        let answer = visit.read(BASES, &access).await;
        assert_eq!(answer.status, 403);
        let error = &answer.json()["error"];
        assert_eq!(error["type"], "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND");
        assert!(!error["message"].as_str().unwrap().contains("schema"));
        let who = visit.read(WHOAMI, &access).await.json();
        assert_eq!(who["scopes"], serde_json::json!(["user.email:read"]));
    }

    #[tokio::test]
    async fn one_request_too_many_locks_a_base_and_no_other() {
        let visit = visit(Options {
            rate: Some(2),
            window: Some(Duration::from_secs(3600)),
            ..options()
        });
        let (access, _) = connect(&visit, "small").await;
        let (base, table) = first_table(&visit, &access).await;
        let list = format!("/v0/{base}/{table}?pageSize=1");
        for status in [200, 200, 429] {
            assert_eq!(visit.read(&list, &access).await.status, status);
        }
        let answer = visit.read(&list, &access).await;
        assert_eq!(answer.json()["error"]["type"], "RATE_LIMIT_REACHED");
        assert!(!answer.headers.contains_key("retry-after"));
        let elsewhere = "/v0/app00000000000000/tbl00000000000000";
        assert_eq!(visit.read(elsewhere, &access).await.status, 403);
    }

    #[tokio::test]
    async fn the_dial_is_obeyed() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let turn = Turn::Fail(Fault::TooMany, Span::Requests(1));
        visit.sandbox.dial(Provider::Airtable, Account::Small, turn);
        let answer = visit.read(WHOAMI, &access).await;
        assert_eq!(answer.json()["error"]["type"], "RATE_LIMIT_REACHED");
        assert_eq!(visit.read(WHOAMI, &access).await.status, 200);
        assert_eq!(visit.sandbox.calls_of(Provider::Airtable), 2);
    }

    #[tokio::test]
    async fn an_unknown_path_is_answered_in_json() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        for path in [
            "/v0/meta/nothing",
            "/v0/",
            "/v0/a/b/c/d",
            "/oauth2/v2/token",
        ] {
            let answer = visit.read(path, &access).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(answer.json()["error"]["type"], "NOT_FOUND");
        }
    }
}

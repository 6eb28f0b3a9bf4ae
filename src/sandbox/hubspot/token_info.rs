use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::errors::{self, ApiError};
use super::gate::Caller;
use super::portal::{APP_ID, portal};
use super::token::{form_of_client, read};
use crate::sandbox::grants::Standing;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::World;

/// Says what a token is, to the app it belongs to.
pub async fn introspect(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let form = form_of_client(&request, &body, &world.client)?;
    let now = Utc::now();
    let mut facts = json!({ "active": false });
    if let Some(token) = good_token(&world, form.get("token").unwrap_or_default(), now) {
        facts = about(&world, &token, now);
        facts["active"] = true.into();
        facts["token_use"] = token_use(&token).into();
    }
    Ok(HttpResponse::Ok().json(facts))
}

/// Revokes the refresh tokens of an account. An access token stays good until it expires, and a
/// second installation of the same account falls with the first: both as at HubSpot. A token nobody
/// knows is no error (RFC 7009).
pub async fn revoke(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let form = form_of_client(&request, &body, &world.client)?;
    let now = Utc::now();
    if let Some(token) = refresh_token_in(&world, form.get("token").unwrap_or_default(), now) {
        world.hubspot.grants.revoke_refresh(token.account, now);
    }
    Ok(HttpResponse::Ok().finish())
}

/// The older way to ask about an access token.
pub async fn access_token(
    world: web::Data<World>,
    text: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let now = Utc::now();
    let token = good_token(&world, &text, now)
        .filter(|token| token.kind == Use::Access)
        .ok_or_else(errors::no_such_object)?;
    Ok(HttpResponse::Ok().json(with_token(about(&world, &token, now), &text)))
}

/// The older way to ask about a refresh token.
pub async fn refresh_token(
    world: web::Data<World>,
    text: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let now = Utc::now();
    let token = refresh_token_in(&world, &text, now).ok_or_else(errors::no_such_object)?;
    Ok(HttpResponse::Ok().json(with_token(about(&world, &token, now), &text)))
}

/// The older way to revoke.
pub async fn delete_refresh_token(
    world: web::Data<World>,
    text: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let now = Utc::now();
    let token = refresh_token_in(&world, &text, now).ok_or_else(errors::no_such_object)?;
    world.hubspot.grants.revoke_refresh(token.account, now);
    Ok(HttpResponse::NoContent().finish())
}

/// Removes the app from the account, with everything it was given.
pub async fn uninstall(world: web::Data<World>, caller: Caller) -> HttpResponse {
    world.hubspot.grants.end(caller.token.account, Utc::now());
    HttpResponse::NoContent().finish()
}

fn good_token(world: &World, text: &str, now: DateTime<Utc>) -> Option<Token> {
    let grants = &world.hubspot.grants;
    read(grants, text).filter(|token| grants.standing(token, now) == Standing::Good)
}

fn refresh_token_in(world: &World, text: &str, now: DateTime<Utc>) -> Option<Token> {
    good_token(world, text, now).filter(|token| token.kind == Use::Refresh)
}

fn about(world: &World, token: &Token, now: DateTime<Utc>) -> Value {
    let (portal, profile) = (portal(token.account), token.account.profile());
    let mut facts = json!({
        "hub_id": portal.hub_id,
        "user_id": portal.user_id,
        "user": profile.email,
        "hub_domain": profile.domain,
        "client_id": world.client.id,
        "app_id": APP_ID,
        "scopes": token.scopes,
        "token_type": match token.kind { Use::Access => "access", Use::Refresh => "refresh" },
    });
    if let Some(expires) = token.expires {
        facts["expires_in"] = ((expires - now.timestamp_micros()) / 1_000_000).into();
        facts["signed_access_token"] = json!({
            "hublet": portal.hublet,
            "hubId": portal.hub_id,
            "userId": portal.user_id,
            "appId": APP_ID,
            "expiresAt": expires / 1_000,
        });
    }
    facts
}

fn token_use(token: &Token) -> &'static str {
    match token.kind {
        Use::Access => "access_token",
        Use::Refresh => "refresh_token",
    }
}

fn with_token(mut facts: Value, text: &str) -> Value {
    facts["token"] = text.into();
    facts
}

#[cfg(test)]
mod tests {
    use crate::sandbox::testing::{Visit, options, visit};
    use serde_json::Value;

    const DETAILS: &str = "/account-info/2026-09/details";

    async fn introspect(visit: &Visit, token: &str) -> Value {
        visit
            .post_as_app("/oauth/2026-09/token/introspect", &[("token", token)])
            .await
            .json()
    }

    #[tokio::test]
    async fn introspection_tells_whose_token_it_is() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("10k").await;
        let facts = introspect(&visit, &access).await;
        assert_eq!(facts["active"], true);
        assert_eq!(facts["hub_id"], 146_310_442);
        assert_eq!(facts["user"], "tomas@harbour.example");
        assert_eq!(facts["token_use"], "access_token");
        assert_eq!(facts["signed_access_token"]["hublet"], "eu1");
        assert!(facts["expires_in"].as_i64().unwrap() > 1_700);
        assert_eq!(
            introspect(&visit, &refresh).await["token_use"],
            "refresh_token"
        );
    }

    #[tokio::test]
    async fn introspection_of_an_unknown_token_says_inactive_and_no_more() {
        let visit = visit(options());
        assert_eq!(
            introspect(&visit, "CPexnothing").await,
            serde_json::json!({ "active": false })
        );
        let path = "/oauth/2026-09/token/introspect";
        assert_eq!(visit.post(path, &[("token", "x")]).await.status, 400);
    }

    #[tokio::test]
    async fn a_revoked_grant_cannot_be_refreshed_but_its_access_token_lives_on() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("small").await;
        let answer = visit
            .post_as_app("/oauth/2026-09/token/revoke", &[("token", &refresh)])
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            visit.refresh(&refresh).await.json()["status"],
            "BAD_REFRESH_TOKEN"
        );
        assert_eq!(introspect(&visit, &refresh).await["active"], false);
        assert_eq!(visit.read(DETAILS, &access).await.status, 200);
        let (_, again) = visit.connect("small").await;
        assert_eq!(visit.refresh(&again).await.status, 200);
    }

    #[tokio::test]
    async fn the_older_paths_tell_and_revoke() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("small").await;
        let about = visit
            .get(&format!("/oauth/v1/access-tokens/{access}"))
            .await
            .json();
        assert_eq!(about["hub_domain"], "smalloffice.example");
        assert_eq!(about["token"], *access);
        let path = format!("/oauth/v1/refresh-tokens/{refresh}");
        assert_eq!(visit.get(&path).await.json()["token_type"], "refresh");
        assert_eq!(visit.delete(&path).await.status, 204);
        assert_eq!(visit.get(&path).await.status, 404);
    }

    #[tokio::test]
    async fn uninstalling_ends_everything_until_the_next_consent() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("small").await;
        let path = "/appinstalls/2026-09/external-install";
        assert_eq!(visit.uninstall(path, &access).await.status, 204);
        assert_eq!(visit.read(DETAILS, &access).await.status, 401);
        assert_eq!(visit.refresh(&refresh).await.status, 400);
        let (access, _) = visit.connect("small").await;
        assert_eq!(visit.read(DETAILS, &access).await.status, 200);
    }

    #[tokio::test]
    async fn every_grant_can_be_ended_from_within() {
        let visit = visit(options());
        let (access, refresh) = visit.connect("empty").await;
        visit.sandbox.revoke_all();
        assert_eq!(visit.read(DETAILS, &access).await.status, 401);
        assert_eq!(visit.refresh(&refresh).await.status, 400);
    }
}

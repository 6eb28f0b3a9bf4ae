use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::errors::{ApiError, correlation_id};
use super::portal::{Renewal, portal};
use crate::sandbox::accounts::Account;
use crate::sandbox::grants::{Consent, Grants, Standing};
use crate::sandbox::params::Params;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::{Client, World};

/// What HubSpot's access tokens begin with.
const ACCESS_PREFIX: &str = "CPex";

/// Exchanges a code or a refresh token for an access token.
pub async fn token(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    world.token_requests.next();
    let form = form_of_client(&request, &body, &world.client)?;
    let now = Utc::now();
    match form.get("grant_type") {
        Some("authorization_code") => exchange(&world.hubspot.grants, &form, now),
        Some("refresh_token") => refresh(&world.hubspot.grants, &form, now),
        _ => Err(refusal(
            "unsupported_grant_type",
            "BAD_GRANT_TYPE",
            "missing or unknown grant type",
        )),
    }
}

/// The form of a request that the registered app made, with its credentials where they belong: in
/// the body.
pub fn form_of_client(
    request: &HttpRequest,
    body: &[u8],
    client: &Client,
) -> Result<Params, ApiError> {
    check_place(request)?;
    let form = Params::parse(body);
    if !same(form.get("client_id"), &client.id) {
        return Err(refusal(
            "invalid_client",
            "BAD_CLIENT_ID",
            "missing or unknown client id",
        ));
    }
    if !same(form.get("client_secret"), &client.secret) {
        return Err(refusal(
            "invalid_client",
            "BAD_CLIENT_SECRET",
            "missing or invalid client secret",
        ));
    }
    Ok(form)
}

/// A genuine token of HubSpot's, whichever kind, used up or not.
pub fn read(grants: &Grants, text: &str) -> Option<Token> {
    let (prefix, sealed) = text.split_at_checked(ACCESS_PREFIX.len())?;
    let token = grants.read(sealed)?;
    (prefix == prefix_of(&token)).then_some(token)
}

/// A new access token as HubSpot spells it.
pub fn new_access_token(
    grants: &Grants,
    account: Account,
    scopes: &[String],
    now: DateTime<Utc>,
) -> String {
    format!("{ACCESS_PREFIX}{}", grants.access(account, scopes, now))
}

fn prefix_of(token: &Token) -> String {
    match token.kind {
        Use::Access => ACCESS_PREFIX.to_owned(),
        Use::Refresh => portal(token.account).prefix(),
    }
}

/// Addresses end up in logs, so the newer endpoints take nothing from them.
fn check_place(request: &HttpRequest) -> Result<(), ApiError> {
    if !request.query_string().is_empty() {
        return Err(refusal(
            "invalid_request",
            "BAD_REQUEST",
            "parameters must be sent in the request body, not in the query",
        ));
    }
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !kind
        .unwrap_or_default()
        .starts_with("application/x-www-form-urlencoded")
    {
        let mut error = refusal("invalid_request", "BAD_REQUEST", "unsupported media type");
        error.status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(error);
    }
    Ok(())
}

fn exchange(grants: &Grants, form: &Params, now: DateTime<Utc>) -> Result<HttpResponse, ApiError> {
    let code = form.get("code").unwrap_or_default();
    let consent = grants.fetch(code, now).ok_or_else(|| {
        refusal(
            "invalid_grant",
            "BAD_AUTH_CODE",
            "missing or unknown auth code",
        )
    })?;
    if form.get("redirect_uri") != Some(consent.redirect_uri.as_str()) {
        return Err(older_refusal(
            "MISMATCH_REDIRECT_URI_AUTH_CODE",
            "redirect URI does not match the one the auth code was made for",
        ));
    }
    check_verifier(&consent, form)?;
    let Consent {
        account, scopes, ..
    } = consent;
    let refresh_token = new_refresh_token(grants, account, &scopes, now);
    let answer = answer(grants, account, &scopes, now);
    Ok(with_refresh_token(answer, Some(&refresh_token)))
}

/// RFC 7636: a code asked for with a challenge is worth nothing without the verifier.
fn check_verifier(consent: &Consent, form: &Params) -> Result<(), ApiError> {
    let Some(challenge) = &consent.challenge else {
        return Ok(());
    };
    let verifier = form.get("code_verifier").unwrap_or_default();
    if same(
        Some(&URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))),
        challenge,
    ) {
        return Ok(());
    }
    Err(older_refusal(
        "BAD_CODE_VERIFIER",
        "missing or invalid code verifier",
    ))
}

fn refresh(grants: &Grants, form: &Params, now: DateTime<Utc>) -> Result<HttpResponse, ApiError> {
    let text = form.get("refresh_token").unwrap_or_default();
    let token = read(grants, text)
        .filter(|token| token.kind == Use::Refresh)
        .filter(|token| grants.standing(token, now) == Standing::Good)
        .ok_or_else(|| {
            refusal(
                "invalid_grant",
                "BAD_REFRESH_TOKEN",
                "refresh token is invalid, expired or revoked",
            )
        })?;
    let answer = answer(grants, token.account, &token.scopes, now);
    let newer = new_refresh_token(grants, token.account, &token.scopes, now);
    let told = match portal(token.account).renewal {
        Renewal::Same => Some(text),
        Renewal::New => Some(newer.as_str()),
        Renewal::Unsaid => None,
    };
    Ok(with_refresh_token(answer, told))
}

fn new_refresh_token(
    grants: &Grants,
    account: Account,
    scopes: &[String],
    now: DateTime<Utc>,
) -> String {
    let prefix = portal(account).prefix();
    format!("{prefix}{}", grants.refresh(account, scopes, now))
}

fn answer(grants: &Grants, account: Account, scopes: &[String], now: DateTime<Utc>) -> Value {
    let portal = portal(account);
    json!({
        "token_type": "bearer",
        "access_token": new_access_token(grants, account, scopes, now),
        "expires_in": grants.token_life().as_secs(),
        "hub_id": portal.hub_id,
        "user_id": portal.user_id,
        "scopes": scopes,
        "token_use": "access_token",
    })
}

fn with_refresh_token(mut answer: Value, refresh_token: Option<&str>) -> HttpResponse {
    if let Some(refresh_token) = refresh_token {
        answer["refresh_token"] = refresh_token.into();
    }
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(answer)
}

/// A refusal in the words of RFC 6749 and in HubSpot's own.
fn refusal(error: &str, status: &str, message: &str) -> ApiError {
    ApiError {
        status: StatusCode::BAD_REQUEST,
        body: json!({
            "error": error,
            "error_description": message,
            "status": status,
            "message": message,
        }),
    }
}

/// A refusal in HubSpot's words alone, as it still makes some.
fn older_refusal(status: &str, message: &str) -> ApiError {
    ApiError {
        status: StatusCode::BAD_REQUEST,
        body: json!({
            "status": status,
            "message": message,
            "correlationId": correlation_id(),
        }),
    }
}

fn same(given: Option<&str>, wanted: &str) -> bool {
    given.is_some_and(|given| given.as_bytes().ct_eq(wanted.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::testing::{
        Answer, CLIENT, REDIRECT, SECRET, Visit, options, parameter, visit,
    };

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // RFC 7636, appendix B

    fn assert_refused(answer: &Answer, status: &str, error: Option<&str>) {
        assert_eq!(answer.status, 400);
        let body = answer.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["error"].as_str(), error);
        assert!(body["message"].is_string());
    }

    async fn code_with_challenge(visit: &Visit) -> String {
        let more = [
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        parameter(&visit.approve("small", &more).await, "code").unwrap()
    }

    #[tokio::test]
    async fn a_code_is_exchanged_for_tokens_and_what_they_are_for() {
        let visit = visit(options());
        let answer = visit.exchange(&visit.code("small").await, &[]).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        assert!(body["access_token"].as_str().unwrap().starts_with("CPex"));
        assert!(body["access_token"].as_str().unwrap().len() > 300);
        assert!(body["refresh_token"].as_str().unwrap().starts_with("na1-"));
        assert_eq!(body["token_type"], "bearer");
        assert_eq!(body["token_use"], "access_token");
        assert_eq!(body["expires_in"], 1800);
        assert_eq!(body["hub_id"], 48_213_377);
        assert_eq!(body["user_id"], 61_220_418);
        assert_eq!(
            body["scopes"],
            json!(["oauth", "crm.objects.contacts.read"])
        );
    }

    #[tokio::test]
    async fn every_version_of_the_endpoint_answers_alike() {
        let visit = visit(options());
        let (_, refresh_token) = visit.connect("small").await;
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &*refresh_token),
        ];
        for version in ["2026-03", "2026-09", "v3", "v1"] {
            let answer = visit
                .post_as_app(&format!("/oauth/{version}/token"), &fields)
                .await;
            assert_eq!(answer.status, 200);
        }
        assert_eq!(
            visit.post_as_app("/oauth/v2/token", &fields).await.status,
            404
        );
        assert_eq!(visit.sandbox.token_requests(), 5);
    }

    #[tokio::test]
    async fn a_code_works_once() {
        let visit = visit(options());
        let code = visit.code("small").await;
        assert_eq!(visit.exchange(&code, &[]).await.status, 200);
        let again = visit.exchange(&code, &[]).await;
        assert_refused(&again, "BAD_AUTH_CODE", Some("invalid_grant"));
    }

    #[tokio::test]
    async fn a_code_is_worth_nothing_at_another_address() {
        let visit = visit(options());
        let code = visit.code("small").await;
        let answer = visit
            .exchange(&code, &[("redirect_uri", "http://localhost/")])
            .await;
        assert_refused(&answer, "MISMATCH_REDIRECT_URI_AUTH_CODE", None);
    }

    #[tokio::test]
    async fn a_code_asked_for_with_a_challenge_needs_the_verifier() {
        let visit = visit(options());
        let code = code_with_challenge(&visit).await;
        assert_eq!(
            visit
                .exchange(&code, &[("code_verifier", VERIFIER)])
                .await
                .status,
            200
        );
        for more in [&[("code_verifier", "wrong")][..], &[]] {
            let code = code_with_challenge(&visit).await;
            let answer = visit.exchange(&code, more).await;
            assert_refused(&answer, "BAD_CODE_VERIFIER", None);
        }
    }

    #[tokio::test]
    async fn credentials_count_in_the_body_alone() {
        let visit = visit(options());
        let code = visit.code("small").await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT),
        ];
        let answer = visit.post("/oauth/2026-09/token", &fields).await;
        assert_refused(&answer, "BAD_CLIENT_ID", Some("invalid_client"));
        let in_query = format!("/oauth/2026-09/token?client_id={CLIENT}&client_secret={SECRET}");
        assert_refused(
            &visit.post(&in_query, &fields).await,
            "BAD_REQUEST",
            Some("invalid_request"),
        );
        let wrong = [
            &fields[..],
            &[("client_id", CLIENT), ("client_secret", "guess")],
        ]
        .concat();
        let answer = visit.post("/oauth/2026-09/token", &wrong).await;
        assert_refused(&answer, "BAD_CLIENT_SECRET", Some("invalid_client"));
        // None of this used the code up.
        assert_eq!(visit.exchange(&code, &[]).await.status, 200);
    }

    #[tokio::test]
    async fn refreshing_keeps_the_refresh_token_and_brings_a_new_access_token() {
        let visit = visit(options());
        let (access, refresh_token) = visit.connect("faults").await;
        let body = visit.refresh(&refresh_token).await.json();
        assert_eq!(body["refresh_token"], *refresh_token);
        assert_ne!(body["access_token"], *access);
        assert_eq!(body["hub_id"], 20_777_305);
    }

    #[tokio::test]
    async fn one_account_leaves_the_refresh_token_unsaid_and_one_gives_a_new_one() {
        let visit = visit(options());
        let (_, quiet) = visit.connect("10k").await;
        let body = visit.refresh(&quiet).await.json();
        assert_eq!(body.get("refresh_token"), None);
        assert_eq!(visit.refresh(&quiet).await.status, 200);
        let (_, older) = visit.connect("100k").await;
        let body = visit.refresh(&older).await.json();
        let newer = body["refresh_token"].as_str().unwrap();
        assert_ne!(newer, older);
        assert_eq!(visit.refresh(newer).await.status, 200);
    }

    #[tokio::test]
    async fn only_a_refresh_token_of_this_client_can_be_refreshed() {
        let visit = visit(options());
        let (access, refresh_token) = visit.connect("small").await;
        let cut = &refresh_token[..refresh_token.len() - 2];
        for bad in [&*access, cut, "", "na1-4c1f"] {
            let answer = visit.refresh(bad).await;
            assert_refused(&answer, "BAD_REFRESH_TOKEN", Some("invalid_grant"));
        }
    }

    #[tokio::test]
    async fn an_unknown_grant_type_is_refused() {
        let visit = visit(options());
        let answer = visit
            .post_as_app("/oauth/v3/token", &[("grant_type", "password")])
            .await;
        assert_refused(&answer, "BAD_GRANT_TYPE", Some("unsupported_grant_type"));
    }

    #[tokio::test]
    async fn tokens_are_good_in_the_next_sandbox_too() {
        let first = visit(options());
        let (access, refresh_token) = first.connect("small").await;
        first.sandbox.stop().await;
        let second = visit(options());
        assert_eq!(second.refresh(&refresh_token).await.status, 200);
        assert_eq!(
            second
                .read("/account-info/2026-09/details", &access)
                .await
                .status,
            200
        );
    }
}

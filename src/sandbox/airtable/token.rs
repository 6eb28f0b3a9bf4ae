use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Airtable;
use super::errors::ApiError;
use super::rotation::Worth;
use crate::sandbox::accounts::Account;
use crate::sandbox::grants::{Consent, Grants, Standing};
use crate::sandbox::params::Params;
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::{Client, World};

const ACCESS_PREFIX: &str = "oaa1.v1.";
const REFRESH_PREFIX: &str = "oar1.v1.";

/// Airtable's documentation writes the type with a blank behind it.
const TOKEN_TYPE: &str = "Bearer ";

/// Sixty days.
const REFRESH_LIFE: TimeDelta = TimeDelta::days(60);

/// Every parameter that may stand in a token request.
const PARAMETERS: [&str; 7] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "client_id",
    "refresh_token",
    "scope",
];

/// Exchanges a code or a refresh token for new tokens.
pub async fn token(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    world.token_requests.next();
    check_client(&request, &world.client)?;
    let form = form(&request, &body, &world.client)?;
    let now = Utc::now();
    match form.get("grant_type") {
        Some("authorization_code") => exchange(&world.airtable, &form, now),
        Some("refresh_token") => refresh(&world.airtable, &form, now),
        Some(_) => Err(refusal("unsupported_grant_type", "unknown grant_type")),
        None => Err(refusal("invalid_request", "grant_type is missing")),
    }
}

/// A genuine token of Airtable's, whichever kind, used up or not.
pub fn read(grants: &Grants, text: &str) -> Option<Token> {
    let (prefix, sealed) = text.split_at_checked(ACCESS_PREFIX.len())?;
    let token = grants.read(sealed)?;
    let right = match token.kind {
        Use::Access => ACCESS_PREFIX,
        Use::Refresh => REFRESH_PREFIX,
    };
    (prefix == right).then_some(token)
}

/// The app has a secret, and shows it in the header alone.
fn check_client(request: &HttpRequest, client: &Client) -> Result<(), ApiError> {
    let header = request.headers().get(AUTHORIZATION);
    let given = header.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let wanted = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    if same(given.unwrap_or_default(), &wanted) {
        return Ok(());
    }
    Err(invalid_client("missing or wrong client credentials"))
}

fn form(request: &HttpRequest, body: &[u8], client: &Client) -> Result<Params, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refusal("invalid_request", "the body must be a form"));
    }
    let form = Params::parse(body);
    if form.has_repeated() {
        return Err(refusal("invalid_request", "a parameter was repeated"));
    }
    if form.names().any(|name| !PARAMETERS.contains(&name)) {
        return Err(refusal(
            "invalid_request",
            "an unsupported parameter was sent",
        ));
    }
    match form.get("client_id") {
        Some(id) if id != client.id => Err(invalid_client("client_id is another client's")),
        _ => Ok(form),
    }
}

fn exchange(
    airtable: &Airtable,
    form: &Params,
    now: DateTime<Utc>,
) -> Result<HttpResponse, ApiError> {
    // Whatever else is wrong, the code is spent by this.
    let consent = airtable.grants.fetch(wanted(form, "code")?, now);
    let redirect_uri = wanted(form, "redirect_uri")?;
    let verifier = wanted(form, "code_verifier")?;
    let consent = consent.ok_or_else(|| invalid_grant("the code is unknown, used or expired"))?;
    if redirect_uri != consent.redirect_uri {
        return Err(invalid_grant(
            "redirect_uri is not the one the code was made for",
        ));
    }
    check_verifier(&consent, verifier)?;
    Ok(answer(airtable, consent.account, &consent.scopes, now))
}

/// RFC 7636.
fn check_verifier(consent: &Consent, verifier: &str) -> Result<(), ApiError> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    if same(&challenge, consent.challenge.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    Err(invalid_grant("code_verifier does not belong to the code"))
}

fn refresh(
    airtable: &Airtable,
    form: &Params,
    now: DateTime<Utc>,
) -> Result<HttpResponse, ApiError> {
    let token = read(&airtable.grants, wanted(form, "refresh_token")?)
        .filter(|token| token.kind == Use::Refresh)
        .filter(|token| is_young(token, now))
        .filter(|token| airtable.grants.standing(token, now) == Standing::Good)
        .ok_or_else(|| invalid_grant("the refresh token is invalid, expired or revoked"))?;
    let scopes = narrowed(&token, &form.words("scope"))?;
    match airtable.rotation.spend(token.issued, now) {
        Worth::Good => Ok(answer(airtable, token.account, &scopes, now)),
        // Which of the two answers comes is not told by Airtable; the rough account has this one.
        Worth::JustSpent if token.account == Account::Faults => Err(refreshed_just_now()),
        Worth::JustSpent | Worth::Spent => Err(invalid_grant("the refresh token was used before")),
    }
}

fn is_young(token: &Token, now: DateTime<Utc>) -> bool {
    let issued = DateTime::from_timestamp_micros(token.issued).unwrap_or_default();
    issued + REFRESH_LIFE > now
}

/// A refresh may ask for fewer scopes, never for others.
fn narrowed(token: &Token, asked: &[String]) -> Result<Vec<String>, ApiError> {
    if asked.is_empty() {
        return Ok(token.scopes.clone());
    }
    match asked.iter().all(|scope| token.scopes.contains(scope)) {
        true => Ok(asked.to_vec()),
        false => Err(refusal("invalid_scope", "a scope was never granted")),
    }
}

fn answer(
    airtable: &Airtable,
    account: Account,
    scopes: &[String],
    now: DateTime<Utc>,
) -> HttpResponse {
    let grants = &airtable.grants;
    let access = grants.access(account, scopes, now);
    let refresh = grants.refresh(account, scopes, now);
    if let (Some(refresh), Some(access)) = (grants.read(&refresh), grants.read(&access)) {
        airtable.rotation.pair(refresh.issued, access.issued);
    }
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({
            "access_token": format!("{ACCESS_PREFIX}{access}"),
            "refresh_token": format!("{REFRESH_PREFIX}{refresh}"),
            "token_type": TOKEN_TYPE,
            "scope": scopes.join(" "),
            "expires_in": grants.token_life().as_secs(),
            "refresh_expires_in": REFRESH_LIFE.num_seconds(),
        }))
}

fn wanted<'a>(form: &'a Params, name: &str) -> Result<&'a str, ApiError> {
    let missing = || refusal("invalid_request", &format!("{name} is missing"));
    form.get(name).ok_or_else(missing)
}

fn refusal(error: &str, why: &str) -> ApiError {
    ApiError {
        status: StatusCode::BAD_REQUEST,
        body: json!({ "error": error, "error_description": why }),
    }
}

fn invalid_grant(why: &str) -> ApiError {
    refusal("invalid_grant", why)
}

/// The one refusal that is no 400.
fn invalid_client(why: &str) -> ApiError {
    ApiError {
        status: StatusCode::UNAUTHORIZED,
        ..refusal("invalid_client", why)
    }
}

/// Airtable documents the status and no body.
fn refreshed_just_now() -> ApiError {
    ApiError {
        status: StatusCode::CONFLICT,
        ..refusal("invalid_request", "the token was refreshed a moment ago")
    }
}

fn same(given: &str, wanted: &str) -> bool {
    given.as_bytes().ct_eq(wanted.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TOKEN, VERIFIER, as_app, code, connect, exchange, refresh, texts};
    use super::*;
    use crate::sandbox::testing::{Answer, CLIENT, REDIRECT, Visit, options, visit};
    use crate::sandbox::{Provider, Turn};

    const WHOAMI: &str = "/v0/meta/whoami";

    fn assert_refused(answer: &Answer, status: u16, error: &str) {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.json()["error"], error);
        assert!(answer.json()["error_description"].is_string());
    }

    async fn status(visit: &Visit, access: &str) -> u16 {
        visit.read(WHOAMI, access).await.status.as_u16()
    }

    #[tokio::test]
    async fn a_code_is_exchanged_for_tokens_of_the_documented_shape() {
        let visit = visit(options());
        let answer = exchange(&visit, &code(&visit, "small").await, &[]).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        let (access, refresh) = texts(&body);
        assert!(access.starts_with("oaa1.v1."));
        assert!(refresh.starts_with("oar1.v1."));
        assert_eq!(body["token_type"], "Bearer ");
        assert_eq!(body["expires_in"], 3600);
        assert_eq!(body["refresh_expires_in"], 5_184_000);
        assert_eq!(
            body["scope"],
            "data.records:read schema.bases:read user.email:read"
        );
        assert_eq!(body.as_object().unwrap().len(), 6);
        assert_eq!(status(&visit, &access).await, 200);
    }

    #[tokio::test]
    async fn a_code_is_spent_by_a_request_that_fails() {
        let visit = visit(options());
        for (name, value, error) in [
            ("code_verifier", "wrong", "invalid_grant"),
            ("code_verifier", "", "invalid_request"),
            ("redirect_uri", "http://localhost/", "invalid_grant"),
            ("redirect_uri", "", "invalid_request"),
        ] {
            let code = code(&visit, "small").await;
            assert_refused(&exchange(&visit, &code, &[(name, value)]).await, 400, error);
            assert_refused(&exchange(&visit, &code, &[]).await, 400, "invalid_grant");
        }
    }

    #[tokio::test]
    async fn the_client_shows_its_secret_in_the_header_alone() {
        let visit = visit(options());
        let code = code(&visit, "small").await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", CLIENT),
        ];
        assert_refused(&visit.post(TOKEN, &form).await, 401, "invalid_client");
        for credentials in [[CLIENT, "guess"], ["stranger", "secret-1"]] {
            let answer = visit.post_with_basic(TOKEN, credentials, &form).await;
            assert_refused(&answer, 401, "invalid_client");
        }
        let answer = as_app(
            &visit,
            &[&form[..], &[("client_secret", "secret-1")]].concat(),
        )
        .await;
        assert_refused(&answer, 400, "invalid_request");
        // None of this reached the code.
        assert_eq!(as_app(&visit, &form).await.status, 200);
    }

    #[tokio::test]
    async fn what_is_no_token_request_is_refused() {
        let visit = visit(options());
        for (form, status, error) in [
            (
                &[("grant_type", "password")][..],
                400,
                "unsupported_grant_type",
            ),
            (&[], 400, "invalid_request"),
            (&[("grant_type", "refresh_token")], 400, "invalid_request"),
            (
                &[
                    ("grant_type", "refresh_token"),
                    ("grant_type", "refresh_token"),
                ],
                400,
                "invalid_request",
            ),
            (
                &[("grant_type", "refresh_token"), ("client_id", "other")],
                401,
                "invalid_client",
            ),
        ] {
            assert_refused(&as_app(&visit, form).await, status, error);
        }
        assert_eq!(visit.sandbox.token_requests(), 5);
    }

    #[tokio::test]
    async fn a_refresh_replaces_both_tokens_at_once() {
        let visit = visit(options());
        let (access, refresh_token) = connect(&visit, "small").await;
        let (other, _) = connect(&visit, "small").await;
        let (newer, newest) = texts(&refresh(&visit, &refresh_token).await.json());
        assert_eq!(status(&visit, &access).await, 401);
        assert_eq!(status(&visit, &newer).await, 200);
        assert_eq!(status(&visit, &other).await, 200);
        assert_refused(&refresh(&visit, &refresh_token).await, 400, "invalid_grant");
        // A replay harms nobody else.
        assert_eq!(refresh(&visit, &newest).await.status, 200);
    }

    #[tokio::test]
    async fn the_rough_account_tells_a_second_refresh_from_a_late_one() {
        let visit = visit(options());
        let (_, refresh_token) = connect(&visit, "faults").await;
        assert_eq!(refresh(&visit, &refresh_token).await.status, 200);
        assert_eq!(refresh(&visit, &refresh_token).await.status, 409);
    }

    #[tokio::test]
    async fn a_refresh_token_lives_sixty_days() {
        let visit = visit(options());
        let (_, refresh_token) = connect(&visit, "small").await;
        let token = read(&visit.sandbox.world.airtable.grants, &refresh_token).unwrap();
        let at = |days| Utc::now() + TimeDelta::days(days);
        assert!(is_young(&token, at(59)));
        assert!(!is_young(&token, at(61)));
    }

    #[tokio::test]
    async fn only_a_good_refresh_token_of_airtables_can_be_refreshed() {
        let visit = visit(options());
        let (access, refresh_token) = connect(&visit, "small").await;
        let cut = &refresh_token[..refresh_token.len() - 2];
        let (_, hubspots) = visit.connect("small").await;
        for bad in [&*access, cut, "oar1.v1.4c1f", &hubspots] {
            assert_refused(&refresh(&visit, bad).await, 400, "invalid_grant");
        }
        visit
            .sandbox
            .dial(Provider::Airtable, Account::Small, Turn::Revoke);
        assert_refused(&refresh(&visit, &refresh_token).await, 400, "invalid_grant");
        assert_eq!(status(&visit, &access).await, 401);
    }

    #[tokio::test]
    async fn a_refresh_may_ask_for_less_and_not_for_more() {
        let visit = visit(options());
        let (_, refresh_token) = connect(&visit, "small").await;
        let ask = |token: &str, scope: &'static str| {
            let token = token.to_owned();
            let visit = &visit;
            async move {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token),
                    ("scope", scope),
                ];
                as_app(visit, &form).await
            }
        };
        assert_refused(
            &ask(&refresh_token, "webhook:manage").await,
            400,
            "invalid_scope",
        );
        let answer = ask(&refresh_token, "data.records:read").await;
        assert_eq!(answer.json()["scope"], "data.records:read");
    }

    #[tokio::test]
    async fn tokens_are_neither_revoked_nor_explained_here() {
        let visit = visit(options());
        for path in ["/oauth2/v1/revoke", "/oauth2/v1/introspect"] {
            let answer = visit.post(path, &[("token", "x")]).await;
            assert_eq!(answer.status, 404);
            assert_eq!(answer.json()["error"]["type"], "NOT_FOUND");
        }
    }
}

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::app::{body_of_app, text};
use super::errors::{self, ApiError};
use super::ids::Thing;
use super::workspace::{odd, workspace};
use super::{Notion, workspace::Workspace};
use crate::sandbox::grants::{Consent, Standing};
use crate::sandbox::tokens::{Token, Use};
use crate::sandbox::world::World;

/// Notion's tokens have no stated end; this one is out of anybody's sight.
pub const TOKEN_LIFE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const ACCESS_PREFIX: &str = "ntn_";
const REFRESH_PREFIX: &str = "nrt_";

const SPENT: &str = "Invalid code: this code has been revoked.";

/// Exchanges a code or a refresh token for a new pair of tokens.
pub async fn token(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    world.token_requests.next();
    let body = body_of_app(&request, &body, &world.client)?;
    let now = Utc::now();
    match text(&body, "grant_type") {
        "authorization_code" => exchange(&world.notion, &body, now),
        "refresh_token" => refresh(&world.notion, &body, now),
        "" => Err(errors::invalid_request("grant_type is missing.")),
        _ => Err(errors::unsupported_grant_type()),
    }
}

/// A genuine token of Notion's, whichever kind, used up or not.
pub fn read(notion: &Notion, text: &str) -> Option<Token> {
    let (prefix, sealed) = text.split_at_checked(ACCESS_PREFIX.len())?;
    let token = notion.grants.read(sealed)?;
    let wanted = match token.kind {
        Use::Access => ACCESS_PREFIX,
        Use::Refresh => REFRESH_PREFIX,
    };
    (prefix == wanted).then_some(token)
}

fn exchange(notion: &Notion, body: &Value, now: DateTime<Utc>) -> Result<HttpResponse, ApiError> {
    let consent = notion
        .grants
        .fetch(text(body, "code"), now)
        .ok_or_else(|| errors::invalid_grant(SPENT))?;
    if text(body, "redirect_uri") != consent.redirect_uri {
        return Err(errors::invalid_grant(
            "The redirect_uri is not the one that was authorized.",
        ));
    }
    let Consent {
        account, scopes, ..
    } = consent;
    Ok(answer(notion, &workspace(account), &scopes, now))
}

/// Both tokens are new, and the old refresh token is worth nothing any more.
fn refresh(notion: &Notion, body: &Value, now: DateTime<Utc>) -> Result<HttpResponse, ApiError> {
    let token = read(notion, text(body, "refresh_token"))
        .filter(|token| token.kind == Use::Refresh)
        .filter(|token| notion.grants.standing(token, now) == Standing::Good)
        .filter(|token| notion.spend(token))
        .ok_or_else(|| errors::invalid_grant("Invalid refresh token."))?;
    Ok(answer(
        notion,
        &workspace(token.account),
        &token.scopes,
        now,
    ))
}

fn answer(
    notion: &Notion,
    workspace: &Workspace,
    oddities: &[String],
    now: DateTime<Utc>,
) -> HttpResponse {
    let mut response = errors::answer(json!({
        "access_token": access_token(notion, workspace, oddities, now),
        "token_type": "bearer",
        "refresh_token": refresh_token(notion, workspace, oddities, now),
        "bot_id": workspace.id(Thing::Bot),
        "workspace_id": workspace.id(Thing::Workspace),
        "workspace_name": workspace.name,
        "workspace_icon": workspace.icon,
        "owner": workspace.owner(oddities),
        "duplicated_template_id": null,
    }));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn access_token(
    notion: &Notion,
    workspace: &Workspace,
    oddities: &[String],
    now: DateTime<Utc>,
) -> String {
    let sealed = notion.grants.access(workspace.account, oddities, now);
    format!("{ACCESS_PREFIX}{sealed}")
}

/// Older connections have none.
fn refresh_token(
    notion: &Notion,
    workspace: &Workspace,
    oddities: &[String],
    now: DateTime<Utc>,
) -> Option<String> {
    if odd::is(oddities, odd::WITHOUT_REFRESH_TOKEN) || !workspace.refreshes {
        return None;
    }
    let sealed = notion.grants.refresh(workspace.account, oddities, now);
    Some(format!("{REFRESH_PREFIX}{sealed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::notion::testing::{notion, notion_with};
    use crate::sandbox::testing::{Answer, CLIENT, REDIRECT, SECRET, options};

    fn assert_refused(answer: &Answer, status: u16, error: &str) {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.json()["error"], error);
        assert!(answer.json()["request_id"].is_string());
    }

    #[tokio::test]
    async fn a_code_is_exchanged_for_tokens_and_what_they_are_for() {
        let notion = notion(options());
        let answer = notion.exchange(&notion.code("small").await, REDIRECT).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        assert!(body["access_token"].as_str().unwrap().starts_with("ntn_"));
        assert!(body["refresh_token"].as_str().unwrap().starts_with("nrt_"));
        assert_eq!(body["token_type"], "bearer");
        assert_eq!(body["workspace_name"], "Small Office");
        assert_eq!(body["owner"]["type"], "user");
        let user = &body["owner"]["user"];
        assert_eq!(user["person"]["email"], "mara@smalloffice.example");
        assert_eq!(body.get("expires_in"), None);
        assert_eq!(body["request_id"], *answer.header("x-notion-request-id"));
    }

    #[tokio::test]
    async fn a_code_works_once_and_only_for_its_address() {
        let notion = notion(options());
        let code = notion.code("small").await;
        assert_eq!(notion.exchange(&code, REDIRECT).await.status, 200);
        let again = notion.exchange(&code, REDIRECT).await;
        assert_refused(&again, 400, "invalid_grant");
        assert_eq!(again.json()["error_description"], SPENT);
        for wrong in ["http://localhost/", ""] {
            let code = notion.code("small").await;
            let answer = notion.exchange(&code, wrong).await;
            assert_refused(&answer, 400, "invalid_grant");
        }
    }

    #[tokio::test]
    async fn credentials_count_in_the_head_alone() {
        let notion = notion(options());
        let code = notion.code("small").await;
        let body = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
            "client_id": CLIENT, "client_secret": SECRET,
        });
        for credentials in [None, Some((CLIENT, "guess")), Some(("stranger", SECRET))] {
            for path in ["token", "introspect", "revoke"] {
                let path = format!("/v1/oauth/{path}");
                let answer = notion.post_as(&path, credentials, &body.to_string()).await;
                assert_refused(&answer, 401, "invalid_client");
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"OAuth\"");
            }
        }
        // None of this used the code up.
        assert_eq!(notion.exchange(&code, REDIRECT).await.status, 200);
    }

    #[tokio::test]
    async fn a_body_that_is_not_json_or_asks_for_nothing_known_is_refused() {
        let notion = notion(options());
        let credentials = Some((CLIENT, SECRET));
        let cases = [
            ("grant_type=authorization_code", "invalid_request"),
            ("[]", "invalid_request"),
            ("{}", "invalid_request"),
            (r#"{"grant_type":"password"}"#, "unsupported_grant_type"),
        ];
        for (body, error) in cases {
            let answer = notion.post_as("/v1/oauth/token", credentials, body).await;
            assert_refused(&answer, 400, error);
        }
        let answer = notion.visit.get("/v1/oauth/token").await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["code"], "invalid_request_url");
    }

    #[tokio::test]
    async fn refreshing_brings_two_new_tokens_and_ends_the_old_refresh_token() {
        let notion = notion(options());
        let (access, refresh) = notion.connect("10k").await;
        let body = notion.refresh(&refresh).await.json();
        assert_ne!(body["access_token"], access);
        let newer = body["refresh_token"].as_str().unwrap();
        assert_ne!(newer, refresh);
        assert_refused(&notion.refresh(&refresh).await, 400, "invalid_grant");
        assert_eq!(notion.refresh(newer).await.status, 200);
    }

    #[tokio::test]
    async fn only_a_refresh_token_can_be_refreshed() {
        let notion = notion(options());
        let (access, refresh) = notion.connect("small").await;
        for bad in [&*access, &refresh[..refresh.len() - 2], "", "nrt_7710"] {
            assert_refused(&notion.refresh(bad).await, 400, "invalid_grant");
        }
    }

    #[tokio::test]
    async fn what_may_be_null_sometimes_is() {
        let notion = notion(options());
        let tokens = async |account| notion.tokens(account, &[]).await;
        assert_eq!(tokens("empty").await["refresh_token"], Value::Null);
        assert_eq!(tokens("100k").await["workspace_name"], Value::Null);
        assert_eq!(tokens("10k").await["duplicated_template_id"], Value::Null);
        let bare = tokens("faults").await["owner"]["user"].clone();
        assert_eq!(bare.as_object().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_test_can_ask_for_odd_connections() {
        let notion = notion(options());
        let tokens = async |words| notion.tokens("small", &[("sandbox", words)]).await;
        let both = tokens("without_refresh_token workspace_owner").await;
        assert_eq!(both["refresh_token"], Value::Null);
        assert_eq!(both["owner"]["workspace"], true);
        let shy = tokens("without_email").await;
        assert_eq!(shy["owner"]["user"]["person"], json!({}));
        let refresh = shy["refresh_token"].as_str().unwrap();
        let later = notion.refresh(refresh).await.json();
        assert_eq!(later["owner"], shy["owner"]);
    }

    #[tokio::test]
    async fn the_clock_ends_no_token() {
        let visit = notion_with(|options| options.token_life = Some(Duration::ZERO));
        let (access, _) = visit.connect("small").await;
        assert_eq!(visit.read("/v1/users/me", &access).await.status, 200);
    }
}

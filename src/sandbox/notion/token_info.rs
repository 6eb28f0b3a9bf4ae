use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde_json::json;

use super::app::{body_of_app, text};
use super::errors::{self, ApiError};
use super::token::read;
use crate::sandbox::grants::Standing;
use crate::sandbox::world::World;

/// What the app was registered for; there are no other scopes.
const SCOPE: &str = "read_content";

/// Says whether a token may still be used.
pub async fn introspect(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let notion = &world.notion;
    let given = token(&request, &body, &world)?;
    let good = read(notion, &given)
        .filter(|token| notion.grants.standing(token, Utc::now()) == Standing::Good)
        .filter(|token| !notion.is_spent(token));
    Ok(errors::answer(match good {
        Some(token) => json!({
            "active": true,
            "scope": SCOPE,
            // In milliseconds, unlike what RFC 7662 says.
            "iat": token.issued / 1000,
        }),
        None => json!({ "active": false }),
    }))
}

/// Ends the authorization that a token belongs to; one that means nothing is fine too, as RFC 7009
/// has it.
pub async fn revoke(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let given = token(&request, &body, &world)?;
    if let Some(token) = read(&world.notion, &given) {
        world.notion.grants.end(token.account, Utc::now());
    }
    Ok(errors::answer(json!({})))
}

fn token(request: &HttpRequest, body: &[u8], world: &World) -> Result<String, ApiError> {
    let body = body_of_app(request, body, &world.client)?;
    match text(&body, "token") {
        "" => Err(errors::invalid_request("token is missing.")),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sandbox::notion::testing::notion;
    use crate::sandbox::testing::options;

    #[tokio::test]
    async fn introspection_tells_good_tokens_from_others() {
        let notion = notion(options());
        let (access, refresh) = notion.connect("small").await;
        let good = notion.introspect(&access).await;
        assert_eq!(good["active"], true);
        assert!(good["iat"].as_i64().unwrap() > 1_700_000_000_000);
        assert_eq!(notion.introspect(&refresh).await["active"], true);
        notion.refresh(&refresh).await;
        assert_eq!(notion.introspect(&refresh).await["active"], false);
        assert_eq!(notion.introspect("nonsense").await["active"], false);
        notion.visit.sandbox.expire_access_tokens();
        assert_eq!(notion.introspect(&access).await["active"], false);
    }

    #[tokio::test]
    async fn revoking_either_token_ends_both() {
        let notion = notion(options());
        for pick in [0, 1] {
            let (access, refresh) = notion.connect("small").await;
            let token = [&access, &refresh][pick];
            let answer = notion
                .post("/v1/oauth/revoke", &json!({ "token": token }))
                .await;
            assert_eq!(answer.status, 200);
            assert!(answer.json()["request_id"].is_string());
            assert_eq!(notion.read("/v1/users/me", &access).await.status, 401);
            assert_eq!(notion.refresh(&refresh).await.status, 400);
        }
    }

    #[tokio::test]
    async fn an_unknown_token_can_be_revoked_and_a_missing_one_cannot() {
        let notion = notion(options());
        let unknown = json!({ "token": "ntn_0" });
        assert_eq!(notion.post("/v1/oauth/revoke", &unknown).await.status, 200);
        let missing = notion.post("/v1/oauth/revoke", &json!({})).await;
        assert_eq!(missing.json()["error"], "invalid_request");
    }
}

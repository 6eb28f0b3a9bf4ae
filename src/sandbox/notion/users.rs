use actix_web::HttpResponse;
use serde_json::json;

use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::Thing;
use super::workspace::workspace;

/// The bot that a token acts as, and whose it is.
pub async fn me(caller: Caller) -> HttpResponse {
    let workspace = workspace(caller.account);
    errors::answer(json!({
        "object": "user",
        "id": workspace.id(Thing::Bot),
        "name": "Tributary",
        "avatar_url": null,
        "type": "bot",
        "bot": {
            "owner": workspace.owner(&caller.token.scopes),
            "workspace_id": workspace.id(Thing::Workspace),
            "workspace_name": workspace.name,
            "workspace_limits": { "max_file_upload_size_in_bytes": 5_242_880 },
        },
    }))
}

/// The people of a workspace are a capability of their own, which the app does not have.
pub async fn everybody(_: Caller) -> ApiError {
    errors::restricted()
}

#[cfg(test)]
mod tests {
    use crate::sandbox::notion::testing::notion;
    use crate::sandbox::testing::options;

    #[tokio::test]
    async fn a_token_says_whose_it_is() {
        let notion = notion(options());
        let tokens = notion.tokens("10k", &[("sandbox", "without_email")]).await;
        let access = tokens["access_token"].as_str().unwrap();
        let me = notion.read("/v1/users/me", access).await.json();
        assert_eq!(me["id"], tokens["bot_id"]);
        assert_eq!(me["bot"]["owner"], tokens["owner"]);
        assert_eq!(me["bot"]["workspace_id"], tokens["workspace_id"]);
        assert_eq!(me["bot"]["workspace_name"], "Harbour & Söhne");
    }

    #[tokio::test]
    async fn the_people_of_a_workspace_are_not_shown() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let answer = notion.read("/v1/users", &access).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json()["code"], "restricted_resource");
    }
}

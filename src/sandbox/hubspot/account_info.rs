use actix_web::HttpResponse;
use serde_json::json;

use super::errors::ApiError;
use super::gate::Caller;
use super::portal::portal;
use super::scopes::OAUTH;

/// Which account a token is for.
pub async fn details(caller: Caller) -> Result<HttpResponse, ApiError> {
    caller.must_have(OAUTH)?;
    let portal = portal(caller.token.account);
    let mut details = json!({
        "portalId": portal.hub_id,
        "accountType": portal.account_type,
        "timeZone": portal.time_zone,
        "companyCurrency": portal.currency,
        "additionalCurrencies": [],
        "utcOffset": portal.utc_offset,
        "uiDomain": portal.ui_domain,
        "dataHostingLocation": portal.hublet,
    });
    if let Some(name) = portal.name {
        details["portalName"] = name.into();
    }
    Ok(HttpResponse::Ok().json(details))
}

#[cfg(test)]
mod tests {
    use crate::sandbox::testing::{options, visit};

    #[tokio::test]
    async fn details_name_the_account_and_where_its_pages_are() {
        let visit = visit(options());
        let (access, _) = visit.connect("10k").await;
        for version in ["2026-03", "2026-09", "v3"] {
            let details = visit
                .read(&format!("/account-info/{version}/details"), &access)
                .await
                .json();
            assert_eq!(details["portalId"], 146_310_442);
            assert_eq!(details["uiDomain"], "app-eu1.hubspot.com");
            assert_eq!(details["portalName"], "Harbour & Söhne");
        }
    }

    #[tokio::test]
    async fn some_accounts_have_no_name() {
        let visit = visit(options());
        let (access, _) = visit.connect("100k").await;
        let details = visit
            .read("/account-info/2026-09/details", &access)
            .await
            .json();
        assert_eq!(details.get("portalName"), None);
        assert_eq!(details["uiDomain"], "app.hubspot.com");
    }
}

//! `POST /connections/{id}/disconnect`: takes a connection out, and gives a receipt.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::App;
use super::errors::{Result, WebError};
use super::fragment;
use super::guard::SignedIn;
use super::page::{Chrome, Here, grouped};
use crate::item::ConnectionId;
use crate::oauth::{Exit, Receipt, Revocation};

#[derive(Template)]
#[template(path = "connections/receipt.html")]
struct ReceiptPage {
    chrome: Chrome,
    provider: &'static str,
    account: String,
    items: String,
    /// What became of the approval at the provider, and whether that wants a look there.
    approval: String,
    settled: bool,
    /// Where a person ends the approval, where that is left to them.
    approvals_url: Option<&'static str>,
}

/// `POST /connections/{connection}/disconnect`
pub async fn connection_disconnect(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let (app, by) = (app.into_inner(), sign_in.clone());
    // A task of its own: what has begun ends, whether or not the browser waits for the receipt.
    let known = app.providers.clone();
    let task = tokio::spawn(async move {
        let exit = Exit {
            store: &app.store,
            grants: &app.grants,
            client: &app.client,
            providers: &app.providers,
        };
        let receipt = exit.disconnect(&by, id).await;
        app.eraser.notify_one();
        receipt
    });
    let receipt = task
        .await
        .map_err(|error| WebError::Broken(error.to_string()))??;
    let Receipt { left, revocation } = receipt.ok_or(WebError::NotFound)?;
    let described = known.describe(&left.provider);
    let provider = described.map_or("the provider", |it| it.name);
    let settled = !matches!(revocation, Revocation::Unconfirmed | Revocation::Unasked);
    let page = ReceiptPage {
        chrome: Chrome::new("Disconnected", Here::Home, Some(&sign_in)),
        provider,
        account: left.account_name,
        items: match left.items {
            1 => "1 item".into(),
            items => format!("{} items", grouped(items)),
        },
        approval: in_words(revocation, provider),
        approvals_url: described
            .and_then(|it| it.approvals_url)
            .filter(|_| !settled),
        settled,
    };
    Ok(fragment::html(page.render()?))
}

fn in_words(revocation: Revocation, name: &str) -> String {
    match revocation {
        Revocation::Verified => {
            format!("The approval was revoked, and {name} confirms that it is good no more.")
        }
        Revocation::Revoked => format!("The approval was revoked at {name}."),
        Revocation::Shared => format!(
            "The approval was not revoked at {name}, for another connection here uses the same account."
        ),
        Revocation::Unconfirmed => format!(
            "{name} did not confirm that the approval is revoked. It is forgotten here; to be sure, \
             remove Tributary in {name}’s own settings."
        ),
        Revocation::Unasked => format!(
            "The approval is forgotten here. {name} lets nobody but you end it there: remove \
             Tributary in {name}’s own settings."
        ),
    }
}

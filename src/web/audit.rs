//! `GET /audit`: who did what in the workspace.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::page::{Chrome, Here, When};
use super::{App, fragment, urls};
use crate::store::{Deed, Noted};

/// Entries on one page.
const PAGE: usize = 50;

/// Where to go on.
#[derive(Deserialize)]
pub struct AuditQuery {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "audit/list.html", blocks = ["rows"])]
struct AuditPage {
    chrome: Chrome,
    entries: Vec<Entry>,
    older: Option<String>,
}

struct Entry {
    when: When,
    who: String,
    what: String,
}

/// `GET /audit`
pub async fn audit_list(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    query: web::Query<AuditQuery>,
) -> Result<HttpResponse> {
    let before = query.before.as_deref().filter(|text| !text.is_empty());
    let before = before.map(|text| text.parse::<i64>()).transpose();
    let before = before.map_err(|_| WebError::BadQuery("before", "names no entry".into()))?;
    // One more than is shown, to know whether there are older ones.
    let limit = PAGE as i64 + 1;
    let mut noted = app.store.audit(sign_in.workspace_id, before, limit).await?;
    let more = noted.len() > PAGE;
    noted.truncate(PAGE);
    let last = noted.last().filter(|_| more);
    let now = Utc::now();
    let page = AuditPage {
        chrome: Chrome::new("Audit trail", Here::Nowhere, Some(&sign_in)),
        older: last.map(|last| urls::audit_before(last.id)),
        entries: noted
            .into_iter()
            .map(|noted| entry(&app, noted, now))
            .collect(),
    };
    let html = match fragment::is_wanted(&req) {
        true => page.as_rows().render()?,
        false => page.render()?,
    };
    Ok(fragment::html(html))
}

fn entry(app: &App, noted: Noted, now: DateTime<Utc>) -> Entry {
    let provider = noted.provider.as_deref().map(|slug| name(app, slug));
    let whose = noted.subject.unwrap_or_default();
    let which = format!("{} {whose}", provider.unwrap_or_default());
    let what = match noted.deed {
        Deed::SignedIn => "signed in".into(),
        Deed::SignedInByLink => "signed in by a link from the host".into(),
        Deed::SignedOut => "signed out".into(),
        Deed::SignedOutEverywhere => "signed out everywhere".into(),
        Deed::Connected => format!("connected {which}"),
        Deed::Reconnected => format!("approved {which} again"),
        Deed::LostApproval => format!("ended the approval of {whose}"),
        Deed::Disconnected => format!("disconnected {which}"),
        Deed::AddedWayIn => format!("made {which} a way to sign in"),
        Deed::RemovedWayIn => format!("took {which} from the ways to sign in"),
        Deed::DroppedAbsent => format!("removed what {which} has no more"),
        Deed::MadeKey => format!("made the API key {whose}"),
        Deed::RevokedKey => format!("revoked the API key {whose}"),
        Deed::RenamedWorkspace => format!("named the workspace {whose}"),
        Deed::Invited => format!("made an invitation, as {whose}"),
        Deed::Joined => format!("joined, as {whose}"),
        Deed::ChangedRole => format!("changed what {whose} may do"),
        Deed::RemovedMember => format!("took {whose} out of the workspace"),
        Deed::Exported => format!("exported {whose}"),
        Deed::KeptAbsent => format!("kept what {which} has no more"),
    };
    let nobody = match noted.deed {
        Deed::LostApproval => provider.unwrap_or("The provider"),
        Deed::Exported => "Whoever hosts this Tributary",
        _ => "Somebody",
    };
    Entry {
        when: When::new(noted.at, now),
        who: noted.person.unwrap_or_else(|| nobody.into()),
        what,
    }
}

fn name<'a>(app: &App, slug: &'a str) -> &'a str {
    app.providers.describe(slug).map_or(slug, |it| it.name)
}

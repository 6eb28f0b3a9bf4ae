//! `/workspace`: what it is called, who belongs to it, and the way to another one.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use url::Url;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::page::{Chrome, Here};
use super::{App, fragment, join, urls};
use crate::item::{UserId, WorkspaceId, clean_name};
use crate::store::{Changed, Member, OwnWorkspace, Role, SignIn};

const LONGEST_NAME: usize = 100;

#[derive(Template)]
#[template(path = "workspace/show.html")]
struct WorkspacePage {
    chrome: Chrome,
    name: String,
    is_owner: bool,
    members: Vec<MemberRow>,
    others: Vec<OwnWorkspace>,
    /// An invitation that was made just now.
    invitation: Option<Url>,
}

struct MemberRow {
    user: UserId,
    name: String,
    is_owner: bool,
    is_me: bool,
}

/// One of its fields says what is wanted.
#[derive(Deserialize)]
pub struct WorkspaceForm {
    /// What it is to be called.
    name: Option<String>,
    /// The workspace to see in its place.
    workspace: Option<String>,
    /// Whose role is to be changed, and to what: `none` has them belong there no more.
    member: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize)]
pub struct InviteForm {
    role: Option<String>,
}

/// `GET /workspace`
pub async fn workspace_show(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    show(&app, &sign_in, None).await
}

/// `POST /workspace`
pub async fn workspace_change(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    form: web::Form<WorkspaceForm>,
) -> Result<HttpResponse> {
    let form = form.into_inner();
    match form {
        WorkspaceForm {
            workspace: Some(to),
            ..
        } => switch(&app, &sign_in, &to).await?,
        WorkspaceForm {
            member: Some(member),
            role,
            ..
        } => change_member(&app, &sign_in, &member, role.as_deref()).await?,
        WorkspaceForm {
            name: Some(name), ..
        } => rename(&app, &sign_in, &name).await?,
        _ => return Err(WebError::BadForm("name", "is missing".into())),
    }
    Ok(fragment::redirect(&req, urls::workspace()))
}

/// `POST /workspace/invites`
pub async fn workspace_invite(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    form: web::Form<InviteForm>,
) -> Result<HttpResponse> {
    must_own(&app, &sign_in).await?;
    let wanted = form.role.as_deref().filter(|text| !text.is_empty());
    let role = role(wanted.unwrap_or(Role::Member.as_str()))?;
    let link = join::invite(&app, &sign_in, role).await?;
    app.store.note_invitation(&sign_in, role).await?;
    show(&app, &sign_in, Some(link)).await
}

async fn switch(app: &App, sign_in: &SignIn, to: &str) -> Result<()> {
    let to: WorkspaceId = to.parse().map_err(|_| WebError::NotFound)?;
    match app.store.switch_workspace(sign_in, to).await? {
        true => Ok(()),
        false => Err(WebError::NotFound),
    }
}

async fn rename(app: &App, sign_in: &SignIn, name: &str) -> Result<()> {
    must_own(app, sign_in).await?;
    let name = clean_name(name).unwrap_or_default();
    match name.chars().count() {
        0 => Err(WebError::BadForm("name", "is missing".into())),
        length if length > LONGEST_NAME => {
            let said = format!("is longer than {LONGEST_NAME} characters");
            Err(WebError::BadForm("name", said))
        }
        _ => Ok(app.store.rename_workspace(sign_in, &name).await?),
    }
}

async fn change_member(
    app: &App,
    sign_in: &SignIn,
    member: &str,
    wanted: Option<&str>,
) -> Result<()> {
    let member: UserId = member.parse().map_err(|_| WebError::NotFound)?;
    let to = match wanted.unwrap_or_default() {
        "none" => None,
        text => Some(role(text)?),
    };
    // Everybody may leave.
    if to.is_some() || member != sign_in.user_id {
        must_own(app, sign_in).await?;
    }
    match app.store.change_member(sign_in, member, to).await? {
        Changed::Done => Ok(()),
        Changed::NotThere => Err(WebError::NotFound),
        Changed::LastOwner => Err(WebError::LastOwner),
    }
}

fn role(text: &str) -> Result<Role> {
    let wrong = || WebError::BadForm("role", "must be owner or member".into());
    Role::parse(text).ok_or_else(wrong)
}

async fn must_own(app: &App, sign_in: &SignIn) -> Result<()> {
    let role = app.store.role(sign_in.workspace_id, sign_in.user_id);
    match role.await? {
        Some(Role::Owner) => Ok(()),
        _ => Err(WebError::OwnersOnly),
    }
}

async fn show(app: &App, sign_in: &SignIn, invitation: Option<Url>) -> Result<HttpResponse> {
    let members = app.store.members(sign_in.workspace_id).await?;
    let mut others = app.store.own_workspaces(sign_in.user_id).await?;
    others.retain(|other| other.id != sign_in.workspace_id);
    let me = |member: &Member| member.user == sign_in.user_id;
    let page = WorkspacePage {
        chrome: Chrome::new("Workspace", Here::Nowhere, Some(sign_in)),
        name: sign_in.workspace.clone(),
        is_owner: members.iter().any(|it| me(it) && it.role == Role::Owner),
        others,
        invitation,
        members: members
            .iter()
            .map(|member| MemberRow {
                user: member.user,
                name: member.name.clone(),
                is_owner: member.role == Role::Owner,
                is_me: me(member),
            })
            .collect(),
    };
    Ok(fragment::html(page.render()?))
}

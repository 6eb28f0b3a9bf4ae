//! `/workspace`: what it is called, who belongs to it, and the way to another one.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use url::Url;

use super::errors::{Result, WebError};
use super::form::{Draft, Form};
use super::guard::SignedIn;
use super::page::{Choice, Chrome, Here};
use super::{App, fragment, join, urls};
use crate::item::{UserId, WorkspaceId, clean_name};
use crate::store::{Changed, Member, OwnWorkspace, Role, SignIn};

const LONGEST_NAME: usize = 100;
const ROLES: [(&str, &str); 2] = [("member", "Member"), ("owner", "Owner")];

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
    draft: Draft,
    roles: Vec<Choice>,
}

struct MemberRow {
    user: UserId,
    name: String,
    is_owner: bool,
    is_me: bool,
}

/// `GET /workspace`
pub async fn workspace_show(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    show(&app, &sign_in, None, Draft::default()).await
}

/// `POST /workspace`: one of the fields says what is wanted.
pub async fn workspace_change(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    sent: Form,
) -> Result<HttpResponse> {
    if let Err(error) = change(&app, &sign_in, &sent).await {
        let draft = Draft::refused(sent, &["name"], error)?;
        return show(&app, &sign_in, None, draft).await;
    }
    Ok(fragment::redirect(&req, urls::workspace()))
}

/// Another workspace to see in place of this one, another role for a member, or another name.
async fn change(app: &App, sign_in: &SignIn, sent: &Form) -> Result<()> {
    if let Some(to) = sent.one("workspace")? {
        return switch(app, sign_in, to).await;
    }
    if let Some(member) = sent.one("member")? {
        return change_member(app, sign_in, member, sent).await;
    }
    rename(app, sign_in, sent).await
}

/// `POST /workspace/invites`
pub async fn workspace_invite(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    sent: Form,
) -> Result<HttpResponse> {
    let (link, draft) = match invite(&app, &sign_in, &sent).await {
        Ok(link) => (Some(link), Draft::default()),
        Err(error) => (None, Draft::refused(sent, &["role"], error)?),
    };
    show(&app, &sign_in, link, draft).await
}

async fn invite(app: &App, sign_in: &SignIn, sent: &Form) -> Result<Url> {
    must_own(app, sign_in).await?;
    let wanted = sent.filled("role")?;
    let role = role(wanted.unwrap_or(Role::Member.as_str()))?;
    let link = join::invite(app, sign_in, role).await?;
    app.store.note_invitation(sign_in, role).await?;
    Ok(link)
}

async fn switch(app: &App, sign_in: &SignIn, to: &str) -> Result<()> {
    let to: WorkspaceId = to.parse().map_err(|_| WebError::NotFound)?;
    match app.store.switch_workspace(sign_in, to).await? {
        true => Ok(()),
        false => Err(WebError::NotFound),
    }
}

async fn rename(app: &App, sign_in: &SignIn, sent: &Form) -> Result<()> {
    must_own(app, sign_in).await?;
    let name = sent.one("name")?.and_then(clean_name).unwrap_or_default();
    match name.chars().count() {
        0 => Err(WebError::BadForm("name", "is missing".into())),
        length if length > LONGEST_NAME => {
            let said = format!("is longer than {LONGEST_NAME} characters");
            Err(WebError::BadForm("name", said))
        }
        _ => Ok(app.store.rename_workspace(sign_in, &name).await?),
    }
}

/// `none` for a role has them belong there no more.
async fn change_member(app: &App, sign_in: &SignIn, member: &str, sent: &Form) -> Result<()> {
    let member: UserId = member.parse().map_err(|_| WebError::NotFound)?;
    let to = match sent.one("role")?.unwrap_or_default() {
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

async fn show(
    app: &App,
    sign_in: &SignIn,
    invitation: Option<Url>,
    draft: Draft,
) -> Result<HttpResponse> {
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
        roles: draft.choices("role", Role::Member.as_str(), &ROLES),
        draft,
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
    Ok(page.draft.answer(page.render()?))
}

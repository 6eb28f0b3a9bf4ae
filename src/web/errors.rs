//! What can go wrong for somebody at the other end, and how each of them is told.

use std::time::Duration;

use actix_session::storage::{LoadError, SaveError, UpdateError};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use askama::Template;

use super::appearance::{Asked, Scheme};
use super::guard::Who;
use super::headers;
use super::log::RequestId;
use super::page::{Chrome, Here, ProviderView, length};
use super::{api, fragment, urls};
use crate::ephemeral::Away;
use crate::export::Interrupted;
use crate::oauth::{NotPending, Refusal};
use crate::providers::Configured;
use crate::store;

pub type Result<T> = std::result::Result<T, WebError>;

/// Everything a request can end with, in the product's own words.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("the form came from another origin")]
    CrossOrigin,
    #[error("there is nothing at this address")]
    NotFound,
    #[error("nobody is signed in")]
    SignedOut,
    #[error("the callback's state opens nothing here")]
    NotPending(ProviderView),
    #[error("the provider refused: {1}")]
    ProviderRefused(ProviderView, String),
    #[error("the provider is out of reach: {1}")]
    ProviderAway(ProviderView, String),
    #[error("the provider named no person")]
    Nobody(ProviderView),
    #[error("not allowed to sign in here")]
    NotAllowed,
    #[error("the parameter {0} {1}")]
    BadQuery(&'static str, String),
    #[error("the field {0} {1}")]
    BadForm(&'static str, String),
    #[error("the link is used, expired or not whole")]
    LinkUsed,
    #[error("this account cannot become their way in")]
    NotYours,
    #[error("the last way in stays")]
    LastWayIn,
    #[error("only owners of the workspace may")]
    OwnersOnly,
    #[error("the last owner stays")]
    LastOwner,
    #[error("the invitation is used, expired or not whole")]
    InvitationUsed,
    #[error("the key is not good for {0}")]
    LacksScope(&'static str),
    #[error("the key is unknown, expired or revoked")]
    NoSuchKey,
    #[error("changes behind the cursor are kept no more")]
    CursorTooOld,
    #[error("the address takes {0}")]
    WrongMethod(String),
    #[error("too often; again in {0:?}")]
    TooOften(Duration),
    #[error("a store is away: {0}")]
    StoreAway(String),
    #[error("{0}")]
    Broken(String),
    /// What the framework itself refuses: a body or headers too large, a query that is no query.
    #[error("status {0}")]
    Refused(StatusCode),
}

impl From<store::Error> for WebError {
    fn from(error: store::Error) -> Self {
        if error.is_away() {
            Self::StoreAway(error.to_string())
        } else {
            Self::Broken(error.to_string())
        }
    }
}

impl From<Away> for WebError {
    fn from(error: Away) -> Self {
        Self::StoreAway(error.to_string())
    }
}

impl From<Interrupted> for WebError {
    fn from(error: Interrupted) -> Self {
        match error {
            Interrupted::Store(error) => error.into(),
            Interrupted::Page(_) => Self::Broken(error.to_string()),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl WebError {
    /// The error that a session's end is: actix-session knows only its own.
    fn of_session(error: &actix_web::Error) -> Option<Self> {
        let away = error
            .as_error::<InternalError<LoadError>>()
            .map(ToString::to_string)
            .or_else(|| {
                error
                    .as_error::<InternalError<SaveError>>()
                    .map(ToString::to_string)
            })
            .or_else(|| {
                error
                    .as_error::<InternalError<UpdateError>>()
                    .map(ToString::to_string)
            })
            .or_else(|| {
                error
                    .as_error::<InternalError<anyhow::Error>>()
                    .map(ToString::to_string)
            });
        away.map(Self::StoreAway)
    }

    /// A callback whose state was looked at and found wanting.
    pub fn not_pending(error: NotPending, provider: &Configured) -> Self {
        match error {
            NotPending::Away(error) => error.into(),
            NotPending::Unknown | NotPending::Crossed => {
                Self::NotPending(provider.description().into())
            }
        }
    }

    /// An approval that ended with nothing stored.
    pub fn refusal(refusal: Refusal, provider: &Configured) -> Self {
        let view = || ProviderView::from(provider.description());
        match refusal {
            Refusal::Refused(said) => Self::ProviderRefused(view(), said),
            Refusal::OutOfReach(said) => Self::ProviderAway(view(), said),
            Refusal::Nobody => Self::Nobody(view()),
            Refusal::NotAllowed => Self::NotAllowed,
            Refusal::Store(error) => error.into(),
        }
    }

    /// What programs know it by.
    fn code(&self) -> &'static str {
        match self {
            Self::CrossOrigin => "cross_origin",
            Self::NotFound => "not_found",
            Self::SignedOut => "signed_out",
            Self::NotPending(_) => "not_pending",
            Self::ProviderRefused(..) => "provider_refused",
            Self::ProviderAway(..) => "provider_away",
            Self::Nobody(_) => "nobody",
            Self::NotAllowed => "not_on_the_list",
            Self::BadQuery(..) | Self::BadForm(..) => "bad_parameter",
            Self::LinkUsed => "link_used",
            Self::NotYours => "not_yours",
            Self::LastWayIn => "last_way_in",
            Self::OwnersOnly => "owners_only",
            Self::LastOwner => "last_owner",
            Self::InvitationUsed => "invitation_used",
            Self::LacksScope(_) => "lacks_scope",
            Self::NoSuchKey => "no_such_key",
            Self::CursorTooOld => "cursor_too_old",
            Self::WrongMethod(_) => "wrong_method",
            Self::TooOften(_) => "too_often",
            Self::StoreAway(_) => "store_away",
            Self::Broken(_) => "broken",
            Self::Refused(_) => "refused",
        }
    }

    /// The parameter at fault, where one is.
    fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::BadQuery(name, _) | Self::BadForm(name, _) => Some(name),
            Self::CursorTooOld => Some("cursor"),
            _ => None,
        }
    }

    /// How long to leave us alone before trying again.
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::StoreAway(_) => Some(RETRY),
            Self::TooOften(wait) => Some(whole(*wait)),
            _ => None,
        }
    }

    fn told(&self) -> Told {
        let nothing = "Nothing was stored.".to_owned();
        match self {
            Self::CrossOrigin => Told {
                status: StatusCode::FORBIDDEN,
                title: "This form came from somewhere else".into(),
                what: "Tributary takes forms from its own pages only, and this one was sent by another site.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to Tributary"),
            },
            Self::NotFound => Told {
                status: StatusCode::NOT_FOUND,
                title: "There is nothing here".into(),
                what: "The address may be mistyped, or what it named belongs to another workspace or has been removed.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::SignedOut => Told {
                status: StatusCode::UNAUTHORIZED,
                title: "You are not signed in".into(),
                what: "Connect an account to sign in.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::NotPending(provider) => Told {
                status: StatusCode::BAD_REQUEST,
                title: format!("This approval of {} cannot be used", provider.name),
                what: "It was not begun in this browser, took longer than ten minutes, or has been used already, as when the page is loaded again.".into(),
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::ProviderRefused(provider, said) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} did not connect", provider.name),
                what: match said.as_str() {
                    "" => format!("{} refused and gave no reason.", provider.name),
                    said => format!("{} said: “{said}”.", provider.name),
                },
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::ProviderAway(provider, said) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} cannot be reached", provider.name),
                what: format!("We asked {} to finish the approval and got no usable answer: {said}.", provider.name),
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::Nobody(provider) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} did not say who you are", provider.name),
                what: "An account can be connected without that, but it cannot sign anybody in. Sign in with another account first, then connect this one.".into(),
                kept: nothing,
                action: Action::home("Go to the start"),
            },
            Self::NotAllowed => Told {
                status: StatusCode::FORBIDDEN,
                title: "You are not on the list".into(),
                what: "Whoever hosts this Tributary decides who may sign in, and this account is not among them. Ask them to add you.".into(),
                kept: nothing,
                action: Action::home("Go to the start"),
            },
            Self::BadQuery(name, problem) => Told {
                status: StatusCode::BAD_REQUEST,
                title: "This address cannot be read".into(),
                what: format!("Its parameter “{name}” {problem}."),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::BadForm(name, problem) => Told {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                title: "This form cannot be taken".into(),
                what: format!("Its field “{name}” {problem}."),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::LinkUsed => Told {
                status: StatusCode::NOT_FOUND,
                title: "This link cannot be used".into(),
                what: "It has been used already, is older than fifteen minutes, or is not whole. Ask whoever hosts this Tributary for another one.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::NotYours => Told {
                status: StatusCode::CONFLICT,
                title: "This account cannot sign you in".into(),
                what: "It signs somebody else in already, or somebody else approved it. A way in is never taken from anybody.".into(),
                kept: "Nothing was changed; the connection works as before.".into(),
                action: Action::home("Go to the start"),
            },
            Self::LastWayIn => Told {
                status: StatusCode::CONFLICT,
                title: "This is your last way in".into(),
                what: "Without it you could not sign in again. Add another one first.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show sign-ins".into(), href: urls::sessions().into() },
            },
            Self::OwnersOnly => Told {
                status: StatusCode::FORBIDDEN,
                title: "Owners only".into(),
                what: "Who belongs to a workspace, and what it is called, is for its owners to say. Ask one of them.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show the workspace".into(), href: urls::workspace().into() },
            },
            Self::LastOwner => Told {
                status: StatusCode::CONFLICT,
                title: "A workspace needs an owner".into(),
                what: "This is the last one. Make somebody else an owner first.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show the workspace".into(), href: urls::workspace().into() },
            },
            Self::InvitationUsed => Told {
                status: StatusCode::NOT_FOUND,
                title: "This invitation has ended".into(),
                what: "It has been used already, is older than three days, was made by somebody who is no owner of the workspace any more, or its link is not whole. Ask an owner for another one.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::LacksScope(scope) => Told {
                status: StatusCode::FORBIDDEN,
                title: "This key is not good for that".into(),
                what: format!("It lacks the scope “{scope}”. Make another key that has it."),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show API keys".into(), href: urls::keys().into() },
            },
            Self::NoSuchKey => Told {
                status: StatusCode::UNAUTHORIZED,
                title: "This key opens nothing".into(),
                what: "It is unknown, has expired or was revoked. Send a good one as “Authorization: Bearer …”.".into(),
                kept: String::new(),
                action: Action::Link { label: "Show API keys".into(), href: urls::keys().into() },
            },
            Self::CursorTooOld => Told {
                status: StatusCode::GONE,
                title: "This cursor is too old".into(),
                what: format!("Changes are kept for {} days, and some behind this cursor are not there any more. Read the whole list again, and follow the changes from their beginning.", store::CHANGES_KEPT.as_secs() / 86_400),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::WrongMethod(allowed) => Told {
                status: StatusCode::METHOD_NOT_ALLOWED,
                title: "This address is asked otherwise".into(),
                what: format!("It takes {allowed}."),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::TooOften(wait) => Told {
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "That was often".into(),
                what: format!("So many requests came from you in so short a time that this one was turned away. Try again in {}.", length(whole(*wait))),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::StoreAway(_) => Told {
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "One moment, please".into(),
                what: "Tributary cannot reach one of its stores just now. Try again in a few seconds.".into(),
                kept: "Everything stored is safe, and imports go on by themselves.".into(),
                action: Action::home("Try again"),
            },
            Self::Broken(_) => Told {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                title: "Something went wrong here".into(),
                what: "It is our fault and it has been noted. Trying again may help.".into(),
                kept: "What was stored before is untouched.".into(),
                action: Action::home("Go to the start"),
            },
            Self::Refused(status) => Told {
                status: *status,
                title: status.canonical_reason().unwrap_or("This cannot be done").into(),
                what: "The request was not one that this address takes.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
        }
    }
}

struct Told {
    status: StatusCode,
    title: String,
    what: String,
    kept: String,
    action: Action,
}

/// The one thing to do next.
pub enum Action {
    Link { label: String, href: String },
    Connect(ProviderView),
}

impl Action {
    fn home(label: &str) -> Self {
        Self::Link {
            label: label.into(),
            href: urls::home().into(),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html", blocks = ["message"])]
struct ErrorPage {
    chrome: Chrome,
    status: u16,
    title: String,
    what: String,
    kept: String,
    action: Action,
    reference: String,
}

impl ErrorPage {
    fn new(told: Told, chrome: Chrome, reference: String) -> Self {
        Self {
            chrome: Chrome {
                title: told.title.clone(),
                // What stands in the address of an error may be a code.
                page: String::new(),
                ..chrome
            },
            status: told.status.as_u16(),
            title: told.title,
            what: told.what,
            kept: told.kept,
            action: told.action,
            reference: match told.status.is_server_error() {
                true => reference,
                false => String::new(),
            },
        }
    }
}

/// What is said of it on a page that is open already.
pub fn message(error: &WebError) -> Result<String> {
    let chrome = Chrome::new("", Here::Nowhere, None);
    let page = ErrorPage::new(error.told(), chrome, String::new());
    Ok(page.as_message().render()?)
}

/// After this a store that is away is worth another try.
const RETRY: Duration = Duration::from_secs(2);

/// A length of time in whole seconds, not shorter than it was.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// Who is told, and how.
struct Listener {
    /// A program, which reads JSON.
    program: bool,
    fragment: bool,
    htmx: bool,
    chrome: Chrome,
    reference: String,
}

fn draw_for(error: &WebError, listener: Listener) -> HttpResponse {
    let told = error.told();
    let mut response = match listener.program {
        true => problem_for(error, &told),
        false => page_for(error, told, listener),
    };
    let headers = response.headers_mut();
    if let Some(wait) = error.wait() {
        headers.insert(RETRY_AFTER, wait.as_secs().into());
    }
    if let WebError::WrongMethod(allowed) = error
        && let Ok(allowed) = HeaderValue::from_str(allowed)
    {
        headers.insert(ALLOW, allowed);
    }
    response
}

fn page_for(error: &WebError, told: Told, listener: Listener) -> HttpResponse {
    let mut response = HttpResponse::build(told.status);
    response.insert_header(fragment::vary());
    if matches!(error, WebError::SignedOut) {
        let home = HeaderValue::from_static(urls::home());
        if listener.htmx {
            response.insert_header((HeaderName::from_static("hx-redirect"), home));
        } else {
            response
                .status(StatusCode::SEE_OTHER)
                .insert_header((LOCATION, home));
        }
    }
    let page = ErrorPage::new(told, listener.chrome, listener.reference);
    let html = if listener.fragment {
        page.as_message().render()
    } else {
        page.render()
    };
    response
        .content_type("text/html; charset=utf-8")
        .body(html.unwrap_or_else(|_| "Something went wrong.".into()))
}

fn problem_for(error: &WebError, told: &Told) -> HttpResponse {
    let parameter = error.parameter();
    let mut response = api::problem(
        told.status,
        error.code(),
        &told.title,
        &told.what,
        parameter,
    );
    if told.status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    response
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.told().status
    }

    /// Drawn again by [`draw`], which knows who asks.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// An error that comes without its request: to keep a copy of the request until it comes back would
/// make actix's routing panic. It draws itself.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct Orphan {
    error: WebError,
    program: bool,
    fragment: bool,
    https: bool,
    scheme: Scheme,
    reference: String,
}

impl ResponseError for Orphan {
    fn status_code(&self) -> StatusCode {
        self.error.told().status
    }

    fn error_response(&self) -> HttpResponse {
        let chrome = Chrome {
            scheme: self.scheme,
            ..Chrome::new("", Here::Nowhere, None)
        };
        let listener = Listener {
            program: self.program,
            fragment: self.fragment,
            htmx: self.fragment,
            chrome,
            reference: self.reference.clone(),
        };
        let mut response = draw_for(&self.error, listener);
        headers::apply(response.headers_mut(), self.https);
        response
    }
}

/// Draws every error once, as the page or the fragment that was asked for.
pub async fn draw(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let program = api::is_below(req.path());
    let fragment = fragment::is_wanted(req.request());
    let head = req.method() == Method::HEAD;
    let https = headers::is_https(&req);
    let reference = req
        .extensions()
        .get::<RequestId>()
        .map(ToString::to_string)
        .unwrap_or_default();
    let response = match next.call(req).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            let error =
                WebError::of_session(&error).unwrap_or_else(|| WebError::Broken(error.to_string()));
            note(&error, &reference);
            return Err(Orphan {
                error,
                program,
                fragment,
                https,
                scheme: Asked::now().scheme,
                reference,
            }
            .into());
        }
    };
    let status = response.status();
    let refused = WebError::Refused(status);
    let has_body = response.headers().contains_key(CONTENT_TYPE);
    let drawn = match response.response().error() {
        Some(error) => {
            let error = error.as_error::<WebError>().unwrap_or(&refused);
            draw_here(error, &response, fragment, &reference)
        }
        // The framework's own refusal: a bare status.
        None if status.is_client_error() && !has_body && !head => {
            draw_here(&refused, &response, fragment, &reference)
        }
        None => return Ok(response),
    };
    Ok(response.into_response(drawn))
}

fn draw_here(
    error: &WebError,
    response: &ServiceResponse,
    fragment: bool,
    reference: &str,
) -> HttpResponse {
    note(error, reference);
    let extensions = response.request().extensions();
    let sign_in = extensions.get::<Who>().and_then(|who| who.0.as_ref());
    let chrome = Chrome::new("", Here::Nowhere, sign_in);
    draw_for(
        error,
        Listener {
            program: api::is_below(response.request().path()),
            fragment,
            htmx: fragment::is_htmx(response.request()),
            chrome,
            reference: reference.to_owned(),
        },
    )
}

/// Causes are logged here, once, with the id that the person can quote.
fn note(error: &WebError, reference: &str) {
    match error {
        WebError::StoreAway(_) | WebError::Broken(_) => {
            tracing::error!(request.id = reference, "{error}")
        }
        WebError::ProviderRefused(..) | WebError::ProviderAway(..) => {
            tracing::warn!(request.id = reference, "{error}")
        }
        _ => tracing::debug!(request.id = reference, "{error}"),
    }
}

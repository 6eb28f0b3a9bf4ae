//! How an error is answered: as the page, the fragment or the problem that was asked for.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use askama::Template;

use super::appearance::{Asked, Scheme};
use super::error_words::{Action, Told};
use super::errors::{Result, WebError};
use super::guard::Who;
use super::headers;
use super::log::RequestId;
use super::page::{Chrome, Here};
use super::{api, fragment, urls};

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

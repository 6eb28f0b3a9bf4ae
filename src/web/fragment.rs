//! Page or fragment: one address serves both.

use actix_web::http::header::{HeaderName, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};

/// htmx says so only where it will swap a part; boosted links and restored history want the page.
pub fn is_wanted(req: &HttpRequest) -> bool {
    req.headers()
        .get("HX-Request-Type")
        .is_some_and(|value| value == "partial")
}

/// Whether htmx asks at all: then a redirect must be a header, for fetch would follow any other.
pub fn is_htmx(req: &HttpRequest) -> bool {
    req.headers().contains_key("HX-Request")
}

/// The id of the place that htmx will put the answer in; it names it as `tag#id`.
pub fn target(req: &HttpRequest) -> Option<&str> {
    let target = req.headers().get("HX-Target")?.to_str().ok()?;
    target.rsplit_once('#').map(|(_, id)| id)
}

/// What stands in the address bar while htmx asks.
pub fn current_url(req: &HttpRequest) -> Option<&str> {
    req.headers().get("HX-Current-URL")?.to_str().ok()
}

/// Sends the browser, not only the fetch, to `url`.
pub fn redirect(req: &HttpRequest, url: &str) -> HttpResponse {
    if is_htmx(req) {
        HttpResponse::Ok()
            .insert_header(("HX-Redirect", url))
            .finish()
    } else {
        HttpResponse::SeeOther()
            .insert_header(("Location", url))
            .finish()
    }
}

/// Tells caches that both forms come from one address.
pub fn vary() -> (HeaderName, HeaderValue) {
    (VARY, HeaderValue::from_static("HX-Request-Type"))
}

/// An answer of HTML in either form.
pub fn html(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(vary())
        .content_type("text/html; charset=utf-8")
        .body(body)
}

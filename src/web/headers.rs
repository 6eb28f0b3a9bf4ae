//! What every answer tells the browser about itself.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::App;

/// Our own files only, and nothing inline. `form-action` is left out: Chromium applies it to every
/// redirect after a form, so it would stop "Connect", whose way leads to the provider.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const ALWAYS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// Two years, as preload lists ask; only where we are reached by https at all.
const HSTS: (&str, &str) = ("strict-transport-security", "max-age=63072000");

fn set(headers: &mut HeaderMap, (name, value): (&'static str, &'static str)) {
    headers.insert(
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    );
}

/// The headers of every answer. Whatever does not say that it may be kept, may not.
pub fn apply(headers: &mut HeaderMap, https: bool) {
    ALWAYS.into_iter().for_each(|header| set(headers, header));
    if https {
        set(headers, HSTS);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        set(headers, ("cache-control", "no-store"));
    }
}

/// Whether browsers reach us by https.
pub fn is_https(req: &ServiceRequest) -> bool {
    let app = req.app_data::<web::Data<App>>();
    app.is_some_and(|app| app.is_https())
}

pub async fn secure(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let https = is_https(&req);
    let mut response = next.call(req).await?;
    apply(response.headers_mut(), https);
    Ok(response)
}

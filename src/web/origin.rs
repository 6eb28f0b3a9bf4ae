//! Forms are taken from our own pages only; who brings a key brings no cookie that counts.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::App;
use super::errors::WebError;
use super::guard;

/// Lets through what reads, what our own pages send, and what no browser sends.
pub async fn check(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = req
        .app_data::<web::Data<App>>()
        .expect("the application is set up")
        .clone();
    if is_safe(req.method())
        || guard::brings_key(req.request())
        || is_ours(req.headers(), &app.origin())
    {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    Ok(req.error_response(WebError::CrossOrigin))
}

fn is_safe(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// A browser's own word first, which no page can set; its older one next; without either it is no
/// browser, and nobody's cookies are at stake.
fn is_ours(headers: &HeaderMap, origin: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    headers.get(ORIGIN).is_none_or(|sent| sent == origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn sent(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        is_ours(&headers, "http://localhost:8000")
    }

    #[test]
    fn the_browsers_word_decides_and_then_the_origin() {
        assert!(sent(&[("sec-fetch-site", "same-origin")]));
        assert!(sent(&[("sec-fetch-site", "none")]));
        assert!(!sent(&[("sec-fetch-site", "same-site")]));
        assert!(!sent(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost:8000")
        ]));
        assert!(sent(&[("origin", "http://localhost:8000")]));
        assert!(!sent(&[("origin", "http://localhost:8001")]));
        assert!(!sent(&[("origin", "null")]));
        assert!(sent(&[]));
    }
}

//! `GET /docs/errors`: what each error code means; every problem links to its place there.

use actix_web::HttpResponse;

const ERRORS: &str = include_str!("../../docs/errors.md");

/// `GET /docs/errors`
pub async fn errors_show() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/markdown; charset=utf-8")
        .body(ERRORS)
}

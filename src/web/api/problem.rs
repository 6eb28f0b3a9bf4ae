//! Errors as RFC 9457 has them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

use crate::web::urls;

/// What goes wrong, for programs. `parameter` names the one at fault, where one is.
pub fn problem(
    status: StatusCode,
    code: &str,
    title: &str,
    detail: &str,
    parameter: Option<&str>,
) -> HttpResponse {
    let mut body = json!({
        "type": urls::error(code),
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    if let Some(parameter) = parameter {
        body["parameter"] = parameter.into();
    }
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .body(body.to_string())
}

//! Errors as RFC 9457 has them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::urls;

/// How problems are written.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Where it is explained.
    #[serde(rename = "type")]
    place: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    /// The parameter at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
}

/// What goes wrong, for programs. `parameter` names the one at fault, where one is.
pub fn problem(
    status: StatusCode,
    code: &str,
    title: &str,
    detail: &str,
    parameter: Option<&str>,
) -> HttpResponse {
    let problem = Problem {
        place: urls::error(code),
        title,
        status: status.as_u16(),
        code,
        detail,
        parameter,
    };
    HttpResponse::build(status)
        .insert_header((actix_web::http::header::CONTENT_TYPE, CONTENT_TYPE))
        .json(problem)
}

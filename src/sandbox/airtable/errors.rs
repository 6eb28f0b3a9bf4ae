use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError, body::BoxBody};
use serde_json::{Value, json};

/// A refusal, as Airtable words it.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub body: Value,
}

impl ApiError {
    /// The shape most of the API's errors have.
    fn new(status: StatusCode, kind: &str, message: &str) -> ApiError {
        ApiError {
            status,
            body: json!({ "error": { "type": kind, "message": message } }),
        }
    }

    fn unprocessable(kind: &str, message: &str) -> ApiError {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, kind, message)
    }
}

/// The request carries no token at all.
pub fn no_token() -> ApiError {
    let message = "Authentication required";
    ApiError::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_REQUIRED", message)
}

/// The token is unreadable, expired, replaced or revoked; which of these is not told.
pub fn bad_token() -> ApiError {
    let message = "Invalid authentication token";
    ApiError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
}

/// A scope is missing, or what was asked for is gone or was never granted: not told apart either.
pub fn not_permitted() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found. Check that both your user and your token have \
         the required permissions, and that the model names and/or ids are correct.",
    )
}

/// No such path.
pub fn no_such_path() -> ApiError {
    ApiError {
        status: StatusCode::NOT_FOUND,
        body: json!({ "error": { "type": "NOT_FOUND" } }),
    }
}

/// No such record, or an id that can be none.
pub fn no_such_record() -> ApiError {
    ApiError {
        status: StatusCode::NOT_FOUND,
        body: json!({ "error": "NOT_FOUND" }),
    }
}

/// No table of this name, or no longer.
pub fn no_such_table(name: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "TABLE_NOT_FOUND",
        &format!("Could not find table {name} in this base"),
    )
}

/// A parameter cannot be used.
pub fn invalid(parameter: &str) -> ApiError {
    ApiError::unprocessable(
        "INVALID_REQUEST_UNKNOWN",
        &format!(
            "Invalid request: parameter validation failed. Check your request data ({parameter})."
        ),
    )
}

pub fn bad_formula(why: &str) -> ApiError {
    ApiError::unprocessable(
        "INVALID_FILTER_BY_FORMULA",
        &format!("The formula for filtering records is invalid: {why}"),
    )
}

pub fn unknown_field(name: &str) -> ApiError {
    ApiError::unprocessable(
        "UNKNOWN_FIELD_NAME",
        &format!("Unknown field name: \"{name}\""),
    )
}

/// The offset is none that was given out for this list, or it was given out too long ago.
pub fn no_such_iterator() -> ApiError {
    ApiError {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        body: json!({ "error": { "type": "LIST_RECORDS_ITERATOR_NOT_AVAILABLE" } }),
    }
}

/// The body is no JSON.
pub fn unreadable() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "INVALID_REQUEST_BODY",
        "Could not parse request body",
    )
}

/// The address is longer than Airtable reads.
pub fn too_long() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "REQUEST_TOO_LARGE",
        "The URL is longer than 16,000 characters",
    )
}

/// Too many requests in a second; for how long everything is refused is not told.
pub fn too_many() -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMIT_REACHED",
        "Rate limit exceeded. Please try again later",
    )
}

/// The same in the form it had before.
pub fn too_many_plural() -> ApiError {
    ApiError {
        status: StatusCode::TOO_MANY_REQUESTS,
        body: json!({
            "errors": [{
                "error": "RATE_LIMIT_REACHED",
                "message": "Rate limit exceeded. Please try again later",
            }],
        }),
    }
}

/// The workspace has spent its calls of the month: waiting does not help.
pub fn calls_spent() -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "PUBLIC_API_BILLING_LIMIT_EXCEEDED",
        "The API billing plan limit of this workspace has been exceeded",
    )
}

/// Airtable's own fault.
pub fn internal() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "SERVER_ERROR",
        "An unexpected error occurred",
    )
}

/// Airtable asks for the same request again, in its shortest form.
pub fn try_again() -> ApiError {
    ApiError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        body: json!({ "error": "RETRIABLE_ERROR" }),
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(&self.body)
    }
}

impl Responder for ApiError {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

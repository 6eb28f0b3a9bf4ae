use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError, body::BoxBody};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::limits::Budget;

const SCOPES_GUIDE: &str = "https://developers.hubspot.com/scopes";

/// A refusal, as HubSpot words it.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub body: Value,
}

impl ApiError {
    /// The shape nearly all of HubSpot's errors share; `more` adds to it.
    fn new(status: StatusCode, category: &str, message: &str, more: Value) -> ApiError {
        let mut body = json!({
            "status": "error",
            "message": message,
            "correlationId": correlation_id(),
            "category": category,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        ApiError { status, body }
    }
}

/// The token is missing, unreadable or no longer worth anything.
pub fn no_credentials() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more \
         details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        Value::Null,
    )
}

/// The token was good until `at`.
pub fn expired(at: DateTime<Utc>, now: DateTime<Utc>) -> ApiError {
    let ago = (now - at).num_minutes().max(0);
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "EXPIRED_AUTHENTICATION",
        &format!("The OAuth token used to make this call expired {ago} minute(s) ago."),
        json!({ "context": { "expire time": [at.to_rfc3339_opts(SecondsFormat::Millis, true)] } }),
    )
}

/// The token is good, but not for this; not every answer says what it would take.
pub fn missing_scope(scope: Option<&str>) -> ApiError {
    let mut more = json!({ "links": { "scopes": SCOPES_GUIDE } });
    if let Some(scope) = scope {
        more["errors"] = json!([{
            "message": "One or more of the following scopes are required.",
            "context": { "requiredGranularScopes": [scope] },
        }]);
    }
    ApiError::new(
        StatusCode::FORBIDDEN,
        "MISSING_SCOPES",
        &format!(
            "This app hasn't been granted all required scopes to make this call. Read more about required scopes \
             here: {SCOPES_GUIDE}."
        ),
        more,
    )
}

/// A parameter cannot be used.
pub fn invalid(parameter: &str, message: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "VALIDATION_ERROR",
        &format!("Invalid input: {message}"),
        json!({
            "errors": [{
                "message": message,
                "code": "INVALID_PARAMETER",
                "context": { "propertyName": [parameter] },
            }],
        }),
    )
}

/// No such record: deleted, merged away or another account's.
pub fn no_such_object() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "OBJECT_NOT_FOUND",
        "resource not found",
        Value::Null,
    )
}

/// No such path.
pub fn no_such_path(path: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "OBJECT_NOT_FOUND",
        "resource not found",
        json!({ "context": { "path": [path] } }),
    )
}

/// A page by somebody who knows nothing of the API.
pub fn too_long() -> HttpResponse {
    HttpResponse::UriTooLong()
        .content_type("text/html")
        .body("<html><body><h1>414 Request-URI Too Large</h1></body></html>\r\n")
}

/// A record somebody else is changing at this moment.
pub fn locked() -> ApiError {
    ApiError::new(
        StatusCode::LOCKED,
        "CONFLICT",
        "This resource is currently locked. Please try again in a few seconds.",
        Value::Null,
    )
}

/// HubSpot's own fault.
pub fn internal() -> ApiError {
    ApiError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        body: json!({
            "status": "error",
            "message": "internal error",
            "correlationId": correlation_id(),
        }),
    }
}

/// Too many requests; the wait is not told.
pub fn too_many(budget: Budget) -> ApiError {
    let (policy, message) = match budget {
        Budget::Search => ("SECONDLY", "You have reached your secondly limit."),
        Budget::General | Budget::Associations => (
            "TEN_SECONDLY_ROLLING",
            "You have reached your ten_secondly_rolling limit.",
        ),
    };
    ApiError {
        status: StatusCode::TOO_MANY_REQUESTS,
        body: json!({
            "status": "error",
            "message": message,
            "errorType": "RATE_LIMIT",
            "correlationId": correlation_id(),
            "policyName": policy,
            "groupName": "publicapi:sandbox:oauth",
        }),
    }
}

/// The id that HubSpot's support asks for.
pub fn correlation_id() -> String {
    let bits = format!("{:032x}", rand::random::<u128>());
    format!(
        "{}-{}-{}-{}-{}",
        &bits[..8],
        &bits[8..12],
        &bits[12..16],
        &bits[16..20],
        &bits[20..]
    )
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
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("x-hubspot-auth-failure", "401 Unauthorized"));
        }
        response.json(&self.body)
    }
}

impl Responder for ApiError {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

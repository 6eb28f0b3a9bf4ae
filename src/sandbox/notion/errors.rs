use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder, ResponseError};
use actix_web::{body::BoxBody, http::header::WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::versions::Version;

const REQUEST_ID: &str = "x-notion-request-id";

/// A refusal, as Notion words it.
#[derive(Debug)]
pub struct ApiError {
    status: u16,
    body: Value,
    /// Seconds to wait, where Notion tells.
    wait: Option<u64>,
}

impl ApiError {
    /// The shape that every error of the API has.
    fn new(status: u16, code: &str, message: &str) -> ApiError {
        ApiError {
            status,
            body: json!({
                "object": "error",
                "status": status,
                "code": code,
                "message": message,
            }),
            wait: None,
        }
    }

    fn with(mut self, additional: Value) -> ApiError {
        self.body["additional_data"] = additional;
        self
    }

    fn after(mut self, seconds: u64) -> ApiError {
        self.wait = Some(seconds);
        self
    }

    /// The shape of RFC 6749, which the endpoints for tokens use.
    fn oauth(status: u16, error: &str, description: Option<&str>) -> ApiError {
        let mut body = json!({ "error": error });
        if let Some(description) = description {
            body["error_description"] = description.into();
        }
        ApiError {
            status,
            body,
            wait: None,
        }
    }
}

/// Why a limit was met; what the client has to do depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Connection,
    Workspace,
    Endpoint,
}

impl Limit {
    fn reason(self) -> &'static str {
        match self {
            Limit::Connection => "public_api_request_rate_limit",
            Limit::Workspace => "public_api_space_request_rate_limit",
            Limit::Endpoint => "public_api_endpoint_rate_limit",
        }
    }
}

/// No such path, or not with this method or in this version.
pub fn invalid_url() -> ApiError {
    ApiError::new(400, "invalid_request_url", "Invalid request URL.")
}

/// The token is missing, unknown, expired or revoked: Notion does not tell which.
pub fn unauthorized() -> ApiError {
    ApiError::new(401, "unauthorized", "API token is invalid.")
}

/// The header is there, but is not a bearer's.
pub fn not_a_bearer() -> ApiError {
    ApiError::new(
        401,
        "unauthorized",
        "The Authorization header must carry a bearer token.",
    )
}

pub fn missing_version(given: Option<&str>) -> ApiError {
    let message = match given {
        None => {
            "Notion-Version header failed validation: Notion-Version header should be defined, \
                 instead was `undefined`."
                .to_owned()
        }
        Some(given) => format!(
            "Notion-Version header failed validation: Notion-Version header should be {}, instead \
             was `\"{given}\"`.",
            Version::list()
        ),
    };
    ApiError::new(400, "missing_version", &message)
}

pub fn invalid_json() -> ApiError {
    ApiError::new(400, "invalid_json", "Error parsing JSON body.")
}

/// Something in the body, the query or the path cannot be used.
pub fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "validation_error", message)
}

/// The person who connected did not let the app do this.
pub fn restricted() -> ApiError {
    ApiError::new(
        403,
        "restricted_resource",
        "Insufficient permissions for this endpoint.",
    )
}

/// Missing or not shared, which is the same from outside.
pub fn not_found(kind: &str, id: &str) -> ApiError {
    ApiError::new(
        404,
        "object_not_found",
        &format!(
            "Could not find {kind} with ID: {id}. Make sure the relevant pages and databases are \
             shared with your integration \"Tributary\"."
        ),
    )
}

/// Two changes met.
pub fn conflict() -> ApiError {
    ApiError::new(
        409,
        "conflict_error",
        "Conflict occurred while saving. Please try again.",
    )
}

/// Too many requests; for `seconds` there will be no other answer.
pub fn rate_limited(limit: Limit, seconds: u64) -> ApiError {
    ApiError::new(
        429,
        "rate_limited",
        "You have been rate limited. Please try again in a few minutes.",
    )
    .with(json!({
        "rate_limit_reason": limit.reason(),
        "retry_after": seconds.to_string(),
    }))
    .after(seconds)
}

/// Refused for good; waiting does not help.
pub fn blocked() -> ApiError {
    ApiError::new(
        429,
        "rate_limited",
        "Requests from this connection have been blocked.",
    )
    .with(json!({ "rate_limit_reason": "public_api_request_blocked" }))
}

pub fn internal() -> ApiError {
    ApiError::new(500, "internal_server_error", "Unexpected error occurred.")
}

/// The server's own deadline has passed.
pub fn unavailable() -> ApiError {
    ApiError::new(
        503,
        "service_unavailable",
        "Notion is unavailable, please try again later.",
    )
    .with(json!({ "retry_guidance": ["Ask for fewer results at once (page_size)."] }))
}

pub fn gateway_timeout() -> ApiError {
    ApiError::new(504, "gateway_timeout", "The request took too long.")
}

/// More than Notion can do at the moment; not this client's fault.
pub fn overloaded(seconds: u64) -> ApiError {
    ApiError::new(
        529,
        "service_overload",
        "The service is overloaded. Please try again later.",
    )
    .after(seconds)
}

/// Wrong credentials of the app itself, or none where they belong.
pub fn invalid_client() -> ApiError {
    ApiError::oauth(401, "invalid_client", None)
}

/// The code or refresh token is not worth anything.
pub fn invalid_grant(description: &str) -> ApiError {
    ApiError::oauth(400, "invalid_grant", Some(description))
}

/// The body of a token request cannot be used.
pub fn invalid_request(description: &str) -> ApiError {
    ApiError::oauth(400, "invalid_request", Some(description))
}

pub fn unsupported_grant_type() -> ApiError {
    ApiError::oauth(400, "unsupported_grant_type", None)
}

/// A good answer; like every answer of Notion's it has an id, in its head and in its body.
pub fn answer(body: Value) -> HttpResponse {
    finish(HttpResponse::Ok(), body)
}

fn finish(mut response: HttpResponseBuilder, mut body: Value) -> HttpResponse {
    let id = request_id();
    body["request_id"] = id.as_str().into();
    response.insert_header((REQUEST_ID, id)).json(body)
}

fn request_id() -> String {
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
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.wait {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.body["error"] == "invalid_client" {
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"OAuth\""));
        }
        finish(response, self.body.clone())
    }
}

impl Responder for ApiError {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

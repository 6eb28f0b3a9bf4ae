//! What Notion's answers mean that are not what was asked for.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Answer, Failure, FailureKind, retry_after};

/// In which calls are counted, and after which there is room again whatever happened.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Every field of an error is optional, and a proxy's answer has none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    additional_data: Value,
}

impl ErrorBody {
    fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Whether the connection is refused for good, in the clothes of a limit.
    fn is_blocked(&self) -> bool {
        self.additional_data["rate_limit_reason"] == "public_api_request_blocked"
    }

    /// The wait that the body repeats, for where the header was lost on the way.
    fn wait(&self) -> Option<Duration> {
        let seconds = match &self.additional_data["retry_after"] {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        seconds.map(Duration::from_secs)
    }
}

/// By status and code alone: Notion changes its words without notice.
pub fn read_failure(answer: &Answer) -> Failure {
    let body = ErrorBody::of(answer);
    let code = body.code.as_deref();
    let asked = retry_after(&answer.headers).or_else(|| body.wait());
    let (kind, wait) = match (answer.status.as_u16(), code) {
        (401, _) => (FailureKind::Unauthorized, None),
        (429, _) if body.is_blocked() => (FailureKind::Refused, None),
        (429, _) => (FailureKind::Limited, asked.or(Some(WINDOW))),
        (529, _) => (FailureKind::Limited, asked),
        (409 | 500.., _) => (FailureKind::Passing, asked),
        // Not Notion, but something before it.
        (_, None) => (FailureKind::Passing, asked),
        (403, _) => (FailureKind::Forbidden, None),
        (404, _) => (FailureKind::NotFound, None),
        // Only the words say which field is not valid. Ours are always the same but for ids and
        // cursors, so whoever sent a cursor has lost it, and whoever sent an id meant something else.
        (400, Some("validation_error")) => (FailureKind::CursorLost, None),
        _ => (FailureKind::Refused, None),
    };
    let status = || format!("status {}", answer.status.as_u16());
    Failure::new(kind, &body.message.clone().unwrap_or_else(status)).after(wait)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::providers::is_invalid_grant;

    fn answer(status: u16, wait: Option<&'static str>, body: &str) -> Answer {
        let mut headers = http::HeaderMap::new();
        if let Some(seconds) = wait {
            headers.insert("retry-after", http::HeaderValue::from_static(seconds));
        }
        Answer {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_owned().into(),
        }
    }

    fn failure(status: u16, code: &str) -> Failure {
        let body = json!({"object": "error", "status": status, "code": code, "message": "Said."});
        read_failure(&answer(status, None, &body.to_string()))
    }

    #[test]
    fn each_status_and_code_is_the_failure_that_notion_means() {
        use FailureKind::*;
        for (status, code, kind) in [
            (401, "unauthorized", Unauthorized),
            (403, "restricted_resource", Forbidden),
            (404, "object_not_found", NotFound),
            (400, "validation_error", CursorLost),
            (400, "missing_version", Refused),
            (400, "invalid_json", Refused),
            (400, "invalid_request_url", Refused),
            (400, "invalid_request", Refused),
            (400, "invalid_beta", Refused),
            (409, "conflict_error", Passing),
            (429, "rate_limited", Limited),
            (500, "internal_server_error", Passing),
            (502, "bad_gateway", Passing),
            (503, "service_unavailable", Passing),
            (503, "database_connection_unavailable", Passing),
            (504, "gateway_timeout", Passing),
            (529, "service_overload", Limited),
        ] {
            let failure = failure(status, code);
            assert_eq!((failure.kind, &*failure.said), (kind, "Said."), "{code}");
        }
    }

    #[test]
    fn whatever_stands_before_notion_passes() {
        for status in [403, 405, 502, 503, 520, 524] {
            let failure = read_failure(&answer(status, None, "<html>Just a moment…</html>"));
            assert_eq!(failure.kind, FailureKind::Passing, "{status}");
            assert_eq!(failure.said, format!("status {status}"));
        }
    }

    #[test]
    fn a_limit_is_waited_for_as_long_as_it_says_and_a_block_never() {
        let limited = |reason: &str, wait, told: Value| {
            let body = json!({"code": "rate_limited", "message": "Wait.",
                "additional_data": {"rate_limit_reason": reason, "retry_after": told}});
            let failure = read_failure(&answer(429, wait, &body.to_string()));
            (failure.kind, failure.wait.map(|wait| wait.as_secs()))
        };
        let of_connection = "public_api_request_rate_limit";
        let waits = |seconds| (FailureKind::Limited, Some(seconds));
        assert_eq!(limited(of_connection, Some("1"), json!("17")), waits(1));
        assert_eq!(limited(of_connection, None, json!("17")), waits(17));
        assert_eq!(limited(of_connection, None, Value::Null), waits(60));
        for reason in [
            "public_api_space_request_rate_limit",
            "public_api_endpoint_rate_limit",
            "a_reason_of_next_year",
        ] {
            assert_eq!(limited(reason, Some("3600"), Value::Null), waits(3_600));
        }
        let blocked = limited("public_api_request_blocked", Some("1"), json!("1"));
        assert_eq!(blocked, (FailureKind::Refused, None));
        let overload = read_failure(&answer(529, Some("2"), "{}"));
        assert_eq!(overload.wait, Some(Duration::from_secs(2)));
    }

    #[test]
    fn only_a_refused_refresh_token_ends_a_grant() {
        let ends = |status, body: &str| is_invalid_grant(&answer(status, None, body));
        assert!(ends(400, r#"{"error":"invalid_grant","request_id":"7"}"#));
        assert!(ends(
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token."}"#
        ));
        for (status, body) in [
            (401, r#"{"error":"invalid_client","request_id":"7"}"#),
            (400, r#"{"error":"invalid_request"}"#),
            (400, r#"{"error":"unsupported_grant_type"}"#),
            (400, r#"{"object":"error","code":"validation_error"}"#),
            (429, r#"{"object":"error","code":"rate_limited"}"#),
            (500, r#"{"object":"error","code":"internal_server_error"}"#),
            (502, "<html>"),
        ] {
            assert!(!ends(status, body), "{status} {body}");
        }
    }
}

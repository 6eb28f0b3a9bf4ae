//! What Airtable's refusals mean.

use std::time::Duration;

use serde_json::Value;

use crate::client::{Answer, Failure, FailureKind, retry_after};
use crate::providers::is_invalid_grant;

/// Whoever asks too fast is shut out of the base for so long; no answer says it.
const LOCKOUT: Duration = Duration::from_secs(30);

/// What an error is called and, mostly, what is said of it.
struct Said {
    kind: String,
    message: Option<String>,
}

impl Said {
    /// Airtable writes `{"error":{"type","message"}}`, with or without the message,
    /// `{"error":"TYPE"}`, and of old `{"errors":[{"error","message"}]}`; a proxy writes HTML.
    fn of(answer: &Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let error = match &body["errors"][0] {
            Value::Null => &body["error"],
            first => first,
        };
        let kind = [&error["type"], &error["error"], error];
        let kind = kind.into_iter().find_map(Value::as_str);
        Self {
            kind: kind.unwrap_or_default().to_owned(),
            message: error["message"].as_str().map(str::to_owned),
        }
    }

    fn in_words(self, answer: &Answer) -> String {
        let kind = Some(self.kind).filter(|kind| !kind.is_empty());
        let status = || format!("status {}", answer.status.as_u16());
        self.message.or(kind).unwrap_or_else(status)
    }
}

pub fn read_failure(answer: &Answer) -> Failure {
    let said = Said::of(answer);
    let asked = retry_after(&answer.headers);
    let (kind, wait) = match (answer.status.as_u16(), said.kind.as_str()) {
        (401, _) => (FailureKind::Unauthorized, None),
        // A right that is missing, a base that is gone and one that was never shared: not told apart.
        (403, _) => (FailureKind::Forbidden, None),
        (404, _) => (FailureKind::NotFound, None),
        (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED") => (FailureKind::Spent, None),
        (429, _) => (FailureKind::Limited, asked.max(Some(LOCKOUT))),
        (422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE") => (FailureKind::CursorLost, None),
        (408 | 500.., _) => (FailureKind::Passing, asked),
        _ => (FailureKind::Refused, None),
    };
    Failure::new(kind, &said.in_words(answer)).after(wait)
}

/// 409 says that somebody has refreshed a moment ago, whatever its body: what they got is as good.
pub fn ends_grant(answer: &Answer) -> bool {
    answer.status == http::StatusCode::BAD_REQUEST && is_invalid_grant(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str, retry: Option<&'static str>) -> Answer {
        let mut headers = http::HeaderMap::new();
        if let Some(seconds) = retry {
            headers.insert("retry-after", http::HeaderValue::from_static(seconds));
        }
        Answer {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.into(),
        }
    }

    fn kind(status: u16, body: &'static str) -> FailureKind {
        read_failure(&answer(status, body, None)).kind
    }

    #[test]
    fn each_answer_is_the_failure_that_airtable_means() {
        for (status, body, meant) in [
            (
                401,
                r#"{"error":{"type":"AUTHENTICATION_REQUIRED","message":"Authentication required"}}"#,
                FailureKind::Unauthorized,
            ),
            (
                401,
                r#"{"error":{"type":"UNAUTHORIZED","message":"Invalid authentication token"}}"#,
                FailureKind::Unauthorized,
            ),
            (
                403,
                r#"{"error":{"type":"INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND","message":"x"}}"#,
                FailureKind::Forbidden,
            ),
            (
                403,
                r#"{"error":{"type":"INVALID_PERMISSIONS"}}"#,
                FailureKind::Forbidden,
            ),
            (404, r#"{"error":"NOT_FOUND"}"#, FailureKind::NotFound),
            (
                404,
                r#"{"error":{"type":"TABLE_NOT_FOUND","message":"x"}}"#,
                FailureKind::NotFound,
            ),
            (
                404,
                r#"{"error":{"type":"MODEL_ID_NOT_FOUND"}}"#,
                FailureKind::NotFound,
            ),
            (
                422,
                r#"{"error":{"type":"LIST_RECORDS_ITERATOR_NOT_AVAILABLE"}}"#,
                FailureKind::CursorLost,
            ),
            (
                422,
                r#"{"error":"LIST_RECORDS_ITERATOR_NOT_AVAILABLE"}"#,
                FailureKind::CursorLost,
            ),
            (
                422,
                r#"{"error":{"type":"INVALID_FILTER_BY_FORMULA","message":"x"}}"#,
                FailureKind::Refused,
            ),
            (
                422,
                r#"{"error":{"type":"INVALID_REQUEST_UNKNOWN"}}"#,
                FailureKind::Refused,
            ),
            (413, "<html>", FailureKind::Refused),
            (
                400,
                r#"{"error":{"type":"INVALID_REQUEST_BODY"}}"#,
                FailureKind::Refused,
            ),
            (
                500,
                r#"{"error":{"type":"SERVER_ERROR"}}"#,
                FailureKind::Passing,
            ),
            (502, "<html>", FailureKind::Passing),
            (503, r#"{"error":"RETRIABLE_ERROR"}"#, FailureKind::Passing),
            (504, "", FailureKind::Passing),
        ] {
            assert_eq!(kind(status, body), meant, "{status} {body}");
        }
    }

    #[test]
    fn too_many_calls_shut_a_base_for_half_a_minute_in_either_form() {
        for body in [
            r#"{"error":{"type":"RATE_LIMIT_REACHED","message":"Rate limit exceeded."}}"#,
            r#"{"errors":[{"error":"RATE_LIMIT_REACHED","message":"Rate limit exceeded."}]}"#,
            "",
        ] {
            let failure = read_failure(&answer(429, body, None));
            assert_eq!(
                (failure.kind, failure.wait),
                (FailureKind::Limited, Some(LOCKOUT))
            );
        }
        let waits = |seconds| read_failure(&answer(429, "", Some(seconds))).wait;
        assert_eq!(waits("1"), Some(LOCKOUT));
        assert_eq!(waits("60"), Some(Duration::from_secs(60)));
        assert_eq!(
            read_failure(&answer(503, "", Some("7"))).wait,
            Some(Duration::from_secs(7))
        );
    }

    #[test]
    fn a_month_that_is_used_up_is_not_waited_for() {
        let body = r#"{"error":{"type":"PUBLIC_API_BILLING_LIMIT_EXCEEDED","message":"x"}}"#;
        let failure = read_failure(&answer(429, body, Some("1")));
        assert_eq!((failure.kind, failure.wait), (FailureKind::Spent, None));
        assert!(!failure.is_passing());
    }

    #[test]
    fn what_was_said_is_the_message_or_else_the_type_or_else_the_status() {
        for (body, said) in [
            (r#"{"error":{"type":"T","message":"In words"}}"#, "In words"),
            (
                r#"{"errors":[{"error":"T","message":"In words"}]}"#,
                "In words",
            ),
            (r#"{"error":{"type":"T"}}"#, "T"),
            (r#"{"error":"T"}"#, "T"),
            ("<html>", "status 403"),
            ("[]", "status 403"),
        ] {
            assert_eq!(read_failure(&answer(403, body, None)).said, said);
        }
    }

    #[test]
    fn only_an_ended_grant_ends_a_connection() {
        let ended = r#"{"error":"invalid_grant","error_description":"x"}"#;
        assert!(ends_grant(&answer(400, ended, None)));
        for (status, body) in [
            (409, ended),
            (409, ""),
            (401, r#"{"error":"invalid_client"}"#),
            (400, r#"{"error":"invalid_request"}"#),
            (400, r#"{"error":"unsupported_grant_type"}"#),
            (400, "{}"),
            (429, r#"{"error":{"type":"RATE_LIMIT_REACHED"}}"#),
            (500, ended),
            (502, "<html>"),
        ] {
            assert!(!ends_grant(&answer(status, body, None)), "{status} {body}");
        }
    }
}

//! What HubSpot's refusals mean, and what its headers say of the limit.

use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Answer, Budget, Failure, FailureKind, Stated, TokenErrorBody, retry_after};
use crate::providers::is_invalid_grant;

/// HubSpot's window: what to wait when it names no time, and the same for searches.
const WINDOW: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
/// A locked resource wants at least this long.
const LOCKED: Duration = Duration::from_secs(2);
/// What a daily limit is left alone for: nobody waits until midnight.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// HubSpot names the cause in `status`, with or without the standard's `error` beside it.
pub fn ends_grant(answer: &Answer) -> bool {
    let status = TokenErrorBody::of(answer).status;
    is_invalid_grant(answer) || matches!(status.as_deref(), Some("BAD_REFRESH_TOKEN" | "BAD_HUB"))
}

/// Every field of HubSpot's error body is optional, and a proxy's answer has none.
#[derive(Default, Deserialize)]
struct ErrorBody {
    message: Option<String>,
    #[serde(rename = "policyName")]
    policy: Option<String>,
    #[serde(default)]
    errors: Value,
}

impl ErrorBody {
    /// The scopes that HubSpot says are lacking.
    fn scopes(&self) -> Vec<String> {
        let errors = self.errors.as_array().into_iter().flatten();
        let named = errors.filter_map(|it| it["context"]["requiredGranularScopes"].as_array());
        let named = named.flatten().filter_map(Value::as_str);
        named.map(str::to_owned).collect()
    }

    fn wait(&self) -> Duration {
        let message = self.message.as_deref().unwrap_or_default();
        match self.policy.as_deref() {
            Some("DAILY") => DAY,
            Some("SECONDLY") => SECOND,
            _ if message.contains("secondly") && !message.contains("ten_secondly") => SECOND,
            _ => WINDOW,
        }
    }
}

pub fn read_failure(answer: &Answer) -> Failure {
    let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let asked = retry_after(&answer.headers);
    let (kind, wait) = match answer.status.as_u16() {
        401 | 530 => (FailureKind::Unauthorized, None),
        403 => (FailureKind::Forbidden, None),
        404 => (FailureKind::NotFound, None),
        429 => (FailureKind::Limited, Some(body.wait())),
        423 => (FailureKind::Passing, Some(LOCKED)),
        477 | 500..=504 | 521..=524 => (FailureKind::Passing, None),
        _ => (FailureKind::Refused, None),
    };
    let status = || format!("status {}", answer.status.as_u16());
    let said = body.message.clone().unwrap_or_else(status);
    Failure::new(kind, &said)
        .after(asked.or(wait))
        .lacking(body.scopes())
}

/// HubSpot names its window with each answer but those of searches.
pub fn stated_limit(headers: &HeaderMap) -> Option<Stated> {
    let number = |name: &str| {
        let value = headers.get(format!("x-hubspot-ratelimit-{name}"))?;
        value.to_str().ok()?.trim().parse::<usize>().ok()
    };
    let (calls, window) = (number("max")?, number("interval-milliseconds")?);
    let budget = Budget {
        calls,
        window: Duration::from_millis(window as u64),
    };
    (calls > 0 && window > 0).then(|| Stated {
        budget,
        remaining: number("remaining"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_the_failure_that_hubspot_means() {
        let failure = |status: u16, body: &'static str, retry: Option<&'static str>| {
            let mut headers = http::HeaderMap::new();
            if let Some(seconds) = retry {
                headers.insert("retry-after", http::HeaderValue::from_static(seconds));
            }
            read_failure(&Answer {
                status: http::StatusCode::from_u16(status).unwrap(),
                headers,
                body: body.into(),
            })
        };
        let limited = failure(
            429,
            r#"{"message":"You have reached your ten_secondly_rolling limit."}"#,
            None,
        );
        assert_eq!(
            (limited.kind, limited.wait),
            (FailureKind::Limited, Some(WINDOW))
        );
        assert_eq!(
            failure(429, "", Some("3")).wait,
            Some(Duration::from_secs(3))
        );
        assert_eq!(failure(502, "<html>", None).kind, FailureKind::Passing);
        assert_eq!(
            failure(477, "", Some("86400")).wait,
            Some(Duration::from_secs(86_400))
        );
        assert_eq!(failure(423, "", None).wait, Some(LOCKED));
        assert_eq!(failure(530, "<html>", None).kind, FailureKind::Unauthorized);
        assert_eq!(failure(403, "{}", None).kind, FailureKind::Forbidden);
        assert_eq!(failure(414, "<html>", None).kind, FailureKind::Refused);
    }

    #[test]
    fn only_an_ended_grant_ends_a_connection() {
        let answered = |status: u16, body: &'static str| {
            ends_grant(&Answer {
                status: http::StatusCode::from_u16(status).unwrap(),
                headers: http::HeaderMap::new(),
                body: body.into(),
            })
        };
        assert!(answered(
            400,
            r#"{"error":"invalid_grant","status":"BAD_REFRESH_TOKEN","message":"x"}"#
        ));
        assert!(answered(
            400,
            r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token"}"#
        ));
        assert!(answered(
            400,
            r#"{"error":"access_denied","status":"BAD_HUB"}"#
        ));
        for (status, body) in [
            (
                400,
                r#"{"error":"invalid_client","status":"BAD_CLIENT_SECRET"}"#,
            ),
            (400, r#"{"status":"BAD_CLIENT_ID"}"#),
            (429, r#"{"status":"error","errorType":"RATE_LIMIT"}"#),
            (500, r#"{"status":"error","message":"internal"}"#),
            (502, "<html>"),
            (409, ""),
            (418, "{}"),
        ] {
            assert!(!answered(status, body), "{status} {body}");
        }
    }
}

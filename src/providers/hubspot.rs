//! HubSpot: contacts, by the dated CRM API.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Account, Description, Identity, Page, Person, Provider, Stream, is_invalid_grant};
use crate::client::{
    Answer, Api, Budget, ClientAuth, Failure, FailureKind, OAuthClient, TokenAnswer,
    TokenErrorBody, retry_after,
};
use crate::item::{Item, clean_name};

pub struct HubSpot;

static DESCRIPTION: Description = Description {
    slug: "hubspot",
    name: "HubSpot",
    auth_url: "https://app.hubspot.com",
    api_url: "https://api.hubapi.com",
    authorize_path: "/oauth/authorize",
    token_path: "/oauth/{version}/token",
    revoke_path: Some("/oauth/{version}/token/revoke"),
    introspect_path: Some("/oauth/{version}/token/introspect"),
    client_auth: ClientAuth::Body,
    api_version: "2026-09",
    // Eighteen months after its release.
    api_version_ends: NaiveDate::from_ymd_opt(2028, 3, 31).expect("a date"),
    scopes: &["oauth", "crm.objects.contacts.read"],
    pkce: false,
    // What HubSpot grants a marketplace app per installing account.
    budget: Budget {
        calls: 110,
        window: Duration::from_secs(10),
    },
    streams: &[CONTACTS],
    read_failure,
    ends_grant,
    // Revoking one token of an account ends all that it was granted.
    revokes_one_grant: false,
};

const CONTACTS: Stream = Stream {
    name: "contacts",
    kind: "contact",
    one: "contact",
    many: "contacts",
};

/// The properties that a name can come from, in that order; no others, for the address has a limit.
const PROPERTIES: &str = "firstname,lastname,email,phone,mobilephone,company";
/// The largest page HubSpot gives.
const PAGE: &str = "100";
/// HubSpot's window: what to wait when it names no time.
const WINDOW: Duration = Duration::from_secs(10);
/// A locked resource wants at least this long.
const LOCKED: Duration = Duration::from_secs(2);

#[async_trait]
impl Provider for HubSpot {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        oauth: &OAuthClient,
        token: &TokenAnswer,
        version: &str,
    ) -> Result<Identity, Failure> {
        let answered = Whose::from_token(token);
        // Introspection says more, the person's address among it; the token's answer will do where
        // there is none. A passing fault is not taken for "says nothing".
        let asked = match oauth.introspect::<Value>(&token.tokens.access).await {
            Ok(whose) => whose.as_ref().map(Whose::read).unwrap_or_default(),
            Err(failure) if failure.is_passing() => return Err(failure),
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's introspection gave nothing");
                Whose::default()
            }
        };
        let path = format!("/account-info/{version}/details");
        let details = match api.get::<Value>(&path, &[]).await {
            Ok(details) => Details::read(&details),
            Err(failure) if failure.kind == FailureKind::Unauthorized => return Err(failure),
            // Without its details an account can still be read; only its links are missing.
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's account details gave nothing");
                Details::default()
            }
        };
        identity(answered, asked, details)
    }

    async fn page(
        &self,
        api: &Api,
        account: &Account<'_>,
        stream: &Stream,
        cursor: Option<&str>,
        version: &str,
    ) -> Result<Page, Failure> {
        let path = format!("/crm/objects/{version}/{}", stream.name);
        let mut query = vec![
            ("limit", PAGE),
            ("properties", PROPERTIES),
            ("archived", "false"),
        ];
        query.extend(cursor.map(|after| ("after", after)));
        let answer: List = api.get(&path, &query).await?;
        let notes: Notes = serde_json::from_str(account.notes).unwrap_or_default();
        let mut page = Page {
            items: Vec::new(),
            skipped: 0,
            next: answer.paging.and_then(Paging::after),
        };
        for raw in answer.results {
            match contact(raw, account.id, &notes) {
                Ok(item) => page.items.push(item),
                Err(error) => {
                    page.skipped += 1;
                    tracing::warn!(stream = stream.name, %error, "a record could not be understood");
                }
            }
        }
        Ok(page)
    }
}

/// HubSpot names the cause in `status`, with or without the standard's `error` beside it.
fn ends_grant(answer: &Answer) -> bool {
    let status = TokenErrorBody::of(answer).status;
    is_invalid_grant(answer) || matches!(status.as_deref(), Some("BAD_REFRESH_TOKEN" | "BAD_HUB"))
}

fn identity(answered: Whose, asked: Whose, details: Details) -> Result<Identity, Failure> {
    let Some(hub) = details.portal_id.or(asked.hub_id).or(answered.hub_id) else {
        return Err(Failure::new(
            FailureKind::Refused,
            "the answer names no account",
        ));
    };
    let email = asked.user.as_deref().and_then(clean_name);
    let person = asked.user_id.or(answered.user_id).map(|user| Person {
        id: format!("{hub}:{user}"),
        name: email
            .clone()
            .unwrap_or_else(|| format!("HubSpot user {user}")),
        email,
    });
    let name = details.portal_name.as_deref().and_then(clean_name);
    let scopes = [asked.scopes, answered.scopes]
        .into_iter()
        .find(|scopes| !scopes.is_empty());
    let notes = Notes {
        ui_domain: details.ui_domain,
    };
    Ok(Identity {
        account_key: hub.clone(),
        account_name: name.unwrap_or_else(|| format!("HubSpot account {hub}")),
        account_id: hub,
        person,
        scopes: scopes.unwrap_or_default(),
        notes: serde_json::to_string(&notes).expect("a string is JSON"),
    })
}

/// Only an id makes a record; every other field may be missing, or of a kind nobody expects.
fn contact(raw: Box<RawValue>, portal: &str, notes: &Notes) -> Result<Item, NotARecord> {
    let record: Value = serde_json::from_str(raw.get())?;
    let id = id(&record["id"]).ok_or(NotARecord::NoId)?;
    let url = record["url"].as_str().map(str::to_owned);
    Ok(Item {
        container: String::new(),
        kind: CONTACTS.kind,
        name: contact_name(&record["properties"]).unwrap_or_else(|| format!("Contact {id}")),
        created: record["createdAt"].as_str().and_then(time),
        modified: record["updatedAt"].as_str().and_then(time),
        url: url.or_else(|| notes.record_url(portal, "0-1", &id)),
        id,
        raw,
    })
}

#[derive(Debug, thiserror::Error)]
enum NotARecord {
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
    #[error("it has no id")]
    NoId,
}

/// HubSpot asks a new contact for one of first name, last name and e-mail address; an import may
/// leave out all three.
fn contact_name(properties: &Value) -> Option<String> {
    let property = |name: &str| properties[name].as_str().and_then(clean_name);
    let full = [property("firstname"), property("lastname")];
    let full = full.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let others = ["email", "phone", "mobilephone", "company"];
    clean_name(&full).or_else(|| others.into_iter().find_map(property))
}

/// An id, which HubSpot writes as a number or as a string.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// With or without a fraction, with `Z` or with an offset.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

/// What is remembered of an account.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    /// Where its people work: `app.hubspot.com`, or that of another region.
    ui_domain: Option<String>,
}

impl Notes {
    fn record_url(&self, portal: &str, object: &str, id: &str) -> Option<String> {
        let domain = self.ui_domain.as_ref()?;
        Some(format!(
            "https://{domain}/contacts/{portal}/record/{object}/{id}"
        ))
    }
}

/// Whose a token is: in the token endpoint's answer and, more of it, in introspection. Each field is
/// read by itself, so that one odd field hides no other.
#[derive(Default)]
struct Whose {
    hub_id: Option<String>,
    user_id: Option<String>,
    user: Option<String>,
    scopes: Vec<String>,
}

impl Whose {
    fn read(answer: &Value) -> Self {
        let scopes = match &answer["scopes"] {
            Value::Array(scopes) => scopes
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Value::String(scopes) => scopes.split_whitespace().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Self {
            hub_id: id(&answer["hub_id"]),
            user_id: id(&answer["user_id"]),
            user: answer["user"].as_str().map(str::to_owned),
            scopes,
        }
    }

    fn from_token(token: &TokenAnswer) -> Self {
        let mut whose = Self::read(&Value::Object(token.extra.clone()));
        if whose.scopes.is_empty() {
            whose.scopes = token.scopes.clone();
        }
        whose
    }
}

#[derive(Default)]
struct Details {
    portal_id: Option<String>,
    portal_name: Option<String>,
    ui_domain: Option<String>,
}

impl Details {
    fn read(answer: &Value) -> Self {
        Self {
            portal_id: id(&answer["portalId"]),
            portal_name: answer["portalName"].as_str().map(str::to_owned),
            ui_domain: answer["uiDomain"].as_str().map(str::to_owned),
        }
    }
}

#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: Option<Value>,
}

impl Paging {
    fn after(self) -> Option<String> {
        id(&self.next?.after?)
    }
}

/// Every field of HubSpot's error body is optional, and a proxy's answer has none.
#[derive(Default, Deserialize)]
struct ErrorBody {
    message: Option<String>,
}

fn read_failure(answer: &Answer) -> Failure {
    let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = body
        .message
        .unwrap_or_else(|| format!("status {}", answer.status.as_u16()));
    let asked = retry_after(&answer.headers);
    let (kind, wait) = match answer.status.as_u16() {
        401 | 530 => (FailureKind::Unauthorized, None),
        403 => (FailureKind::Forbidden, None),
        404 => (FailureKind::NotFound, None),
        429 => (FailureKind::Limited, Some(WINDOW)),
        423 => (FailureKind::Passing, Some(LOCKED)),
        477 | 500..=504 | 521..=524 => (FailureKind::Passing, None),
        _ => (FailureKind::Refused, None),
    };
    Failure::new(kind, &said).after(asked.or(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(record: Value) -> Item {
        let notes = Notes {
            ui_domain: Some("app-eu1.hubspot.com".into()),
        };
        contact(
            serde_json::value::to_raw_value(&record).unwrap(),
            "48213377",
            &notes,
        )
        .unwrap()
    }

    fn named(properties: Value) -> String {
        item(json!({"id": "901552", "properties": properties})).name
    }

    #[test]
    fn a_contact_is_called_by_the_best_name_it_has() {
        assert_eq!(
            named(json!({"firstname": " Zoë ", "lastname": "Ünal", "email": "z@x.test"})),
            "Zoë Ünal"
        );
        assert_eq!(named(json!({"firstname": "Zoë", "lastname": null})), "Zoë");
        assert_eq!(
            named(json!({"firstname": "", "lastname": " ", "email": "z@x.test"})),
            "z@x.test"
        );
        assert_eq!(
            named(json!({"phone": "", "mobilephone": "+49 30"})),
            "+49 30"
        );
        assert_eq!(named(json!({"company": "Ünal & Söhne"})), "Ünal & Söhne");
        assert_eq!(named(json!({})), "Contact 901552");
    }

    #[test]
    fn an_odd_field_hides_neither_the_record_nor_the_person() {
        let odd = item(
            json!({"id": 7, "properties": null, "url": 5, "createdAt": {}, "updatedAt": false}),
        );
        assert_eq!((odd.id.as_str(), odd.name.as_str()), ("7", "Contact 7"));
        assert!(odd.created.is_none() && odd.modified.is_none());
        for id in [json!(null), json!(-1), json!(""), json!({})] {
            let raw = serde_json::value::to_raw_value(&json!({"id": id})).unwrap();
            assert!(contact(raw, "1", &Notes::default()).is_err(), "{id}");
        }
        let whose = Whose::read(&json!({"hub_id": "7", "user_id": 9, "user": {}, "scopes": null}));
        assert_eq!(
            (whose.hub_id.as_deref(), whose.user_id.as_deref()),
            (Some("7"), Some("9"))
        );
    }

    #[test]
    fn a_record_is_kept_byte_for_byte() {
        let text =
            r#"{"id":"1", "properties":{"firstname":"\u005a","amount":"1e21"} , "archived":false}"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(
            contact(raw, "1", &Notes::default()).unwrap().raw.get(),
            text
        );
    }

    #[test]
    fn the_address_is_hubspots_own_or_made_from_the_accounts_own_domain() {
        let url = "https://app.hubspot.com/contacts/1/record/0-1/2";
        assert_eq!(
            item(json!({"id": "2", "url": url})).url.as_deref(),
            Some(url)
        );
        let made = "https://app-eu1.hubspot.com/contacts/48213377/record/0-1/9007199254740993";
        assert_eq!(
            item(json!({"id": "9007199254740993"})).url.as_deref(),
            Some(made)
        );
    }

    #[test]
    fn times_are_read_in_every_form_that_hubspot_writes() {
        let moment = |text| time(text).map(|t| t.timestamp_millis());
        assert_eq!(moment("2026-02-03T09:12:44.120Z"), Some(1_770_109_964_120));
        assert_eq!(moment("2026-02-03T09:12:44Z"), Some(1_770_109_964_000));
        assert_eq!(moment("2026-02-03T09:12:44+00:00"), Some(1_770_109_964_000));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn a_list_goes_on_whether_after_is_a_number_or_a_string_and_ends_without_paging() {
        let next = |text: &str| {
            serde_json::from_str::<List>(text)
                .unwrap()
                .paging
                .and_then(Paging::after)
        };
        assert_eq!(
            next(r#"{"results":[],"paging":{"next":{"after":"901553"}}}"#).as_deref(),
            Some("901553")
        );
        assert_eq!(
            next(r#"{"results":[],"paging":{"next":{"after":901553}}}"#).as_deref(),
            Some("901553")
        );
        assert_eq!(next(r#"{"results":[],"paging":{}}"#), None);
        assert_eq!(next(r#"{"results":[]}"#), None);
    }

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

    #[test]
    fn an_answer_that_names_no_person_connects_but_does_not_sign_in() {
        let whose = Whose {
            hub_id: Some("7".into()),
            ..Whose::default()
        };
        let identity = identity(whose, Whose::default(), Details::default()).unwrap();
        assert_eq!(identity.account_name, "HubSpot account 7");
        assert!(identity.person.is_none());
    }
}

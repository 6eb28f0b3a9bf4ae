//! Whose account an approval is for, and what is remembered of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{COMPANIES_SCOPE, id};
use crate::client::{Failure, FailureKind, TokenAnswer};
use crate::item::clean_name;
use crate::providers::{Identity, Person, Read};

pub fn identity(answered: Whose, asked: Whose, details: Details) -> Result<Identity, Failure> {
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
    let scopes = scopes.unwrap_or_default();
    let notes = Notes {
        ui_domain: details.ui_domain,
        no_companies: !scopes.is_empty() && !scopes.iter().any(|it| it == COMPANIES_SCOPE),
    };
    Ok(Identity {
        account_key: hub.clone(),
        account_name: name.unwrap_or_else(|| format!("HubSpot account {hub}")),
        account_id: hub,
        person,
        scopes,
        notes: serde_json::to_string(&notes).expect("a string is JSON"),
    })
}

/// What is remembered of an account.
#[derive(Default, Serialize, Deserialize)]
pub struct Notes {
    /// Where its people work: `app.hubspot.com`, or that of another region.
    pub ui_domain: Option<String>,
    /// Whether the right to see companies was not granted.
    #[serde(default)]
    pub no_companies: bool,
}

impl Notes {
    pub fn of(read: &Read<'_>) -> Self {
        serde_json::from_str(read.notes).unwrap_or_default()
    }

    pub fn sees_companies(&self) -> bool {
        !self.no_companies
    }

    pub fn record_url(&self, portal: &str, object: &str, id: &str) -> Option<String> {
        let domain = self.ui_domain.as_ref()?;
        Some(format!(
            "https://{domain}/contacts/{portal}/record/{object}/{id}"
        ))
    }
}

/// Whose a token is: in the token endpoint's answer and, more of it, in introspection. Each field is
/// read by itself, so that one odd field hides no other.
#[derive(Default)]
pub struct Whose {
    hub_id: Option<String>,
    user_id: Option<String>,
    user: Option<String>,
    scopes: Vec<String>,
}

impl Whose {
    pub fn read(answer: &Value) -> Self {
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

    pub fn from_token(token: &TokenAnswer) -> Self {
        let mut whose = Self::read(&Value::Object(token.extra.clone()));
        if whose.scopes.is_empty() {
            whose.scopes = token.scopes.clone();
        }
        whose
    }
}

#[derive(Default)]
pub struct Details {
    portal_id: Option<String>,
    portal_name: Option<String>,
    ui_domain: Option<String>,
}

impl Details {
    pub fn read(answer: &Value) -> Self {
        Self {
            portal_id: id(&answer["portalId"]),
            portal_name: answer["portalName"].as_str().map(str::to_owned),
            ui_domain: answer["uiDomain"].as_str().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_odd_field_does_not_hide_the_person() {
        let whose = Whose::read(&json!({"hub_id": "7", "user_id": 9, "user": {}, "scopes": null}));
        assert_eq!(
            (whose.hub_id.as_deref(), whose.user_id.as_deref()),
            (Some("7"), Some("9"))
        );
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

//! Whose a token is.

use serde_json::{Map, Value};

use crate::client::{Failure, FailureKind};
use crate::item::clean_name;
use crate::providers::{Identity, Person};

/// Each field is read by itself, for any of them may be null, and one odd field hides no other.
#[derive(Default)]
pub struct Whose {
    workspace_id: Option<String>,
    workspace_name: Option<String>,
    person_id: Option<String>,
    person_name: Option<String>,
    email: Option<String>,
}

impl Whose {
    /// As the token endpoint says it.
    pub fn of_token(answer: &Map<String, Value>) -> Self {
        let field = |name: &str| answer.get(name).unwrap_or(&Value::Null);
        Self::read(
            field("owner"),
            field("workspace_id"),
            field("workspace_name"),
        )
    }

    /// As the bot that a token acts as says it.
    pub fn of_bot(me: &Value) -> Self {
        let bot = &me["bot"];
        Self::read(&bot["owner"], &bot["workspace_id"], &bot["workspace_name"])
    }

    fn read(owner: &Value, workspace_id: &Value, workspace_name: &Value) -> Self {
        let text = |value: &Value| value.as_str().and_then(clean_name);
        let user = &owner["user"];
        Self {
            workspace_id: text(workspace_id),
            workspace_name: text(workspace_name),
            person_id: text(&user["id"]),
            person_name: text(&user["name"]),
            email: text(&user["person"]["email"]),
        }
    }

    /// Whether there is nothing left to ask for. An address is only told to connections that may
    /// know it.
    pub fn says_all(&self) -> bool {
        let told = [
            &self.workspace_id,
            &self.workspace_name,
            &self.person_id,
            &self.person_name,
        ];
        told.iter().all(|field| field.is_some())
    }

    /// What this leaves open, taken from the other.
    pub fn or(self, other: Self) -> Self {
        Self {
            workspace_id: self.workspace_id.or(other.workspace_id),
            workspace_name: self.workspace_name.or(other.workspace_name),
            person_id: self.person_id.or(other.person_id),
            person_name: self.person_name.or(other.person_name),
            email: self.email.or(other.email),
        }
    }

    pub fn identity(self) -> Result<Identity, Failure> {
        let Some(workspace) = self.workspace_id else {
            let said = "the answer names no workspace";
            return Err(Failure::new(FailureKind::Refused, said));
        };
        // Each member approves for themselves, and shares other pages than the next.
        let owner = self.person_id.as_deref().unwrap_or("workspace");
        let account_key = format!("{workspace}:{owner}");
        let email = self.email;
        let named = self.person_name.or_else(|| email.clone());
        let person = self.person_id.map(|id| Person {
            name: named.unwrap_or_else(|| format!("Notion user {}", start_of(&id))),
            id,
            email,
        });
        let nameless = || format!("Notion workspace {}", start_of(&workspace));
        Ok(Identity {
            account_key,
            account_name: self.workspace_name.unwrap_or_else(nameless),
            account_id: workspace,
            person,
            scopes: Vec::new(),
            notes: String::new(),
        })
    }
}

/// Enough of an id to tell two apart.
fn start_of(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(token: Value) -> Whose {
        Whose::of_token(token.as_object().unwrap())
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let whose = of(json!({
            "workspace_id": "a1b2c3d4-0000", "workspace_name": "Größe & Co 🧪",
            "owner": {"type": "user", "user": {"object": "user", "id": "9d1e", "name": "Łucja Ž",
                "person": {"email": "lucja@example.test"}}},
        }));
        assert!(whose.says_all());
        let identity = whose.identity().unwrap();
        assert_eq!(identity.account_id, "a1b2c3d4-0000");
        assert_eq!(identity.account_key, "a1b2c3d4-0000:9d1e");
        assert_eq!(identity.account_name, "Größe & Co 🧪");
        let person = identity.person.unwrap();
        assert_eq!(
            (&*person.id, &*person.name, person.email.as_deref()),
            ("9d1e", "Łucja Ž", Some("lucja@example.test"))
        );
    }

    #[test]
    fn what_a_token_leaves_open_is_taken_from_the_bot() {
        let token = of(json!({
            "workspace_id": "a1b2", "workspace_name": null,
            "owner": {"type": "user", "user": {"object": "user", "id": "9d1e"}},
        }));
        assert!(!token.says_all());
        let bot = json!({"bot": {"workspace_id": "a1b2", "workspace_name": "Küche",
            "owner": {"type": "user", "user": {"id": "9d1e", "name": "Łucja"}}}});
        let identity = token.or(Whose::of_bot(&bot)).identity().unwrap();
        assert_eq!(identity.account_name, "Küche");
        assert_eq!(identity.person.unwrap().name, "Łucja");
    }

    #[test]
    fn a_workspace_that_owns_itself_connects_but_does_not_sign_in() {
        let owner = json!({"type": "workspace", "workspace": true});
        let whose = of(json!({"workspace_id": "a1b2-c3", "workspace_name": null, "owner": owner}));
        let identity = whose.identity().unwrap();
        assert!(identity.person.is_none());
        assert_eq!(identity.account_name, "Notion workspace a1b2");
        assert!(of(json!({ "owner": owner })).identity().is_err());
    }

    #[test]
    fn somebody_without_a_name_or_an_address_is_somebody() {
        let user = json!({"user": {"id": "9d1e-77", "name": {}, "person": {}}});
        let whose = of(json!({"workspace_id": "a1b2", "owner": user}));
        assert_eq!(
            whose.identity().unwrap().person.unwrap().name,
            "Notion user 9d1e"
        );
    }
}

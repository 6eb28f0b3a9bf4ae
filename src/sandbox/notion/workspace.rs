use serde_json::{Value, json};

use super::ids::{Thing, id};
use crate::sandbox::accounts::Account;

/// What Notion knows about an account: a workspace, and the person in it who connected.
pub struct Workspace {
    pub account: Account,
    /// Not told for every workspace.
    pub name: Option<&'static str>,
    pub icon: Option<&'static str>,
    /// Whether the connection is new enough to have a refresh token.
    pub refreshes: bool,
    owner: Owner,
}

/// How much is said about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Person,
    Bare,
}

/// Ways for a connection to be unlike the usual one, chosen by the words of the parameter
/// `sandbox` on the way to the consent page.
pub mod odd {
    pub const WITHOUT_REFRESH_TOKEN: &str = "without_refresh_token";
    pub const WORKSPACE_OWNER: &str = "workspace_owner";
    pub const WITHOUT_EMAIL: &str = "without_email";
    /// The first search finds nothing, since nothing has been indexed yet.
    pub const LATE_SEARCH: &str = "late_search";
    /// Every request is refused, and will be.
    pub const BLOCKED: &str = "blocked";
    /// The whole workspace has met its limit, for an hour.
    pub const EXHAUSTED: &str = "exhausted";

    pub fn is(oddities: &[String], word: &str) -> bool {
        oddities.iter().any(|oddity| oddity == word)
    }
}

/// Notion's side of an account.
pub fn workspace(account: Account) -> Workspace {
    let usual = Workspace {
        account,
        name: Some(account.profile().label),
        icon: None,
        refreshes: true,
        owner: Owner::Person,
    };
    match account {
        Account::Small => Workspace {
            icon: Some("https://s3.example/small-office/icon.png"),
            ..usual
        },
        Account::TenThousand => Workspace {
            icon: Some("⚓"),
            ..usual
        },
        Account::HundredThousand => Workspace {
            name: None,
            ..usual
        },
        Account::Empty => Workspace {
            refreshes: false,
            ..usual
        },
        Account::Faults => Workspace {
            owner: Owner::Bare,
            ..usual
        },
    }
}

impl Workspace {
    pub fn id(&self, thing: Thing) -> String {
        id(self.account, thing)
    }

    /// Whose connection this is.
    pub fn owner(&self, oddities: &[String]) -> Value {
        if odd::is(oddities, odd::WORKSPACE_OWNER) {
            return json!({ "type": "workspace", "workspace": true });
        }
        json!({ "type": "user", "user": self.person(!odd::is(oddities, odd::WITHOUT_EMAIL)) })
    }

    /// A reference to the person, as objects carry it.
    pub fn editor(&self) -> Value {
        json!({ "object": "user", "id": self.id(Thing::Person) })
    }

    fn person(&self, with_email: bool) -> Value {
        let mut user = self.editor();
        if self.owner == Owner::Bare {
            return user;
        }
        let profile = self.account.profile();
        user["type"] = "person".into();
        user["name"] = profile.person.into();
        user["avatar_url"] = Value::Null;
        user["person"] = if with_email {
            json!({ "email": profile.email })
        } else {
            json!({})
        };
        user
    }
}

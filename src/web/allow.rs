//! `SIGN_IN_ALLOW`: who may sign in.

use std::str::FromStr;

use crate::providers;

/// Who may sign in: anyone, or those that the host named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Option<Vec<Allowed>>);

/// One entry of `SIGN_IN_ALLOW`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Email(String),
    Domain(String),
    Account { provider: String, id: String },
}

impl Allow {
    /// Whether nobody is kept out.
    pub fn is_anyone(&self) -> bool {
        self.0.is_none()
    }

    /// Whether somebody of this account, or with this address, may be here.
    pub fn admits(&self, provider: &str, account: &str, email: Option<&str>) -> bool {
        let Some(allowed) = &self.0 else { return true };
        let email = email.map(str::to_lowercase);
        let domain = email
            .as_deref()
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain);
        allowed.iter().any(|entry| match entry {
            Allowed::Email(allowed) => email.as_deref() == Some(allowed),
            Allowed::Domain(allowed) => domain == Some(allowed),
            Allowed::Account {
                provider: allowed,
                id,
            } => allowed == provider && id == account,
        })
    }
}

/// Entries are separated by commas or blanks.
impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split([',', ' ']).map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        entries
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(|all| Self(Some(all)))
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(entry: &str) -> Result<Self, String> {
        if let Some((provider, id)) = entry.split_once(':') {
            return match providers::NAMES.contains(&provider) && !id.is_empty() {
                true => Ok(Self::Account {
                    provider: provider.into(),
                    id: id.into(),
                }),
                false => Err(format!(
                    "“{entry}” is no account; write one of {}: and its id",
                    providers::NAMES.join(":, ")
                )),
            };
        }
        let entry = entry.to_lowercase();
        match entry.rsplit_once('@') {
            Some((name, domain)) if !name.is_empty() && domain.contains('.') => {
                Ok(Self::Email(entry))
            }
            None if entry.contains('.') => Ok(Self::Domain(entry)),
            _ => Err(format!(
                "“{entry}” is neither an e-mail address nor a domain nor an account"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_admits_by_address_domain_or_account_and_nothing_near_them() {
        let allow: Allow = "Ada@x.test, team.test hubspot:7".parse().unwrap();
        assert!(allow.admits("hubspot", "1", Some("Ada@X.test")));
        assert!(allow.admits("hubspot", "1", Some("bo@team.test")));
        assert!(allow.admits("hubspot", "7", None));
        assert!(!allow.admits("notion", "7", None));
        assert!(!allow.admits("hubspot", "1", Some("bo@sub.team.test")));
        assert!(!allow.admits("hubspot", "1", Some("bo@notteam.test")));
        assert!(!allow.admits("hubspot", "77", None));
        assert!(Allow::default().admits("hubspot", "1", None));
    }

    #[test]
    fn an_entry_that_names_nobody_is_refused_by_itself() {
        for entry in ["nobody", "@x.test", "ada@", "salesforce:7", "hubspot:"] {
            let refused = entry.parse::<Allow>().expect_err(entry);
            assert!(refused.contains(entry), "{refused}");
        }
    }
}

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::contact_data::{Contact, Stamps};
use super::portal::Portal;

/// Which properties an answer holds.
pub struct Wanted(Vec<String>);

impl Wanted {
    /// What HubSpot gives when nothing is asked for.
    pub fn usual() -> Wanted {
        Wanted(["firstname", "lastname", "email"].map(str::to_owned).into())
    }

    /// A list as it stands in a query: names with commas between them.
    pub fn parse(list: Option<&str>) -> Wanted {
        match list {
            None => Wanted::usual(),
            Some(list) => Wanted(list.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    pub fn names(names: Vec<String>) -> Wanted {
        if names.is_empty() {
            Wanted::usual()
        } else {
            Wanted(names)
        }
    }
}

/// A contact in HubSpot's shape.
pub fn record(contact: &Contact, wanted: &Wanted, portal: &Portal) -> Value {
    let (created, modified) = (
        stamp(contact.created, contact.stamps),
        stamp(contact.modified, contact.stamps),
    );
    let mut record = json!({
        "id": contact.id.to_string(),
        "properties": properties(contact, wanted, &created, &modified),
        "createdAt": created,
        "updatedAt": modified,
        "archived": false,
    });
    if portal.tells_urls {
        record["url"] = portal.contact_url(contact.id).into();
    }
    record
}

/// All values are strings or null; three of them come unasked, and names nobody knows are ignored.
fn properties(
    contact: &Contact,
    wanted: &Wanted,
    created: &str,
    modified: &str,
) -> Map<String, Value> {
    let mut properties = Map::new();
    for (name, value) in &contact.fields {
        if wanted.0.iter().any(|asked| asked == name) {
            properties.insert((*name).to_owned(), json!(value));
        }
    }
    properties.insert("createdate".to_owned(), created.into());
    properties.insert("hs_object_id".to_owned(), contact.id.to_string().into());
    properties.insert("lastmodifieddate".to_owned(), modified.into());
    properties
}

fn stamp(at: DateTime<Utc>, stamps: Stamps) -> String {
    match stamps {
        Stamps::Usual => at.to_rfc3339_opts(SecondsFormat::Millis, true),
        Stamps::WithoutFraction => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        Stamps::WithOffset => at.to_rfc3339_opts(SecondsFormat::Millis, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::hubspot::contact_data::Contacts;
    use crate::sandbox::hubspot::portal::portal;

    fn small(index: u32, wanted: &Wanted) -> Value {
        let contacts = Contacts {
            account: Account::Small,
            len: 120,
        };
        record(&contacts.contact(index), wanted, portal(Account::Small))
    }

    #[test]
    fn properties_are_strings_or_null_and_three_come_unasked() {
        let record = small(
            0,
            &Wanted::parse(Some("mobilephone, company,no_such_property")),
        );
        let properties = record["properties"].as_object().unwrap();
        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "company",
                "createdate",
                "hs_object_id",
                "lastmodifieddate",
                "mobilephone"
            ]
        );
        assert_eq!(properties["mobilephone"], Value::Null);
        assert_eq!(properties["hs_object_id"], record["id"]);
    }

    #[test]
    fn the_odd_contacts_are_null_empty_or_missing() {
        let name = |index| {
            small(index, &Wanted::usual())["properties"]
                .get("firstname")
                .cloned()
        };
        assert_eq!(name(5), Some(Value::Null));
        assert_eq!(name(27), Some("".into()));
        assert_eq!(name(26), None);
        assert_eq!(name(21).unwrap().as_str().unwrap().chars().count(), 5_000);
    }

    #[test]
    fn times_are_written_in_three_ways() {
        let created = |index| {
            small(index, &Wanted::usual())["createdAt"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(created(0).len(), "2026-02-03T09:12:44.120Z".len());
        assert_eq!(created(28).len(), "2026-02-03T09:12:44Z".len());
        assert!(created(29).ends_with("+00:00"));
    }

    #[test]
    fn one_account_leaves_the_address_of_the_page_out() {
        let contacts = Contacts {
            account: Account::HundredThousand,
            len: 9,
        };
        let record = record(
            &contacts.contact(0),
            &Wanted::usual(),
            portal(Account::HundredThousand),
        );
        assert_eq!(record.get("url"), None);
        let url = small(0, &Wanted::usual())["url"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(url.starts_with("https://app.hubspot.com/contacts/48213377/record/0-1/"));
    }
}

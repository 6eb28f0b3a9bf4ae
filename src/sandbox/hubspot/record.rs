use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::portal::Portal;
use super::records::{Record, Stamps};

/// Which properties an answer holds.
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Those that were asked for; where none were, what HubSpot gives by itself.
    pub fn names(names: Vec<String>) -> Wanted {
        Wanted(names)
    }

    fn has(&self, record: &Record, name: &str) -> bool {
        match self.0.as_slice() {
            [] => record.kind.usual_properties().contains(&name),
            asked => asked.iter().any(|asked| asked == name),
        }
    }
}

/// A record in HubSpot's shape.
pub fn record(record: &Record, wanted: &Wanted, portal: &Portal) -> Value {
    let mut shape = json!({
        "id": record.id.to_string(),
        "properties": properties(record, wanted),
        "createdAt": stamp(record.created, record.stamps),
        "updatedAt": stamp(record.modified, record.stamps),
        "archived": record.archived.is_some(),
    });
    if let Some(at) = record.archived {
        shape["archivedAt"] = stamp(at, record.stamps).into();
    }
    if portal.tells_urls {
        shape["url"] = portal.record_url(record.kind, record.id).into();
    }
    shape
}

/// All values are strings or null; three of them come unasked, and names nobody knows are ignored.
fn properties(record: &Record, wanted: &Wanted) -> Map<String, Value> {
    let asked = record.fields.iter();
    let asked = asked.filter(|(name, _)| wanted.has(record, name));
    let mut properties: Map<String, Value> = asked
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let unasked = [
        ("createdate", stamp(record.created, record.stamps)),
        ("hs_object_id", record.id.to_string()),
        (
            record.kind.modified_property(),
            stamp(record.modified, record.stamps),
        ),
    ];
    properties.extend(unasked.map(|(name, value)| (name.to_owned(), value.into())));
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
    use crate::sandbox::hubspot::kind::Kind;
    use crate::sandbox::hubspot::portal::portal;
    use crate::sandbox::hubspot::records::Records;
    use crate::sandbox::overlay::Overlay;

    fn of(account: Account, index: u32, properties: &str) -> Value {
        let contacts = Records::new(account, Kind::Contact, 120, Overlay::default());
        let names = properties.split_whitespace().map(str::to_owned);
        let wanted = Wanted::names(names.collect());
        record(&contacts.record(index), &wanted, portal(account))
    }

    fn small(index: u32, properties: &str) -> Value {
        of(Account::Small, index, properties)
    }

    #[test]
    fn properties_are_strings_or_null_and_three_come_unasked() {
        let record = small(0, "mobilephone company no_such_property");
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
        let name = |index| small(index, "")["properties"].get("firstname").cloned();
        assert_eq!(name(5), Some(Value::Null));
        assert_eq!(name(27), Some("".into()));
        assert_eq!(name(26), None);
        assert_eq!(name(21).unwrap().as_str().unwrap().chars().count(), 5_000);
    }

    #[test]
    fn times_are_written_in_three_ways() {
        let created = |index| small(index, "")["createdAt"].as_str().unwrap().to_owned();
        assert_eq!(created(0).len(), "2026-02-03T09:12:44.120Z".len());
        assert_eq!(created(28).len(), "2026-02-03T09:12:44Z".len());
        assert!(created(29).ends_with("+00:00"));
    }

    #[test]
    fn one_account_leaves_the_address_of_the_page_out() {
        let record = of(Account::HundredThousand, 0, "");
        assert_eq!(record.get("url"), None);
        let url = small(0, "")["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://app.hubspot.com/contacts/48213377/record/0-1/"));
    }
}

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::kind::Kind;
use crate::sandbox::people::{company, mix, person};

/// What is known about a record; a property that is not in here does not exist for HubSpot.
pub type Fields = Vec<(&'static str, Option<String>)>;

/// The ids that were merged into a record, with `;` between them.
pub const MERGED: &str = "hs_merged_object_ids";

/// From this index on addresses have a number in them: names run out sooner than contacts do.
const PLAIN_ADDRESSES: u32 = 30;

const SUBJECTS: [&str; 8] = [
    "Renewal",
    "New order",
    "Expansion",
    "Pilot",
    "Annual contract",
    "Spare parts",
    "Training",
    "Réassort",
];
const STAGES: [&str; 6] = [
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "contractsent",
    "closedwon",
    "closedlost",
];

/// The values of a made-up record.
pub fn fields(kind: Kind, seed: u64, index: u32, created: DateTime<Utc>) -> Fields {
    let mut fields = match kind {
        Kind::Contact => contact(seed, index),
        Kind::Company => of_company(seed, index),
        Kind::Deal => deal(seed, index, created),
    };
    fields.push((MERGED, None));
    fields
}

/// Whether records of a kind have a property, be it empty.
pub fn has_property(kind: Kind, name: &str) -> bool {
    ["createdate", "hs_object_id", kind.modified_property()].contains(&name)
        || fields(kind, 0, 0, DateTime::UNIX_EPOCH)
            .iter()
            .any(|(known, _)| *known == name)
}

fn contact(seed: u64, index: u32) -> Fields {
    let person = person(seed);
    let number = if index < PLAIN_ADDRESSES {
        String::new()
    } else {
        index.to_string()
    };
    let email = format!(
        "{}.{}{number}@{}",
        person.first.1, person.last.1, person.company.1
    );
    // Not everybody is known equally well.
    let has_phone = mix(seed, 13).is_multiple_of(3);
    vec![
        ("firstname", Some(person.first.0.to_owned())),
        ("lastname", Some(person.last.0.to_owned())),
        ("email", Some(email)),
        ("phone", has_phone.then_some(person.phone)),
        ("mobilephone", None),
        ("company", Some(person.company.0.to_owned())),
        ("jobtitle", Some(person.job.to_owned())),
        ("lifecyclestage", Some("lead".to_owned())),
    ]
}

fn of_company(seed: u64, index: u32) -> Fields {
    let (name, domain) = company(index);
    vec![
        ("name", Some(name)),
        ("domain", Some(domain)),
        ("phone", Some(person(seed).phone)),
        ("city", None),
        ("numberofemployees", Some((mix(seed, 14) % 900).to_string())),
        ("lifecyclestage", Some("customer".to_owned())),
    ]
}

fn deal(seed: u64, index: u32, created: DateTime<Utc>) -> Fields {
    let subject = SUBJECTS[(mix(seed, 15) % SUBJECTS.len() as u64) as usize];
    let stage = STAGES[(mix(seed, 16) % STAGES.len() as u64) as usize];
    let cents = mix(seed, 17) % 9_000_000;
    let closes = created + TimeDelta::days((mix(seed, 18) % 90) as i64);
    let is_open = mix(seed, 19).is_multiple_of(4);
    let closes = closes.to_rfc3339_opts(SecondsFormat::Millis, true);
    vec![
        (
            "dealname",
            Some(format!("{subject} — {}", company(index).0)),
        ),
        (
            "amount",
            Some(format!("{}.{:02}", cents / 100, cents % 100)),
        ),
        ("closedate", (!is_open).then_some(closes)),
        ("pipeline", Some("default".to_owned())),
        ("dealstage", Some(stage.to_owned())),
    ]
}

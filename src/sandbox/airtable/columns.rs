use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::ids::id;
use super::odd_names::odd_name;
use crate::sandbox::people::{mix, person};

/// What a table is about, and so which columns it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    People,
    Orders,
    Stock,
    Tickets,
    /// Whatever a record can be named by.
    Odd,
}

/// A column: its name, and its type as Airtable calls it.
pub struct Column {
    pub name: &'static str,
    pub kind: &'static str,
}

/// What the cells of a record are made from.
pub struct Row {
    pub index: u32,
    pub seed: u64,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
    /// How often it was changed since it was made.
    pub changes: usize,
}

const fn column(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind }
}

static PEOPLE: [Column; 6] = [
    column("Name", "singleLineText"),
    column("Email", "email"),
    column("Phone", "phoneNumber"),
    column("Company", "singleLineText"),
    column("Active", "checkbox"),
    column("Edited", "lastModifiedTime"),
];
static ORDERS: [Column; 4] = [
    column("Order", "formula"),
    column("Total", "currency"),
    column("Paid", "checkbox"),
    column("Ordered on", "date"),
];
static STOCK: [Column; 3] = [
    column("Item", "singleLineText"),
    column("In stock", "number"),
    column("Tags", "multipleSelects"),
];
static TICKETS: [Column; 4] = [
    column("No.", "autoNumber"),
    column("What happened", "multilineText"),
    column("Reported by", "singleCollaborator"),
    column("Edited", "lastModifiedTime"),
];
static ODD: [Column; 3] = [
    column("Name", "formula"),
    column("What it is", "singleLineText"),
    column("Hologram", "hologram"),
];

impl Kind {
    /// The first one names the record.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Kind::People => &PEOPLE,
            Kind::Orders => &ORDERS,
            Kind::Stock => &STOCK,
            Kind::Tickets => &TICKETS,
            Kind::Odd => &ODD,
        }
    }

    /// The cell of a record in one of these columns; none where it is empty, and a box that is not
    /// checked is as empty as any.
    pub fn cell(self, column: usize, row: &Row) -> Option<Value> {
        let cell = match self {
            Kind::People => people(column, row),
            Kind::Orders => order(column, row),
            Kind::Stock => stock(column, row),
            Kind::Tickets => ticket(column, row),
            Kind::Odd => odd(column, row),
        };
        match cell {
            Some(Value::String(text)) if column == 0 => Some(retold(text, row.changes).into()),
            cell => cell,
        }
    }
}

/// What a field of this type says about itself, where it says anything.
pub fn options(kind: &str, seed: u64) -> Option<Value> {
    let result = |kind: &str| json!({ "isValid": true, "referencedFieldIds": [], "result": { "type": kind } });
    match kind {
        "number" => Some(json!({ "precision": 0 })),
        "currency" => Some(json!({ "precision": 2, "symbol": "€" })),
        "checkbox" => Some(json!({ "icon": "check", "color": "greenBright" })),
        "date" => Some(json!({ "dateFormat": { "name": "iso", "format": "YYYY-MM-DD" } })),
        "formula" => {
            let mut options = result("singleLineText");
            options["formula"] = "CONCATENATE(\"№ \", {fldNumber})".into();
            Some(options)
        }
        "lastModifiedTime" => Some(result("dateTime")),
        "multipleSelects" => {
            let choice = |(number, name): (u64, &str)| json!({ "id": id("sel", mix(seed, number)), "name": name, "color": "blueLight2" });
            let choices: Vec<Value> = (0..).zip(TAGS).map(choice).collect();
            Some(json!({ "choices": choices }))
        }
        "hologram" => Some(json!({ "projector": { "beams": 3 } })),
        _ => None,
    }
}

/// A time as Airtable writes it.
pub fn stamp(at: DateTime<Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

fn retold(text: String, changes: usize) -> String {
    match changes {
        0 => text,
        1 => format!("{text} (changed)"),
        times => format!("{text} (changed {times} times)"),
    }
}

fn people(column: usize, row: &Row) -> Option<Value> {
    let person = person(row.seed);
    match column {
        0 => Some(format!("{} {}", person.first.0, person.last.0).into()),
        1 => {
            let (first, last) = (person.first.1, person.last.1);
            Some(format!("{first}.{last}{}@{}", row.index, person.company.1).into())
        }
        // Not everybody is known equally well.
        2 => mix(row.seed, 13)
            .is_multiple_of(3)
            .then(|| person.phone.into()),
        3 => Some(person.company.0.into()),
        4 => mix(row.seed, 14).is_multiple_of(2).then(|| true.into()),
        _ => Some(stamp(row.modified)),
    }
}

fn order(column: usize, row: &Row) -> Option<Value> {
    let cents = mix(row.seed, 15) % 1_000_000;
    match column {
        0 => {
            let company = person(row.seed).company.0;
            Some(format!("№ {} — {company}", 1_001 + row.index).into())
        }
        1 => Some((cents as f64 / 100.0).into()),
        2 => cents.is_multiple_of(3).then(|| true.into()),
        _ => Some(row.created.format("%Y-%m-%d").to_string().into()),
    }
}

fn stock(column: usize, row: &Row) -> Option<Value> {
    let pick = |salt: u64, len: usize| (mix(row.seed, salt) % len as u64) as usize;
    match column {
        0 => {
            let (sort, thing) = (SORTS[pick(16, SORTS.len())], THINGS[pick(17, THINGS.len())]);
            Some(format!("{sort} {thing} {}", row.index + 1).into())
        }
        1 => Some((mix(row.seed, 18) % 500).into()),
        _ => {
            let tags = &TAGS[..pick(19, TAGS.len() + 1)];
            (!tags.is_empty()).then(|| tags.into())
        }
    }
}

fn ticket(column: usize, row: &Row) -> Option<Value> {
    let person = person(row.seed);
    let name = format!("{} {}", person.first.0, person.last.0);
    match column {
        0 => Some((row.index + 1).into()),
        1 => Some(
            retold(
                format!("{name} called about an order.\nCall back."),
                row.changes,
            )
            .into(),
        ),
        2 => Some(json!({
            "id": id("usr", mix(row.seed, 20)),
            "email": format!("{}@{}", person.first.1, person.company.1),
            "name": name,
        })),
        _ => Some(stamp(row.modified)),
    }
}

fn odd(column: usize, row: &Row) -> Option<Value> {
    let (what, cell) = odd_name(row.index);
    match column {
        0 => cell,
        1 => Some(what.into()),
        _ => Some(json!({ "shape": row.index })),
    }
}

const SORTS: [&str; 6] = [
    "Blue",
    "Große",
    "Folding",
    "Second-hand",
    "Ölfeste",
    "Spare",
];
const THINGS: [&str; 8] = [
    "lamp", "chair", "Schraube", "kettle", "caméra", "ladder", "Tür", "桌子",
];
const TAGS: [&str; 3] = ["fragile", "schwer", "on sale"];

//! Airtable: the bases that an account has shared, the tables in them, and their records.

mod cells;
mod failures;
mod members;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    Description, Fields as FieldsOf, Identity, Kind, Page, Person, Pkce, Provider, Read, Scope,
    Source, Stream, TokensFrom,
};
use crate::client::{
    Api, Budget, Call, ClientAuth, Dialect, Encoding, Failure, FailureKind, Limit, OAuthClient,
    TokenAnswer,
};
use crate::item::{Item, Parent, clean_name};
use members::Members;

pub struct Airtable;

static DESCRIPTION: Description = Description {
    slug: "airtable",
    name: "Airtable",
    auth_url: "https://airtable.com",
    api_url: "https://api.airtable.com",
    authorize_path: "/oauth2/v1/authorize",
    token_path: "/oauth2/v1/token",
    tokens_from: TokensFrom::AuthUrl,
    revoke_path: None,
    introspect_path: None,
    authorize_with: &[],
    client_auth: ClientAuth::Basic,
    encoding: Encoding::Form,
    api_version: "v0",
    api_version_ends: None,
    // Airtable knows no optional scopes.
    scopes: &[
        scope("data.records:read", "records"),
        scope(
            "schema.bases:read",
            "bases, tables and what their records are named by",
        ),
        scope("user.email:read", "the name of the account"),
    ],
    pkce: Pkce::Always,
    limits: &[
        // Five are allowed, and whoever makes a sixth is shut out for half a minute.
        limit(BASE, 4),
        limit(METADATA, 4),
    ],
    // A person has fifty calls a second: as many as so many bases take.
    at_once: 12,
    // Its clock need not be ours.
    overlap: Duration::from_secs(10 * 60),
    kinds: &[
        kind("base", "base", BASES, true),
        kind("table", "table", TABLES, true),
        Kind {
            fields: FieldsOf {
                named_above: Some("/fields"),
                ..FieldsOf::at("/fields")
            },
            ..kind("record", "record", RECORDS, false)
        },
    ],
    streams: &[
        Stream {
            root: true,
            ..stream(BASES, "base", &["base"])
        },
        stream(TABLES, "table", &["table"]),
        Stream {
            since: true,
            ..stream(RECORDS, "record", &["record"])
        },
    ],
    dialect: Dialect {
        read_failure: failures::read_failure,
        stated_limit: |_| None,
        version_header: None,
    },
    ends_grant: failures::ends_grant,
    revokes_one_grant: false,
    allowance: Some("the workspace’s monthly API calls"),
    every: Duration::from_secs(12 * 3_600),
    shares_nothing: None,
    approvals_url: Some("https://airtable.com/account"),
};

const BASES: &str = "bases";
const TABLES: &str = "tables";
const RECORDS: &str = "records";
const BASE: &str = "base";
const METADATA: &str = "metadata";

/// The largest page Airtable gives.
const PAGE: &str = "100";
/// Where people open what is listed.
const UI: &str = "https://airtable.com";
/// What Airtable itself shows for a record without a name.
const UNNAMED_RECORD: &str = "Unnamed record";

const fn scope(name: &'static str, needed_for: &'static str) -> Scope {
    Scope {
        name,
        optional: false,
        needed_for,
    }
}

const fn limit(name: &'static str, calls: usize) -> Limit {
    let window = Duration::from_secs(1);
    let budget = Budget { calls, window };
    Limit { name, budget }
}

const fn kind(name: &'static str, one: &'static str, many: &'static str, directory: bool) -> Kind {
    Kind {
        name,
        one,
        many,
        directory,
        fields: FieldsOf::at(""),
    }
}

const fn stream(name: &'static str, one: &'static str, lists: &'static [&'static str]) -> Stream {
    Stream {
        name,
        one,
        many: name,
        root: false,
        exhaustive: true,
        since: false,
        lists,
    }
}

#[async_trait]
impl Provider for Airtable {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        _: &OAuthClient,
        token: &TokenAnswer,
    ) -> Result<Identity, Failure> {
        let path = format!("/{}/meta/whoami", api.version());
        let answer: Box<RawValue> = api.ask(Call::get(&path)).await?;
        identity(&Members::of(&answer), &token.scopes)
    }

    async fn page(&self, read: Read<'_>) -> Result<Page, Failure> {
        match read.source.stream {
            BASES => bases(&read).await,
            TABLES => tables(&read).await,
            _ => records(&read).await,
        }
    }
}

/// Airtable names no account, only the person: their address, where we may know it.
fn identity(whoami: &Members<'_>, granted: &[String]) -> Result<Identity, Failure> {
    let Some(user) = whoami.id() else {
        let said = "the answer names no account";
        return Err(Failure::new(FailureKind::Refused, said));
    };
    let email = whoami.text("email").as_deref().and_then(clean_name);
    let label = email.clone().unwrap_or_else(|| user.clone());
    let scopes = whoami.list("scopes").into_iter();
    let scopes: Vec<String> = scopes.filter_map(members::text).collect();
    Ok(Identity {
        account_id: user.clone(),
        account_key: user.clone(),
        account_name: label.clone(),
        person: Some(Person {
            id: user,
            name: label,
            email,
        }),
        scopes: match scopes.as_slice() {
            [] => granted.to_vec(),
            _ => scopes,
        },
        notes: String::new(),
    })
}

/// The bases that were shared; each has tables of its own.
async fn bases(read: &Read<'_>) -> Result<Page, Failure> {
    let path = format!("/{}/meta/bases", read.api.version());
    let call = Call::get(&path)
        .query(read.cursor.map(|offset| ("offset", offset)))
        .within(METADATA, "");
    let answer: Bases = read.api.ask(call).await?;
    let mut page = Page {
        next: next(answer.offset),
        ..Page::default()
    };
    for base in answer.bases {
        let Some(base) = understood(base_item(base), &mut page) else {
            continue;
        };
        page.opens.push(Source {
            stream: TABLES,
            key: base.id.clone(),
            label: base.name.clone(),
            about: String::new(),
        });
        page.items.push(base);
    }
    Ok(page)
}

/// The tables of a base, all at once; each has records of its own.
async fn tables(read: &Read<'_>) -> Result<Page, Failure> {
    let (base, name) = (&read.source.key, &read.source.label);
    let path = format!("/{}/meta/bases/{base}/tables", read.api.version());
    let answer: Tables = read.api.ask(Call::get(&path).within(METADATA, "")).await?;
    let mut page = Page::default();
    for table in answer.tables {
        let fields = Fields::of(&Members::of(&table));
        let Some(table) = understood(table_item(base, table), &mut page) else {
            continue;
        };
        page.opens.push(Source {
            stream: RECORDS,
            key: format!("{base}/{}", table.id),
            label: format!("{name} / {}", table.name),
            about: serde_json::to_string(&fields).unwrap_or_default(),
        });
        page.items.push(table);
    }
    Ok(page)
}

/// The records of a table, with all their cells.
///
/// What a formula, a rollup or a lookup works out anew is no change to Airtable: only reading the
/// table whole shows it.
async fn records(read: &Read<'_>) -> Result<Page, Failure> {
    let Some((base, table)) = read.source.key.split_once('/') else {
        let said = format!("there is no table {}", read.source.key);
        return Err(Failure::new(FailureKind::Refused, &said));
    };
    let path = format!("/{}/{base}/{table}", read.api.version());
    let changed = read.since.map(changed_since);
    let call = Call::get(&path)
        .query([("pageSize", PAGE), ("returnFieldsByFieldId", "true")])
        .query(changed.as_deref().map(|it| ("filterByFormula", it)))
        .query(read.cursor.map(|offset| ("offset", offset)))
        .within(BASE, base);
    let answer: Records = read.api.ask(call).await?;
    let mut page = Page {
        next: next(answer.offset),
        ..Page::default()
    };
    let fields: Fields = serde_json::from_str(&read.source.about).unwrap_or_default();
    for record in answer.records {
        let record = record_item(base, table, &fields, record);
        if let Some(record) = understood(record, &mut page) {
            page.items.push(record);
        }
    }
    Ok(page)
}

fn changed_since(since: DateTime<Utc>) -> String {
    let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("IS_AFTER(LAST_MODIFIED_TIME(),'{since}')")
}

/// An item, or one more that is left out.
fn understood(item: Option<Item>, page: &mut Page) -> Option<Item> {
    if item.is_none() {
        page.skipped += 1;
        tracing::warn!("a record of Airtable has no id");
    }
    item
}

fn next(offset: Option<String>) -> Option<String> {
    offset.filter(|offset| !offset.is_empty())
}

fn base_item(raw: Box<RawValue>) -> Option<Item> {
    let base = Members::of(&raw);
    let (id, name) = (base.id()?, base.name());
    Some(Item {
        container: String::new(),
        kind: "base",
        name: name.unwrap_or_else(|| "Unnamed base".to_owned()),
        created: None,
        modified: None,
        url: Some(format!("{UI}/{id}")),
        parent: None,
        substance: None,
        id,
        raw,
    })
}

fn table_item(base: &str, raw: Box<RawValue>) -> Option<Item> {
    let table = Members::of(&raw);
    let (id, name) = (table.id()?, table.name());
    Some(Item {
        container: base.to_owned(),
        kind: "table",
        name: name.unwrap_or_else(|| "Unnamed table".to_owned()),
        created: None,
        modified: None,
        url: Some(format!("{UI}/{base}/{id}")),
        parent: Some(Parent {
            container: String::new(),
            kind: "base",
            id: base.to_owned(),
        }),
        substance: None,
        id,
        raw,
    })
}

fn record_item(base: &str, table: &str, fields: &Fields, raw: Box<RawValue>) -> Option<Item> {
    let record = Members::of(&raw);
    let id = record.id()?;
    let cells = record.members("fields");
    let cell = |field: &Option<String>| cells.get(field.as_deref()?);
    let name = cell(&fields.primary).and_then(cells::name);
    let created = record.text("createdTime").as_deref().and_then(time);
    let modified = cell(&fields.modified).and_then(members::text);
    Some(Item {
        container: format!("{base}/{table}"),
        kind: "record",
        name: name.unwrap_or_else(|| UNNAMED_RECORD.to_owned()),
        created,
        modified: modified.as_deref().and_then(time),
        url: Some(format!("{UI}/{base}/{table}/{id}")),
        parent: Some(Parent {
            container: base.to_owned(),
            kind: "table",
            id: table.to_owned(),
        }),
        substance: substance(&raw),
        id,
        raw,
    })
}

/// What of a record tells whether it has changed, where that is not all of it: the addresses of
/// attachments are good for two hours, and made anew for each answer.
fn substance(record: &RawValue) -> Option<String> {
    let attached = Some(record.get()).filter(|it| it.contains("\"att"))?;
    let mut record: Value = serde_json::from_str(attached).ok()?;
    forget_addresses(&mut record);
    Some(record.to_string())
}

fn forget_addresses(value: &mut Value) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(forget_addresses),
        Value::Object(members) => {
            let id = members.get("id").and_then(Value::as_str);
            if id.is_some_and(|id| id.starts_with("att")) {
                members.remove("url");
                members.remove("thumbnails");
            }
            members.values_mut().for_each(forget_addresses);
        }
        _ => {}
    }
}

/// A moment, or the beginning of a day where that is all that a field shows.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

/// The fields of a table that say something of a record as a whole.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    /// What its records are named by.
    primary: Option<String>,
    /// When they were last changed, where the table has a field for it.
    modified: Option<String>,
}

impl Fields {
    fn of(table: &Members<'_>) -> Self {
        let fields = table.list("fields").into_iter().map(Members::of);
        let modified = fields.into_iter().find(tells_of_any_change);
        Self {
            primary: table.text("primaryFieldId"),
            modified: modified.and_then(|field| field.id()),
        }
    }
}

/// Such a field may watch some other fields only; then it does not speak for the record.
fn tells_of_any_change(field: &Members<'_>) -> bool {
    let watched = field.members("options").list("referencedFieldIds");
    field.text("type").as_deref() == Some("lastModifiedTime") && watched.is_empty()
}

#[derive(Deserialize)]
struct Bases {
    bases: Vec<Box<RawValue>>,
    offset: Option<String>,
}

#[derive(Deserialize)]
struct Tables {
    tables: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Box<RawValue>>,
    offset: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    fn record(value: Value) -> Option<Item> {
        let fields = Fields {
            primary: Some("fldName".into()),
            modified: Some("fldEdited".into()),
        };
        record_item("appBase", "tblTable", &fields, raw(&value))
    }

    #[test]
    fn a_record_stands_in_its_table_and_a_table_in_its_base() {
        let item = record(json!({
            "id": "recA1", "createdTime": "2026-01-31T23:59:59.000Z",
            "fields": { "fldName": "№ 42 — Ünïcode", "fldEdited": "2026-02-01T08:00:00.000Z" },
        }));
        let item = item.unwrap();
        assert_eq!(item.name, "№ 42 — Ünïcode");
        assert_eq!(item.container, "appBase/tblTable");
        let url = "https://airtable.com/appBase/tblTable/recA1";
        assert_eq!(item.url.as_deref(), Some(url));
        let [created, modified] =
            [item.created, item.modified].map(|time| time.unwrap().timestamp());
        assert_eq!([created, modified], [1_769_903_999, 1_769_932_800]);

        let table = table_item(
            "appBase",
            raw(&json!({ "id": "tblTable", "name": " Orders " })),
        );
        let table = table.unwrap();
        let stands_in = item.parent.unwrap();
        assert_eq!(
            (stands_in.container, stands_in.kind, stands_in.id),
            (table.container, table.kind, table.id)
        );
        let base = base_item(raw(&json!({ "id": "appBase", "name": "Events" }))).unwrap();
        let stands_in = table.parent.unwrap();
        assert_eq!(
            (stands_in.container, stands_in.kind, stands_in.id),
            (base.container, base.kind, base.id)
        );
        assert_eq!(
            (table.name.as_str(), base.name.as_str()),
            ("Orders", "Events")
        );
    }

    #[test]
    fn only_an_id_makes_a_record() {
        for odd in [
            json!({ "id": "recA1" }),
            json!({ "id": "recA1", "fields": null, "createdTime": 5 }),
            json!({ "id": "recA1", "fields": [], "createdTime": "yesterday" }),
            json!({ "id": "recA1", "fields": { "fldEdited": {}, "fldName": { "error": "#ERROR!" } } }),
        ] {
            let item = record(odd.clone()).unwrap_or_else(|| panic!("{odd}"));
            assert_eq!(item.name, UNNAMED_RECORD);
            assert!(item.created.is_none() && item.modified.is_none());
        }
        for none in [
            json!({ "fields": {} }),
            json!({ "id": 7 }),
            json!({ "id": "" }),
            // It would stand in addresses.
            json!({ "id": "../meta" }),
            json!("recA1"),
            json!(null),
        ] {
            assert!(record(none.clone()).is_none(), "{none}");
        }
    }

    #[test]
    fn bases_and_tables_without_a_name_say_so() {
        let named = |name: Value| {
            let thing = json!({ "id": "x1", "name": name });
            let (base, table) = (base_item(raw(&thing)), table_item("appBase", raw(&thing)));
            (base.unwrap().name, table.unwrap().name)
        };
        for name in [json!(null), json!(" "), json!(7)] {
            assert_eq!(named(name), ("Unnamed base".into(), "Unnamed table".into()));
        }
    }

    #[test]
    fn a_record_is_kept_byte_for_byte() {
        let text = r#"{"id":"recA1", "fields":{"fldName":9007199254740993.50,"x":"\u005a"} }"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let item = record_item("appBase", "tblTable", &Fields::default(), raw).unwrap();
        assert_eq!(item.raw.get(), text);
    }

    #[test]
    fn a_new_address_of_an_attachment_is_no_change() {
        let with = |filename: &str, number: u32| {
            let attached = json!({
                "id": "att1", "filename": filename, "url": format!("https://x.test/{number}"),
                "thumbnails": { "small": { "url": format!("https://x.test/s{number}") } },
            });
            let link = json!({ "label": "Open", "url": "https://x.test/kept" });
            let fields = json!({ "fldFiles": [attached], "fldLink": link });
            let item = record(json!({ "id": "recA1", "fields": fields }));
            item.unwrap().substance.unwrap()
        };
        assert_eq!(with("plan.pdf", 1), with("plan.pdf", 2));
        assert_ne!(with("plan.pdf", 1), with("final.pdf", 1));
        assert!(with("plan.pdf", 1).contains("https://x.test/kept"));
        let plain = record(json!({ "id": "recA1", "fields": { "fldName": "Ada" } }));
        assert_eq!(plain.unwrap().substance, None);
    }

    #[test]
    fn the_field_that_watches_all_others_tells_when_a_record_was_changed() {
        let fields = |fields: Value| {
            let table = raw(&json!({ "primaryFieldId": "fldA", "fields": fields }));
            Fields::of(&Members::of(&table))
        };
        let edited = |id: &str, watched: Value| {
            let options = json!({ "referencedFieldIds": watched });
            json!({ "id": id, "type": "lastModifiedTime", "options": options })
        };
        let found = fields(json!([
            { "id": "fldA", "type": "formula" },
            { "id": "fldH", "type": "hologram", "options": 7 },
            edited("fldOne", json!(["fldA"])),
            edited("fldAll", json!([])),
        ]));
        assert_eq!(found.primary.as_deref(), Some("fldA"));
        assert_eq!(found.modified.as_deref(), Some("fldAll"));
        for none in [
            json!([]),
            json!(null),
            json!([edited("fldB", json!(["fldA"]))]),
        ] {
            assert_eq!(fields(none).modified, None);
        }
    }

    #[test]
    fn times_are_moments_or_days() {
        let moment = |text| time(text).map(|time| time.timestamp_millis());
        assert_eq!(moment("2026-02-03T09:12:44.120Z"), Some(1_770_109_964_120));
        assert_eq!(moment("2026-02-03"), Some(1_770_076_800_000));
        assert_eq!(moment("soon"), None);
    }

    #[test]
    fn what_has_changed_is_asked_for_by_a_formula() {
        let since = "2026-09-30T10:00:00Z".parse().unwrap();
        assert_eq!(
            changed_since(since),
            "IS_AFTER(LAST_MODIFIED_TIME(),'2026-09-30T10:00:00.000Z')"
        );
    }

    #[test]
    fn a_person_is_called_by_their_address_or_by_their_id() {
        let identity = |answer: Value| {
            let answer = raw(&answer);
            identity(&Members::of(&answer), &["granted".to_owned()])
        };
        let known = identity(json!({
            "id": "usr1", "email": "zoe@x.test", "scopes": ["schema.bases:read", 7],
        }));
        let known = known.unwrap();
        assert_eq!(known.account_name, "zoe@x.test");
        assert_eq!(known.scopes, ["schema.bases:read"]);
        assert_eq!([known.account_id, known.account_key], ["usr1", "usr1"]);
        for email in [json!(null), json!(""), json!({})] {
            let unknown = identity(json!({ "id": "usr1", "email": email })).unwrap();
            let person = unknown.person.unwrap();
            assert_eq!((person.name.as_str(), person.email), ("usr1", None));
            assert_eq!(unknown.scopes, ["granted"]);
        }
        assert!(identity(json!({ "email": "zoe@x.test" })).is_err());
    }
}

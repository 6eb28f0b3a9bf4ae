//! Contacts, companies and deals: how they are listed, searched, named, and whose they are.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::whose::Notes;
use super::{ASSOCIATIONS, SEARCH, id};
use crate::client::{Call, Failure};
use crate::item::{Item, Parent, clean_name};
use crate::providers::{Page, Read};

/// One of HubSpot's object types.
pub struct Object {
    pub stream: &'static str,
    kind: &'static str,
    /// Its number in addresses.
    number: &'static str,
    /// The property to search by; another object's is no error there, and finds nothing.
    modified: &'static str,
    /// The properties that a name can come from, in that order, and no others, for addresses have a
    /// limit.
    properties: &'static [&'static str],
    /// How its association with its primary company is called in lists and numbered elsewhere.
    company: Option<(&'static str, u64)>,
}

pub static OBJECTS: [Object; 3] = [
    Object {
        stream: "contacts",
        kind: "contact",
        number: "0-1",
        modified: "lastmodifieddate",
        properties: &[
            "firstname",
            "lastname",
            "email",
            "phone",
            "mobilephone",
            "company",
        ],
        company: Some(("contact_to_company", 1)),
    },
    Object {
        stream: "companies",
        kind: "company",
        number: "0-2",
        modified: "hs_lastmodifieddate",
        properties: &["name", "domain"],
        company: None,
    },
    Object {
        stream: "deals",
        kind: "deal",
        number: "0-3",
        modified: "hs_lastmodifieddate",
        properties: &["dealname"],
        company: Some(("deal_to_company", 5)),
    },
];

/// The ids of records that were merged into this one, with `;` between them.
const MERGED: &str = "hs_merged_object_ids";

/// The largest pages HubSpot gives.
const PAGE: &str = "100";
const SEARCH_PAGE: u32 = 200;
/// Far more pages of companies than one record can have.
const ASSOCIATION_PAGES: u32 = 50;
/// Why a search is not whole.
const WITHHELD: &str = "HubSpot’s search counts more than it gives";
impl Object {
    /// The full list, with the company of each record.
    pub async fn list(&self, read: &Read<'_>) -> Result<Page, Failure> {
        let path = format!("/crm/objects/{}/{}", read.api.version(), self.stream);
        let notes = Notes::of(read);
        let properties = [self.properties, &[MERGED]].concat().join(",");
        let mut call = Call::get(&path).query([
            ("limit", PAGE),
            ("properties", properties.as_str()),
            ("archived", "false"),
        ]);
        let in_companies = self.company.is_some() && notes.sees_companies();
        if in_companies {
            call = call.query([("associations", "companies")]);
        }
        call = call.query(read.cursor.map(|after| ("after", after)));
        let answer: List = read.api.ask(call).await?;
        let next = answer.paging.and_then(Paging::after);
        let records = Records::parse(answer.results);
        let mut companies = self.named_companies(&records);
        let unnamed = self.with_more_companies(&records);
        if in_companies && !unnamed.is_empty() {
            companies.extend(self.primary_companies(read, &unnamed).await?);
        }
        Ok(self.page(read, &notes, records, &companies, next))
    }

    /// What has changed since then, in the order of the ids: a search ends after 10,000 results, and
    /// one that goes on by time does not get past so many of one moment. It may give less than it
    /// counts, and name no next page: it is over when it counts no more than it gave.
    pub async fn search(&self, read: &Read<'_>, since: DateTime<Utc>) -> Result<Page, Failure> {
        let path = format!("/crm/objects/{}/{}/search", read.api.version(), self.stream);
        let mut filters = vec![json!({
            "propertyName": self.modified, "operator": "GTE",
            "value": since.timestamp_millis().to_string(),
        })];
        if let Some(last) = read.cursor.and_then(|last| last.parse::<u64>().ok()) {
            let value = last.saturating_add(1).to_string();
            filters
                .push(json!({"propertyName": "hs_object_id", "operator": "GTE", "value": value}));
        }
        let properties = [self.properties, &[MERGED]].concat();
        let body = json!({
            "filterGroups": [{ "filters": filters }],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
            "properties": properties,
            "limit": SEARCH_PAGE,
        });
        let answer: List = read
            .api
            .ask(Call::post(&path, body).within(SEARCH, ""))
            .await?;
        let counted = answer.total.and_then(|total| total.as_u64());
        let more = answer.paging.and_then(Paging::after).is_some()
            || counted > Some(answer.results.len() as u64);
        let records = Records::parse(answer.results);
        let last = records.ids().filter_map(|id| id.parse::<u64>().ok()).max();
        let next = last.filter(|_| more).map(|last| last.to_string());
        let withheld = more && next.is_none();
        let notes = Notes::of(read);
        let ids: Vec<&str> = records.ids().collect();
        // A search says nothing of companies, which does not mean that there is none.
        let companies = match self.company {
            Some(_) if notes.sees_companies() && !ids.is_empty() => {
                self.primary_companies(read, &ids).await?
            }
            _ => HashMap::new(),
        };
        let page = self.page(read, &notes, records, &companies, next);
        Ok(Page {
            cut_short: withheld.then(|| WITHHELD.to_owned()),
            ..page
        })
    }

    fn page(
        &self,
        read: &Read<'_>,
        notes: &Notes,
        records: Records,
        companies: &HashMap<String, String>,
        next: Option<String>,
    ) -> Page {
        let mut page = Page {
            skipped: records.skipped,
            next,
            ..Page::default()
        };
        for record in records.all {
            let merged = record.parsed["properties"][MERGED].as_str().unwrap_or("");
            let merged = merged.split(';').map(str::trim).filter(|id| !id.is_empty());
            page.gone.extend(merged.map(|id| self.key(id.to_owned())));
            let company = companies.get(&record.id);
            page.items
                .push(self.item(record, company, read.account, notes));
        }
        page
    }

    fn key(&self, id: String) -> Parent {
        Parent {
            container: String::new(),
            kind: self.kind,
            id,
        }
    }

    /// Only an id makes a record; every other field may be missing, or of a kind nobody expects.
    fn item(&self, record: Record, company: Option<&String>, portal: &str, notes: &Notes) -> Item {
        let Record { id, parsed, raw } = record;
        let properties = &parsed["properties"];
        let url = parsed["url"].as_str().map(str::to_owned);
        Item {
            container: String::new(),
            kind: self.kind,
            name: self.name(properties).unwrap_or_else(|| self.nameless(&id)),
            created: parsed["createdAt"].as_str().and_then(time),
            modified: parsed["updatedAt"].as_str().and_then(time),
            url: url.or_else(|| notes.record_url(portal, self.number, &id)),
            parent: company.map(|id| Parent {
                container: String::new(),
                kind: "company",
                id: id.clone(),
            }),
            substance: Some(substance(properties)),
            id,
            raw,
        }
    }

    /// HubSpot asks a new record for one of several properties; an import may leave out all of them.
    fn name(&self, properties: &Value) -> Option<String> {
        let property = |name: &str| properties[name].as_str().and_then(clean_name);
        let (first, rest) = match self.kind {
            "contact" => self.properties.split_at(2),
            _ => self.properties.split_at(1),
        };
        let first: Vec<String> = first.iter().filter_map(|name| property(name)).collect();
        clean_name(&first.join(" ")).or_else(|| rest.iter().find_map(|name| property(name)))
    }

    fn nameless(&self, id: &str) -> String {
        let kind = self.kind;
        format!("{}{} {id}", kind[..1].to_uppercase(), &kind[1..])
    }

    /// The primary companies that a list names with its records.
    fn named_companies(&self, records: &Records) -> HashMap<String, String> {
        let Some((primary, _)) = self.company else {
            return HashMap::new();
        };
        let company = |record: &Record| {
            let all = record.parsed["associations"]["companies"]["results"].as_array()?;
            let primary = all.iter().find(|it| it["type"] == primary)?;
            Some((record.id.clone(), id(&primary["id"])?))
        };
        records.all.iter().filter_map(company).collect()
    }

    /// The records whose companies did not all fit into the list and whose primary one is not among
    /// those that did.
    fn with_more_companies<'a>(&self, records: &'a Records) -> Vec<&'a str> {
        let named = self.named_companies(records);
        let more = |record: &&Record| {
            let companies = &record.parsed["associations"]["companies"];
            companies["paging"]["next"].is_object() && !named.contains_key(&record.id)
        };
        let all = records.all.iter().filter(more);
        all.map(|record| record.id.as_str()).collect()
    }

    /// The primary companies of these records, asked for by themselves.
    async fn primary_companies(
        &self,
        read: &Read<'_>,
        ids: &[&str],
    ) -> Result<HashMap<String, String>, Failure> {
        let Some((_, primary)) = self.company else {
            return Ok(HashMap::new());
        };
        let version = read.api.version();
        let path = format!(
            "/crm/associations/{version}/{}/companies/batch/read",
            self.stream
        );
        let mut companies = HashMap::new();
        let mut inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        // Who has very many companies has them on several pages; the primary one is on one of them.
        for _ in 0..ASSOCIATION_PAGES {
            if inputs.is_empty() {
                break;
            }
            let call = Call::post(&path, json!({ "inputs": inputs })).within(ASSOCIATIONS, "");
            // Refused, too, it ends the listing: a record stored without its company loses the one it has.
            let answer: Associations = read.api.ask(call).await?;
            inputs.clear();
            for associated in answer.results {
                let Some(from) = id(&associated["from"]["id"]) else {
                    continue;
                };
                let all = associated["to"].as_array().into_iter().flatten();
                let company = all.filter(|to| is_of_type(to, primary));
                match company.filter_map(|to| id(&to["toObjectId"])).next() {
                    Some(company) => {
                        companies.insert(from, company);
                    }
                    None => {
                        if let Some(after) = id(&associated["paging"]["next"]["after"]) {
                            inputs.push(json!({ "id": from, "after": after }));
                        }
                    }
                }
            }
        }
        Ok(companies)
    }
}

fn is_of_type(to: &Value, wanted: u64) -> bool {
    let types = to["associationTypes"].as_array();
    types
        .into_iter()
        .flatten()
        .any(|it| it["typeId"].as_u64() == Some(wanted))
}

/// What tells that a record is another one than before: lists and searches write the same record with
/// other fields around its properties.
fn substance(properties: &Value) -> String {
    let properties = properties.as_object().into_iter().flatten();
    let told: BTreeMap<_, _> = properties.filter(|(_, value)| !value.is_null()).collect();
    serde_json::to_string(&told).unwrap_or_default()
}

/// A record that has an id.
struct Record {
    id: String,
    parsed: Value,
    raw: Box<RawValue>,
}

struct Records {
    all: Vec<Record>,
    skipped: usize,
}

impl Records {
    fn parse(results: Vec<Box<RawValue>>) -> Self {
        let mut records = Self {
            all: Vec::with_capacity(results.len()),
            skipped: 0,
        };
        for raw in results {
            match Record::parse(raw) {
                Ok(record) => records.all.push(record),
                Err(error) => {
                    records.skipped += 1;
                    tracing::warn!(%error, "a record of HubSpot could not be understood");
                }
            }
        }
        records
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|record| record.id.as_str())
    }
}

impl Record {
    fn parse(raw: Box<RawValue>) -> Result<Self, NotARecord> {
        let parsed: Value = serde_json::from_str(raw.get())?;
        let id = id(&parsed["id"]).ok_or(NotARecord::NoId)?;
        Ok(Self { id, parsed, raw })
    }
}

#[derive(Debug, thiserror::Error)]
enum NotARecord {
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
    #[error("it has no id")]
    NoId,
}

/// With or without a fraction, with `Z` or with an offset.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    paging: Option<Paging>,
    /// Of searches only.
    total: Option<Value>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

/// What names a next page and not where it is, is not taken for the end.
#[derive(Deserialize)]
#[serde(try_from = "RawNext")]
struct Next {
    after: String,
}

#[derive(Deserialize)]
struct RawNext {
    after: Value,
}

impl TryFrom<RawNext> for Next {
    type Error = &'static str;

    fn try_from(raw: RawNext) -> Result<Self, Self::Error> {
        let after = id(&raw.after).ok_or("the next page is nowhere")?;
        Ok(Self { after })
    }
}

#[derive(Deserialize)]
struct Associations {
    #[serde(default)]
    results: Vec<Value>,
}

impl Paging {
    fn after(self) -> Option<String> {
        Some(self.next?.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(object: &Object, record: Value) -> Item {
        let notes = Notes {
            ui_domain: Some("app-eu1.hubspot.com".into()),
            no_companies: false,
        };
        let raw = serde_json::value::to_raw_value(&record).unwrap();
        object.item(Record::parse(raw).unwrap(), None, "48213377", &notes)
    }

    fn item(record: Value) -> Item {
        of(&OBJECTS[0], record)
    }

    fn named(properties: Value) -> String {
        item(json!({"id": "901552", "properties": properties})).name
    }

    #[test]
    fn companies_and_deals_are_called_by_the_best_name_they_have() {
        let named =
            |object, properties| of(object, json!({"id": "7", "properties": properties})).name;
        let [_, company, deal] = &OBJECTS;
        assert_eq!(
            named(company, json!({"name": " Ünal ", "domain": "u.test"})),
            "Ünal"
        );
        assert_eq!(
            named(company, json!({"name": "", "domain": "u.test"})),
            "u.test"
        );
        assert_eq!(named(company, json!({})), "Company 7");
        assert_eq!(
            named(deal, json!({"dealname": "Renewal — 漢字"})),
            "Renewal — 漢字"
        );
        assert_eq!(named(deal, json!(null)), "Deal 7");
    }

    #[test]
    fn a_record_is_the_same_in_a_list_and_in_a_search() {
        let list = json!({"id": "7", "url": "https://x.test", "associations": {},
            "properties": {"firstname": "Zoë", "lastname": null, "email": "z@x.test"}});
        let search = json!({"id": "7", "properties": {"email": "z@x.test", "firstname": "Zoë"}});
        let changed = json!({"id": "7", "properties": {"email": "z@x.test", "firstname": "Zoe"}});
        assert_eq!(item(list.clone()).substance, item(search).substance);
        assert_ne!(item(list).substance, item(changed).substance);
    }

    #[test]
    fn the_primary_company_is_the_one_that_counts() {
        let company = |id: &str, name: &str| json!({"id": id, "type": name});
        let with = |companies: Value| {
            let record = json!({"id": 7, "associations": {"companies": companies}});
            let raw = serde_json::value::to_raw_value(&record).unwrap();
            Records::parse(vec![raw])
        };
        let named = |records: &Records| OBJECTS[0].named_companies(records).get("7").cloned();
        let all = [
            company("1", "contact_to_company_unlabeled"),
            company("2", "contact_to_company"),
        ];
        assert_eq!(
            named(&with(json!({ "results": all }))).as_deref(),
            Some("2")
        );
        let none = with(json!({ "results": all[..1] }));
        assert_eq!(
            (named(&none), OBJECTS[0].with_more_companies(&none).len()),
            (None, 0)
        );
        let more = with(json!({"results": all[..1], "paging": {"next": {"after": "9"}}}));
        assert_eq!(OBJECTS[0].with_more_companies(&more), ["7"]);
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
    fn an_odd_field_does_not_hide_the_record() {
        let odd = item(
            json!({"id": 7, "properties": null, "url": 5, "createdAt": {}, "updatedAt": false}),
        );
        assert_eq!((odd.id.as_str(), odd.name.as_str()), ("7", "Contact 7"));
        assert!(odd.created.is_none() && odd.modified.is_none());
        for id in [json!(null), json!(-1), json!(""), json!({})] {
            let raw = serde_json::value::to_raw_value(&json!({"id": id})).unwrap();
            assert!(Record::parse(raw).is_err(), "{id}");
        }
    }

    #[test]
    fn a_record_is_kept_byte_for_byte() {
        let text =
            r#"{"id":"1", "properties":{"firstname":"\u005a","amount":"1e21"} , "archived":false}"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(Record::parse(raw).unwrap().raw.get(), text);
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
        for lost in ["{}", r#"{"after":null}"#, r#"{"after":""}"#] {
            let answer = format!(r#"{{"results":[],"paging":{{"next":{lost}}}}}"#);
            assert!(serde_json::from_str::<List>(&answer).is_err(), "{answer}");
        }
        assert_eq!(next(r#"{"results":[]}"#), None);
    }
}

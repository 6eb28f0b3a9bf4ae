//! HubSpot: contacts, companies and deals, by the dated CRM API.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{
    Description, Identity, Kind, Page, Person, Pkce, Provider, Read, Scope, Stream, TokensFrom,
    is_invalid_grant,
};
use crate::client::{
    Answer, Api, Budget, Call, ClientAuth, Dialect, Encoding, Failure, FailureKind, Limit,
    OAuthClient, Stated, TokenAnswer, TokenErrorBody, retry_after,
};
use crate::item::{Item, Parent, clean_name};

pub struct HubSpot;

static DESCRIPTION: Description = Description {
    slug: "hubspot",
    name: "HubSpot",
    auth_url: "https://app.hubspot.com",
    api_url: "https://api.hubapi.com",
    authorize_path: "/oauth/authorize",
    token_path: "/oauth/{version}/token",
    tokens_from: TokensFrom::ApiUrl,
    revoke_path: Some("/oauth/{version}/token/revoke"),
    introspect_path: Some("/oauth/{version}/token/introspect"),
    authorize_with: &[],
    client_auth: ClientAuth::Body,
    encoding: Encoding::Form,
    api_version: "2026-09",
    // Eighteen months after its release.
    api_version_ends: NaiveDate::from_ymd_opt(2028, 3, 31),
    scopes: &[
        scope("oauth", false, "connecting at all"),
        scope("crm.objects.contacts.read", false, "contacts"),
        // An account whose plan lacks one of these could not approve at all if it were required.
        scope(
            COMPANIES_SCOPE,
            true,
            "companies, and whose contacts and deals are",
        ),
        scope("crm.objects.deals.read", true, "deals"),
    ],
    pkce: Pkce::Off,
    limits: &[
        // What HubSpot grants a marketplace app per installing account.
        limit("general", 110, 10),
        limit(SEARCH, 5, 1),
        limit(ASSOCIATIONS, 100, 10),
    ],
    at_once: 3,
    // HubSpot says that a change takes a few moments to be found.
    overlap: Duration::from_secs(10 * 60),
    kinds: &[
        kind("contact", "contact", "contacts"),
        kind("company", "company", "companies"),
        kind("deal", "deal", "deals"),
    ],
    streams: &[
        stream("contacts", "contact"),
        stream("companies", "company"),
        stream("deals", "deal"),
    ],
    dialect: Dialect {
        read_failure,
        stated_limit,
        version_header: None,
    },
    ends_grant,
    // Revoking one token of an account ends all that it was granted.
    revokes_one_grant: false,
    allowance: None,
    every: Duration::from_secs(15 * 60),
    when_empty: None,
    approvals_url: None,
};

const COMPANIES_SCOPE: &str = "crm.objects.companies.read";
const SEARCH: &str = "search";
const ASSOCIATIONS: &str = "associations";

const fn scope(name: &'static str, optional: bool, needed_for: &'static str) -> Scope {
    Scope {
        name,
        optional,
        needed_for,
    }
}

const fn limit(name: &'static str, calls: usize, seconds: u64) -> Limit {
    let window = Duration::from_secs(seconds);
    let budget = Budget { calls, window };
    Limit { name, budget }
}

const fn kind(name: &'static str, one: &'static str, many: &'static str) -> Kind {
    Kind {
        name,
        one,
        many,
        directory: false,
    }
}

const fn stream(name: &'static str, one: &'static str) -> Stream {
    Stream {
        name,
        one,
        many: name,
        root: true,
        exhaustive: true,
        since: true,
    }
}

/// One of HubSpot's object types.
struct Object {
    stream: &'static str,
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

static OBJECTS: [Object; 3] = [
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
/// HubSpot's window: what to wait when it names no time, and the same for searches.
const WINDOW: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
/// A locked resource wants at least this long.
const LOCKED: Duration = Duration::from_secs(2);
/// Far more pages of companies than one record can have.
const ASSOCIATION_PAGES: u32 = 50;
/// What a daily limit is left alone for: nobody waits until midnight.
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[async_trait]
impl Provider for HubSpot {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        oauth: &OAuthClient,
        token: &TokenAnswer,
    ) -> Result<Identity, Failure> {
        let answered = Whose::from_token(token);
        // Introspection says more, the person's address among it; the token's answer will do where
        // there is none. A passing fault is not taken for "says nothing".
        let asked = match oauth.introspect::<Value>(&token.tokens.access).await {
            Ok(whose) => whose.as_ref().map(Whose::read).unwrap_or_default(),
            Err(failure) if failure.is_passing() => return Err(failure),
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's introspection gave nothing");
                Whose::default()
            }
        };
        let path = format!("/account-info/{}/details", api.version());
        let details = match api.ask::<Value>(Call::get(&path)).await {
            Ok(details) => Details::read(&details),
            Err(failure) if failure.kind == FailureKind::Unauthorized => return Err(failure),
            // Without its details an account can still be read; only its links are missing.
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's account details gave nothing");
                Details::default()
            }
        };
        identity(answered, asked, details)
    }

    async fn page(&self, read: Read<'_>) -> Result<Page, Failure> {
        let object = OBJECTS.iter().find(|it| it.stream == read.source.stream);
        let Some(object) = object else {
            let said = format!("there is no list of {}", read.source.stream);
            return Err(Failure::new(FailureKind::Refused, &said));
        };
        match read.since {
            None => object.list(&read).await,
            Some(since) => object.search(&read, since).await,
        }
    }
}

impl Object {
    /// The full list, with the company of each record.
    async fn list(&self, read: &Read<'_>) -> Result<Page, Failure> {
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
    /// one that goes on by time does not get past so many of one moment.
    async fn search(&self, read: &Read<'_>, since: DateTime<Utc>) -> Result<Page, Failure> {
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
        let more = answer.paging.and_then(Paging::after).is_some();
        let records = Records::parse(answer.results);
        let last = records.ids().filter_map(|id| id.parse::<u64>().ok()).max();
        let next = last.filter(|_| more).map(|last| last.to_string());
        let notes = Notes::of(read);
        let ids: Vec<&str> = records.ids().collect();
        // A search says nothing of companies, which does not mean that there is none.
        let companies = match self.company {
            Some(_) if notes.sees_companies() && !ids.is_empty() => {
                self.primary_companies(read, &ids).await?
            }
            _ => HashMap::new(),
        };
        Ok(self.page(read, &notes, records, &companies, next))
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
            let answer: Associations = match read.api.ask(call).await {
                Err(failure) if failure.kind == FailureKind::Forbidden => return Ok(companies),
                answer => answer?,
            };
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

/// HubSpot names the cause in `status`, with or without the standard's `error` beside it.
fn ends_grant(answer: &Answer) -> bool {
    let status = TokenErrorBody::of(answer).status;
    is_invalid_grant(answer) || matches!(status.as_deref(), Some("BAD_REFRESH_TOKEN" | "BAD_HUB"))
}

fn identity(answered: Whose, asked: Whose, details: Details) -> Result<Identity, Failure> {
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

/// An id, which HubSpot writes as a number or as a string.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// With or without a fraction, with `Z` or with an offset.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

/// What is remembered of an account.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    /// Where its people work: `app.hubspot.com`, or that of another region.
    ui_domain: Option<String>,
    /// Whether the right to see companies was not granted.
    #[serde(default)]
    no_companies: bool,
}

impl Notes {
    fn of(read: &Read<'_>) -> Self {
        serde_json::from_str(read.notes).unwrap_or_default()
    }

    fn sees_companies(&self) -> bool {
        !self.no_companies
    }

    fn record_url(&self, portal: &str, object: &str, id: &str) -> Option<String> {
        let domain = self.ui_domain.as_ref()?;
        Some(format!(
            "https://{domain}/contacts/{portal}/record/{object}/{id}"
        ))
    }
}

/// Whose a token is: in the token endpoint's answer and, more of it, in introspection. Each field is
/// read by itself, so that one odd field hides no other.
#[derive(Default)]
struct Whose {
    hub_id: Option<String>,
    user_id: Option<String>,
    user: Option<String>,
    scopes: Vec<String>,
}

impl Whose {
    fn read(answer: &Value) -> Self {
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

    fn from_token(token: &TokenAnswer) -> Self {
        let mut whose = Self::read(&Value::Object(token.extra.clone()));
        if whose.scopes.is_empty() {
            whose.scopes = token.scopes.clone();
        }
        whose
    }
}

#[derive(Default)]
struct Details {
    portal_id: Option<String>,
    portal_name: Option<String>,
    ui_domain: Option<String>,
}

impl Details {
    fn read(answer: &Value) -> Self {
        Self {
            portal_id: id(&answer["portalId"]),
            portal_name: answer["portalName"].as_str().map(str::to_owned),
            ui_domain: answer["uiDomain"].as_str().map(str::to_owned),
        }
    }
}

#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: Option<Value>,
}

#[derive(Deserialize)]
struct Associations {
    #[serde(default)]
    results: Vec<Value>,
}

impl Paging {
    fn after(self) -> Option<String> {
        id(&self.next?.after?)
    }
}

/// Every field of HubSpot's error body is optional, and a proxy's answer has none.
#[derive(Default, Deserialize)]
struct ErrorBody {
    message: Option<String>,
    #[serde(rename = "policyName")]
    policy: Option<String>,
    #[serde(default)]
    errors: Value,
}

impl ErrorBody {
    /// The scopes that HubSpot says are lacking.
    fn scopes(&self) -> Vec<String> {
        let errors = self.errors.as_array().into_iter().flatten();
        let named = errors.filter_map(|it| it["context"]["requiredGranularScopes"].as_array());
        let named = named.flatten().filter_map(Value::as_str);
        named.map(str::to_owned).collect()
    }

    fn wait(&self) -> Duration {
        let message = self.message.as_deref().unwrap_or_default();
        match self.policy.as_deref() {
            Some("DAILY") => DAY,
            Some("SECONDLY") => SECOND,
            _ if message.contains("secondly") && !message.contains("ten_secondly") => SECOND,
            _ => WINDOW,
        }
    }
}

fn read_failure(answer: &Answer) -> Failure {
    let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let asked = retry_after(&answer.headers);
    let (kind, wait) = match answer.status.as_u16() {
        401 | 530 => (FailureKind::Unauthorized, None),
        403 => (FailureKind::Forbidden, None),
        404 => (FailureKind::NotFound, None),
        429 => (FailureKind::Limited, Some(body.wait())),
        423 => (FailureKind::Passing, Some(LOCKED)),
        477 | 500..=504 | 521..=524 => (FailureKind::Passing, None),
        _ => (FailureKind::Refused, None),
    };
    let status = || format!("status {}", answer.status.as_u16());
    let said = body.message.clone().unwrap_or_else(status);
    Failure::new(kind, &said)
        .after(asked.or(wait))
        .lacking(body.scopes())
}

/// HubSpot names its window with each answer but those of searches.
fn stated_limit(headers: &HeaderMap) -> Option<Stated> {
    let number = |name: &str| {
        let value = headers.get(format!("x-hubspot-ratelimit-{name}"))?;
        value.to_str().ok()?.trim().parse::<usize>().ok()
    };
    let (calls, window) = (number("max")?, number("interval-milliseconds")?);
    let budget = Budget {
        calls,
        window: Duration::from_millis(window as u64),
    };
    (calls > 0 && window > 0).then(|| Stated {
        budget,
        remaining: number("remaining"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn an_odd_field_hides_neither_the_record_nor_the_person() {
        let odd = item(
            json!({"id": 7, "properties": null, "url": 5, "createdAt": {}, "updatedAt": false}),
        );
        assert_eq!((odd.id.as_str(), odd.name.as_str()), ("7", "Contact 7"));
        assert!(odd.created.is_none() && odd.modified.is_none());
        for id in [json!(null), json!(-1), json!(""), json!({})] {
            let raw = serde_json::value::to_raw_value(&json!({"id": id})).unwrap();
            assert!(Record::parse(raw).is_err(), "{id}");
        }
        let whose = Whose::read(&json!({"hub_id": "7", "user_id": 9, "user": {}, "scopes": null}));
        assert_eq!(
            (whose.hub_id.as_deref(), whose.user_id.as_deref()),
            (Some("7"), Some("9"))
        );
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
        assert_eq!(next(r#"{"results":[]}"#), None);
    }

    #[test]
    fn each_status_is_the_failure_that_hubspot_means() {
        let failure = |status: u16, body: &'static str, retry: Option<&'static str>| {
            let mut headers = http::HeaderMap::new();
            if let Some(seconds) = retry {
                headers.insert("retry-after", http::HeaderValue::from_static(seconds));
            }
            read_failure(&Answer {
                status: http::StatusCode::from_u16(status).unwrap(),
                headers,
                body: body.into(),
            })
        };
        let limited = failure(
            429,
            r#"{"message":"You have reached your ten_secondly_rolling limit."}"#,
            None,
        );
        assert_eq!(
            (limited.kind, limited.wait),
            (FailureKind::Limited, Some(WINDOW))
        );
        assert_eq!(
            failure(429, "", Some("3")).wait,
            Some(Duration::from_secs(3))
        );
        assert_eq!(failure(502, "<html>", None).kind, FailureKind::Passing);
        assert_eq!(
            failure(477, "", Some("86400")).wait,
            Some(Duration::from_secs(86_400))
        );
        assert_eq!(failure(423, "", None).wait, Some(LOCKED));
        assert_eq!(failure(530, "<html>", None).kind, FailureKind::Unauthorized);
        assert_eq!(failure(403, "{}", None).kind, FailureKind::Forbidden);
        assert_eq!(failure(414, "<html>", None).kind, FailureKind::Refused);
    }

    #[test]
    fn only_an_ended_grant_ends_a_connection() {
        let answered = |status: u16, body: &'static str| {
            ends_grant(&Answer {
                status: http::StatusCode::from_u16(status).unwrap(),
                headers: http::HeaderMap::new(),
                body: body.into(),
            })
        };
        assert!(answered(
            400,
            r#"{"error":"invalid_grant","status":"BAD_REFRESH_TOKEN","message":"x"}"#
        ));
        assert!(answered(
            400,
            r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token"}"#
        ));
        assert!(answered(
            400,
            r#"{"error":"access_denied","status":"BAD_HUB"}"#
        ));
        for (status, body) in [
            (
                400,
                r#"{"error":"invalid_client","status":"BAD_CLIENT_SECRET"}"#,
            ),
            (400, r#"{"status":"BAD_CLIENT_ID"}"#),
            (429, r#"{"status":"error","errorType":"RATE_LIMIT"}"#),
            (500, r#"{"status":"error","message":"internal"}"#),
            (502, "<html>"),
            (409, ""),
            (418, "{}"),
        ] {
            assert!(!answered(status, body), "{status} {body}");
        }
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

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::associations::Asked;
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::kind::Kind;
use super::portal::portal;
use super::record::{Wanted, record};
use super::records::Records;
use crate::sandbox::accounts::Account;
use crate::sandbox::params::Params;
use crate::sandbox::world::World;

const USUAL_LIMIT: u32 = 10;
const MOST: u32 = 100;

/// Which part of the list is asked for.
struct Page {
    limit: u32,
    /// The id of the first record of the page; to the client it is opaque.
    after: u64,
    archived: bool,
    wanted: Wanted,
}

/// One page of the list.
pub async fn list(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let records = records(&request, &world, &caller, "kind")?;
    let query = Params::parse(request.query_string().as_bytes());
    let page = Page::read(&query)?;
    let asked = Asked::read(&query, &world, &caller, records.kind)?;
    let (indices, next) = page.of(&records);
    let portal = portal(caller.token.account);
    let shape = |index| {
        let shape = record(&records.record(index), &page.wanted, portal);
        asked.add_to(shape, index, &request)
    };
    let results: Vec<Value> = indices.into_iter().map(shape).collect();
    let mut answer = json!({ "results": results });
    match next {
        Some(id) => answer["paging"] = paging(&request, id, caller.token.account),
        None if caller.token.account == Account::Faults => answer["paging"] = json!({}),
        None => {}
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// One record.
pub async fn read(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let records = records(&request, &world, &caller, "kind")?;
    let query = Params::parse(request.query_string().as_bytes());
    let asked = Asked::read(&query, &world, &caller, records.kind)?;
    let id = request.match_info().get("id").unwrap_or_default();
    let index = find(&records, id, is_archived(&query)).ok_or_else(errors::no_such_object)?;
    let wanted = Wanted::names(query.list("properties"));
    let shape = record(
        &records.record(index),
        &wanted,
        portal(caller.token.account),
    );
    Ok(HttpResponse::Ok().json(asked.add_to(shape, index, &request)))
}

/// What `batch/read` is asked with.
#[derive(Deserialize)]
struct Batch {
    inputs: Vec<Input>,
    #[serde(default)]
    properties: Vec<String>,
}

#[derive(Deserialize)]
struct Input {
    id: String,
}

/// Records by their ids; those that do not exist are told apart, with a status that says so.
pub async fn batch_read(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let records = records(&request, &world, &caller, "kind")?;
    let query = Params::parse(request.query_string().as_bytes());
    let started = now();
    let batch: Batch = serde_json::from_slice(&body)
        .map_err(|_| errors::invalid("inputs", "the body is not a list of inputs"))?;
    if batch.inputs.len() > MOST as usize {
        return Err(errors::invalid("inputs", "at most 100 inputs are possible"));
    }
    let (wanted, portal) = (
        Wanted::names(batch.properties),
        portal(caller.token.account),
    );
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for Input { id } in batch.inputs {
        match find(&records, &id, is_archived(&query)) {
            Some(index) => results.push(record(&records.record(index), &wanted, portal)),
            None => missing.push(id),
        }
    }
    let answer = json!({
        "status": "COMPLETE",
        "results": results,
        "startedAt": started,
        "completedAt": now(),
    });
    Ok(batch_answer(answer, missing, records.kind))
}

fn batch_answer(mut answer: Value, missing: Vec<String>, kind: Kind) -> HttpResponse {
    if missing.is_empty() {
        return HttpResponse::Ok().json(answer);
    }
    answer["numErrors"] = 1.into();
    answer["errors"] = json!([{
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": format!(
            "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
            kind.singular().to_uppercase(),
        ),
        "context": { "ids": missing },
    }]);
    HttpResponse::build(StatusCode::MULTI_STATUS).json(answer)
}

impl Page {
    fn read(query: &Params) -> Result<Page, ApiError> {
        let limit = match query.get("limit") {
            None => USUAL_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| errors::invalid("limit", "limit must be a number from 1 to 100"))?,
        };
        let after = query.get("after").unwrap_or("0");
        let after = after
            .parse()
            .map_err(|_| errors::invalid("after", "after is not one this API gave out"))?;
        Ok(Page {
            limit,
            after,
            archived: is_archived(query),
            wanted: Wanted::names(query.list("properties")),
        })
    }

    /// The indices of the page's records, and the id of the first one behind them.
    fn of(&self, records: &Records) -> (Vec<u32>, Option<u64>) {
        let (mut indices, next): (Vec<u32>, _) = if self.archived {
            let mut archived = records.archived();
            archived.retain(|index| records.id(*index) >= self.after);
            let next = archived.get(self.limit as usize).copied();
            (archived, next)
        } else {
            let from = records.at_or_after(self.after);
            let to = from.saturating_add(self.limit).min(records.count());
            let next = (to < records.count()).then(|| records.index(to));
            ((from..to).map(|place| records.index(place)).collect(), next)
        };
        indices.truncate(self.limit as usize);
        (indices, next.map(|index| records.id(index)))
    }
}

/// The records that a part of the path is about, if the caller may read them.
pub fn records(
    request: &HttpRequest,
    world: &World,
    caller: &Caller,
    part: &str,
) -> Result<Records, ApiError> {
    let kind = request.match_info().get(part).and_then(Kind::named);
    let kind = kind.ok_or_else(|| errors::no_such_path(request.path()))?;
    caller.must_have(kind.scope())?;
    Ok(Records::of(world, caller.token.account, kind))
}

/// The index of a record, among those that are there or among the archived ones.
fn find(records: &Records, id: &str, archived: bool) -> Option<u32> {
    let id = id.parse().ok()?;
    if archived {
        let mut indices = records.archived().into_iter();
        return indices.find(|index| records.id(*index) == id);
    }
    records.find(id)
}

fn is_archived(query: &Params) -> bool {
    query.get("archived") == Some("true")
}

/// How to go on. The rough account writes a number where all others write text.
fn paging(request: &HttpRequest, after: u64, account: Account) -> Value {
    let text = after.to_string();
    let link = link(request, &text);
    let after = match account {
        Account::Faults => json!(after),
        _ => json!(text),
    };
    json!({ "next": { "link": link, "after": after } })
}

/// The request once more, for the next page. It leads back here and not to HubSpot, where a client
/// that follows it would only be refused.
pub fn link(request: &HttpRequest, after: &str) -> String {
    let info = request.connection_info();
    let mut query = Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        if name != "after" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("after", after);
    format!(
        "{}://{}{}?{}",
        info.scheme(),
        info.host(),
        request.path(),
        query.finish()
    )
}

pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::dial::{Edit, Provider, Turn};
    use crate::sandbox::testing::{Visit, options, parameter, visit};

    const LIST: &str = "/crm/objects/2026-09/contacts";

    fn ids(page: &Value) -> Vec<String> {
        let results = page["results"].as_array().unwrap().iter();
        results
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn read_all(visit: &Visit, access: &str) -> Vec<String> {
        let (mut all, mut path) = (Vec::new(), format!("{LIST}?limit=100"));
        loop {
            let page = visit.read(&path, access).await.json();
            all.extend(ids(&page));
            match page["paging"]["next"]["after"].as_str() {
                Some(after) => path = format!("{LIST}?limit=100&after={after}"),
                None => return all,
            }
        }
    }

    #[tokio::test]
    async fn paging_gives_every_contact_once() {
        let visit = visit(Options {
            contacts: Some(1_050),
            ..options()
        });
        let (access, _) = visit.connect("100k").await;
        let all = read_all(&visit, &access).await;
        assert_eq!(all.len(), 1_050);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1_050);
    }

    #[tokio::test]
    async fn the_last_page_and_an_empty_account_have_no_paging() {
        let visit = visit(Options {
            contacts: Some(100),
            ..options()
        });
        for (account, count) in [("small", 100), ("empty", 0)] {
            let (access, _) = visit.connect(account).await;
            let page = visit
                .read(&format!("{LIST}?limit=100"), &access)
                .await
                .json();
            assert_eq!(ids(&page).len(), count);
            assert_eq!(page.get("paging"), None);
        }
    }

    #[tokio::test]
    async fn ten_come_unasked_and_more_than_a_hundred_are_refused() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        assert_eq!(ids(&visit.read(LIST, &access).await.json()).len(), 10);
        for bad in ["limit=101", "limit=0", "limit=ten", "after=tomorrow"] {
            let answer = visit.read(&format!("{LIST}?{bad}"), &access).await;
            assert_eq!(answer.status, 400);
            assert_eq!(answer.json()["category"], "VALIDATION_ERROR");
        }
    }

    #[tokio::test]
    async fn the_link_to_the_next_page_keeps_what_was_asked() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let page = visit
            .read(&format!("{LIST}?limit=2&properties=email&after=1"), &access)
            .await
            .json();
        let next = &page["paging"]["next"];
        let link = next["link"].as_str().unwrap();
        assert!(link.starts_with(&visit.sandbox.url()));
        assert_eq!(parameter(link, "after").as_deref(), next["after"].as_str());
        assert_eq!(parameter(link, "properties").as_deref(), Some("email"));
    }

    #[tokio::test]
    async fn older_and_newer_paths_give_the_same_list() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let newest = visit.read(LIST, &access).await.json()["results"].clone();
        let others = [
            "/crm/objects/2026-03/contacts",
            "/crm/objects/2026-09/0-1",
            "/crm/v3/objects/contacts",
            "/crm/v3/objects/0-1",
        ];
        for path in others {
            assert_eq!(visit.read(path, &access).await.json()["results"], newest);
        }
    }

    #[tokio::test]
    async fn archived_records_are_a_list_of_their_own() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let read = async |path: String| visit.read(&path, &access).await;
        let page = read(format!("{LIST}?archived=true&limit=1")).await.json();
        let first = &page["results"][0];
        assert_eq!(first["archived"], true);
        assert!(first["archivedAt"].is_string());
        let after = page["paging"]["next"]["after"].as_str().unwrap();
        let page = read(format!("{LIST}?archived=true&after={after}"))
            .await
            .json();
        assert_eq!(ids(&page), [after]);
        assert_eq!(page.get("paging"), None);
        assert_eq!(read(format!("{LIST}/{after}")).await.status, 404);
        let archived = read(format!("{LIST}/{after}?archived=true")).await;
        assert_eq!(archived.status, 200);
    }

    #[tokio::test]
    async fn each_kind_is_listed_with_its_own_properties() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("small").await;
        for (kind, name, count) in [("companies", "name", 24), ("0-3", "dealname", 12)] {
            let path = format!("/crm/objects/2026-09/{kind}?limit=100");
            let page = visit.read(&path, &access).await.json();
            assert_eq!(ids(&page).len(), count);
            let first = &page["results"][0]["properties"];
            assert!(first[name].is_string());
            assert!(first["hs_lastmodifieddate"].is_string());
        }
    }

    #[tokio::test]
    async fn each_kind_needs_a_scope_of_its_own() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        for (kind, scope) in [("companies", "companies"), ("deals", "deals")] {
            let path = format!("/crm/v3/objects/{kind}");
            let answer = visit.read(&path, &access).await;
            assert_eq!(answer.status, 403);
            let named = &answer.json()["errors"][0]["context"]["requiredGranularScopes"];
            assert_eq!(*named, json!([format!("crm.objects.{scope}.read")]));
        }
    }

    #[tokio::test]
    async fn a_merged_contact_is_not_found_and_the_other_lists_it() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let path = format!("{LIST}?limit=1&properties=hs_merged_object_ids");
        let page = visit.read(&path, &access).await.json();
        let merged = &page["results"][0]["properties"]["hs_merged_object_ids"];
        let path = format!("{LIST}/{}", merged.as_str().unwrap());
        assert_eq!(visit.read(&path, &access).await.status, 404);
        let archived = visit.read(&format!("{path}?archived=true"), &access).await;
        assert_eq!(archived.status, 404);
    }

    #[tokio::test]
    async fn what_the_dial_adds_changes_and_deletes_shows_in_the_list() {
        let visit = visit(options());
        let (access, _) = visit.connect("10k").await;
        let edit = |edit| {
            let turn = Turn::Records("contacts", edit);
            visit
                .sandbox
                .dial(Provider::HubSpot, Account::TenThousand, turn);
        };
        let path = format!("{LIST}?limit=1");
        let first = visit.read(&path, &access).await.json()["results"][0].clone();
        edit(Edit::Change(1));
        edit(Edit::Add(3));
        edit(Edit::Delete(10_000 - 2));
        let changed = visit.read(&path, &access).await.json()["results"][0].clone();
        assert_eq!(changed["id"], first["id"]);
        assert!(changed["updatedAt"].as_str() > first["updatedAt"].as_str());
        assert_eq!(read_all(&visit, &access).await.len(), 5);
    }

    #[tokio::test]
    async fn one_account_writes_after_as_a_number_and_ends_with_an_empty_paging() {
        let visit = visit(Options {
            contacts: Some(15),
            ..options()
        });
        let (access, _) = visit.connect("faults").await;
        let page = visit.read(LIST, &access).await.json();
        let after = page["paging"]["next"]["after"].as_u64().unwrap();
        let path = format!("{LIST}?after={after}");
        let page = visit.read(&path, &access).await.json();
        assert_eq!(page["paging"], json!({}));
    }

    #[tokio::test]
    async fn one_contact_can_be_read_and_a_stranger_is_not_found() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let record = visit
            .read(&format!("{LIST}/9007199254740993"), &access)
            .await
            .json();
        assert_eq!(record["id"], "9007199254740993");
        for id in ["9007199254740992", "somebody"] {
            let answer = visit.read(&format!("{LIST}/{id}"), &access).await;
            assert_eq!(answer.status, 404);
            assert_eq!(answer.json()["category"], "OBJECT_NOT_FOUND");
        }
    }

    #[tokio::test]
    async fn a_batch_gives_what_it_finds_and_tells_the_rest_apart() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let known = ids(&visit.read(LIST, &access).await.json());
        let path = format!("{LIST}/batch/read");
        let body =
            json!({ "inputs": [{ "id": known[1] }, { "id": known[0] }], "properties": ["email"] });
        let answer = visit.read_batch(&path, &access, &body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(ids(&answer.json()), [&*known[1], &*known[0]]);
        let body = json!({ "inputs": [{ "id": known[0] }, { "id": "1" }] });
        let answer = visit.read_batch(&path, &access, &body).await;
        assert_eq!(answer.status, 207);
        assert_eq!(answer.json()["errors"][0]["context"]["ids"], json!(["1"]));
        let body = json!({ "inputs": vec![json!({ "id": "1" }); 101] });
        assert_eq!(visit.read_batch(&path, &access, &body).await.status, 400);
    }
}

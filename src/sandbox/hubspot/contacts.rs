use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::contact_data::Contacts;
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::portal::portal;
use super::record::{Wanted, record};
use super::scopes::CONTACTS;
use crate::sandbox::params::Params;
use crate::sandbox::world::World;

const USUAL_LIMIT: u32 = 10;
const MOST: u32 = 100;

/// Which part of the list is asked for.
struct Page {
    limit: u32,
    /// The id of the first contact of the page; to the client it is opaque.
    after: Option<u64>,
    archived: bool,
    wanted: Wanted,
}

/// One page of the list.
pub async fn list(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(CONTACTS)?;
    let query = Params::parse(request.query_string().as_bytes());
    let page = Page::read(&query)?;
    if page.archived {
        return Ok(HttpResponse::Ok().json(json!({ "results": [] })));
    }
    let contacts = contacts(&world, &caller);
    let from = page.after.map_or(0, |id| contacts.at_or_after(id));
    let to = from.saturating_add(page.limit).min(contacts.len);
    let portal = portal(caller.token.account);
    let results: Vec<Value> = (from..to)
        .map(|index| record(&contacts.contact(index), &page.wanted, portal))
        .collect();
    let mut answer = json!({ "results": results });
    if to < contacts.len {
        let after = contacts.id(to).to_string();
        answer["paging"] = json!({ "next": { "link": link(&request, &after), "after": after } });
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// One contact.
pub async fn read(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(CONTACTS)?;
    let query = Params::parse(request.query_string().as_bytes());
    let id = request
        .match_info()
        .get("id")
        .and_then(|id| id.parse().ok());
    let contact = id
        .and_then(|id| contacts(&world, &caller).find(id))
        .ok_or_else(errors::no_such_object)?;
    let wanted = Wanted::parse(query.get("properties"));
    Ok(HttpResponse::Ok().json(record(&contact, &wanted, portal(caller.token.account))))
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

/// Contacts by their ids; those that do not exist are told apart, with a status that says so.
pub async fn batch_read(
    world: web::Data<World>,
    caller: Caller,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(CONTACTS)?;
    let started = now();
    let batch: Batch = serde_json::from_slice(&body)
        .map_err(|_| errors::invalid("inputs", "the body is not a list of inputs"))?;
    if batch.inputs.len() > MOST as usize {
        return Err(errors::invalid("inputs", "at most 100 inputs are possible"));
    }
    let (contacts, portal) = (contacts(&world, &caller), portal(caller.token.account));
    let wanted = Wanted::names(batch.properties);
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for Input { id } in batch.inputs {
        match id.parse().ok().and_then(|id| contacts.find(id)) {
            Some(contact) => results.push(record(&contact, &wanted, portal)),
            None => missing.push(id),
        }
    }
    let answer = json!({
        "status": "COMPLETE",
        "results": results,
        "startedAt": started,
        "completedAt": now(),
    });
    Ok(batch_answer(answer, missing))
}

fn batch_answer(mut answer: Value, missing: Vec<String>) -> HttpResponse {
    if missing.is_empty() {
        return HttpResponse::Ok().json(answer);
    }
    answer["numErrors"] = 1.into();
    answer["errors"] = json!([{
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.",
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
        let after = match query.get("after") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| errors::invalid("after", "after is not one this API gave out"))?,
            ),
        };
        Ok(Page {
            limit,
            after,
            archived: query.get("archived") == Some("true"),
            wanted: Wanted::parse(query.get("properties")),
        })
    }
}

fn contacts(world: &World, caller: &Caller) -> Contacts {
    let account = caller.token.account;
    Contacts {
        account,
        len: world.size(account),
    }
}

/// The request once more, for the next page. It leads back here and not to HubSpot, where a client
/// that follows it would only be refused.
fn link(request: &HttpRequest, after: &str) -> String {
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

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sandbox::Options;
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
    async fn nothing_is_archived() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let page = visit
            .read(&format!("{LIST}?archived=true"), &access)
            .await
            .json();
        assert!(ids(&page).is_empty());
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

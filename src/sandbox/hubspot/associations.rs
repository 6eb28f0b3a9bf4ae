use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{self, ApiError};
use super::gate::Caller;
use super::kind::Kind;
use super::links::{Link, Links, Type};
use super::objects::{link, now, records};
use super::records::Records;
use crate::sandbox::params::Params;
use crate::sandbox::world::World;

/// Ids in one request.
const MOST: usize = 1_000;
/// Associated records of one record in one answer; there are pages of them too.
const PAGE: usize = 100;

/// What a batch is asked with.
#[derive(Deserialize)]
struct Batch {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    id: String,
    after: Option<String>,
}

/// The associations of many records at once. Those without any are told apart, as errors.
pub async fn batch_read(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let links = links_in_path(&request, &world, &caller)?;
    let started = now();
    let batch: Batch = serde_json::from_slice(&body)
        .map_err(|_| errors::invalid("inputs", "the body is not a list of inputs"))?;
    if batch.inputs.len() > MOST {
        return Err(errors::invalid(
            "inputs",
            "at most 1000 inputs are possible",
        ));
    }
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for input in batch.inputs {
        match of_input(&links, &input, &request) {
            Some(result) => results.push(result),
            None => missing.push(none_found(&links, &input.id)),
        }
    }
    let mut answer = json!({
        "status": "COMPLETE",
        "results": results,
        "startedAt": started,
        "completedAt": now(),
    });
    if missing.is_empty() {
        return Ok(HttpResponse::Ok().json(answer));
    }
    answer["numErrors"] = missing.len().into();
    answer["errors"] = missing.into();
    Ok(HttpResponse::build(StatusCode::MULTI_STATUS).json(answer))
}

/// The associations of one record.
pub async fn list(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let links = links_in_path(&request, &world, &caller)?;
    let id = request.match_info().get("id").unwrap_or_default();
    let index = id.parse().ok().and_then(|id| links.from.find(id));
    let index = index.ok_or_else(errors::no_such_object)?;
    let query = Params::parse(request.query_string().as_bytes());
    let (page, next) = page(&links, index, query.get("after"));
    let to = entries(&links, &page, &request);
    let mut answer = json!({ "results": to });
    if let Some(after) = next {
        answer["paging"] = json!({ "next": { "link": link(&request, &after), "after": after } });
    }
    Ok(HttpResponse::Ok().json(answer))
}

fn of_input(links: &Links, input: &Input, request: &HttpRequest) -> Option<Value> {
    let index = links.from.find(input.id.parse().ok()?)?;
    let (page, next) = page(links, index, input.after.as_deref());
    if page.is_empty() {
        return None;
    }
    let mut result = json!({
        "from": { "id": input.id },
        "to": entries(links, &page, request),
    });
    if let Some(after) = next {
        result["paging"] = json!({ "next": { "after": after } });
    }
    Some(result)
}

fn none_found(links: &Links, id: &str) -> Value {
    let (from, to) = (links.from.kind.singular(), links.to.kind.singular());
    json!({
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": format!("No {to} is associated with {from} {id}."),
        "context": {
            "fromObjectId": [id],
            "fromObjectType": [from],
            "toObjectType": [to],
        },
    })
}

/// The links from an id on, and the id to go on with.
fn page(links: &Links, index: u32, after: Option<&str>) -> (Vec<Link>, Option<String>) {
    let from: u64 = after.and_then(|id| id.parse().ok()).unwrap_or_default();
    let mut all = links.of(index);
    all.retain(|link| links.to.id(link.index) >= from);
    let next = all
        .get(PAGE)
        .map(|link| links.to.id(link.index).to_string());
    all.truncate(PAGE);
    (all, next)
}

/// Most records of one answer stand in it once, with all their types; some stand there once for
/// each.
fn entries(links: &Links, page: &[Link], request: &HttpRequest) -> Vec<Value> {
    let mut entries = Vec::new();
    for link in page {
        let id = object_id(links.to.id(link.index), request);
        let entry =
            |types: &[Type]| json!({ "toObjectId": id, "associationTypes": in_json(types) });
        if link.index % 10 == 1 {
            entries.extend(link.types.chunks(1).map(entry));
        } else {
            entries.push(entry(&link.types));
        }
    }
    entries
}

fn in_json(types: &[Type]) -> Vec<Value> {
    let shape =
        |it: &Type| json!({ "category": "HUBSPOT_DEFINED", "typeId": it.id, "label": it.label });
    types.iter().map(shape).collect()
}

/// A number, as HubSpot's guides have it, but text in the newest version, as its specification does.
fn object_id(id: u64, request: &HttpRequest) -> Value {
    match request.match_info().get("v") {
        Some("2026-09") => id.to_string().into(),
        _ => id.into(),
    }
}

fn links_in_path(request: &HttpRequest, world: &World, caller: &Caller) -> Result<Links, ApiError> {
    let from = records(request, world, caller, "kind")?;
    let to = records(request, world, caller, "to")?;
    Ok(Links::new(from, to, world.size(caller.token.account)))
}

/// The associations that a list of records is asked to bring along.
pub struct Asked(Vec<Links>);

impl Asked {
    pub fn read(
        query: &Params,
        world: &World,
        caller: &Caller,
        from: Kind,
    ) -> Result<Asked, ApiError> {
        let account = caller.token.account;
        let names = query.list("associations");
        let links = names.iter().map(|name| {
            let message = format!("Unable to infer object type from: {name}");
            let to = Kind::named(name).ok_or_else(|| errors::invalid("associations", &message))?;
            caller.must_have(to.scope())?;
            let records = |kind| Records::of(world, account, kind);
            Ok(Links::new(records(from), records(to), world.size(account)))
        });
        Ok(Asked(links.collect::<Result<_, ApiError>>()?))
    }

    /// The shape of the record at an index, with its associations where it has any.
    pub fn add_to(&self, mut shape: Value, index: u32, request: &HttpRequest) -> Value {
        for links in &self.0 {
            let (page, next) = page(links, index, None);
            if page.is_empty() {
                continue;
            }
            let listed: Vec<Value> = page.iter().flat_map(|link| listed(links, link)).collect();
            let mut associated = json!({ "results": listed });
            if let Some(after) = next {
                let link = next_link(links, index, &after, request);
                associated["paging"] = json!({ "next": { "after": after, "link": link } });
            }
            shape["associations"][links.to.kind.plural()] = associated;
        }
        shape
    }
}

/// Lists have one entry for each type.
fn listed(links: &Links, link: &Link) -> Vec<Value> {
    let (from, to) = (links.from.kind.singular(), links.to.kind.singular());
    let entry = |it: &Type| {
        let id = links.to.id(link.index).to_string();
        json!({ "id": id, "type": format!("{from}_to_{to}{}", it.suffix()) })
    };
    link.types.iter().map(entry).collect()
}

fn next_link(links: &Links, index: u32, after: &str, request: &HttpRequest) -> String {
    let info = request.connection_info();
    format!(
        "{}://{}/crm/objects/2026-09/{}/{}/associations/{}?after={after}",
        info.scheme(),
        info.host(),
        links.from.kind.plural(),
        links.from.id(index),
        links.to.kind.plural()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::testing::{Visit, options, visit};

    const PATH: &str = "/crm/associations/2026-09/contacts/companies/batch/read";

    /// The ids of the account's first contacts.
    async fn contacts(visit: &Visit, access: &str) -> Vec<String> {
        let path = "/crm/objects/2026-09/contacts?limit=100";
        let page = visit.read(path, access).await.json();
        let results = page["results"].as_array().unwrap().iter();
        results
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn type_ids(entry: &Value) -> Vec<u64> {
        let types = entry["associationTypes"].as_array().unwrap().iter();
        types.map(|it| it["typeId"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_batch_tells_primary_companies_and_those_who_have_none() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("10k").await;
        let ids = contacts(&visit, &access).await;
        let body = json!({ "inputs": [{ "id": ids[0] }, { "id": ids[9] }, { "id": "1" }] });
        let answer = visit.read_batch(PATH, &access, &body).await;
        assert_eq!(answer.status, 207);
        let body = answer.json();
        let result = &body["results"][0];
        assert_eq!(result["from"]["id"], *ids[0]);
        assert_eq!(type_ids(&result["to"][0]), [1, 279]);
        assert_eq!(result["to"][0]["associationTypes"][0]["label"], "Primary");
        assert_eq!(body["numErrors"], 2);
        let error = &body["errors"][0];
        assert_eq!(
            error["subCategory"],
            "crm.associations.NO_ASSOCIATIONS_FOUND"
        );
        assert_eq!(error["context"]["fromObjectId"][0], *ids[9]);
    }

    #[tokio::test]
    async fn a_company_can_stand_twice_in_one_answer() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("10k").await;
        let ids = contacts(&visit, &access).await;
        let body = json!({ "inputs": [{ "id": ids[1] }] });
        let answer = visit.read_batch(PATH, &access, &body).await.json();
        let to = &answer["results"][0]["to"];
        assert_eq!(to[0]["toObjectId"], to[1]["toObjectId"]);
        assert_eq!((type_ids(&to[0]), type_ids(&to[1])), (vec![1], vec![279]));
    }

    #[tokio::test]
    async fn more_than_a_page_of_companies_goes_on_after_the_last() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("10k").await;
        let ids = contacts(&visit, &access).await;
        let (mut input, mut seen) = (json!({ "id": ids[4] }), Vec::new());
        loop {
            let body = json!({ "inputs": [input] });
            let answer = visit.read_batch(PATH, &access, &body).await.json();
            let result = &answer["results"][0];
            let to = result["to"].as_array().unwrap().iter();
            seen.extend(to.map(|it| it["toObjectId"].as_str().unwrap().to_owned()));
            match result["paging"]["next"]["after"].as_str() {
                Some(after) => input["after"] = after.into(),
                None => break,
            }
        }
        seen.dedup();
        assert_eq!(seen.len(), 150);
    }

    #[tokio::test]
    async fn ids_are_text_in_the_newest_version_and_numbers_before() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("10k").await;
        let ids = contacts(&visit, &access).await;
        let body = json!({ "inputs": [{ "id": ids[0] }] });
        let older = [
            PATH.replace("2026-09", "2026-03"),
            "/crm/v4/associations/0-1/0-2/batch/read".to_owned(),
        ];
        for path in older {
            let answer = visit.read_batch(&path, &access, &body).await.json();
            assert!(answer["results"][0]["to"][0]["toObjectId"].is_u64());
        }
    }

    #[tokio::test]
    async fn a_list_brings_the_associations_it_is_asked_for() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("10k").await;
        let path = "/crm/objects/2026-09/contacts?associations=companies,deals";
        let page = visit.read(path, &access).await.json();
        let of = |index: usize| &page["results"][index]["associations"];
        let types = |index: usize, kind: &str| -> Vec<Value> {
            let results = of(index)[kind]["results"].as_array().unwrap().iter();
            results.map(|it| it["type"].clone()).collect()
        };
        let both = ["contact_to_company", "contact_to_company_unlabeled"];
        assert_eq!(types(0, "companies"), both);
        assert_eq!(types(0, "deals"), ["contact_to_deal"]);
        assert_eq!(*of(9), Value::Null);
        let next = &of(4)["companies"]["paging"]["next"]["link"];
        let path = next.as_str().unwrap().replace(&visit.sandbox.url(), "");
        let rest = visit.read(&path, &access).await.json();
        assert_eq!(rest["results"].as_array().unwrap().len(), 50);
    }

    #[tokio::test]
    async fn both_kinds_need_their_scope_and_a_batch_has_its_limit() {
        let visit = visit(options());
        let (contacts_only, _) = visit.connect("small").await;
        let body = json!({ "inputs": [{ "id": "1" }] });
        let answer = visit.read_batch(PATH, &contacts_only, &body).await;
        assert_eq!(answer.status, 403);
        let (access, _) = visit.connect_all("small").await;
        let body = json!({ "inputs": vec![json!({ "id": "1" }); 1_001] });
        assert_eq!(visit.read_batch(PATH, &access, &body).await.status, 400);
        let path = "/crm/objects/2026-09/contacts?associations=unicorns";
        assert_eq!(visit.read(path, &access).await.status, 400);
    }
}

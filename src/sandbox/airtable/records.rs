use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::ask::Ask;
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::is_id;
use super::listing::Listing;
use super::plans::Quirk;
use super::scopes::RECORDS;
use super::shape::Shape;
use super::workspace::{Table, Workspace};
use crate::sandbox::world::World;

/// What Airtable reads of an address.
const LONGEST_URL: usize = 16_000;

/// One page of a table, asked for in the query.
pub async fn list(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    if request.uri().to_string().len() > LONGEST_URL {
        return Err(errors::too_long());
    }
    let ask = Ask::from_query(request.query_string())?;
    Ok(HttpResponse::Ok().json(page(&world, &caller, &path, &ask)?))
}

/// The same, asked for in the body, where there is room for any formula.
pub async fn list_by_post(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let ask = Ask::from_body(&body, request.query_string())?;
    Ok(HttpResponse::Ok().json(page(&world, &caller, &path, &ask)?))
}

/// One record.
pub async fn read(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(RECORDS)?;
    let (base, table, id) = path.into_inner();
    let ask = Ask::from_query(request.query_string())?;
    let workspace = world.workspace(caller.token.account);
    let table = find_table(&workspace, &base, &table)?;
    let rows = workspace.rows(table);
    let index = rows.find(&id).ok_or_else(errors::no_such_record)?;
    let shape = Shape::read(&ask, table)?;
    Ok(HttpResponse::Ok().json(shape.record(rows, index)))
}

fn page(
    world: &World,
    caller: &Caller,
    (base, table): &(String, String),
    ask: &Ask,
) -> Result<Value, ApiError> {
    caller.must_have(RECORDS)?;
    let workspace = world.workspace(caller.token.account);
    let table = find_table(&workspace, base, table)?;
    Listing::read(&world.airtable, workspace.rows(table), ask)?.page()
}

/// What is gone and what was never granted look alike, but for names and for what can be no id.
fn find_table<'a>(
    workspace: &'a Workspace,
    base: &str,
    table: &str,
) -> Result<&'a Table, ApiError> {
    if !is_id("app", base) {
        return Err(errors::no_such_record());
    }
    let base = workspace.base(base).ok_or_else(errors::not_permitted)?;
    match base.table(table) {
        Some(found) if found.quirk == Quirk::CallsSpent => Err(errors::calls_spent()),
        Some(found) => Ok(found),
        None if is_id("tbl", table) => Err(errors::not_permitted()),
        None => Err(errors::no_such_table(table)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::airtable::testing::{connect, connect_with, first_table, table_of};
    use crate::sandbox::testing::{options, visit};

    #[tokio::test]
    async fn a_record_is_read_by_its_id_with_its_cells_by_name_or_by_id() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let (base, table) = first_table(&visit, &access).await;
        let list = visit
            .read(&format!("/v0/{base}/{table}"), &access)
            .await
            .json();
        let first = &list["records"][0];
        let path = format!("/v0/{base}/{table}/{}", first["id"].as_str().unwrap());
        assert_eq!(visit.read(&path, &access).await.json(), *first);
        let by_id = visit
            .read(&format!("{path}?returnFieldsByFieldId=true"), &access)
            .await
            .json();
        let names = by_id["fields"].as_object().unwrap().keys();
        assert!(names.clone().count() > 2);
        assert!(names.clone().all(|name| is_id("fld", name)));
    }

    #[tokio::test]
    async fn a_table_is_found_by_its_name_too_and_with_a_slash_behind_it() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "10k").await;
        let (base, table) = table_of(&visit, &access, "Q1/Q2 counts").await;
        let by_id = visit
            .read(&format!("/v0/{base}/{table}"), &access)
            .await
            .json();
        for name in ["Q1%2FQ2%20counts", "Q1%2FQ2%20counts/"] {
            let by_name = visit.read(&format!("/v0/{base}/{name}"), &access).await;
            assert_eq!(by_name.json(), by_id);
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_refused_in_several_ways() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let (base, table) = first_table(&visit, &access).await;
        let gone = json!({ "error": "NOT_FOUND" });
        for (path, status, error) in [
            ("nonsense/tbl00000000000000".to_owned(), 404, None),
            (
                format!("app00000000000000/{table}"),
                403,
                Some("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
            ),
            (
                format!("{base}/tbl00000000000000"),
                403,
                Some("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
            ),
            (format!("{base}/Nobody"), 404, Some("TABLE_NOT_FOUND")),
            (format!("{base}/{table}/rec00000000000000"), 404, None),
            (format!("{base}/{table}/nonsense"), 404, None),
        ] {
            let answer = visit.read(&format!("/v0/{path}"), &access).await;
            assert_eq!(answer.status, status, "{path}");
            match error {
                Some(kind) => assert_eq!(answer.json()["error"]["type"], kind),
                None => assert_eq!(answer.json(), gone),
            }
        }
    }

    #[tokio::test]
    async fn records_need_a_scope_of_their_own() {
        let visit = visit(options());
        let access = connect_with(&visit, "small", "schema.bases:read").await;
        let (base, table) = first_table(&visit, &access).await;
        let list = format!("/v0/{base}/{table}");
        for path in [list.clone(), format!("{list}/rec00000000000000")] {
            assert_eq!(visit.read(&path, &access).await.status, 403);
        }
    }

    #[tokio::test]
    async fn a_long_address_is_refused_and_the_same_in_a_body_is_not() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let (base, table) = first_table(&visit, &access).await;
        let list = format!("/v0/{base}/{table}");
        let record = visit.read(&list, &access).await.json()["records"][3]["id"].clone();
        let others = "RECORD_ID()='rec00000000000000',".repeat(600);
        let formula = format!("OR({others}RECORD_ID()={record})");
        let long = format!("{list}?filterByFormula={}", formula.replace('"', "'"));
        let answer = visit.read(&long, &access).await;
        assert_eq!(answer.status, 413);
        let body = json!({ "filterByFormula": formula, "method": "post" });
        let found = visit
            .read_batch(&format!("{list}/listRecords"), &access, &body)
            .await
            .json();
        assert_eq!(found["records"].as_array().unwrap().len(), 1);
        assert_eq!(found["records"][0]["id"], record);
    }
}

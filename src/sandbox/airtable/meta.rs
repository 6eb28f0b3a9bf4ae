use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::columns::options;
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::{id, is_id};
use super::scopes::{EMAIL, SCHEMA};
use super::workspace::{Base, Field, Table, user_id};
use crate::sandbox::params::Params;
use crate::sandbox::world::World;

/// Airtable gives up to a thousand bases at once; so few make a second page in every account that
/// has any.
const BASES: usize = 3;

/// Whose token it is, and what it is good for.
pub async fn whoami(caller: Caller) -> HttpResponse {
    let account = caller.token.account;
    let mut who = json!({ "id": user_id(account), "scopes": caller.token.scopes });
    if caller.must_have(EMAIL).is_ok() {
        who["email"] = account.profile().email.into();
    }
    HttpResponse::Ok().json(who)
}

/// The bases that were granted.
pub async fn bases(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(SCHEMA)?;
    let bases = world.workspace(caller.token.account).bases;
    let query = Params::parse(request.query_string().as_bytes());
    let start = match query.get("offset") {
        None => 0,
        Some(offset) => place(&bases, offset).ok_or_else(errors::no_such_iterator)?,
    };
    let end = bases.len().min(start + BASES);
    let mut page: Vec<Value> = bases[start..end]
        .iter()
        .map(|it| base(it, it.name))
        .collect();
    // One that was renamed since the page before, and has moved to this one by that.
    let renamed = start.checked_sub(1).map(|before| &bases[before]);
    if let Some((before, name)) = renamed.and_then(|it| Some((it, it.renamed?))) {
        page.insert(0, base(before, name));
    }
    let mut answer = json!({ "bases": page });
    if end < bases.len() {
        answer["offset"] = format!("{}/{}", id("itr", end as u64), bases[end].id).into();
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// The tables of a base, all at once.
pub async fn tables(
    world: web::Data<World>,
    caller: Caller,
    base: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.must_have(SCHEMA)?;
    if !is_id("app", &base) {
        return Err(errors::no_such_record());
    }
    let workspace = world.workspace(caller.token.account);
    let base = workspace.base(&base).ok_or_else(errors::not_permitted)?;
    let tables: Vec<Value> = base.tables.iter().map(table).collect();
    Ok(HttpResponse::Ok().json(json!({ "tables": tables })))
}

fn place(bases: &[Base], offset: &str) -> Option<usize> {
    let (iterator, id) = offset.split_once('/')?;
    let place = bases.iter().position(|base| base.id == id);
    place.filter(|_| is_id("itr", iterator))
}

fn base(base: &Base, name: &str) -> Value {
    json!({ "id": base.id, "name": name, "permissionLevel": base.permission })
}

fn table(table: &Table) -> Value {
    let fields: Vec<Value> = table.fields.iter().map(field).collect();
    json!({
        "id": table.id,
        "name": table.name,
        "description": null,
        "primaryFieldId": table.primary,
        "fields": fields,
        "views": [{ "id": table.view, "name": "Grid view", "type": "grid" }],
    })
}

fn field(field: &Field) -> Value {
    let mut shown = json!({ "id": field.id, "name": field.name, "type": field.kind });
    if let Some(options) = options(field.kind, field.seed) {
        shown["options"] = options;
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::airtable::testing::{all_bases, connect, connect_with};
    use crate::sandbox::testing::{options, visit};

    #[tokio::test]
    async fn whoami_tells_the_address_only_to_whom_it_was_granted() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let who = visit.read("/v0/meta/whoami", &access).await.json();
        assert_eq!(who["id"], user_id(Account::Small));
        assert_eq!(who["email"], "mara@smalloffice.example");
        assert_eq!(who["scopes"].as_array().unwrap().len(), 3);
        let access = connect_with(&visit, "small", "data.records:read").await;
        let who = visit.read("/v0/meta/whoami", &access).await.json();
        assert_eq!(who.get("email"), None);
    }

    #[tokio::test]
    async fn bases_come_page_by_page_and_some_share_a_name() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let page = visit.read("/v0/meta/bases", &access).await.json();
        assert_eq!(page["bases"].as_array().unwrap().len(), 3);
        assert_eq!(page["bases"][2]["permissionLevel"], "read");
        let bases = all_bases(&visit, &access).await;
        let names: HashSet<&String> = bases.iter().map(|(_, name)| name).collect();
        assert_eq!((bases.len(), names.len()), (4, 3));
        let answer = visit.read("/v0/meta/bases?offset=nonsense", &access).await;
        assert_eq!(answer.status, 422);
    }

    #[tokio::test]
    async fn an_account_may_have_no_bases() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "empty").await;
        let page = visit.read("/v0/meta/bases", &access).await.json();
        assert_eq!(page, json!({ "bases": [] }));
    }

    #[tokio::test]
    async fn a_base_is_renamed_between_two_pages() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "faults").await;
        let bases = all_bases(&visit, &access).await;
        let ids: HashSet<&String> = bases.iter().map(|(id, _)| id).collect();
        assert_eq!((bases.len(), ids.len()), (6, 5));
        assert_eq!(bases[2].0, bases[3].0);
        assert_ne!(bases[2].1, bases[3].1);
    }

    #[tokio::test]
    async fn a_base_lists_its_tables_with_their_fields() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let (base, _) = all_bases(&visit, &access).await.remove(0);
        let path = format!("/v0/meta/bases/{base}/tables");
        let tables = visit.read(&path, &access).await.json();
        let guests = &tables["tables"][0];
        assert_eq!(guests["name"], "Guests");
        assert_eq!(guests["primaryFieldId"], guests["fields"][0]["id"]);
        assert_eq!(guests["fields"][5]["type"], "lastModifiedTime");
        for base in ["app00000000000000", "nonsense"] {
            let path = format!("/v0/meta/bases/{base}/tables");
            let status = visit.read(&path, &access).await.status;
            assert_eq!(status, if base == "nonsense" { 404 } else { 403 });
        }
    }
}

use actix_web::{HttpRequest, HttpResponse, web};

use super::content::{Content, State};
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::{Thing, find, is_uuid};
use super::objects::Draw;
use super::properties::Wanted;
use crate::sandbox::world::World;

/// One page, also from the trash.
pub async fn page(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let id = id_in_path(&request, "page_id")?;
    let thing = match find(caller.account, id) {
        Some(thing @ (Thing::Page(_) | Thing::Trashed(_))) => thing,
        Some(Thing::Database(_)) => {
            return Err(errors::invalid(&format!(
                "Provided ID {id} is a database, not a page. Use the retrieve database API instead."
            )));
        }
        _ => return Err(errors::not_found("page", id)),
    };
    if content.state(thing) == State::Gone {
        return Err(errors::not_found("page", id));
    }
    draw(&request, &caller, &content, thing)
}

/// One database, and which data sources are in it.
pub async fn database(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let id = id_in_path(&request, "database_id")?;
    match find(caller.account, id) {
        Some(thing @ Thing::Database(_)) if content.state(thing) == State::Here => {
            draw(&request, &caller, &content, thing)
        }
        Some(Thing::Page(_)) => Err(errors::invalid(&format!(
            "Provided ID {id} is a page, not a database. Use the retrieve page API instead."
        ))),
        _ => Err(errors::not_found("database", id)),
    }
}

/// One data source.
pub async fn source(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let source = source_in_path(&request, &caller, &content)?;
    draw(&request, &caller, &content, Thing::Source(source))
}

/// The data source that a path speaks of; older versions know of none.
pub fn source_in_path(
    request: &HttpRequest,
    caller: &Caller,
    content: &Content,
) -> Result<u32, ApiError> {
    if !caller.version.knows_data_sources() {
        return Err(errors::invalid_url());
    }
    let id = id_in_path(request, "data_source_id")?;
    match find(caller.account, id) {
        Some(thing @ Thing::Source(source)) if content.state(thing) == State::Here => Ok(source),
        _ => Err(errors::not_found("data_source", id)),
    }
}

/// The id in a path.
pub fn id_in_path<'a>(request: &'a HttpRequest, name: &str) -> Result<&'a str, ApiError> {
    let id = request.match_info().get("id").unwrap_or_default();
    if is_uuid(id) {
        return Ok(id);
    }
    Err(errors::invalid(&format!(
        "path failed validation: path.{name} should be a valid uuid, instead was `\"{id}\"`."
    )))
}

fn draw(
    request: &HttpRequest,
    caller: &Caller,
    content: &Content,
    thing: Thing,
) -> Result<HttpResponse, ApiError> {
    let draw = Draw {
        content,
        version: caller.version,
    };
    Ok(errors::answer(
        draw.thing(thing, &Wanted::of(request.uri())),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::dial::Provider;
    use crate::sandbox::notion::ids::id;
    use crate::sandbox::notion::testing::{Visitor, notion};
    use crate::sandbox::testing::options;
    use crate::sandbox::{Edit, Turn};

    async fn get(notion: &Visitor, access: &str, kind: &str, thing: Thing) -> (u16, Value) {
        let path = format!("/v1/{kind}/{}", id(Account::Small, thing));
        let answer = notion.read(&path, access).await;
        (answer.status.as_u16(), answer.json())
    }

    #[tokio::test]
    async fn each_kind_is_read_by_its_id_with_dashes_and_without() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        for (kind, object, thing) in [
            ("pages", "page", Thing::Page(0)),
            ("pages", "page", Thing::Page(119)),
            ("databases", "database", Thing::Database(1)),
            ("data_sources", "data_source", Thing::Source(1)),
        ] {
            let (status, body) = get(&notion, &access, kind, thing).await;
            assert_eq!((status, &body["object"]), (200, &object.into()));
            let bare = body["id"].as_str().unwrap().replace('-', "");
            let again = notion
                .read(&format!("/v1/{kind}/{bare}"), &access)
                .await
                .json();
            assert_eq!(again["id"], body["id"]);
        }
    }

    #[tokio::test]
    async fn a_database_tells_its_data_sources() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let count = async |database| {
            let (_, body) = get(&notion, &access, "databases", Thing::Database(database)).await;
            body["data_sources"].as_array().unwrap().len()
        };
        assert_eq!([count(0).await, count(1).await, count(6).await], [1, 2, 0]);
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_shared_or_another_kind_is_told_apart() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        for (kind, thing, status, code) in [
            ("pages", Thing::Hidden(0), 404, "object_not_found"),
            ("pages", Thing::Page(5_000), 404, "object_not_found"),
            ("pages", Thing::Database(0), 400, "validation_error"),
            ("databases", Thing::Page(0), 400, "validation_error"),
            ("databases", Thing::Source(0), 404, "object_not_found"),
            ("data_sources", Thing::Database(0), 404, "object_not_found"),
        ] {
            let (met, body) = get(&notion, &access, kind, thing).await;
            assert_eq!(
                (met, body["code"].as_str()),
                (status, Some(code)),
                "{thing:?}"
            );
        }
        let foreign = id(Account::Faults, Thing::Page(0));
        assert_eq!(
            notion
                .read(&format!("/v1/pages/{foreign}"), &access)
                .await
                .status,
            404
        );
        let answer = notion.read("/v1/pages/12345", &access).await;
        assert_eq!(answer.json()["code"], "validation_error");
    }

    #[tokio::test]
    async fn what_the_dial_deletes_is_in_the_trash_or_not_shared_any_more() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let turn = Turn::Records("pages", Edit::Delete(2));
        notion
            .visit
            .sandbox
            .dial(Provider::Notion, Account::Small, turn);
        let (status, body) = get(&notion, &access, "pages", Thing::Page(118)).await;
        assert_eq!((status, &body["in_trash"]), (200, &true.into()));
        assert_eq!(
            get(&notion, &access, "pages", Thing::Page(119)).await.0,
            404
        );
        let (status, body) = get(&notion, &access, "pages", Thing::Trashed(0)).await;
        assert_eq!((status, &body["in_trash"]), (200, &true.into()));
    }

    #[tokio::test]
    async fn older_versions_know_of_no_data_sources() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let path = format!("/v1/data_sources/{}", id(Account::Small, Thing::Source(0)));
        let headers = [
            ("authorization", format!("Bearer {access}")),
            ("notion-version", "2022-06-28".to_owned()),
        ];
        let answer = notion
            .with_headers("GET", &path, &headers, None)
            .await
            .unwrap();
        assert_eq!(answer.json()["code"], "invalid_request_url");
    }
}

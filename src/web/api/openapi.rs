//! `GET /api/v1/openapi.json`: what the API takes and answers, from the types and handlers themselves.

use actix_web::{HttpResponse, web};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Object, ObjectBuilder, OneOfBuilder, Ref, Response, ResponseBuilder,
};

use super::problem::{CONTENT_TYPE, Problem};
use super::{changes, connections, imports, items, json};
use crate::providers::Providers;
use crate::web::errors::Result;
use crate::web::guard::Caller;
use crate::web::list_parameters::{LARGEST_LIMIT, SORTS};
use crate::web::{App, session, urls};

/// What every address can answer instead, and why.
const ALWAYS: [(&str, &str); 7] = [
    ("400", "A parameter cannot be used"),
    ("401", "Nobody is signed in, or the key opens nothing"),
    (
        "403",
        "The key lacks the scope, or its owner may not come in any more",
    ),
    ("414", "The address is too long"),
    ("429", "Too often; Retry-After says when to come back"),
    ("431", "The headers are too long"),
    ("503", "A store is away; Retry-After says when to come back"),
];
const WITH_PATH: [(&str, &str); 1] = [("404", "It is not there, or not of this workspace")];
const WITH_BODY: [(&str, &str); 2] = [
    ("413", "The body is too long"),
    ("422", "A field of the body cannot be used"),
];

/// An empty parameter counts as absent.
const ABSENT: &str = "";

#[derive(OpenApi)]
#[openapi(
    info(title = "Tributary", description = "Items of all connected accounts, in one list."),
    paths(
        items::items_list,
        items::item_show,
        changes::changes_list,
        connections::connections_list,
        imports::connection_import,
        imports::imports_list,
        imports::import_show,
        openapi_show,
    ),
    components(schemas(Problem)),
    security(("bearer" = []), ("cookie" = []))
)]
struct Document;

/// This document
#[utoipa::path(get, path = urls::API_OPENAPI, responses((status = 200, body = serde_json::Value)))]
pub async fn openapi_show(app: web::Data<App>, _caller: Caller) -> Result<HttpResponse> {
    Ok(json(&document(&app.providers, app.is_https())))
}

/// The document of an installation: which providers there are is known to those alone.
fn document(providers: &Providers, is_https: bool) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info.license = None;
    for (path, item) in &mut document.paths.paths {
        let has_names = path.contains('{');
        operations(item).for_each(|operation| complete(operation, has_names, providers));
    }
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    let cookie = ApiKeyValue::new(session::cookie_name(is_https));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}

/// Adds what holds for every operation: how it can go wrong, and what can be chosen.
fn complete(operation: &mut Operation, has_names: bool, providers: &Providers) {
    let mut problems = ALWAYS.to_vec();
    if has_names {
        problems.extend(WITH_PATH);
    }
    if operation.request_body.is_some() {
        problems.extend(WITH_BODY);
    }
    for (status, what) in problems {
        let answers = &mut operation.responses.responses;
        answers.insert(status.into(), problem(what).into());
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let Some(mut words) = choices(parameter, providers) {
            words.push(ABSENT);
            parameter.schema = Some(Schema::Object(one_of(words)).into());
        }
    }
}

fn problem(what: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(what)
        .content(CONTENT_TYPE, content)
        .build()
}

/// The values of a parameter that takes no other.
fn choices(parameter: &Parameter, providers: &Providers) -> Option<Vec<&'static str>> {
    let descriptions = providers.descriptions();
    match parameter.name.as_str() {
        "provider" => Some(descriptions.map(|it| it.slug).collect()),
        "type" => Some(
            descriptions
                .flat_map(|it| it.kinds.iter().map(|kind| kind.name))
                .collect(),
        ),
        "sort" => Some(SORTS.iter().map(|(name, _)| *name).collect()),
        "gone" => Some(vec!["1"]),
        _ => None,
    }
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

pub(super) fn limit() -> Schema {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LARGEST_LIMIT));
    OneOfBuilder::new()
        .item(number)
        .item(one_of([ABSENT]))
        .build()
        .into()
}

pub(super) fn connection_states() -> Object {
    one_of(["connected", "reconnect"])
}

pub(super) fn import_states() -> Object {
    one_of([
        "queued",
        "running",
        "waiting",
        "done",
        "partial",
        "failed",
        "cancelled",
    ])
}

pub(super) fn change_kinds() -> Object {
    one_of(["added", "changed", "deleted", "connection_removed"])
}

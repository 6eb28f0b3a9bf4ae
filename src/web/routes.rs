//! The whole route table, in the order of the site.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{
    Data, FormConfig, PayloadConfig, ServiceConfig, get, post, resource, route, scope, to,
};
use actix_web::{Error, HttpResponse, Resource, Route};

use super::errors::{self, WebError};
use super::{
    App, api, assets, audit, authorize, connections, disconnect, docs, guard, headers, health,
    history, home, imports, item, items, items_export, join, keys, limits, load, log,
    oauth_callback, origin, removals, schedule, session, sessions, sign_in_link, sign_out, urls,
    way_in, workspace,
};

/// The largest form that any page sends.
const FORM: usize = 16 * 1024;

/// The whole site: its routes, and around them what every request passes, the outermost last.
pub fn site(
    app: Data<App>,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    actix_web::App::new()
        .configure(routes(app))
        .wrap(from_fn(origin::check))
        .wrap(from_fn(limits::not_too_long))
        .wrap(from_fn(errors::draw))
        .wrap(Compress::default())
        .wrap(from_fn(headers::secure))
        .wrap(from_fn(log::request))
}

/// Every route. What needs no store stands outside the session.
fn routes(app: Data<App>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let sessions =
            session::middleware(app.sessions.clone(), app.cookie_key.clone(), app.is_https());
        config
            .app_data(PayloadConfig::new(FORM))
            .app_data(FormConfig::default().limit(FORM))
            .app_data(app)
            .service(resource(urls::HEALTHZ).route(read().to(health::alive)))
            .service(resource(urls::READYZ).route(read().to(health::ready)))
            .service(resource(urls::DOCS_ERRORS).route(read().to(docs::errors_show)))
            .service(resource(urls::ASSET).route(read().to(assets::asset_show)))
            .service(
                scope("")
                    .wrap(sessions)
                    .service(open(urls::HOME, read().to(home::home_show)))
                    .service(open(
                        urls::AUTHORIZE,
                        post()
                            .to(authorize::authorize)
                            .wrap(from_fn(limits::not_too_often)),
                    ))
                    .service(open(
                        urls::CALLBACK,
                        read().to(oauth_callback::oauth_callback),
                    ))
                    .service(closed(urls::LOAD, post().to(load::load)))
                    .service(closed(
                        urls::PROVIDER_ITEMS,
                        read().to(items::provider_items_list),
                    ))
                    .service(closed(urls::ITEMS, read().to(items::items_list)))
                    .service(closed(urls::ITEM, read().to(item::item_show)))
                    .service(closed(urls::EXPORT, read().to(items_export::items_export)))
                    .service(closed(
                        urls::CONNECTION,
                        read().to(connections::connection_show),
                    ))
                    .service(closed(
                        urls::CONNECTION_EVENTS,
                        get().to(connections::connection_events),
                    ))
                    .service(closed(
                        urls::CONNECTION_IMPORTS,
                        read().to(history::connection_imports),
                    ))
                    .service(closed(
                        urls::SCHEDULE,
                        post().to(schedule::connection_schedule),
                    ))
                    .service(closed(
                        urls::REMOVALS,
                        post().to(removals::connection_removals),
                    ))
                    .service(closed(
                        urls::DISCONNECT,
                        post().to(disconnect::connection_disconnect),
                    ))
                    .service(closed(urls::IMPORTS_EVENTS, get().to(home::imports_events)))
                    .service(closed(urls::IMPORT, read().to(imports::import_show)))
                    .service(closed(
                        urls::IMPORT_EVENTS,
                        get().to(imports::import_events),
                    ))
                    .service(closed(
                        urls::IMPORT_CANCEL,
                        post().to(imports::import_cancel),
                    ))
                    .service(closed(urls::WAY_IN, post().to(way_in::way_in_add)))
                    .service(closed(urls::SESSIONS, read().to(sessions::sessions_list)))
                    .service(closed(
                        urls::SESSIONS_END_ALL,
                        post().to(sessions::sessions_end_all),
                    ))
                    .service(closed(
                        urls::WAY_IN_REMOVE,
                        post().to(way_in::way_in_remove),
                    ))
                    .service(
                        resource(urls::SIGN_IN_LINK)
                            .route(read().to(sign_in_link::sign_in_link_show))
                            .route(post().to(sign_in_link::sign_in_link_use))
                            .wrap(from_fn(guard::find_out)),
                    )
                    .service(
                        resource(urls::KEYS)
                            .route(guarded(read().to(keys::keys_list)))
                            .route(guarded(post().to(keys::keys_add))),
                    )
                    .service(
                        resource(urls::WORKSPACE)
                            .route(guarded(read().to(workspace::workspace_show)))
                            .route(guarded(post().to(workspace::workspace_change))),
                    )
                    .service(closed(
                        urls::WORKSPACE_INVITES,
                        post().to(workspace::workspace_invite),
                    ))
                    .service(
                        resource(urls::JOIN)
                            .route(read().to(join::join_show).wrap(from_fn(guard::find_out)))
                            .route(guarded(post().to(join::join_use))),
                    )
                    .service(closed(urls::KEY_REVOKE, post().to(keys::key_revoke)))
                    .service(closed(urls::AUDIT, read().to(audit::audit_list)))
                    .service(told(urls::API_ITEMS, read().to(api::items_list)))
                    .service(told(urls::API_ITEM, read().to(api::item_show)))
                    .service(told(urls::API_CHANGES, read().to(api::changes_list)))
                    .service(told(
                        urls::API_CONNECTIONS,
                        read().to(api::connections_list),
                    ))
                    .service(done(
                        urls::API_CONNECTION_IMPORT,
                        post().to(api::connection_import),
                    ))
                    .service(told(urls::API_IMPORTS, read().to(api::imports_list)))
                    .service(told(urls::API_IMPORT, read().to(api::import_show)))
                    .service(told(urls::API_OPENAPI, read().to(api::openapi_show)))
                    .service(closed(urls::SIGN_OUT, post().to(sign_out::sign_out)))
                    .default_service(to(nothing).wrap(from_fn(guard::find_out))),
            );
    }
}

/// GET, and HEAD, which is GET without its body.
fn read() -> Route {
    route().guard(Any(Get()).or(Head()))
}

/// For anybody.
fn open(path: &str, route: Route) -> Resource {
    resource(path).route(route.wrap(from_fn(guard::find_out)))
}

/// For whoever is signed in.
fn closed(path: &str, route: Route) -> Resource {
    resource(path).route(guarded(route))
}

/// What programs are told.
fn told(path: &str, route: Route) -> Resource {
    closed(path, route).default_service(to(|| wrong_method("GET, HEAD")))
}

/// What programs have done.
fn done(path: &str, route: Route) -> Resource {
    closed(path, route).default_service(to(|| wrong_method("POST")))
}

async fn wrong_method(allowed: &'static str) -> Result<HttpResponse, WebError> {
    Err(WebError::WrongMethod(allowed))
}

fn guarded(route: Route) -> Route {
    route
        .wrap(from_fn(guard::signed_in))
        .wrap(from_fn(guard::find_out))
}

async fn nothing() -> Result<HttpResponse, WebError> {
    Err(WebError::NotFound)
}

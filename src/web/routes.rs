//! The whole route table, in the order of the site.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig, resource, scope, to};
use actix_web::{Error, FromRequest, Handler, HttpResponse, Resource, Responder, Route};

use super::errors::WebError;
use super::{
    App, api, appearance, assets, audit, authorize, connections, disconnect, docs, error_page,
    guard, headers, health, history, home, imports, item, items, items_export, join, keys, limits,
    load, log, oauth_callback, origin, removals, schedule, session, sessions, sign_in_link,
    sign_out, urls, way_in, workspace,
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
        .wrap(from_fn(error_page::draw))
        .wrap(from_fn(appearance::noted))
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
            .app_data(app)
            .service(plain(urls::HEALTHZ, read().to(health::alive)))
            .service(plain(urls::READYZ, read().to(health::ready)))
            .service(plain(urls::DOCS_ERRORS, read().to(docs::errors_show)))
            .service(plain(
                urls::APPEARANCE,
                post().to(appearance::appearance_choose),
            ))
            .service(plain(urls::ASSET, read().to(assets::asset_show)))
            .service(
                scope("")
                    .wrap(sessions)
                    .service(open(urls::HOME, read().to(home::home_show)))
                    .service(open(
                        urls::AUTHORIZE,
                        post().to(authorize::authorize).with(seldom),
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
                    .service(at(
                        urls::SIGN_IN_LINK,
                        [
                            read().to(sign_in_link::sign_in_link_show).with(known),
                            post().to(sign_in_link::sign_in_link_use).with(known),
                        ],
                    ))
                    .service(at(
                        urls::KEYS,
                        [
                            read().to(keys::keys_list).with(guarded),
                            post().to(keys::keys_add).with(guarded),
                        ],
                    ))
                    .service(at(
                        urls::WORKSPACE,
                        [
                            read().to(workspace::workspace_show).with(guarded),
                            post().to(workspace::workspace_change).with(guarded),
                        ],
                    ))
                    .service(closed(
                        urls::WORKSPACE_INVITES,
                        post().to(workspace::workspace_invite),
                    ))
                    .service(at(
                        urls::JOIN,
                        [
                            read().to(join::join_show).with(known),
                            post().to(join::join_use).with(guarded),
                        ],
                    ))
                    .service(closed(urls::KEY_REVOKE, post().to(keys::key_revoke)))
                    .service(closed(urls::AUDIT, read().to(audit::audit_list)))
                    .service(closed(urls::API_ITEMS, read().to(api::items_list)))
                    .service(closed(urls::API_ITEM, read().to(api::item_show)))
                    .service(closed(urls::API_CHANGES, read().to(api::changes_list)))
                    .service(closed(
                        urls::API_CONNECTIONS,
                        read().to(api::connections_list),
                    ))
                    .service(closed(
                        urls::API_CONNECTION_IMPORT,
                        post().to(api::connection_import),
                    ))
                    .service(closed(urls::API_IMPORTS, read().to(api::imports_list)))
                    .service(closed(urls::API_IMPORT, read().to(api::import_show)))
                    .service(closed(urls::API_OPENAPI, read().to(api::openapi_show)))
                    .service(closed(urls::SIGN_OUT, post().to(sign_out::sign_out)))
                    .default_service(known(to(nothing))),
            );
    }
}

/// A handler, and the methods that lead to it: whoever comes with another one is told of these.
struct Way {
    route: Route,
    methods: &'static str,
}

/// GET, and HEAD, which is GET without its body.
fn read() -> Way {
    let route = web::route().guard(Any(Get()).or(Head()));
    let methods = "GET, HEAD";
    Way { route, methods }
}

/// GET alone: what does not end has no length to tell.
fn get() -> Way {
    let (route, methods) = (web::get(), "GET");
    Way { route, methods }
}

fn post() -> Way {
    let (route, methods) = (web::post(), "POST");
    Way { route, methods }
}

impl Way {
    fn to<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(|route| route.to(handler))
    }

    /// With something around it.
    fn with(self, change: impl FnOnce(Route) -> Route) -> Self {
        Self {
            route: change(self.route),
            ..self
        }
    }
}

/// One address, and everything that can be done there.
fn at<const N: usize>(path: &str, ways: [Way; N]) -> Resource {
    let methods = ways.each_ref().map(|way| way.methods).join(", ");
    let refused = known(to(move || wrong_method(methods.clone())));
    let address = resource(path).default_service(refused);
    ways.into_iter()
        .fold(address, |address, way| address.route(way.route))
}

/// For anybody, whoever they are.
fn plain(path: &str, way: Way) -> Resource {
    at(path, [way])
}

/// For anybody, with a look at who it is.
fn open(path: &str, way: Way) -> Resource {
    at(path, [way.with(known)])
}

/// For whoever is signed in.
fn closed(path: &str, way: Way) -> Resource {
    at(path, [way.with(guarded)])
}

fn known(route: Route) -> Route {
    route.wrap(from_fn(guard::find_out))
}

fn guarded(route: Route) -> Route {
    known(route.wrap(from_fn(guard::signed_in)))
}

fn seldom(route: Route) -> Route {
    route.wrap(from_fn(limits::not_too_often))
}

async fn wrong_method(allowed: String) -> Result<HttpResponse, WebError> {
    Err(WebError::WrongMethod(allowed))
}

async fn nothing() -> Result<HttpResponse, WebError> {
    Err(WebError::NotFound)
}

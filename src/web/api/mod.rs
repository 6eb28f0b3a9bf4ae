//! The JSON API under `/api/v1`: what pages show, for programs. It is asked with a key, or with the
//! session cookie.

mod changes;
mod connections;
mod imports;
mod items;
mod openapi;
mod problem;

use actix_web::HttpResponse;
use serde::Serialize;

use crate::export::time;

pub use changes::changes_list;
pub use connections::connections_list;
pub use imports::{connection_import, import_show, imports_list};
pub use items::{item_show, items_list};
pub use openapi::openapi_show;
pub use problem::problem;

/// Whether a path is the API's: there errors are JSON too.
pub fn is_below(path: &str) -> bool {
    path.starts_with("/api/")
}

fn json(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

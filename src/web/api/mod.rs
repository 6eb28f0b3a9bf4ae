//! The JSON API under `/api/v1`: what pages show, for programs. It is asked with a key, or with the
//! session cookie.

mod connections;
mod imports;
mod problem;

use actix_web::HttpResponse;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

pub use connections::connections_list;
pub use imports::{connection_import, import_show, imports_list};
pub use problem::problem;

/// Whether a path is the API's: there errors are JSON too.
pub fn is_below(path: &str) -> bool {
    path.starts_with("/api/")
}

/// A moment as programs read it.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn json(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

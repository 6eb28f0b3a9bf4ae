//! The files under `static/`, built into the binary. The hash of a file is in its address, so an
//! answer may be cached for good.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::urls;

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
    hash: String,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        Asset {
            name: $name,
            kind: $kind,
            body: include_bytes!(concat!("../../static/", $name)),
            hash: hash(include_bytes!(concat!("../../static/", $name))),
        }
    };
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        asset!("tributary.css", "text/css; charset=utf-8"),
        asset!("mark.svg", "image/svg+xml"),
        asset!("icons.svg", "image/svg+xml"),
        asset!("tributary.js", "text/javascript; charset=utf-8"),
        asset!("vendor/htmx.min.js", "text/javascript; charset=utf-8"),
    ]
});

fn hash(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..9])
}

/// The address of the file `name`.
pub fn url(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.unwrap_or_else(|| panic!("{name} is not listed in web/assets.rs"));
    urls::asset(&asset.hash, asset.name)
}

/// `GET /static/{hash}/{name}`. An address with another hash is of another build.
pub async fn asset_show(path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    match ASSETS
        .iter()
        .find(|asset| asset.name == name && asset.hash == hash)
    {
        Some(asset) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, asset.kind))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(asset.body),
        None => HttpResponse::NotFound().finish(),
    }
}

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::errors::{self, ApiError};
use crate::sandbox::world::Client;

/// The JSON of a request that the registered app made, with its credentials where they belong: in
/// the head, as HTTP Basic.
pub fn body_of_app(request: &HttpRequest, body: &[u8], client: &Client) -> Result<Value, ApiError> {
    let (id, secret) = credentials(request).ok_or_else(errors::invalid_client)?;
    if !(same(&id, &client.id) & same(&secret, &client.secret)) {
        return Err(errors::invalid_client());
    }
    serde_json::from_slice::<Value>(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| errors::invalid_request("The request body must be a JSON object."))
}

/// A text of the body; whatever is not one counts as absent.
pub fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

fn credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn same(given: &str, wanted: &str) -> bool {
    given.as_bytes().ct_eq(wanted.as_bytes()).into()
}

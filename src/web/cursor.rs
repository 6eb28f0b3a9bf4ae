//! Cursors as they leave the house: sealed, and worth something only for the list they come from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::vault::{Owner, Vault};

pub fn write(vault: &Vault, list: &Owner, place: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(vault.seal(list, place))
}

/// `None` for one that was not made for this list.
pub fn read(vault: &Vault, list: &Owner, text: &str) -> Option<Vec<u8>> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(vault.open(list, &sealed).ok()?.to_vec())
}

/// The same for a place that is a number.
pub fn write_number(vault: &Vault, list: &Owner, place: i64) -> String {
    write(vault, list, place.to_string().as_bytes())
}

pub fn read_number(vault: &Vault, list: &Owner, text: &str) -> Option<i64> {
    let plain = String::from_utf8(read(vault, list, text)?).ok()?;
    plain.parse().ok()
}

//! What an answer holds, read member by member, so that one odd member hides no other.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::item::clean_name;

/// The members of a JSON object; none where it is no object.
#[derive(Default)]
pub struct Members<'a>(HashMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    pub fn of(object: &'a RawValue) -> Self {
        serde_json::from_str(object.get()).map_or_else(|_| Self::default(), Self)
    }

    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// An id, which stands in addresses, too: Airtable's are letters and digits.
    pub fn id(&self) -> Option<String> {
        let is_id = |id: &String| !id.is_empty() && id.bytes().all(|it| it.is_ascii_alphanumeric());
        self.text("id").filter(is_id)
    }

    pub fn name(&self) -> Option<String> {
        self.text("name").as_deref().and_then(clean_name)
    }

    pub fn members(&self, name: &str) -> Members<'a> {
        self.get(name).map(Members::of).unwrap_or_default()
    }

    pub fn list(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).map(list).unwrap_or_default()
    }
}

/// A text; nothing where it is something else.
pub fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The parts of a list; none where it is something else.
pub fn list(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

//! Notion's objects, and what of them becomes an item.

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::item::{Item, Parent, clean_name};

pub const PAGE: &str = "page";
pub const DATABASE: &str = "database";
pub const DATA_SOURCE: &str = "data_source";

const NAMELESS: &str = "Untitled";

/// An object of a kind we know that has an id. Every other field may be missing, or of a kind nobody
/// expects.
pub struct Record {
    pub kind: &'static str,
    pub id: String,
    pub parsed: Value,
    pub raw: Box<RawValue>,
}

#[derive(Debug, thiserror::Error)]
pub enum NotARecord {
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
    #[error("it has no id")]
    NoId,
}

impl Record {
    /// `None` for an object of another kind: there are more of them every year.
    pub fn parse(raw: Box<RawValue>) -> Result<Option<Self>, NotARecord> {
        let parsed: Value = serde_json::from_str(raw.get())?;
        let kinds = [PAGE, DATABASE, DATA_SOURCE].into_iter();
        let Some(kind) = kinds.into_iter().find(|kind| parsed["object"] == *kind) else {
            tracing::debug!(object = %parsed["object"], "an object of Notion that is no item");
            return Ok(None);
        };
        let id = text(&parsed["id"]).ok_or(NotARecord::NoId)?;
        Ok(Some(Self {
            kind,
            id,
            parsed,
            raw,
        }))
    }

    /// Older versions of the API say it by another name. A page that was set aside (`is_archived`)
    /// is no page in the trash.
    pub fn is_in_trash(&self) -> bool {
        self.parsed["in_trash"] == true || self.parsed["archived"] == true
    }

    /// Whether this says little more than that there is such a thing.
    pub fn is_partial(&self) -> bool {
        self.parsed.get("parent").is_none()
    }

    pub fn key(&self) -> Parent {
        key(self.kind, self.id.clone())
    }

    pub fn edited(&self) -> Option<DateTime<Utc>> {
        time(&self.parsed["last_edited_time"])
    }

    /// A page's title is the one property of that type, whatever it is called.
    pub fn title(&self) -> Option<String> {
        if self.kind != PAGE {
            return plain(&self.parsed["title"]);
        }
        let mut properties = self.parsed["properties"].as_object()?.values();
        let title = properties.find(|it| it["type"] == "title" || it["id"] == "title")?;
        plain(&title["title"])
    }

    pub fn into_item(self, name: Option<String>, parent: Option<Parent>) -> Item {
        Item {
            container: String::new(),
            kind: self.kind,
            name: name.unwrap_or_else(|| NAMELESS.to_owned()),
            created: time(&self.parsed["created_time"]),
            modified: self.edited(),
            url: text(&self.parsed["url"]),
            parent,
            substance: Some(substance(self.parsed)),
            id: self.id,
            raw: self.raw,
        }
    }
}

/// What something stands in, as Notion says it.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    In(Parent),
    /// In a block, which stands in something itself.
    InBlock(String),
    /// At the root of the workspace, or in something that is no item.
    Nowhere,
}

impl Place {
    pub fn of(parent: &Value) -> Self {
        let kinds = [
            ("page_id", PAGE),
            ("data_source_id", DATA_SOURCE),
            ("database_id", DATABASE),
        ];
        let named = parent["type"].as_str().unwrap_or_default();
        let Some(id) = text(&parent[named]) else {
            return Self::Nowhere;
        };
        match kinds.into_iter().find(|(name, _)| *name == named) {
            Some((_, kind)) => Self::In(key(kind, id)),
            None if named == "block_id" => Self::InBlock(id),
            None => Self::Nowhere,
        }
    }
}

fn key(kind: &'static str, id: String) -> Parent {
    Parent {
        container: String::new(),
        kind,
        id,
    }
}

/// The text of runs of any sort: words, mentions, equations.
fn plain(runs: &Value) -> Option<String> {
    let runs = runs.as_array()?.iter();
    let text: String = runs.filter_map(|run| run["plain_text"].as_str()).collect();
    clean_name(&text)
}

pub fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(time.to_utc())
}

/// What tells that a record is another one than before. A retrieval adds the number of the request,
/// and the addresses of files are signed anew for each answer.
fn substance(mut record: Value) -> String {
    if let Some(fields) = record.as_object_mut() {
        fields.remove("request_id");
    }
    unsign(&mut record);
    record.to_string()
}

fn unsign(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.remove("expiry_time").is_some()
                && let Some(Value::String(url)) = fields.get_mut("url")
            {
                url.truncate(url.find('?').unwrap_or(url.len()));
            }
            fields.values_mut().for_each(unsign);
        }
        Value::Array(values) => values.iter_mut().for_each(unsign),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &Value) -> Record {
        let raw = serde_json::value::to_raw_value(value).unwrap();
        Record::parse(raw).unwrap().unwrap()
    }

    fn item(value: &Value) -> Item {
        let record = record(value);
        let name = record.title();
        record.into_item(name, None)
    }

    fn runs(texts: &[&str]) -> Value {
        texts
            .iter()
            .map(|text| json!({"plain_text": text}))
            .collect()
    }

    #[test]
    fn a_page_is_called_by_its_title_property_whatever_that_is_called() {
        let named = |title: Value| {
            let due = json!({"id": "M%3BBw", "type": "date", "date": null});
            let page = json!({"object": "page", "id": "7", "properties": {"Due": due, "Título": {
                "id": "title", "type": "title", "title": title}}});
            item(&page).name
        };
        assert_eq!(named(runs(&["Früh", "stück 🥐"])), "Frühstück 🥐");
        assert_eq!(named(runs(&["Lunch with ", "@Łucja"])), "Lunch with @Łucja");
        assert_eq!(named(runs(&["one\r\n", "two"])), "one two");
        for nothing in [json!([]), runs(&[" "]), json!(null), json!({"a": 1})] {
            assert_eq!(named(nothing), "Untitled");
        }
        assert_eq!(item(&json!({"object": "page", "id": "7"})).name, "Untitled");
    }

    #[test]
    fn databases_and_data_sources_have_their_title_by_themselves() {
        for kind in [DATABASE, DATA_SOURCE] {
            let properties = json!({"Name": {"id": "title", "type": "title", "title": {}}});
            let object = json!({"object": kind, "id": "7", "title": runs(&["Tas", "ks"]),
                "properties": properties});
            let item = item(&object);
            assert_eq!((item.kind, item.name.as_str()), (kind, "Tasks"));
        }
    }

    #[test]
    fn what_a_thing_stands_in_is_told_by_its_type() {
        let of = |kind: &str| Place::of(&json!({"type": kind, kind: "7", "database_id": "8"}));
        let id = |place| match place {
            Place::In(parent) => (parent.kind, parent.id),
            other => panic!("{other:?}"),
        };
        assert_eq!(id(of("page_id")), (PAGE, "7".into()));
        assert_eq!(id(of("data_source_id")), (DATA_SOURCE, "7".into()));
        let database = json!({"type": "database_id", "database_id": "8"});
        assert_eq!(id(Place::of(&database)), (DATABASE, "8".into()));
        assert_eq!(of("block_id"), Place::InBlock("7".into()));
        let root = json!({"type": "workspace", "workspace": true});
        for other in [root, json!(null), json!({"type": "page_id"}), json!([])] {
            assert_eq!(Place::of(&other), Place::Nowhere, "{other}");
        }
        for unknown in ["agent_id", "meeting_id"] {
            assert_eq!(of(unknown), Place::Nowhere);
        }
    }

    #[test]
    fn an_odd_field_hides_nothing_and_only_an_id_makes_a_record() {
        let odd = item(
            &json!({"object": "page", "id": "7", "properties": [], "url": 5,
            "created_time": {}, "last_edited_time": "yesterday"}),
        );
        assert_eq!((odd.name.as_str(), odd.url), ("Untitled", None));
        assert!(odd.created.is_none() && odd.modified.is_none());
        let parse = |value: Value| Record::parse(serde_json::value::to_raw_value(&value).unwrap());
        for id in [json!(null), json!(7), json!("")] {
            assert!(parse(json!({"object": "page", "id": id})).is_err(), "{id}");
        }
        for other in [json!({"object": "whiteboard", "id": "7"}), json!(3)] {
            assert!(parse(other).unwrap().is_none());
        }
    }

    #[test]
    fn a_record_is_kept_byte_for_byte() {
        let text = r#"{"object":"page", "id":"7","properties":{"N":{"number":9007199254740993}}}"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let record = Record::parse(raw).unwrap().unwrap();
        assert_eq!(record.into_item(None, None).raw.get(), text);
    }

    #[test]
    fn a_record_is_the_same_in_a_listing_and_by_itself_and_however_its_files_are_signed() {
        let page = |signature: &str, title: &str| {
            let file = json!({"url": format!("https://f.test/icon.png?sig={signature}"),
                "expiry_time": signature});
            json!({"object": "page", "id": "7", "icon": {"type": "file", "file": file},
                "properties": {"title": {"id": "title", "type": "title", "title": runs(&[title])}}})
        };
        let listed = page("1", "Tasks");
        let mut alone = page("2", "Tasks");
        alone["request_id"] = "8d2a".into();
        assert_eq!(item(&listed).substance, item(&alone).substance);
        assert_ne!(item(&listed).substance, item(&page("1", "Tusks")).substance);
    }

    #[test]
    fn the_trash_is_told_and_a_page_set_aside_is_not_in_it() {
        let page = |field: &str| record(&json!({"object": "page", "id": "7", field: true}));
        assert!(page("in_trash").is_in_trash() && page("archived").is_in_trash());
        assert!(!page("is_archived").is_in_trash());
    }

    #[test]
    fn an_object_without_a_parent_says_only_that_it_is_there() {
        assert!(record(&json!({"object": "page", "id": "7"})).is_partial());
        assert!(
            record(&json!({"object": "data_source", "id": "7", "properties": {}})).is_partial()
        );
        let root = json!({"type": "workspace", "workspace": true});
        assert!(!record(&json!({"object": "page", "id": "7", "parent": root})).is_partial());
    }
}

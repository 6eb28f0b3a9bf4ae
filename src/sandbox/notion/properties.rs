use actix_web::http::Uri;
use serde_json::{Map, Value, json};

use super::cases;
use super::content::Content;
use super::ids::Thing;
use super::titles::{Run, rich_text};
use crate::sandbox::people::mix;

/// What the title property is called in the data sources, one after the other.
const TITLES: [&str; 7] = [
    "Task",
    "Name",
    "Título",
    "title",
    "名前",
    "العنوان",
    "What?",
];
/// The ids of the other columns, encoded as Notion gives them.
const DUE: &str = "M%3BBw";
const STATUS: &str = "pZ%5Da";
const POINTS: &str = "nQ%7Bb";
const STATES: [&str; 3] = ["Open", "In progress", "Done"];

/// Which properties of a page are wanted, by name or id.
#[derive(Default)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Reads `filter_properties` from a query, where it may stand many times.
    pub fn of(uri: &Uri) -> Wanted {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let names = pairs
            .filter(|(name, _)| matches!(&**name, "filter_properties" | "filter_properties[]"))
            .map(|(_, value)| value.into_owned());
        Wanted(names.collect())
    }

    /// Ids stand encoded in answers, and may come either way.
    fn holds(&self, name: &str, property: &Value) -> bool {
        let id = property["id"].as_str().unwrap_or_default();
        let decoded = percent_decoded(id);
        let same = |asked: &String| [name, id, &decoded].contains(&asked.as_str());
        self.0.is_empty() || self.0.iter().any(same)
    }
}

/// The properties of a page: its title, and the columns of the data source that it is a row of.
pub fn of_page(
    content: &Content,
    thing: Thing,
    title: &[Run],
    wanted: &Wanted,
) -> Map<String, Value> {
    let title = rich_text(content, title);
    let title = json!({ "id": "title", "type": "title", "title": title });
    let row = match thing {
        Thing::Page(page) => content.source_of(page).map(|source| (page, source)),
        _ => None,
    };
    let mut properties = match row {
        Some((page, _)) => columns(content, page),
        None => Map::new(),
    };
    let name = row.map_or("title", |(_, source)| title_name(source));
    properties.insert(name.to_owned(), title);
    properties.retain(|name, property| wanted.holds(name, property));
    properties
}

/// What a row has beside its title.
fn columns(content: &Content, page: u32) -> Map<String, Value> {
    let seed = mix(u64::from(page), 41);
    let date = seed.is_multiple_of(3).then(|| {
        let start = format!("2026-12-{:02}", seed % 28 + 1);
        json!({ "start": start, "end": null, "time_zone": null })
    });
    let status = option((seed % 3) as usize);
    let mut columns = Map::from_iter([
        property("Due", DUE, "date", date.into()),
        property("Status", STATUS, "select", status),
        property("Points", POINTS, "number", (seed % 13).into()),
    ]);
    columns.extend(cases::properties(content.account, page));
    columns
}

fn property(name: &str, id: &str, kind: &str, value: Value) -> (String, Value) {
    (
        name.to_owned(),
        json!({ "id": id, "type": kind, kind: value }),
    )
}

fn option(number: usize) -> Value {
    json!({ "id": format!("s{number}"), "name": STATES[number], "color": "green" })
}

/// Which columns a data source has.
pub fn schema(source: u32) -> Value {
    let options: Vec<Value> = (0..STATES.len()).map(option).collect();
    let columns = [
        property(title_name(source), "title", "title", json!({})),
        property("Due", DUE, "date", json!({})),
        property("Status", STATUS, "select", json!({ "options": options })),
        property("Points", POINTS, "number", json!({ "format": "number" })),
    ];
    let named = columns.map(|(name, mut column)| {
        column["name"] = name.as_str().into();
        column["description"] = Value::Null;
        (name, column)
    });
    Map::from_iter(named).into()
}

/// What the title property of a data source is called.
fn title_name(source: u32) -> &'static str {
    TITLES[source as usize % TITLES.len()]
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("x={text}");
    let value = url::form_urlencoded::parse(pair.as_bytes()).next();
    value.map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::notion::titles;
    use crate::sandbox::overlay::Overlay;

    #[test]
    fn every_page_has_one_title_whose_id_is_always_the_same() {
        let content = Content::new(Account::Small, 120, Overlay::default());
        for page in content.pages() {
            let title = titles::page(&content, page);
            let all = of_page(&content, Thing::Page(page), &title, &Wanted::default());
            let titles: Vec<&Value> = all.values().filter(|it| it["type"] == "title").collect();
            assert_eq!(titles.len(), 1);
            assert_eq!(titles[0]["id"], "title");
        }
    }

    #[test]
    fn wanted_properties_go_by_name_or_id_encoded_or_not() {
        let uri: Uri = "/x?filter_properties[]=title&filter_properties=M%3BBw"
            .parse()
            .unwrap();
        let wanted = Wanted::of(&uri);
        assert!(wanted.holds("Task", &json!({ "id": "title" })));
        assert!(wanted.holds("Due", &json!({ "id": "M%3BBw" })));
        assert!(!wanted.holds("Status", &json!({ "id": "pZ%5Da" })));
    }
}

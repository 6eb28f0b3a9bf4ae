use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::content::{Content, State};
use super::ids::{Thing, id};
use super::layout::database_of;
use super::properties::{self, Wanted};
use super::titles::{self, plain, rich_text};
use super::versions::Version;
use super::workspace::workspace;

const EMOJI: [&str; 8] = ["🥐", "📌", "🧭", "👩🏽‍🚀", "🌻", "🏳️‍🌈", "☕", "🐙"];

/// Draws things in Notion's shape.
pub struct Draw<'a> {
    pub content: &'a Content,
    pub version: Version,
}

impl Draw<'_> {
    /// A thing as listings and retrievals show it.
    pub fn thing(&self, thing: Thing, wanted: &Wanted) -> Value {
        match thing {
            Thing::Source(source) => self.source(source),
            Thing::Database(database) => self.database(database),
            _ => self.page(thing, wanted),
        }
    }

    /// A thing as listings show it: some of them no more than that it is there.
    pub fn listed(&self, thing: Thing, wanted: &Wanted) -> Value {
        let partial = match thing {
            Thing::Page(page) => page % 97 == 25,
            Thing::Source(source) => source == 2,
            _ => false,
        };
        let whole = self.thing(thing, wanted);
        if !partial {
            return whole;
        }
        let mut part = json!({ "object": whole["object"], "id": whole["id"] });
        if let Thing::Source(_) = thing {
            part["properties"] = whole["properties"].clone();
        }
        part
    }

    fn page(&self, thing: Thing, wanted: &Wanted) -> Value {
        let number = number(thing);
        let title = match thing {
            Thing::Trashed(_) => vec![titles::Run::Text(format!("Thrown away {number}"))],
            _ => titles::page(self.content, number),
        };
        let mut page = self.usual("page", thing, &plain(self.content, &title));
        page["is_archived"] = self.content.is_archived(thing).into();
        page["is_locked"] = (number % 53 == 9).into();
        page["parent"] = self.parent(thing);
        page["properties"] = properties::of_page(self.content, thing, &title, wanted).into();
        page
    }

    fn source(&self, source: u32) -> Value {
        let thing = Thing::Source(source);
        let title = titles::source(source);
        let database = Thing::Database(database_of(source));
        let mut drawn = self.usual("data_source", thing, &plain(self.content, &title));
        drawn["title"] = rich_text(self.content, &title);
        drawn["description"] = json!([]);
        drawn["parent"] = self.parent(thing);
        drawn["database_parent"] = self.parent(database);
        drawn["is_inline"] = source.is_multiple_of(2).into();
        drawn["properties"] = properties::schema(source);
        drawn
    }

    fn database(&self, database: u32) -> Value {
        let thing = Thing::Database(database);
        let title = titles::database(self.content, database);
        let mut drawn = self.usual("database", thing, &plain(self.content, &title));
        drawn["title"] = rich_text(self.content, &title);
        drawn["description"] = json!([]);
        drawn["parent"] = self.parent(thing);
        drawn["is_inline"] = database.is_multiple_of(2).into();
        drawn["is_locked"] = false.into();
        if self.version.knows_data_sources() {
            let sources = self.content.layout.sources_of(database);
            let entries = sources.map(|source| self.entry(source));
            drawn["data_sources"] = entries.collect();
        }
        drawn
    }

    /// A data source as its database speaks of it.
    fn entry(&self, source: u32) -> Value {
        json!({ "id": self.id(Thing::Source(source)), "name": titles::entry(source) })
    }

    /// What pages, databases and data sources have in common.
    fn usual(&self, object: &str, thing: Thing, title: &str) -> Value {
        let editor = workspace(self.content.account).editor();
        let in_trash = self.content.state(thing) == State::Trashed;
        let id = self.id(thing);
        let path = format!("{}{}", slug(title), id.replace('-', ""));
        let mut drawn = json!({
            "object": object,
            "id": id,
            "created_time": stamp(self.content.created(thing)),
            "last_edited_time": stamp(self.content.edited(thing)),
            "created_by": editor,
            "last_edited_by": editor,
            "icon": icon(number(thing)),
            "cover": null,
            "in_trash": in_trash,
            "url": url(number(thing), &path),
            "public_url": self.public_url(thing, &path),
        });
        if self.version.says_archived() {
            drawn["archived"] = in_trash.into();
        }
        drawn
    }

    /// Only a few pages are published.
    fn public_url(&self, thing: Thing, path: &str) -> Value {
        match thing {
            Thing::Page(page) if page % 10 == 4 => {
                let site = self.content.account.slug();
                format!("https://{site}.notion.site/{path}").into()
            }
            _ => Value::Null,
        }
    }

    pub fn parent(&self, thing: Thing) -> Value {
        let parent = self.content.parent(thing);
        let id = self.id(parent);
        let kind = match parent {
            Thing::Workspace => return json!({ "type": "workspace", "workspace": true }),
            Thing::Source(source) => {
                let database = self.id(Thing::Database(database_of(source)));
                return json!({
                    "type": "data_source_id", "data_source_id": id, "database_id": database,
                });
            }
            Thing::Database(_) => "database_id",
            Thing::Block { .. } => "block_id",
            Thing::Agent => "agent_id",
            _ => "page_id",
        };
        json!({ "type": kind, kind: id })
    }

    pub fn id(&self, thing: Thing) -> String {
        id(self.content.account, thing)
    }
}

fn number(thing: Thing) -> u32 {
    match thing {
        Thing::Page(number)
        | Thing::Source(number)
        | Thing::Database(number)
        | Thing::Trashed(number) => number,
        _ => 0,
    }
}

pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn icon(number: u32) -> Value {
    match number % 4 {
        0 => Value::Null,
        1 => json!({ "type": "external", "external": { "url": "https://files.example/icon.svg" } }),
        _ => {
            let emoji = EMOJI[number as usize % EMOJI.len()];
            json!({ "type": "emoji", "emoji": emoji })
        }
    }
}

/// The host of links was another one until 2026, and some links still have it.
fn url(number: u32, path: &str) -> String {
    match number % 5 {
        0 => format!("https://www.notion.so/{path}"),
        _ => format!("https://app.notion.com/p/{path}"),
    }
}

/// The plain letters of a title, and a dash where an id may follow.
fn slug(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(6)
        .collect();
    words.iter().map(|word| format!("{word}-")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::overlay::Overlay;

    fn content(account: Account) -> Content {
        Content::new(account, account.profile().items, Overlay::default())
    }

    fn drawn(content: &Content, version: &str, thing: Thing) -> Value {
        let version = Version::parse(version).unwrap();
        Draw { content, version }.thing(thing, &Wanted::default())
    }

    #[test]
    fn times_are_utc_with_three_zeros_and_whole_minutes() {
        let content = content(Account::TenThousand);
        let page = drawn(&content, "2026-03-11", Thing::Page(77));
        for name in ["created_time", "last_edited_time"] {
            assert!(page[name].as_str().unwrap().ends_with(":00.000Z"));
        }
    }

    #[test]
    fn archived_is_said_in_older_versions_alone() {
        let content = content(Account::Small);
        let says = |version| {
            drawn(&content, version, Thing::Page(0))
                .get("archived")
                .cloned()
        };
        assert_eq!(says("2025-09-03"), Some(false.into()));
        assert_eq!(says("2026-03-11"), None);
    }

    #[test]
    fn a_row_names_its_data_source_and_its_database() {
        let content = content(Account::Small);
        let row = drawn(&content, "2026-03-11", Thing::Page(60));
        let parent = row["parent"].as_object().unwrap();
        assert_eq!(parent["type"], "data_source_id");
        assert!(parent.contains_key("data_source_id") && parent.contains_key("database_id"));
    }

    #[test]
    fn a_data_source_without_a_title_may_have_a_name_in_its_database() {
        let content = content(Account::Small);
        let title = |source| drawn(&content, "2026-03-11", Thing::Source(source))["title"].clone();
        assert_eq!([title(5), title(6)], [json!([]), json!([])]);
        let entry = |source| {
            let database = Thing::Database(database_of(source));
            drawn(&content, "2026-03-11", database)["data_sources"][0]["name"].clone()
        };
        assert_eq!([entry(5), entry(6)], ["Vendors", ""]);
    }
}

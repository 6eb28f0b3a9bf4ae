use actix_web::{HttpResponse, web};
use serde_json::Value;

use super::content::{Content, State};
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::Thing;
use super::listing::{Asked, body, not_a};
use super::objects::Draw;
use super::properties::Wanted;
use super::titles;
use super::workspace::odd;
use crate::sandbox::world::World;

/// What search is asked for.
struct Search {
    /// Words in the title, in small letters.
    query: Option<String>,
    only: Option<Only>,
    in_trash: bool,
    latest_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Pages,
    Sources,
}

/// Pages and data sources by their title, or all that search knows of; databases are never found.
pub async fn search(
    caller: Caller,
    world: web::Data<World>,
    bytes: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let body = body(&bytes)?;
    let search = Search::read(&body)?;
    let asked = Asked::of_body(&caller, "search", &body)?;
    let content = Content::of(&world, caller.account);
    let draw = Draw {
        content: &content,
        version: caller.version,
    };
    let wanted = Wanted::default();
    let is_late = odd::is(&caller.token.scopes, odd::LATE_SEARCH)
        && world.notion.is_first_search(&caller.token);
    let found = search.find(&content).filter(|_| !is_late);
    let answer = asked.answer("page_or_data_source", found, |thing| {
        draw.listed(thing, &wanted)
    });
    Ok(errors::answer(answer))
}

impl Search {
    fn read(body: &Value) -> Result<Search, ApiError> {
        let query = match &body["query"] {
            Value::String(text) => Some(text.trim().to_lowercase()),
            _ if body.get("query").is_none() => None,
            other => return Err(not_a("query", "a string", other)),
        };
        let filter = match &body["filter"] {
            filter if filter.is_object() || body.get("filter").is_none() => filter,
            other => return Err(not_a("filter", "an object", other)),
        };
        Ok(Search {
            query: query.filter(|query| !query.is_empty()),
            only: only(filter)?,
            in_trash: filter["in_trash"] == true,
            latest_first: latest_first(body)?,
        })
    }

    /// What is found, in the order that was asked for, with ascending places.
    fn find<'a>(&'a self, content: &'a Content) -> Box<dyn Iterator<Item = (u64, Thing)> + 'a> {
        let things: Box<dyn Iterator<Item = (u64, Thing)>> =
            match (self.in_trash, self.latest_first) {
                (true, _) => Box::new(trash(content)),
                (false, true) => Box::new(content.latest_first()),
                (false, false) => {
                    let turned = content.latest_first().rev();
                    Box::new(turned.map(|(place, thing)| (u64::MAX - place, thing)))
                }
            };
        Box::new(things.filter(|(_, thing)| self.finds(content, *thing)))
    }

    fn finds(&self, content: &Content, thing: Thing) -> bool {
        let kind = match thing {
            Thing::Source(_) => Only::Sources,
            _ => Only::Pages,
        };
        let is_there = self.in_trash || content.state(thing) == State::Here;
        is_there
            && self.only.is_none_or(|only| only == kind)
            && !content.is_missed_by_search(thing)
            && self.fits(content, thing)
    }

    fn fits(&self, content: &Content, thing: Thing) -> bool {
        let Some(query) = &self.query else {
            return true;
        };
        let title = match thing {
            Thing::Page(page) => titles::page(content, page),
            Thing::Source(source) => titles::source(source),
            _ => Vec::new(),
        };
        titles::plain(content, &title)
            .to_lowercase()
            .contains(query)
    }
}

/// What is in the trash, in any order.
fn trash(content: &Content) -> impl Iterator<Item = (u64, Thing)> {
    let from_start = content.trash().map(Thing::Trashed);
    let since = content.trashed_since().map(Thing::Page);
    (0..)
        .zip(from_start.chain(since))
        .map(|(at, thing)| (at + 1, thing))
}

fn only(filter: &Value) -> Result<Option<Only>, ApiError> {
    let (property, value) = (&filter["property"], &filter["value"]);
    match (property.as_str(), value.as_str()) {
        (None, None) => Ok(None),
        (Some("object"), Some("page")) => Ok(Some(Only::Pages)),
        (Some("object"), Some("data_source")) => Ok(Some(Only::Sources)),
        (Some("object"), _) => Err(not_a(
            "filter.value",
            "`\"page\"` or `\"data_source\"`",
            value,
        )),
        _ => Err(not_a("filter.property", "`\"object\"`", property)),
    }
}

fn latest_first(body: &Value) -> Result<bool, ApiError> {
    let sort = &body["sort"];
    if body.get("sort").is_none() || sort["property"] == "relevance" {
        return Ok(true);
    }
    match (sort["timestamp"].as_str(), sort["direction"].as_str()) {
        (Some("last_edited_time"), Some("ascending")) => Ok(false),
        (Some("last_edited_time"), Some("descending")) => Ok(true),
        _ => Err(not_a("sort", "a sort by `last_edited_time`", sort)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::dial::Provider;
    use crate::sandbox::notion::testing::{Visitor, notion, notion_with};
    use crate::sandbox::testing::options;
    use crate::sandbox::{Edit, Turn};

    const SEARCH: &str = "/v1/search";

    fn pages() -> Value {
        json!({ "filter": { "property": "object", "value": "page" } })
    }

    fn turn(notion: &Visitor, edit: Edit) {
        let turn = Turn::Records("pages", edit);
        notion
            .visit
            .sandbox
            .dial(Provider::Notion, Account::Small, turn);
    }

    async fn ids(notion: &Visitor, access: &str, body: &Value) -> Vec<String> {
        let found = notion.walk(SEARCH, access, body).await;
        found
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn everything_is_found_but_the_few_that_search_misses_and_nothing_twice() {
        let notion = notion(options());
        let (access, _) = notion.connect("10k").await;
        let found = ids(&notion, &access, &pages()).await;
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
        assert_eq!(found.len(), 10_000 - 363);
    }

    #[tokio::test]
    async fn a_page_holds_a_hundred_unless_fewer_are_wanted() {
        let notion = notion(options());
        let (access, _) = notion.connect("10k").await;
        let count = async |body: Value| {
            let page = notion.ask(SEARCH, &access, &body).await.json();
            page["results"].as_array().unwrap().len()
        };
        assert_eq!(count(json!({})).await, 100);
        assert_eq!(count(json!({ "page_size": 7 })).await, 7);
    }

    #[tokio::test]
    async fn the_order_is_by_edit_either_way() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let mut body = json!({ "page_size": 9, "sort": {
            "timestamp": "last_edited_time", "direction": "descending",
        } });
        let down = notion.walk(SEARCH, &access, &body).await;
        let times: Vec<&str> = down
            .iter()
            .filter_map(|it| it["last_edited_time"].as_str())
            .collect();
        assert!(times.is_sorted_by(|one, other| one >= other));
        body["sort"]["direction"] = "ascending".into();
        let mut up = ids(&notion, &access, &body).await;
        up.reverse();
        let down: Vec<&str> = down.iter().filter_map(|it| it["id"].as_str()).collect();
        assert_eq!(up, down);
    }

    #[tokio::test]
    async fn data_sources_are_found_and_databases_never() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let body = json!({ "filter": { "property": "object", "value": "data_source" } });
        let found = notion.walk(SEARCH, &access, &body).await;
        assert_eq!(found.len(), 7);
        let all = notion.walk(SEARCH, &access, &json!({})).await;
        let objects: HashSet<&str> = all.iter().filter_map(|it| it["object"].as_str()).collect();
        assert_eq!(objects, HashSet::from(["page", "data_source"]));
        let partial = all.iter().filter(|it| it.get("url").is_none());
        assert_eq!(partial.count(), 2);
    }

    #[tokio::test]
    async fn ten_thousand_are_the_end_and_only_the_last_page_says_so() {
        let notion = notion_with(|options| options.contacts = Some(11_000));
        let (access, _) = notion.connect("100k").await;
        let mut body = pages();
        let (mut count, mut answers) = (0, 0);
        let last = loop {
            let page = notion.ask(SEARCH, &access, &body).await.json();
            count += page["results"].as_array().unwrap().len();
            answers += 1;
            if page["has_more"] == false {
                break page;
            }
            assert_eq!(page.get("request_status"), None);
            body["start_cursor"] = page["next_cursor"].clone();
        };
        assert_eq!((count, answers), (10_000, 100));
        assert_eq!(last["next_cursor"], Value::Null);
        let status =
            json!({ "type": "incomplete", "incomplete_reason": "query_result_limit_reached" });
        assert_eq!(last["request_status"], status);
    }

    #[tokio::test]
    async fn the_first_search_of_a_connection_may_find_nothing_yet() {
        let notion = notion(options());
        let tokens = notion.tokens("small", &[("sandbox", "late_search")]).await;
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(ids(&notion, access, &json!({})).await.len(), 0);
        assert!(ids(&notion, access, &json!({})).await.len() > 100);
    }

    #[tokio::test]
    async fn titles_are_searched_whatever_their_case() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let found = ids(&notion, &access, &json!({ "query": "FRÜHSTÜCK" })).await;
        assert_eq!(found.len(), 1);
    }

    #[tokio::test]
    async fn an_account_with_nothing_shared_is_empty() {
        let notion = notion(options());
        let (access, _) = notion.connect("empty").await;
        let page = notion.ask(SEARCH, &access, &json!({})).await.json();
        assert_eq!(page["results"], json!([]));
        assert_eq!(
            (&page["has_more"], &page["next_cursor"]),
            (&false.into(), &Value::Null)
        );
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let first = notion
            .ask(SEARCH, &access, &json!({ "page_size": 1 }))
            .await
            .json();
        let of_another_listing = json!({ "query": "x", "start_cursor": first["next_cursor"] });
        let bad = [
            json!({ "query": null }),
            json!({ "filter": null }),
            json!({ "filter": { "property": "object", "value": "database" } }),
            json!({ "filter": { "property": "title", "value": "page" } }),
            json!({ "sort": { "timestamp": "created_time", "direction": "ascending" } }),
            json!({ "page_size": 101 }),
            json!({ "page_size": 0 }),
            json!({ "start_cursor": null }),
            json!({ "start_cursor": "tomorrow" }),
            of_another_listing,
        ];
        for body in bad {
            let answer = notion.ask(SEARCH, &access, &body).await;
            assert_eq!(answer.status, 400, "{body}");
            assert_eq!(answer.json()["code"], "validation_error");
        }
        let halved = json!({ "page_size": 2, "start_cursor": first["next_cursor"] });
        assert_eq!(notion.ask(SEARCH, &access, &halved).await.status, 200);
    }

    #[tokio::test]
    async fn the_trash_is_listed_when_asked_for() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let body = json!({ "filter": { "in_trash": true } });
        assert_eq!(ids(&notion, &access, &body).await.len(), 5);
        turn(&notion, Edit::Delete(4));
        let trash = notion.walk(SEARCH, &access, &body).await;
        assert_eq!(trash.len(), 7);
        assert!(trash.iter().all(|it| it["in_trash"] == true));
    }

    #[tokio::test]
    async fn the_dial_adds_changes_and_takes_away() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let before = ids(&notion, &access, &pages()).await;
        turn(&notion, Edit::Add(3));
        turn(&notion, Edit::Change(1));
        turn(&notion, Edit::Delete(2));
        let after = ids(&notion, &access, &pages()).await;
        assert_eq!(after.len(), before.len() + 3 - 2);
        assert_eq!(
            after[..4].iter().filter(|id| before.contains(id)).count(),
            1
        );
    }
}

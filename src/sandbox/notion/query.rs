use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::content::{Content, State};
use super::errors::{self, ApiError};
use super::filter::{Filter, Stamp};
use super::gate::Caller;
use super::ids::Thing;
use super::layout::WIKI;
use super::listing::{Asked, body, not_a};
use super::objects::Draw;
use super::properties::Wanted;
use super::retrieve::source_in_path;
use crate::sandbox::world::World;

/// What a data source is asked for.
struct Query {
    filter: Option<Filter>,
    sort: Option<(Stamp, bool)>,
    only: Option<&'static str>,
    /// Archived rows alone, or the others alone.
    archived: Option<bool>,
}

/// The rows of a data source.
pub async fn query(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
    bytes: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let source = source_in_path(&request, &caller, &content)?;
    let body = body(&bytes)?;
    let query = Query::read(&body)?;
    let asked = Asked::of_body(&caller, request.path(), &body)?;
    let draw = Draw {
        content: &content,
        version: caller.version,
    };
    let wanted = Wanted::of(request.uri());
    let rows = query.find(&content, source).into_iter();
    let answer = asked.answer("page_or_data_source", rows, |thing| {
        draw.listed(thing, &wanted)
    });
    Ok(errors::answer(answer))
}

impl Query {
    fn read(body: &Value) -> Result<Query, ApiError> {
        let filter = match &body["filter"] {
            filter if filter.is_object() => Some(Filter::parse(filter)?),
            _ if body.get("filter").is_none() => None,
            other => return Err(not_a("filter", "an object", other)),
        };
        let only = match body["result_type"].as_str() {
            None => None,
            Some("page") => Some("page"),
            Some("data_source") => Some("data_source"),
            Some(_) => {
                return Err(not_a(
                    "result_type",
                    "`\"page\"` or `\"data_source\"`",
                    &body["result_type"],
                ));
            }
        };
        Ok(Query {
            filter,
            sort: sort(body)?,
            only,
            archived: body["is_archived"].as_bool(),
        })
    }

    /// The rows that are wanted, in the order that was asked for, with ascending places.
    fn find(&self, content: &Content, source: u32) -> Vec<(u64, Thing)> {
        let (stamp, is_ascending) = self.sort.unwrap_or((Stamp::Created, true));
        let mut found: Vec<(u64, Thing)> = rows(content, source)
            .filter(|thing| self.wants(content, *thing))
            .map(|thing| {
                let place = place(content, thing, stamp);
                (
                    if is_ascending {
                        place
                    } else {
                        u64::MAX - place
                    },
                    thing,
                )
            })
            .collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        found
    }

    fn wants(&self, content: &Content, thing: Thing) -> bool {
        let kind = match thing {
            Thing::Page(_) => "page",
            _ => "data_source",
        };
        content.state(thing) == State::Here
            && self.only.is_none_or(|only| only == kind)
            && self
                .archived
                .is_none_or(|wanted| wanted == content.is_archived(thing))
            && self
                .filter
                .as_ref()
                .is_none_or(|it| it.admits(content.created(thing), content.edited(thing)))
    }
}

/// The rows of a data source; among those of a wiki may be another data source.
fn rows(content: &Content, source: u32) -> impl Iterator<Item = Thing> {
    let inner = content
        .layout
        .sources()
        .map(Thing::Source)
        .filter(move |thing| source == WIKI && content.parent(*thing) == Thing::Source(source));
    content.rows(source).map(Thing::Page).chain(inner)
}

/// Earlier times first, and rows of one minute in the order of their numbers.
fn place(content: &Content, thing: Thing, stamp: Stamp) -> u64 {
    let at = match stamp {
        Stamp::Created => content.created(thing),
        Stamp::Edited => content.edited(thing),
    };
    let minutes = u32::try_from(at.timestamp() / 60).unwrap_or_default();
    let number = match thing {
        Thing::Page(page) => page,
        _ => u32::MAX,
    };
    (u64::from(minutes) << 32) | u64::from(number)
}

/// Of several sorts the first decides, since no two rows share a place in it.
fn sort(body: &Value) -> Result<Option<(Stamp, bool)>, ApiError> {
    let sorts = match &body["sorts"] {
        Value::Array(sorts) => sorts,
        _ if body.get("sorts").is_none() => return Ok(None),
        other => return Err(not_a("sorts", "an array", other)),
    };
    let Some(sort) = sorts.first() else {
        return Ok(None);
    };
    let is_ascending = match sort["direction"].as_str() {
        Some("ascending") => true,
        Some("descending") => false,
        _ => {
            return Err(not_a(
                "sorts[0].direction",
                "`\"ascending\"` or `\"descending\"`",
                sort,
            ));
        }
    };
    let stamp = Stamp::parse(&sort["timestamp"]).ok_or_else(|| {
        not_a(
            "sorts[0].timestamp",
            "`created_time` or `last_edited_time`",
            sort,
        )
    })?;
    Ok(Some((stamp, is_ascending)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::dial::Provider;
    use crate::sandbox::notion::ids::id;
    use crate::sandbox::notion::testing::{notion, notion_with};
    use crate::sandbox::testing::options;
    use crate::sandbox::{Edit, Turn};

    fn path(account: Account, source: u32) -> String {
        format!(
            "/v1/data_sources/{}/query",
            id(account, Thing::Source(source))
        )
    }

    fn ids(rows: &[Value]) -> HashSet<&str> {
        rows.iter().filter_map(|row| row["id"].as_str()).collect()
    }

    #[tokio::test]
    async fn every_row_comes_once_also_those_that_search_misses() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let mut all = 0;
        for source in 0..7 {
            let body = json!({ "page_size": 5 });
            let rows = notion
                .walk(&path(Account::Small, source), &access, &body)
                .await;
            assert_eq!(ids(&rows).len(), rows.len());
            all += rows.iter().filter(|row| row["object"] == "page").count();
        }
        assert_eq!(all, 72);
    }

    #[tokio::test]
    async fn a_hundred_rows_are_one_answer_with_nothing_behind_it() {
        let notion = notion(options());
        let (access, _) = notion.connect("10k").await;
        let path = path(Account::TenThousand, 2);
        let answer = notion.ask(&path, &access, &json!({})).await.json();
        assert_eq!(answer["results"].as_array().unwrap().len(), 100);
        assert_eq!(answer["has_more"], false);
        assert_eq!(answer["next_cursor"], Value::Null);
        assert_eq!(answer.get("request_status"), None);
    }

    #[tokio::test]
    async fn a_wiki_has_a_data_source_among_its_rows() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let of = async |kind: &str| {
            let body = json!({ "result_type": kind });
            notion
                .walk(&path(Account::Small, WIKI), &access, &body)
                .await
        };
        let inner = of("data_source").await;
        assert_eq!(inner.len(), 1);
        assert_eq!(inner[0]["parent"]["type"], "data_source_id");
        assert_eq!(of("page").await.len(), 12);
    }

    #[tokio::test]
    async fn the_cap_bites_and_a_later_start_gives_the_rest() {
        let notion = notion_with(|options| options.contacts = Some(24_000));
        let (access, _) = notion.connect("100k").await;
        let path = path(Account::HundredThousand, 0);
        let sorts = json!([{ "timestamp": "created_time", "direction": "ascending" }]);
        let first = notion
            .walk(&path, &access, &json!({ "sorts": sorts }))
            .await;
        assert_eq!(first.len(), 10_000);
        let last = first
            .iter()
            .rev()
            .find_map(|row| row["created_time"].as_str())
            .unwrap();
        let filter =
            json!({ "timestamp": "created_time", "created_time": { "on_or_after": last } });
        let body = json!({ "sorts": sorts, "filter": filter });
        let rest = notion.walk(&path, &access, &body).await;
        let all: HashSet<&str> = ids(&first).union(&ids(&rest)).copied().collect();
        assert_eq!(all.len(), 10_250);
    }

    #[tokio::test]
    async fn rows_are_sorted_by_either_time_either_way() {
        let notion = notion(options());
        let (access, _) = notion.connect("10k").await;
        for name in ["created_time", "last_edited_time"] {
            for (direction, turned) in [("ascending", false), ("descending", true)] {
                let body = json!({ "sorts": [{ "timestamp": name, "direction": direction }] });
                let rows = notion
                    .walk(&path(Account::TenThousand, 3), &access, &body)
                    .await;
                let mut times: Vec<&str> =
                    rows.iter().filter_map(|row| row[name].as_str()).collect();
                if turned {
                    times.reverse();
                }
                assert!(times.is_sorted() && times.len() > 100);
            }
        }
    }

    #[tokio::test]
    async fn only_what_changed_since_is_given_when_asked_for() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let filter = json!({
            "timestamp": "last_edited_time",
            "last_edited_time": { "on_or_after": "2026-11-18T00:00:00.000Z" },
        });
        let body = json!({ "filter": filter });
        let path = path(Account::Small, 0);
        assert_eq!(notion.walk(&path, &access, &body).await.len(), 0);
        let turn = Turn::Records("pages", Edit::Change(50));
        notion
            .visit
            .sandbox
            .dial(Provider::Notion, Account::Small, turn);
        assert_eq!(notion.walk(&path, &access, &body).await.len(), 2);
    }

    #[tokio::test]
    async fn rows_can_be_asked_for_with_their_title_alone() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let path = format!("{}?filter_properties[]=title", path(Account::Small, 0));
        let rows = notion.walk(&path, &access, &json!({})).await;
        let columns = rows[0]["properties"].as_object().unwrap();
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["Task"]);
    }

    #[tokio::test]
    async fn a_database_cannot_be_queried_any_more() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let database = id(Account::Small, Thing::Database(0));
        let old = format!("/v1/databases/{database}/query");
        let answer = notion.ask(&old, &access, &json!({})).await;
        assert_eq!(answer.json()["code"], "invalid_request_url");
        let answer = notion
            .ask(
                &format!("/v1/data_sources/{database}/query"),
                &access,
                &json!({}),
            )
            .await;
        assert_eq!(answer.status, 404);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let bad = [
            json!({ "filter": null }),
            json!({ "filter": { "property": "Status" } }),
            json!({ "sorts": {} }),
            json!({ "sorts": [{ "property": "Points", "direction": "ascending" }] }),
            json!({ "sorts": [{ "timestamp": "created_time" }] }),
            json!({ "result_type": "database" }),
        ];
        for body in bad {
            let answer = notion.ask(&path(Account::Small, 0), &access, &body).await;
            assert_eq!(answer.json()["code"], "validation_error", "{body}");
        }
    }
}

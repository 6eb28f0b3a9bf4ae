use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::blocks::{self, Sort};
use super::content::{Content, State};
use super::errors::{self, ApiError};
use super::gate::Caller;
use super::ids::{Thing, find};
use super::listing::Asked;
use super::objects::{Draw, stamp};
use super::retrieve::id_in_path;
use super::titles::{self, plain};
use super::workspace::workspace;
use crate::sandbox::params::Params;
use crate::sandbox::people::person;
use crate::sandbox::world::World;

/// One block; pages and databases are blocks too.
pub async fn one(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let thing = block_in_path(&request, &content)?;
    let draw = Draw {
        content: &content,
        version: caller.version,
    };
    Ok(errors::answer(block(&draw, thing)))
}

/// What stands in a block.
pub async fn children(
    caller: Caller,
    request: HttpRequest,
    world: web::Data<World>,
) -> Result<HttpResponse, ApiError> {
    let content = Content::of(&world, caller.account);
    let thing = block_in_path(&request, &content)?;
    let query = Params::parse(request.query_string().as_bytes());
    let asked = Asked::of_query(caller.account, request.path(), &query)?;
    let draw = Draw {
        content: &content,
        version: caller.version,
    };
    let children = (1..).zip(blocks::children(&content, thing));
    let answer = asked.answer("block", children, |thing| block(&draw, thing));
    Ok(errors::answer(answer))
}

fn block_in_path(request: &HttpRequest, content: &Content) -> Result<Thing, ApiError> {
    let id = id_in_path(request, "block_id")?;
    let found = find(content.account, id).filter(|thing| match thing {
        Thing::Page(_) | Thing::Database(_) => content.state(*thing) == State::Here,
        Thing::Block { page, slot } => blocks::exists(content, *page, *slot),
        _ => false,
    });
    found.ok_or_else(|| errors::not_found("block", id))
}

/// A block in Notion's shape.
fn block(draw: &Draw, thing: Thing) -> Value {
    let content = draw.content;
    let editor = workspace(content.account).editor();
    let (kind, value) = inside(content, thing);
    let mut block = json!({
        "object": "block",
        "id": draw.id(thing),
        "parent": draw.parent(thing),
        "created_time": stamp(content.created(thing)),
        "last_edited_time": stamp(content.edited(thing)),
        "created_by": editor,
        "last_edited_by": editor,
        "has_children": has_children(content, thing),
        "in_trash": false,
        "type": kind,
        kind: value,
    });
    if draw.version.says_archived() {
        block["archived"] = false.into();
    }
    block
}

fn has_children(content: &Content, thing: Thing) -> bool {
    match thing {
        Thing::Page(_) => true,
        _ => !blocks::children(content, thing).is_empty(),
    }
}

fn inside(content: &Content, thing: Thing) -> (&'static str, Value) {
    let titled = |runs: &[titles::Run]| json!({ "title": plain(content, runs) });
    let slot = match thing {
        Thing::Page(page) => return ("child_page", titled(&titles::page(content, page))),
        Thing::Database(it) => return ("child_database", titled(&titles::database(content, it))),
        Thing::Block { slot, .. } => slot,
        _ => 0,
    };
    match blocks::sort(slot) {
        Sort::Heading => ("heading_2", text(content, "Overview")),
        Sort::Paragraph => ("paragraph", text(content, &sentence(slot))),
        Sort::Unsupported => ("unsupported", json!({})),
        Sort::Toggle => ("toggle", text(content, "More")),
        Sort::Columns => ("column_list", json!({})),
        Sort::Column => ("column", json!({ "width_ratio": 0.5 })),
    }
}

fn text(content: &Content, text: &str) -> Value {
    let runs = [titles::Run::Text(text.to_owned())];
    json!({ "rich_text": titles::rich_text(content, &runs), "color": "default" })
}

fn sentence(slot: u16) -> String {
    let who = person(u64::from(slot));
    format!("Ask {} {} about this.", who.first.0, who.last.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::notion::ids::id;
    use crate::sandbox::notion::testing::{Visitor, notion};
    use crate::sandbox::testing::options;

    async fn all(notion: &Visitor, access: &str, thing: &str, size: u32) -> Vec<Value> {
        let path = format!("/v1/blocks/{thing}/children?page_size={size}");
        let (mut all, mut next) = (Vec::new(), path.clone());
        loop {
            let page = notion.read(&next, access).await.json();
            all.extend(page["results"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}&start_cursor={cursor}"),
                None => return all,
            }
        }
    }

    #[tokio::test]
    async fn the_children_of_a_page_are_read_to_the_end() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let page = id(Account::Small, Thing::Page(1));
        let one = all(&notion, &access, &page, 100).await;
        assert!(one.len() > 130);
        assert_eq!(all(&notion, &access, &page, 9).await, one);
        let kinds = ["heading_2", "paragraph", "unsupported", "child_page"];
        assert!(
            kinds
                .iter()
                .all(|kind| one.iter().any(|block| block["type"] == *kind))
        );
    }

    #[tokio::test]
    async fn a_page_in_a_column_is_found_from_above_and_leads_back_up() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let page = notion
            .read(
                &format!("/v1/pages/{}", id(Account::Small, Thing::Page(26))),
                &access,
            )
            .await
            .json();
        let mut parent = page["parent"].clone();
        let mut kinds = Vec::new();
        while parent["type"] == "block_id" {
            let block = parent["block_id"].as_str().unwrap();
            let inside = all(&notion, &access, block, 100).await;
            if kinds.is_empty() {
                assert!(inside.iter().any(|child| child["id"] == page["id"]));
            }
            let block = notion
                .read(&format!("/v1/blocks/{block}"), &access)
                .await
                .json();
            kinds.push(block["type"].as_str().unwrap().to_owned());
            parent = block["parent"].clone();
        }
        assert_eq!(kinds, ["column", "column_list"]);
        assert_eq!(parent["page_id"], *id(Account::Small, Thing::Page(4)));
    }

    #[tokio::test]
    async fn pages_and_databases_are_blocks_and_strangers_are_not_found() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        let get = async |thing| {
            let path = format!("/v1/blocks/{}", id(Account::Small, thing));
            notion.read(&path, &access).await.json()
        };
        assert_eq!(
            get(Thing::Page(2)).await["child_page"]["title"],
            "Plan for Frühstück 🥐"
        );
        assert_eq!(get(Thing::Database(0)).await["type"], "child_database");
        for thing in [
            Thing::Source(0),
            Thing::Hidden(0),
            Thing::Block { page: 0, slot: 77 },
        ] {
            assert_eq!(get(thing).await["code"], "object_not_found");
        }
    }
}

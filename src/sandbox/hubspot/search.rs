use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{self, ApiError};
use super::gate::Caller;
use super::objects::records;
use super::portal::portal;
use super::query::Query;
use super::record::{Wanted, record};
use crate::sandbox::accounts::Account;
use crate::sandbox::world::World;

const USUAL_LIMIT: usize = 10;
const MOST: usize = 200;
/// What one query gives out in all, however often it is paged.
const MOST_IN_ALL: usize = 10_000;
const LONGEST: usize = 3_000;

/// What a search is asked with.
#[derive(Deserialize)]
struct Ask {
    #[serde(flatten)]
    query: Query,
    #[serde(default)]
    properties: Vec<String>,
    limit: Option<usize>,
    /// Text or a number; clients send both.
    after: Option<Value>,
}

/// Records that match, a page of them.
pub async fn search(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let records = records(&request, &world, &caller, "kind")?;
    let ask = Ask::read(&body)?;
    let (from, limit) = ask.window()?;
    let found = ask.query.run(&records, Utc::now())?;
    let account = caller.token.account;
    let (wanted, portal) = (Wanted::names(ask.properties), portal(account));
    let shape = |index: &u32| without_url(record(&records.record(*index), &wanted, portal));
    let page = found.iter().skip(from).take(limit);
    let results: Vec<Value> = page.map(shape).collect();
    let mut answer = json!({ "total": total(found.len(), account), "results": results });
    if from + limit < found.len() {
        answer["paging"] = json!({ "next": { "after": (from + limit).to_string() } });
    }
    Ok(HttpResponse::Ok().json(answer))
}

impl Ask {
    fn read(body: &[u8]) -> Result<Ask, ApiError> {
        if String::from_utf8_lossy(body).chars().count() > LONGEST {
            return Err(errors::invalid(
                "body",
                "the body must not be longer than 3000 characters",
            ));
        }
        serde_json::from_slice(body)
            .map_err(|error| errors::invalid("body", &format!("it is no search: {error}")))
    }

    /// Where the page begins and how much it holds.
    fn window(&self) -> Result<(usize, usize), ApiError> {
        let limit = self.limit.unwrap_or(USUAL_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(errors::invalid(
                "limit",
                "limit must be a number from 1 to 200",
            ));
        }
        let from = match &self.after {
            None | Some(Value::Null) => Some(0),
            Some(Value::String(text)) if text.is_empty() => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        };
        let from: usize = from.ok_or_else(|| errors::invalid("after", "after must be a number"))?;
        if from.saturating_add(limit) > MOST_IN_ALL {
            return Err(errors::invalid(
                "after",
                "paging beyond 10000 results is not possible",
            ));
        }
        Ok((from, limit))
    }
}

/// The rough account counts records that it does not give out.
fn total(found: usize, account: Account) -> usize {
    match account {
        Account::Faults if found > 0 => found + 2,
        _ => found,
    }
}

fn without_url(mut shape: Value) -> Value {
    if let Some(shape) = shape.as_object_mut() {
        shape.remove("url");
    }
    shape
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::dial::{Edit, Provider, Turn};
    use crate::sandbox::testing::{Answer, Visit, options, visit};

    async fn search(visit: &Visit, access: &str, kind: &str, body: Value) -> Answer {
        let path = format!("/crm/objects/2026-09/{kind}/search");
        visit.read_batch(&path, access, &body).await
    }

    fn filter(property: &str, operator: &str, value: &str) -> Value {
        json!({ "propertyName": property, "operator": operator, "value": value })
    }

    fn with(filters: &[Value]) -> Value {
        json!({ "filterGroups": [{ "filters": filters }], "limit": 200 })
    }

    fn ids(answer: &Answer) -> Vec<u64> {
        let page = answer.json();
        let results = page["results"].as_array().unwrap().iter();
        let ids = results.map(|record| record["id"].as_str().unwrap().parse().unwrap());
        ids.collect()
    }

    async fn total(visit: &Visit, access: &str, kind: &str, filters: &[Value]) -> u64 {
        let answer = search(visit, access, kind, with(filters)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["total"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn filters_compare_ids_times_and_words() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("small").await;
        let all = ids(&search(&visit, &access, "contacts", with(&[])).await);
        assert_eq!(all.len(), 120);
        let (tenth, last) = (all[10].to_string(), all[119].to_string());
        let within = json!({
            "propertyName": "hs_object_id", "operator": "BETWEEN",
            "value": tenth, "highValue": all[12].to_string(),
        });
        let among = json!({
            "propertyName": "hs_object_id", "operator": "IN", "values": [tenth, last],
        });
        for (filter, count) in [
            (filter("hs_object_id", "GTE", &tenth), 110),
            (filter("hs_object_id", "GT", &tenth), 109),
            (filter("hs_object_id", "LT", &tenth), 10),
            (filter("hs_object_id", "LTE", &tenth), 11),
            (filter("hs_object_id", "EQ", &last), 1),
            (within, 3),
            (among, 2),
            (filter("lastmodifieddate", "GTE", "0"), 120),
            (filter("lastmodifieddate", "GTE", "1999999999999"), 0),
            (filter("createdate", "LT", "2030-01-01T00:00:00Z"), 120),
            (filter("lastname", "EQ", "الحسن"), 1),
        ] {
            let found = total(&visit, &access, "contacts", std::slice::from_ref(&filter)).await;
            assert_eq!(found, count, "{filter}");
        }
    }

    #[tokio::test]
    async fn groups_are_alternatives_and_filters_in_one_add_up() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let all = ids(&search(&visit, &access, "contacts", with(&[])).await);
        let is = |index: usize| filter("hs_object_id", "EQ", &all[index].to_string());
        let both = with(&[is(1), is(2)]);
        let either = json!({ "filterGroups": [{ "filters": [is(1)] }, { "filters": [is(2)] }] });
        assert!(ids(&search(&visit, &access, "contacts", both).await).is_empty());
        assert_eq!(
            ids(&search(&visit, &access, "contacts", either).await),
            all[1..3]
        );
    }

    #[tokio::test]
    async fn the_wrong_name_for_the_time_of_change_finds_nothing() {
        let visit = visit(options());
        let (access, _) = visit.connect_all("small").await;
        let (older, newer) = ("lastmodifieddate", "hs_lastmodifieddate");
        for (kind, property, count) in [
            ("contacts", older, 120),
            ("contacts", newer, 0),
            ("companies", older, 0),
            ("companies", newer, 24),
            ("deals", newer, 12),
        ] {
            let filters = [filter(property, "GTE", "0")];
            assert_eq!(total(&visit, &access, kind, &filters).await, count);
        }
    }

    #[tokio::test]
    async fn results_come_in_the_order_asked_for_and_without_addresses() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let sorted = async |sorts: Value| {
            let body = json!({ "limit": 200, "sorts": sorts });
            search(&visit, &access, "contacts", body).await.json()["results"].clone()
        };
        let by_time = json!([{ "propertyName": "lastmodifieddate", "direction": "DESCENDING" }]);
        let results = sorted(by_time).await;
        let results = results.as_array().unwrap();
        assert!(results.is_sorted_by_key(|it| std::cmp::Reverse(
            chrono::DateTime::parse_from_rfc3339(it["updatedAt"].as_str().unwrap()).unwrap()
        )));
        assert!(results.iter().all(|it| it.get("url").is_none()));
        let one = sorted(json!(["hs_object_id"])).await;
        let other = sorted(json!(["-hs_object_id"])).await;
        assert_eq!(one[0], other[119]);
    }

    #[tokio::test]
    async fn paging_ends_at_ten_thousand_and_ids_lead_on() {
        let visit = visit(Options {
            contacts: Some(13_500),
            ..options()
        });
        let (access, _) = visit.connect("100k").await;
        let mut seen = HashSet::new();
        let (mut first, mut after) = (0, 0);
        loop {
            let mut body = with(&[filter("hs_object_id", "GTE", &first.to_string())]);
            body["after"] = after.to_string().into();
            body["sorts"] = json!([{ "propertyName": "hs_object_id", "direction": "ASCENDING" }]);
            let answer = search(&visit, &access, "contacts", body).await;
            if answer.status == 400 {
                assert_eq!(after, 10_000);
                first = seen.iter().max().unwrap() + 1;
                after = 0;
                continue;
            }
            seen.extend(ids(&answer));
            match answer.json()["paging"]["next"]["after"].as_str() {
                Some(next) => after = next.parse().unwrap(),
                None => break,
            }
        }
        assert_eq!(seen.len(), 13_500);
    }

    #[tokio::test]
    async fn what_a_search_cannot_be_is_refused() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let one = filter("email", "EQ", "x");
        let group = json!({ "filters": [one] });
        let sort = json!({ "propertyName": "email" });
        let long = "x".repeat(3_000);
        for body in [
            json!({ "limit": 201 }),
            json!({ "after": "tomorrow" }),
            json!({ "after": "9991" }),
            json!({ "query": long }),
            json!({ "filterGroups": vec![group; 6] }),
            json!({ "filterGroups": [{ "filters": vec![one.clone(); 7] }] }),
            json!({ "sorts": [sort, sort] }),
            with(&[filter("no_such_property", "EQ", "x")]),
            with(&[filter("email", "LIKE", "x")]),
            with(&[filter("lastmodifieddate", "GTE", "tomorrow")]),
            with(&[json!({ "propertyName": "email", "operator": "EQ" })]),
        ] {
            let answer = search(&visit, &access, "contacts", body).await;
            assert_eq!(answer.status, 400);
            assert_eq!(answer.json()["category"], "VALIDATION_ERROR");
        }
    }

    #[tokio::test]
    async fn a_change_is_found_once_it_is_indexed() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let before = Utc::now().timestamp_millis().to_string();
        let dial = |turn| {
            visit.sandbox.dial(Provider::HubSpot, Account::Small, turn);
        };
        let since = [filter("lastmodifieddate", "GTE", &before)];
        dial(Turn::DelayIndex(Duration::from_secs(3600)));
        dial(Turn::Records("contacts", Edit::Change(2)));
        dial(Turn::Records("contacts", Edit::Add(3)));
        assert_eq!(total(&visit, &access, "contacts", &since).await, 0);
        dial(Turn::DelayIndex(Duration::ZERO));
        assert_eq!(total(&visit, &access, "contacts", &since).await, 5);
    }

    #[tokio::test]
    async fn searches_have_a_limit_of_their_own_that_no_header_tells() {
        let visit = visit(Options {
            rate: Some(1),
            window: Some(Duration::from_secs(3600)),
            ..options()
        });
        let (access, _) = visit.connect("small").await;
        let first = search(&visit, &access, "contacts", json!({})).await;
        assert_eq!(first.status, 200);
        let second = search(&visit, &access, "contacts", json!({})).await;
        assert_eq!(second.status, 429);
        assert_eq!(second.json()["policyName"], "SECONDLY");
        let message = "You have reached your secondly limit.";
        assert_eq!(second.json()["message"], message);
        for answer in [first, second] {
            assert!(!answer.headers.contains_key("x-hubspot-ratelimit-max"));
            assert!(!answer.headers.contains_key("retry-after"));
        }
        let list = visit.read("/crm/objects/2026-09/contacts", &access).await;
        assert_eq!(list.status, 200);
    }
}

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};

use super::errors::{self, Limit};
use super::gate::token;
use crate::sandbox::accounts::Account;
use crate::sandbox::mishap;
use crate::sandbox::world::World;

/// After so many requests the same troubles come again: less than one read of the account takes,
/// so that a read meets each of them.
const ROUND: u64 = 60;
const SLOW: Duration = Duration::from_secs(3);

/// A way in which an answer goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooMany(Limit),
    BadGateway,
    Internal,
    Conflict,
    Unavailable,
    GatewayTimeout,
    Overload,
    Slow,
    CutShort,
    Dropped,
    Odd(Quirk),
}

/// A way in which a good answer of a search or query is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Fewer results than asked for, and more to come.
    ShortPage,
    /// No results, and more to come.
    EmptyPage,
    /// The last result of the page before comes again.
    Twice,
    /// An object of a sort that nobody has heard of.
    Stranger,
    /// The cursor has died.
    StaleCursor,
}

/// What happens to the request of this number, counted from 1. The first one is well, so that
/// trouble comes in the middle of a read.
fn fault(number: u64) -> Option<Fault> {
    Some(match number % ROUND {
        3 => Fault::Internal,
        6 => Fault::TooMany(Limit::Connection),
        9 => Fault::BadGateway,
        12 => Fault::CutShort,
        15 => Fault::Conflict,
        18 => Fault::Dropped,
        21 => Fault::Slow,
        24 => Fault::Overload,
        27 => Fault::Unavailable,
        30 => Fault::GatewayTimeout,
        33 => Fault::TooMany(Limit::Workspace),
        36 => Fault::TooMany(Limit::Endpoint),
        39 => Fault::Odd(Quirk::ShortPage),
        42 => Fault::Odd(Quirk::EmptyPage),
        45 => Fault::Odd(Quirk::Twice),
        48 => Fault::Odd(Quirk::Stranger),
        51 => Fault::Odd(Quirk::StaleCursor),
        _ => return None,
    })
}

/// Lets requests of the rough account stumble.
pub async fn stumble(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match fault_for(&request) {
        None => {}
        Some(Fault::Slow) => tokio::time::sleep(SLOW).await,
        Some(Fault::Odd(quirk)) => {
            request.extensions_mut().insert(quirk);
        }
        Some(Fault::CutShort) => return mishap::cut_short(next.call(request).await?).await,
        Some(fault) => return Ok(request.into_response(answer(fault))),
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn fault_for(request: &ServiceRequest) -> Option<Fault> {
    let world = request.app_data::<web::Data<World>>()?;
    match token(request.request(), world).ok()?.account {
        Account::Faults => fault(world.notion.rough.next()),
        _ => None,
    }
}

fn answer(fault: Fault) -> HttpResponse {
    let error = match fault {
        Fault::TooMany(limit) => errors::rate_limited(limit, 1),
        Fault::Conflict => errors::conflict(),
        Fault::Unavailable => errors::unavailable(),
        Fault::GatewayTimeout => errors::gateway_timeout(),
        Fault::Overload => errors::overloaded(1),
        Fault::BadGateway => return mishap::bad_gateway(),
        Fault::Dropped => return mishap::dropped(),
        Fault::Internal | Fault::Slow | Fault::CutShort | Fault::Odd(_) => errors::internal(),
    };
    error.error_response()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::sandbox::notion::testing::{Visitor, notion};
    use crate::sandbox::testing::{Answer, options};

    const SEARCH: &str = "/v1/search";

    /// Goes on to the request of a number, which is the only one of interest.
    async fn skip_to(notion: &Visitor, number: u64) -> String {
        let (access, _) = notion.connect("faults").await;
        let rough = &notion.visit.sandbox.world.notion.rough;
        while rough.get() + 1 < number {
            rough.next();
        }
        access
    }

    async fn answer_of(number: u64, body: &Value) -> Answer {
        let notion = notion(options());
        let access = skip_to(&notion, number).await;
        notion.ask(SEARCH, &access, body).await
    }

    #[test]
    fn no_request_fails_twice_in_a_row_and_the_first_is_well() {
        assert_eq!(fault(1), None);
        assert!((1..200).all(|number| fault(number).is_none() || fault(number + 1).is_none()));
    }

    #[tokio::test]
    async fn refusals_say_why_and_how_long() {
        for (number, reason) in [
            (6, "public_api_request_rate_limit"),
            (33, "public_api_space_request_rate_limit"),
            (36, "public_api_endpoint_rate_limit"),
        ] {
            let answer = answer_of(number, &json!({})).await;
            assert_eq!(answer.status, 429);
            assert_eq!(answer.header("retry-after"), "1");
            let more = &answer.json()["additional_data"];
            assert_eq!(more["rate_limit_reason"], reason);
        }
    }

    #[tokio::test]
    async fn failures_have_codes_of_their_own() {
        for (number, status, code) in [
            (3, 500, "internal_server_error"),
            (15, 409, "conflict_error"),
            (24, 529, "service_overload"),
            (27, 503, "service_unavailable"),
            (30, 504, "gateway_timeout"),
        ] {
            let answer = answer_of(number, &json!({})).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["code"].as_str()),
                (status, Some(code))
            );
        }
        let answer = answer_of(9, &json!({})).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (502, "text/html")
        );
    }

    #[tokio::test]
    async fn some_answers_break_off() {
        let answer = answer_of(12, &json!({})).await;
        assert_eq!(answer.status, 200);
        assert!(serde_json::from_str::<Value>(&answer.text).is_err());
        let notion = notion(options());
        let access = skip_to(&notion, 18).await;
        assert!(
            notion
                .try_call("POST", SEARCH, &access, None)
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn pages_may_be_short_or_empty_while_there_is_more() {
        for (number, count) in [(39, 4), (42, 0)] {
            let page = answer_of(number, &json!({ "page_size": 10 })).await.json();
            assert_eq!(page["results"].as_array().unwrap().len(), count);
            assert_eq!(page["has_more"], true);
            assert!(page["next_cursor"].is_string());
        }
    }

    #[tokio::test]
    async fn a_cursor_may_die_a_page_come_twice_and_a_stranger_appear() {
        let notion = notion(options());
        let (access, _) = notion.connect("faults").await;
        let first = notion
            .ask(SEARCH, &access, &json!({ "page_size": 5 }))
            .await
            .json();
        let next = json!({ "page_size": 5, "start_cursor": first["next_cursor"] });
        skip_to(&notion, 45).await;
        let twice = notion.ask(SEARCH, &access, &next).await.json();
        assert_eq!(twice["results"][0]["id"], first["results"][4]["id"]);
        skip_to(&notion, 48).await;
        let stranger = notion.ask(SEARCH, &access, &next).await.json();
        assert_eq!(stranger["results"][5]["object"], "whiteboard");
        skip_to(&notion, 51).await;
        let stale = notion.ask(SEARCH, &access, &next).await;
        assert_eq!(stale.json()["code"], "validation_error");
        assert_eq!(notion.ask(SEARCH, &access, &next).await.status, 200);
    }

    #[tokio::test]
    async fn a_client_that_tries_again_gets_every_row() {
        let notion = notion(options());
        // Leaves out the slow one, which would only hold the test up.
        let access = skip_to(&notion, 22).await;
        let body = json!({ "filter": { "property": "object", "value": "page" } });
        let (mut seen, mut cursor, mut failed) = (HashSet::new(), Value::Null, 0);
        loop {
            let mut body = body.clone();
            if cursor.is_string() {
                body["start_cursor"] = cursor.clone();
            }
            let answer = notion
                .try_call("POST", SEARCH, &access, Some(&body.to_string()))
                .await;
            let page: Option<Value> = answer
                .ok()
                .filter(|answer| answer.status == 200)
                .and_then(|answer| serde_json::from_str(&answer.text).ok());
            let Some(page) = page else {
                failed += 1;
                continue;
            };
            let pages = page["results"].as_array().unwrap().iter();
            seen.extend(
                pages
                    .filter(|it| it["object"] == "page")
                    .map(|it| it["id"].to_string()),
            );
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert!(seen.len() > 1_900, "{}", seen.len());
        assert!(failed > 0);
    }

    #[tokio::test]
    async fn other_accounts_never_stumble() {
        let notion = notion(options());
        let (access, _) = notion.connect("small").await;
        for _ in 0..ROUND {
            let answer = notion
                .ask(SEARCH, &access, &json!({ "page_size": 1 }))
                .await;
            assert_eq!(answer.status, 200);
        }
    }
}

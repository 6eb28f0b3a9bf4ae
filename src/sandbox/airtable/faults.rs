use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::RETRY_AFTER;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};

use super::errors;
use super::gate::Caller;
use super::limits::Group;
use crate::sandbox::accounts::Account;
use crate::sandbox::mishap;
use crate::sandbox::world::World;

/// After so many requests to bases the same troubles come again: about as many as one read of the
/// account takes, so that a read meets each of them once.
const ROUND: u64 = 40;
const SLOW: Duration = Duration::from_secs(3);

/// A way in which an answer goes wrong and, asked for again, does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooMany,
    Lockout,
    BadGateway,
    Internal,
    Unavailable,
    UnavailableWithWait,
    Slow,
    CutShort,
    Dropped,
}

/// What happens to the request of this number, counted from 1. The first one is well, so that
/// trouble comes in the middle of a read.
fn fault(number: u64) -> Option<Fault> {
    match number % ROUND {
        3 => Some(Fault::Internal),
        6 => Some(Fault::TooMany),
        9 => Some(Fault::BadGateway),
        12 => Some(Fault::CutShort),
        15 => Some(Fault::UnavailableWithWait),
        18 => Some(Fault::Dropped),
        21 => Some(Fault::Slow),
        24 => Some(Fault::Unavailable),
        27 => Some(Fault::Lockout),
        _ => None,
    }
}

/// Lets requests to the bases of the rough account stumble. What is always wrong there is a matter
/// of its tables: see `plans.rs`.
pub async fn stumble(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match fault_for(&request) {
        None => Ok(next.call(request).await?.map_into_boxed_body()),
        Some(Fault::Slow) => {
            tokio::time::sleep(SLOW).await;
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Some(Fault::CutShort) => mishap::cut_short(next.call(request).await?).await,
        Some(fault) => Ok(request.into_response(answer(fault))),
    }
}

fn fault_for(request: &ServiceRequest) -> Option<Fault> {
    let Caller { token, group } = request.extensions().get::<Caller>()?.clone();
    let airtable = &request.app_data::<web::Data<World>>()?.airtable;
    if token.account != Account::Faults || matches!(group, Group::Metadata(_)) {
        return None;
    }
    let fault = fault(airtable.rough.next());
    // Even who keeps to the limit is shut out at times.
    if fault == Some(Fault::Lockout) {
        airtable.lock(group, Instant::now());
    }
    fault
}

fn answer(fault: Fault) -> HttpResponse {
    match fault {
        Fault::TooMany => errors::too_many_plural().error_response(),
        Fault::Lockout => errors::too_many().error_response(),
        Fault::BadGateway => mishap::bad_gateway(),
        Fault::Unavailable => errors::try_again().error_response(),
        Fault::UnavailableWithWait => HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .json(errors::try_again().body),
        Fault::Dropped => mishap::dropped(),
        Fault::Internal | Fault::Slow | Fault::CutShort => errors::internal().error_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::testing::{Walk, connect, table_of, walk};
    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::testing::{Answer, Visit, options, visit};

    /// Reads a table of the rough account; none of the passing troubles comes between.
    async fn read(visit: &Visit, table: &str) -> Walk {
        let (access, _) = connect(visit, "faults").await;
        let (base, table) = table_of(visit, &access, table).await;
        let rough = &visit.sandbox.world.airtable.rough;
        while rough.get() % ROUND != ROUND - 10 {
            rough.next();
        }
        walk(visit, &access, &format!("/v0/{base}/{table}"), &[]).await
    }

    /// The answer to the request of a number.
    async fn answer_to(visit: &Visit, number: u64) -> reqwest::Result<Answer> {
        let (access, _) = connect(visit, "faults").await;
        let (base, table) = table_of(visit, &access, "Crew").await;
        let rough = &visit.sandbox.world.airtable.rough;
        while rough.get() % ROUND + 1 != number {
            rough.next();
        }
        visit
            .try_read(&format!("/v0/{base}/{table}"), &access)
            .await
    }

    fn kind(answer: &Answer) -> String {
        answer.json()["error"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn one_round_has_every_fault_once_and_never_two_in_a_row() {
        let met: Vec<Fault> = (1..=ROUND).filter_map(fault).collect();
        assert_eq!(met.len(), 9);
        assert!(
            met.iter()
                .enumerate()
                .all(|(at, fault)| !met[..at].contains(fault))
        );
        assert!((1..200).all(|number| fault(number).is_none() || fault(number + 1).is_none()));
        assert_eq!(fault(1), None);
    }

    #[tokio::test]
    async fn refusals_that_pass_have_several_shapes() {
        let visit = visit(options());
        let plural = answer_to(&visit, 6).await.unwrap();
        assert_eq!(plural.status, 429);
        assert_eq!(plural.json()["errors"][0]["error"], "RATE_LIMIT_REACHED");
        let bare = answer_to(&visit, 24).await.unwrap();
        assert_eq!(
            (bare.status.as_u16(), bare.header("retry-after")),
            (503, "")
        );
        assert_eq!(bare.json()["error"], "RETRIABLE_ERROR");
        let told = answer_to(&visit, 15).await.unwrap();
        assert_eq!(
            (told.status.as_u16(), told.header("retry-after")),
            (503, "1")
        );
        let html = answer_to(&visit, 9).await.unwrap();
        assert_eq!(
            (html.status.as_u16(), html.header("content-type")),
            (502, "text/html")
        );
        assert_eq!(kind(&answer_to(&visit, 3).await.unwrap()), "SERVER_ERROR");
    }

    #[tokio::test]
    async fn answers_are_cut_short_and_connections_dropped() {
        let visit = visit(options());
        let cut = answer_to(&visit, 12).await.unwrap();
        assert_eq!(cut.status, 200);
        assert!(serde_json::from_str::<serde_json::Value>(&cut.text).is_err());
        assert!(answer_to(&visit, 18).await.is_err());
    }

    #[tokio::test]
    async fn a_base_is_locked_for_whoever_keeps_to_the_limit_too() {
        let visit = visit(Options {
            window: Some(Duration::from_secs(3600)),
            ..options()
        });
        assert_eq!(
            kind(&answer_to(&visit, 27).await.unwrap()),
            "RATE_LIMIT_REACHED"
        );
        assert_eq!(
            kind(&answer_to(&visit, 30).await.unwrap()),
            "RATE_LIMIT_REACHED"
        );
    }

    #[tokio::test]
    async fn an_offset_comes_round_again() {
        let visit = visit(options());
        let walk = read(&visit, "Goes in circles").await;
        assert_eq!(walk.lens(), [100, 50]);
    }

    #[tokio::test]
    async fn a_record_stands_on_two_pages() {
        let visit = visit(options());
        let ids = read(&visit, "Twice on the border").await.ids();
        assert_eq!(ids.len(), 151);
        assert_eq!(ids[99], ids[100]);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 150);
    }

    #[tokio::test]
    async fn a_listing_is_forgotten_and_the_next_one_is_not() {
        let visit = visit(options());
        let first = read(&visit, "Forgets").await;
        assert_eq!(first.lens(), [100, 100]);
        assert_eq!(
            kind(&first.end.unwrap()),
            "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"
        );
        let second = read(&visit, "Forgets").await;
        assert_eq!(second.lens(), [100, 100, 100, 50]);
    }

    #[tokio::test]
    async fn the_last_page_is_empty() {
        let visit = visit(options());
        assert_eq!(read(&visit, "Nothing at the end").await.lens(), [100, 0]);
    }

    #[tokio::test]
    async fn tables_and_bases_go_while_they_are_read() {
        let visit = visit(options());
        for (table, lens, status, error) in [
            ("Deleted halfway", &[100][..], 404, "TABLE_NOT_FOUND"),
            (
                "Closed",
                &[100],
                403,
                "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
            ),
            ("Spent", &[], 429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED"),
        ] {
            let walk = read(&visit, table).await;
            let end = walk.end.as_ref().unwrap();
            assert_eq!((walk.lens(), end.status.as_u16()), (lens.to_vec(), status));
            assert_eq!(kind(end), error);
        }
    }

    #[tokio::test]
    async fn other_accounts_never_stumble() {
        let visit = visit(options());
        let (access, _) = connect(&visit, "small").await;
        let (base, table) = table_of(&visit, &access, "Guests").await;
        for _ in 0..30 {
            let answer = visit.read(&format!("/v0/{base}/{table}"), &access).await;
            assert_eq!(answer.status, 200);
        }
    }
}

use std::io;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::RETRY_AFTER;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};
use bytes::Bytes;
use futures_util::stream;

use super::errors;
use super::gate::Caller;
use super::limits::Budget;
use crate::sandbox::accounts::Account;
use crate::sandbox::mishap;
use crate::sandbox::world::World;

/// After so many requests the same troubles come again: more than one read of the account takes, so
/// that a read meets each of them once.
const ROUND: u64 = 40;
const SLOW: Duration = Duration::from_secs(3);

/// A way in which an answer goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooMany,
    TooManyWithWait,
    BadGateway,
    Internal,
    Locked,
    Slow,
    CutShort,
    Dropped,
}

/// What happens to the request of this number, counted from 1. The first one is well, so that
/// trouble comes in the middle of a read.
fn fault(number: u64) -> Option<Fault> {
    match number % ROUND {
        3 => Some(Fault::Internal),
        6 => Some(Fault::TooManyWithWait),
        9 => Some(Fault::BadGateway),
        12 => Some(Fault::CutShort),
        15 => Some(Fault::Locked),
        18 => Some(Fault::Dropped),
        21 => Some(Fault::Slow),
        24 => Some(Fault::TooMany),
        _ => None,
    }
}

/// Lets requests of the rough account stumble.
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
        Some(Fault::CutShort) => cut_short(next.call(request).await?).await,
        Some(fault) => Ok(request.into_response(answer(fault))),
    }
}

fn fault_for(request: &ServiceRequest) -> Option<Fault> {
    let account = request.extensions().get::<Caller>()?.token.account;
    let world = request.app_data::<web::Data<World>>()?;
    match account {
        Account::Faults => fault(world.hubspot.rough.next()),
        _ => None,
    }
}

fn answer(fault: Fault) -> HttpResponse {
    match fault {
        Fault::TooMany => errors::too_many(Budget::General).error_response(),
        Fault::TooManyWithWait => {
            let error = errors::too_many(Budget::General);
            HttpResponse::TooManyRequests()
                .insert_header((RETRY_AFTER, "1"))
                .json(error.body)
        }
        Fault::BadGateway => mishap::bad_gateway(),
        Fault::Locked => errors::locked().error_response(),
        Fault::Dropped => dropped(),
        Fault::Internal | Fault::Slow | Fault::CutShort => errors::internal().error_response(),
    }
}

/// A body that fails before its first byte makes the server close the connection.
fn dropped() -> HttpResponse {
    let failure = io::Error::from(io::ErrorKind::ConnectionReset);
    HttpResponse::Ok().streaming(stream::iter([Err::<Bytes, io::Error>(failure)]))
}

/// A complete answer as far as HTTP can tell, whose JSON ends in the middle.
async fn cut_short(
    response: ServiceResponse<impl MessageBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    Ok(ServiceResponse::new(
        request,
        head.set_body(BoxBody::new(half)),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sandbox::testing::{Visit, options, visit};

    const LIST: &str = "/crm/objects/2026-09/contacts?limit=100";

    /// Reads until the request of a number, which is the only one of interest.
    async fn skip_to(visit: &Visit, number: u64) -> String {
        let (access, _) = visit.connect("faults").await;
        while visit.sandbox.world.hubspot.rough.get() + 1 < number {
            visit.sandbox.world.hubspot.rough.next();
        }
        access
    }

    #[test]
    fn one_polite_read_meets_every_fault_once() {
        // Twenty pages, and one more request for each answer that could not be used.
        let mut pages = 0;
        let met: Vec<Fault> = (1..)
            .map(fault)
            .take_while(|fault| {
                pages += u32::from(matches!(fault, None | Some(Fault::Slow)));
                pages <= 20
            })
            .flatten()
            .collect();
        assert_eq!(met.len(), 8);
        assert!(
            met.iter()
                .enumerate()
                .all(|(index, fault)| !met[..index].contains(fault))
        );
    }

    #[test]
    fn no_request_fails_twice_in_a_row_and_the_first_is_well() {
        assert_eq!(fault(1), None);
        assert!((1..200).all(|number| fault(number).is_none() || fault(number + 1).is_none()));
    }

    #[tokio::test]
    async fn a_client_that_tries_again_gets_every_contact() {
        let visit = visit(options());
        let (access, _) = visit.connect("faults").await;
        // Leaves out the slow one, which would only hold the test up, and what lies before the turn
        // of the round.
        while visit.sandbox.world.hubspot.rough.get() < 21 {
            visit.sandbox.world.hubspot.rough.next();
        }
        let (mut seen, mut path, mut failed) = (HashSet::new(), LIST.to_owned(), 0);
        loop {
            let page = match visit.try_read(&path, &access).await {
                Ok(answer) if answer.status == 200 => {
                    serde_json::from_str::<serde_json::Value>(&answer.text).ok()
                }
                _ => None,
            };
            let Some(page) = page else {
                failed += 1;
                continue;
            };
            seen.extend(
                page["results"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|record| record["id"].to_string()),
            );
            match page["paging"]["next"]["after"].as_u64() {
                Some(after) => path = format!("{LIST}&after={after}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 2_000);
        assert!(failed > 0);
    }

    #[tokio::test]
    async fn a_dropped_connection_brings_no_answer() {
        let visit = visit(options());
        let access = skip_to(&visit, 18).await;
        assert!(visit.try_read(LIST, &access).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_whole_to_http_and_broken_as_json() {
        let visit = visit(options());
        let access = skip_to(&visit, 12).await;
        let answer = visit.read(LIST, &access).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.starts_with('{'));
        assert!(serde_json::from_str::<serde_json::Value>(&answer.text).is_err());
    }

    #[tokio::test]
    async fn some_refusals_tell_how_long_to_wait_and_some_do_not() {
        let visit = visit(options());
        let access = skip_to(&visit, 6).await;
        let told = visit.read(LIST, &access).await;
        assert_eq!(
            (told.status.as_u16(), told.header("retry-after")),
            (429, "1")
        );
        skip_to(&visit, 24).await;
        let untold = visit.read(LIST, &access).await;
        assert_eq!(
            (untold.status.as_u16(), untold.header("retry-after")),
            (429, "")
        );
    }

    #[tokio::test]
    async fn a_bad_gateway_answers_in_html() {
        let visit = visit(options());
        let access = skip_to(&visit, 9).await;
        let answer = visit.read(LIST, &access).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (502, "text/html")
        );
    }

    #[tokio::test]
    async fn other_accounts_never_stumble() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        for _ in 0..30 {
            assert_eq!(visit.read(LIST, &access).await.status, 200);
        }
    }
}

use std::io;

use actix_web::body::{BodyStream, BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use chrono::Utc;
use futures_util::stream;

use super::accounts::Account;
use super::dial::{Fault, Mishap, Provider};
use super::world::World;

/// What the balancer in front of an API answers when there is nobody behind it.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";

/// Answers an API request as the dial has it. Only the refusal is the provider's own: it is told
/// how many seconds are left, where that is known.
pub async fn answer(
    world: &World,
    (provider, account): (Provider, Account),
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    too_many: impl FnOnce(Option<u64>) -> HttpResponse,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mishap = world.dial.mishap(provider, account, Utc::now());
    tokio::time::sleep(mishap.delay).await;
    match mishap.fault {
        None => Ok(next.call(request).await?.map_into_boxed_body()),
        Some(Fault::TooMany) => Ok(request.into_response(too_many(seconds_left(mishap)))),
        Some(Fault::BadGateway) => Ok(request.into_response(bad_gateway())),
        Some(Fault::Cut) => cut(next.call(request).await?).await,
    }
}

/// Rounded up, so that whoever waits that long has waited long enough.
fn seconds_left(mishap: Mishap) -> Option<u64> {
    let left = mishap.left;
    (!left.is_zero()).then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

pub fn bad_gateway() -> HttpResponse {
    HttpResponse::BadGateway()
        .content_type("text/html")
        .body(BAD_GATEWAY)
}

/// A body that fails before its first byte makes the server close the connection.
pub fn dropped() -> HttpResponse {
    let failure = io::Error::from(io::ErrorKind::ConnectionReset);
    HttpResponse::Ok().streaming(stream::iter([Err::<Bytes, io::Error>(failure)]))
}

/// A complete answer as far as HTTP can tell, whose JSON ends in the middle.
pub async fn cut_short(
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

/// The first half of an answer, and then the end of the connection.
async fn cut(response: ServiceResponse<impl MessageBody>) -> Result<ServiceResponse, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    let failure = io::Error::from(io::ErrorKind::ConnectionReset);
    let body = BodyStream::new(stream::iter([Ok::<Bytes, io::Error>(half), Err(failure)]));
    let response = head.set_body(BoxBody::new(body));
    Ok(ServiceResponse::new(request, response))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::sandbox::testing::{options, visit};
    use crate::sandbox::{Account, Fault, Provider, Span, Turn};

    const LIST: &str = "/crm/objects/2026-09/contacts";

    fn once(fault: Fault) -> Turn {
        Turn::Fail(fault, Span::Requests(1))
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_breaks_off_and_the_next_is_whole() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let sandbox = &visit.sandbox;
        sandbox.dial(Provider::HubSpot, Account::Small, once(Fault::Cut));
        assert!(visit.try_read(LIST, &access).await.is_err());
        assert_eq!(visit.read(LIST, &access).await.status, 200);
    }

    #[tokio::test]
    async fn refusals_are_the_providers_and_bad_gateways_nobodys() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let sandbox = &visit.sandbox;
        sandbox.dial(Provider::HubSpot, Account::Small, once(Fault::TooMany));
        let answer = visit.read(LIST, &access).await;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.json()["errorType"], "RATE_LIMIT");
        sandbox.dial(Provider::HubSpot, Account::Small, once(Fault::BadGateway));
        let answer = visit.read(LIST, &access).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("content-type"), "text/html");
    }

    #[tokio::test]
    async fn a_slow_answer_comes_late_and_whole() {
        let visit = visit(options());
        let (access, _) = visit.connect("small").await;
        let late = Duration::from_millis(50);
        let sandbox = &visit.sandbox;
        sandbox.dial(Provider::HubSpot, Account::Small, Turn::Slow(late));
        let start = std::time::Instant::now();
        assert_eq!(visit.read(LIST, &access).await.status, 200);
        assert!(start.elapsed() >= late);
    }
}

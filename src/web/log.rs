//! One line of log for each request. It names the route, never the address: a callback's query
//! carries a code.

use std::fmt;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use crate::vault::random;

/// What a person quotes when they ask for help.
#[derive(Clone)]
pub struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0 & 0xffff_ffff_ffff)
    }
}

pub async fn request(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId(u64::from_be_bytes(*random::<8>()));
    let (method, begun) = (req.method().clone(), Instant::now());
    req.extensions_mut().insert(id.clone());
    let result = next.call(req).await;
    let (route, status) = match &result {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    tracing::info!(
        request.id = %id,
        http.method = %method,
        http.route = route.as_deref().unwrap_or("-"),
        http.status = status.as_u16(),
        duration_ms = begun.elapsed().as_millis() as u64,
        "request"
    );
    result
}

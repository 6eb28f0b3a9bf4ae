//! How much and how often: the sizes of what a browser sends before its body, and how often one address
//! may begin an approval, or one key may ask.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::App;
use super::errors::WebError;
use crate::client::Budget;

/// No page of ours has an address or headers near these.
const LONGEST_ADDRESS: usize = 8 * 1024;
const LONGEST_HEADERS: usize = 16 * 1024;

/// Callers are forgotten now and then, those that have their whole budget again.
const FORGET_ABOVE: usize = 10_000;

/// How often each of them may do something.
pub struct Rate<K: Eq + Hash + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Eq + Hash + Clone> Rate<K> {
    /// `None` for no limit.
    pub fn new(budget: Option<Budget>) -> Self {
        Self(budget.and_then(quota).map(RateLimiter::keyed))
    }

    /// Counts one, or says how long to wait.
    pub fn admit(&self, caller: K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        if limiter.len() > FORGET_ABOVE {
            limiter.retain_recent();
        }
        let counted = limiter.check_key(&caller);
        counted.map_err(|not_yet| not_yet.wait_time_from(DefaultClock::default().now()))
    }
}

fn quota(budget: Budget) -> Option<Quota> {
    let calls = NonZeroU32::new(u32::try_from(budget.calls).ok()?)?;
    let quota = Quota::with_period(budget.window / calls.get())?;
    Some(quota.allow_burst(calls))
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 => v4,
    }
}

/// Turns away who begins too often.
pub async fn not_too_often(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = req.app_data::<web::Data<App>>().cloned();
    let peer = req.peer_addr().map(|peer| peer.ip());
    if let (Some(app), Some(peer)) = (app, peer)
        && let Err(wait) = app
            .connect_rate
            .admit(network(app.proxies.client(peer, req.headers())))
    {
        return Ok(req.error_response(WebError::TooOften(wait)));
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// Turns away what is too long before anything reads it.
pub async fn not_too_long(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let headers = req.headers().iter();
    let headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let address = req.uri().path_and_query().map_or(0, |it| it.as_str().len());
    let refused = match () {
        () if address > LONGEST_ADDRESS => StatusCode::URI_TOO_LONG,
        () if headers > LONGEST_HEADERS => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        () => return Ok(next.call(req).await?.map_into_boxed_body()),
    };
    Ok(req.error_response(WebError::Refused(refused)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_budget_of_its_own_and_a_network_of_one_host_shares_it() {
        let budget = Budget {
            calls: 2,
            window: Duration::from_secs(3_600),
        };
        let rate = Rate::new(Some(budget));
        let admit = |address: &str| rate.admit(network(address.parse().unwrap())).is_ok();
        assert_eq!(["::1:1", "::1:2", "::1:3"].map(admit), [true, true, false]);
        assert_eq!(
            ["1.1.1.1", "1.1.1.1", "1.1.1.1"].map(admit),
            [true, true, false]
        );
        assert!(admit("1.1.1.2"));
        let wait = rate.admit("1.1.1.1".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::from_secs(1_700) && wait <= Duration::from_secs(1_800));
        assert!(Rate::new(None).admit("1.1.1.1").is_ok());
    }
}

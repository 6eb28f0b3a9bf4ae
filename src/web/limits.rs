//! How much and how often: the sizes of what a browser sends before its body, and how often one address
//! may begin an approval.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use super::App;
use super::errors::WebError;
use crate::client::Budget;

/// No page of ours has an address or headers near these.
const LONGEST_ADDRESS: usize = 8 * 1024;
const LONGEST_HEADERS: usize = 16 * 1024;

/// Callers are forgotten now and then, those that have their whole budget again.
const FORGET_ABOVE: usize = 10_000;

/// How often each client address may do something.
pub struct Rate(Option<DefaultKeyedRateLimiter<IpAddr>>);

impl Rate {
    /// `None` for no limit.
    pub fn new(budget: Option<Budget>) -> Self {
        Self(budget.and_then(quota).map(RateLimiter::keyed))
    }

    /// Counts one, or says how long to wait.
    fn admit(&self, client: IpAddr) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        if limiter.len() > FORGET_ABOVE {
            limiter.retain_recent();
        }
        let counted = limiter.check_key(&network(client));
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

/// Whose forwarded headers count.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who is at the other end: of what trusted proxies say of it, the last that is not one of them.
    /// Whatever stands before that, anybody may have written.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let named: Vec<IpAddr> = forwarded(headers);
        let mut hops = named.into_iter().rev();
        while self.trusts(client)
            && let Some(before) = hops.next()
        {
            client = before;
        }
        client
    }
}

/// The addresses of `X-Forwarded-For`, or of `Forwarded` where there is none, in their order. What
/// cannot be read ends the chain: nothing before it is known. A byte that is no text spoils its own hop
/// only, for a proxy writes behind whatever was sent to it.
fn forwarded(headers: &HeaderMap) -> Vec<IpAddr> {
    let all = |name: &str| {
        let values = headers
            .get_all(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(",")
    };
    let hops = match all("x-forwarded-for") {
        none if none.is_empty() => all("forwarded"),
        hops => hops,
    };
    let read = hops.split(',').map(|hop| address(hop.trim()));
    read.fold(Vec::new(), |mut known, hop| {
        match hop {
            Some(address) => known.push(address),
            None => known.clear(),
        }
        known
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, or any of them in `for="…";proto=https`.
fn address(hop: &str) -> Option<IpAddr> {
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim().trim_matches('"').to_owned())
    };
    let given = hop
        .split(';')
        .find_map(parameter)
        .unwrap_or_else(|| hop.to_owned());
    let bare = given.trim_start_matches('[').trim_end_matches(']');
    let socket = || {
        given
            .parse::<std::net::SocketAddr>()
            .map(|socket| socket.ip())
    };
    bare.parse().or_else(|_| socket()).ok()
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
            .admit(app.proxies.client(peer, req.headers()))
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
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn client(trusted: &str, peer: &str, name: &'static str, sent: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let networks = trusted.split(' ').filter(|text| !text.is_empty());
        let proxies = TrustedProxies(networks.map(|text| text.parse().unwrap()).collect());
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn forwarded_headers_count_from_trusted_proxies_only_and_from_the_right() {
        let name = "x-forwarded-for";
        let sent = &["1.1.1.1, 2.2.2.2", "10.0.0.9"];
        assert_eq!(client("", "10.0.0.1", name, sent), "10.0.0.1");
        assert_eq!(client("10.0.0.1/32", "10.0.0.1", name, sent), "10.0.0.9");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", name, sent), "2.2.2.2");
        assert_eq!(
            client("10.0.0.0/8", "::ffff:10.0.0.1", name, sent),
            "2.2.2.2"
        );
        assert_eq!(
            client("10.0.0.0/8", "10.0.0.1", name, &["1.1.1.1, unknown"]),
            "10.0.0.1"
        );
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", name, &[]), "10.0.0.1");
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing_that_a_proxy_wrote_behind_them() {
        let mut headers = HeaderMap::new();
        let sent = [
            ("x-forwarded-for", &b"\xff, 192.0.2.9"[..]),
            ("forwarded", b"for=1.1.1.1"),
        ];
        for (name, value) in sent {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let proxies = TrustedProxies(vec!["10.0.0.1/32".parse().unwrap()]);
        let client = proxies.client("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(client.to_string(), "192.0.2.9");
    }

    #[test]
    fn the_standards_own_header_is_read_too() {
        let sent = &["for=1.1.1.1, For=\"[2001:db8::7]:4711\";proto=https"];
        assert_eq!(
            client("10.0.0.1/32", "10.0.0.1", "forwarded", sent),
            "2001:db8::7"
        );
        assert_eq!(
            client(
                "10.0.0.1/32",
                "10.0.0.1",
                "forwarded",
                &["for=192.0.2.9:80"]
            ),
            "192.0.2.9"
        );
    }

    #[test]
    fn each_address_has_a_budget_of_its_own_and_a_network_of_one_host_shares_it() {
        let budget = Budget {
            calls: 2,
            window: Duration::from_secs(3_600),
        };
        let rate = Rate::new(Some(budget));
        let admit = |address: &str| rate.admit(address.parse().unwrap()).is_ok();
        assert_eq!(["::1:1", "::1:2", "::1:3"].map(admit), [true, true, false]);
        assert_eq!(
            ["1.1.1.1", "1.1.1.1", "1.1.1.1"].map(admit),
            [true, true, false]
        );
        assert!(admit("1.1.1.2"));
        let wait = rate.admit("1.1.1.1".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::from_secs(1_700) && wait <= Duration::from_secs(1_800));
        assert!(Rate::new(None).admit("1.1.1.1".parse().unwrap()).is_ok());
    }
}

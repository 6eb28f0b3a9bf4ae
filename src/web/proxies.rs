//! Who is at the other end, behind whatever proxies stand before us.

use std::net::IpAddr;

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

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
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
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
}

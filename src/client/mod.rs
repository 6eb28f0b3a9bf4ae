//! The one client through which everything leaves this machine.
//!
//! It dials only the configured provider hosts, follows no redirect, obeys no proxy variable, and
//! caps the size and the time of every answer.

mod api;
mod failure;
mod meter;
mod oauth;
mod pace;

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use url::{Origin, Url};

pub use api::{Api, Bearer, Call, Dialect, Patience};
pub use failure::{Failure, FailureKind, retry_after};
pub use meter::Meter;
pub use oauth::{
    ClientAuth, Credentials, Encoding, Endpoints, OAuthClient, TokenAnswer, TokenError,
    TokenErrorBody, new_verifier,
};
pub use pace::{Budget, Limit, Paces, Pacing, Rate, Stated, Usage};

/// The largest answer that is read. A page of a hundred records is well below a megabyte.
const LARGEST: usize = 32 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// Notion's own deadline is 60 s; a little more lets it say so itself.
const WHOLE: Duration = Duration::from_secs(65);

/// What a provider answered, whatever its status.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    #[error("{0} is not a configured provider host")]
    Forbidden(String),
    #[error("did not answer in time")]
    Late,
    #[error("answered with more than {} MiB", LARGEST / 1024 / 1024)]
    TooLarge,
    #[error("{0}")]
    Network(String),
}

/// Sends requests to the configured hosts and to nowhere else.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    hosts: Arc<HashSet<Origin>>,
}

impl Client {
    /// A client that may dial the hosts of these addresses.
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a Url>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("the TLS library starts");
        let hosts = Arc::new(addresses.into_iter().map(Url::origin).collect());
        Self { http, hosts }
    }

    /// Starts a request; it goes nowhere before [`Client::send`].
    pub fn request(&self, method: http::Method, url: Url) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends one request, once.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Unreachable> {
        let request = request.build().map_err(network)?;
        if !self.hosts.contains(&request.url().origin()) {
            let host = request.url().host_str().unwrap_or_default();
            return Err(Unreachable::Forbidden(host.to_owned()));
        }
        let mut response = self.http.execute(request).await.map_err(network)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Unreachable::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }
}

/// The address of `path` on a provider's host, which may stand below a path of its own.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// The cause in words, without the address: that may carry what nobody should read.
fn network(error: reqwest::Error) -> Unreachable {
    if error.is_timeout() {
        return Unreachable::Late;
    }
    let connecting = error.is_connect();
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        words = deeper.to_string();
        cause = deeper.source();
    }
    tracing::debug!(error = words, connecting, "a provider could not be reached");
    Unreachable::Network(if connecting {
        "no connection could be made".into()
    } else {
        words
    })
}

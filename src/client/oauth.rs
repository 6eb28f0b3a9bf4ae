//! The OAuth 2.0 protocol, done by the `oauth2` crate over our own client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::failure::{Failure, FailureKind};
use super::{Answer, Client, Unreachable};
use crate::grants::{AccessToken, Tokens};
use crate::item::clean_name;

/// How a provider wants its clients to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    Basic,
    Body,
}

/// How a provider wants the requests to its token endpoints written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Form,
    Json,
}

/// Where a provider's OAuth endpoints are, and how they are spoken to.
#[derive(Clone)]
pub struct Endpoints {
    pub authorize: Url,
    /// What is asked at authorize beside the standard's parameters.
    pub authorize_with: Vec<(&'static str, String)>,
    pub token: Url,
    pub revoke: Option<Url>,
    pub introspect: Option<Url>,
    pub client_auth: ClientAuth,
    pub encoding: Encoding,
    /// The header that names the API version, and which.
    pub version: Option<(&'static str, String)>,
}

/// Who we are to a provider.
#[derive(Clone)]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: SecretString,
    pub redirect_uri: Url,
}

/// What came with a token besides the token: whose account it is, in the provider's own fields.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Extra(Map<String, Value>);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extra(…)")
    }
}

impl ExtraTokenFields for Extra {}

/// A token endpoint's good answer.
pub struct TokenAnswer {
    pub tokens: Tokens,
    /// The standard `scope` field, split.
    pub scopes: Vec<String>,
    pub extra: Map<String, Value>,
}

/// A token endpoint's bad answer, or none.
pub enum TokenError {
    /// What it answered; the provider's adapter knows what that means.
    Refused(Box<Answer>),
    OutOfReach(String),
}

impl TokenError {
    /// What the provider said, in one line.
    pub fn said(&self) -> String {
        match self {
            Self::Refused(answer) => said(answer),
            Self::OutOfReach(said) => said.clone(),
        }
    }
}

type OAuth = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// One provider's OAuth endpoints, as our client there.
pub struct OAuthClient {
    client: Client,
    endpoints: Endpoints,
    credentials: Credentials,
    read_failure: fn(&Answer) -> Failure,
}

impl OAuthClient {
    pub fn new(
        client: &Client,
        endpoints: Endpoints,
        credentials: Credentials,
        read_failure: fn(&Answer) -> Failure,
    ) -> Self {
        Self {
            client: client.clone(),
            endpoints,
            credentials,
            read_failure,
        }
    }

    fn oauth(&self) -> OAuth {
        let Credentials {
            client_id,
            client_secret,
            redirect_uri,
        } = &self.credentials;
        oauth2::Client::new(ClientId::new(client_id.clone()))
            .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
            .set_auth_type(match self.endpoints.client_auth {
                ClientAuth::Basic => AuthType::BasicAuth,
                ClientAuth::Body => AuthType::RequestBody,
            })
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()))
            .set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()))
    }

    /// Where the browser goes to approve.
    pub fn authorize_url(
        &self,
        state: &str,
        verifier: Option<&SecretString>,
        scopes: impl Iterator<Item = impl Into<String>>,
    ) -> Url {
        let oauth = self.oauth();
        let mut request = oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scopes(scopes.map(|scope| Scope::new(scope.into())));
        if let Some(verifier) = verifier {
            let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
            request =
                request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        }
        for (name, value) in &self.endpoints.authorize_with {
            request = request.add_extra_param(*name, value.clone());
        }
        let (mut url, _) = request.url();
        // Blanks as %20: providers' own clients send them so, and some servers read no other. A plus
        // sign of its own is %2B here already.
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
        url
    }

    /// Trades the code for tokens. Asked once: a code is spent by the first request that carries it.
    pub async fn exchange(
        &self,
        code: &str,
        verifier: Option<&SecretString>,
    ) -> Result<TokenAnswer, TokenError> {
        let oauth = self.oauth();
        let mut request = oauth.exchange_code(AuthorizationCode::new(code.to_owned()));
        if let Some(verifier) = verifier {
            let verifier = verifier.expose_secret().to_owned();
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        }
        let wire = self.wire();
        wire.read(request.request_async(&wire).await)
    }

    /// Trades the refresh token for new tokens. Asked once: where refresh tokens rotate, a second
    /// request with the same one can end the grant.
    pub async fn refresh(&self, refresh: &SecretString) -> Result<TokenAnswer, TokenError> {
        let oauth = self.oauth();
        let refresh = RefreshToken::new(refresh.expose_secret().to_owned());
        let wire = self.wire();
        wire.read(
            oauth
                .exchange_refresh_token(&refresh)
                .request_async(&wire)
                .await,
        )
    }

    /// Asks the provider what a token stands for. `None` where it has no such endpoint.
    pub async fn introspect<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
    ) -> Result<Option<T>, Failure> {
        let Some(url) = &self.endpoints.introspect else {
            return Ok(None);
        };
        let answer = self.token_form(url, token.expose(), "access_token").await?;
        serde_json::from_slice(&answer).map(Some).map_err(|error| {
            Failure::new(
                FailureKind::Passing,
                &format!("an answer that could not be read ({error})"),
            )
        })
    }

    /// Whether the provider says of what was revoked that it is good no more; `None` where it does not
    /// say.
    pub async fn is_revoked(&self, tokens: &Tokens) -> Option<bool> {
        #[derive(Deserialize)]
        struct Active {
            active: bool,
        }
        let url = self.endpoints.introspect.as_ref()?;
        let answer = match &tokens.refresh {
            Some(refresh) => {
                self.token_form(url, refresh.expose_secret(), "refresh_token")
                    .await
            }
            None => {
                self.token_form(url, tokens.access.expose(), "access_token")
                    .await
            }
        };
        let answer: Active = serde_json::from_slice(&answer.ok()?).ok()?;
        Some(!answer.active)
    }

    /// Asks the provider to forget the grant, and says whether it agreed.
    pub async fn revoke(&self, tokens: &Tokens) -> bool {
        let Some(url) = &self.endpoints.revoke else {
            return false;
        };
        let sent = match &tokens.refresh {
            Some(refresh) => {
                self.token_form(url, refresh.expose_secret(), "refresh_token")
                    .await
            }
            None => {
                self.token_form(url, tokens.access.expose(), "access_token")
                    .await
            }
        };
        sent.is_ok()
    }

    /// RFC 7009 and RFC 7662 ask alike; the answers differ too much by provider for fixed types.
    async fn token_form(
        &self,
        url: &Url,
        token: &str,
        hint: &str,
    ) -> Result<bytes::Bytes, Failure> {
        let secret = self.credentials.client_secret.expose_secret();
        let client_id = self.credentials.client_id.as_str();
        let mut fields = vec![("token", token)];
        if self.endpoints.encoding == Encoding::Form {
            fields.push(("token_type_hint", hint));
        }
        if self.endpoints.client_auth == ClientAuth::Body {
            fields.extend([("client_id", client_id), ("client_secret", secret)]);
        }
        let request = self.post(url.clone());
        let request = match self.endpoints.encoding {
            Encoding::Form => request.form(&fields),
            Encoding::Json => request
                .header(CONTENT_TYPE, "application/json")
                .body(as_json(fields.into_iter())),
        };
        let answer = self.client.send(request).await;
        let answer =
            answer.map_err(|error| Failure::new(FailureKind::Passing, &error.to_string()))?;
        if !answer.status.is_success() {
            return Err((self.read_failure)(&answer));
        }
        Ok(answer.body)
    }

    /// A request with what providers want in its head.
    fn post(&self, url: Url) -> reqwest::RequestBuilder {
        let mut request = self.client.request(Method::POST, url);
        if let Some((name, version)) = &self.endpoints.version {
            request = request.header(*name, version);
        }
        if self.endpoints.client_auth == ClientAuth::Basic {
            let secret = self.credentials.client_secret.expose_secret();
            // As they are, like providers' own clients; RFC 6749 would have them written as in a form.
            request = request.basic_auth(&self.credentials.client_id, Some(secret));
        }
        request
    }

    fn wire(&self) -> Wire<'_> {
        Wire {
            of: self,
            answer: Mutex::new(None),
        }
    }
}

/// The fields of a form as one JSON object.
fn as_json<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields = fields.map(|(name, value)| (name.to_owned(), Value::from(value)));
    Value::Object(fields.collect()).to_string()
}

type Answered = StandardTokenResponse<Extra, BasicTokenType>;
type Unanswered = RequestTokenError<Unreachable, BasicErrorResponse>;

/// Carries the crate's requests over our client, which follows no redirect, and keeps the answer as it
/// came: providers' errors differ too much for the crate's one shape.
struct Wire<'a> {
    of: &'a OAuthClient,
    answer: Mutex<Option<Answer>>,
}

impl Wire<'_> {
    fn kept(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn read(&self, result: Result<Answered, Unanswered>) -> Result<TokenAnswer, TokenError> {
        match result {
            Ok(answer) => Ok(TokenAnswer {
                tokens: Tokens {
                    access: AccessToken::new(answer.access_token().secret().as_str()),
                    refresh: answer
                        .refresh_token()
                        .map(|token| token.secret().as_str().into()),
                    lives: answer.expires_in(),
                    refresh_lives: refresh_lives(&answer.extra_fields().0),
                },
                scopes: answer
                    .scopes()
                    .into_iter()
                    .flatten()
                    .map(|scope| scope.to_string())
                    .collect(),
                extra: answer.extra_fields().0.clone(),
            }),
            Err(RequestTokenError::Request(error)) => {
                Err(TokenError::OutOfReach(error.to_string()))
            }
            Err(_) => match self.kept().take() {
                Some(answer) if !answer.status.is_success() => {
                    Err(TokenError::Refused(Box::new(answer)))
                }
                _ => Err(TokenError::OutOfReach(
                    "its answer could not be read".into(),
                )),
            },
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = Unreachable;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unreachable>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            // The crate writes forms; a provider that wants JSON gets the same fields so.
            if self.of.endpoints.encoding == Encoding::Json {
                let fields: Vec<_> = url::form_urlencoded::parse(&body).collect();
                body = as_json(fields.iter().map(|(name, value)| (&**name, &**value))).into();
                let json = HeaderValue::from_static("application/json");
                parts.headers.insert(CONTENT_TYPE, json);
            }
            let url = Url::parse(&parts.uri.to_string())
                .map_err(|e| Unreachable::Network(e.to_string()))?;
            // The crate's own way to say who we are; ours is in `post`.
            parts.headers.remove(AUTHORIZATION);
            let request = self.of.post(url).headers(parts.headers).body(body);
            let answer = self.of.client.send(request).await?;
            let mut response = HttpResponse::new(answer.body.to_vec());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers.clone();
            if !answer.status.is_success() {
                *self.kept() = Some(answer);
            }
            Ok(response)
        })
    }
}

/// How long a refresh token lives: the standard has no field for it, and providers have several.
fn refresh_lives(extra: &Map<String, Value>) -> Option<Duration> {
    let names = ["refresh_expires_in", "refresh_token_expires_in"];
    let stated = names.into_iter().find_map(|name| extra.get(name)?.as_u64());
    stated
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// The fields in which providers say what was wrong; every one of them may be missing.
#[derive(Default, Deserialize)]
pub struct TokenErrorBody {
    pub error: Option<String>,
    pub error_description: Option<String>,
    pub status: Option<String>,
    pub message: Option<String>,
}

impl TokenErrorBody {
    pub fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

fn said(answer: &Answer) -> String {
    let body = TokenErrorBody::of(answer);
    let said = body
        .error_description
        .or(body.message)
        .or(body.error)
        .or(body.status);
    said.map_or_else(
        || format!("status {}", answer.status.as_u16()),
        |said| in_one_line(&said),
    )
}

fn in_one_line(text: &str) -> String {
    clean_name(text)
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// A new PKCE verifier: 256 random bits.
pub fn new_verifier() -> SecretString {
    let (_, verifier) = PkceCodeChallenge::new_random_sha256();
    verifier.secret().as_str().into()
}

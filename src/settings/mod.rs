//! All settings, read once. Every value that cannot be used is reported, all of them together, before
//! anything is opened.

mod parse;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::client::{Budget, Credentials, Rate};
use crate::ephemeral::RedisLocation;
use crate::import::Every;
use crate::providers::{self, Configured, Description, Pkce, Provider};
use crate::store::Location;
use crate::vault::KeyRing;
use crate::web::{Allow, TrustedProxies, is_loopback, urls};

pub use variables::Variables;

/// A setting that cannot be used, or one that deserves a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    pub what: String,
}

impl Problem {
    fn new(variable: &str, what: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
            what: what.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.variable, self.what)
    }
}

/// Where sealing keys come from.
#[derive(Clone)]
pub enum Keys {
    Ring(KeyRing),
    File(PathBuf),
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}

/// Far more than a person presses Connect, and far less than it takes to fill a store.
const CONNECT_RATE: Budget = Budget {
    calls: 60,
    window: Duration::from_secs(60),
};
const API_RATE: Budget = Budget {
    calls: 50,
    window: Duration::from_secs(1),
};

/// Everything that a host can decide.
#[derive(Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None` follows the port that is listened on.
    pub public_url: Option<Url>,
    pub database: Location,
    pub redis: Option<RedisLocation>,
    pub keys: Keys,
    pub allow: Allow,
    /// How often one address may press Connect; `None` for as often as it likes.
    pub connect_rate: Option<Budget>,
    /// How often one key may ask; `None` for no limit.
    pub api_rate: Option<Budget>,
    pub proxies: TrustedProxies,
    /// How often imports run by themselves; `None` as each provider has it.
    pub import_every: Option<Every>,
    /// All that there are, and those with credentials.
    pub known: &'static [&'static dyn Provider],
    pub providers: Vec<ProviderSettings>,
    pub log: String,
    pub log_format: LogFormat,
    /// What can be used but deserves a second look.
    pub warnings: Vec<Problem>,
}

/// A provider with credentials.
#[derive(Clone)]
pub struct ProviderSettings {
    pub provider: &'static dyn Provider,
    client_id: String,
    client_secret: secrecy::SecretString,
    redirect_uri: Option<Url>,
    scopes: Vec<String>,
    auth_url: Url,
    api_url: Url,
    api_version: String,
    pkce: bool,
    rate: Rate,
}

impl ProviderSettings {
    /// The hosts it is reached at, each with the word that its setting has for it.
    pub fn hosts(&self) -> [(&'static str, &Url); 2] {
        [("auth", &self.auth_url), ("api", &self.api_url)]
    }

    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The provider as it is used by a Tributary that is reached at `public_url`.
    pub fn at(self, public_url: &Url) -> Configured {
        let callback = public_url.join(&urls::callback(self.provider.description().slug));
        Configured {
            provider: self.provider,
            credentials: Credentials {
                client_id: self.client_id,
                client_secret: self.client_secret,
                redirect_uri: self
                    .redirect_uri
                    .unwrap_or_else(|| callback.expect("our paths are valid")),
            },
            auth_url: self.auth_url,
            api_url: self.api_url,
            api_version: self.api_version,
            scopes: self.scopes,
            pkce: self.pkce,
            rate: self.rate,
        }
    }
}

impl Settings {
    /// Reads everything, or says everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, Vec<Problem>> {
        Self::read_for(variables, providers::ALL)
    }

    /// The same for other providers than those that come with the program.
    pub fn read_for(
        variables: &Variables,
        known: &'static [&'static dyn Provider],
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            known,
            variables,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let settings = reader.settings();
        if reader.problems.is_empty() {
            Ok(settings)
        } else {
            Err(reader.problems)
        }
    }
}

/// Reads one variable after the other and collects what is wrong with them.
struct Reader<'a> {
    known: &'static [&'static dyn Provider],
    variables: &'a Variables,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    /// The value, parsed; `None` where there is none or it cannot be used, which is then noted.
    fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match readable(self.variables.get(name)?).and_then(&parse) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problems.push(Problem::new(name, what));
                None
            }
        }
    }

    fn warn(&mut self, name: &str, what: impl Into<String>) {
        self.warnings.push(Problem::new(name, what));
    }

    fn settings(&mut self) -> Settings {
        let listen = self
            .optional("LISTEN", parse::listen)
            .unwrap_or(([127, 0, 0, 1], 8000).into());
        let public_url = self.optional("PUBLIC_URL", parse::origin);
        let database = self.optional("DATABASE_URL", Location::from_str);
        let database = database.unwrap_or_else(|| Location::Sqlite("tributary.db".into()));
        let redis = self.optional("REDIS_URL", RedisLocation::from_str);
        let keys = self.keys(&database);
        let allow = self
            .optional("SIGN_IN_ALLOW", Allow::from_str)
            .unwrap_or_default();
        let providers = self
            .known
            .iter()
            .filter_map(|&provider| self.provider(provider))
            .collect();
        let log = self
            .optional("LOG", parse::log)
            .unwrap_or_else(|| "info,actix_server=warn".into());
        let log_format = self
            .optional("LOG_FORMAT", parse::log_format)
            .unwrap_or(LogFormat::Pretty);
        let connect_rate = self
            .optional("CONNECT_RATE", parse::rate)
            .unwrap_or(Some(CONNECT_RATE));
        let api_rate = self.optional("API_RATE", parse::rate);
        let proxies = self.optional("TRUSTED_PROXIES", parse::networks);
        let import_every = self.optional("IMPORT_EVERY", Every::from_str);
        let open = public_url.as_ref().is_some_and(|url| !is_loopback(url));
        if open
            && public_url
                .as_ref()
                .is_some_and(|url| url.scheme() == "http")
        {
            self.warn(
                "PUBLIC_URL",
                "is plain http: the cookie goes over the network in the clear",
            );
        }
        if open && allow.is_anyone() {
            self.warn(
                "SIGN_IN_ALLOW",
                "is not set, so anyone who reaches this address may sign in",
            );
        }
        Settings {
            listen,
            public_url,
            database,
            redis,
            keys,
            allow,
            connect_rate,
            api_rate: api_rate.unwrap_or(Some(API_RATE)),
            proxies: TrustedProxies(proxies.unwrap_or_default()),
            import_every,
            known: self.known,
            providers,
            log,
            log_format,
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    fn keys(&mut self, database: &Location) -> Keys {
        let ring = self.optional("TRIBUTARY_KEYS", |text| {
            KeyRing::parse(text).map_err(|bad| bad.to_string())
        });
        let file = self.optional("TRIBUTARY_KEYS_FILE", |text| Ok(PathBuf::from(text)));
        match (ring, database) {
            (Some(ring), _) => Keys::Ring(ring),
            (None, Location::Sqlite(path)) => {
                Keys::File(file.unwrap_or_else(|| path.with_file_name("tributary.keys")))
            }
            (None, Location::Postgres(_)) => {
                if self.variables.get("TRIBUTARY_KEYS").is_none() {
                    let what = "is required with PostgreSQL; `tributary keys new` prints a key";
                    self.problems.push(Problem::new("TRIBUTARY_KEYS", what));
                }
                Keys::File(PathBuf::new())
            }
        }
    }

    fn provider(&mut self, provider: &'static dyn Provider) -> Option<ProviderSettings> {
        let it = provider.description();
        let name = |suffix: &str| format!("{}_{suffix}", it.slug.to_uppercase());
        let auth_url = self.optional(&name("AUTH_URL"), parse::base);
        let api_url = self.optional(&name("API_URL"), parse::base);
        for (suffix, url) in [("AUTH_URL", &auth_url), ("API_URL", &api_url)] {
            if url
                .as_ref()
                .is_some_and(|url| url.scheme() == "http" && !is_loopback(url))
            {
                self.warn(
                    &name(suffix),
                    "is plain http: whoever is on the way reads tokens",
                );
            }
        }
        let redirect_uri = self.optional(&name("REDIRECT_URI"), parse::url);
        let scopes = self.optional(&name("SCOPES"), |text| {
            Ok(text.split_whitespace().map(str::to_owned).collect())
        });
        let api_version = self.optional(&name("API_VERSION"), parse::version);
        let pkce = self.optional(&name("PKCE"), |text| match it.pkce {
            Pkce::Always => Err(format!("cannot be chosen: {} wants it always", it.name)),
            _ => parse::switch(text),
        });
        let rate = self.optional(&name("RATE"), parse::budget);
        let rate = match rate {
            None => Rate::Described,
            Some(None) => Rate::Off,
            Some(Some(budget)) => Rate::Own(budget),
        };
        let (client_id, client_secret) = self.credentials(it)?;
        Some(ProviderSettings {
            provider,
            client_id,
            client_secret,
            redirect_uri,
            scopes: scopes.unwrap_or_else(|| {
                it.scopes
                    .iter()
                    .map(|scope| scope.name.to_owned())
                    .collect()
            }),
            auth_url: auth_url.unwrap_or_else(|| {
                Url::parse(it.auth_url).expect("a description's addresses are valid")
            }),
            api_url: api_url.unwrap_or_else(|| {
                Url::parse(it.api_url).expect("a description's addresses are valid")
            }),
            api_version: api_version.unwrap_or_else(|| it.api_version.to_owned()),
            pkce: pkce.unwrap_or(it.pkce != Pkce::Off),
            rate,
        })
    }

    fn credentials(&mut self, it: &Description) -> Option<(String, secrecy::SecretString)> {
        let upper = it.slug.to_uppercase();
        let (id, secret) = (
            format!("{upper}_CLIENT_ID"),
            format!("{upper}_CLIENT_SECRET"),
        );
        match (self.variables.get(&id), self.variables.get(&secret)) {
            (Some(_), Some(_)) => {
                let id = self.optional(&id, |text| Ok(text.to_owned()));
                let secret = self.optional(&secret, |text| Ok(text.into()));
                id.zip(secret)
            }
            (None, None) => None,
            (None, Some(_)) => {
                self.problems.push(Problem::new(
                    &id,
                    format!("is missing, though {secret} is set"),
                ));
                None
            }
            (Some(_), None) => {
                self.problems.push(Problem::new(
                    &secret,
                    format!("is missing, though {id} is set"),
                ));
                None
            }
        }
    }
}

/// Where the environment was not Unicode, a replacement character tells of it.
fn readable(text: &str) -> Result<&str, String> {
    match text.contains(char::REPLACEMENT_CHARACTER) {
        true => Err("is not valid UTF-8".into()),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        match Settings::read(&Variables::from_pairs(pairs.iter().copied())) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .into_iter()
                .map(|problem| problem.variable)
                .collect(),
        }
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let settings = Settings::read(&Variables::from_pairs([])).ok().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert!(
            matches!(settings.database, Location::Sqlite(path) if path.ends_with("tributary.db"))
        );
        assert!(matches!(settings.keys, Keys::File(path) if path.ends_with("tributary.keys")));
        assert!(settings.redis.is_none() && settings.providers.is_empty());
        assert!(settings.warnings.is_empty());
    }

    #[test]
    fn every_mistake_is_reported_at_once_by_its_variable() {
        let wrong = [
            ("LISTEN", "8000"),
            ("PUBLIC_URL", "example.com"),
            ("DATABASE_URL", "mysql://x"),
            ("REDIS_URL", "http://x"),
            ("TRIBUTARY_KEYS", "short"),
            ("SIGN_IN_ALLOW", "nobody"),
            ("IMPORT_EVERY", "5s"),
            ("CONNECT_RATE", "60"),
            ("API_RATE", "x/s"),
            ("TRUSTED_PROXIES", "proxy"),
            ("HUBSPOT_CLIENT_ID", "x"),
            ("HUBSPOT_PKCE", "yes"),
            ("HUBSPOT_RATE", "0"),
            ("HUBSPOT_API_URL", "api"),
            ("LOG", "a=b=c"),
            ("LOG_FORMAT", "xml"),
        ];
        let found = problems(&wrong);
        for (variable, _) in wrong {
            let named = if variable == "HUBSPOT_CLIENT_ID" {
                "HUBSPOT_CLIENT_SECRET"
            } else {
                variable
            };
            assert!(
                found.iter().any(|f| f == named),
                "{named} is not among {found:?}"
            );
        }
        assert_eq!(found.len(), wrong.len());
    }

    #[test]
    fn a_blank_value_counts_as_absent() {
        assert_eq!(
            problems(&[
                ("LISTEN", " "),
                ("REDIS_URL", ""),
                ("HUBSPOT_CLIENT_ID", "")
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn postgres_wants_keys_that_every_process_has() {
        assert_eq!(
            problems(&[("DATABASE_URL", "postgres://x@y/z")]),
            ["TRIBUTARY_KEYS"]
        );
        let keys = crate::vault::Key::random().to_text();
        assert!(
            problems(&[
                ("DATABASE_URL", "postgres://x@y/z"),
                ("TRIBUTARY_KEYS", &keys)
            ])
            .is_empty()
        );
    }

    #[test]
    fn the_redirect_address_follows_the_public_one() {
        let pairs = [("HUBSPOT_CLIENT_ID", "a"), ("HUBSPOT_CLIENT_SECRET", "b")];
        let settings = Settings::read(&Variables::from_pairs(pairs)).ok().unwrap();
        let at = Url::parse("https://tributary.example").unwrap();
        let hubspot = settings.providers[0].clone().at(&at);
        assert_eq!(
            hubspot.credentials.redirect_uri.as_str(),
            "https://tributary.example/integrations/hubspot/oauth2callback"
        );
    }

    #[test]
    fn an_open_door_is_pointed_out() {
        let settings = Settings::read(&Variables::from_pairs([(
            "PUBLIC_URL",
            "https://t.example",
        )]))
        .ok()
        .unwrap();
        assert_eq!(settings.warnings[0].variable, "SIGN_IN_ALLOW");
    }
}

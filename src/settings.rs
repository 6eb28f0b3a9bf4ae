//! All settings, read once. Every value that cannot be used is reported, all of them together, before
//! anything is opened.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use crate::client::{Budget, Credentials};
use crate::ephemeral::RedisLocation;
use crate::providers::{self, Configured, Description, Provider};
use crate::store::Location;
use crate::vault::KeyRing;
use crate::web::{Allow, Allowed, is_loopback, urls};

/// What the environment, or a file, says.
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// The environment, and below it a `.env` file where one stands.
    pub fn from_environment() -> Result<Self, Vec<Problem>> {
        let mut all = match std::fs::read_to_string(".env") {
            Ok(text) => read_env_file(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => {
                return Err(vec![Problem::new(
                    ".env",
                    format!("cannot be read ({error})"),
                )]);
            }
        };
        // Not `vars()`, which panics at the first variable that is not Unicode, be it ours or not.
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        all.extend(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        Ok(Self(all))
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Only those named.
    pub fn only(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| names.contains(&name.as_str()));
        self
    }

    /// The value, if it is there and not blank.
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// Reads `NAME=value` lines. A line that cannot be read is told by its number, for it may hold a
/// secret; so is one with a `$`, which would be replaced by something else without a word.
fn read_env_file(text: &str) -> Result<HashMap<String, String>, Vec<Problem>> {
    let (mut all, mut problems) = (HashMap::new(), Vec::new());
    let mut wrong = |at: usize, what: &str| {
        problems.push(Problem::new(".env", format!("line {} {what}", at + 1)));
    };
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line
            .split('\'')
            .step_by(2)
            .any(|outside| outside.contains('$') && !line.trim().starts_with('#'))
        {
            wrong(at, "holds a $; put the value in single quotes");
            continue;
        }
        for read in dotenvy::from_read_iter(line.as_bytes()) {
            match read {
                Ok((name, value)) => drop(all.insert(name, value)),
                Err(_) => wrong(at, "is not NAME=value; a value with blanks wants quotes"),
            }
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

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
    budget: Option<Budget>,
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
            budget: self.budget,
        }
    }
}

impl Settings {
    /// Reads everything, or says everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
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
            .optional("LISTEN", parse_listen)
            .unwrap_or(([127, 0, 0, 1], 8000).into());
        let public_url = self.optional("PUBLIC_URL", parse_origin);
        let database = self.optional("DATABASE_URL", Location::from_str);
        let database = database.unwrap_or_else(|| Location::Sqlite("tributary.db".into()));
        let redis = self.optional("REDIS_URL", RedisLocation::from_str);
        let keys = self.keys(&database);
        let allow = Allow(self.optional("SIGN_IN_ALLOW", parse_allow));
        let providers = providers::ALL
            .iter()
            .filter_map(|&provider| self.provider(provider))
            .collect();
        let log = self
            .optional("LOG", parse_log)
            .unwrap_or_else(|| "info".into());
        let log_format = self
            .optional("LOG_FORMAT", parse_log_format)
            .unwrap_or(LogFormat::Pretty);
        self.later();
        let open = public_url.as_ref().is_some_and(|url| !is_loopback(url));
        if open && allow.0.is_none() {
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
        let auth_url = self.optional(&name("AUTH_URL"), parse_base);
        let api_url = self.optional(&name("API_URL"), parse_base);
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
        let redirect_uri = self.optional(&name("REDIRECT_URI"), parse_url);
        let scopes = self.optional(&name("SCOPES"), |text| {
            Ok(text.split_whitespace().map(str::to_owned).collect())
        });
        let api_version = self.optional(&name("API_VERSION"), parse_version);
        let pkce = self
            .optional(&name("PKCE"), parse_switch)
            .unwrap_or(it.pkce);
        let budget = self
            .optional(&name("RATE"), parse_budget)
            .unwrap_or(Some(it.budget));
        let (client_id, client_secret) = self.credentials(it)?;
        Some(ProviderSettings {
            provider,
            client_id,
            client_secret,
            redirect_uri,
            scopes: scopes
                .unwrap_or_else(|| it.scopes.iter().map(|&scope| scope.to_owned()).collect()),
            auth_url: auth_url.unwrap_or_else(|| {
                Url::parse(it.auth_url).expect("a description's addresses are valid")
            }),
            api_url: api_url.unwrap_or_else(|| {
                Url::parse(it.api_url).expect("a description's addresses are valid")
            }),
            api_version: api_version.unwrap_or_else(|| it.api_version.to_owned()),
            pkce,
            budget,
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

    /// Settings that are checked already and will be heeded by what is still to be built.
    fn later(&mut self) {
        let set = [
            (
                "IMPORT_EVERY",
                self.optional("IMPORT_EVERY", parse_interval).is_some(),
            ),
            (
                "CONNECT_RATE",
                self.optional("CONNECT_RATE", parse_rate).is_some(),
            ),
            ("API_RATE", self.optional("API_RATE", parse_rate).is_some()),
            (
                "TRUSTED_PROXIES",
                self.optional("TRUSTED_PROXIES", parse_networks).is_some(),
            ),
        ];
        for (name, _) in set.into_iter().filter(|(_, set)| *set) {
            self.warn(name, "is understood but not heeded by this version yet");
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

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8000".into())
}

fn parse_url(text: &str) -> Result<Url, String> {
    let wrong = || "must be an http or https address".to_owned();
    let url = Url::parse(text).map_err(|_| wrong())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if usable && plain {
        Ok(url)
    } else {
        Err(wrong())
    }
}

/// An address that paths are put behind.
fn parse_base(text: &str) -> Result<Url, String> {
    let url = parse_url(text)?;
    if url.query().is_some() {
        return Err("must be an address without a query".into());
    }
    Ok(url)
}

fn parse_origin(text: &str) -> Result<Url, String> {
    let url = parse_url(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err("must be an address without a path, such as https://tributary.example".into());
    }
    Ok(url)
}

fn parse_version(text: &str) -> Result<String, String> {
    let usable = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if usable {
        Ok(text.to_owned())
    } else {
        Err("must be a version such as 2026-09".into())
    }
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".into()),
    }
}

fn parse_budget(text: &str) -> Result<Option<Budget>, String> {
    if text == "off" {
        return Ok(None);
    }
    let calls = text.parse().ok().filter(|n| (1..=100_000).contains(n));
    let calls = calls.ok_or("must be a number of requests a second, or off")?;
    Ok(Some(Budget {
        calls,
        window: Duration::from_secs(1),
    }))
}

fn parse_allow(text: &str) -> Result<Vec<Allowed>, String> {
    let entries = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    entries.map(parse_allowed).collect()
}

fn parse_allowed(entry: &str) -> Result<Allowed, String> {
    if let Some((provider, id)) = entry.split_once(':') {
        return match providers::NAMES.contains(&provider) && !id.is_empty() {
            true => Ok(Allowed::Account {
                provider: provider.into(),
                id: id.into(),
            }),
            false => Err(format!(
                "“{entry}” is no account; write one of {}: and its id",
                providers::NAMES.join(":, ")
            )),
        };
    }
    let entry = entry.to_lowercase();
    match entry.rsplit_once('@') {
        Some((name, domain)) if !name.is_empty() && domain.contains('.') => {
            Ok(Allowed::Email(entry))
        }
        None if entry.contains('.') => Ok(Allowed::Domain(entry)),
        _ => Err(format!(
            "“{entry}” is neither an e-mail address nor a domain nor an account"
        )),
    }
}

fn parse_interval(text: &str) -> Result<Option<Duration>, String> {
    let wrong = || "must be a number with s, m, h or d, at least 10s, or off".to_owned();
    if text == "off" {
        return Ok(None);
    }
    let (number, unit) = text.split_at_checked(text.len() - 1).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let whole = number
        .checked_mul(seconds)
        .filter(|whole| (10..=3_153_600_000).contains(whole));
    whole
        .map(|whole| Some(Duration::from_secs(whole)))
        .ok_or_else(wrong)
}

fn parse_rate(text: &str) -> Result<Option<Budget>, String> {
    let wrong = || "must be a number a second, minute or hour, such as 60/m, or off".to_owned();
    if text == "off" {
        return Ok(None);
    }
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let window = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let calls = number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
    Ok(Some(Budget {
        calls,
        window: Duration::from_secs(window),
    }))
}

fn parse_networks(text: &str) -> Result<Vec<ipnet::IpNet>, String> {
    let entries = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let parse = |entry: &str| {
        let address = entry.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
        address
            .or_else(|_| entry.parse())
            .map_err(|_| format!("“{entry}” is neither an address nor a network"))
    };
    entries.map(parse).collect()
}

fn parse_log(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(
            "must be a level such as info or debug, or a list such as info,tributary=debug".into(),
        ),
    }
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be pretty or json".into()),
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
    fn an_env_file_gives_each_value_as_it_stands_or_says_which_line_does_not() {
        let read =
            read_env_file("\u{feff}# a comment with a $\n\nA=1\nexport B='two $x'\nC=\"a b\"\n");
        let read = read.unwrap();
        assert_eq!(
            (read["A"].as_str(), read["B"].as_str(), read["C"].as_str()),
            ("1", "two $x", "a b")
        );
        let problems = read_env_file("A=1\nB=se$cret\nC=two words\n").unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with(".env: line 2") && told[1].starts_with(".env: line 3"),
            "{told:?}"
        );
        assert!(!told.concat().contains("cret"));
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

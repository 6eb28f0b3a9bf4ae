//! `tributary check`: every finding, with its cause and its remedy.

use std::path::Path;
use std::process::ExitCode;

use super::{UNUSABLE, example_credentials, settings};
use crate::client::{Client, Unreachable};
use crate::server;
use crate::settings::{ProviderSettings, Settings, Variables};
use crate::store::Location;

/// What was found, line by line.
#[derive(Default)]
struct Findings {
    wrong: bool,
}

impl Findings {
    fn good(&self, what: &str) {
        println!("ok     {what}");
    }

    fn look(&self, what: &str) {
        println!("note   {what}");
    }

    fn wrong(&mut self, what: &str) {
        self.wrong = true;
        println!("wrong  {what}");
    }
}

pub async fn run() -> ExitCode {
    let settings = match settings(Variables::from_environment()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let mut findings = Findings::default();
    findings.good("settings: every value can be used");
    settings
        .warnings
        .iter()
        .for_each(|warning| findings.look(&warning.to_string()));
    database(&settings, &mut findings).await;
    ephemeral(&settings, &mut findings).await;
    if settings.providers.is_empty() {
        findings.wrong(&format!(
            "providers: none is on. Set the client id and secret of at least one, such as {}.",
            example_credentials()
        ));
    }
    for provider in &settings.providers {
        reach(provider, &mut findings).await;
    }
    if findings.wrong {
        ExitCode::from(UNUSABLE)
    } else {
        ExitCode::SUCCESS
    }
}

async fn database(settings: &Settings, findings: &mut Findings) {
    let place = server::place(&settings.database);
    // A look must not make what it looks for.
    if let Location::Sqlite(path) = &settings.database
        && !path.exists()
    {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        return match tempfile::tempfile_in(folder.unwrap_or(Path::new("."))) {
            Ok(_) => findings.good(&format!("database: {place}, which the first start makes")),
            Err(error) => findings.wrong(&format!(
                "DATABASE_URL: {place} cannot be made ({error}). Name a folder that is there and can be written."
            )),
        };
    }
    match server::open_database(settings).await {
        Ok((store, _)) => {
            findings.good(&format!("database: {place}; the sealing keys fit it"));
            store.close().await;
        }
        Err(error) => findings.wrong(&error.to_string()),
    }
}

async fn ephemeral(settings: &Settings, findings: &mut Findings) {
    match &settings.redis {
        None => findings.good("ephemeral store: in the database"),
        Some(location) => match server::reach_redis(location).await {
            Ok(_) => findings.good("ephemeral store: Redis"),
            Err(error) => findings.wrong(&error.to_string()),
        },
    }
}

async fn reach(provider: &ProviderSettings, findings: &mut Findings) {
    let it = provider.provider.description();
    for (host, url) in provider.hosts() {
        let client = Client::new([url]);
        let name = url.host_str().unwrap_or_default();
        match client.send(client.request(http::Method::GET, url.clone())).await {
            // Any answer will do: this asks whether the host is there, not what it thinks of us.
            Ok(_) | Err(Unreachable::TooLarge) => findings.good(&format!("{}: {host} host {name} answers", it.name)),
            Err(error) => findings.wrong(&format!(
                "{}: {host} host {name} cannot be reached ({error}). See that this machine may reach it, or correct {}_{}_URL.",
                it.name, it.slug.to_uppercase(), host.to_uppercase(),
            )),
        }
    }
    if provider.api_version() == it.api_version && it.ends_before(chrono::Utc::now()) {
        findings.look(&format!(
            "{}: API version {} ended on {}; a newer Tributary is due",
            it.name,
            it.api_version,
            it.api_version_ends.unwrap_or_default()
        ));
    }
}

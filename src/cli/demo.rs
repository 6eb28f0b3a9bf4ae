//! `tributary demo`: the application and the sandbox side by side, with nothing to set up.
//!
//! The sandbox is reached over HTTP, as the real provider would be; the settings made here are all
//! that tells the application where it is.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tempfile::TempDir;

use super::{asked_to_stop, settings, start_logging};
use crate::providers;
use crate::sandbox::{self, Options, Sandbox};
use crate::server::{self, StartError};
use crate::settings::{Settings, Variables};
use crate::web::urls;

#[derive(Args)]
pub struct DemoArgs {
    /// Keep what was imported, in tributary-demo.db, for the next time
    #[arg(long)]
    keep: bool,
}

const CLIENT_ID: &str = "demo-client";
const CLIENT_SECRET: &str = "demo-secret";

/// What a demo takes from its surroundings; its providers and stores are its own.
const HONOURED: [&str; 3] = ["LISTEN", "LOG", "LOG_FORMAT"];

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the demo could not be started ({0})")]
    Io(#[from] io::Error),
}

pub async fn run(args: DemoArgs) -> ExitCode {
    let surroundings = settings(Variables::from_environment().map(|all| all.only(&HONOURED)));
    let surroundings = match surroundings {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    start_logging(&surroundings);
    match demo(args, surroundings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(args: DemoArgs, surroundings: Settings) -> Result<(), DemoError> {
    let listener = server::listen(surroundings.listen)?;
    let port = listener.local_addr()?.port();
    let sandbox = start_sandbox(port)?;
    let (database, _folder) = database(args.keep)?;
    let settings = demo_settings(&database, &sandbox, surroundings);
    let running = server::start(settings, listener).await?;
    let stop = asked_to_stop();
    println!(
        "Tributary: {}",
        running.public_url.as_str().trim_end_matches('/')
    );
    println!("Sandbox: {}", sandbox.url());
    stop.await;
    running.stop().await;
    sandbox.stop().await;
    Ok(())
}

/// The sandbox on a port of 127.0.0.1, while the application is on localhost: so their cookies stay
/// apart.
fn start_sandbox(port: u16) -> io::Result<Sandbox> {
    let next = port
        .checked_add(1)
        .and_then(|next| TcpListener::bind(("127.0.0.1", next)).ok());
    let listener = next.map_or_else(|| TcpListener::bind(("127.0.0.1", 0)), Ok)?;
    let callback = |slug| format!("http://localhost:{port}{}", urls::callback(slug));
    sandbox::start(Options {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
        redirect_uris: providers::ALL
            .iter()
            .map(|provider| callback(provider.description().slug))
            .collect(),
        ..Options::at(listener)
    })
}

/// The demo's own database, which goes when the demo goes unless it is to be kept.
fn database(keep: bool) -> io::Result<(PathBuf, Option<TempDir>)> {
    if keep {
        return Ok(("tributary-demo.db".into(), None));
    }
    let folder = tempfile::Builder::new()
        .prefix("tributary-demo")
        .tempdir()?;
    Ok((folder.path().join("tributary.db"), Some(folder)))
}

fn demo_settings(
    database: &std::path::Path,
    sandbox: &Sandbox,
    surroundings: Settings,
) -> Settings {
    let database = format!("sqlite:{}", database.display());
    let keys = format!("{}.keys", database.trim_start_matches("sqlite:"));
    let mut pairs = vec![
        ("DATABASE_URL".to_owned(), database),
        ("TRIBUTARY_KEYS_FILE".to_owned(), keys),
    ];
    for provider in providers::ALL {
        let upper = provider.description().slug.to_uppercase();
        let url = sandbox.url();
        for (name, value) in [
            ("CLIENT_ID", CLIENT_ID),
            ("CLIENT_SECRET", CLIENT_SECRET),
            ("AUTH_URL", &url),
            ("API_URL", &url),
        ] {
            pairs.push((format!("{upper}_{name}"), value.to_owned()));
        }
    }
    let variables = Variables::from_pairs(
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let own = Settings::read(&variables)
        .unwrap_or_else(|problems| panic!("the demo's own settings: {problems:?}"));
    Settings {
        listen: surroundings.listen,
        log: surroundings.log,
        log_format: surroundings.log_format,
        ..own
    }
}

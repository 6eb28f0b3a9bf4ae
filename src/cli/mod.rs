//! The command line: one file for each command.

mod check;
mod demo;
mod export;
mod keys;
mod sandbox;
mod serve;
mod sign_in_link;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::providers;
use crate::settings::{LogFormat, Problem, Settings, Variables};

/// The exit code for settings that cannot be used.
const UNUSABLE: u8 = 2;

/// Connects the accounts a team already has and keeps what is in them as one list.
#[derive(Parser)]
#[command(version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve with the providers that have credentials (the default)
    Serve,
    /// Serve with every provider answered by the built-in sandbox: no account, no credentials
    Demo(demo::DemoArgs),
    /// Run the sandbox alone
    Sandbox(sandbox::SandboxArgs),
    /// Read the settings, reach stores and providers, and print every finding
    Check,
    /// Write the items that the list shows: to standard output, or to a file
    Export(export::ExportArgs),
    /// Sealing keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print a link that signs somebody in once, within 15 minutes
    SignInLink(sign_in_link::SignInLinkArgs),
}

/// Runs the program.
pub async fn run() -> ExitCode {
    match Cli::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run().await,
        Command::Demo(args) => demo::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Check => check::run().await,
        Command::Export(args) => export::run(args).await,
        Command::Keys(command) => keys::run(command).await,
        Command::SignInLink(args) => sign_in_link::run(args).await,
    }
}

/// Reads the settings, or prints everything that is wrong with them.
fn settings(variables: Result<Variables, Vec<Problem>>) -> Result<Settings, ExitCode> {
    variables
        .and_then(|variables| Settings::read(&variables))
        .map_err(|problems| {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::from(UNUSABLE)
        })
}

/// The settings that turn a provider on, by the example of the first one.
fn example_credentials() -> String {
    let name = providers::ALL[0].description().slug.to_uppercase();
    format!("{name}_CLIENT_ID and {name}_CLIENT_SECRET")
}

/// Logs go to standard error, so that standard output is for whoever reads the program.
fn start_logging(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(&settings.log);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match settings.log_format {
        LogFormat::Pretty => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    for warning in &settings.warnings {
        tracing::warn!(setting = warning.variable, "{warning}");
    }
}

/// Ends when somebody asks us to stop. Heard from the call on and not from the first wait: whoever
/// reads on standard output that we are up may ask at once.
fn asked_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be waited for");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be waited for");
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    }
}

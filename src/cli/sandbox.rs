//! `tributary sandbox`: the sandbox alone, for trying a Tributary of one's own against it.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::asked_to_stop;
use crate::providers;
use crate::sandbox::{self, Options};
use crate::web::urls;

#[derive(Args)]
pub struct SandboxArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8100")]
    listen: SocketAddr,
    /// The client id that it knows
    #[arg(long, default_value = "sandbox-client")]
    client_id: String,
    /// That client's secret
    #[arg(long, default_value = "sandbox-secret")]
    client_secret: String,
    /// A redirect URI registered for that client; may be given several times
    #[arg(long, default_values_t = default_redirects())]
    redirect_uri: Vec<String>,
    /// Seconds that an access token lives, in place of each provider's own time
    #[arg(long)]
    token_life: Option<u64>,
    /// Requests that an account may make within a provider's window, in place of the provider's own
    /// number
    #[arg(long)]
    rate: Option<u32>,
    /// Contacts, or what else is the provider's main kind, of every account but the empty one, in
    /// place of the accounts' own sizes
    #[arg(long)]
    contacts: Option<u32>,
}

/// Those of a Tributary that is served where it is by default.
fn default_redirects() -> Vec<String> {
    let slugs = providers::ALL.iter().map(|it| it.description().slug);
    slugs
        .map(|slug| format!("http://localhost:8000{}", urls::callback(slug)))
        .collect()
}

pub async fn run(args: SandboxArgs) -> ExitCode {
    let listener = match TcpListener::bind(args.listen) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("--listen: {} cannot be listened on ({error})", args.listen);
            return ExitCode::from(super::UNUSABLE);
        }
    };
    let sandbox = sandbox::start(Options {
        client_id: args.client_id,
        client_secret: args.client_secret,
        redirect_uris: args.redirect_uri,
        token_life: args.token_life.map(Duration::from_secs),
        rate: args.rate,
        contacts: args.contacts,
        ..Options::at(listener)
    });
    match sandbox {
        Ok(sandbox) => {
            let stop = asked_to_stop();
            println!("Sandbox: {}", sandbox.url());
            stop.await;
            sandbox.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the sandbox could not be started ({error})");
            ExitCode::FAILURE
        }
    }
}

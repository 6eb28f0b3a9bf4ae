//! `tributary serve`

use std::process::ExitCode;

use super::{asked_to_stop, example_credentials, settings, start_logging};
use crate::server::{self, Running, StartError};
use crate::settings::{Settings, Variables};

pub async fn run() -> ExitCode {
    let settings = match settings(Variables::from_environment()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    start_logging(&settings);
    match start(settings).await {
        Ok(running) => {
            let stop = asked_to_stop();
            announce(&running);
            stop.await;
            running.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(settings: Settings) -> Result<Running, StartError> {
    let listener = server::listen(settings.listen)?;
    server::start(settings, listener).await
}

/// What a host wants to know at the start, on standard output.
fn announce(running: &Running) {
    println!(
        "Tributary: {}",
        running.public_url.as_str().trim_end_matches('/')
    );
    let mut any = false;
    for provider in running.providers.iter() {
        any = true;
        println!(
            "{}: on, redirect URI {}",
            provider.description().name,
            provider.credentials.redirect_uri
        );
    }
    if !any {
        println!(
            "No provider is on. Set {}, or try `tributary demo`.",
            example_credentials()
        );
    }
}

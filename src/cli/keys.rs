//! `tributary keys …`

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Subcommand;

use super::{settings, start_logging};
use crate::rotation::{Progress, RotationError, rotate};
use crate::server::{self, StartError};
use crate::settings::{Settings, Variables};
use crate::vault::Key;

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Print one new sealing key, as TRIBUTARY_KEYS takes it
    New,
    /// Seal everything again under the newest key; older ones can go afterwards
    Rotate,
}

#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

pub async fn run(command: KeysCommand) -> ExitCode {
    match command {
        KeysCommand::New => {
            println!("{}", *Key::random().to_text());
            ExitCode::SUCCESS
        }
        KeysCommand::Rotate => match settings(Variables::from_environment()) {
            Ok(settings) => told(rotate_all(settings).await),
            Err(code) => code,
        },
    }
}

fn told(result: Result<Progress, KeysError>) -> ExitCode {
    match result {
        Ok(Progress { sealed_anew, fresh }) => {
            println!("{sealed_anew} sealed anew, {fresh} were under the newest key already");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn rotate_all(settings: Settings) -> Result<Progress, KeysError> {
    start_logging(&settings);
    let (store, vault) = server::open_database(&settings).await?;
    let terminal = std::io::stderr().is_terminal();
    let result = rotate(&store, &vault, |progress| {
        if terminal {
            eprint!("\r{} sealed anew", progress.sealed_anew);
            std::io::stderr().flush().ok();
        }
    })
    .await;
    store.close().await;
    if terminal {
        eprintln!();
    }
    Ok(result?)
}

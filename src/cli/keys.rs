//! `tributary keys …`

use std::process::ExitCode;

use clap::Subcommand;

use crate::vault::Key;

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Print one new sealing key, as TRIBUTARY_KEYS takes it
    New,
}

pub fn run(command: KeysCommand) -> ExitCode {
    match command {
        KeysCommand::New => println!("{}", *Key::random().to_text()),
    }
    ExitCode::SUCCESS
}

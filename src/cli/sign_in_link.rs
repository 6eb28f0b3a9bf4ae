//! `tributary sign-in-link USER`: a way in for somebody who lost theirs at the provider.

use std::process::ExitCode;

use clap::Args;

use super::{UNUSABLE, settings, start_logging};
use crate::ephemeral::Away;
use crate::item::UserId;
use crate::server::{self, StartError};
use crate::settings::{Settings, Variables};
use crate::store;
use crate::web::sign_in_link;

#[derive(Args)]
pub struct SignInLinkArgs {
    /// Whose link it is: their id, their name or their e-mail address
    user: String,
}

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Away(#[from] Away),
    #[error("USER: nobody here has the id, the name or the address “{0}”")]
    Nobody(String),
    #[error("USER: “{0}” may be any of these; name one by the id:\n{1}")]
    Several(String, String),
    #[error(
        "SIGN_IN_ALLOW: no way in of {0} is on the list, so a link would not let them in. Add them first."
    )]
    NotAllowed(String),
}

pub async fn run(args: SignInLinkArgs) -> ExitCode {
    let settings = match settings(Variables::from_environment()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    start_logging(&settings);
    match link(&settings, &args.user).await {
        Ok(link) => {
            println!("{link}");
            ExitCode::SUCCESS
        }
        Err(error @ (LinkError::Nobody(_) | LinkError::Several(..) | LinkError::NotAllowed(_))) => {
            eprintln!("{error}");
            ExitCode::from(UNUSABLE)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn link(settings: &Settings, wanted: &str) -> Result<String, LinkError> {
    let stores = server::Stores::open(settings).await?;
    let (user, name) = one(stores.store.people_called(wanted).await?, wanted)?;
    let ways = stores.store.ways_in(user).await?;
    let admitted = ways.iter().find(|way| {
        let email = way.email.as_deref();
        settings.allow.admits(&way.provider, &way.account_id, email)
    });
    let identity = admitted.ok_or(LinkError::NotAllowed(name))?.id;
    let public_url = server::public_url(settings, settings.listen.port());
    let (ephemeral, vault) = (stores.ephemeral.as_ref(), &stores.vault);
    let link = sign_in_link::make(ephemeral, vault, &public_url, identity).await?;
    stores.store.close().await;
    Ok(link.into())
}

fn one(mut people: Vec<(UserId, String)>, wanted: &str) -> Result<(UserId, String), LinkError> {
    match (people.pop(), people.is_empty()) {
        (None, _) => Err(LinkError::Nobody(wanted.into())),
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            people.push(last);
            let lines: Vec<String> = people
                .iter()
                .map(|(id, name)| format!("  {id}  {name}"))
                .collect();
            Err(LinkError::Several(wanted.into(), lines.join("\n")))
        }
    }
}

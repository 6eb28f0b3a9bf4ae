//! Approvals that have been begun and not come back yet.
//!
//! An entry of the ephemeral store, sealed, named by the hash of its state: who reads the store can
//! neither finish somebody's approval nor see the PKCE verifier.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::client::{OAuthClient, new_verifier};
use crate::ephemeral::{Away, SharedEphemeral};
use crate::item::{ConnectionId, WorkspaceId};
use crate::providers::Configured;
use crate::vault::{Owner, Vault, random};

/// How long a person may take on the provider's page.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// What one browser is known by here, before anybody has signed in with it.
#[derive(Clone)]
pub struct Browser(SecretString);

impl Browser {
    pub fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random::<32>().as_slice()).into())
    }

    pub fn from_text(text: String) -> Self {
        Self(text.into())
    }

    /// For the session, and for nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

/// What an approval was begun for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Purpose {
    /// The workspace of whoever was signed in: it adds a connection there, and signs nobody in.
    pub workspace: Option<WorkspaceId>,
    /// The connection whose Reconnect was pressed.
    pub reconnect: Option<ConnectionId>,
    /// The invitation that was being looked at, to come back to.
    #[serde(default)]
    pub join: Option<String>,
}

/// What an approval that comes back was begun with.
pub struct Pending {
    pub verifier: Option<SecretString>,
    pub purpose: Purpose,
}

/// The sealed entry.
#[derive(Serialize, Deserialize)]
struct Entry {
    provider: String,
    browser: [u8; 32],
    verifier: Option<String>,
    purpose: Purpose,
}

/// Why a callback's state opens nothing. Which of these it was is nobody's business but the log's.
#[derive(Debug, thiserror::Error)]
pub enum NotPending {
    #[error("the state is missing, unknown, expired or used")]
    Unknown,
    #[error("the state belongs to another browser or provider")]
    Crossed,
    #[error(transparent)]
    Away(#[from] Away),
}

fn entry_name(state: &str) -> String {
    format!("approval:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(state)))
}

/// Begins an approval for this browser and says where to send it.
pub async fn begin(
    ephemeral: &SharedEphemeral,
    vault: &Vault,
    provider: &Configured,
    oauth: &OAuthClient,
    browser: &Browser,
    purpose: Purpose,
) -> Result<Url, Away> {
    let state = URL_SAFE_NO_PAD.encode(random::<32>().as_slice());
    let verifier = provider.pkce.then(new_verifier);
    let entry = Entry {
        provider: provider.slug().to_owned(),
        browser: browser.hash(),
        purpose,
        verifier: verifier
            .as_ref()
            .map(|text| text.expose_secret().to_owned()),
    };
    let name = entry_name(&state);
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&entry).expect("plain fields are JSON"));
    let sealed = vault.seal(&Owner::new("approval", &name), &plain);
    ephemeral.put(&name, &sealed, LIFE).await?;
    let scopes = provider.asked(false);
    Ok(oauth.authorize_url(&state, verifier.as_ref(), scopes))
}

/// Takes the approval that `state` names; it can be taken once, and by its own browser only.
pub async fn claim(
    ephemeral: &SharedEphemeral,
    vault: &Vault,
    provider: &str,
    state: &str,
    browser: Option<&Browser>,
) -> Result<Pending, NotPending> {
    let name = entry_name(state);
    let sealed = ephemeral.take(&name).await?.ok_or(NotPending::Unknown)?;
    let plain = vault.open(&Owner::new("approval", &name), &sealed);
    let plain = plain.map_err(|_| NotPending::Unknown)?;
    let entry: Entry = serde_json::from_slice(&plain).map_err(|_| NotPending::Unknown)?;
    let same_browser =
        browser.is_some_and(|browser| bool::from(browser.hash().ct_eq(&entry.browser)));
    if !same_browser || entry.provider != provider {
        return Err(NotPending::Crossed);
    }
    Ok(Pending {
        verifier: entry.verifier.map(SecretString::from),
        purpose: entry.purpose,
    })
}

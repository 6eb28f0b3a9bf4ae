//! Sealing everything again under the newest key, a little at a time: it can be broken off anywhere,
//! and begun again.

use crate::grants::grant_owner;
use crate::item::ConnectionId;
use crate::store::{self, Store};
use crate::vault::{KeyId, OpenError, Owner, Resealed, Vault};

/// Grants read in one step.
const STEP: i64 = 200;

/// Why nothing, or not everything, was sealed anew.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(
        "{0} running Tributary processes do not hold the newest key ({1}) yet, and could open nothing \
         any more. Give it to all of them, restart them, and try again. One that was killed counts for 45 \
         seconds more."
    )]
    Lacking(i64, KeyId),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{0} cannot be opened: {1}")]
    Sealed(String, OpenError),
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub sealed_anew: u64,
    pub fresh: u64,
}

/// Seals everything that is kept under the newest key.
pub async fn rotate(
    store: &Store,
    vault: &Vault,
    mut tell: impl FnMut(Progress),
) -> Result<Progress, RotationError> {
    let newest = vault.newest();
    let lacking = store.instances_without(&newest.to_string()).await?;
    if lacking > 0 {
        return Err(RotationError::Lacking(lacking, newest));
    }
    let mut progress = Progress::default();
    for (name, sealed) in store.secrets().await? {
        let damaged = |error| RotationError::Sealed(format!("the secret {name}"), error);
        match vault
            .reseal(&Owner::new("secret", &name), &sealed)
            .map_err(damaged)?
        {
            Resealed::Fresh => progress.fresh += 1,
            Resealed::Anew(new) => {
                store.reseal_secret(&name, &sealed, &new).await?;
                progress.sealed_anew += 1;
            }
        }
    }
    let mut after = ConnectionId(0);
    loop {
        let grants = store.grants_after(after, STEP).await?;
        let Some((last, _)) = grants.last() else {
            return Ok(progress);
        };
        after = *last;
        for (connection, sealed) in grants {
            let damaged = |error| {
                RotationError::Sealed(format!("the grant of connection {connection}"), error)
            };
            match vault
                .reseal(&grant_owner(connection), &sealed)
                .map_err(damaged)?
            {
                Resealed::Fresh => progress.fresh += 1,
                Resealed::Anew(new) => {
                    store.reseal_grant(connection, &sealed, &new).await?;
                    progress.sealed_anew += 1;
                }
            }
        }
        tell(progress);
    }
}

//! An approval that came back: the code becomes tokens, the tokens an identity, the identity a stored
//! connection with a queued import.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{
    Bearer, Client, Failure, FailureKind, OAuthClient, Patience, TokenAnswer, TokenError,
};
use crate::grants::{Grants, Held};
use crate::item::{SignInId, UserId, WorkspaceId};
use crate::oauth::Pending;
use crate::providers::{self, Configured};
use crate::store::{
    self, Approval, Approver, Cause, Identity, Known, NewConnection, NewPerson, Store, Tx,
};

/// Whoever approves: somebody signed in, who adds a connection, or a visitor, who signs in by it.
#[derive(Clone, Copy)]
pub enum Signer {
    SignedIn(WorkspaceId, UserId),
    Visitor,
}

/// A stored approval.
pub struct Approved {
    pub approval: Approval,
    /// The new sign-in, where there was none.
    pub sign_in: Option<SignInId>,
}

/// Why an approval ends with nothing stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error("the provider is out of reach: {0}")]
    OutOfReach(String),
    #[error("the provider named no person")]
    Nobody,
    #[error("not allowed to sign in here")]
    NotAllowed,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// How long a browser waits at most to learn whose account it is.
const IDENTIFY: Duration = Duration::from_secs(30);

/// What an approval works with.
pub struct Desk<'a> {
    pub store: &'a Store,
    pub grants: &'a Arc<Grants>,
    pub client: &'a Client,
    pub provider: &'a Configured,
    pub oauth: &'a OAuthClient,
}

/// Finishes an approval. `allowed` decides about the identity before anything is stored; what was
/// issued to somebody who is not let in is revoked where it can be.
pub async fn approve(
    desk: Desk<'_>,
    pending: &Pending,
    code: &str,
    signer: Signer,
    allowed: impl Fn(&Identity) -> bool,
) -> Result<Approved, Refusal> {
    let verifier = pending.verifier.as_ref();
    let token = desk.oauth.exchange(code, verifier).await.map_err(refused)?;
    let whose = desk.identify(&token).await?;
    let approved = desk.settle(&whose, &token, signer, allowed).await;
    if approved.is_err() {
        desk.discard(&whose, &token).await;
    }
    approved
}

impl Desk<'_> {
    async fn settle(
        &self,
        whose: &providers::Identity,
        token: &TokenAnswer,
        signer: Signer,
        allowed: impl Fn(&Identity) -> bool,
    ) -> Result<Approved, Refusal> {
        let person = whose.person.as_ref();
        let identity = person.map(|person| self.identity(whose, person));
        match (&identity, signer) {
            (Some(identity), Signer::Visitor) if !allowed(identity) => {
                return Err(Refusal::NotAllowed);
            }
            (None, Signer::Visitor) => return Err(Refusal::Nobody),
            _ => {}
        }
        let approved = match self.write(whose, identity.as_ref(), token, signer).await {
            // Two first sign-ins of one person at once: the second finds the person of the first.
            Err(Refusal::Store(store::Error::Overtaken)) => {
                self.write(whose, identity.as_ref(), token, signer).await?
            }
            written => written?,
        };
        if let Err(error) = self
            .grants
            .lend(approved.approval.connection, &token.tokens)
            .await
        {
            // The first call for the connection misses it and renews.
            tracing::warn!(%error, "an access token could not be shared");
        }
        Ok(approved)
    }

    /// Revokes what was issued and will not be kept, where that ends nothing that is in use: some
    /// providers end all grants of an account with one.
    async fn discard(&self, whose: &providers::Identity, token: &TokenAnswer) {
        let it = self.provider.description();
        let in_use = self
            .store
            .is_account_in_use(it.slug, &whose.account_key)
            .await;
        let harmless = it.revokes_one_grant || in_use.is_ok_and(|in_use| !in_use);
        if !harmless || !self.oauth.revoke(&token.tokens).await {
            tracing::warn!(provider = it.slug, "what was issued was not revoked");
        }
    }

    async fn identify(&self, token: &TokenAnswer) -> Result<providers::Identity, Refusal> {
        let bearer = Bearer::Fresh(token.tokens.access.clone());
        let api = self
            .provider
            .api(self.client, bearer)
            .patient(Patience::PERSON);
        let whose = self.provider.provider.identify(&api, self.oauth, token);
        match tokio::time::timeout(IDENTIFY, whose).await {
            Ok(whose) => whose.map_err(|failure| unidentified(&failure)),
            Err(_) => Err(Refusal::OutOfReach("no answer in time".into())),
        }
    }

    fn identity(&self, whose: &providers::Identity, person: &providers::Person) -> Identity {
        let slug = self.provider.slug();
        Identity {
            subject: format!("{}/{slug}/{}", self.provider.token_host(), person.id),
            provider: slug,
            account_id: whose.account_id.clone(),
            email: person.email.clone(),
        }
    }

    /// Where the account stands here already, a renewal of its grant that is on its way ends first.
    async fn hold_known(
        &self,
        whose: &providers::Identity,
        signer: Signer,
    ) -> Result<Option<Held>, Refusal> {
        let Signer::SignedIn(workspace, _) = signer else {
            return Ok(None);
        };
        let (slug, key) = (self.provider.slug(), &whose.account_key);
        let known = self
            .store
            .connection_of_account(workspace, slug, key)
            .await?;
        Ok(match known {
            Some(id) => Some(self.grants.hold(id).await),
            None => None,
        })
    }

    /// Everything of an approval in one transaction: it is there whole or not at all.
    async fn write(
        &self,
        whose: &providers::Identity,
        identity: Option<&Identity>,
        token: &TokenAnswer,
        signer: Signer,
    ) -> Result<Approved, Refusal> {
        let _held = self.hold_known(whose, signer).await?;
        let mut tx = self.store.begin().await?;
        let (workspace, user, sign_in) = match (signer, identity) {
            (Signer::SignedIn(workspace, user), _) => (workspace, user, None),
            (Signer::Visitor, Some(identity)) => {
                let who = known_or_new(&mut tx, whose, identity).await?;
                let sign_in = tx.add_sign_in(who, false).await?;
                (who.workspace, who.user, Some(sign_in))
            }
            (Signer::Visitor, None) => return Err(Refusal::Nobody),
        };
        let approval = tx
            .approve(&NewConnection {
                workspace,
                provider: self.provider.slug(),
                account_key: &whose.account_key,
                account_id: &whose.account_id,
                account_name: &whose.account_name,
                approver: Approver {
                    user,
                    subject: identity.map(|identity| identity.subject.as_str()),
                    email: identity.and_then(|identity| identity.email.as_deref()),
                    name: whose.person.as_ref().map_or("", |person| &person.name),
                },
                notes: &whose.notes,
                scopes: &whose.scopes,
            })
            .await?;
        self.grants
            .keep(&mut tx, approval.connection, &token.tokens)
            .await?;
        // What a person shares now may have been there, unchanged, for long.
        let chosen = self.provider.description().shares_nothing.is_some();
        let full = approval.fresh || chosen;
        tx.queue_run(approval.connection, Cause::Connect, full)
            .await?;
        tx.commit().await?;
        Ok(Approved { approval, sign_in })
    }
}

async fn known_or_new(
    tx: &mut Tx,
    whose: &providers::Identity,
    identity: &Identity,
) -> Result<Known, Refusal> {
    if let Some(known) = tx.known_person(identity).await? {
        return Ok(known);
    }
    let person = whose.person.as_ref();
    let name = person.map_or("", |person| person.name.as_str());
    Ok(tx.add_person(NewPerson { name, identity }).await?)
}

fn refused(error: TokenError) -> Refusal {
    let said = error.said();
    match error {
        TokenError::Refused(answer) if answer.status.is_client_error() => Refusal::Refused(said),
        _ => Refusal::OutOfReach(said),
    }
}

fn unidentified(failure: &Failure) -> Refusal {
    match failure.kind {
        FailureKind::Limited | FailureKind::Passing => Refusal::OutOfReach(failure.said.clone()),
        _ => Refusal::Refused(failure.said.clone()),
    }
}

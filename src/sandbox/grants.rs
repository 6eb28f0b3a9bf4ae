use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::accounts::Account;
use super::tokens::{Seal, Token, Use};

/// The OAuth specification advises ten minutes at most; five is enough for a redirect.
const CODE_LIFE: Duration = Duration::from_secs(300);

/// What a person agreed to, waiting to be fetched with a code.
#[derive(Clone, Debug)]
pub struct Consent {
    pub account: Account,
    pub scopes: Vec<String>,
    pub redirect_uri: String,
    /// The S256 challenge of RFC 7636, where the app sent one.
    pub challenge: Option<String>,
    pub at: DateTime<Utc>,
}

/// Whether a genuine token may still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    Expired(DateTime<Utc>),
    Revoked,
}

/// One provider's codes and tokens.
pub struct Grants {
    seal: Seal,
    token_life: Duration,
    code_life: Duration,
    codes: Mutex<HashMap<String, Consent>>,
    ended: Mutex<Ended>,
    last: AtomicI64,
}

/// Until which moment of issue tokens are no longer what they were.
#[derive(Default)]
struct Ended {
    access_expired: HashMap<Account, i64>,
    refresh_revoked: HashMap<Account, i64>,
    grant_ended: HashMap<Account, i64>,
}

impl Grants {
    pub fn new(provider: &str, client_secret: &str, token_life: Duration) -> Grants {
        Grants {
            seal: Seal::new(provider, client_secret),
            token_life,
            code_life: CODE_LIFE,
            codes: Mutex::default(),
            ended: Mutex::default(),
            last: AtomicI64::new(0),
        }
    }

    /// The same, with codes that wait longer or shorter to be fetched.
    pub fn with_code_life(self, code_life: Duration) -> Grants {
        Grants { code_life, ..self }
    }

    /// How long an access token lives.
    pub fn token_life(&self) -> Duration {
        self.token_life
    }

    /// Keeps a consent under a new code.
    pub fn keep(&self, prefix: &str, consent: Consent) -> String {
        let code = format!("{prefix}{:032x}", rand::random::<u128>());
        let mut codes = hold(&self.codes);
        // Codes nobody fetched go here, so that an idle sandbox needs no clock of its own.
        let now = consent.at;
        codes.retain(|_, kept| self.is_fresh(kept, now));
        codes.insert(code.clone(), consent);
        code
    }

    /// Gives out the consent behind a code, once: whoever presents a code uses it up, also with a
    /// wrong verifier.
    pub fn fetch(&self, code: &str, now: DateTime<Utc>) -> Option<Consent> {
        let consent = hold(&self.codes).remove(code)?;
        self.is_fresh(&consent, now).then_some(consent)
    }

    /// A new access token, without the provider's prefix.
    pub fn access(&self, account: Account, scopes: &[String], now: DateTime<Utc>) -> String {
        let life = i64::try_from(self.token_life.as_micros()).unwrap_or(i64::MAX);
        let token = Token {
            kind: Use::Access,
            account,
            scopes: scopes.to_vec(),
            issued: self.tick(now),
            expires: Some(now.timestamp_micros().saturating_add(life)),
        };
        // As long as the real ones, to find columns and headers that are too short for them.
        let padding: String = rand::random::<[u8; 64]>()
            .map(|byte| format!("{byte:02x}"))
            .concat();
        self.seal.close(&token, &padding)
    }

    /// A new refresh token, without the provider's prefix.
    pub fn refresh(&self, account: Account, scopes: &[String], now: DateTime<Utc>) -> String {
        let token = Token {
            kind: Use::Refresh,
            account,
            scopes: scopes.to_vec(),
            issued: self.tick(now),
            expires: None,
        };
        self.seal.close(&token, "")
    }

    /// What a token says, if this provider made it; whether it may be used is another question.
    pub fn read(&self, text: &str) -> Option<Token> {
        self.seal.open(text)
    }

    pub fn standing(&self, token: &Token, now: DateTime<Utc>) -> Standing {
        let ended = hold(&self.ended);
        let before = |marks: &HashMap<Account, i64>| {
            marks
                .get(&token.account)
                .is_some_and(|mark| token.issued <= *mark)
        };
        if before(&ended.grant_ended) {
            return Standing::Revoked;
        }
        match token.kind {
            Use::Refresh if before(&ended.refresh_revoked) => Standing::Revoked,
            Use::Refresh => Standing::Good,
            Use::Access if before(&ended.access_expired) => {
                let mark = ended.access_expired[&token.account];
                expired_at(token.expires.map_or(mark, |at| at.min(mark)))
            }
            Use::Access => match token.expires {
                Some(at) if at <= now.timestamp_micros() => expired_at(at),
                _ => Standing::Good,
            },
        }
    }

    /// Revokes an account's refresh tokens; access tokens live on until they expire.
    pub fn revoke_refresh(&self, account: Account, now: DateTime<Utc>) {
        let mark = self.tick(now);
        hold(&self.ended).refresh_revoked.insert(account, mark);
    }

    /// Ends an account's grant, access tokens and all.
    pub fn end(&self, account: Account, now: DateTime<Utc>) {
        let mark = self.tick(now);
        hold(&self.ended).grant_ended.insert(account, mark);
    }

    /// Makes the access tokens that an account was given so far expired ones.
    pub fn expire_access_tokens(&self, account: Account, now: DateTime<Utc>) {
        let mark = self.tick(now);
        hold(&self.ended).access_expired.insert(account, mark);
    }

    fn is_fresh(&self, consent: &Consent, now: DateTime<Utc>) -> bool {
        consent.at + self.code_life > now
    }

    /// The time, pushed on where it stood still, so that "given before" has one answer for any two
    /// tokens.
    fn tick(&self, now: DateTime<Utc>) -> i64 {
        let now = now.timestamp_micros();
        let next = |last: i64| now.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            })
            .unwrap_or_else(|last| last);
        next(last)
    }
}

fn expired_at(micros: i64) -> Standing {
    Standing::Expired(DateTime::from_timestamp_micros(micros).unwrap_or_default())
}

/// A sandbox goes on after a panic in one request: what the lock guards is whole after every
/// statement.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Grants {
        Grants::new("hubspot", "secret", Duration::from_secs(1800))
    }

    fn consent(at: DateTime<Utc>) -> Consent {
        Consent {
            account: Account::Small,
            scopes: vec!["oauth".to_owned()],
            redirect_uri: "http://localhost/back".to_owned(),
            challenge: None,
            at,
        }
    }

    fn standing(grants: &Grants, text: &str, now: DateTime<Utc>) -> Standing {
        grants.standing(&grants.read(text).unwrap(), now)
    }

    #[test]
    fn a_code_works_once() {
        let (grants, now) = (grants(), Utc::now());
        let code = grants.keep("na1-", consent(now));
        assert!(grants.fetch(&code, now).is_some());
        assert!(grants.fetch(&code, now).is_none());
    }

    #[test]
    fn a_code_lasts_five_minutes() {
        let (grants, now) = (grants(), Utc::now());
        let late = grants.keep("na1-", consent(now - CODE_LIFE));
        assert!(grants.fetch(&late, now).is_none());
    }

    #[test]
    fn a_provider_may_keep_its_codes_longer() {
        let now = Utc::now();
        let grants = grants().with_code_life(CODE_LIFE * 2);
        let code = grants.keep("", consent(now - CODE_LIFE));
        let late = grants.keep("", consent(now - CODE_LIFE * 2));
        assert!(grants.fetch(&code, now).is_some());
        assert!(grants.fetch(&late, now).is_none());
    }

    #[test]
    fn an_access_token_expires_and_a_refresh_token_does_not() {
        let (grants, now) = (grants(), Utc::now());
        let access = grants.access(Account::Small, &[], now);
        let refresh = grants.refresh(Account::Small, &[], now);
        let later = now + Duration::from_secs(1800);
        assert_eq!(standing(&grants, &access, now), Standing::Good);
        assert!(matches!(
            standing(&grants, &access, later),
            Standing::Expired(_)
        ));
        assert_eq!(standing(&grants, &refresh, later), Standing::Good);
    }

    #[test]
    fn revoking_spares_access_tokens_other_accounts_and_later_grants() {
        let (grants, now) = (grants(), Utc::now());
        let refresh = grants.refresh(Account::Small, &[], now);
        let access = grants.access(Account::Small, &[], now);
        let other = grants.refresh(Account::Faults, &[], now);
        grants.revoke_refresh(Account::Small, now);
        let later = grants.refresh(Account::Small, &[], now);
        assert_eq!(standing(&grants, &refresh, now), Standing::Revoked);
        for good in [access, other, later] {
            assert_eq!(standing(&grants, &good, now), Standing::Good);
        }
    }

    #[test]
    fn an_ended_grant_takes_its_access_tokens_along() {
        let (grants, now) = (grants(), Utc::now());
        let access = grants.access(Account::Small, &[], now);
        grants.end(Account::Small, now);
        assert_eq!(standing(&grants, &access, now), Standing::Revoked);
    }

    #[test]
    fn access_tokens_can_be_made_to_expire_at_once() {
        let (grants, now) = (grants(), Utc::now());
        let before = grants.access(Account::Small, &[], now);
        let other = grants.access(Account::Faults, &[], now);
        grants.expire_access_tokens(Account::Small, now);
        let after = grants.access(Account::Small, &[], now);
        assert!(matches!(
            standing(&grants, &before, now),
            Standing::Expired(_)
        ));
        for good in [other, after] {
            assert_eq!(standing(&grants, &good, now), Standing::Good);
        }
    }
}
